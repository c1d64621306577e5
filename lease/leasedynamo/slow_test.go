package leasedynamo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// slow is a service that takes its time.
type slow struct {
	answer

	headers time.Duration // until an answer begins to come
	second  int           // bytes that come of it in a second; 0: all at once
}

func (s *slow) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:  doer(s.do),
	})
}

func (s *slow) do(r *http.Request) (*http.Response, error) {
	if err := wait(r.Context(), s.headers); err != nil {
		return nil, err
	}
	resp, err := s.answer.do(r)
	if err == nil && s.second > 0 {
		resp.Body = &drip{ReadCloser: resp.Body, ctx: r.Context(), second: s.second}
	}
	return resp, err
}

// drip is a body of which so much comes in a second.
type drip struct {
	io.ReadCloser

	ctx    context.Context
	second int
	now    int // of this second's
}

func (d *drip) Read(p []byte) (int, error) {
	for d.now == 0 {
		if err := wait(d.ctx, time.Second); err != nil {
			return 0, err
		}
		d.now = d.second
	}
	n, err := d.ReadCloser.Read(p[:min(len(p), d.now)])
	d.now -= n
	return n, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func tableWith(tb testing.TB, api leasedynamo.API, o leasedynamo.Options) *leasedynamo.Table {
	tb.Helper()
	o.TableName = "orders"
	table, err := leasedynamo.New(api, o)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

func TestRequestTimeoutBoundsEachCall(t *testing.T) {
	t.Parallel()
	for given, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 3 * time.Second: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{headers: 1000 * time.Hour}
			writes, reads := calls(tableWith(t, s.client(), leasedynamo.Options{RequestTimeout: given}))
			for _, group := range []map[string]func(context.Context) error{writes, reads} {
				for name, call := range group {
					begun := time.Now()
					err := call(t.Context())
					if took := time.Since(begun); took != want {
						t.Errorf("%s: it took %v, want %v", name, took, want)
					}
					if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("table orders: no answer within %v", want)) {
						t.Errorf("%s: got error %v, want one that says the limit", name, err)
					}
					for _, class := range classes() {
						if errors.Is(err, class) {
							t.Errorf("%s: got error %v, want one of no class", name, err)
						}
					}
				}
			}
		})
	}
}

func TestAnAnswerMustProgress(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 300<<10)
	row := leaseRow(item{"large": str(string(large))})
	for name, test := range map[string]struct {
		second int
		fine   bool
		takes  time.Duration
	}{
		"a byte a second":      {1, false, 12 * time.Second},
		"6 KiB a second":       {6 << 10, false, 12 * time.Second},
		"8 KiB a second":       {8 << 10, true, 45 * time.Second},
		"a large row at once":  {1 << 20, true, 3 * time.Second},
		"all of it, and never": {-1, false, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &slow{
					headers: 2 * time.Second, second: max(test.second, 0),
					answer: func(string, request) (int, any) { return http.StatusOK, map[string]any{"Attributes": wire(row)} },
				}
				client := s.client()
				if test.second < 0 {
					client = dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.HTTPClient = doer(s.hang) })
				}
				begun := time.Now()
				_, err := newTable(t, client).Renew(t.Context(), held)
				late, isLate := errors.AsType[*deadline.Error](err)
				if took := time.Since(begun); took > test.takes || (err == nil) != test.fine || err != nil && (!isLate || !late.Body) {
					t.Errorf("it took %v and returned %v; want %v at most, fine %v", took, err, test.takes, test.fine)
				}
			})
		})
	}
}

// hang answers with a body that never ends.
func (s *slow) hang(r *http.Request) (*http.Response, error) {
	resp, err := s.do(r)
	if err == nil {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, &drip{ctx: r.Context()}))
	}
	return resp, err
}

// paged is a table of rows whose pages have as many as a scan asks for.
type paged struct {
	rows   int
	limits []int // of the scans
}

func (p *paged) scan(_ string, r request) (int, any) {
	p.limits = append(p.limits, r.Limit)
	from := 0
	if r.ExclusiveStartKey != nil {
		from, _ = strconv.Atoi(r.ExclusiveStartKey["leaseKey"].(map[string]any)["S"].(string))
	}
	to := p.rows
	if r.Limit > 0 {
		to = min(to, from+r.Limit)
	}
	var items []any
	for i := from; i < to; i++ {
		items = append(items, wire(leaseRow(item{"leaseKey": str(strconv.Itoa(i + 1))})))
	}
	body := map[string]any{"Items": items}
	if to < p.rows {
		body["LastEvaluatedKey"] = map[string]any{"leaseKey": map[string]any{"S": strconv.Itoa(to)}}
	}
	return http.StatusOK, body
}

func TestPagesThatComeTooSlowlyAreMadeSmaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &paged{rows: 300}
		s := &slow{answer: p.scan, second: 2 << 10}
		core, logs := observer.New(zap.InfoLevel)
		table := tableWith(t, s.client(), leasedynamo.Options{Logger: zap.New(core)})
		list := func() {
			t.Helper()
			list, _, err := table.List(t.Context())
			if err != nil || len(list) != p.rows {
				t.Fatalf("got %d leases, %v; want %d", len(list), err, p.rows)
			}
			for i, l := range list {
				if l.Key != strconv.Itoa(i+1) {
					t.Fatalf("lease %d is %s", i, l.Key)
				}
			}
		}
		list()
		if begun := []int{0, 500, 250, 125, 62, 62}; !slices.Equal(p.limits[:6], begun) || slices.Max(p.limits[6:]) != 62 {
			t.Errorf("asked for pages of %v rows, want %v and then as the last", p.limits, begun)
		}
		if logs.Len() != 1 || logs.All()[0].Level != zap.WarnLevel {
			t.Errorf("logged %v, want one warning", logs.All())
		}

		s.second, p.rows = 0, 3 // the link is well again
		for p.limits[len(p.limits)-1] != 0 && len(p.limits) < 1000 {
			list()
		}
		if last := p.limits[len(p.limits)-1]; last != 0 || logs.Len() != 2 {
			t.Errorf("at last asked for %d rows and logged %v, want whole pages and one line more", last, logs.All())
		}
		well, sizes := 0, []int{}
		for i, n := range p.limits[6:] {
			if n == p.limits[5+i] {
				well++
				continue
			}
			if sizes = append(sizes, n); well < 90 {
				t.Errorf("pages of %d rows after %d that came well", n, well)
			}
			well = 0
		}
		if want := []int{124, 248, 496, 500, 0}; !slices.Equal(sizes, want) {
			t.Errorf("pages grew to %v rows, want %v", sizes, want)
		}
	})
}

func TestAListEndsIfTheSmallestPageComesTooSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &paged{rows: 600}
		table := newTable(t, (&slow{answer: p.scan, second: 100}).client())
		for _, want := range [][]int{{0, 500, 250, 125, 62, 31, 25}, {25}} {
			p.limits = nil
			begun := time.Now()
			_, _, err := table.List(t.Context())
			late, ok := errors.AsType[*deadline.Error](err)
			if took := time.Since(begun); !ok || !late.Body || took > time.Duration(len(want))*10*time.Second || !slices.Equal(p.limits, want) {
				t.Errorf("asked for pages of %v rows in %v, error %v; want %v", p.limits, took, err, want)
			}
		}
	})
}

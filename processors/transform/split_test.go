package transform_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/processors/transform"
)

// No call has more than a request may have, all records have one in order, and a record
// that alone is too large has none.
func TestSplit(t *testing.T) {
	t.Parallel()
	const largest = transform.MaxBytes / 4 * 3
	zeros := make([]byte, largest+1)
	for _, row := range []struct {
		sizes []int // of the records' data
		want  []int // records of each call
	}{
		{[]int{}, nil},
		{[]int{0, 1, 1000}, []int{3}},
		{[]int{largest + 1}, nil},
		{[]int{largest - 64}, []int{1}},
		{[]int{1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20}, []int{4, 1}},
		{[]int{1, largest - 64, 1}, []int{1, 1, 1}},
		{[]int{1, largest + 1, 1, largest - 64, largest + 1, largest + 1}, []int{1, 1, 1}},
		{slices.Repeat([]int{0}, 100000), []int{89760, 10240}},
	} {
		t.Run(fmt.Sprint(len(row.sizes), row.want), func(t *testing.T) {
			t.Parallel()
			var list []transform.Record
			for _, n := range row.sizes {
				list = append(list, transform.Record{Data: zeros[:n]})
			}
			c := &calls{do: echo}
			outcomes, err := transform.NewRunner(c, transform.Options{Origin: origin()}).Run(t.Context(), list)
			if err != nil || len(outcomes) != len(list) {
				t.Fatalf("%d outcomes: %v", len(outcomes), err)
			}
			var got []int
			for _, b := range c.all() {
				got = append(got, len(b.Records))
				if n := len(transform.Request(&b)); n > transform.MaxRequestBytes {
					t.Errorf("a request of %d bytes", n)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("calls with %v records, want %v", got, row.want)
			}
			for i := range list {
				o := &outcomes[i]
				if list[i].ID != "" {
					t.Fatal("a record of who called was changed")
				}
				if isTooLarge := row.sizes[i] > largest; isTooLarge && (o.Failure == nil || o.Failure.Code != "Lambda.InvocationFailure" || o.Attempts != 0 || o.Ended.IsZero()) ||
					!isTooLarge && (o.Failure != nil || len(o.Data) != row.sizes[i] || o.Attempts != 1) {
					t.Fatalf("a record of %d bytes has the outcome %v after %d calls", row.sizes[i], o.Failure, o.Attempts)
				}
			}
		})
	}
}

// Of a batch whose answer is too large halves are tried, down to the record that is at
// fault; the IDs stay as they are, and each record's calls are counted.
func TestHalves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, logs := logged()
		c := &calls{}
		failedOnce := false
		c.do = func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
			for i := range b.Records {
				if bytes.Equal(b.Records[i].Data, []byte("large")) {
					return nil, transform.AnswerTooLarge(nil)
				}
			}
			if len(b.Records) == 2 && !failedOnce {
				failedOnce = true
				return nil, transform.FunctionError(nil)
			}
			return echo(ctx, b)
		}
		outcomes, err := transform.NewRunner(c, transform.Options{Retries: 1, Logger: logger}).Run(t.Context(), records("a", "b", "large", "d", "e"))
		const large = "Lambda.FunctionError: The Lambda function was successfully invoked but it returned an error result. Its answer was larger than 6 MB."
		if got, want := lines(outcomes), []string{`"a" map[] (3)`, `"b" map[] (3)`, large + " (3)", `"d" map[] (3)`, `"e" map[] (3)`}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
		}
		var ids []string
		invocations := map[string]bool{}
		for _, b := range c.all() {
			invocations[b.InvocationID] = true
			var its []string
			for i := range b.Records {
				its = append(its, strings.TrimLeft(b.Records[i].ID[56:], "0")+string(b.Records[i].Data))
			}
			ids = append(ids, strings.Join(its, " "))
		}
		if want := []string{"a 1b 2large 3d 4e", "a 1b", "a 1b", "2large 3d 4e", "2large", "3d 4e"}; !slices.Equal(ids, want) || len(invocations) != 5 {
			t.Errorf("%d invocations\ngot  %q\nwant %q", len(invocations), ids, want)
		}
		if count(logs, "answer of the transform is too large: halves of the batch are tried") != 1 {
			t.Errorf("logged %v", logs.All())
		}
	})
}

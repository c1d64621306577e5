package leasedynamo_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

var held = lease.Lease{Key: "k", Owner: "o", Instance: "i", Counter: 3, Checkpoint: checkpoint.Sentinel(checkpoint.Latest)}

// calls are the methods of a table. reads are retried by the SDK, writes are
// not.
func calls(table lease.Table) (writes, reads map[string]func(context.Context) error) {
	only := func(f func(context.Context, lease.Lease) (lease.Lease, error)) func(context.Context) error {
		return func(ctx context.Context) error { _, err := f(ctx, held); return err }
	}
	writes = map[string]func(context.Context) error{
		"take": func(ctx context.Context) error {
			_, err := table.Take(ctx, held, lease.Claim{Owner: "o", Instance: "i"})
			return err
		},
		"renew": only(table.Renew),
		"release": func(ctx context.Context) error {
			_, err := table.Release(ctx, held, lease.Surplus)
			return err
		},
		"checkpoint": func(ctx context.Context) error {
			_, err := table.Checkpoint(ctx, held, held.Checkpoint)
			return err
		},
		"prepare": func(ctx context.Context) error {
			_, err := table.Prepare(ctx, held, checkpoint.Prepared{At: held.Checkpoint.ExtendedSequenceNumber})
			return err
		},
		"create": func(ctx context.Context) error { return table.Create(ctx, held) },
		"createChild": func(ctx context.Context) error {
			return table.CreateChild(ctx, held, lease.Lease{Key: "c", Checkpoint: held.Checkpoint})
		},
		"annotate": func(ctx context.Context) error { return table.Annotate(ctx, "k", []string{"c"}, lease.HashRange{}) },
		"delete":   func(ctx context.Context) error { return table.Delete(ctx, held) },
	}
	reads = map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := table.Get(ctx, "k"); return err },
		"list":   func(ctx context.Context) error { _, _, err := table.List(ctx); return err },
		"ensure": table.Ensure,
	}
	return writes, reads
}

// classes are what an error may be.
func classes() []error {
	return []error{
		lease.ErrThrottled, lease.ErrAccessDenied, lease.ErrTableNotFound, lease.ErrInvalidState, lease.ErrLost, lease.ErrExists, lease.ErrNotFound,
	}
}

func TestErrorsHaveTheirClass(t *testing.T) {
	t.Parallel()
	codes := map[string]error{
		"ProvisionedThroughputExceededException": lease.ErrThrottled,
		"RequestLimitExceeded":                   lease.ErrThrottled,
		"ThrottlingException":                    lease.ErrThrottled,
		"TransactionConflictException":           lease.ErrThrottled,
		"TransactionInProgressException":         lease.ErrThrottled,
		"ResourceNotFoundException":              lease.ErrTableNotFound,
		"AccessDeniedException":                  lease.ErrAccessDenied,
		"AccessDenied":                           lease.ErrAccessDenied,
		"UnrecognizedClientException":            lease.ErrAccessDenied,
		"InvalidClientTokenId":                   lease.ErrAccessDenied,
		"InvalidSignatureException":              lease.ErrAccessDenied,
		"SignatureDoesNotMatch":                  lease.ErrAccessDenied,
		"ExpiredTokenException":                  lease.ErrAccessDenied,
		"RequestExpired":                         lease.ErrAccessDenied,
		"ValidationException":                    lease.ErrInvalidState,
		"InternalServerError":                    nil,
		"ItemCollectionSizeLimitExceeded":        nil,
	}
	for code, want := range codes {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := newTable(t, stub(func(string, request) (int, any) {
					if code == "InternalServerError" {
						return http.StatusInternalServerError, refusal(code)
					}
					return http.StatusBadRequest, refusal(code)
				}))
				writes, reads := calls(table)
				for _, group := range []map[string]func(context.Context) error{writes, reads} {
					for name, call := range group {
						if name == "ensure" && code == "ResourceNotFoundException" {
							continue // it creates the table
						}
						err := call(t.Context())
						for _, class := range classes() {
							if got := errors.Is(err, class); err == nil || got != errors.Is(class, want) {
								t.Errorf("%s: is %v: %v, error %v", name, class, got, err)
							}
						}
						if err == nil || !strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), "orders") {
							t.Errorf("%s: error %v does not name the code and the table", name, err)
						}
					}
				}
			})
		})
	}
}

// What a service says that was asked for credentials is nothing about the table.
func TestErrorsOfCredentialsHaveTheirClass(t *testing.T) {
	t.Parallel()
	of := func(service string, err error) error {
		return &smithy.OperationError{ServiceID: service, OperationName: "GetThem", Err: err}
	}
	code := func(code string) error { return &smithy.GenericAPIError{Code: code, Message: "because"} }
	for name, test := range map[string]struct {
		err  error
		want error
	}{
		"expired":                 {of("STS", code("ExpiredTokenException")), lease.ErrAccessDenied},
		"not allowed":             {of("STS", code("AccessDenied")), lease.ErrAccessDenied},
		"throttled":               {of("STS", code("Throttling")), lease.ErrThrottled},
		"no such role":            {of("SSO", code("ResourceNotFoundException")), nil},
		"a malformed request":     {of("STS", code("ValidationException")), nil},
		"cannot be reached":       {of("STS", &smithyhttp.RequestSendError{Err: errors.New("no route")}), nil},
		"the machine has no role": {of("ec2imds", &smithyhttp.RequestSendError{Err: errors.New("no route")}), lease.ErrAccessDenied},
		"none":                    {errors.New("no provider in the chain"), lease.ErrAccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := dynamodb.New(dynamodb.Options{
					Region:      "us-east-1",
					Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, test.err }),
					HTTPClient:  doer(func(*http.Request) (*http.Response, error) { return nil, errors.New("a request was sent") }),
				})
				writes, reads := calls(newTable(t, client))
				for _, group := range []map[string]func(context.Context) error{writes, reads} {
					for name, call := range group {
						err := call(t.Context())
						for _, class := range classes() {
							if errors.Is(err, class) != (class == test.want) || !errors.Is(err, test.err) { //nolint:errorlint // which of them it is
								t.Errorf("%s: got error %v, want %v", name, err, test.want)
							}
						}
					}
				}
			})
		})
	}
}

func TestACutConnectionLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writes, reads := calls(newTable(t, stub(func(string, request) (int, any) { return 0, nil })))
		for _, group := range []map[string]func(context.Context) error{writes, reads} {
			for name, call := range group {
				err := call(t.Context())
				for _, class := range append(classes(), nil) {
					if errors.Is(err, class) {
						t.Errorf("%s: error %v is %v", name, err, class)
					}
				}
			}
		}
	})
}

func TestAWriteIsTriedOnceAndAReadAgain(t *testing.T) {
	t.Parallel()
	for _, body := range []any{nil, refusal("InternalServerError"), refusal("ThrottlingException")} {
		synctest.Test(t, func(t *testing.T) {
			var tries atomic.Int64
			writes, reads := calls(newTable(t, stub(func(string, request) (int, any) {
				tries.Add(1)
				return http.StatusInternalServerError, body
			})))
			for name, call := range writes {
				tries.Store(0)
				if err := call(t.Context()); err == nil || tries.Load() != 1 {
					t.Errorf("%s: %d tries, error %v; want 1 and an error", name, tries.Load(), err)
				}
			}
			for name, call := range reads {
				tries.Store(0)
				if err := call(t.Context()); err == nil || tries.Load() < 2 {
					t.Errorf("%s: %d tries, error %v; want several and an error", name, tries.Load(), err)
				}
			}
		})
	}
}

func TestACallEndsWithItsContextAndTellsTheCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("trust ended")
		writes, reads := calls(newTable(t, stub(func(string, request) (int, any) {
			time.Sleep(time.Minute) // longer than the caller waits
			return 0, nil
		})))
		for _, group := range []map[string]func(context.Context) error{writes, reads} {
			for name, call := range group {
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
				if err := call(ctx); !errors.Is(err, cause) {
					t.Errorf("%s: got error %v, want %v", name, err, cause)
				}
				cancel()
			}
		}
	})
}

func TestAnAnswerThatArrivedCountsMoreThanTheContext(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"ConditionalCheckFailedException": lease.ErrLost, "ThrottlingException": lease.ErrThrottled, "AccessDeniedException": lease.ErrAccessDenied,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		table := newTable(t, stub(func(string, request) (int, any) {
			cancel()
			return http.StatusBadRequest, refusal(code)
		}))
		if _, err := table.Renew(ctx, held); !errors.Is(err, want) {
			t.Errorf("got error %v, want %v", err, want)
		}
	}
}

func TestWhyATransactionOfCreateChildWasCanceled(t *testing.T) {
	t.Parallel()
	now := held
	now.Owner, now.Instance, now.Counter = "thief", "", 9
	tests := map[string]struct {
		parent, child string
		want          error
	}{
		"the child has a row":                         {"None", "ConditionalCheckFailed", nil},
		"the parent is not held":                      {"ConditionalCheckFailed", "None", lease.ErrLost},
		"the parent is not held, the child has a row": {"ConditionalCheckFailed", "ConditionalCheckFailed", lease.ErrLost},
		"another write of the parent":                 {"TransactionConflict", "None", lease.ErrThrottled},
		"another write of the parent, and a child":    {"TransactionConflict", "ConditionalCheckFailed", lease.ErrThrottled},
		"another write of the child":                  {"None", "TransactionConflict", lease.ErrThrottled},
		"throttled":                                   {"None", "ThrottlingError", lease.ErrThrottled},
		"no capacity":                                 {"ProvisionedThroughputExceeded", "None", lease.ErrThrottled},
		"something that cannot be":                    {"ValidationError", "None", lease.ErrInvalidState},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := map[string]any{"Code": test.parent}
			if test.parent == "ConditionalCheckFailed" {
				parent["Item"] = wire(leasedynamo.Encode(now))
			}
			table := newTable(t, stub(func(string, request) (int, any) {
				body := refusal("TransactionCanceledException")
				body["CancellationReasons"] = []any{parent, map[string]any{"Code": test.child}}
				return http.StatusBadRequest, body
			}))
			err := table.CreateChild(t.Context(), held, lease.Lease{Key: "c", Checkpoint: held.Checkpoint})
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			var lost *lease.LostError
			if errors.As(err, &lost) && (lost.Key != "k" || lost.Now == nil || lost.Now.Owner != "thief" || lost.Now.Counter != 9) {
				t.Errorf("got %+v, want the parent's row", lost)
			}
		})
	}
	t.Run("for a reason that is not told", func(t *testing.T) {
		t.Parallel()
		table := newTable(t, stub(func(string, request) (int, any) {
			return http.StatusBadRequest, refusal("TransactionCanceledException")
		}))
		err := table.CreateChild(t.Context(), held, lease.Lease{Key: "c", Checkpoint: held.Checkpoint})
		for _, class := range append(classes(), nil) {
			if errors.Is(err, class) {
				t.Errorf("got error %v, want one of no class", err)
			}
		}
	})
}

func TestListReadsAllPagesAndSkipsWhatIsNotALease(t *testing.T) {
	t.Parallel()
	page := func(last string, rows ...item) map[string]any {
		body := map[string]any{"Count": len(rows)}
		var items []any
		for _, row := range rows {
			items = append(items, wire(row))
		}
		body["Items"] = items
		if last != "" {
			body["LastEvaluatedKey"] = map[string]any{"leaseKey": map[string]any{"S": last}}
		}
		return body
	}
	lead := item{"leaseKey": str("Leader"), "entityType": str("LEADER")}
	pages := map[string]map[string]any{
		"":  page("1", leaseRow(item{"leaseKey": str("a")}), lead),
		"1": page("2"), // a page may be empty
		"2": page("", leaseRow(item{"leaseKey": str("b")}), item{"leaseKey": str("worker-1"), "lut": num("1")}),
	}
	var told []int
	table, err := leasedynamo.New(stub(func(_ string, r request) (int, any) {
		from := ""
		if r.ExclusiveStartKey != nil {
			from = r.ExclusiveStartKey["leaseKey"].(map[string]any)["S"].(string)
		}
		return http.StatusOK, pages[from]
	}), leasedynamo.Options{TableName: "orders", OnSkipped: func(n int) { told = append(told, n) }})
	if err != nil {
		t.Fatal(err)
	}
	list, bad, err := table.List(t.Context())
	if err != nil || len(bad) != 0 || len(list) != 2 || list[0].Key != "a" || list[1].Key != "b" {
		t.Errorf("got %+v, %v; want a and b", list, err)
	}
	if len(told) != 1 || told[0] != 2 {
		t.Errorf("told of %v, want 2 once", told)
	}
}

// A row that cannot be read hides no other one. It is told once, and again when
// it changes.
func TestListTellsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	rows := []any{wire(leaseRow(item{"leaseKey": str("a")})), wire(leaseRow(item{"leaseKey": str("bad"), "checkpoint": str("?")})), wire(leaseRow(item{"leaseKey": str("c")}))}
	core, logs := observer.New(zap.InfoLevel)
	table, err := leasedynamo.New(stub(func(string, request) (int, any) {
		return http.StatusOK, map[string]any{"Count": len(rows), "Items": rows}
	}), leasedynamo.Options{TableName: "orders", Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	list := func() string {
		list, bad, err := table.List(t.Context())
		if err != nil || len(list)+len(bad) != 3 || list[0].Key != "a" || list[len(list)-1].Key != "c" {
			t.Fatalf("got %+v, %v, %v; want a, bad and c", list, bad, err)
		}
		if len(bad) == 0 {
			return ""
		}
		return bad[0].Error()
	}
	for range 3 {
		got := list()
		if !strings.Contains(got, `lease bad cannot be read: attribute checkpoint is the string "?"`) {
			t.Errorf("got %q; want what names the row", got)
		}
	}
	if n := logs.Len(); n != 1 || logs.All()[0].Level != zap.ErrorLevel {
		t.Errorf("logged %v; want one error", logs.All())
	}
	rows[1] = wire(leaseRow(item{"leaseKey": str("bad")}))
	if got := list(); got != "" {
		t.Errorf("mended, but %v", got)
	}
	rows[1] = wire(leaseRow(item{"leaseKey": str("bad"), "checkpoint": str("?")}))
	if _ = list(); logs.Len() != 2 {
		t.Errorf("logged %v; want a second error", logs.All())
	}
}

// What is read or was written and cannot be understood is nothing to go on with.
func TestMalformedRowIsAnError(t *testing.T) {
	t.Parallel()
	table := newTable(t, stub(func(string, request) (int, any) {
		row := wire(leaseRow(item{"leaseCounter": num("x")}))
		return http.StatusOK, map[string]any{"Item": row, "Attributes": row}
	}))
	_, got := table.Get(t.Context(), "k")
	_, renewed := table.Renew(t.Context(), held)
	for _, err := range []error{got, renewed} {
		if !errors.Is(err, lease.ErrInvalidState) || !strings.Contains(err.Error(), "attribute leaseCounter is the number x") {
			t.Errorf("got %v; want an ErrInvalidState that names the attribute", err)
		}
	}
}

func TestGetReadsConsistently(t *testing.T) {
	t.Parallel()
	var sent request
	table := newTable(t, stub(func(_ string, r request) (int, any) {
		sent = r
		return http.StatusOK, map[string]any{"Item": wire(leaseRow(nil))}
	}))
	if _, err := table.Get(t.Context(), "k"); err != nil || !sent.ConsistentRead {
		t.Errorf("sent %+v, error %v; want a consistent read", sent, err)
	}
}

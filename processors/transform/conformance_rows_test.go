package transform_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/transform"
)

// answers is a Function that answers as a Lambda function does whose code is f: what it
// gets and what it says goes through JSON.
func answers(f func(ids []string) string) *calls {
	return &calls{do: func(_ context.Context, b *transform.Batch) ([]transform.Result, error) {
		var ids []string
		for i := range b.Records {
			ids = append(ids, b.Records[i].ID)
		}
		a, _ := transform.ParseAnswer([]byte(f(ids))) // without results if it is none
		return a.Results, nil
	}}
}

// The statements of the conformance list about single batches, of three records.
func TestStatements(t *testing.T) {
	t.Parallel()
	result := func(id, status, rest string) string {
		return `{"recordId":"` + id + `","result":"` + status + `"` + rest + `}`
	}
	const x = `,"data":"WA=="`
	good := func(id string) string { return result(id, "Ok", x) }
	for _, row := range []struct {
		name    string
		f       *calls
		retries int
		want    []string
		calls   int
	}{
		{"L1 Ok with data", answers(func(ids []string) string {
			return `{"records":[` + result(ids[0], "Ok", x+`,"metadata":{"partitionKeys":{"k":"v"}}`) + `,` + result(ids[1], "Ok", `,"data":""`) + `,` + good(ids[2]) + `]}`
		}), 3, []string{`"X" map[k:v] (1)`, `"" map[] (1)`, `"X" map[] (1)`}, 1},
		{"L2 Dropped", answers(func(ids []string) string {
			return `{"records":[` + good(ids[0]) + `,` + result(ids[1], "Dropped", `,"data":null`) + `,` + result(ids[2], "Dropped", x) + `]}`
		}), 3, []string{`"X" map[] (1)`, "dropped (1)", "dropped (1)"}, 1},
		{"L3 ProcessingFailed", answers(func(ids []string) string {
			return `{"records":[` + good(ids[2]) + `,` + result(ids[1], "ProcessingFailed", x) + `,` + good(ids[0]) + `]}`
		}), 3, []string{`"X" map[] (1)`, processingFailed + " (1)", `"X" map[] (1)`}, 1},
		{
			"L5 it throws always", &calls{do: func(context.Context, *transform.Batch) ([]transform.Result, error) { return nil, errors.New("thrown") }},
			3, slices.Repeat([]string{functionError + " (4)"}, 3), 4,
		},
		{
			"L6 two of three ids", answers(func(ids []string) string { return `{"records":[` + good(ids[0]) + `,` + good(ids[2]) + `]}` }),
			3,
			[]string{`"X" map[] (1)`, missingRecordID + " (1)", `"X" map[] (1)`},
			1,
		},
		{"L7 an empty object", answers(func([]string) string { return `{}` }), 3, slices.Repeat([]string{missingRecordID + " (1)"}, 3), 1},
		{"L7 no JSON", answers(func([]string) string { return `nothing` }), 3, slices.Repeat([]string{missingRecordID + " (1)"}, 3), 1},
		{"L8 an id twice", answers(func(ids []string) string {
			return `{"records":[` + good(ids[0]) + `,` + good(ids[1]) + `,` + good(ids[2]) + `,` + good(ids[1]) + `]}`
		}), 3, []string{`"X" map[] (1)`, duplicatedRecordID + " (1)", `"X" map[] (1)`}, 1},
		{"L8 an id thrice", answers(func(ids []string) string {
			return `{"records":[` + good(ids[0]) + `,` + result(ids[0], "Dropped", "") + `,` + good(ids[0]) + `,` + good(ids[1]) + `,` + good(ids[2]) + `]}`
		}), 3, []string{duplicatedRecordID + " (1)", `"X" map[] (1)`, `"X" map[] (1)`}, 1},
		{"L9 an extra id", answers(func(ids []string) string {
			return `{"records":[` + good("other") + `,` + good(ids[0]) + `,` + good(ids[1]) + `,` + good(ids[2]) + `,` + good("other") + `]}`
		}), 3, slices.Repeat([]string{`"X" map[] (1)`}, 3), 1},
		{"L10 Ok without data", answers(func(ids []string) string {
			return `{"records":[` + result(ids[0], "Ok", `,"data":null`) + `,` + result(ids[1], "Ok", "") + `,` + good(ids[2]) + `]}`
		}), 3, []string{invalidReturnFormat + " (1)", invalidReturnFormat + " (1)", `"X" map[] (1)`}, 1},
		{
			"L11 it times out", &calls{do: func(ctx context.Context, _ *transform.Batch) ([]transform.Result, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}},
			3, slices.Repeat([]string{functionTimedOut + " (4)"}, 3), 4,
		},
		{
			"L12 no retries", &calls{do: func(context.Context, *transform.Batch) ([]transform.Result, error) { return nil, errors.New("thrown") }},
			0, slices.Repeat([]string{functionError + " (1)"}, 3), 1,
		},
		{
			"L12 300 retries", &calls{do: func(context.Context, *transform.Batch) ([]transform.Result, error) { return nil, errors.New("thrown") }},
			300, slices.Repeat([]string{functionError + " (301)"}, 3), 301,
		},
		{"data that is not base64", answers(func(ids []string) string {
			return `{"records":[` + result(ids[0], "Ok", `,"data":"?"`) + `,` + result(ids[1], "ok", x) + `,` + good(ids[2]) + `]}`
		}), 3, []string{
			"Lambda.JsonMappingException: The data of the record is not base64. (1)",
			"Lambda.JsonMappingException: The result of the record is none of Ok, Dropped and ProcessingFailed. (1)", `"X" map[] (1)`,
		}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				outcomes := run(t, row.f, row.retries, records("a", "b", "FAIL this one\n"))
				if got := lines(outcomes); !slices.Equal(got, row.want) {
					t.Errorf("got  %q\nwant %q", got, row.want)
				}
				batches := row.f.all()
				if len(batches) != row.calls {
					t.Errorf("%d calls, want %d", len(batches), row.calls)
				}
				for _, b := range batches {
					if b.InvocationID != batches[0].InvocationID || len(b.Records) != 3 {
						t.Errorf("a try had the id %q and %d records, the first one %q and 3", b.InvocationID, len(b.Records), batches[0].InvocationID)
					}
				}
				for i := range outcomes {
					if ended := outcomes[i].Ended; ended.Before(begun) || ended.After(time.Now()) {
						t.Errorf("ended at %v", ended)
					}
				}
			})
		})
	}
}

package transform_test

import (
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/transform"
)

// Whatever is answered, each record has the one outcome that the results with its ID
// give it, and no other result matters.
func TestJudge(t *testing.T) {
	t.Parallel()
	fault := &transform.Error{Code: "fault"}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 6).Draw(t, "records")
		var list []transform.Record
		for i := range n {
			list = append(list, transform.Record{ID: strconv.Itoa(i)})
		}
		results := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) transform.Result {
			r := transform.Result{
				ID:     strconv.Itoa(rapid.IntRange(-1, 7).Draw(t, "id")),
				Status: rapid.SampledFrom([]transform.Status{transform.Ok, transform.Ok, transform.Dropped, transform.ProcessingFailed, "", "ok"}).Draw(t, "status"),
				Data:   rapid.SampledFrom([][]byte{nil, {}, []byte("x")}).Draw(t, "data"),
			}
			if rapid.Bool().Draw(t, "keys") {
				r.PartitionKeys = map[string]string{"k": "v"}
			}
			if rapid.IntRange(0, 5).Draw(t, "fault") == 0 {
				r.Fault = fault
			}
			return r
		}), 0, 10).Draw(t, "results")
		outcomes, unknown := transform.Judge(list, results)
		if len(outcomes) != n {
			t.Fatalf("%d outcomes", len(outcomes))
		}
		for i := range list {
			var its []transform.Result
			for _, r := range results {
				if r.ID == list[i].ID {
					its = append(its, r)
				}
			}
			unknown += len(its)
			checkOutcome(t, &outcomes[i], its)
		}
		if unknown != len(results) {
			t.Errorf("%d results are accounted for, of %d", unknown, len(results))
		}
	})
}

func checkOutcome(t *rapid.T, o *transform.Outcome, its []transform.Result) {
	code := ""
	if o.Failure != nil {
		code = o.Failure.Code
		if o.Data != nil || o.PartitionKeys != nil || o.Dropped || o.Failure.Retry {
			t.Fatalf("a failure with more: %+v", o)
		}
	}
	want := map[int]string{0: "Lambda.MissingRecordId", 1: "", 2: "Lambda.DuplicatedRecordId"}[min(len(its), 2)]
	if len(its) == 1 {
		switch r := &its[0]; {
		case r.Fault != nil:
			want = "fault"
		case r.Status == "Ok" && r.Data == nil:
			want = "Lambda.InvalidReturnFormat"
		case r.Status == "Ok":
			if string(o.Data) != string(r.Data) || o.Data == nil || !maps.Equal(o.PartitionKeys, r.PartitionKeys) {
				t.Fatalf("%+v became %+v", r, o)
			}
		case r.Status == "Dropped":
			if !o.Dropped || o.Data != nil || o.PartitionKeys != nil {
				t.Fatalf("%+v became %+v", r, o)
			}
		case r.Status == "ProcessingFailed":
			want = "Lambda.ProcessingFailedStatus"
		default:
			want = "Lambda.JsonMappingException"
		}
		if o.Dropped != (want == "" && its[0].Status == "Dropped") {
			t.Fatalf("%+v became %+v", its[0], o)
		}
	}
	if code != want {
		t.Fatalf("%+v have the code %q, want %q", its, code, want)
	}
}

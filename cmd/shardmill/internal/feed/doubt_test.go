package feed_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/localaws"
)

// What was not answered may be in the stream, also if the SDK asked again and
// was answered then; what was refused is not.
func TestDoubt(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault        localaws.Fault
		fails        bool
		known, doubt int64
	}{
		"answered":                           {localaws.Fault{Operation: "none"}, false, 2, 0},
		"lost, and asked again":              {localaws.Fault{Times: 1, Kind: localaws.LostAnswer()}, false, 2, 2},
		"lost whenever asked":                {localaws.Fault{Kind: localaws.LostAnswer()}, true, 0, 2},
		"an error of the service's":          {localaws.Fault{Times: 1, Kind: localaws.ServerError(http.StatusInternalServerError)}, false, 2, 2},
		"throttled, and asked again":         {localaws.Fault{Times: 1, Kind: localaws.Error(http.StatusBadRequest, "ThrottlingException")}, false, 2, 0},
		"refused":                            {localaws.Fault{Kind: localaws.Error(http.StatusBadRequest, "AccessDeniedException")}, true, 0, 0},
		"lost, asked again and refused then": {localaws.Fault{Times: 1, Kind: localaws.LostAnswer()}, true, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stack, f := open(t)
				if row.fault.Operation == "" {
					row.fault.Operation = "PutRecords"
				}
				stack.Faults().Add(row.fault)
				if row.fails && row.fault.Times > 0 {
					stack.Faults().Add(localaws.Fault{Operation: "PutRecords", Kind: localaws.Error(http.StatusBadRequest, "AccessDeniedException")})
				}
				add(t, f, 2)
				err := f.Flush(t.Context())
				if known, _ := f.Progress(); (err != nil) != row.fails || known != row.known || f.Doubt() != row.doubt {
					t.Errorf("%d records are put, and %d may be: %v", known, f.Doubt(), err)
				}
			})
		})
	}
}

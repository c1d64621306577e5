package check_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

// The rule that removes bundles is one of S3's API, of the application's bundles
// alone, and waits longer than the stream may keep what they were made of.
func TestLifecycleOfBundles(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*world)
		days   int32 // 0: there is none
	}{
		"a stream that keeps records for a day": {func(*world) {}, 8},
		"a stream of which that is not known": {func(w *world) {
			w.stack.Faults().Add(localaws.Fault{Operation: "DescribeStreamSummary", Kind: localaws.Error(400, "AccessDeniedException")})
		}, 372},
		"no bundles":      {func(w *world) { w.o.Delivery.Staging = "" }, 0},
		"nothing is kept": {func(w *world) { w.o.Delivery.Delivery = processors.AtLeastOnce }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.stream()
				w.o.Delivery.Staging = "s3://archive/_shardmill/"
				row.change(w)
				var found *check.Lifecycle
				err := check.Run(t.Context(), w.clients, w.o, func(l check.Look) {
					if l.Lifecycle != nil {
						found = l.Lifecycle
					}
				})
				if err != nil || (found != nil) != (row.days > 0) {
					t.Fatalf("%v, %+v", err, found)
				}
				if found == nil {
					return
				}
				text, err := json.Marshal(found)
				if err != nil {
					t.Fatal(err)
				}
				strict := json.NewDecoder(strings.NewReader(string(text)))
				strict.DisallowUnknownFields()
				var rules types.BucketLifecycleConfiguration
				if err := strict.Decode(&rules); err != nil || len(rules.Rules) != 1 {
					t.Fatalf("%s: %v", text, err)
				}
				if r := rules.Rules[0]; r.Status != types.ExpirationStatusEnabled || aws.ToString(r.Filter.Prefix) != "_shardmill/app/" ||
					aws.ToInt32(r.Expiration.Days) != row.days || aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays) != 1 {
					t.Errorf("the rule is %s, want one of %d days", text, row.days)
				}
			})
		})
	}
}

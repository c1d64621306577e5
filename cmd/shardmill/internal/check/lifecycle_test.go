package check_test

import (
	"encoding/json"
	"slices"
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

// A key of another region than its bucket's encrypts nothing there, which Firehose
// refuses, too.
func TestKeysOfOtherRegions(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1": "ok bucket archive: exists, in region eu-west-1; s3:ListBucket is permitted",
		"eu-south-1": "wrong bucket archive: exists, in region eu-south-1, and AWSKMSKeyARN is of region eu-west-1: name a key of the bucket's region. " +
			"Firehose says: KMS Key arn:aws:kms:eu-west-1:000000000000:key/1 does not exist in the same region as the S3 bucket",
		"us-east-1": "ok bucket archive: exists, in region us-east-1; s3:ListBucket is permitted", // at an endpoint of one's own
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.stream()
			w.must(w.stack.SetBucket("archive", localaws.Bucket{Region: region}))
			w.o.Delivery.AWSKMSKeyARN = "arn:aws:kms:eu-west-1:000000000000:key/1"
			got, err := w.looks(t.Context())
			if err != nil || !slices.Contains(got, want) {
				t.Errorf("%v, looks %q; want %q", err, got, want)
			}
		})
	}
}

package check

import (
	"encoding/json"
	"fmt"

	"github.com/shardmill/shardmill/processors"
)

// Lifecycle is a configuration that removes bundles which are left behind, in the
// form that put-bucket-lifecycle-configuration takes. That replaces all rules of a
// bucket.
type Lifecycle struct {
	Rules []Rule `json:"Rules"`
}

// Rule is one rule of a bucket's lifecycle configuration.
type Rule struct {
	ID                             string
	Status                         string
	Filter                         struct{ Prefix string }
	Expiration                     struct{ Days int }
	NoncurrentVersionExpiration    struct{ NoncurrentDays int }
	AbortIncompleteMultipartUpload struct{ DaysAfterInitiation int }
}

const (
	// graceDays is how long a bundle is kept once the stream has not its records any
	// more: then it is all that is left of them, if no worker has run meanwhile.
	graceDays = 7

	longestRetention = 365 * 24 // hours, that Kinesis keeps records
)

// lifecycleOf is what removes bundles below a prefix, of a stream that keeps its
// records for so many hours; 0 if that is not known.
func lifecycleOf(prefix string, retention int32) *Lifecycle {
	if retention <= 0 {
		retention = longestRetention
	}
	days := (int(retention)+23)/24 + graceDays
	r := Rule{ID: "shardmill bundles", Status: "Enabled"}
	r.Filter.Prefix = prefix
	r.Expiration.Days = days
	r.NoncurrentVersionExpiration.NoncurrentDays = 1
	r.AbortIncompleteMultipartUpload.DaysAfterInitiation = days
	return &Lifecycle{[]Rule{r}}
}

// staging returns where bundles are, if there are any.
func (l *looker) staging() (bucket, prefix string, ok bool) {
	bucket, prefix, err := processors.ParseStaging(l.Delivery.Staging)
	return bucket, prefix, err == nil && l.Delivery.Delivery != processors.AtLeastOnce
}

// tellBundles names what bundles need that only a write would show, and what removes
// them where they may not be deleted, or leave a version.
func (l *looker) tellBundles() {
	bucket, prefix, ok := l.staging()
	if !ok {
		return
	}
	rule := lifecycleOf(prefix+l.Worker.ApplicationName+"/", l.retention)
	text, err := json.Marshal(rule)
	if err != nil {
		text = []byte(err.Error()) // it is text and numbers
	}
	l.tell(Look{
		What: "bundles in bucket " + bucket, Status: NotChecked, Lifecycle: rule,
		Text: fmt.Sprintf("s3:PutObject, GetObject and DeleteObject on %s/%s*%s: needs a write; without s3:DeleteObject, or if the bucket is versioned, "+
			"add this rule to those of its lifecycle: %s", bucket, prefix, onKey(l.Delivery.AWSKMSKeyARN), text),
	})
}

// onKey says what a key needs that encrypts what is put.
func onKey(arn string) string {
	if arn == "" {
		return ""
	}
	return ", kms:GenerateDataKey and Decrypt on " + arn
}

package localaws_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// A test in virtual time: the SDK's retries, latencies and time-outs are as in
// production and take no time at all.
func Example_synctest() {
	_ = testSlowPut // in a program's own test: func TestSlowPut(t *testing.T)
}

func testSlowPut(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stack, err := localaws.New(localaws.Options{}) // made in the bubble
		if err != nil {
			t.Fatal(err)
		}
		defer stack.Close()
		stack.Faults().Add(localaws.Fault{Operation: "PutObject", Kind: localaws.Latency(20 * time.Minute)})
		throttled := stack.Faults().Add(localaws.Fault{Operation: "PutObject", Times: 2, Kind: localaws.Throttle()})

		start := time.Now()
		_, err = s3.NewFromConfig(stack.AWSConfig()).PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("archive"), Key: aws.String("words"), Body: strings.NewReader("to be"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Hour || throttled.Hits() != 2 {
			t.Errorf("the third try ended after %v and %d refusals, want an hour and 2", took, throttled.Hits())
		}
	})
}

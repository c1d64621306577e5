package processors_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
)

func TestExampleKey(t *testing.T) {
	t.Parallel()
	c := processors.Config{DeliveryStreamName: "orders", Bucket: "archive", Prefix: "logs/", Compression: processors.GZIP, Version: 3}
	at := time.Date(2026, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
	got, err := c.ExampleKey(at)
	if want := "logs/2027/01/01/00/orders-3-2027-01-01-00-59-59-00000000-0000-0000-0000-000000000000.gz"; err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if _, err := (processors.Config{}).ExampleKey(at); err == nil || !strings.Contains(err.Error(), "DeliveryStreamName") {
		t.Errorf("of nothing: %v", err)
	}
}

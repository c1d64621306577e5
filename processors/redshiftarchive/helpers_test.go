package redshiftarchive_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

const roleR = "arn:aws:iam::123456789012:role/R"

const theStream = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"

var errNet = errors.New("connection reset")

// config is that of the conformance list: staged gzip below logs/ of bucket b.
func config() redshiftarchive.Config {
	return redshiftarchive.Config{
		Staging:       processors.Config{DeliveryStreamName: "orders", Bucket: "b", Prefix: "logs/", Compression: processors.GZIP},
		DataTableName: "public.events", CopyOptions: "json 'auto' gzip", Access: redshiftarchive.RoleAccess{ARN: roleR},
	}
}

func changed(change func(*redshiftarchive.Config)) redshiftarchive.Config {
	c := config()
	change(&c)
	return c
}

// has fails the test unless the error has each of the texts, and is nil for none.
func has(t *testing.T, err error, texts ...string) {
	t.Helper()
	if (err != nil) != (len(texts) > 0) {
		t.Errorf("got %v, want an error with %q", err, texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("got %v\nwant an error with %q", err, text)
		}
	}
}

// object is the nth staged one, whose oldest record arrived so many minutes after the hour
// before time begins in a bubble.
func object(n, minute int) processors.MarkedObject {
	return processors.MarkedObject{
		Bucket: "b", Key: fmt.Sprintf("logs/2016/02/25/13/orders-1-2016-02-25-13-00-00-%d.gz", n),
		Size: 10, Records: int64(n), Bytes: 100, Oldest: time.Date(1999, 12, 31, 23, minute, 0, 0, time.UTC),
	}
}

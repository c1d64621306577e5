package redshiftarchive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// What a loader would do can be told without one, and has no secret.
func TestExample(t *testing.T) {
	t.Parallel()
	at := time.Date(2016, 2, 25, 14, 0, 0, 0, time.FixedZone("", 3600))
	c := redshiftarchive.Config{
		Staging:       processors.Config{DeliveryStreamName: "orders", Bucket: "b", Prefix: "logs/", Compression: processors.GZIP},
		DataTableName: "public.events", DataTableColumns: "id,ts", CopyOptions: "json 'auto' gzip", Access: redshiftarchive.RoleAccess{ARN: "arn:aws:iam::123456789012:role/R"},
	}
	const name = "manifests/2016/02/25/13/orders-2016-02-25-13-00-00-00000000-0000-0000-0000-000000000000"
	statement := func(with string) string {
		return "COPY public.events (id,ts) FROM 's3://b/logs/" + name + "' CREDENTIALS '" + with + "' MANIFEST json 'auto' gzip;"
	}
	e, err := c.Example(at)
	if err != nil || e.Statement.String() != statement("aws_iam_role=arn:aws:iam::123456789012:role/R") || e.Manifest != "s3://b/logs/"+name || e.ErrorsManifest != "s3://b/logs/errors/"+name {
		t.Errorf("%v: %+v", err, e)
	}
	c.Access = redshiftarchive.SessionAccess{Provider: credentials.NewStaticCredentialsProvider("hidden", "hidden", "hidden")}
	if e, err = c.Example(at); err != nil || e.Statement.String() != statement("<redacted>") || strings.Contains(e.Statement.SQL(), "hidden") {
		t.Errorf("%v: %+v", err, e)
	}
	c.DataTableName, c.CopyOptions, c.Ledger = "", "manifest", "a.b.c.d"
	if _, err = c.Example(at); err == nil || err.Error() != c.Check().Error() || len(strings.Split(err.Error(), "\n")) != 4 {
		t.Errorf("it finds %v", err)
	}
}

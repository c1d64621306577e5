package warehousetest_test

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/localaws/warehousetest"
)

const (
	bucket = "staging"
	role   = "arn:aws:iam::000000000000:role/loader"
)

func stack(t *testing.T, o localaws.WarehouseOptions) *localaws.Stack {
	t.Helper()
	s, err := localaws.New(localaws.Options{Warehouse: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Warehouse().AttachRole(role)
	return s
}

// suite is what the suite talks to: a stack's warehouse, over a connection or without
// sockets.
func suite(t *testing.T, s *localaws.Stack, overTCP bool) warehousetest.Warehouse {
	t.Helper()
	w := s.Warehouse()
	address := "127.0.0.1:5439"
	if overTCP {
		var err error
		if address, err = w.Addr(); err != nil {
			t.Fatal(err)
		}
	}
	user, password, database := w.Login()
	config, err := pgconn.ParseConfig("postgres://" + user + ":" + password + "@" + address + "/" + database + "?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if !overTCP {
		config.DialFunc = w.Dial
	}
	other := config.Copy()
	other.User, other.Password = "reader", "Reader-1"
	w.SetUser(other.User, other.Password)
	client := s3.NewFromConfig(s.AWSConfig(), s.S3Options)
	return warehousetest.Warehouse{
		Config: config, Other: other, Data: redshiftdata.NewFromConfig(s.AWSConfig()), Bucket: bucket, Credentials: "aws_iam_role=" + role,
		Waiting: func(t *testing.T, table string) int {
			t.Helper()
			count, err := w.Waiting(t.Context(), table)
			if err != nil {
				t.Fatal(err)
			}
			return count
		},
		Put: func(t *testing.T, key string, body []byte) {
			t.Helper()
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(body)})
			if err != nil {
				t.Fatal(err)
			}
		},
	}
}

// TestInProcess makes connections without sockets.
func TestInProcess(t *testing.T) {
	t.Parallel()
	warehousetest.Run(t, suite(t, stack(t, localaws.WarehouseOptions{}), false))
}

// TestOverTCP makes them over sockets, with passwords by MD5.
func TestOverTCP(t *testing.T) {
	t.Parallel()
	warehousetest.Run(t, suite(t, stack(t, localaws.WarehouseOptions{MD5: true}), true))
}

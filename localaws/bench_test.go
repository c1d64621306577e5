package localaws_test

import (
	"bytes"
	"context"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// BenchmarkPutObject puts 5 MiB objects through the SDK, over one another.
func BenchmarkPutObject(b *testing.B) {
	for _, row := range []struct {
		name string
		dir  string
		tcp  bool
	}{
		{"in process, in memory", "", false},
		{"in process, on disk", b.TempDir(), false},
		{"over TCP, on disk", b.TempDir(), true},
	} {
		b.Run(row.name, func(b *testing.B) {
			stack, err := localaws.New(localaws.Options{Dir: row.dir})
			if err != nil {
				b.Fatal(err)
			}
			cfg := stack.AWSConfig()
			if row.tcp {
				listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(b.Context())
				served := make(chan error, 1)
				go func() { served <- stack.Serve(ctx, listener) }()
				defer func() { stop(); <-served }()
				cfg.BaseEndpoint, cfg.HTTPClient = aws.String("http://"+listener.Addr().String()), nil
			}
			client := s3.NewFromConfig(cfg)
			content := make([]byte, 5<<20)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := client.PutObject(b.Context(), &s3.PutObjectInput{
					Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(content),
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

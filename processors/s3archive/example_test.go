package s3archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// A key can be written once: what an archiver's guarantee rests on. A store that
// claims to speak S3's protocol is tried like this before it is trusted.
func ExampleStore_Put() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{}) // in production: config.LoadDefaultConfig
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	store, err := s3archive.New(s3.NewFromConfig(stack.AWSConfig()), s3archive.Options{})
	if err != nil {
		log.Fatal(err)
	}

	put := func(content string) error {
		return store.Put(ctx, processors.Object{
			Bucket: "archive", Key: "logs/once",
			Body:     io.NewSectionReader(strings.NewReader(content), 0, int64(len(content))),
			Metadata: map[string]string{"written-by": content},
			IfAbsent: true,
		})
	}
	fmt.Println(put("first"))
	fmt.Println(errors.Is(put("second"), processors.ErrExists))
	metadata, exists, err := store.Head(ctx, "archive", "logs/once")
	fmt.Println(metadata["written-by"], exists, err)
	// Output:
	// <nil>
	// true
	// first true <nil>
}

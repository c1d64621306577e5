package container_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/shardmill/shardmill/processors/container"
)

// A format is asked for by Firehose's name of it.
func ExampleNamed() {
	f, err := container.Named("Snappy")
	fmt.Println(f.Extension, f.Encoding, err)
	_, err = container.Named("gzip")
	fmt.Println(errors.Is(err, container.ErrUnknown), err)
	// Output:
	// .snappy snappy-java <nil>
	// true it is no CompressionFormat; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY, UNCOMPRESSED or ZSTD
}

// One Pool for the whole program: a compressor's tables are far larger than what
// one body holds back.
func ExamplePool() {
	format, err := container.Named(container.GZIP)
	if err != nil {
		log.Fatal(err)
	}
	var pool container.Pool
	var object bytes.Buffer
	if err := writeBody(&pool, format, &object, "to\n", "be\n"); err != nil {
		log.Fatal(err)
	}

	r, err := gzip.NewReader(&object)
	if err != nil {
		log.Fatal(err)
	}
	content, err := io.ReadAll(r)
	fmt.Printf("%q %v\n", content, err)
	// Output: "to\nbe\n" <nil>
}

func writeBody(pool *container.Pool, f container.Format, to io.Writer, records ...string) error {
	body, err := pool.Open(f, "an object", to)
	if err != nil {
		return err
	}
	defer body.Drop() // after End it does nothing
	for _, r := range records {
		if _, err := io.WriteString(body, r); err != nil {
			return err
		}
	}
	return body.End() // without it the body cannot be read
}

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
	_, err := container.Named("ZIP")
	fmt.Println(errors.Is(err, container.ErrNotBuilt), err)
	_, err = container.Named("gzip")
	fmt.Println(errors.Is(err, container.ErrUnknown), err)
	// Output:
	// true it is not built yet; choose GZIP or UNCOMPRESSED
	// true it is no CompressionFormat; choose GZIP or UNCOMPRESSED
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
	body, err := pool.Open(f, to)
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

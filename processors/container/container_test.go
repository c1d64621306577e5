package container_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/unpack"
)

// What is in a plan outlives the version that wrote it: a codec is never given
// to another format, and each that plans may have is a format's.
func TestCodecsAreFrozen(t *testing.T) {
	t.Parallel()
	frozen := []string{"UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY", "ZSTD"}
	if len(frozen) != exactlyonce.MaxCodec+1 || len(container.Formats()) != len(frozen) {
		t.Errorf("%d formats, codecs up to %d; want %d", len(container.Formats()), exactlyonce.MaxCodec, len(frozen))
	}
	for codec, want := range frozen {
		f, ok := container.Coded(uint8(codec))
		named, err := container.Named(want)
		if !ok || f.Name != want || err != nil || named.Codec != uint8(codec) {
			t.Errorf("codec %d is %q's, and %s has %d, %v", codec, f.Name, want, named.Codec, err)
		}
	}
	if f, ok := container.Coded(exactlyonce.MaxCodec + 1); ok {
		t.Errorf("a codec that plans may not have is %s's", f.Name)
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "SNAPPY", "hadoop_snappy", "zstd", ""} {
		if _, err := container.Named(name); !errors.Is(err, container.ErrUnknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got := container.Choice(false); got != "GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED" {
		t.Errorf("Firehose's are %q", got)
	}
	if got := container.Choice(true); got != "GZIP, ZIP, Snappy, HADOOP_SNAPPY, UNCOMPRESSED or ZSTD" {
		t.Errorf("all are %q", got)
	}
}

// named returns a format that there is.
func named(tb testing.TB, name string) container.Format {
	tb.Helper()
	f, err := container.Named(name)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// body returns the body that has these parts, and the format's name as its own.
func body(tb testing.TB, pool *container.Pool, f container.Format, parts ...[]byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	b, err := pool.Open(f, "as "+f.Name, &out)
	if err != nil {
		tb.Fatal(err)
	}
	for _, part := range parts {
		if n, err := b.Write(part); err != nil || n != len(part) {
			tb.Fatal(n, err)
		}
	}
	if err := b.End(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// TestZIPEntry: the entry has the body's name, and a time that is always the same.
func TestZIPEntry(t *testing.T) {
	t.Parallel()
	content, entry, err := unpack.Zip(body(t, new(container.Pool), named(t, "ZIP"), []byte("abc")))
	if err != nil || string(content) != "abc" || entry.Name != "as ZIP" || !entry.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%q, %+v, %v", content, entry, err)
	}
}

// TestBlocks: lengths and blocks are those of the programs that the formats are
// named after.
func TestBlocks(t *testing.T) {
	t.Parallel()
	const most = 256<<10 - (256<<10)/6 - 32
	for _, row := range []struct {
		format string
		size   int
		want   []int // lengths of blocks
	}{
		{"Snappy", 0, nil},
		{"Snappy", 1, []int{1}},
		{"Snappy", 32<<10 - 1, []int{32<<10 - 1}},
		{"Snappy", 32 << 10, []int{32 << 10}},
		{"Snappy", 32<<10 + 1, []int{32 << 10, 1}},
		{"HADOOP_SNAPPY", 0, []int{0}},
		{"HADOOP_SNAPPY", 1, []int{1}},
		{"HADOOP_SNAPPY", most, []int{most}},
		{"HADOOP_SNAPPY", 2*most + 1, []int{most, most, 1}},
	} {
		t.Run(fmt.Sprint(row.format, row.size), func(t *testing.T) {
			t.Parallel()
			got := body(t, new(container.Pool), named(t, row.format), make([]byte, row.size/3), make([]byte, row.size-row.size/3))
			if lengths := blocks(t, row.format, got); !slices.Equal(lengths, row.want) {
				t.Errorf("blocks of %v bytes, want %v", lengths, row.want)
			}
		})
	}
}

// blocks returns how much each block of a body has inside.
func blocks(t *testing.T, format string, body []byte) (lengths []int) {
	t.Helper()
	next := func() int {
		n := binary.BigEndian.Uint32(body)
		body = body[4:]
		return int(n)
	}
	if format == "Snappy" {
		body = body[16:]
	}
	for len(body) > 0 {
		outer := -1
		if format == "HADOOP_SNAPPY" {
			if outer = next(); outer == 0 {
				lengths = append(lengths, 0)
				continue
			}
		}
		n := next()
		inner, err := snappy.DecodedLen(body)
		if err != nil || outer >= 0 && inner != outer {
			t.Fatal(inner, outer, err)
		}
		lengths, body = append(lengths, inner), body[n:]
	}
	return lengths
}

// TestBodiesAreFunctions: a body depends on its records and its name, on nothing
// else, and not on how the records come.
func TestBodiesAreFunctions(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("what is written once more "), 5000)
	var pool container.Pool
	for _, f := range container.Formats() {
		first := body(t, &pool, f, content)
		if again := body(t, &pool, f, content[:1], content[1:70_000], nil, content[70_000:]); f.Name != "GZIP" && f.Name != "ZIP" && !bytes.Equal(again, first) {
			t.Errorf("%s: %d bytes, then %d", f.Name, len(first), len(again))
		}
		if again := body(t, new(container.Pool), f, content); !bytes.Equal(again, first) {
			t.Errorf("%s: %d bytes, then %d of another pool", f.Name, len(first), len(again))
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var content []byte
	for range 20_000 {
		content = fmt.Appendf(content, `{"user":%d,"page":"/products/%d"}`+"\n", r.IntN(1000), r.IntN(50))
	}
	var pool container.Pool
	sizes := map[int]int{}
	for level := 1; level <= 9; level++ {
		f, err := named(t, "GZIP").WithLevel(level)
		if err != nil {
			t.Fatal(err)
		}
		got := body(t, &pool, f, content)
		if inside, err := unpack.Body(f.Encoding, got); err != nil || !bytes.Equal(inside, content) {
			t.Errorf("level %d: %d bytes, %v", level, len(inside), err)
		}
		sizes[level] = len(got)
	}
	if plain := len(body(t, &pool, named(t, "GZIP"), content)); sizes[1] <= sizes[9] || plain != sizes[container.DefaultLevel] {
		t.Errorf("sizes %v, without a level %d", sizes, plain)
	}
	for _, level := range []int{-1, 0, 10} {
		if _, err := named(t, "GZIP").WithLevel(level); err == nil || errors.Is(err, container.ErrNoLevel) {
			t.Errorf("level %d: %v", level, err)
		}
	}
	for _, name := range []string{"ZIP", "Snappy", "HADOOP_SNAPPY", "UNCOMPRESSED", "ZSTD"} {
		if _, err := named(t, name).WithLevel(5); !errors.Is(err, container.ErrNoLevel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Bodies are made side by side, some are given up half way, and what compressed
// one compresses the next.
func TestBodies(t *testing.T) {
	t.Parallel()
	var pool container.Pool
	var makers sync.WaitGroup
	for i := range 8 {
		makers.Go(func() {
			for n := range 20 {
				for _, f := range container.Formats() {
					content := bytes.Repeat([]byte{byte(i), byte(n)}, 3000*(n+1))
					if got := made(t, &pool, f, content, n%3 == 0); !bytes.Equal(got, content) {
						t.Errorf("%s %d %d: got %d bytes, want %d", f.Name, i, n, len(got), len(content))
					}
				}
			}
		})
	}
	makers.Wait()
}

// made returns what a body of content has inside. With dropped another one is
// given up before.
func made(t *testing.T, pool *container.Pool, f container.Format, content []byte, dropped bool) []byte {
	t.Helper()
	if dropped {
		b, err := pool.Open(f, "dropped", io.Discard)
		if err != nil {
			t.Error(err)
			return nil
		}
		_, _ = b.Write(bytes.Repeat([]byte("half a body"), 10_000)) // nobody reads it
		b.Drop()
	}
	var out bytes.Buffer
	b, err := pool.Open(f, "made", &out)
	if err != nil {
		t.Error(err)
		return nil
	}
	for part := range slices.Chunk(content, 777) {
		if _, err := b.Write(part); err != nil {
			t.Error(err)
		}
	}
	if err := b.End(); err != nil {
		t.Error(err)
	}
	b.Drop()
	got, err := unpack.Body(f.Encoding, out.Bytes())
	if err != nil {
		t.Error(err)
	}
	return got
}

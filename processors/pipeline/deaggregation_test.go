package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// partsOf returns what becomes of a record, part by part.
func partsOf(tb testing.TB, p *pipeline.Pipeline, data string) []string {
	tb.Helper()
	var said []string
	r := kcl.Record{Data: []byte(data)}
	if err := p.Run(tb.Context(), &r, func(o pipeline.Output) error {
		if o.Part != len(said) {
			tb.Errorf("part %d is number %d", len(said), o.Part)
		}
		switch {
		case o.Failure.Type != "":
			said = append(said, o.Failure.Type+" of "+string(o.Source))
		case o.Nothing:
			said = append(said, "nothing")
		default:
			if string(o.Source) != string(o.Data) && string(o.Source) != data {
				tb.Errorf("the source of %q is %q", o.Data, o.Source)
			}
			said = append(said, string(o.Data))
		}
		return nil
	}); err != nil || len(said) == 0 {
		tb.Fatalf("%d parts, %v", len(said), err)
	}
	return said
}

func TestParts(t *testing.T) {
	t.Parallel()
	objects := pipeline.New(pipeline.Stages{RecordDeAggregation: true})
	hashes := pipeline.New(pipeline.Stages{RecordDeAggregation: true, Delimiter: "####"})
	inflated := pipeline.New(pipeline.Stages{Decompression: true, RecordDeAggregation: true, Delimiter: "\n"})
	const failed = pipeline.MetadataExtractionFailed + " of "
	for _, row := range []struct {
		with *pipeline.Pipeline
		data string
		want []string
	}{
		{objects, `{"a":1}{"a":2}`, []string{`{"a":1}`, `{"a":2}`}},
		{objects, " {\"a\" : [1, \"}\"] }\n\r\t{}\n", []string{`{"a" : [1, "}"] }`, "{}"}},
		{objects, `{"a":1}`, []string{`{"a":1}`}},
		{objects, `[{"a":1},{"a":2}]`, []string{failed + `[{"a":1},{"a":2}]`}},
		{objects, `{"a":1}[]`, []string{failed + `{"a":1}[]`}},
		{objects, `{"a":1},{"a":2}`, []string{failed + `{"a":1},{"a":2}`}},
		{objects, `{"a":1} 5`, []string{failed + `{"a":1} 5`}},
		{objects, `{"a":1`, []string{failed + `{"a":1`}},
		{objects, `{"a":1}{`, []string{failed + `{"a":1}{`}},
		{objects, "", []string{failed}},
		{objects, "\n", []string{failed + "\n"}},
		{objects, strings.Repeat("{}", 500), strings.Split(strings.Repeat("{} ", 499)+"{}", " ")},
		{objects, strings.Repeat("{}", 501), []string{strings.Repeat("{}", 501)}},
		{hashes, "x####y", []string{"x", "y"}},
		{hashes, "####x########y####", []string{"x", "y"}},
		{hashes, "x###y", []string{"x###y"}},
		{hashes, "", []string{""}},
		{hashes, "####", []string{"####"}},
		{hashes, strings.Repeat("x####", 500), strings.Split(strings.Repeat("x ", 499)+"x", " ")},
		{hashes, strings.Repeat("x####", 500) + "y", []string{strings.Repeat("x####", 500) + "y"}},
		{inflated, gz(t, "x\ny\n"), []string{"x", "y"}},
		{inflated, "x\ny\n", []string{pipeline.DecompressionFailed + " of x\ny\n"}},
	} {
		if got := partsOf(t, row.with, row.data); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", row.want) {
			t.Errorf("%.60q: got %.200q, want %.200q", row.data, got, row.want)
		}
	}
}

// What is put together is taken apart again, in place.
func TestPartsComeBack(t *testing.T) {
	t.Parallel()
	p := pipeline.New(pipeline.Stages{RecordDeAggregation: true})
	if !p.IsInPlace() || pipeline.New(pipeline.Stages{Decompression: true}).IsInPlace() {
		t.Error("which memory parts are in is not told")
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.MapOf(rapid.String(), rapid.String()), 1, 20).Draw(t, "objects")
		var data []byte
		want := make([]string, 0, len(values))
		for _, v := range values {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(b))
			data = append(append(data, b...), rapid.SampledFrom([]string{"", " ", "\n", "\r\n\t"}).Draw(t, "between")...)
		}
		var got []string
		if err := p.Run(t.Context(), &kcl.Record{Data: data}, func(o pipeline.Output) error {
			if len(o.Data) > 0 && !isWithin(o.Data, data) {
				t.Error("a part is a copy")
			}
			got = append(got, string(o.Data))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// isWithin reports whether part is memory of all.
func isWithin(part, all []byte) bool {
	for i := range all {
		if &all[i] == &part[0] {
			return bytes.HasPrefix(all[i:], part)
		}
	}
	return false
}

// FuzzParts: whatever is in a record, it is in its parts, or the record fails as it is.
func FuzzParts(f *testing.F) {
	f.Add([]byte(`{"a":1} {"b":[]}`), []byte{})
	f.Add([]byte("a,b,,c"), []byte(","))
	f.Fuzz(func(t *testing.T, data, delimiter []byte) {
		p := pipeline.New(pipeline.Stages{RecordDeAggregation: true, Delimiter: string(delimiter)})
		parts := partsOf(t, p, string(data))
		if len(parts) > 500 {
			t.Fatalf("%d parts", len(parts))
		}
		if len(delimiter) == 0 || len(parts) == 1 {
			for _, part := range parts {
				if !strings.HasPrefix(part, pipeline.MetadataExtractionFailed) && !bytes.Contains(data, []byte(part)) {
					t.Fatalf("%q is not of %q", part, data)
				}
			}
			return
		}
		kept := bytes.ReplaceAll(data, delimiter, nil)
		if got := strings.Join(parts, ""); len(got) != len(kept) {
			t.Fatalf("%q of %q", got, kept)
		}
	})
}

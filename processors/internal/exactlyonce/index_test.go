package exactlyonce_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// index returns one of two objects, and the plan of its bundle.
func index() (exactlyonce.Index, exactlyonce.Plan) {
	p := sealed()
	x := exactlyonce.Index{UUID: p.UUID, Objects: []exactlyonce.Object{
		{
			Target: exactlyonce.Target{Bucket: "b", Key: "p/x.gz"}, Size: 1000, Digest: [16]byte{1, 2}, ContentType: "application/octet-stream",
			ContentEncoding: "gzip", Records: 9, Bytes: 5000, Oldest: time.UnixMilli(1456405200000).UTC(),
		},
		{Target: exactlyonce.Target{Bucket: "other", Key: "errors/x"}, Role: exactlyonce.Failed, Size: 5, Records: 1, Bytes: 3},
	}}
	return x, describe(p, x)
}

// describe returns the plan of a bundle that has an index.
func describe(p exactlyonce.Plan, x exactlyonce.Index) exactlyonce.Plan {
	b := x.Encode()
	u := *p.Bundle
	u.IndexSize, u.Index, u.Count, u.Objects = int64(len(b)), exactlyonce.Sum(b), int64(len(x.Objects)), nil
	u.Size = u.IndexSize
	for _, o := range x.Objects {
		u.Size += o.Size
	}
	p.Bundle = &u
	return p
}

// TestFrozenIndex: a bundle outlives the worker that put it.
func TestFrozenIndex(t *testing.T) {
	t.Parallel()
	x, p := index()
	const frozen = "736d696e646578010102030405064708890a0b0c0d0e0f1002016206702f782e677a00e80701020000000000000000000000000000186170706c6963" +
		"6174696f6e2f6f637465742d73747265616d04677a697009882781f98ec4b12a00056f74686572086572726f72732f78020500000000000000000000" +
		"000000000000000001030000"
	if got := hex.EncodeToString(x.Encode()); got != frozen {
		t.Errorf("it is written as %s", got)
	}
	got, err := exactlyonce.JudgeIndex(*p.Bundle, p.UUID, x.Encode(), []string{"b", "other"})
	if err != nil || cmp.Diff(x, got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestJudgeIndex: what is not the plan's own index, or leads elsewhere, is refused.
func TestJudgeIndex(t *testing.T) {
	t.Parallel()
	good, goodPlan := index()
	for _, row := range []struct {
		name   string
		change func(*exactlyonce.Index, *exactlyonce.Bundle)
		bytes  func([]byte) []byte // the plan is of what they return
		want   error
	}{
		{name: "as it was put"},
		{name: "another plan's UUID", change: func(x *exactlyonce.Index, _ *exactlyonce.Bundle) { x.UUID[0]++ }, want: exactlyonce.ErrBroken},
		{name: "an object less than planned", change: func(_ *exactlyonce.Index, u *exactlyonce.Bundle) { u.Count = 3 }, want: exactlyonce.ErrBroken},
		{name: "a digest that differs", change: func(_ *exactlyonce.Index, u *exactlyonce.Bundle) { u.Index[15]++ }, want: exactlyonce.ErrBroken},
		{name: "a size that differs", change: func(_ *exactlyonce.Index, u *exactlyonce.Bundle) { u.IndexSize++; u.Size++ }, want: exactlyonce.ErrBroken},
		{name: "bodies that leave bytes over", change: func(_ *exactlyonce.Index, u *exactlyonce.Bundle) { u.Size++ }, want: exactlyonce.ErrBroken},
		{name: "bodies beyond the bundle", change: func(_ *exactlyonce.Index, u *exactlyonce.Bundle) { u.Size-- }, want: exactlyonce.ErrBroken},
		{name: "a body without end", change: func(x *exactlyonce.Index, u *exactlyonce.Bundle) { x.Objects[0].Size = -1 }, want: exactlyonce.ErrBroken},
		{name: "a bucket that is none of ours", change: func(x *exactlyonce.Index, _ *exactlyonce.Bundle) { x.Objects[1].Bucket = "evil" }, want: exactlyonce.ErrBucket},
		{name: "a key that leads elsewhere", change: func(x *exactlyonce.Index, _ *exactlyonce.Bundle) { x.Objects[1].Key = "a/../b" }, want: exactlyonce.ErrKey},
		{name: "two of one key", change: func(x *exactlyonce.Index, _ *exactlyonce.Bundle) { x.Objects[1].Target = x.Objects[0].Target }, want: exactlyonce.ErrBroken},
		{name: "no index", bytes: func([]byte) []byte { return []byte("something else") }, want: exactlyonce.ErrBroken},
		{name: "the magic alone", bytes: func([]byte) []byte { return []byte("smindex") }, want: exactlyonce.ErrBroken},
		{name: "a newer version", bytes: func(b []byte) []byte { b[7] = 3; return b }, want: exactlyonce.ErrNewer},
		{name: "with a marker", change: addMarker},
		{name: "a marker that is not last", change: func(x *exactlyonce.Index, u *exactlyonce.Bundle) {
			addMarker(x, u)
			if len(x.Objects) == 3 {
				x.Objects[2], x.Objects[0] = x.Objects[0], x.Objects[2]
			}
		}, bytes: func(b []byte) []byte { b[7] = 2; return b }, want: exactlyonce.ErrBroken},
		{name: "the version of one with a marker, and none", bytes: func(b []byte) []byte { b[7] = 2; return b }, want: exactlyonce.ErrBroken},
		{name: "a marker in the version without", change: addMarker, bytes: func(b []byte) []byte { b[7] = 1; return b }, want: exactlyonce.ErrBroken},
		{name: "a role that is not known", change: func(x *exactlyonce.Index, u *exactlyonce.Bundle) {
			addMarker(x, u)
			x.Objects[0].Role = 4
		}, want: exactlyonce.ErrNewer},
		{name: "headers", bytes: func(b []byte) []byte { b[len(b)-1] = 1; return b }, want: exactlyonce.ErrNewer},
		{name: "too short", bytes: func(b []byte) []byte { return b[:len(b)-1] }, want: exactlyonce.ErrBroken},
		{name: "too long", bytes: func(b []byte) []byte { return append(b, 0) }, want: exactlyonce.ErrBroken},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := exactlyonce.Index{UUID: good.UUID, Objects: append([]exactlyonce.Object(nil), good.Objects...)}
			if row.change != nil {
				row.change(&x, new(*goodPlan.Bundle))
			}
			p := describe(goodPlan, x)
			b := x.Encode()
			if row.bytes != nil {
				bodies := p.Bundle.Size - p.Bundle.IndexSize
				b = row.bytes(b)
				p.Bundle.IndexSize, p.Bundle.Index = int64(len(b)), exactlyonce.Sum(b)
				p.Bundle.Size = bodies + p.Bundle.IndexSize
			}
			if row.change != nil {
				row.change(new(exactlyonce.Index{Objects: make([]exactlyonce.Object, 4)}), p.Bundle)
			}
			if _, err := exactlyonce.JudgeIndex(*p.Bundle, p.UUID, b, []string{"b", "other"}); !errors.Is(err, row.want) || (err != nil) != (row.want != nil) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// addMarker adds a marker to an index that has none.
func addMarker(x *exactlyonce.Index, _ *exactlyonce.Bundle) {
	x.Objects = append(x.Objects, marker())
}

// marker is one of an index.
func marker() exactlyonce.Object {
	return exactlyonce.Object{
		Target: exactlyonce.Target{Bucket: "b", Key: "_shardmill/load/orders/" + sealed().UUID.String()}, Role: exactlyonce.Marker,
		Size: 77, Digest: [16]byte{3}, ContentType: "application/json", Records: 9, Bytes: 5000, Oldest: time.UnixMilli(1456405200000).UTC(),
	}
}

// TestIndexesWithMarkers: one with a marker has another version, which those that know no
// markers refuse: they would put it in any order.
func TestIndexesWithMarkers(t *testing.T) {
	t.Parallel()
	x, p := index()
	without := x.Encode()
	x.Objects = append(x.Objects, marker())
	const frozen = "736d696e646578020102030405064708890a0b0c0d0e0f100301620670"
	b := x.Encode()
	if got := hex.EncodeToString(b); !strings.HasPrefix(got, frozen) || !x.HasMarker() {
		t.Errorf("it is written as %s", got)
	}
	got, err := exactlyonce.JudgeIndex(*describe(p, x).Bundle, p.UUID, b, []string{"b", "other"})
	if err != nil || cmp.Diff(x, got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	// What versions that knew no markers did with an index first.
	decode := func(b []byte) error {
		if v := b[len("smindex")]; v != 1 {
			return fmt.Errorf("%w: version %d of a bundle's index, known %d", exactlyonce.ErrNewer, v, 1)
		}
		return nil // it went on
	}
	if err := decode(b); !errors.Is(err, exactlyonce.ErrNewer) {
		t.Errorf("with a marker: %v", err)
	}
	if err := decode(without); err != nil {
		t.Errorf("without: %v", err)
	}
	first := x
	first.Objects = append([]exactlyonce.Object{marker()}, x.Objects...) // what it names would not be there yet
	asTwo := bytes.Clone(without)
	asTwo[len("smindex")] = 2
	asOne := bytes.Clone(b)
	asOne[len("smindex")] = 1
	for name, bad := range map[string][]byte{"a marker that is not last": first.Encode(), "version 2 without a marker": asTwo, "version 1 with one": asOne} {
		u := *describe(p, x).Bundle
		u.Index, u.IndexSize, u.Count = exactlyonce.Sum(bad), int64(len(bad)), int64(bad[len("smindex")+17])
		if _, err := exactlyonce.JudgeIndex(u, p.UUID, bad, []string{"b", "other"}); !errors.Is(err, exactlyonce.ErrBroken) || !strings.Contains(err.Error(), "marker") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzIndex: whatever a bundle ends with, reading it neither panics nor takes much
// memory, and what is accepted is what was written.
func FuzzIndex(f *testing.F) {
	good, plan := index()
	f.Add(good.Encode(), plan.Bundle.Size)
	f.Add([]byte("smindex\x01"), int64(8))
	marked := good
	marked.Objects = append(slices.Clone(good.Objects[:1]), marker())
	f.Add(marked.Encode(), describe(plan, marked).Bundle.Size)
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		u := exactlyonce.Bundle{Size: size, IndexSize: int64(len(b)), Index: exactlyonce.Sum(b), Count: 2}
		x, err := exactlyonce.JudgeIndex(u, good.UUID, b, []string{"b", "other"})
		switch {
		case err == nil:
			again, err := exactlyonce.JudgeIndex(*describe(plan, x).Bundle, good.UUID, x.Encode(), []string{"b", "other"})
			if err != nil || cmp.Diff(x, again) != "" {
				t.Errorf("%+v became %+v, %v", x, again, err)
			}
		case !errors.Is(err, exactlyonce.ErrBroken) && !errors.Is(err, exactlyonce.ErrNewer) && !errors.Is(err, exactlyonce.ErrBucket) && !errors.Is(err, exactlyonce.ErrKey):
			t.Errorf("unclassified: %v", err)
		case bytes.Equal(b, good.Encode()) && size == plan.Bundle.Size:
			t.Errorf("a good one: %v", err)
		}
	})
}

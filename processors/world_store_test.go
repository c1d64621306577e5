package processors_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/unpack"
)

type stored struct {
	body     []byte
	metadata map[string]string
	encoding string
	ctype    string
	at       time.Time
	condit   bool
}

// store is the world's object store.
type store struct {
	w *world
	h *holding
}

func objectName(bucket, key string) string { return bucket + "/" + key }

func (s store) Put(ctx context.Context, o processors.Object) error {
	w := s.w
	if err := w.hear(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !s.h.asked {
		w.violate("put without asking for trust")
	}
	s.h.asked = false
	if s.h.inDoubt != "" {
		w.violate("put while %s is in doubt", s.h.inDoubt)
	}
	kind := "put"
	switch {
	case isBundle(o.Key):
		kind = "seal"
	case isMarker(o.Key):
		kind = "mark"
	}
	if pl, ok := w.announced(); ok && w.row.owner == s.h.id {
		w.violate("put of %s after the announcement of %v", o.Key, pl.UUID)
	}
	if s.h.loads {
		w.notePut(o)
	}
	if o.IfAbsent != (w.prepared[objectName(o.Bucket, o.Key)] || kind == "seal") {
		w.violate("put of %s: if absent %v, prepared %v", o.Key, o.IfAbsent, !o.IfAbsent)
	}
	if time.Now().Before(w.downUntil) {
		return errFault
	}
	w.puts = append(w.puts, o)
	if w.fault != nil && !s.h.spared {
		if f := w.fault(kind, w.counts[kind], w.total); f >= lands1 && f <= lands4 {
			w.counts[kind]++
			w.total++
			w.late = append(w.late, o)
			s.h.landIn = int(f-lands1) + 1
			s.h.crash()
			return errCrash
		}
	}
	var err error
	if e := w.do(ctx, s.h, kind, func() { err = w.apply(o) }); e != nil {
		return e
	}
	return err
}

// isBundle reports whether a key is one of a bundle.
func isBundle(key string) bool {
	return strings.HasPrefix(key, "_shardmill/") && !isMarker(key) || strings.HasPrefix(key, "x/app/")
}

// apply stores an object.
func (w *world) apply(o processors.Object) error {
	name := objectName(o.Bucket, o.Key)
	body, err := io.ReadAll(io.NewSectionReader(o.Body, 0, o.Body.Size()))
	if err != nil {
		w.violate("body: %v", err)
	}
	if old, ok := w.objects[name]; ok {
		if o.IfAbsent {
			return processors.ErrExists
		}
		if !bytes.Equal(old.body, body) {
			w.violate("%s destroyed", name)
		}
	}
	w.objects[name] = stored{body, maps.Clone(o.Metadata), o.ContentEncoding, o.ContentType, time.Now(), o.IfAbsent}
	return nil
}

func (s store) Head(ctx context.Context, bucket, key string) (map[string]string, bool, error) {
	s.land()
	var o stored
	var ok bool
	err := s.ask(ctx, "head", func() { o, ok = s.w.objects[objectName(bucket, key)] })
	return o.metadata, ok, err
}

func (s store) Check(ctx context.Context, _ string) error { return s.ask(ctx, "check", func() {}) }

// ask is a request that is no put.
func (s store) ask(ctx context.Context, kind string, answer func()) error {
	if err := s.w.hear(ctx); err != nil {
		return err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if time.Now().Before(s.w.downUntil) {
		return errFault
	}
	return s.w.do(ctx, s.h, kind, answer)
}

func (s store) Get(ctx context.Context, bucket, key string, offset, length int64, to io.Writer) (err error) {
	s.land()
	if e := s.ask(ctx, "get", func() {
		o, ok := s.w.objects[objectName(bucket, key)]
		if !ok {
			err = processors.ErrNotFound
			return
		}
		if offset+length > int64(len(o.body)) {
			err = processors.ErrRange
			return
		}
		_, err = io.CopyN(to, io.NewSectionReader(bytes.NewReader(o.body), offset, length), length)
	}); e != nil {
		return e
	}
	return err
}

func (s store) List(ctx context.Context, bucket, prefix string) (keys []string, err error) {
	err = s.ask(ctx, "list", func() {
		for _, name := range s.w.keys() {
			if key, ok := strings.CutPrefix(name, bucket+"/"); ok && strings.HasPrefix(key, prefix) {
				keys = append(keys, key)
			}
		}
	})
	return keys, err
}

func (s store) Delete(ctx context.Context, bucket, key string) error {
	return s.ask(ctx, "delete", func() {
		if !isBundle(key) {
			s.w.violate("%s is deleted", key)
		}
		if p := s.w.row.pending; p != nil {
			if pl, err := exactlyonce.Decode(p.State); err == nil && pl.Bundle != nil && pl.Bundle.Key == key {
				s.w.violate("the bundle of a pending plan is deleted")
			}
		}
		delete(s.w.objects, objectName(bucket, key))
	})
}

// hear returns when the store answers.
func (w *world) hear(ctx context.Context) error {
	w.mu.Lock()
	done, deaf := ctx.Done(), time.Until(w.deafUntil)
	if w.stuck {
		done = nil
	}
	w.mu.Unlock()
	if deaf <= 0 {
		return nil
	}
	select {
	case <-done:
		return ctx.Err()
	case <-time.After(deaf):
		return nil
	}
}

func (s store) land() {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.land(s.h)
}

// land lets late puts of earlier holders arrive when their time has come.
func (w *world) land(h *holding) {
	h.operations++
	if len(w.late) == 0 || h.operations < h.landOn {
		return
	}
	for _, o := range w.late {
		_ = w.apply(o) // nobody hears the answer
	}
	w.late = nil
}

// prepareBundle notes the objects of a plan that reached the row.
func (w *world) prepareBundle(pl exactlyonce.Plan) {
	u := pl.Bundle
	o, ok := w.objects[objectName(u.Bucket, u.Key)]
	if !ok || int64(len(o.body)) != u.Size {
		w.violate("prepared, and the bundle is not there: %v of %d bytes, want %d", ok, len(o.body), u.Size)
		return
	}
	x, err := exactlyonce.JudgeIndex(*u, pl.UUID, o.body[u.Size-u.IndexSize:], []string{"b", "c", "backup", "marks"})
	if err != nil {
		w.violate("prepared with a bundle that cannot be used: %v", err)
	}
	for _, o := range x.Objects {
		name := objectName(o.Bucket, o.Key)
		w.prepared[name] = true
		w.loader.toLoad[name] = w.loader.toLoad[name] || x.HasMarker() && o.Role == exactlyonce.Delivery
	}
}

// inflated returns an object's content.
func (s stored) inflated() (string, error) {
	b, err := unpack.Body(s.encoding, s.body)
	return string(b), err
}

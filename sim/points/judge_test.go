package points_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// settle waits until everything is done.
func (w *world) settle() {
	if !w.until(lastWait, func() bool { return w.held.Load() == 0 && w.undone() == "" }) {
		w.fail("at the end %d requests are held, and not done is: %s", w.held.Load(), w.undone())
	}
	if w.loading {
		w.until(lastWait, func() bool { return len(w.keys(markersPrefix)) == 0 })
	}
}

// undone says what remains to be done.
func (w *world) undone() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for key, s := range w.shards {
		r := w.rows[key]
		rs := w.records[key]
		switch {
		case r == nil:
			out = append(out, key+" has had no lease")
		case !s.open && !r.finished() && r.present:
			out = append(out, key+" ended and is at "+r.at.String())
		case s.open && len(rs) > 0 && r.at.Compare(rs[len(rs)-1].at) < 0:
			out = append(out, key+" is at "+r.at.String()+", its last record is "+rs[len(rs)-1].at.String())
		}
	}
	return strings.Join(out, "; ")
}

// end stops the workers and looks at what they leave.
func (w *world) end() {
	for _, m := range w.live() {
		m.shutDown()
	}
	time.Sleep(failover)
	w.judgeLeases()
	close(w.over)
	w.mu.Lock()
	machines := slices.Clone(w.order)
	w.mu.Unlock()
	for _, m := range machines {
		m.stop()
	}
	w.wg.Wait()
	if !w.plain {
		w.judgeObjects()
	}
	w.stack.Close()
}

func (w *world) judgeLeases() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, r := range w.rows {
		if r.present && !r.finished() && r.owner != "" {
			w.violate("the lease of %s still has the owner %s", key, r.owner)
		}
		if r.present && !r.finished() && r.pending != "" {
			w.violate("the lease of %s still has a prepared checkpoint", key)
		}
	}
}

// judgeObjects checks that each record is in one object, in order, and in one of the
// backup.
func (w *world) judgeObjects() {
	contents, backedUp := w.read(bucket), w.read(copies)
	if w.loading {
		w.judgeLoads(contents)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.indexed {
		w.judgeDocuments(contents)
	} else {
		w.judgePlaces(contents, "")
		w.judgeOrder(contents)
	}
	if w.sealed {
		w.judgePlaces(backedUp, "of the backup")
	}
	stored := map[string]int{}
	for _, x := range w.stack.Writes() {
		if x.Status == http.StatusOK && (x.Op == "PutObject" || x.Op == "CompleteMultipartUpload") {
			if stored[x.Key]++; stored[x.Key] > 1 && !isMarker(x.Key) && !isManifest(x.Key) {
				w.violate("object %s was written twice", x.Key)
			}
		}
	}
}

// judgeOrder checks that the objects of a shard, as they were committed, have its
// records in order, as far as plans say which they are: one that has waited long for a load
// may have too many. w.mu is held.
func (w *world) judgeOrder(contents map[string][]string) {
	for key, rs := range w.records {
		if w.unlisted[key] {
			continue
		}
		want := make([]string, 0, len(rs))
		for _, r := range rs {
			want = append(want, r.data)
		}
		var got []string
		if r := w.rows[key]; r != nil {
			for _, object := range r.objects {
				got = append(got, contents[object]...)
			}
		}
		if !slices.Equal(got, want) {
			w.violate("the objects of %s, as they were committed, hold %.300q, and its records were %.300q", key, got, want)
		}
	}
}

// judgePlaces checks that each record is in one of these objects. w.mu is held.
func (w *world) judgePlaces(contents map[string][]string, what string) {
	in := map[string][]string{}
	for key, lines := range contents {
		for _, line := range lines {
			in[line] = append(in[line], key)
		}
	}
	total := 0
	for key, rs := range w.records {
		for _, r := range rs {
			if n := len(in[r.data]); n != 1 {
				w.violate("record %.20q of %s is in %d objects %s: %v", r.data, key, n, what, in[r.data])
			}
		}
		total += len(rs)
	}
	if total == 0 || len(in) != total {
		w.violate("%d records were put and %d are in objects %s", total, len(in), what)
	}
}

// read returns the records of each object of a bucket, but of bundles.
func (w *world) read(bucket string) map[string][]string {
	out := map[string][]string{}
	list, err := w.objects.ListObjectsV2(w.t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		if bucket == copies && !w.sealed {
			return nil
		}
		w.t.Error(err)
		return nil
	}
	for _, o := range list.Contents {
		if isMarker(*o.Key) || isManifest(*o.Key) || stagedShard(*o.Key) != "" {
			continue
		}
		data, err := w.content(bucket, *o.Key)
		if err != nil {
			w.fail("object %s cannot be read: %v", *o.Key, err)
		}
		out[*o.Key] = slices.DeleteFunc(strings.SplitAfter(string(data), "\n"), func(s string) bool { return s == "" })
	}
	return out
}

// keys returns the keys of objects that begin with a prefix.
func (w *world) keys(prefix string) (keys []string) {
	list, err := w.objects.ListObjectsV2(w.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &prefix})
	if err != nil {
		w.t.Error(err)
		return nil
	}
	for _, o := range list.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

func (w *world) content(bucket, key string) ([]byte, error) {
	o, err := w.objects.GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(o.Body)
	_ = o.Body.Close() // all of it is read
	if err != nil || !strings.HasSuffix(key, ".gz") {
		return data, err
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

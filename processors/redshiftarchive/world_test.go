package redshiftarchive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

const markers = "_shardmill/load/orders/"

// world is a bucket and a database, as all loaders see them. It fails the test when one of
// them does what must not happen.
type world struct {
	t         *testing.T
	hasLedger bool

	mu     sync.Mutex // guards what follows
	bucket map[string]string
	staged map[string]bool // URLs
	copies map[string]int  // how often each URL is in the table
	ledger map[string]bool
	named  map[string]bool // URLs that an errors manifest has
	tokens map[string]bool
	tries  []try
}

// try is a COPY.
type try struct {
	at       time.Time
	manifest string // its URL
	urls     []string
	sql      string
}

func newWorld(t *testing.T, hasLedger bool) *world {
	t.Helper()
	return &world{
		t: t, hasLedger: hasLedger, bucket: map[string]string{}, staged: map[string]bool{}, copies: map[string]int{}, ledger: map[string]bool{},
		named: map[string]bool{}, tokens: map[string]bool{},
	}
}

// stage stages objects and their marker, as an archiver does.
func (w *world) stage(marker string, objects ...processors.MarkedObject) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range objects {
		w.staged[o.URL()] = true
		w.bucket[o.Key] = "staged"
	}
	w.bucket[markers+marker] = string(processors.Marker{DeliveryStreamName: "orders", Application: "app", Stream: theStream, Objects: objects}.Encode())
}

// put puts any object.
func (w *world) put(key, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bucket[key] = body
}

// below returns the keys below a prefix.
func (w *world) below(prefix string) (keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.bucket {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// all returns the tries.
func (w *world) all() []try {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.tries)
}

// look looks in the ledger, if there is one.
func (w *world) look(urls []string) error {
	var known []string
	for _, url := range urls {
		if w.ledger[url] {
			known = append(known, url)
		}
	}
	if w.hasLedger && len(known) > 0 {
		return &redshiftarchive.KnownError{Objects: known}
	}
	return nil
}

// reject fails a COPY behind a look in the ledger.
func (w *world) reject(urls []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.look(urls); err != nil {
		return err
	}
	return &redshiftarchive.Fault{Code: "Redshift.DataLoadFailed", Message: "rejected", Undone: true, NotInLedger: w.hasLedger}
}

// commit commits a COPY.
func (w *world) commit(urls []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.look(urls); err != nil {
		return err
	}
	for _, url := range urls {
		w.copies[url]++
		w.ledger[url] = w.hasLedger
	}
	return nil
}

func entries(t *testing.T, body string) (urls []string) {
	t.Helper()
	var m struct {
		Entries []struct {
			URL       string `json:"url"`
			Mandatory bool   `json:"mandatory"`
		} `json:"entries"`
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil || len(m.Entries) == 0 {
		t.Errorf("manifest %q: %v", body, err)
	}
	for _, e := range m.Entries {
		if urls = append(urls, e.URL); !e.Mandatory {
			t.Errorf("%s is not mandatory", e.URL)
		}
	}
	return urls
}

// settled checks that everything staged is loaded or named, and nothing twice if there is a
// ledger, or exactly is set; and that staged objects are there.
func (w *world) settled(exactly bool) {
	w.t.Helper()
	if left := w.below(markers); len(left) > 0 {
		w.t.Errorf("markers are left: %v", left)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for url := range w.staged {
		n := w.copies[url]
		if n == 0 && !w.named[url] {
			w.t.Errorf("%s is neither loaded nor named", url)
		}
		if n > 1 && (w.hasLedger || exactly) {
			w.t.Errorf("%s is loaded %d times", url, n)
		}
		if w.bucket[strings.TrimPrefix(url, "s3://b/")] != "staged" {
			w.t.Errorf("%s is gone", url)
		}
	}
}

// kind is how a call goes.
type kind int

const (
	passes  kind = iota
	refused      // nothing happens
	lost         // it happens, and the answer is lost
	hangs        // it is not answered, and nothing happens
	late         // it is not answered, and happens later; of a COPY: an error, and it happens later
	denied
	rejected // of a COPY: the ledger is looked at, and then it fails
)

// answer is how a call goes, and when.
type answer struct {
	kind  kind
	after time.Duration
	later time.Duration // how long after that it happens, if it is late
	fault *redshiftarchive.Fault
}

// link is one loader's way to the world.
type link struct {
	*world

	// plan says how the nth call of all, of an operation, goes. nil: well. It is called
	// by one goroutine at a time.
	plan func(n int, op string) answer

	mu      sync.Mutex // guards what follows
	calls   int
	loading int
}

// begin returns how a call goes.
func (l *link) begin(op string) answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.plan == nil {
		return answer{}
	}
	return l.plan(l.calls-1, op)
}

// call makes a call of the store.
func (l *link) call(ctx context.Context, op string, do func() error) error {
	if _, ok := ctx.Deadline(); !ok {
		l.t.Errorf("%s has no limit", op)
	}
	a := l.begin(op)
	select {
	case <-time.After(a.after):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch a.kind {
	case refused:
		return errNet
	case denied:
		return fmt.Errorf("%s: %w: permit it", op, processors.ErrAccessDenied)
	case lost:
		_ = do()
		return errNet
	case hangs:
		<-ctx.Done()
		return context.Cause(ctx)
	case late:
		time.AfterFunc(a.later, func() { _ = do() })
		<-ctx.Done()
		return context.Cause(ctx)
	case passes, rejected:
	}
	return do()
}

// Put implements redshiftarchive.Store.
func (l *link) Put(ctx context.Context, o processors.Object) error {
	body, err := io.ReadAll(o.Body)
	if err != nil || o.Bucket != "b" {
		l.t.Errorf("Put into %s: %v", o.Bucket, err)
	}
	_, _ = o.Body.Seek(0, io.SeekStart)
	isError := strings.HasPrefix(o.Key, "logs/errors/manifests/")
	op := "put"
	if isError {
		op = "put error"
	}
	return l.call(ctx, op, func() error {
		urls := entries(l.t, string(body))
		l.world.mu.Lock()
		defer l.world.mu.Unlock()
		if had, ok := l.bucket[o.Key]; ok && had != string(body) {
			l.t.Errorf("%s is replaced", o.Key)
		}
		l.bucket[o.Key] = string(body)
		if isError {
			for _, url := range urls {
				l.named[url] = true
			}
		}
		return nil
	})
}

// Read implements redshiftarchive.Store.
func (l *link) Read(ctx context.Context, bucket, key string, most int64) ([]byte, error) {
	var body []byte
	err := l.call(ctx, "read", func() error {
		l.world.mu.Lock()
		defer l.world.mu.Unlock()
		text, ok := l.bucket[key]
		switch {
		case !ok || bucket != "b":
			return processors.ErrNotFound
		case int64(len(text)) > most:
			return processors.ErrRange
		}
		body = []byte(text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// List implements redshiftarchive.Store.
func (l *link) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	err := l.call(ctx, "list", func() error {
		keys = l.below(prefix)
		keys = keys[:min(1000, len(keys))]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Delete implements redshiftarchive.Store: what a marker names must be loaded, or named.
func (l *link) Delete(ctx context.Context, bucket, key string) error {
	return l.call(ctx, "delete", func() error {
		l.world.mu.Lock()
		defer l.world.mu.Unlock()
		if !strings.HasPrefix(key, markers) {
			l.t.Errorf("%s is deleted", key)
		}
		text, ok := l.bucket[key]
		if !ok {
			return nil
		}
		m, err := processors.ParseMarker([]byte(text))
		if err != nil {
			l.t.Errorf("%s is deleted, though it is %v", key, err)
		}
		for _, o := range m.Objects {
			if l.copies[o.URL()] == 0 && !l.named[o.URL()] {
				l.t.Errorf("the marker of %s is deleted, though it is neither loaded nor named", o.URL())
			}
		}
		delete(l.bucket, key)
		return nil
	})
}

var copyText = regexp.MustCompile(`^COPY public\.events (?:\(.*\) )?FROM 's3://b/([^']*)' CREDENTIALS '[^']*' MANIFEST`)

// Load implements redshiftarchive.Database.
func (l *link) Load(ctx context.Context, t redshiftarchive.Try) error {
	if l.enter(1) > 1 {
		l.t.Error("two COPYs of one loader at once")
	}
	defer l.enter(-1)
	if _, ok := ctx.Deadline(); !ok {
		l.t.Error("COPY has no limit")
	}
	urls := l.noteTry(t)
	t.Tell("LOCK of the ledger", errNet)
	a := l.begin("load")
	if a.kind == hangs {
		<-ctx.Done()
		return inDoubt(context.Cause(ctx))
	}
	select {
	case <-time.After(a.after):
	case <-ctx.Done():
		if a.kind != refused {
			_ = l.commit(urls) // the server goes on
		}
		return inDoubt(context.Cause(ctx))
	}
	switch a.kind {
	case refused, denied:
		if a.fault != nil {
			return a.fault
		}
		return &redshiftarchive.Fault{Code: "Redshift.DataLoadFailed", Message: "refused", Undone: true}
	case lost:
		_ = l.commit(urls)
		return inDoubt(errNet)
	case late:
		time.AfterFunc(a.later, func() { _ = l.commit(urls) })
		return inDoubt(errNet)
	case rejected:
		return l.reject(urls)
	case hangs, passes:
	}
	t.Tell("COMMIT", nil)
	return l.commit(urls)
}

func inDoubt(err error) error {
	return &redshiftarchive.Fault{Code: "Redshift.ConnectionFailed", Message: err.Error()}
}

func (l *link) enter(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loading += n
	return l.loading
}

// noteTry notes a COPY, and returns what its manifest has.
func (l *link) noteTry(t redshiftarchive.Try) []string {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	found := copyText.FindStringSubmatch(t.Copy.SQL())
	if found == nil {
		l.t.Errorf("statement %s", t.Copy.SQL())
		return nil
	}
	body, ok := l.bucket[found[1]]
	if !ok || !strings.HasPrefix(found[1], "logs/manifests/") {
		l.t.Errorf("there is no manifest %s", found[1])
		return nil
	}
	urls := entries(l.t, body)
	for _, url := range urls {
		if !l.staged[url] {
			l.t.Errorf("%s was not staged", url)
		}
	}
	if l.tokens[t.Token] {
		l.t.Errorf("the token %s twice", t.Token)
	}
	l.tokens[t.Token] = true
	if (t.Ledger != nil) != l.hasLedger || t.Ledger != nil && (!slices.Equal(t.Ledger.Objects, urls) || t.Ledger.Manifest != "s3://b/"+found[1] || t.Ledger.Table != "public.ledger") {
		l.t.Errorf("ledger %+v of %v", t.Ledger, urls)
	}
	l.tries = append(l.tries, try{time.Now(), "s3://b/" + found[1], urls, t.Copy.SQL()})
	return urls
}

// Check implements redshiftarchive.Database.
func (l *link) Check(context.Context, redshiftarchive.Tables) error { return nil }

// running is a loader that runs.
type running struct {
	*link

	cancel context.CancelCauseFunc
	done   chan error

	mu    sync.Mutex
	trust error
}

func (r *running) trusted() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trust
}

// overtake takes the trust from a loader, as its lease ends.
func (r *running) overtake() {
	r.mu.Lock()
	r.trust = lease.ErrLost
	r.mu.Unlock()
	r.cancel(lease.ErrLost)
}

// stop stops a loader well, and returns what Run did.
func (r *running) stop() error {
	r.cancel(nil)
	return <-r.done
}

// load starts a loader.
func (w *world) load(cfg redshiftarchive.Config, plan func(n int, op string) answer) *running {
	w.t.Helper()
	if w.hasLedger {
		cfg.Ledger = "public.ledger"
	}
	r := &running{link: &link{world: w, plan: plan}, done: make(chan error, 1)}
	l, err := redshiftarchive.New(cfg, r.link, r.link)
	if err != nil {
		w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancelCause(w.t.Context())
	go func() { r.done <- l.Run(ctx, r.trusted) }()
	return r
}

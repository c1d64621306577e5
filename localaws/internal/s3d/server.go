package s3d

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/johannesboyne/gofakes3"
)

// Options say how a server behaves. The zero value is a server in memory that
// makes buckets as they are used.
type Options struct {
	Account string // the owner of all buckets; "" is 000000000000
	Region  string // answered by GetBucketLocation and HeadBucket; "" is us-east-1
	// Dir is where objects are kept as files; "" keeps them in memory.
	Dir string
	// StrictBuckets refuses a bucket that was not created. Otherwise a bucket
	// comes to be when something is first put into it.
	StrictBuckets bool
	// HostSuffixes are the hosts below which a host's first label is a bucket.
	HostSuffixes []string
	// WriteLog is how many of the latest writes Writes returns; 0 keeps none.
	WriteLog int
}

// Server is an S3 server. It is safe for concurrent use.
type Server struct {
	options Options
	storage storage
	known   map[string]operation
	wire    http.Handler // gofakes3
	log     writeLog

	completed completions

	mu      sync.Mutex // guards what follows; never held over I/O
	buckets map[string]*bucket
	uploads map[string]*upload
	busy    map[objectID]chan struct{} // keys being written or opened
	last    time.Time                  // latest modification time given
}

type objectID struct{ bucket, key string }

// New returns a server. With Options.Dir it reads the directory, makes it if
// need be, and removes what a former run left half received; the directory is
// the server's until Close, and New's error is ErrInUse if it is another's.
func New(o Options) (*Server, error) {
	o.Account = cmp.Or(o.Account, "000000000000")
	o.Region = cmp.Or(o.Region, "us-east-1")
	s := &Server{
		options: o, storage: memory{}, log: writeLog{max: o.WriteLog},
		buckets: make(map[string]*bucket), uploads: make(map[string]*upload), busy: make(map[objectID]chan struct{}),
	}
	if o.Dir != "" {
		d, err := openDisk(o.Dir, func(w io.Writer) io.Writer { return w })
		if err != nil {
			return nil, err
		}
		if s.buckets, err = d.load(); err != nil {
			return nil, errors.Join(err, d.close())
		}
		s.storage = d
	}
	s.known = s.operations()
	s.wire = gofakes3.New(&backend{s: s},
		gofakes3.WithoutVersioning(), gofakes3.WithAutoBucket(false),
		gofakes3.WithTimeSkewLimit(0), gofakes3.WithMetadataSizeLimit(0)).Server()
	return s, nil
}

// Close frees the directory for other servers. The server is not to be used
// after it.
func (s *Server) Close() error {
	if err := s.storage.close(); err != nil {
		return fmt.Errorf("closing the object directory: %w", err)
	}
	return nil
}

// Writes returns the latest writes, oldest first, as many as Options.WriteLog
// says.
func (s *Server) Writes() []Write { return s.log.all() }

// bodyLimit is the size of the largest body that is not an object's.
const bodyLimit = 2 << 20

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := s.Parse(r)
	a := &answer{ResponseWriter: w, request: r, write: Write{Op: call.Operation, Bucket: call.Bucket, Key: call.Key}}
	w.Header().Set("X-Amz-Request-Id", newID())
	if err := s.serve(a, r, call); err != nil {
		writeAPIError(a, r, err)
	}
	a.WriteHeader(http.StatusOK) // unless it was written
	if isWrite(call.Operation) {
		a.write.Time, a.write.Status = time.Now(), a.status
		a.write.SHA256 = sentSHA256(r.Header)
		a.write.Conditional = r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != ""
		s.log.add(a.write)
	}
}

// operation serves one kind of request. It reads all of body before it has an
// effect.
type operation func(a *answer, r *http.Request, call Call, body *payload) error

// operations are those that the server carries out itself, by name; gofakes3
// has the rest.
func (s *Server) operations() map[string]operation {
	return map[string]operation{
		"PutObject":               s.putObject,
		"UploadPart":              s.uploadPart,
		"CreateBucket":            bodiless(s.createBucket),
		"HeadBucket":              bodiless(s.headBucket),
		"ListObjectsV2":           bodiless(s.listObjects),
		"ListObjectVersions":      bodiless(s.listVersions),
		"GetObject":               bodiless(s.readObject),
		"HeadObject":              bodiless(s.readObject),
		"DeleteObject":            bodiless(s.deleteObject),
		"DeleteObjects":           whole(s.deleteObjects),
		"CopyObject":              bodiless(s.copyObject),
		"UploadPartCopy":          bodiless(s.uploadPartCopy),
		"CreateMultipartUpload":   bodiless(s.createUpload),
		"CompleteMultipartUpload": whole(s.completeUpload),
	}
}

// whole has a body read into memory and checked before f is called.
func whole(f func(a *answer, r *http.Request, call Call, text []byte) error) operation {
	return func(a *answer, r *http.Request, call Call, body *payload) error {
		text, err := body.readAll(bodyLimit)
		if err != nil {
			return err
		}
		return f(a, r, call, text)
	}
}

// bodiless is whole for an f that makes nothing of the body.
func bodiless(f func(a *answer, r *http.Request, call Call) error) operation {
	return whole(func(a *answer, r *http.Request, call Call, _ []byte) error { return f(a, r, call) })
}

func (s *Server) serve(a *answer, r *http.Request, call Call) error {
	if call.Operation == "" {
		return notImplemented("this operation")
	}
	if err := checkKey(call.Key); err != nil {
		return err
	}
	if err := s.checkRegion(a, r, call); err != nil {
		return err
	}
	if err := s.checkHeaders(call, r.Header); err != nil {
		return err
	}
	if err := s.checkPermits(r, call); err != nil {
		return err
	}
	if err := s.checkEncryption(call, r.Header); err != nil {
		return err
	}
	body, err := newPayload(r)
	if err != nil {
		return err
	}
	if run := s.known[call.Operation]; run != nil {
		return run(a, r, call, body)
	}
	return whole(s.delegate)(a, r, call, body)
}

// delegate has gofakes3 serve a request, in path style and with a body that
// was checked.
func (s *Server) delegate(a *answer, r *http.Request, call Call, text []byte) error {
	u := *r.URL
	u.Path, u.RawPath = "/"+call.Bucket, ""
	if call.Key != "" {
		u.Path += "/" + call.Key
	}
	clone := *r
	clone.URL = &u
	clone.Body = io.NopCloser(bytes.NewReader(text))
	clone.ContentLength = int64(len(text))
	s.wire.ServeHTTP(a, &clone)
	return nil
}

// deleteObjects refuses, by name, what a DeleteObjects asks for beyond keys.
func (s *Server) deleteObjects(a *answer, r *http.Request, call Call, text []byte) error {
	var request struct {
		Objects []struct{ ETag, LastModifiedTime, Size, VersionId string } `xml:"Object"`
	}
	if xml.Unmarshal(text, &request) != nil {
		return malformedXML()
	}
	for _, o := range request.Objects {
		for name, value := range map[string]string{
			"ETag": o.ETag, "LastModifiedTime": o.LastModifiedTime, "Size": o.Size, "VersionId": o.VersionId,
		} {
			if value != "" {
				return notImplemented("the member " + name + " of DeleteObjects")
			}
		}
	}
	return s.delegate(a, r, call, text)
}

func (s *Server) createBucket(a *answer, _ *http.Request, call Call) error {
	if err := checkBucketName(call.Bucket); err != nil {
		return err
	}
	made, err := s.makeBucket(call.Bucket)
	if err != nil {
		return err
	}
	if !made {
		return refuse(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.")
	}
	a.Header().Set("Location", "/"+call.Bucket)
	a.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) headBucket(a *answer, _ *http.Request, call Call) error {
	if err := s.checkBucket(call.Bucket); err != nil {
		return err
	}
	a.Header().Set("X-Amz-Bucket-Region", s.Region(call.Bucket))
	a.WriteHeader(http.StatusOK)
	return nil
}

// checkBucket makes sure that a bucket is there.
func (s *Server) checkBucket(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		return noSuchBucket(name)
	}
	return nil
}

// needBucket makes sure that a bucket is there to put something into, making it
// if the options allow.
func (s *Server) needBucket(name string) error {
	if err := s.checkBucket(name); err == nil || s.options.StrictBuckets {
		return err
	}
	if err := checkBucketName(name); err != nil {
		return err
	}
	_, err := s.makeBucket(name)
	return err
}

func (s *Server) makeBucket(name string) (made bool, err error) {
	if err := s.storage.addBucket(name); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return false, nil
	}
	s.buckets[name] = newBucket(time.Now())
	return true, nil
}

// checkKey applies S3's rules for keys.
func checkKey(key string) error {
	if len(key) > gofakes3.KeySizeLimit {
		return refuse(http.StatusBadRequest, "KeyTooLongError", "Your key is too long.")
	}
	if !utf8.ValidString(key) {
		return refuse(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	return nil
}

// checkBucketName applies S3's rules for the names of buckets.
func checkBucketName(name string) error {
	ok := len(name) >= 3 && len(name) <= 63 && !strings.Contains(name, "..")
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		inside := i > 0 && i < len(name)-1 && (c == '-' || c == '.')
		ok = ok && (alnum || inside)
	}
	if !ok {
		return refuse(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid: %q", name)
	}
	return nil
}

// lock gives the caller a key to itself until it calls the function returned.
// Unlike a mutex it may be held over I/O.
func (s *Server) lock(id objectID) (unlock func()) {
	for {
		s.mu.Lock()
		wait, ok := s.busy[id]
		if !ok {
			done := make(chan struct{})
			s.busy[id] = done
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.busy, id)
				s.mu.Unlock()
				close(done)
			}
		}
		s.mu.Unlock()
		<-wait
	}
}

// find returns an object, or nil.
func (s *Server) find(id objectID) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[id.bucket]; b != nil {
		return b.objects[id.key]
	}
	return nil
}

// now is a modification time later than any given before, so that two
// contents of a key never share one.
func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := time.Now().UTC().Round(0).Truncate(time.Microsecond)
	if !t.After(s.last) {
		t = s.last.Add(time.Microsecond)
	}
	s.last = t
	return t
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%X", b)
}

func sentSHA256(h http.Header) string {
	v := h.Get("X-Amz-Content-Sha256")
	if _, err := hex.DecodeString(v); err != nil {
		return ""
	}
	return v
}

func isWrite(operation string) bool {
	switch operation {
	case "CreateBucket", "DeleteBucket", "PutObject", "CopyObject", "DeleteObject", "DeleteObjects",
		"CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload":
		return true
	}
	return false
}

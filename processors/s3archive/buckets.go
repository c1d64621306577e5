package s3archive

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/shardmill/shardmill/internal/access"
)

const (
	// maxBuckets is how many buckets a Store remembers something of. An archiver has
	// fewer; without a bound whoever puts into many would never give their names back.
	maxBuckets = 1000

	// plainFor is how long puts go without an ACL after a bucket took none, so that
	// what is changed in its settings, or in a policy, shows.
	plainFor = time.Hour

	// refusedFor is the same after a policy seems to have refused it: in another
	// account's bucket that costs its owner the objects of that time.
	refusedFor = 5 * time.Minute
)

// facts are what answers have told of a bucket.
type facts struct {
	region string    // "": the client's
	plain  time.Time // puts go without an ACL until then
	left   bool      // it was told that parts are left behind
}

// buckets are what a Store has learnt. It is safe for concurrent use.
type buckets struct {
	mu    sync.Mutex
	known map[string]facts
}

func (b *buckets) of(name string) facts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[name]
}

// change changes what is known of a bucket, and reports whether that is news.
func (b *buckets) change(name string, change func(*facts)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.known[name]
	old := f
	change(&f)
	if _, ok := b.known[name]; !ok && len(b.known) >= maxBuckets {
		clear(b.known) // it is learnt again
	}
	if b.known == nil {
		b.known = make(map[string]facts)
	}
	b.known[name] = f
	return f != old
}

// Region returns the region of a bucket that an answer has told to be in another
// one than the client's, else "".
func (s *Store) Region(bucket string) string { return s.buckets.of(bucket).region }

// locate makes a call to a bucket, and once more if the answer tells that it is
// in another region: with the client's options but for that. A client with an
// endpoint of its own keeps it, and only signs for another region.
func (s *Store) locate(bucket string, call func(o func(*s3.Options)) error) error {
	var asked string
	in := func(region string) func(*s3.Options) {
		return func(o *s3.Options) {
			if region != "" {
				o.Region = region
			}
			asked = o.Region
		}
	}
	err := call(in(s.Region(bucket)))
	found := elsewhere(err)
	if found == "" || found == asked {
		return err
	}
	first := err
	err = call(in(found))
	switch {
	case elsewhere(err) != "":
		return fmt.Errorf("the bucket is in region %s, and the client's endpoint is of another: use an endpoint of that region, or none of your own; or name a bucket of the client's: %w", found, first)
	case s.buckets.change(bucket, func(f *facts) { f.region = found }):
		s.log.Info("bucket is in another region: its requests go there", zap.String("bucket", bucket), zap.String("region", found))
	}
	return err
}

// expecting is how S3 says for which region a request should have been signed.
var expecting = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)

// elsewhere returns the region of a bucket as an error that has to do with
// regions names it, else "".
func elsewhere(err error) string {
	r, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || r.Response == nil || denied(err) != access.None {
		return ""
	}
	switch r.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
	default:
		return ""
	}
	if region := r.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
		return region
	}
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != "AuthorizationHeaderMalformed" {
		return ""
	}
	if found := expecting.FindStringSubmatch(e.ErrorMessage()); found != nil {
		return found[1]
	}
	return ""
}

// share makes a put that gives the bucket's owner all rights to the object, as
// Firehose does: in another account's bucket he would have none. A bucket that
// takes no ACLs has the put at once without one, and so has who may not give any:
// if that goes, it was the ACL that was refused, and later puts go without.
func (s *Store) share(bucket string, put func(types.ObjectCannedACL) error) error {
	if time.Now().Before(s.buckets.of(bucket).plain) {
		err := put("")
		if denied(err) == access.NotAllowed { // a policy may demand the ACL
			s.buckets.change(bucket, func(f *facts) { f.plain = time.Time{} })
		}
		return err
	}
	err := put(types.ObjectCannedACLBucketOwnerFullControl)
	why, level, d := isACL(err)
	if why == "" {
		return err
	}
	if err = put(""); err == nil || isRefused(err) {
		s.buckets.change(bucket, func(f *facts) { f.plain = time.Now().Add(d) })
		s.log.Log(level, "objects are put without the ACL bucket-owner-full-control: "+why, zap.String("bucket", bucket), zap.Duration("for", d))
	}
	return err
}

// isACL says why an ACL was refused, or may have been, "" if it was not; with how much
// that matters, and for how long puts go without. Which action S3 names when it is
// s3:PutObjectAcl that is missing is not documented.
func isACL(err error) (why string, level zapcore.Level, d time.Duration) {
	e, ok := errors.AsType[smithy.APIError](err)
	switch {
	case !ok:
		return "", 0, 0
	case e.ErrorCode() == "AccessControlListNotSupported":
		return "the bucket takes no ACLs, and its owner has all rights", zapcore.InfoLevel, plainFor
	case e.ErrorCode() == "NotImplemented":
		return "the store has no ACLs", zapcore.InfoLevel, plainFor
	case denied(err) != access.NotAllowed:
		return "", 0, 0
	}
	if action := refusedAction(err); action != "" && !strings.HasPrefix(action, "s3:PutObject") {
		return "", 0, 0
	}
	return "s3:PutObjectAcl is not permitted; if the bucket is another account's, permit it, or its owner has no right to them", zapcore.WarnLevel, refusedFor
}

// notAuthorized is how AWS names what a policy does not permit, if it does.
var notAuthorized = regexp.MustCompile(`not authorized to perform: ([a-z0-9]+:[A-Za-z]+)`)

// refusedAction returns the action that an error says is not permitted, or "".
func refusedAction(err error) string {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return ""
	}
	if found := notAuthorized.FindStringSubmatch(e.ErrorMessage()); found != nil {
		return found[1]
	}
	return ""
}

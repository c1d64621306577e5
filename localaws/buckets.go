package localaws

import (
	"fmt"
	"slices"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// Bucket says how a bucket differs from one that was just made. The zero value
// does not.
type Bucket = s3d.Settings

// SetBucket makes a bucket of S3 be so from the next request on, for tests of
// what somebody configures there; one that is not there is made. It is lost when
// the stack ends.
func (s *Stack) SetBucket(name string, b Bucket) error {
	if err := s.s3.SetBucket(name, b); err != nil {
		return fmt.Errorf("setting bucket %s: %w", name, err)
	}
	return nil
}

// Permit limits what requests to S3 that are signed with an access key may do:
// to actions such as "s3:PutObject" and "kms:Decrypt", on every bucket, from the
// next request on. What is not permitted is answered with AccessDenied. A key of
// which Permit was never called may do everything, and so may each one with
// other services.
func (s *Stack) Permit(accessKey string, actions ...string) {
	s.permitMu.Lock()
	defer s.permitMu.Unlock()
	if s.permits == nil {
		s.permits = make(map[string][]string)
	}
	s.permits[accessKey] = slices.Clone(actions)
}

// permitted returns what tells whether an action is permitted; nil if all are.
func (s *Stack) permitted(accessKey string) func(action string) bool {
	s.permitMu.Lock()
	defer s.permitMu.Unlock()
	actions, ok := s.permits[accessKey]
	if !ok {
		return nil
	}
	return func(action string) bool { return slices.Contains(actions, action) }
}

package redshiftarchive

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
)

// credentialsTimeout is how long it may take until there are credentials for COPY.
const credentialsTimeout = 30 * time.Second

// RoleAccess has COPY read the bucket as a role that is attached to the cluster or
// workgroup: what Firehose's console shows.
type RoleAccess struct {
	// ARN is that of the role, or of several with commas between, each of which may
	// assume the next. Required.
	ARN string
}

// Credentials implements Access.
func (a RoleAccess) Credentials(context.Context) (text string, isSecret bool, err error) {
	return a.text(), false, nil
}

func (a RoleAccess) text() string { return "aws_iam_role=" + a.ARN }

// roleARN is what Redshift takes for roles.
var roleARN = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:role/[^\s'"\\,]+(,arn:[a-z-]+:iam::[0-9]{12}:role/[^\s'"\\,]+)*$`)

func (a RoleAccess) check() error {
	if !roleARN.MatchString(a.ARN) {
		return wrong("Access.ARN", a.ARN, "must be the ARN of a role that is attached to the cluster or workgroup, arn:aws:iam::ACCOUNT:role/NAME, or several with commas between")
	}
	return nil
}

// SessionAccess gives COPY keys of this process, which are asked for anew before each try,
// so that none expires unseen. They should be temporary, with a token: the statement has
// them, and the database sees it. Those of a user, without a token, go as well; the log
// tells once. A Provider that is a cache, with Invalidate as [aws.CredentialsCache] has it, is
// asked for others if its keys are good for less than 15 min; if it has none, these are used.
type SessionAccess struct {
	Provider aws.CredentialsProvider // required
}

// Credentials implements Access.
func (a SessionAccess) Credentials(ctx context.Context) (text string, isSecret bool, err error) {
	keys, err := a.keys(ctx)
	switch {
	case err != nil:
		return "", true, fmt.Errorf("the keys for COPY could not be had: %w", access.HideError(err))
	case !keys.HasKeys():
		return "", true, errors.New("the keys for COPY are empty")
	case keys.Expired():
		return "", true, fmt.Errorf("the keys for COPY have expired, at %s: renew them", keys.Expires.UTC().Format(time.RFC3339))
	case strings.ContainsFunc(keys.AccessKeyID+keys.SecretAccessKey+keys.SessionToken, isForeignToKeys):
		return "", true, errors.New("the keys for COPY have characters that no keys of AWS have")
	}
	text = "aws_access_key_id=" + keys.AccessKeyID + ";aws_secret_access_key=" + keys.SecretAccessKey
	if keys.SessionToken != "" {
		text += ";token=" + keys.SessionToken
	}
	return text, true, nil
}

// keysLast is for how long keys should be good when COPY begins, if they may be had so.
const keysLast = 15 * time.Minute

// keys returns those of Provider. If they are from a cache, and good for less than keysLast, it is
// told to forget them: it gives keys out until their last second, and COPY reads the bucket for longer.
// If there are no others, they are used as long as they are good.
func (a SessionAccess) keys(ctx context.Context) (aws.Credentials, error) {
	keys, err := a.Provider.Retrieve(ctx)
	cache, isCache := a.Provider.(interface{ Invalidate() })
	if err != nil || !isCache || !keys.CanExpire || time.Until(keys.Expires) >= keysLast {
		return keys, err //nolint:wrapcheck // Credentials does
	}
	cache.Invalidate()
	others, err := a.Provider.Retrieve(ctx)
	if err != nil && !keys.Expired() {
		return keys, nil
	}
	return others, err //nolint:wrapcheck // Credentials does
}

// isForeignToKeys reports whether a character is of no key or token.
func isForeignToKeys(c rune) bool {
	return c <= ' ' || c > '~' || strings.ContainsRune(`'"\;,`, c)
}

func checkAccess(a Access) error {
	switch a := a.(type) {
	case nil:
		return errors.New("Access must be RoleAccess or SessionAccess, or another way to let COPY read the bucket")
	case RoleAccess:
		return a.check()
	case SessionAccess:
		if a.Provider == nil {
			return errors.New("Access.Provider must be a provider of credentials")
		}
	}
	return nil
}

// credentials asks for what COPY reads the bucket with. It ends by itself if whoever is
// asked heeds its context.
func (s *settings) credentials(ctx context.Context) (text string, isSecret bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, credentialsTimeout, &deadline.Error{Limit: credentialsTimeout})
	defer cancel()
	text, isSecret, err = s.Access.Credentials(ctx)
	return text, isSecret, access.HideError(deadline.Explain(ctx, err)) // an Access may be the user's
}

// otherAccess returns the error of a COPY, and if it was about reading the bucket, what to do.
func (s *settings) otherAccess(err error) error {
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		return err
	}
	says := strings.ToLower(f.Message)
	switch s.Access.(type) {
	case RoleAccess:
		if strings.Contains(says, "not authorized to assume") || strings.Contains(says, "not authorized to get credentials of role") {
			return fmt.Errorf("%w; attach the role to the cluster or workgroup, and have its trust policy permit redshift.amazonaws.com to assume it, or set copyCredentials: session", err)
		}
	case SessionAccess:
		if f.Code == "Redshift.S3BucketAccessDenied" || strings.Contains(says, "access denied") || strings.Contains(says, "accessdenied") {
			return fmt.Errorf("%w; permit s3:GetObject and s3:ListBucket to the credentials of this process, or set copyCredentials: role and attach a role to the cluster or workgroup", err)
		}
	}
	return err
}

// hasToken reports whether keys are temporary.
func hasToken(credentials string) bool { return strings.Contains(credentials, ";token=") }

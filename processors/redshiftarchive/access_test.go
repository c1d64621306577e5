package redshiftarchive_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// provide is a provider of credentials.
type provide func(ctx context.Context) (aws.Credentials, error)

func (p provide) Retrieve(ctx context.Context) (aws.Credentials, error) { return p(ctx) }

func TestAccess(t *testing.T) {
	t.Parallel()
	past := time.Now().Add(-time.Minute)
	for _, row := range []struct {
		name   string
		access redshiftarchive.Access
		text   string
		secret bool
		err    string
	}{
		{"role", redshiftarchive.RoleAccess{ARN: roleR}, "aws_iam_role=" + roleR, false, ""},
		{"session", keys(aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s/+=", SessionToken: "t/+="}, nil), "aws_access_key_id=ASIA;aws_secret_access_key=s/+=;token=t/+=", true, ""},
		{"no token", keys(aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}, nil), "aws_access_key_id=AKIA;aws_secret_access_key=s", true, ""},
		{"not to be had", keys(aws.Credentials{}, errNet), "", true, "the keys for COPY could not be had: connection reset"},
		{"not as they must be", keys(aws.Credentials{}, errPrinted), "", true, "the keys for COPY could not be had: get: parse failed of process output, which is not shown"},
		{"empty", keys(aws.Credentials{AccessKeyID: "CANARY"}, nil), "", true, "the keys for COPY are empty"},
		{"expired", keys(aws.Credentials{AccessKeyID: "CANARY", SecretAccessKey: "CANARY", CanExpire: true, Expires: past}, nil), "", true, "have expired, at "},
		{"another pair", keys(aws.Credentials{AccessKeyID: "A", SecretAccessKey: "CANARY;token=x"}, nil), "", true, "characters that no keys"},
		{"a quote", keys(aws.Credentials{AccessKeyID: "A", SecretAccessKey: "s", SessionToken: "CANARY'"}, nil), "", true, "characters that no keys"},
		{"a line", keys(aws.Credentials{AccessKeyID: "A\n", SecretAccessKey: "s"}, nil), "", true, "characters that no keys"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			text, secret, err := row.access.Credentials(t.Context())
			if text != row.text || secret != row.secret || (err != nil) != (row.err != "") || !strings.Contains(fmt.Sprint(err), row.err) || strings.Contains(fmt.Sprint(err), "CANARY") {
				t.Errorf("%q, %v, %v; want %q, %v, %s", text, secret, err, row.text, row.secret, row.err)
			}
		})
	}
}

// Keys from a cache that end soon are renewed before COPY gets them; those that nobody renews are
// used as long as they are good.
func TestKeysThatEndSoon(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		lasts []time.Duration // of each that the provider has; then there are none
		after time.Duration
		uses  string // ID of the keys that COPY gets
		err   string
	}{
		{"long", []time.Duration{time.Hour, time.Hour}, 45 * time.Minute, "A1", ""},
		{"a second is missing", []time.Duration{time.Hour, time.Hour}, 45*time.Minute + time.Second, "A2", ""},
		{"a second is left", []time.Duration{time.Hour, time.Hour}, time.Hour - time.Second, "A2", ""},
		{"the others are short too", []time.Duration{time.Hour, 10 * time.Minute}, 50 * time.Minute, "A2", ""},
		{"there are no others", []time.Duration{time.Hour}, 50 * time.Minute, "A1", ""},
		{"none at all", []time.Duration{time.Hour}, time.Hour, "", "could not be had"},
		{"without an end", []time.Duration{0, time.Hour}, time.Hour, "A1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := 0
				a := redshiftarchive.SessionAccess{Provider: aws.NewCredentialsCache(provide(func(context.Context) (aws.Credentials, error) {
					if n++; n > len(row.lasts) {
						return aws.Credentials{}, errNet
					}
					lasts := row.lasts[n-1]
					return aws.Credentials{AccessKeyID: fmt.Sprint("A", n), SecretAccessKey: "s", SessionToken: "t", CanExpire: lasts > 0, Expires: time.Now().Add(lasts)}, nil
				}))}
				if _, err := a.Provider.Retrieve(t.Context()); err != nil { // for something else
					t.Fatal(err)
				}
				time.Sleep(row.after)
				text, _, err := a.Credentials(t.Context())
				if _, id, _ := strings.Cut(text, "aws_access_key_id="); !strings.HasPrefix(id, row.uses) || (text != "") != (row.uses != "") || !strings.Contains(fmt.Sprint(err), cmp.Or(row.err, "<nil>")) {
					t.Errorf("%q, %v; want keys %s, error %q", text, err, row.uses, row.err)
				}
			})
		})
	}
}

// errPrinted is the SDK's of a program of credential_process.
var errPrinted = errors.New(`get: parse failed of process output: CANARY {"SecretAccessKey": "CANARY", error: unexpected end of JSON input`)

// indiscreet is an Access that tells what it was given.
type indiscreet struct{}

func (indiscreet) Credentials(context.Context) (text string, isSecret bool, err error) {
	return "", true, errPrinted
}

func keys(c aws.Credentials, err error) redshiftarchive.SessionAccess {
	return redshiftarchive.SessionAccess{Provider: provide(func(context.Context) (aws.Credentials, error) { return c, err })}
}

// A COPY that may not read the bucket says what the other way is.
func TestTheOtherAccess(t *testing.T) {
	t.Parallel()
	role, session := redshiftarchive.RoleAccess{ARN: roleR}, keys(aws.Credentials{}, nil)
	for _, row := range []struct {
		access        redshiftarchive.Access
		code, message string
		want          string
	}{
		{role, "Redshift.AccessDenied", "User arn:aws:redshift:…:dbuser:c/u is not authorized to assume IAM Role arn:…", "copyCredentials: session"},
		{role, "Redshift.AccessDenied", "Not authorized to get credentials of role arn:…", "copyCredentials: session"},
		{role, "Redshift.S3BucketAccessDenied", "S3ServiceException:Access Denied,Status 403", ""},
		{session, "Redshift.S3BucketAccessDenied", "S3ServiceException", "copyCredentials: role"},
		{session, "Redshift.DataLoadFailed", "S3ServiceException:Access Denied,Status 403", "copyCredentials: role"},
		{session, "Redshift.DataLoadFailed", "Check STL_LOAD_ERRORS", ""},
		{role, "Redshift.DataLoadFailed", "Check STL_LOAD_ERRORS", ""},
	} {
		f := &redshiftarchive.Fault{Code: row.code, Message: row.message, Undone: true}
		err := redshiftarchive.OtherAccess(row.access, f)
		got, ok := errors.AsType[*redshiftarchive.Fault](err)
		if !ok || got != f || !strings.Contains(err.Error(), row.message) || strings.Contains(err.Error(), "copyCredentials") != (row.want != "") || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%T, %s: %v, want %q", row.access, row.message, err, row.want)
		}
	}
}

package access_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"

	"github.com/shardmill/shardmill/internal/access"
)

func TestHide(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"Version":1,"AccessKeyId":"canary1","SecretAccessKey" : "canary/2+","SessionToken":"canary3=="}`: `{"Version":1,"AccessKeyId":"[redacted]","SecretAccessKey" : "[redacted]","SessionToken":"[redacted]"}`,
		`{\"secretaccesskey\":\"canary\",\"Token\": \"canary\"}`:                                           `{\"secretaccesskey\":\"[redacted]\",\"Token\": \"[redacted]\"}`,
		"aws_secret_access_key = canary aws_session_token=canary":                                          "aws_secret_access_key = [redacted] aws_session_token=[redacted]",
		"SecretAccessKey: canary":              "SecretAccessKey: [redacted]",
		`{"username":"u","password":"canary"}`: `{"username":"u","password":"[redacted]"}`,
		"get credentials: parse failed of process output: {\"canary\": 1, error: invalid character":            "get credentials: parse failed of process output, which is not shown: see what the program of credential_process prints",
		"missing AccessKeyId in process output":                                                                "missing AccessKeyId in process output",
		"wrong version in process output (not 1)":                                                              "wrong version in process output (not 1)",
		"the security token included in the request is expired":                                                "the security token included in the request is expired",
		"InvalidToken: the token is malformed":                                                                 "InvalidToken: the token is malformed",
		"operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: 1, AccessDenied: x": "operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: 1, AccessDenied: x",
	} {
		got := access.Hide(text)
		if got != want {
			t.Errorf("%q became %q; want %q", text, got, want)
		}
		if again := access.Hide(got); again != got {
			t.Errorf("%q became %q when it was hidden again", got, again)
		}
	}
}

// A provider that runs a program tells what that printed; its guard does not.
func TestGuard(t *testing.T) {
	t.Parallel()
	printed := filepath.Join(t.TempDir(), "printed")
	if err := os.WriteFile(printed, []byte(`canary0 {"SecretAccessKey":"canary"`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := processcreds.NewProvider("cat " + printed)
	if _, err := p.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "canary0") {
		t.Fatalf("the SDK does not tell what a program printed: %v", err)
	}
	_, err := access.Guard(aws.NewCredentialsCache(p)).Retrieve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "parse failed of process output, which is not shown") {
		t.Errorf("%v", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, "canary") {
			t.Errorf("it tells %s", text)
		}
	}

	late := access.HideError(fmt.Errorf("password=canary: %w", context.DeadlineExceeded))
	if !errors.Is(late, context.DeadlineExceeded) || errors.Is(late, context.Canceled) || strings.Contains(late.Error(), "canary") {
		t.Errorf("%v", late)
	}
	if plain := errors.New("no provider"); access.HideError(plain) != plain || access.HideError(nil) != nil { //nolint:errorlint // it is the very same
		t.Error("an error that hides nothing is another one")
	}
}

// What is guarded is the same for the SDK's clients.
func TestGuardIsNoOther(t *testing.T) {
	t.Parallel()
	anonymous := access.Guard(aws.NewCredentialsCache(aws.AnonymousCredentials{}))
	if !aws.IsCredentialsProvider(anonymous, aws.AnonymousCredentials{}) {
		t.Error("anonymous credentials are not known as such")
	}
	static := access.Guard(aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("A", "s", "")))
	if aws.IsCredentialsProvider(static, aws.AnonymousCredentials{}) {
		t.Error("keys are taken for anonymous credentials")
	}
	if c, err := static.Retrieve(t.Context()); err != nil || c.AccessKeyID != "A" || c.SecretAccessKey != "s" {
		t.Errorf("%v", err)
	}
	from, ok := static.(aws.CredentialProviderSource)
	if !ok || len(from.ProviderSources()) == 0 {
		t.Error("the source of the keys is not known")
	}
	if access.Guard(nil) != nil {
		t.Error("no provider is one")
	}
}

// TestGuardOfACache: who asks a cache to forget reaches it.
func TestGuardOfACache(t *testing.T) {
	t.Parallel()
	asked := 0
	p := access.Guard(aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		asked++
		return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "s"}, nil
	})))
	for range 2 {
		for range 2 {
			if _, err := p.Retrieve(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cache, ok := p.(interface{ Invalidate() })
		if !ok {
			t.Fatal("a cache cannot be asked")
		}
		cache.Invalidate()
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

package access

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Hidden stands where a secret was.
const Hidden = "[redacted]"

// looksSecret finds what is a secret by its form or its place, whoever it belongs to: access
// keys, as statements, files of profiles and JSON name them, and passwords.
var looksSecret = regexp.MustCompile(`(?i)\b(?:AKIA|ASIA)[A-Z0-9]{12,}|` +
	`((?:secret_?access_?key|access_?key_?id|session_?token|master_symmetric_key)(?:\\*['"])?\s*(?:[=:]\s*(?:\\*['"])?|\s')|token(?:\s*=\s*['"]?|\s+'|\\*['"]\s*:\s*\\*['"]))[^\s;'",\\]+|` +
	`(\bpassword(?:\\*['"])?\s*[=:]\s*(?:\\*['"])?)[^\s;'",\\]+`)

// printed begins what the SDK tells of a program of credential_process whose output is not as
// it must be: all of it follows. Source: processcreds of aws-sdk-go-v2.
const printed = "parse failed of process output"

// Hide returns a text of others without what looks like a key or a password, and without
// what a program printed that was asked for keys.
func Hide(text string) string {
	if before, _, found := strings.Cut(text, printed+":"); found {
		text = before + printed + ", which is not shown: see what the program of credential_process prints"
	}
	return looksSecret.ReplaceAllString(text, "${1}${2}"+Hidden)
}

// HideError returns an error with the text of err as Hide returns it: err itself if it has
// nothing to hide, and else one that has no more of err than what errors.Is finds.
func HideError(err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	if shown := Hide(said); shown != said {
		return hiding{shown, err}
	}
	return err
}

// hiding is an error whose text must not be shown.
type hiding struct {
	shown string
	err   error
}

func (h hiding) Error() string { return h.shown }

// Is reports what err is. There is no Unwrap, as whoever calls it may show what it returns.
func (h hiding) Is(target error) bool { return errors.Is(h.err, target) }

// Guard returns a provider of credentials whose errors go through HideError. The SDK's clients
// take the same from it as from p.
func Guard(p aws.CredentialsProvider) aws.CredentialsProvider {
	if p == nil {
		return nil
	}
	return guarded{p}
}

type guarded struct{ provider aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (g guarded) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := g.provider.Retrieve(ctx)
	return credentials, HideError(err)
}

// Invalidate has a cache forget its credentials, as [aws.CredentialsCache] does.
func (g guarded) Invalidate() {
	if cache, ok := g.provider.(interface{ Invalidate() }); ok {
		cache.Invalidate()
	}
}

// IsCredentialsProvider tells the SDK's clients what is guarded: anonymous credentials sign nothing.
func (g guarded) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(g.provider, target)
}

// ProviderSources tells the SDK's clients where the credentials are from.
func (g guarded) ProviderSources() []aws.CredentialSource {
	if p, ok := g.provider.(aws.CredentialProviderSource); ok {
		return p.ProviderSources()
	}
	return nil
}

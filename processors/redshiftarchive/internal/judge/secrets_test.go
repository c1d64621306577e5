package judge_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

// reveals returns a part of eight bytes of a secret, or all of a shorter one, that a text has,
// whatever its case.
func reveals(text, secret string) string {
	text, secret = strings.ToLower(text), strings.ToLower(secret)
	if len(secret) < 8 && strings.Contains(text, secret) {
		return secret
	}
	for i := 0; i+8 <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+8]) {
			return secret[i : i+8]
		}
	}
	return ""
}

// No part of a secret is left, wherever a text has it, in whatever case, and the rest is.
func TestRedact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9/+]{4,80}`).Draw(t, "secret")
		from := rapid.IntRange(0, len(secret)-4).Draw(t, "from")
		to := rapid.IntRange(from+4, len(secret)).Draw(t, "to")
		part := secret[from:to]
		if rapid.Bool().Draw(t, "upper") {
			part = strings.ToUpper(part)
		}
		text := "§ " + part + " & " + secret + " § end"
		got := judge.NewSecrets("another", secret).Redact(text)
		if shown := reveals(got, secret); shown != "" {
			t.Fatalf("%q shows %q of %q", got, shown, secret)
		}
		if !strings.HasPrefix(got, "§ ") || !strings.HasSuffix(got, " § end") {
			t.Fatalf("%q lacks what is no secret", got)
		}
	})
}

// The secrets of a statement are what its other text lacks.
func TestSecretsOfStatement(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secrets := []string{
			rapid.StringMatching(`ASIA[A-Z0-9]{16}`).Draw(t, "id"), rapid.StringMatching(`[A-Za-z0-9/+]{40}`).Draw(t, "key"), rapid.StringMatching(`[A-Za-z0-9/+]{100,300}={0,2}`).Draw(t, "token"),
		}
		sql := func(credentials string) string {
			return "COPY events FROM 's3://b/manifest' CREDENTIALS '" + credentials + "' MANIFEST json 'auto' gzip;"
		}
		s := redshiftarchive.NewStatement(sql("aws_access_key_id="+secrets[0]+";aws_secret_access_key="+secrets[1]+";token="+secrets[2]), sql("<redacted>"))
		redact := judge.OfStatement(s)
		cut := rapid.IntRange(0, len(s.SQL())-1).Draw(t, "cut")
		for _, text := range []string{s.SQL(), s.SQL()[cut:], s.SQL()[:cut]} {
			for _, secret := range secrets {
				if shown := reveals(redact.Redact("at or near "+text), strings.TrimRight(secret, "=")); shown != "" {
					t.Fatalf("shows %q of %q", shown, secret)
				}
			}
		}
		if got := redact.Redact(s.String()); got != s.String() {
			t.Fatalf("what is shown became %q", got)
		}
	})
	role := redshiftarchive.NewStatement("COPY t FROM 'x' CREDENTIALS 'aws_iam_role=arn:aws:iam::123456789012:role/loader' MANIFEST;", "COPY t FROM 'x' CREDENTIALS 'aws_iam_role=arn:aws:iam::123456789012:role/loader' MANIFEST;")
	if got := judge.OfStatement(role).Redact(role.SQL()); got != role.SQL() {
		t.Errorf("a role became %q", got)
	}
}

// What looks like a secret is one, whoever it belongs to.
func TestLooksSecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"near AKIAIOSFODNN7EXAMPLE, at":                       "near [redacted], at",
		"aws_secret_access_key=abc/d+e;token=FQo":             "aws_secret_access_key=[redacted];token=[redacted]",
		"SECRET_ACCESS_KEY 'abc/d+e' SESSION_TOKEN 'FQo'":     "SECRET_ACCESS_KEY '[redacted]' SESSION_TOKEN '[redacted]'",
		"user=u password=hidden host=h":                       "user=u password=[redacted] host=h",
		`{"SecretAccessKey": "abc/d+e","SESSIONTOKEN":"FQo"}`: `{"SecretAccessKey": "[redacted]","SESSIONTOKEN":"[redacted]"}`,
		"two\nlines\tand \x00 more":                           "two lines and more",
		"password authentication failed for user":             "password authentication failed for user",
	} {
		if got := (judge.Secrets{}).Redact(text); got != want {
			t.Errorf("%q became %q; want %q", text, got, want)
		}
	}
	if got := (judge.Secrets{}).Redact(strings.Repeat("☃", 5000)); len(got) > 1010 {
		t.Errorf("%d bytes of a long text are shown", len(got))
	}
}

// What a program printed that was asked for keys is not told, whatever it is.
func TestPrinted(t *testing.T) {
	t.Parallel()
	const printed = "canary7 {\"Secret\": \"canary8\""
	f := judge.Login(errors.New("credentials: parse failed of process output: "+printed+", error: unexpected end"), judge.Secrets{})
	if strings.Contains(f.Error(), "canary") || !strings.Contains(f.Error(), "parse failed of process output") {
		t.Error(f)
	}
}

// Faults of the client's own have no secret either.
func TestClientFaults(t *testing.T) {
	t.Parallel()
	const secret = "Canary7of7the7Passage"
	s, err := judge.NewSecrets(secret), errors.New("it failed: "+secret)
	for _, f := range []*redshiftarchive.Fault{judge.Connecting(err, s), judge.Lost("COPY", err, s), judge.Login(err, s)} {
		if reveals(f.Error(), secret) != "" || !strings.Contains(f.Error(), "it failed") {
			t.Error(f)
		}
	}
	if judge.Lost("COPY", err, s).Undone || !judge.Connecting(err, s).Undone || !judge.Login(err, s).Undone {
		t.Error("what is lost is not undone, and what never began is")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("COPY t FROM 's3://b/k' CREDENTIALS 'aws_access_key_id=A;token=canary+of/the+token'", "canary+of/the+token")
	f.Add("\xff\x00é", "short")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.Contains("[redacted] …", strings.ToLower(secret)) || reveals("[redacted] …", secret) != "" {
			return
		}
		got := judge.NewSecrets(secret).Redact(text)
		if secret != "" && len(secret) >= 8 && reveals(got, secret) != "" {
			t.Errorf("%q of %q shows %q", got, text, secret)
		}
		if strings.ContainsAny(got, "\n\r\x00") || len(got) > 1010 {
			t.Errorf("%q", got)
		}
		_ = judge.OfStatement(redshiftarchive.NewStatement(text, secret))
		_ = judge.Reason(text, judge.Secrets{})
	})
}

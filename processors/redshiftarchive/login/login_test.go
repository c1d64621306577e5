package login_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/processors/redshiftarchive/login"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// What no error and no log may have.
const (
	canary = "Canary7of7the7Passage7X3f9"
	awsKey = "canary/of+the+aws+key/0123456789"
)

var (
	_ pgwire.Login = login.Password{}
	_ pgwire.Login = (*login.Secret)(nil)
	_ pgwire.Login = (*login.Temporary)(nil)
)

// service is AWS: it answers what answer says, and knows what it was asked.
type service struct {
	answer func(n int, r *http.Request, body string) (int, string) // n from 1 on; status 0 is no answer

	mu   sync.Mutex // guards asks
	asks []string
}

// Do implements aws.HTTPClient.
func (s *service) Do(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asks = append(s.asks, string(body))
	n := len(s.asks)
	s.mu.Unlock()
	status, text := s.answer(n, r, string(body))
	if status == 0 {
		<-r.Context().Done()
		return nil, fmt.Errorf("asking: %w", r.Context().Err())
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func (s *service) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asks)
}

func (s *service) config(t *testing.T) aws.Config {
	t.Helper()
	client, _ := deadlinetest.Bounded(t, s).(aws.HTTPClient)
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", awsKey, "session-"+awsKey), HTTPClient: client}
}

var _ deadline.Doer = (*service)(nil)

const arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:prod/redshift-AbCdEf"

func secretOf(user, password string) string {
	return fmt.Sprintf(`{"ARN":%q,"SecretString":%q}`, arn, fmt.Sprintf(`{"username":%q,"password":%q}`, user, password))
}

func hasNoSecret(t *testing.T, texts ...any) {
	t.Helper()
	for _, v := range texts {
		if text := fmt.Sprintf("%v %+v", v, v); strings.Contains(text, canary) || strings.Contains(text, awsKey) {
			t.Fatalf("has a secret: %s", text)
		}
	}
}

// TestConformance has the statements of docs/conformance.md by their numbers, as far as they
// are about who logs in.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("R16", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, conformSecret)
	})
}

// A secret that is rotated is picked up within ten minutes, and at once when it is refused.
func conformSecret(t *testing.T) {
	t.Helper()
	s := &service{answer: func(n int, r *http.Request, body string) (int, string) {
		if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || body != `{"SecretId":"`+arn+`"}` || r.URL.Host != "secretsmanager.us-west-2.amazonaws.com" || !strings.Contains(r.Header.Get("Authorization"), "/us-west-2/secretsmanager/aws4_request") {
			return 400, "not for Secrets Manager"
		}
		return 200, secretOf("loader", fmt.Sprint("password-", n))
	}}
	secret, err := login.NewSecret(s.config(t), arn, nil)
	if err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		user, password, expires, err := secret.Credentials(t.Context())
		if user != "loader" || password != want || !expires.IsZero() || err != nil {
			t.Errorf("%s, %s, %v, %v; want %s", user, password, expires, err, want)
		}
	}
	is("password-1")
	time.Sleep(10*time.Minute - time.Second)
	is("password-1")
	time.Sleep(time.Second)
	is("password-2")
	secret.Refused()
	is("password-3")
	is("password-3")
}

// While a secret cannot be read the last one counts, and somebody is told; one that never
// could be read is an error.
func TestSecretOutOfReach(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status   int
		answer   string
		requests int
		want     string
	}{
		"no answer":          {0, "", 3, "no answer within 10s"},
		"failure":            {500, `{"__type":"InternalServiceError"}`, 3, "AWS answered 500"},
		"throttled":          {400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, 3, "Rate exceeded"},
		"not allowed":        {400, `{"__type":"AccessDeniedException","Message":"User is not authorized"}`, 1, "permit secretsmanager:GetSecretValue"},
		"no such secret":     {400, `{"__type":"com.amazonaws#ResourceNotFoundException"}`, 1, "ResourceNotFoundException"},
		"no JSON in it":      {200, `{"SecretString":"` + canary + `"}`, 1, "no JSON object"},
		"no password":        {200, `{"SecretString":"{\"username\":\"` + canary + `\"}"}`, 1, `no "password"`},
		"a number":           {200, `{"SecretString":"{\"username\":\"u\",\"password\":` + `7` + `}"}`, 1, "no JSON object"},
		"bytes":              {200, `{"SecretBinary":"` + canary + `"}`, 1, "SecretString"},
		"an answer of a web": {200, `<html>` + canary, 1, "SecretString"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				isWell := false
				s := &service{answer: func(int, *http.Request, string) (int, string) {
					if isWell {
						return 200, secretOf("loader", canary)
					}
					return tt.status, tt.answer
				}}
				core, logs := observer.New(zap.DebugLevel)
				secret, err := login.NewSecret(s.config(t), arn, zap.New(core))
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				_, _, _, err = secret.Credentials(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), arn) || s.asked() != tt.requests || time.Since(begun) > 40*time.Second {
					t.Errorf("%v after %d requests and %v", err, s.asked(), time.Since(begun))
				}
				hasNoSecret(t, err)
				isWell = true
				if _, password, _, err := secret.Credentials(t.Context()); password != canary || err != nil {
					t.Fatal(err)
				}
				isWell = false
				time.Sleep(time.Hour)
				if _, password, _, err := secret.Credentials(t.Context()); password != canary || err != nil || logs.Len() != 1 {
					t.Errorf("%v, and %d lines", err, logs.Len())
				}
				secret.Refused()
				if _, password, _, err := secret.Credentials(t.Context()); password != canary || err != nil || logs.Len() != 2 {
					t.Errorf("%v, and %d lines", err, logs.Len())
				}
				for _, line := range logs.All() {
					hasNoSecret(t, line.Message, line.ContextMap())
				}
			})
		})
	}
}

func TestSecretARN(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "prod/redshift", "arn:aws:s3:::b", "arn:aws:secretsmanager:us-east-1:1:secret:x"} {
		if _, err := login.NewSecret(aws.Config{}, bad, nil); err == nil || !strings.Contains(err.Error(), "SecretARN is") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Redshift makes credentials, which are kept until shortly before their end, and made anew when
// they are refused. Its own answers' forms are those that the SDK's clients read.
func TestTemporary(t *testing.T) {
	t.Parallel()
	ends := func() time.Time { return time.Now().Add(15 * time.Minute).UTC().Truncate(time.Second) }
	inXML := func(action string) func(n int) string {
		return func(n int) string {
			return fmt.Sprintf(`<%sResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><%[1]sResult><Expiration>%s</Expiration><DbUser>IAM:loader</DbUser><DbPassword>%s-%d</DbPassword></%[1]sResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></%[1]sResponse>`, action, ends().Format(time.RFC3339), canary, n)
		}
	}
	for name, tt := range map[string]struct {
		open   func(aws.Config) (*login.Temporary, error)
		host   string
		signed string
		ask    string
		answer func(n int) string
	}{
		"of a user": {
			func(c aws.Config) (*login.Temporary, error) {
				return login.NewForUser(c, login.ForUser{ClusterIdentifier: "c", Database: "dev", DbUser: "loader", DbGroups: []string{"g1", "g2"}}, nil)
			},
			"redshift.eu-west-1.amazonaws.com", "redshift",
			"Action=GetClusterCredentials&AutoCreate=false&ClusterIdentifier=c&DbGroups.DbGroup.1=g1&DbGroups.DbGroup.2=g2&DbName=dev&DbUser=loader&DurationSeconds=900&Version=2012-12-01",
			inXML("GetClusterCredentials"),
		},
		"of an identity": {
			func(c aws.Config) (*login.Temporary, error) { return login.NewForCluster(c, "c", "dev", nil) },
			"redshift.eu-west-1.amazonaws.com", "redshift",
			"Action=GetClusterCredentialsWithIAM&ClusterIdentifier=c&DbName=dev&DurationSeconds=900&Version=2012-12-01", inXML("GetClusterCredentialsWithIAM"),
		},
		"of a workgroup": {
			func(c aws.Config) (*login.Temporary, error) { return login.NewForWorkgroup(c, "w", "dev", nil) },
			"redshift-serverless.eu-west-1.amazonaws.com", "redshift-serverless", `{"dbName":"dev","durationSeconds":900,"workgroupName":"w"}`,
			func(n int) string {
				return fmt.Sprintf(`{"dbUser":"IAM:loader","dbPassword":"%s-%d","expiration":%d.0,"nextRefreshTime":1.5}`, canary, n, ends().Unix())
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: func(n int, r *http.Request, body string) (int, string) {
					if r.URL.Host != tt.host || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/"+tt.signed+"/aws4_request") || r.Header.Get("X-Amz-Security-Token") == "" {
						return 403, "not signed for it"
					}
					return 200, tt.answer(n)
				}}
				l, err := tt.open(s.config(t))
				if err != nil {
					t.Fatal(err)
				}
				is := func(n int) {
					t.Helper()
					user, password, expires, err := l.Credentials(t.Context())
					if user != "IAM:loader" || password != fmt.Sprint(canary, "-", n) || time.Until(expires) > 15*time.Minute || time.Until(expires) < 2*time.Minute || err != nil {
						t.Errorf("%s, %s, %v, %v; want %d", user, password, expires, err, n)
					}
				}
				is(1)
				if diff := cmp.Diff(tt.ask, s.asks[0]); diff != "" {
					t.Error(diff)
				}
				time.Sleep(12 * time.Minute)
				is(1)
				time.Sleep(2 * time.Minute)
				is(2)
				l.Refused()
				is(3)
			})
		})
	}
}

// What has ended is not used, though nothing else can be had.
func TestTemporaryEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(n int, _ *http.Request, _ string) (int, string) {
			if n > 1 {
				return 400, `<ErrorResponse><Error><Type>Sender</Type><Code>ClusterNotFound</Code><Message>Cluster c not found.</Message></Error></ErrorResponse>`
			}
			return 200, `<R><GetClusterCredentialsWithIAMResult><DbUser>u</DbUser><DbPassword>` + canary + `</DbPassword><Expiration>` + time.Now().Add(15*time.Minute).Format(time.RFC3339) + `</Expiration></GetClusterCredentialsWithIAMResult></R>`
		}}
		l, err := login.NewForCluster(s.config(t), "c", "dev", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			wait   time.Duration
			isGood bool
		}{{0, true}, {14 * time.Minute, true}, {2 * time.Minute, false}} {
			time.Sleep(step.wait)
			_, _, _, err := l.Credentials(t.Context())
			if (err == nil) != step.isGood || err != nil && !strings.Contains(err.Error(), "ClusterNotFound: Cluster c not found.") {
				t.Errorf("%v", err)
			}
			hasNoSecret(t, err)
		}
	})
}

// What cannot be asked for is named, all of it.
func TestMissing(t *testing.T) {
	t.Parallel()
	_, one := login.NewForUser(aws.Config{}, login.ForUser{}, nil)
	_, two := login.NewForCluster(aws.Config{}, "", "", nil)
	_, three := login.NewForWorkgroup(aws.Config{}, "", "", nil)
	for want, err := range map[string]error{
		"ClusterIdentifier is missing\nDatabase is missing\nDbUser is missing\nthe region is missing: set AWS_REGION": one,
		"ClusterIdentifier is missing\nDatabase is missing\nthe region is missing: set AWS_REGION":                    two,
		"WorkgroupName is missing\nDatabase is missing\nthe region is missing: set AWS_REGION":                        three,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// A password is asked for each time, within a limit.
func TestPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := login.Password{Read: func(ctx context.Context) (user, password string, err error) {
			switch n++; n {
			case 3:
				return "", "", errors.New("no such file")
			case 4:
				return "u", "", nil
			case 5:
				<-ctx.Done()
				return "", "", ctx.Err()
			}
			return "u", strconv.Itoa(n), nil
		}}
		for i, want := range []string{"1", "2", "no such file", "is empty", "deadline"} {
			begun := time.Now()
			_, password, _, err := p.Credentials(t.Context())
			p.Refused()
			if i < 2 && (password != want || err != nil) || i >= 2 && (err == nil || !strings.Contains(err.Error(), want)) || time.Since(begun) > 30*time.Second {
				t.Errorf("%s, %v; want %s", password, err, want)
			}
		}
	})
}

// An endpoint of one's own is used, and one that cannot be is not shown.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var host string
		s := &service{answer: func(_ int, r *http.Request, _ string) (int, string) {
			host = r.URL.Host
			return 200, secretOf("u", "p")
		}}
		cfg := s.config(t)
		cfg.BaseEndpoint = aws.String("http://127.0.0.1:4566/")
		secret, err := login.NewSecret(cfg, arn, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := secret.Credentials(t.Context()); err != nil || host != "127.0.0.1:4566" {
			t.Errorf("%s, %v", host, err)
		}
		cfg.BaseEndpoint = aws.String("http://" + url.UserPassword("u", canary).String() + "@\x7f")
		if secret, err = login.NewSecret(cfg, arn, nil); err != nil {
			t.Fatal(err)
		}
		_, _, _, err = secret.Credentials(t.Context())
		if err == nil {
			t.Error("an endpoint that is no URL is used")
		}
		hasNoSecret(t, err)
		cfg.Credentials = nil
		secret, _ = login.NewSecret(cfg, arn, nil)
		if _, _, _, err = secret.Credentials(t.Context()); err == nil {
			t.Error("there are no credentials, and no error")
		}
	})
}

// What a program of credential_process printed, which the SDK tells, is not told.
func TestProgramOfCredentials(t *testing.T) {
	t.Parallel()
	s := &service{}
	cfg := s.config(t)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, fmt.Errorf("get: parse failed of process output: %s, error: unexpected end of JSON input", canary+` {"SecretAccessKey":"`+awsKey)
	})
	secret, err1 := login.NewSecret(cfg, arn, nil)
	temporary, err2 := login.NewForCluster(cfg, "c", "dev", nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, l := range []pgwire.Login{secret, temporary} {
		_, _, _, err := l.Credentials(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the credentials of AWS could not be had: get: parse failed of process output, which is not shown") {
			t.Errorf("%v", err)
		}
		hasNoSecret(t, err)
	}
}

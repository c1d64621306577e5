package awscall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/shardmill/shardmill/internal/awscall"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
)

// service is AWS. It implements aws.HTTPClient.
type service func(r *http.Request) (*http.Response, error)

func (s service) Do(r *http.Request) (*http.Response, error) { return s(r) }

// reply is an answer, made anew each time.
type reply struct {
	status int
	body   string
	header []string // names and values
}

func answer(status int, body string, header ...string) *reply { return &reply{status, body, header} }

func (a *reply) response() *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(a.header); i += 2 {
		h.Set(a.header[i], a.header[i+1])
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body))}
}

// answers returns a service that always answers this, and counts.
func answers(a *reply) (s service, asked *int) {
	n := 0
	return func(*http.Request) (*http.Response, error) {
		n++
		return a.response(), nil
	}, &n
}

func configOf(t *testing.T, s service, sources ...any) aws.Config {
	t.Helper()
	client, _ := deadlinetest.Bounded(t, s).(aws.HTTPClient)
	return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "canary/key", "canary/token"), HTTPClient: client, ConfigSources: sources}
}

func secrets(region string) awscall.Operation {
	return awscall.Operation{
		Service: awscall.Service{SDKID: "Secrets Manager", Name: "secretsmanager", Region: region}, Action: "secretsmanager:GetSecretValue", Tries: 3,
		ContentType: "application/x-amz-json-1.1", Target: "secretsmanager.GetSecretValue", Body: []byte("{}"),
	}
}

// The endpoints are those of the SDK's own clients, in every partition, whatever kind is wanted,
// and a request is signed for the region and the service.
func TestOwnEndpoints(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/endpoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")[1:]
	if len(lines) != 36 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		f := strings.Fields(line)
		fips, dualStack := aws.FIPSEndpointStateUnset, aws.DualStackEndpointStateUnset
		if f[1] == "true" {
			fips = aws.FIPSEndpointStateEnabled
		}
		if f[2] == "true" {
			dualStack = aws.DualStackEndpointStateEnabled
		}
		for i, name := range []string{"secretsmanager", "redshift", "redshift-serverless", "es"} {
			for _, sources := range [][]any{
				{config.EnvConfig{UseFIPSEndpoint: fips, UseDualStackEndpoint: dualStack}},
				{config.EnvConfig{}, config.SharedConfig{UseFIPSEndpoint: fips, UseDualStackEndpoint: dualStack}},
			} {
				var asked, signed string
				o := awscall.Operation{Service: awscall.Service{SDKID: "any", Name: name, Region: f[0]}, Action: "any:Any", Tries: 1}
				_, err := o.Call(t.Context(), configOf(t, func(r *http.Request) (*http.Response, error) {
					asked, signed = r.URL.String(), r.Header.Get("Authorization")
					return answer(200, "{}").response(), nil
				}, sources...))
				if err != nil || asked != "https://"+f[3+i]+"/" || !strings.Contains(signed, "/"+f[0]+"/"+name+"/aws4_request") {
					t.Errorf("%s, FIPS %s, dual-stack %s: %s is asked at %s, signed %s, %v; want %s", f[0], f[1], f[2], name, asked, signed, err, f[3+i])
				}
			}
		}
	}
}

// own is a source that has an endpoint.
type own string

// GetServiceBaseEndpoint implements what the SDK's configurations do.
func (o own) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	return string(o), sdkID == "Secrets Manager", nil
}

// An endpoint of one's own counts unless it is to be ignored; with FIPS or dual-stack it is
// refused, as the SDK's clients do.
func TestEndpointsOfOnesOwn(t *testing.T) {
	t.Parallel()
	const shared, ordinary = "http://127.0.0.1:4566/base", "https://secretsmanager.eu-west-1.amazonaws.com/"
	disabled := config.EnvConfig{UseFIPSEndpoint: aws.FIPSEndpointStateDisabled, UseDualStackEndpoint: aws.DualStackEndpointStateDisabled}
	for name, row := range map[string]struct {
		base    string
		sources []any
		want    string
		err     string
	}{
		"none":             {"", nil, ordinary, ""},
		"base":             {shared, nil, shared + "/", ""},
		"of the sources":   {"http://127.0.0.1:1", []any{config.EnvConfig{}, own(shared)}, shared + "/", ""},
		"ignored":          {"", []any{config.EnvConfig{IgnoreConfiguredEndpoints: aws.Bool(true)}, own(shared)}, ordinary, ""},
		"switched off":     {shared, []any{disabled, config.SharedConfig{UseFIPSEndpoint: aws.FIPSEndpointStateEnabled}}, shared + "/", ""},
		"FIPS":             {shared, []any{config.EnvConfig{UseFIPSEndpoint: aws.FIPSEndpointStateEnabled}}, "", "AWS_USE_FIPS_ENDPOINT is set, and an endpoint of one's own for Secrets Manager too: remove one of them"},
		"dual-stack":       {"", []any{config.EnvConfig{UseDualStackEndpoint: aws.DualStackEndpointStateEnabled}, own(shared)}, "", "AWS_USE_DUALSTACK_ENDPOINT is set, and"},
		"both":             {shared, []any{config.EnvConfig{UseFIPSEndpoint: aws.FIPSEndpointStateEnabled, UseDualStackEndpoint: aws.DualStackEndpointStateEnabled}}, "", "AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT are set, and"},
		"no URL, a canary": {"http://u:canary@\x7f", nil, "", "the endpoint of Secrets Manager is no URL"},
	} {
		asked := ""
		cfg := configOf(t, func(r *http.Request) (*http.Response, error) {
			asked = r.URL.String()
			return answer(200, "").response(), nil
		}, row.sources...)
		if row.base != "" {
			cfg.BaseEndpoint = &row.base
		}
		_, err := secrets("eu-west-1").Call(t.Context(), cfg)
		if asked != row.want || (err != nil) != (row.err != "") || !strings.Contains(fmt.Sprint(err), row.err) || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: asked at %s, %v; want %s %s", name, asked, err, row.want, row.err)
		}
	}
}

// A refusal is told with its code and text, on one line and not too long, and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer *reply
		code   string
		want   string
	}{
		"JSON":              {answer(400, `{"__type":"com.amazonaws#ResourceNotFoundException","Message":"no such\n secret"}`), "ResourceNotFoundException", "secretsmanager:GetSecretValue: AWS answered 400 ResourceNotFoundException: no such secret"},
		"JSON, denied":      {answer(400, `{"__type":"AccessDeniedException","message":"User: x"}`), "AccessDeniedException", "AccessDeniedException: User: x: permit secretsmanager:GetSecretValue"},
		"a header":          {answer(400, `{"message":"old"}`, "X-Amzn-Errortype", "ExpiredTokenException:http://x"), "ExpiredTokenException", "ExpiredTokenException: old: secretsmanager:GetSecretValue was called with expired credentials"},
		"XML":               {answer(404, `<ErrorResponse><Error><Type>Sender</Type><Code>ClusterNotFound</Code><Message>no c</Message></Error></ErrorResponse>`), "ClusterNotFound", "AWS answered 404 ClusterNotFound: no c"},
		"HTML":              {answer(403, `<html><head><title>Forbidden</title></head><body>by a proxy<br></body>`), "", "AWS answered 403: permit secretsmanager:GetSecretValue"},
		"nothing":           {answer(400, ""), "", "AWS answered 400"},
		"a redirection":     {answer(301, "", "Location", "https://elsewhere.example/"), "", "AWS answered 301"},
		"a text too long":   {answer(400, `{"message":"`+strings.Repeat("é", 1000)+`"}`), "", strings.Repeat("é", 250) + "…"},
		"text of no UTF-8":  {answer(400, "<E><Error><Code>C</Code><Message>a\xffb</Message></Error></E>"), "C", "AWS answered 400 C"},
		"credentials wrong": {answer(403, `{"__type":"UnrecognizedClientException","message":"invalid"}`), "UnrecognizedClientException", "called with credentials that the service does not accept"},
	} {
		s, asked := answers(row.answer)
		_, err := secrets("eu-west-1").Call(t.Context(), configOf(t, s))
		refused, ok := errors.AsType[*awscall.RefusedError](err)
		if !ok || refused.Code != row.code || !strings.Contains(err.Error(), row.want) || len(err.Error()) > 800 || strings.Contains(err.Error(), "\n") || *asked != 1 {
			t.Errorf("%s, asked %d times: %v; want %q", name, *asked, err, row.want)
		}
	}
}

// What may be over soon is tried again, with pauses, as often as Tries says; each try ends.
func TestTries(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		all    []*reply // nil is no answer
		asked  int
		want   string // of the error
		atMost time.Duration
	}{
		"answered":             {[]*reply{answer(200, "yes")}, 1, "", 0},
		"throttled once":       {[]*reply{answer(400, `{"__type":"ThrottlingException"}`), answer(200, "yes")}, 2, "", 2 * time.Second},
		"throttled for ever":   {[]*reply{answer(429, "")}, 3, "AWS answered 429", 5 * time.Second},
		"it fails twice":       {[]*reply{answer(500, ""), answer(503, "<html>"), answer(200, "yes")}, 3, "", 5 * time.Second},
		"it fails":             {[]*reply{answer(500, "")}, 3, "AWS answered 500", 5 * time.Second},
		"no answer once":       {[]*reply{nil, answer(200, "yes")}, 2, "", 13 * time.Second},
		"no answer":            {[]*reply{nil}, 3, "no answer within 10s", 36 * time.Second},
		"refused after a fail": {[]*reply{answer(500, ""), answer(400, `{"__type":"AccessDenied"}`), answer(200, "yes")}, 2, "AccessDenied", 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n, begun := 0, time.Now()
				body, err := secrets("eu-west-1").Call(t.Context(), configOf(t, func(r *http.Request) (*http.Response, error) {
					n++
					next := row.all[min(n, len(row.all))-1]
					if next == nil {
						<-r.Context().Done()
						return nil, context.Cause(r.Context())
					}
					return next.response(), nil
				}))
				took := time.Since(begun)
				if n != row.asked || took > row.atMost || row.want == "" && (err != nil || string(body) != "yes") || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
					t.Errorf("asked %d times in %v: %q, %v; want %d times, %q", n, took, body, err, row.asked, row.want)
				}
			})
		})
	}
}

// Without credentials nothing is asked, and what their provider says of keys is not told.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	s, asked := answers(answer(200, ""))
	for want, provider := range map[string]aws.CredentialsProvider{
		"there are no credentials of AWS": nil,
		"could not be had: parse failed of process output, which is not shown": aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New(`parse failed of process output: {"SecretAccessKey":"canary"`)
		}),
	} {
		cfg := configOf(t, s)
		cfg.Credentials = provider
		_, err := secrets("eu-west-1").Call(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") || *asked != 0 {
			t.Errorf("asked %d times: %v; want %s", *asked, err, want)
		}
	}
}

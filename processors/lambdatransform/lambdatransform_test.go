package lambdatransform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/processors/lambdatransform"
	"github.com/shardmill/shardmill/processors/transform"
)

const arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live"

// service is a Lambda that answers each request in the same way.
type service struct {
	status       int
	code         string // X-Amzn-ErrorType
	function     string // X-Amz-Function-Error
	body         func(r request) string
	hang, breaks bool

	mu       sync.Mutex
	requests []*http.Request
}

type request struct {
	InvocationID string `json:"invocationId"`
	Records      []struct {
		RecordID string `json:"recordId"`
		Data     []byte `json:"data"`
	} `json:"records"`
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Clone(context.WithoutCancel(r.Context())))
	s.mu.Unlock()
	var in request
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &in)
	if s.hang {
		<-r.Context().Done()
		return
	}
	if s.breaks {
		panic(http.ErrAbortHandler)
	}
	if s.code != "" {
		w.Header().Set("X-Amzn-Errortype", s.code)
	}
	if s.function != "" {
		w.Header().Set("X-Amz-Function-Error", s.function)
	}
	w.Header().Set("X-Amz-Executed-Version", "7")
	w.WriteHeader(s.status)
	if s.body != nil {
		_, _ = io.WriteString(w, s.body(in))
	}
}

// seen returns the requests so far.
func (s *service) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// echo answers with all records as they are.
func echo(r request) string {
	type result struct {
		RecordID string `json:"recordId"`
		Result   string `json:"result"`
		Data     []byte `json:"data"`
	}
	out := struct {
		Records []result `json:"records"`
	}{}
	for _, record := range r.Records {
		out.Records = append(out.Records, result{record.RecordID, "Ok", record.Data})
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func text(s string) func(request) string { return func(request) string { return s } }

// open returns the function as a transform.
func open(t *testing.T, h http.Handler, functionARN string, logger *zap.Logger) *lambdatransform.Function {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	f, err := lambdatransform.New(lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: deadlinetest.Bounded(t, server.Client()),
	}), lambdatransform.Options{FunctionARN: functionARN, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func run(t *testing.T, f transform.Function, o transform.Options, data ...string) []string {
	t.Helper()
	list := make([]transform.Record, len(data))
	for i, d := range data {
		list[i] = transform.Record{Data: []byte(d), SequenceNumber: "1"}
	}
	outcomes, err := transform.NewRunner(f, o).Run(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range outcomes {
		switch {
		case o.Failure != nil:
			got = append(got, fmt.Sprintf("%s (%d)", o.Failure.Code, o.Attempts))
		case o.Dropped:
			got = append(got, "dropped")
		default:
			got = append(got, fmt.Sprintf("%.20s (%d)", o.Data, o.Attempts))
		}
	}
	return got
}

// What is asked, of whom.
func TestRequest(t *testing.T) {
	t.Parallel()
	s := &service{status: 200, body: echo}
	if got := run(t, open(t, s, arn, nil), transform.Options{}, "a", "b"); !slices.Equal(got, []string{"a (1)", "b (1)"}) {
		t.Errorf("got %q", got)
	}
	r := s.seen()[0]
	if path, _ := url.PathUnescape(r.URL.EscapedPath()); path != "/2015-03-31/functions/"+arn+"/invocations" || r.Method != http.MethodPost ||
		r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/lambda/") {
		t.Errorf("%s %s %v", r.Method, path, r.Header)
	}
	run(t, open(t, s, "f:live", nil), transform.Options{}, "a")
	if r := s.seen()[1]; !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/lambda/") {
		t.Errorf("without a region: %v", r.Header)
	}
}

// Whatever Lambda says, and how often it is asked.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		*service
		want, log string
	}{
		"an error that was raised":     {&service{status: 200, function: "Unhandled", body: text(`{"errorMessage":"no such key","errorType":"KeyError","stackTrace":[]}`)}, "Lambda.FunctionError (2)", "Unhandled error of the function: KeyError: no such key"},
		"an error that was returned":   {&service{status: 200, function: "Handled", body: text(`{"errorMessage":"x"}`)}, "Lambda.FunctionError (2)", "Handled error"},
		"an error without JSON":        {&service{status: 200, function: "Unhandled", body: text(`x`)}, "Lambda.FunctionError (2)", "no JSON"},
		"a long error":                 {&service{status: 200, function: "Unhandled", body: text(`{"errorMessage":"` + strings.Repeat("é", 4000) + `"}`)}, "Lambda.FunctionError (2)", "éé"},
		"its time limit":               {&service{status: 200, function: "Unhandled", body: text(`{"errorMessage":"2026-01-01T00:00:00Z 1 Task timed out after 3.00 seconds"}`)}, "Lambda.FunctionTimedOut (2)", ""},
		"its time limit, today":        {&service{status: 200, function: "Unhandled", body: text(`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 3.00 seconds"}`)}, "Lambda.FunctionTimedOut (2)", ""},
		"an error that speaks of it":   {&service{status: 200, function: "Unhandled", body: text(`{"errorType":"Error","errorMessage":"Task timed out after all"}`)}, "Lambda.FunctionError (2)", ""},
		"an answer too large":          {&service{status: 200, function: "Unhandled", body: text(`{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`)}, "Lambda.FunctionError (1)", ""},
		"a body too large":             {&service{status: 200, body: func(request) string { return strings.Repeat(" ", transform.MaxAnswerBytes+1) }}, "Lambda.FunctionError (1)", "larger"},
		"a request too large":          {&service{status: 413, code: "RequestTooLargeException"}, "Lambda.InvocationFailure (1)", ""},
		"a request too large, no code": {&service{status: 413}, "Lambda.InvocationFailure (1)", ""},
		"throttled":                    {&service{status: 429, code: "TooManyRequestsException", body: text(`{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}`)}, "Lambda.InvokeLimitExceeded (2)", ""},
		"throttled by another":         {&service{status: 502, code: "EC2ThrottledException"}, "Lambda.InvokeLimitExceeded (2)", ""},
		"no function":                  {&service{status: 404, code: "ResourceNotFoundException"}, "Lambda.ResourceNotFound (2)", ""},
		"no permission":                {&service{status: 403, code: "AccessDeniedException"}, "Lambda.InvokeAccessDenied (2)", "permit lambda:InvokeFunction"},
		"no permission, by a gateway":  {&service{status: 403, code: "ForbiddenException"}, "Lambda.InvokeAccessDenied (2)", "permit lambda:InvokeFunction"},
		"no such credentials":          {&service{status: 403, code: "UnrecognizedClientException"}, "Lambda.InvalidSecurityToken (2)", "credentials"},
		"credentials that are too old": {&service{status: 403, code: "ExpiredTokenException"}, "Lambda.InvalidSecurityToken (2)", "expired"},
		"a subnet":                     {&service{status: 502, code: "InvalidSubnetIDException"}, "Lambda.InvalidSubnetIDException (2)", ""},
		"a security group":             {&service{status: 502, code: "InvalidSecurityGroupIDException"}, "Lambda.InvalidSecurityGroupIDException (2)", ""},
		"no addresses":                 {&service{status: 502, code: "SubnetIPAddressLimitReachedException"}, "Lambda.SubnetIPAddressLimitReachedException (2)", ""},
		"no interfaces":                {&service{status: 502, code: "ENILimitReachedException"}, "Lambda.ENILimitReachedException (2)", ""},
		"a zip":                        {&service{status: 502, code: "InvalidZipFileException"}, "Lambda.InvalidZipFileException (2)", ""},
		"a key that is disabled":       {&service{status: 502, code: "KMSDisabledException"}, "Lambda.InvocationFailure (2)", "KMSDisabledException"},
		"a key that may not be used":   {&service{status: 502, code: "KMSAccessDeniedException"}, "Lambda.InvocationFailure (2)", "KMSAccessDeniedException"},
		"no JSON":                      {&service{status: 400, code: "InvalidRequestContentException"}, "Lambda.JsonProcessingException (1)", ""},
		"the service":                  {&service{status: 500, code: "ServiceException"}, "Lambda.InternalServerError (2)", ""},
		"a gateway":                    {&service{status: 502}, "Lambda.InternalServerError (2)", ""},
		"not available":                {&service{status: 503}, "Lambda.ServiceUnavailable (2)", ""},
		"not available, with a code":   {&service{status: 503, code: "ServiceUnavailableException"}, "Lambda.ServiceUnavailable (2)", ""},
		"another error":                {&service{status: 409, code: "ResourceConflictException"}, "Lambda.InvocationFailure (2)", ""},
		"no answer":                    {&service{hang: true}, "Lambda.FunctionRequestTimedOut (2)", "no answer within"},
		"a connection that breaks":     {&service{breaks: true}, "Lambda.TargetServerFailedToRespond (2)", ""},
		"an answer that is none":       {&service{status: 200, body: text(`nothing`)}, "Lambda.MissingRecordId (1)", "not JSON"},
		"an answer without records":    {&service{status: 200, body: text(`{"statusCode":200}`)}, "Lambda.MissingRecordId (1)", "records"},
		"an empty answer":              {&service{status: 200}, "Lambda.MissingRecordId (1)", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zap.WarnLevel)
			timeout := time.Minute
			if row.hang {
				timeout = 200 * time.Millisecond
			}
			s := row.service
			got := run(t, open(t, s, arn, zap.New(core)), transform.Options{Retries: 1, Timeout: timeout, Logger: zap.New(core)}, "a")
			if !slices.Equal(got, []string{row.want}) {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if want := strings.Count(row.want, "(2)") + 1; len(s.seen()) != want {
				t.Errorf("%d requests, want %d", len(s.seen()), want)
			}
			var all strings.Builder
			for _, e := range logs.All() {
				fmt.Fprintln(&all, e.Message, e.ContextMap())
			}
			if !strings.Contains(all.String(), row.log) || all.Len() > 6000 {
				t.Errorf("logged without %q:\n%s", row.log, all.String())
			}
		})
	}
}

// A batch that is too large for Lambda, or whose answer is, comes in halves.
func TestHalves(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 5<<20)
	s := &service{status: 200, body: func(r request) string {
		if len(r.Records) > 1 {
			return echo(r) + strings.Repeat(" ", transform.MaxAnswerBytes)
		}
		return echo(r)
	}}
	if got := run(t, open(t, s, arn, nil), transform.Options{}, "a", "b"); !slices.Equal(got, []string{"a (2)", "b (2)"}) {
		t.Errorf("got %q", got)
	}
	if got := run(t, open(t, s, arn, nil), transform.Options{}, "a", large, "b"); !slices.Equal(got, []string{"a (1)", "Lambda.InvocationFailure (0)", "b (1)"}) &&
		!slices.Equal(got, []string{"a (2)", "Lambda.InvocationFailure (0)", "b (2)"}) {
		t.Errorf("got %q", got)
	}
}

// An answer of as much as Lambda grants is read.
func TestLargestAnswer(t *testing.T) {
	t.Parallel()
	s := &service{status: 200, body: func(r request) string {
		answer := echo(r)
		return answer + strings.Repeat(" ", transform.MaxAnswerBytes-len(answer))
	}}
	if got := run(t, open(t, s, arn, nil), transform.Options{}, "a"); !slices.Equal(got, []string{"a (1)"}) {
		t.Errorf("got %q", got)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := &service{status: 204}
	if err := open(t, s, arn, nil).Check(t.Context()); err != nil || s.seen()[0].Header.Get("X-Amz-Invocation-Type") != "DryRun" {
		t.Errorf("%v, %v", err, s.seen()[0].Header)
	}
	err := open(t, &service{status: 404, code: "ResourceNotFoundException"}, arn, nil).Check(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "lambda:InvokeFunction "+arn+": Lambda.ResourceNotFound") {
		t.Error(err)
	}
}

// Without credentials nothing is sent, and the log says so.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("no profile") })
	f, err := lambdatransform.New(lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), Credentials: none}), lambdatransform.Options{FunctionARN: arn})
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, f, transform.Options{}, "a"); !slices.Equal(got, []string{"Lambda.InvalidSecurityToken (1)"}) {
		t.Errorf("got %q", got)
	}
}

// silent never answers.
type silent struct{}

func (silent) Invoke(ctx context.Context, _ *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// A call ends by itself, whoever makes it.
func TestLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, err := lambdatransform.New(silent{}, lambdatransform.Options{FunctionARN: arn})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, err = f.Transform(t.Context(), &transform.Batch{})
		if e, ok := errors.AsType[*transform.Error](err); !ok || e.Code != "Lambda.FunctionRequestTimedOut" || !e.Retry || time.Since(begun) != 5*time.Minute {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		arn: true, "arn:aws-cn:lambda:cn-north-1:123456789012:function:f": true, "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST": true,
		"f": true, "f:1": true, "123456789012:function:f:live": true,
		"": false, "arn:aws:lambda:us-east-1:123456789012:function": false, "arn:aws:s3:::bucket": false, "arn:aws:lambda:us-east-1:123:function:f": false, "f g": false, arn + ":more": false,
	} {
		f, err := lambdatransform.New(nil, lambdatransform.Options{FunctionARN: name})
		if (err == nil) != good || good && f.ARN() != name || !good && !strings.Contains(err.Error(), fmt.Sprintf("FunctionARN %q: must be", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

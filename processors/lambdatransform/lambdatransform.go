// Package lambdatransform is a function of AWS Lambda as a transform.Function: it is
// invoked synchronously, with the request that Firehose makes, and answers as it would
// answer Firehose.
//
// The credentials need lambda:InvokeFunction on the function; a policy that names it with
// a version or an alias permits that one only, and one that names it without permits none
// of these: "…:function:NAME" and "…:function:NAME:*" are both needed where either may be
// invoked. For a function of another account its own policy must permit it too.
//
// What Lambda or the way to it says becomes a code of Firehose's; all but the refusal of
// the request itself is tried again, as often as the transform's NumberOfRetries says,
// for the SDK's own retries are off:
//
//	what is said                                             code
//	X-Amz-Function-Error                                     Lambda.FunctionError
//	  … of the time limit of the function                    Lambda.FunctionTimedOut
//	  … of an answer of more than 6 MB                       two halves of the batch are tried
//	a body of more than 6 MB, RequestTooLargeException       two halves of the batch are tried
//	TooManyRequestsException, EC2ThrottledException          Lambda.InvokeLimitExceeded
//	ResourceNotFoundException                                Lambda.ResourceNotFound
//	the operation is not permitted                           Lambda.InvokeAccessDenied
//	the credentials are not accepted, or there are none      Lambda.InvalidSecurityToken
//	InvalidSubnetIDException, InvalidSecurityGroupIDException, SubnetIPAddressLimitReachedException,
//	ENILimitReachedException, InvalidZipFileException        the same, after "Lambda."
//	InvalidRequestContentException                           Lambda.JsonProcessingException
//	500, 503                                                 Lambda.InternalServerError, Lambda.ServiceUnavailable
//	no answer in time                                        Lambda.FunctionRequestTimedOut
//	the connection breaks, or there is none                  Lambda.TargetServerFailedToRespond
//	anything else, the keys of KMS among it                  Lambda.InvocationFailure
//
// An answer that is no JSON, or has no records, is none: each record of the batch fails
// with Lambda.MissingRecordId, and is not tried again.
//
// A function may take five minutes to answer, in which nothing goes over the connection:
// the HTTP client must not have a shorter limit, as the SDK's has none, and should keep
// connections alive, as the SDK's does each 30 s, so that no gateway between forgets them.
package lambdatransform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/transform"
)

// API is what a Function needs of *lambda.Client. Another one must return when its
// context is done.
type API interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, o ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Options say which function is invoked.
type Options struct {
	// FunctionARN is the function's ARN, Firehose's LambdaArn, with the version or alias
	// if one is meant: "arn:aws:lambda:us-east-1:123456789012:function:NAME:ALIAS". It is
	// invoked in the region that it names, whatever the client's is. What else Lambda
	// takes is good too: NAME, NAME:ALIAS and 123456789012:function:NAME, in the client's
	// region. Required.
	FunctionARN string

	// Logger. Default none. What the function says of an error of its own is logged, the
	// first 512 bytes.
	Logger *zap.Logger
}

// functionName is the pattern of Lambda's API for FunctionName, in which a qualifier may
// stand.
var functionName = regexp.MustCompile(`^(?:(?:arn:[a-zA-Z0-9-]+:lambda:([a-z0-9-]+):)?\d{12}:function:)?[a-zA-Z0-9-_]{1,64}(?::(?:\$LATEST|[a-zA-Z0-9-_]{1,128}))?$`)

// Function is a function of Lambda. It is safe for concurrent use.
type Function struct {
	api    API
	arn    string
	region string // "": the client's
	log    *zap.Logger
}

var _ transform.Function = (*Function)(nil)

// New returns a Function. It asks Lambda nothing: Check does.
func New(api API, o Options) (*Function, error) {
	match := functionName.FindStringSubmatch(o.FunctionARN)
	if match == nil {
		return nil, fmt.Errorf("FunctionARN %q: must be the ARN of a function of Lambda, arn:aws:lambda:REGION:ACCOUNT:function:NAME, with :VERSION or :ALIAS or without, or its name", o.FunctionARN)
	}
	log := o.Logger
	if log == nil {
		log = zap.NewNop()
	}
	return &Function{api: api, arn: o.FunctionARN, region: match[1], log: log.With(zap.String("function", o.FunctionARN))}, nil
}

// ARN implements transform.Function.
func (f *Function) ARN() string { return f.arn }

// Check returns nil if the function is there and may be invoked, as Lambda's DryRun finds
// out. Nothing is invoked.
func (f *Function) Check(ctx context.Context) error {
	if _, err := f.invoke(ctx, types.InvocationTypeDryRun, nil); err != nil {
		return fmt.Errorf("lambda:InvokeFunction %s: %w", f.arn, err)
	}
	return nil
}

// Transform implements transform.Function.
func (f *Function) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	out, err := f.invoke(ctx, types.InvocationTypeRequestResponse, transform.Request(b))
	if err != nil {
		return nil, err
	}
	if out.FunctionError != nil {
		return nil, functionError(aws.ToString(out.FunctionError), out.Payload)
	}
	a, err := transform.ParseAnswer(out.Payload)
	if err != nil {
		f.log.Warn("answer of the function has no results: none of its records has a record id", zap.String("invocation", b.InvocationID), zap.Error(err),
			zap.Stringp("version", out.ExecutedVersion), zap.Int("bytes", len(out.Payload)))
		return nil, nil
	}
	return a.Results, nil
}

// invoke makes one request. Its error is an *transform.Error.
func (f *Function) invoke(ctx context.Context, how types.InvocationType, payload []byte) (*lambda.InvokeOutput, error) {
	ctx, call := deadline.StartWhole(ctx, transform.DefaultTimeout)
	defer call.End()
	out, err := f.api.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.arn, InvocationType: how, Payload: payload}, f.once)
	if err != nil {
		return nil, classify(ctx, deadline.Explain(ctx, err))
	}
	return out, nil
}

// once turns the SDK's own retries off, which would multiply ours, has its client keep
// the limits of its calls, and the answer its size.
func (f *Function) once(o *lambda.Options) {
	o.Retryer = aws.NopRetryer{}
	o.HTTPClient = bounded{deadline.Client(o.HTTPClient, 0)}
	if f.region != "" {
		o.Region = f.region
	}
}

// maxReport is how much of what a function says of its error is logged.
const maxReport = 512

// functionError is the error of a function that was invoked. kind is X-Amz-Function-Error.
func functionError(kind string, payload []byte) *transform.Error {
	var report struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(payload, &report) != nil {
		report.ErrorMessage = "what it says of it is no JSON"
	}
	err := fmt.Errorf("%s error of the function: %s: %s", kind, shortened(report.ErrorType), shortened(report.ErrorMessage))
	isItsOwn := report.ErrorType != "" && report.ErrorType != "Sandbox.Timedout" // of the code, which may say anything
	switch {
	case report.ErrorType == "Function.ResponseSizeTooLarge":
		return transform.AnswerTooLarge(err)
	case !isItsOwn && strings.Contains(report.ErrorMessage, "Task timed out after"):
		return transform.FunctionTimedOut(err)
	}
	return transform.FunctionError(err)
}

func shortened(text string) string {
	if len(text) > maxReport {
		text = text[:maxReport] + "…"
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

// errTooLarge means that an answer was cut off.
var errTooLarge = errors.New("the answer is larger than Lambda's may be")

package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/internal/access"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]access.Kind{
		"AccessDeniedException":       access.NotAllowed,
		"AccessDenied":                access.NotAllowed,
		"KMSAccessDeniedException":    access.NoKey,
		"ExpiredToken":                access.Expired,
		"ExpiredTokenException":       access.Expired,
		"RequestExpired":              access.Expired,
		"SignatureDoesNotMatch":       access.NotAccepted,
		"InvalidSignatureException":   access.NotAccepted,
		"InvalidClientTokenId":        access.NotAccepted,
		"UnrecognizedClientException": access.NotAccepted,
		"ThrottlingException":         access.None,
		"ResourceNotFoundException":   access.None,
		"ValidationException":         access.None,
		"":                            access.None,
	} {
		got := access.Judge(code)
		if got != want {
			t.Errorf("%q is judged %d; want %d", code, got, want)
		}
		if told := strings.Contains(got.Remedy("s3:PutObject"), "s3:PutObject"); told != (want != access.None) {
			t.Errorf("of %q the remedy is %q", code, got.Remedy("s3:PutObject"))
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	of := func(service string, err error) error {
		return fmt.Errorf("asking: %w", &smithy.OperationError{ServiceID: service, OperationName: "Ask", Err: err})
	}
	none, unreachable := errors.New("no provider in the chain"), &smithyhttp.RequestSendError{Err: errors.New("no route")}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no provider":                    {of("S3", none), true},
		"no role":                        {of("S3", of("ec2imds", unreachable)), true},
		"a cut connection":               {of("S3", unreachable), false},
		"a source that is out of reach":  {of("S3", of("STS", unreachable)), false},
		"a refusal":                      {of("S3", &smithy.GenericAPIError{Code: "AccessDenied"}), false},
		"an answer":                      {of("S3", &smithyhttp.ResponseError{Err: none}), false},
		"given up":                       {of("S3", fmt.Errorf("get credentials: %w", context.Canceled)), false},
		"a complaint about the input":    {of("S3", &smithy.InvalidParamsError{}), false},
		"of the role's service itself":   {of("ec2imds", unreachable), false},
		"an error that is of no request": {none, false},
	} {
		if got := access.Missing(c.err); got != c.want {
			t.Errorf("%s: Missing is %v of %v", name, got, c.err)
		}
	}
}

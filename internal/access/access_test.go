package access_test

import (
	"strings"
	"testing"

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

package s3archive

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// encryption returns what a put says of the key that encrypts the object.
func encryption(keyARN string) (types.ServerSideEncryption, *string) {
	if keyARN == "" {
		return "", nil // the bucket's default applies
	}
	return types.ServerSideEncryptionAwsKms, aws.String(keyARN)
}

// What may be wrong with the key that encrypts an object, as [KeyProblem] says it. The
// names are those of Firehose's metrics, less KMSKey.
const (
	KeyAccessDenied = "AccessDenied"
	KeyDisabled     = "Disabled"
	KeyInvalidState = "InvalidState"
	KeyNotFound     = "NotFound"
)

// KeyProblem returns which of these an error of a put is about, "" if it is about
// something else. S3 begins with "KMS." what the Key Management Service answered to it,
// but for what a policy does not permit.
func KeyProblem(err error) string {
	if strings.HasPrefix(refusedAction(err), "kms:") {
		return KeyAccessDenied
	}
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return ""
	}
	switch code, isKMS := strings.CutPrefix(e.ErrorCode(), "KMS."); {
	case !isKMS:
		return ""
	case code == "DisabledException":
		return KeyDisabled
	case code == "NotFoundException":
		return KeyNotFound
	case strings.HasSuffix(code, "InvalidStateException"):
		return KeyInvalidState
	case strings.Contains(code, "AccessDenied"):
		return KeyAccessDenied
	default:
		return ""
	}
}

// keyRemedy says what to do about an error that is about the key which encrypts
// an object; "" if it is about something else.
func keyRemedy(err error) string {
	switch KeyProblem(err) {
	case KeyAccessDenied:
		action := refusedAction(err)
		if !strings.HasPrefix(action, "kms:") {
			action = "kms:GenerateDataKey and kms:Decrypt"
		}
		return "permit " + action + " on the key, and in the key's own policy if it is another account's"
	case KeyDisabled:
		return "the key that encrypts the object is disabled: enable it, or name another key"
	case KeyNotFound:
		return "there is no such key in the bucket's region: correct its ARN, or name a key of that region"
	case KeyInvalidState:
		return "the key that encrypts the object cannot be used in its state, such as before its deletion: cancel that, or name another key"
	default:
		return ""
	}
}

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

// keyRemedy says what to do about an error that is about the key which encrypts
// an object; "" if it is about something else. S3 begins with "KMS." what the
// Key Management Service answered to it, but for what a policy does not permit.
func keyRemedy(err error) string {
	if action := refusedAction(err); strings.HasPrefix(action, "kms:") {
		return "permit " + action + " on the key, and in the key's own policy if it is another account's"
	}
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return ""
	}
	switch code, isKMS := strings.CutPrefix(e.ErrorCode(), "KMS."); {
	case !isKMS:
		return ""
	case code == "DisabledException":
		return "the key that encrypts the object is disabled: enable it, or name another key"
	case code == "NotFoundException":
		return "there is no such key in the bucket's region: correct its ARN, or name a key of that region"
	case strings.HasSuffix(code, "InvalidStateException"):
		return "the key that encrypts the object cannot be used in its state, such as before its deletion: cancel that, or name another key"
	case strings.Contains(code, "AccessDenied"):
		return "permit kms:GenerateDataKey and kms:Decrypt on the key, and in the key's own policy if it is another account's"
	default:
		return ""
	}
}

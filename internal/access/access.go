// Package access knows how AWS services say that they do not let somebody in.
package access

// Kind is why a service refuses a request whatever it asks for.
type Kind int

// The kinds. None of them means that the request was tried: nothing was written.
const (
	None        Kind = iota // the code says something else
	NotAllowed              // the credentials are good, and do not permit the operation
	NotAccepted             // the credentials, or the signature made with them, are not good
	Expired                 // the credentials, or the request, are too old
	NoKey                   // the key that encrypts the data may not be used
)

// Judge tells what the code of a service's error says about access. The codes
// are those of Kinesis, DynamoDB, S3 and what stands before all three.
// Source: AWS General Reference "Common errors", and each API's error lists.
func Judge(code string) Kind {
	switch code {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "AllAccessDisabled", "AccountProblem":
		return NotAllowed
	case "KMSAccessDeniedException":
		return NoKey
	case "ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired", "RequestTimeTooSkewed":
		return Expired
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken", "InvalidSecurity",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature", "IncompleteSignatureException",
		"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "OptInRequired", "NotSignedUp":
		return NotAccepted
	}
	return None
}

// Remedy says what somebody must do, in words that follow a colon; operation is
// as a policy names it, such as "kinesis:GetRecords".
func (k Kind) Remedy(operation string) string {
	switch k {
	case NotAllowed:
		return "permit " + operation
	case NoKey:
		return operation + " needs kms:Decrypt on the key"
	case Expired:
		return operation + " was called with expired credentials, or by a machine whose clock is wrong: renew them, or set it"
	case NotAccepted:
		return operation + " was called with credentials that the service does not accept: check them, the region and the clock"
	default:
		return ""
	}
}

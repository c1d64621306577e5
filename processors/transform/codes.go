package transform

// The codes of failures, as Firehose spells them. Sources: its guide, "Monitoring with
// CloudWatch Logs", and error objects. Of those that were seen in error objects the
// messages are Firehose's, to the letter; of the others they are ours.
const (
	CodeFunctionError          = "Lambda.FunctionError"
	CodeFunctionTimedOut       = "Lambda.FunctionTimedOut"
	CodeMissingRecordID        = "Lambda.MissingRecordId"
	CodeDuplicatedRecordID     = "Lambda.DuplicatedRecordId"
	CodeProcessingFailedStatus = "Lambda.ProcessingFailedStatus"
	CodeInvalidReturnFormat    = "Lambda.InvalidReturnFormat"
	CodeJSONMapping            = "Lambda.JsonMappingException"
	CodeInvocationFailure      = "Lambda.InvocationFailure"
)

// FunctionError is the failure of a batch whose transform returned an error, or has a
// fault. It is tried again. err is for the log.
func FunctionError(err error) *Error {
	return &Error{Code: CodeFunctionError, Message: "The Lambda function was successfully invoked but it returned an error result.", Retry: true, Err: err}
}

// FunctionTimedOut is the failure of a batch whose transform took too long. It is tried
// again. err is for the log.
func FunctionTimedOut(err error) *Error {
	return &Error{
		Code: CodeFunctionTimedOut, Message: "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
		Retry: true, Err: err,
	}
}

// AnswerTooLarge is the failure of a batch whose answer was more than [MaxAnswerBytes].
// Two halves of it are tried in its place. A record that had it to itself fails with
// Lambda.FunctionError, as Lambda itself makes an error of such an answer.
func AnswerTooLarge(err error) *Error {
	e := FunctionError(err)
	e.Message += " Its answer was larger than 6 MB."
	e.Retry, e.TooLarge = false, true
	return e
}

// InvocationFailure is the failure of a batch that could not be handed to the
// transform. It is tried again. err is for the log.
func InvocationFailure(err error) *Error {
	return &Error{Code: CodeInvocationFailure, Message: "The function could not be invoked.", Retry: true, Err: err}
}

// recordTooLarge is the failure of a record that fits into no request. Firehose has
// such records only of Kafka, and which code it gives them is not known.
func recordTooLarge() *Error {
	return &Error{Code: CodeInvocationFailure, Message: "The record is too large for an invocation of the function: a request may have 6 MB."}
}

func missingRecordID() *Error {
	return &Error{
		Code:    CodeMissingRecordID,
		Message: "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
	}
}

func duplicatedRecordID() *Error {
	return &Error{
		Code:    CodeDuplicatedRecordID,
		Message: "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique record Id for each record.",
	}
}

func processingFailedStatus() *Error {
	return &Error{Code: CodeProcessingFailedStatus, Message: "ProcessingFailed status set for record"}
}

func invalidReturnFormat() *Error {
	return &Error{
		Code: CodeInvalidReturnFormat,
		Message: "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing result is Ok. " +
			"The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok.",
	}
}

// unmapped is the failure of a record of whose result a member cannot be read.
func unmapped(message string) *Error { return &Error{Code: CodeJSONMapping, Message: message} }

package dynamodbd

import (
	"errors"
	"fmt"
	"net/http"
)

// apiError is an error as DynamoDB answers it. Every error that an operation
// returns is one, or it is a defect of the server and is answered as
// InternalServerError.
type apiError struct {
	status  int
	code    string
	message string
	item    Item                 // of a failed condition, if asked for
	reasons []cancellationReason // of a cancelled transaction
}

// cancellationReason says what became of one action of a cancelled transaction.
type cancellationReason struct {
	Code    string `json:"Code"`
	Message string `json:"Message,omitempty"`
	Item    Item   `json:"Item,omitempty"`
}

// Error implements error.
func (e *apiError) Error() string { return e.code + ": " + e.message }

// body is the answer to send.
func (e *apiError) body() map[string]any {
	body := map[string]any{"__type": namespace(e.code) + e.code, "message": e.message}
	if e.item != nil {
		body["Item"] = e.item
	}
	if e.reasons != nil {
		delete(body, "message")
		body["Message"] = e.message
		body["CancellationReasons"] = e.reasons
	}
	return body
}

const (
	codeInternal    = "InternalServerError"
	codeValidation  = "ValidationException"
	codeConditional = "ConditionalCheckFailedException"
	codeNotFound    = "ResourceNotFoundException"
	codeInUse       = "ResourceInUseException"
	codeLimit       = "LimitExceededException"
	codeCancelled   = "TransactionCanceledException"
	codeMismatch    = "IdempotentParameterMismatchException"
	codeTooLarge    = "RequestEntityTooLarge"
	codeThroughput  = "ProvisionedThroughputExceededException"
)

// namespace is what stands before an error's code in an answer: the service's
// own, or that of what several have.
func namespace(code string) string {
	switch code {
	case codeValidation:
		return "com.amazon.coral.validate#"
	case codeInternal, codeConditional, codeNotFound, codeInUse, codeLimit, codeCancelled, codeMismatch, codeTooLarge, codeThroughput:
		return "com.amazonaws.dynamodb.v20120810#"
	}
	return "com.amazon.coral.service#"
}

// asAPIError gives the error to answer for err.
func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return &apiError{status: http.StatusInternalServerError, code: codeInternal, message: err.Error()}
}

func refuse(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return refuse(codeValidation, format, args...) }

// invalidParam is a ValidationException of the family about parameter values.
func invalidParam(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

func notSupported(parameter string) error {
	return invalid("The parameter %s is not supported by this server", parameter)
}

func notSerializable(message string) error {
	return refuse("SerializationException", "%s", message)
}

func unknownOperation(name string) error {
	return refuse("UnknownOperationException", "The operation %s is not known to this server", name)
}

// conditionFailed is the answer to a write whose condition does not hold.
func conditionFailed(old Item) error {
	e := refuse(codeConditional, "The conditional request failed")
	e.item = old
	return e
}

// WriteError answers a request with an error of DynamoDB.
func WriteError(w http.ResponseWriter, status int, code, message string) {
	writeError(w, &apiError{status: status, code: code, message: message})
}

func writeError(w http.ResponseWriter, err error) {
	e := asAPIError(err)
	body, err := encode(e.body())
	if err != nil { // unreachable: what it is made of always has a form
		e.status, body = http.StatusInternalServerError, nil
	}
	write(w, e.status, body)
}

package dynamodbd

import (
	"errors"
	"fmt"
	"net/http"
)

// Prefixes of the __type member of an error answer.
const (
	spaceDynamoDB = "com.amazonaws.dynamodb.v20120810#"
	spaceService  = "com.amazon.coral.service#"
	spaceValidate = "com.amazon.coral.validate#"
)

// apiError is an error as DynamoDB answers it. Every error that an operation
// returns is one, or it is a defect of the server and is answered as
// InternalServerError.
type apiError struct {
	space   string
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
	body := map[string]any{"__type": e.space + e.code, "message": e.message}
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

// status is the HTTP status to send.
func (e *apiError) status() int {
	if e.code == codeInternal {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

const (
	codeInternal    = "InternalServerError"
	codeValidation  = "ValidationException"
	codeConditional = "ConditionalCheckFailedException"
	codeNotFound    = "ResourceNotFoundException"
	codeInUse       = "ResourceInUseException"
)

// asAPIError gives the error to answer for err.
func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return &apiError{space: spaceDynamoDB, code: codeInternal, message: err.Error()}
}

func invalid(format string, args ...any) error {
	return &apiError{space: spaceValidate, code: codeValidation, message: fmt.Sprintf(format, args...)}
}

// invalidParam is a ValidationException of the family about parameter values.
func invalidParam(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

func notSupported(parameter string) error {
	return invalid("The parameter %s is not supported by this server", parameter)
}

func notSerializable(message string) error {
	return &apiError{space: spaceService, code: "SerializationException", message: message}
}

func unknownOperation(name string) error {
	return &apiError{space: spaceService, code: "UnknownOperationException", message: "The operation " + name + " is not known to this server"}
}

func fault(code, message string) error {
	return &apiError{space: spaceDynamoDB, code: code, message: message}
}

// conditionFailed is the answer to a write whose condition does not hold.
func conditionFailed(old Item) error {
	return &apiError{space: spaceDynamoDB, code: codeConditional, message: "The conditional request failed", item: old}
}

package redshiftcopy

import "fmt"

// Error is why a COPY as a whole does not begin, or ends.
type Error struct {
	Code    string // SQLSTATE
	Message string
	Context string // what it is about, such as a URL; it has no secrets
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// broken is an error as Redshift's compute nodes have them.
func broken(context, format string, args ...any) error {
	return &Error{Code: "XX000", Message: fmt.Sprintf(format, args...), Context: context}
}

// The codes of LineError.
// Source: Redshift "Load error reference".
const (
	CodeNoDelimiter = 1201
	CodeExtra       = 1202
	CodeTooLong     = 1204
	CodeDate        = 1205
	CodeTimestamp   = 1206
	CodeDigit       = 1207
	CodeFloat       = 1208
	CodeDecimal     = 1209
	CodeBoolean     = 1210
	CodeEmptyLine   = 1211
	CodeNull        = 1213
	CodeEndQuote    = 1214
	CodeLine        = 1216
	CodeUTF8        = 1220
)

// LineError is why a line of an object is no row, as STL_LOAD_ERRORS has it.
type LineError struct {
	File     string // URL
	Line     int64  // from 1
	Column   string // "" if it is about the line
	Type     Type   // of the column
	Position int    // of the field in the line, in bytes from 0
	Line1024 string // the line, as much as there is room for
	Field    string // the value
	Code     int
	Reason   string // at most 100 characters; it may have a part of the value
}

// valueError is why a text is no value of a type.
type valueError struct {
	code   int
	reason string
}

func (e *valueError) Error() string { return e.reason }

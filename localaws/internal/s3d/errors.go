package s3d

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/johannesboyne/gofakes3"
)

// apiError is an error as S3 answers it.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func noSuchBucket(name string) error {
	return refuse(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist: %s", name)
}

func noSuchKey() error {
	return refuse(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}

func noSuchUpload() error {
	return refuse(http.StatusNotFound, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

func malformedXML() error {
	return refuse(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed.")
}

func notImplemented(what string) error {
	return refuse(http.StatusNotImplemented, "NotImplemented", "The local S3 does not have %s.", what)
}

// asAPIError turns any error into one that can be answered: what is not an
// apiError is a failure of this server, such as a full disk.
func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return refuse(http.StatusInternalServerError, "InternalError",
		"We encountered an internal error. Please try again. (%v)", err)
}

// forGofakes3 turns an error into one that gofakes3 answers with the same
// code; it knows neither wrapped errors nor ours.
func forGofakes3(err error) error {
	if err == nil {
		return nil
	}
	e := asAPIError(err)
	return gofakes3.ErrorMessage(gofakes3.ErrorCode(e.code), e.message)
}

type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string `xml:",omitempty"`
	RequestID string `xml:"RequestId,omitempty"`
}

// drainLimit is how much of an unread body is received before an error is
// answered: a client that is cut off while it sends sees a broken connection
// and not the answer.
const drainLimit = 64 << 20

// Drain receives the rest of a request's body, up to a limit, and forgets it.
func Drain(r *http.Request) {
	if r.Body != nil {
		_, _ = io.CopyN(io.Discard, r.Body, drainLimit) // the answer does not depend on it
	}
}

// WriteError answers a request with an S3 error, after receiving the rest of
// its body. A HEAD gets the status alone.
func WriteError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	Drain(r)
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	writeXML(w, status, errorBody{
		Code: code, Message: message, Resource: r.URL.Path, RequestID: h.Get("X-Amz-Request-Id"),
	})
}

func writeAPIError(w http.ResponseWriter, r *http.Request, err error) {
	e := asAPIError(err)
	WriteError(w, r, e.status, e.code, e.message)
}

func writeXML(w http.ResponseWriter, status int, v any) {
	text, err := xml.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text = append([]byte(xml.Header), text...)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone has no use for the answer
}

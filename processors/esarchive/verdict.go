package esarchive

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// verdict is what follows from an answer for one document.
type verdict uint8

const (
	again      verdict = iota // it is tried again, while there is time
	done                      // it is in the index
	superseded                // the index has a later version of it
	hopeless                  // it failed for good
	anew                      // it is sent again at once, and this was no try
)

// judge says what follows from the answer for a document, which was sent with the id of its
// record or not. It is a pure function of the Config:
//
//	answer                                       verdict
//	2xx                                          done
//	409, ids of sequence numbers and create      done: nobody else can have given the id,
//	                                             or with a Pipeline, which may: hopeless
//	409, an external version                     superseded
//	409, an id of a field and create             hopeless
//	400 of Serverless: ids are not supported     anew, without
//	400, 413 with FastFail                       hopeless, but for what the cluster as a whole lacks
//	anything else                                again
func (s *settings) judge(it item, hadID bool) verdict {
	switch {
	case it.status >= 200 && it.status <= 299:
		return done
	case it.status == http.StatusConflict && isConflict(it.kind):
		return s.conflict(hadID)
	case hadID && s.ownIDs() && s.Service == Serverless && refusesID(it):
		return anew
	case s.FastFail && (it.status == http.StatusRequestEntityTooLarge || it.status == http.StatusBadRequest && it.kind != "validation_exception"):
		return hopeless // validation_exception: there may be no more shards
	}
	return again
}

func (s *settings) conflict(hadID bool) verdict {
	switch {
	case s.IDs.VersionField != "":
		return superseded
	case s.Operation != OpCreate:
		return again
	case s.IDs.Field != "", hadID && s.Pipeline != "":
		return hopeless
	case hadID:
		return done
	default:
		return again
	}
}

// isConflict reports whether an error of the status 409 is about the document's id.
func isConflict(kind string) bool {
	return kind == "" || kind == "version_conflict_engine_exception" || kind == "document_already_exists_exception"
}

// refusesID reports whether a document was refused as collections of time series are
// not given ids. Reasons may quote a document, but do not begin so.
func refusesID(it item) bool {
	return it.status == http.StatusBadRequest && it.kind == "illegal_argument_exception" && strings.HasPrefix(it.reason, "Document ID is not supported")
}

// isAuth reports whether a document was refused by what the credentials permit.
func (it item) isAuth() bool {
	return it.status == http.StatusUnauthorized || it.status == http.StatusForbidden && it.kind == "security_exception"
}

// isBlocked reports whether a document was refused by the state of the cluster, such as a
// full disk, whatever it has.
func (it item) isBlocked() bool {
	return it.status == http.StatusTooManyRequests || it.isAuth() || it.status >= 400 && it.kind == "cluster_block_exception"
}

// last is what is known of a document's last try.
type last struct {
	code, message string
	kind          string // error.type, for logs; "" for a request that failed
	shared        bool   // by the documents of a request
}

// maxMessage is how long messages may be when there are many.
const maxMessage = 256

// of says why a document failed, at length or, if there are many, briefly.
func (it item) of(brief bool) *last {
	l := &last{code: strconv.Itoa(it.status), message: joined(it.kind, it.reason), kind: it.kind}
	switch {
	case it.status == 0:
		l.code, l.message = codeService, "the answer has no status for the document"
	case l.message == "":
		l.message = fmt.Sprintf("HTTP status %d, without a reason", it.status)
	case brief:
		l.message = cut(l.message, maxMessage)
	}
	return l
}

// of says why the documents of a request failed.
func (f *fault) of() *last { return &last{code: f.code, message: f.message, shared: true} }

// err is the fault as an error, which is nil for none.
func (f *fault) err() error {
	if f == nil {
		return nil
	}
	return &requestError{f}
}

// requestError is why a request failed as a whole. Of an answer it has the status and the
// kind, and not the reason, which may quote documents: it is for logs.
type requestError struct{ f *fault }

func (e *requestError) Error() string {
	if e.f.status != 0 {
		return e.f.code + ": " + describe(e.f.status, said{kind: e.f.kind})
	}
	return e.f.code + ": " + e.f.message
}

// whole reports whether it is the cluster as a whole that took nothing.
func (f *fault) whole() bool { return f.down || f.auth || f.rejected }

// judgeFault says what follows for the documents of a request that failed as a whole.
//
//	fault                                                  verdict
//	413 of several documents                               anew, in smaller requests
//	413 of one document with FastFail                      hopeless
//	nothing is taken, and PauseWhenDown                    again, without end
//	anything else                                          again
func (s *settings) judgeFault(f *fault, n int) verdict {
	if f.tooLarge {
		switch {
		case n > 1:
			return anew
		case s.FastFail:
			return hopeless
		}
	}
	return again
}

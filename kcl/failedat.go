package kcl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/shardmill/shardmill/checkpoint"
)

// FailedAt wraps the error of ProcessRecords to say which record of the call it
// is about: the processor has taken those before r, and neither r nor those after
// it. Only r is processed again, in calls of its own, and after the last try only
// r goes to Config.DeadLetter. Those after r wait for that, so their order stays.
//
// Around an error of GiveUp, or within one, it makes r the record that no other
// try can help. An r that is not among the records of the call names none: the
// error is about all of them. It returns nil if err is nil.
func FailedAt(r Record, err error) error {
	if err == nil {
		return nil
	}
	return &recordError{at: r.Position().ExtendedSequenceNumber, err: err}
}

type recordError struct {
	at  checkpoint.ExtendedSequenceNumber
	err error
}

func (e *recordError) Error() string { return fmt.Sprintf("record %v: %v", e.at, e.err) }
func (e *recordError) Unwrap() error { return e.err }

// failedAt returns the index in recs of the record that err names, or -1.
func failedAt(err error, recs []Record) int {
	e, ok := errors.AsType[*recordError](original(err))
	if !ok {
		return -1
	}
	return slices.IndexFunc(recs, func(r Record) bool { return r.Position().ExtendedSequenceNumber == e.at })
}

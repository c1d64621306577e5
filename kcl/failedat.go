package kcl

import (
	"cmp"
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
// error is about all of them. If several such errors are joined, that of the first
// record counts, and so does GiveUp only around or within that: those after it are
// processed again anyway. Of one around another the outer counts. It returns nil if
// err is nil.
func FailedAt(r Record, err error) error {
	if err == nil {
		return nil
	}
	return &recordError{at: r.Position().ExtendedSequenceNumber.Clone(), err: err}
}

type recordError struct {
	at  checkpoint.ExtendedSequenceNumber
	err error
}

func (e *recordError) Error() string { return fmt.Sprintf("record %v: %v", e.at, e.err) }
func (e *recordError) Unwrap() error { return e.err }

// index returns the index in recs of the record that e names, or -1.
func (e *recordError) index(recs []Record) int {
	return slices.IndexFunc(recs, func(r Record) bool { return r.Position().ExtendedSequenceNumber == e.at })
}

// failedAt returns the index in recs of the record that err names, or -1.
func failedAt(err error, recs []Record) int {
	e, ok := errors.AsType[*recordError](original(err))
	if !ok {
		return -1
	}
	return e.index(recs)
}

// foremost returns the error that counts of those of FailedAt that are joined in
// what a processor returned: that of the first record, or one that names none of
// the call. Any other would have the records before its own accepted.
func foremost(err error, recs []Record) error {
	u, ok := errors.AsType[*userError](err)
	if !ok {
		return err
	}
	all := named(u.err)
	if len(all) < 2 {
		return err
	}
	first := slices.MinFunc(all, func(a, b *recordError) int { return cmp.Compare(a.index(recs), b.index(recs)) })
	return fromUser(&recordError{at: first.at, err: fmt.Errorf("%w (the first of: %v)", first.err, u)}) //nolint:errorlint // the others' turn comes
}

// named returns the errors of FailedAt that are joined in err. GiveUp around
// several of them is around each.
func named(err error) (all []*recordError) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree
	case *recordError:
		return []*recordError{e}
	case *giveUpError:
		for _, r := range named(e.err) {
			all = append(all, &recordError{at: r.at, err: GiveUp(r.err)})
		}
	case interface{ Unwrap() error }:
		return named(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			all = append(all, named(one)...)
		}
	}
	return all
}

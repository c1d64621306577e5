package kcl

import (
	"errors"
	"fmt"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// FaultPolicy is what becomes of an aggregated record that cannot be taken apart.
type FaultPolicy int

const (
	// FaultRaw has it processed as one record, as it was put.
	FaultRaw FaultPolicy = iota

	// FaultDrop has it not processed. Each drop is counted and logged: see
	// Hooks.AggregatesDropped.
	FaultDrop

	// FaultDeadLetter has Config.DeadLetter called with it, and not the processor:
	// once the records before it are accepted, and before those after it are
	// processed.
	FaultDeadLetter
)

// KPLFaults says for each fault of an aggregated record what becomes of it. The
// zero value has all of them processed as they are, and nothing is lost. So does
// Java, but with Index: there it processes the user records before the one with
// the bad index, and loses the others.
//
// Where a checkpoint stands within a record that now cannot be taken apart, the
// rest of it is not done: the policy is for the whole of it.
// Source: Java KCL AggregatorUtil.deaggregate.
type KPLFaults struct {
	Short     FaultPolicy // kpl.ErrShort
	Digest    FaultPolicy // kpl.ErrDigest
	Malformed FaultPolicy // kpl.ErrMalformed
	Index     FaultPolicy // kpl.ErrIndex
}

// Wire returns which faults are not processed, as a number of four bits, where
// that is stored: it tells the records that a processor got. It stays the same in
// all versions, and is 0 for the zero value.
func (f KPLFaults) Wire() uint8 {
	var wire uint8
	for bit, p := range f.policies() {
		if *p != FaultRaw {
			wire |= 1 << bit
		}
	}
	return wire
}

// KPLFaultsOf returns faults for a replay that leave out what those did of which
// Wire returned the number, and false if there are none.
func KPLFaultsOf(wire uint8) (KPLFaults, bool) {
	var f KPLFaults
	policies := f.policies()
	for bit, p := range policies {
		if wire&(1<<bit) != 0 {
			*p = FaultDrop
		}
	}
	return f, wire < 1<<len(policies)
}

// policies returns the fields, in the order of their bits.
func (f *KPLFaults) policies() [4]*FaultPolicy {
	return [...]*FaultPolicy{&f.Short, &f.Digest, &f.Malformed, &f.Index}
}

// of returns the policy for an error of package kpl.
func (f KPLFaults) of(fault error) FaultPolicy {
	switch {
	case errors.Is(fault, kpl.ErrShort):
		return f.Short
	case errors.Is(fault, kpl.ErrDigest):
		return f.Digest
	case errors.Is(fault, kpl.ErrMalformed):
		return f.Malformed
	case errors.Is(fault, kpl.ErrIndex):
		return f.Index
	}
	return FaultRaw
}

// check returns what is wrong with f if there is a DeadLetter, or not.
func (f KPLFaults) check(deadLetter bool) (errs []error) {
	names := [...]string{"Short", "Digest", "Malformed", "Index"}
	for i, p := range f.policies() {
		switch {
		case *p < FaultRaw || *p > FaultDeadLetter:
			errs = append(errs, fmt.Errorf("kcl: Config.KPLFaults.%s is %d; it must be one of the constants", names[i], *p))
		case *p == FaultDeadLetter && !deadLetter:
			errs = append(errs, fmt.Errorf("kcl: Config.KPLFaults.%s is FaultDeadLetter, and Config.DeadLetter is not set; set it, or choose FaultRaw or FaultDrop", names[i]))
		}
	}
	return errs
}

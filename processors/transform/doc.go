// Package transform changes records on their way into objects, by the contract of
// Firehose's data transformation: whatever does it gets a batch of records, and says
// of each by its ID what becomes of it.
//
// What does it is a [Function]:
//
//	Func, Each                     a function of Go
//	package command                a program that reads and writes lines of JSON
//	package lambdatransform        a function of AWS Lambda
//
// A [Runner] calls it: within limits of size and time, again where that may help, and
// so that nothing it does, a panic least of all, is more than records that failed.
//
// # What fails
//
//	what happens                                  tried again  becomes
//	an error, a panic, the end of its goroutine   yes          Lambda.FunctionError, each record of the batch
//	no answer in time                             yes          Lambda.FunctionTimedOut, each record
//	it could not be called                        yes          what its Error says, each record
//	an answer of more than 6 MB                   as halves    Lambda.FunctionError, if it was of one record
//	a record of more than 6 MB                    no           Lambda.InvocationFailure
//	an answer that is no answer                   no           Lambda.MissingRecordId, each record
//	an answer with faults                         no           see Judge: that record; the others are delivered
//
// Sources: Firehose's guide, "Data transformation" and "Handle failure in data
// transformation", and what was observed of it. Where neither says what happens, it is
// marked as ours.
package transform

// Package exactlyonce has what the exactly-once protocol decides and remembers:
// the plan that an archiver stores in a lease row between prepare and commit,
// and each decision that is a function of values. Package processors acts on
// them; the model in this package's tests calls the same functions, so that it
// checks what runs.
package exactlyonce

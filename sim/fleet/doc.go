// Package fleet measures whole fleets in virtual time, where it matters how
// many there are: how soon the leases of many workers are balanced, and what
// leases cost in requests and capacity. It has tests only; `go test ./sim/fleet
// -v -args -full` runs the full sizes and logs the figures.
package fleet

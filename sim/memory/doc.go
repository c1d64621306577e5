// Package memory measures what a worker takes of the machine's memory: on many
// shards that are all behind, with large answers and slow processors. It has tests
// only: `make memory TIME=10m`.
package memory

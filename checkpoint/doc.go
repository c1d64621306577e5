// Package checkpoint says how far a shard is done: extended sequence numbers
// and their order, positions with the server-side timestamp, and the
// Checkpointer that keeps the rules of the Java KCL about which positions may
// be written.
//
// It is the leaf of the house: it imports the standard library only, and the
// table reaches it through [Writer], which package lease implements.
package checkpoint

// Package sim runs whole worlds in virtual time, one for each seed: workers
// that share a stream through a lease table and archive it, on a bad network,
// with machines that stall and crash, and reshards. It checks what package kcl
// and package processors promise:
//
//   - no two workers run a call for one shard while both trust their lease, and
//     no call begins after trust has ended
//   - the records of a shard come in order, and after those of its parents
//   - checkpoints never go back, and SHARD_END comes after every record
//   - every record is accepted; every record is in exactly one object
//   - once the faults are over every lease is held, and at the end released
//
// It has tests only: `make sim SEEDS=n`.
package sim

// Package interop holds the tests that run this module beside the real Java
// KCL, on one lease table in DynamoDB Local and one stream in kinesis-mock. It
// has no code of its own; scripts/interop.sh installs and starts what the tests
// need and runs them.
package interop

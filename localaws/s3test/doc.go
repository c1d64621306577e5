// Package s3test is the conformance suite for an S3 that archivers deliver to:
// it checks, through the AWS SDK, what their correctness hangs on.
//
// It keeps localaws honest: the same suite runs against it and against a
// server that others wrote.
package s3test

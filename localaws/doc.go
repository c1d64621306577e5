// Package localaws is Kinesis, DynamoDB and S3 inside this process, for
// running a whole stream application on a laptop and for testing one without
// mocks: the real AWS SDK signs, sends, retries and decodes, and the services
// check what it sent as the real ones do.
//
//	stack, err := localaws.New(localaws.Options{})
//	…
//	cfg := stack.AWSConfig() // calls the stack in this process, no sockets
//	client := kinesis.NewFromConfig(cfg)
//
// # What it is
//
// A Stack is one http.Handler. It tells the services apart by X-Amz-Target,
// verifies each request's Signature Version 4, and lets tests break things on
// purpose (Faults): throttling, server errors, latency, connections cut before
// or after the request took effect, requests that take effect long after the
// client gave up, and those that are never answered.
//
// There are two ways to it, with the same behaviour:
//
//   - AWSConfig, for clients in this process. It opens no sockets and works in
//     a testing/synctest bubble, in virtual time. A Stack that is used in a
//     bubble has to be made in it.
//   - Serve, for other processes: HTTP/1.1 and HTTP/2 without TLS on one
//     listener. Environ has the variables that point an AWS SDK at it.
//
// # What it is not
//
// It is no copy of AWS. It has one account and one region, no IAM, no TLS, no
// billing, and no limits unless Options.Limits asks for them. Streams and
// tables are in memory and end with the process; objects are files if
// Options.Dir is set. It is not meant to be reached from other machines.
//
// # Operations
//
// Kinesis, by its JSON protocol: streams, shards and resharding, PutRecord,
// PutRecords, GetShardIterator and GetRecords. The documentation of
// internal/kinesisd has the details.
//
// DynamoDB: tables with global indexes, the item operations with their
// expressions, Query, Scan, batches and transactions. The documentation of
// internal/dynamodbd has the details.
//
// S3 (internal/s3d has the details): ListBuckets, CreateBucket, HeadBucket, DeleteBucket,
// GetBucketLocation, ListObjects, ListObjectsV2, PutObject, CopyObject,
// GetObject, HeadObject, DeleteObject, DeleteObjects, CreateMultipartUpload,
// UploadPart, CompleteMultipartUpload, AbortMultipartUpload, ListParts and
// ListMultipartUploads. Conditional writes, part sizes and checksums are
// enforced. Versioning, ACLs, policies, tags, lifecycle rules and presigned
// URLs are answered with NotImplemented or refused.
//
// An operation that is not there is answered with an error that says so.
package localaws

// Package localaws is Kinesis, DynamoDB, S3, a cluster of Elasticsearch or OpenSearch and a
// warehouse of Redshift inside this process, for running a whole stream application on a
// laptop and for testing one without mocks: the real AWS SDK signs, sends, retries
// and decodes, and the services check what it sent as the real ones do.
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
// It is no copy of AWS. It has one account and one region, hardly any IAM, no TLS, no
// billing, and no limits of rate unless Options.Limits asks for them. Streams
// and tables are in memory and end with the process; objects are files if
// Options.Dir is set.
//
// It is not meant to be reached from other machines. The default credentials
// are public, so requests over a connection must call it by an IP address, by
// localhost or by one of Options.Hosts, and browsers are refused what pages of
// elsewhere send. Key, scope and date are checked before a body is read, and
// the bodies that are in memory at once have a limit; so has the time that one
// may take to arrive. A directory that others may write to can give it other
// objects, but does not lead it to files outside.
//
// # Operations
//
// Kinesis, in JSON and in the CBOR of the AWS SDKs for Java: streams, shards
// and resharding, PutRecord, PutRecords, GetShardIterator and GetRecords. The
// documentation of internal/kinesisd has the details.
//
// DynamoDB: tables with global indexes, the item operations with their
// expressions, Query, Scan, batches and transactions. The documentation of
// internal/dynamodbd has the details.
//
// S3 (internal/s3d has the details): ListBuckets, CreateBucket, HeadBucket,
// DeleteBucket, GetBucketLocation, ListObjects, ListObjectsV2, PutObject,
// CopyObject, GetObject, HeadObject, DeleteObject, DeleteObjects,
// CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload,
// AbortMultipartUpload, ListParts and ListMultipartUploads; also by presigned
// URLs. Conditions on writes, reads, copies and deletes, part sizes and
// checksums are enforced. Tags, lifecycle rules, storage classes, and ACLs other
// than bucket-owner-full-control, are refused by name: no header of S3's own is
// dropped in silence. A key for encryption comes back with its object, which is
// not encrypted. [Stack.SetBucket] has a bucket in another region, or with a
// policy, ownership and versions as somebody may configure them, of which
// ListObjectVersions tells; [Stack.Permit] limits what a key may do.
//
// Elasticsearch and OpenSearch (internal/clusterd has the details): bulk requests, with
// mappings, versions, aliases, data streams and blocks as the engine has them that
// Options.Cluster names, and what makes and reads indices. [Stack.Cluster] has them by
// ways of its own: Transport, for clients in this process, and Serve. They speak no AWS
// protocol, but requests are signed for es, or for aoss.
//
// Redshift (internal/warehoused has the details): PostgreSQL's protocol, with COPY from the
// Stack's S3, transactions with Redshift's snapshots and locks, and the tables that tell of
// loads and connections. [Stack.Warehouse] has it by ways of its own: Addr and Serve, and Dial for
// clients in this process. The Redshift Data API is one of the Stack's services:
// ExecuteStatement, BatchExecuteStatement, DescribeStatement, GetStatementResult and
// CancelStatement. Its SQL can be PostgreSQL's own instead: [WarehouseOptions].
//
// Tried, with their defaults and the variables of Environ: botocore, the SDK for
// Java and its multipart client, the Java KCL 2.7 and 3.5 with PollingConfig,
// and the KPL 1.1, whose setKinesisEndpoint would have it speak TLS.
//
// An operation or a service that is not there is answered with an error that
// says so, in the protocol of the request.
package localaws

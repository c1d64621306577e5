// Package config reads the archiver's configuration file. It is the input of
// Firehose's CreateDeliveryStream, as YAML or JSON, or what the package importer
// has made that of, and one key of our own:
//
//	DeliveryStreamName: orders
//	KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
//	ExtendedS3DestinationConfiguration:
//	  BucketARN: arn:aws:s3:::archive
//	  Prefix: logs/
//	  BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 300}
//	  CompressionFormat: GZIP
//	shardmill:
//	  applicationName: orders-archiver
//
// # The shardmill key
//
// All of its members are optional, as is the key itself:
//
//	member                    default             meaning
//	applicationName           DeliveryStreamName  the lease table, which all workers of the application share
//	initialPosition           TRIM_HORIZON        where a shard without a lease is begun: TRIM_HORIZON, LATEST (Firehose's) or an RFC 3339 time
//	delivery                  exactly-once        or at-least-once
//	bufferingHints            none                SizeInMBs 1-1024 and IntervalInSeconds 1-43200, beyond Firehose's, instead of all BufferingHints, the backup's too
//	compressionFormat         none                ZSTD, a format that Firehose does not have, instead of CompressionFormat
//	gzipLevel                 5                   how much GZIP compresses: 1 (fast) to 9 (small)
//	formerBuckets             none                names of buckets where objects may be finished that were prepared before BucketARN was changed
//	deliveryStreamVersion     1                   the number in object names that Firehose counts a stream's changes with; 1-999999999
//	failoverTimeSeconds       10                  how long the lease of a dead worker lives; 1-86400, the same for all workers
//	scanIntervalSeconds       half of the former  how often leases to take are looked for; 1-86400
//	shardSyncIntervalSeconds  60                  how often the stream's shards are compared with the leases; 1-86400
//	maxLeases                 no limit            the most leases that this worker holds; 1-1000000
//	maxMemoryMBs              256                 memory for records, in MiB; 1-1048576
//	spoolDirectory            the system's        where open objects are kept that outgrow memory
//	staging                   _shardmill/ there   where bundles are while a cut of several objects is delivered, s3://BUCKET/PREFIX; the default is in the bucket of BucketARN
//	errorLines                newest              the members of the lines of error objects: newest, or older, which Firehose wrote until 2022 and its guide shows
//	healthAddress             127.0.0.1:9500      where /healthz, /readyz and /metrics are served: IP:PORT, localhost:PORT, :PORT for all addresses; port 0 for a free one; or off
//	emfNamespace              none                the namespace of Firehose's metrics in CloudWatch; with it a line in CloudWatch's embedded metric format is written once a minute
//	emfFile                   standard output     the file to which these lines are appended
//
// Health needs no password, so that by default only this machine reaches it; an
// address that others reach is allowed, with a warning. If the default's port is
// taken the archiver runs without health and logs a warning: several archivers
// may share a machine without being configured apart. If an address that the
// file names is taken, the archiver does not start: something waits to find it
// there.
//
// # Prefixes
//
// Prefix and ErrorOutputPrefix may have expressions, as Firehose's may; package
// processors/prefix has which, and what follows a prefix that has none. CustomTimeZone
// and FileExtension are Firehose's too. Expressions with partition keys are refused:
// they need dynamic partitioning.
//
// # Environment variables
//
// In a text that is a value, as opposed to the name of a member, ${NAME} is the
// value of that environment variable:
//
//	BucketARN: arn:aws:s3:::${BUCKET}
//	BufferingHints: {SizeInMBs: "${SIZE}", IntervalInSeconds: 300}
//
// NAME is of letters, digits and _. What a variable holds is text whatever is in
// it, is looked at once, and must be what the member may be; one that is all there
// is, as "${SIZE}" is, may also be a number, or true or false. Where YAML has
// braces or brackets around, and in JSON, it needs quotes. $${ is written for a ${
// that is none. A variable that is not set is a fault; there are no defaults.
//
// No member is a secret: all of them show in logs, metrics or the names of
// objects. A variable that is named like one (SECRET, PASSWORD, PASSWD, TOKEN,
// CREDENTIAL, PRIVATE_KEY, ACCESS_KEY or API_KEY in its name) is refused, so that
// none gets there by mistake. Credentials of AWS come from the SDK's own
// environment.
//
// # What is refused
//
// A member of Firehose's shape that would act, but is not built yet, is refused
// by name: a configuration never means less here than it says. So are the
// processors of ProcessingConfiguration but Decompression, CloudWatchLogProcessing
// and AppendDelimiterToRecord, whose Delimiter may only be a newline. Members that act
// at AWS and have no effect here are accepted with a warning, one for each name:
// RoleARN (credentials come from the environment), Tags, CloudWatchLoggingOptions.
// So are, without one, those that would do nothing anyway: NoEncryption,
// S3BackupMode Disabled, and whatever has Enabled: false; but as Firehose would not
// have taken them either, values in there that break its model are refused. What
// aws firehose create-delivery-stream --generate-cli-skeleton prints is no
// exception: each placeholder that is left in it is a value, and refused if it
// can be none. So that a slip of the pen is found, unknown keys, keys given
// twice, and values of another type than Firehose's are refused too, and of YAML
// only what JSON can say is accepted: no anchors, aliases, tags or second
// document.
//
// All faults are reported at once, in the order of the file, each with line,
// field, value and remedy. Where Firehose's own text is known, it follows.
package config

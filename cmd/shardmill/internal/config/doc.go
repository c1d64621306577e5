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
// or in place of objects, documents of Elasticsearch or OpenSearch:
//
//	AmazonopensearchserviceDestinationConfiguration:
//	  ClusterEndpoint: https://search-orders-abc.us-east-1.es.amazonaws.com
//	  IndexName: orders
//	  S3Configuration: {BucketARN: "arn:aws:s3:::archive"}
//
// or objects that are loaded into Redshift: RedshiftDestinationConfiguration.
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
//	transform                 none                a command that changes records, in place of a Lambda function; its members follow
//	activePartitions          500 / open shards   with dynamic partitioning, how many objects of a shard may be open at once; 1-1000000
//	partitionOverflow         fail                what becomes of a record that would need one more: fail, Firehose's, puts it into an error object; finish completes the oldest object
//	eventTime                 the arrival         with dynamic partitioning, where a record says when what it is of happened, for the timestamps in Prefix: jq, a query, and formats, a list of how the time may be written; package processors/partition has which
//
// With a destination of documents also:
//
//	member              default       meaning
//	engine              it is asked   what the cluster is, such as OpenSearch_2.19 or Elasticsearch_6.8, for one that may not be asked; not of Serverless
//	auth                sigv4         how requests are authenticated: sigv4, with the credentials of the SDK's environment; basic; apiKey; or none
//	username            none          the user, of basic
//	password            none          the password, of basic; or
//	passwordFile        none          the name of a file that has it, a line of text, which is read again when it changes
//	apiKey              none          the key, of apiKey, in its encoded form; or
//	apiKeyFile          none          the name of a file that has it, likewise
//	caFile              the system's  a file of certificates in PEM, of the authorities that sign the cluster's
//	insecureHTTP        false         allows http:// to other machines than this one
//	endpoints           none          more URLs of the cluster of ClusterEndpoint, such as those of its nodes
//	weeks               us            how OneWeek counts: us, from Sunday on, Firehose's; or iso
//	idField             none          the path in the document, a.b, of its id, a text or an integer, in place of DocumentIdOptions
//	versionField        none          the path of an integer: of two documents of one id the one with the greater version is kept; with idField
//	idPrefix            false         puts a digest of the stream before ids of sequence numbers, which two streams may have in common
//	operation           index         or create, which replaces nothing, and which data streams need
//	pipeline            none          the ingest pipeline
//	routingField        none          the path of the value by which a document is routed
//	fastFail            false         gives up at once documents that are refused with 400, and one that is too large by itself
//	pauseWhenDown       false         keeps documents while the cluster takes none at all, in place of failing them after RetryOptions
//	requestCompression  none          or GZIP, of the bodies of requests
//	maxRequestMBs       5             how large the body of a request may get, in MiB, before compression; 1-100
//
// With RedshiftDestinationConfiguration also, beside caFile and passwordFile, which it has in common
// with documents:
//
//	member              default       meaning
//	ledger              none          the table that has what is loaded, SCHEMA.TABLE; with it each record is loaded exactly once. Not with delivery at-least-once
//	commitOn            stage         what a checkpoint waits for: stage, until objects and their marker are there, Firehose's; or load
//	copyCredentials     role          what COPY reads the bucket with: role, RoleARN, which is attached to the cluster; or session, keys of the SDK's environment
//	copyTimeoutSeconds  14400         after which a COPY that is not answered is given up; 60-86400
//	login               password      how the loader logs in: password, Username and Password or passwordFile; secret, SecretsManagerConfiguration, the default if that is
//	                                  enabled; iam, temporary passwords of Redshift; dataApi, the Redshift Data API
//	clusterIdentifier   ClusterJDBCURL's  the cluster, with iam and dataApi; or
//	workgroup           ClusterJDBCURL's  the workgroup of Redshift Serverless
//	dbUser              none          with iam and dataApi the user, of a cluster; none is the user that the identity of the SDK's environment is
//	clusterEndpoint     none          HOST:PORT where the database is reached, in place of that of ClusterJDBCURL, which may then have any host
//	loaderTable         APPLICATION-shardmill  the table of the lease of who loads; never that of the application's leases
//	loaderBilling       PAY_PER_REQUEST        of that table, if it is created; or an object, read and write, with its units
//
// The members of transform:
//
//	member                   default            meaning
//	command                  required           the program and its arguments, a list of texts; no shell
//	directory                the archiver's     where it runs
//	environment              none               variables beside those of the archiver, an object of texts
//	memoryMBs                no limit           memory that a process may have, in MiB; 1-1048576
//	timeoutSeconds           300                how long a batch may take; 1-300
//	processes                one a processor    how many run side by side; 1-256
//	numberOfRetries          3                  as the processor Lambda's; 0-300
//	bufferSizeInMBs          1                  as the processor Lambda's, with the next; 0.2-3
//	bufferIntervalInSeconds  60                 0-900
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
// and FileExtension are Firehose's too.
//
// # Processors and dynamic partitioning
//
// What is done with a record has Firehose's order, in whatever order a file has the
// processors: de-aggregation of the KPL's records, Decompression,
// CloudWatchLogProcessing, RecordDeAggregation, Lambda or transform, partition keys,
// AppendDelimiterToRecord, compression. Each is held to Firehose's rules, as far as they
// are known. Where its guide says nothing:
//
//   - With dynamic partitioning and no BufferingHints these are 128 MiB and 300 s, as the
//     CDK has them. Firehose's least, 64 MiB and 60 s, is the
//     least here too; shardmill.bufferingHints may be less, and then stand for both.
//   - DynamicPartitioningConfiguration must say whether it is Enabled. Its RetryOptions
//     have no effect, with a warning: no put is given up.
//   - Each key of MetadataExtractionQuery must be in Prefix, and each
//     !{partitionKeyFromQuery:KEY} of Prefix in the query; one with partitionKeyFromLambda
//     needs a transform. The query is judged when the file is read.
//   - With shardmill.eventTime a Prefix may do without partition keys: then it is the
//     timestamps in it, or in the date path that follows it, that make partitions.
//   - A Delimiter of RecordDeAggregation is refused with JSON.
//
// # Documents
//
// ElasticsearchDestinationConfiguration, AmazonopensearchserviceDestinationConfiguration and
// AmazonOpenSearchServerlessDestinationConfiguration are read as Firehose's, and with
// its words where they cannot be. Where its guide says nothing, or what is here is more:
//
//   - ClusterEndpoint may be http:// on addresses of this machine, and with insecureHTTP
//     elsewhere.
//   - TypeName is refused if engine has no types. Else it is for the cluster to tell.
//   - Of the processors Lambda and Decompression act; AppendDelimiterToRecord does nothing,
//     with a warning; those that make several records of one are refused.
//   - With S3BackupMode FailedDocumentsOnly, BufferingHints and CompressionFormat of
//     S3Configuration do nothing, with a warning unless they are the defaults. With
//     AllDocuments they are those of the objects of all documents, whose interval is then at
//     least 60 s.
//   - VpcConfiguration does nothing, with a warning.
//   - The mode may be changed by a restart with another file; Firehose's cannot be.
//
// # Redshift
//
// RedshiftDestinationConfiguration is read as Firehose's, and with its words where it cannot be.
// Where its guide says nothing, or what is here is more:
//
//   - ClusterJDBCURL may be of a loopback address, and with clusterEndpoint of any host.
//   - RoleARN is the role in the statement, and must be given unless copyCredentials is session.
//   - What CopyOptions, names of tables and columns would make of the statement is judged, and
//     refused if it were another one. A key among the options is refused, as they show.
//   - GZIP without gzip in CopyOptions is refused as UNCOMPRESSED with it is.
//   - Username and Password do nothing with another login, with a warning: what Firehose made
//     has them.
//   - An ErrorOutputPrefix of S3Configuration is refused even if it is empty.
//   - Processors that need dynamic partitioning are refused; the others act.
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
// No member but password, apiKey and RedshiftDestinationConfiguration.Password is a secret: the others show in logs, metrics or the names of
// objects. These show nowhere, and may have a variable of any name; a file for each is
// better still (passwordFile is of both passwords), and the only way to change one while the archiver runs. Elsewhere a variable that is named like one (SECRET, PASSWORD, PASSWD, TOKEN,
// CREDENTIAL, PRIVATE_KEY, ACCESS_KEY or API_KEY in its name) is refused, so that
// none gets there by mistake, and so is a member of transform.environment, and in
// transform.command an argument that sets one, as --token=… does. What else the command has
// for arguments shows too, in logs, in archive --check and in lists of processes: a secret
// belongs in a file that it reads, or is passed by its own means. Credentials
// of AWS come from the SDK's own environment, and so does what a transform's command
// needs of the kind: it has the archiver's variables.
//
// # What is refused
//
// A member of Firehose's shape that would act, but is not built yet, is refused
// by name: a configuration never means less here than it says. So is a Delimiter of
// AppendDelimiterToRecord that is no newline. Members that act
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

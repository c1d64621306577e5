package config_test

import (
	"strings"
	"testing"
)

func TestFaultsOfStream(t *testing.T) {
	t.Parallel()
	checkFaults(t, beside, []fault{
		{
			"a Snowflake destination besides",
			"SnowflakeDestinationConfiguration: {}",
			"a.yaml:5: SnowflakeDestinationConfiguration is not built yet; remove it, and use ExtendedS3DestinationConfiguration",
		},
		{
			"two destinations",
			`S3DestinationConfiguration: {BucketARN: "arn:aws:s3:::other"}`,
			"a.yaml:5: S3DestinationConfiguration is a second destination, beside ExtendedS3DestinationConfiguration in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose",
		},
		{
			"another source besides",
			"MSKSourceConfiguration: {}",
			"a.yaml:5: MSKSourceConfiguration is not built yet; remove it, and use KinesisStreamSourceConfiguration",
		},
		{
			"a source on DirectPut",
			"DirectPutSourceConfiguration: {ThroughputHintInMBs: 1}",
			"a.yaml:5: DirectPutSourceConfiguration is not built yet; remove it, and use KinesisStreamSourceConfiguration",
		},
		{
			"a database source",
			"DatabaseSourceConfiguration: {}",
			"a.yaml:5: DatabaseSourceConfiguration is not built yet; remove it, and use KinesisStreamSourceConfiguration",
		},
		{
			"DirectPut",
			"DeliveryStreamType: DirectPut",
			`a.yaml:5: DeliveryStreamType is "DirectPut"; there is no Kinesis stream to read: make one, have the producers put there, and name it in KinesisStreamSourceConfiguration`,
		},
		{
			"MSK",
			"DeliveryStreamType: MSKAsSource",
			`a.yaml:5: DeliveryStreamType is "MSKAsSource"; it is not built yet; use KinesisStreamAsSource`,
		},
		{
			"a database",
			"DeliveryStreamType: DatabaseAsSource",
			`a.yaml:5: DeliveryStreamType is "DatabaseAsSource"; it is not built yet; use KinesisStreamAsSource`,
		},
		{
			"a misspelt type",
			"DeliveryStreamType: KinesisStreamsAsSource",
			`a.yaml:5: DeliveryStreamType is "KinesisStreamsAsSource"; it must be KinesisStreamAsSource`,
		},
		{
			"another type",
			"DeliveryStreamType: Kafka",
			`a.yaml:5: DeliveryStreamType is "Kafka"; it must be KinesisStreamAsSource`,
		},
		{
			"server-side encryption",
			"DeliveryStreamEncryptionConfigurationInput: {KeyType: AWS_OWNED_CMK}",
			"a.yaml:5: DeliveryStreamEncryptionConfigurationInput does not go with a Kinesis stream; remove it, and encrypt the stream itself. Firehose says: Server side encryption from firehose is only allowed for direct put delivery streams and database as a source delivery streams",
		},
		{
			"tags that are an object",
			"Tags: {a: b}",
			"a.yaml:5: Tags is an object; it must be a list of objects with Key and Value",
		},
		{
			"tags without keys and with other members",
			"Tags: [{Value: v}, {Key: k, Val: v}, {Key: 5}, t, {Key: 'aws:createdBy'}]",
			`a.yaml:5: Tags[0].Key is missing; give it one
a.yaml:5: Tags[1].Val is not a member of Firehose's Tag; remove it; its members are Key, Value
a.yaml:5: Tags[2].Key is 5, a number; it must be a string: put it in quotes
a.yaml:5: Tags[3] is "t"; it must be an object, not a string
a.yaml:5: Tags[4].Key is "aws:createdBy"; AWS keeps keys that begin with aws: for itself; remove the tag, it has no effect here`,
		},
		{
			"a member of the destination beside it",
			"BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 300}",
			"a.yaml:5: BufferingHints is not a member of Firehose's CreateDeliveryStream; it belongs in ExtendedS3DestinationConfiguration",
		},
		{
			"a member of ours outside",
			"maxLeases: 5",
			"a.yaml:5: maxLeases is not a member of Firehose's CreateDeliveryStream; it belongs in shardmill",
		},
		{
			"our key misspelt",
			"shardMill: {}",
			"a.yaml:5: shardMill is not a member of Firehose's CreateDeliveryStream; did you mean shardmill?",
		},
		{
			"our key without members",
			"shardmill:",
			"a.yaml:5: shardmill has no value; give it one or remove it",
		},
		{
			"our key as a list",
			"shardmill: [a]",
			"a.yaml:5: shardmill is a list; it must be an object",
		},
	})
}

func TestFaultsOfOurs(t *testing.T) {
	t.Parallel()
	checkFaults(t, inOurs, []fault{
		{"a format of Firehose's as ours", "compressionFormat: ZIP", `a.yaml:6: shardmill.compressionFormat is "ZIP"; it must be ZSTD; Firehose's own formats go into CompressionFormat`},
		{"a format of nobody's", "compressionFormat: zstd", `a.yaml:6: shardmill.compressionFormat is "zstd"; it must be ZSTD`},
		{"a level without GZIP", "gzipLevel: 9", "a.yaml:6: shardmill.gzipLevel is 9; it does nothing without GZIP; remove it, or set CompressionFormat to GZIP"},
		{
			"a level that is none, without GZIP", "compressionFormat: ZSTD\ngzipLevel: 10",
			"a.yaml:7: shardmill.gzipLevel is 10; it must be between 1 and 9\na.yaml:7: shardmill.gzipLevel is 10; it does nothing without GZIP; remove it, or set CompressionFormat to GZIP",
		},
		{
			"hints that are too large", "bufferingHints: {SizeInMBs: 1025, IntervalInSeconds: 43201}",
			"a.yaml:6: shardmill.bufferingHints.SizeInMBs is 1025; it must be between 1 and 1024\na.yaml:6: shardmill.bufferingHints.IntervalInSeconds is 43201; it must be between 1 and 43200",
		},
		{
			"half of the hints", "bufferingHints: {IntervalInSeconds: 0}",
			"a.yaml:6: shardmill.bufferingHints.IntervalInSeconds is 0; it must be between 1 and 43200\na.yaml:6: shardmill.bufferingHints has IntervalInSeconds but no SizeInMBs; give both or remove both",
		},
		{
			"an unknown member",
			"workerID: host-1",
			"a.yaml:6: shardmill.workerID is not a member of the shardmill key; remove it; its members are activePartitions, apiKey, apiKeyFile, applicationName, auth, bufferingHints, caFile, clusterEndpoint, clusterIdentifier, commitOn, compressionFormat, copyCredentials, copyTimeoutSeconds, dbUser, delivery, deliveryStreamVersion, emfFile, emfNamespace, endpoints, engine, errorLines, eventTime, failoverTimeSeconds, fastFail, formerBuckets, gzipLevel, healthAddress, idField, idPrefix, initialPosition, insecureHTTP, ledger, loaderBilling, loaderTable, login, maxLeases, maxMemoryMBs, maxRequestMBs, operation, partitionOverflow, password, passwordFile, pauseWhenDown, pipeline, requestCompression, routingField, scanIntervalSeconds, shardSyncIntervalSeconds, spoolDirectory, staging, transform, username, versionField, weeks, workgroup",
		},
		{
			"a misspelt member",
			"applicatonName: orders",
			"a.yaml:6: shardmill.applicatonName is not a member of the shardmill key; did you mean applicationName?",
		},
		{
			"an application name that is no table name",
			"applicationName: orders archiver",
			`a.yaml:6: shardmill.applicationName is "orders archiver"; it must be 3-255 characters of a-z A-Z 0-9 _ . -, as it names the lease table`,
		},
		{
			"a position in small letters",
			"initialPosition: trim-horizon",
			`a.yaml:6: shardmill.initialPosition is "trim-horizon"; it must be TRIM_HORIZON, LATEST or a time such as 2016-02-25T13:00:00Z`,
		},
		{
			"a position that is none",
			"initialPosition: yesterday",
			`a.yaml:6: shardmill.initialPosition is "yesterday"; it must be TRIM_HORIZON, LATEST or a time such as 2016-02-25T13:00:00Z`,
		},
		{
			"a time without a zone",
			"initialPosition: 2016-02-25T13:00:00",
			`a.yaml:6: shardmill.initialPosition is "2016-02-25T13:00:00"; it must be TRIM_HORIZON, LATEST or a time such as 2016-02-25T13:00:00Z`,
		},
		{
			"a delivery that is none",
			"delivery: at-most-once",
			`a.yaml:6: shardmill.delivery is "at-most-once"; it must be exactly-once or at-least-once`,
		},
		{
			"a misspelt delivery",
			"delivery: exactly_once",
			`a.yaml:6: shardmill.delivery is "exactly_once"; it must be exactly-once or at-least-once`,
		},
		{
			"numbers out of range",
			`deliveryStreamVersion: 0
failoverTimeSeconds: 0
scanIntervalSeconds: 86401
shardSyncIntervalSeconds: -5
maxLeases: 0
maxMemoryMBs: 1048577`,
			"a.yaml:6: shardmill.deliveryStreamVersion is 0; it must be between 1 and 999999999\na.yaml:7: shardmill.failoverTimeSeconds is 0; it must be between 1 and 86400\na.yaml:8: shardmill.scanIntervalSeconds is 86401; it must be between 1 and 86400\na.yaml:9: shardmill.shardSyncIntervalSeconds is -5; it must be between 1 and 86400\na.yaml:10: shardmill.maxLeases is 0; it must be between 1 and 1000000\na.yaml:11: shardmill.maxMemoryMBs is 1048577; it must be between 1 and 1048576",
		},
		{
			"a duration with a unit",
			"failoverTimeSeconds: 10s",
			`a.yaml:6: shardmill.failoverTimeSeconds is "10s", a string; it must be a number between 1 and 86400, without quotes`,
		},
		{
			"former buckets that are no list",
			"formerBuckets: archive-2024",
			`a.yaml:6: shardmill.formerBuckets is "archive-2024"; it must be a list of names, not a string`,
		},
		{
			"former buckets that are none",
			"formerBuckets:\n- arn:aws:s3:::archive-2024\n- a/b\n- good\n- ''\n- 2024\n- good\n- [a]\n-",
			`a.yaml:7: shardmill.formerBuckets[0] is "arn:aws:s3:::archive-2024"; it must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN
a.yaml:8: shardmill.formerBuckets[1] is "a/b"; it must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN
a.yaml:10: shardmill.formerBuckets[3] is ""; it must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN
a.yaml:11: shardmill.formerBuckets[4] is 2024, a number; it must be a string: put it in quotes
a.yaml:12: shardmill.formerBuckets[5] is "good"; it is there twice, first in line 9; remove one
a.yaml:13: shardmill.formerBuckets[6] is a list; it must be a string
a.yaml:14: shardmill.formerBuckets[7] has no value; it must be a string`,
		},
		{
			"a former bucket with a control character",
			`formerBuckets: ["a\u0085b"]`,
			`a.yaml:6: shardmill.formerBuckets[0] is "a\u0085b"; remove the control character U+0085`,
		},
		{
			"a file of metrics that have no namespace",
			"emfFile: /var/log/emf",
			`a.yaml:6: shardmill.emfFile is "/var/log/emf"; nothing is written without a namespace; set shardmill.emfNamespace too, or remove it`,
		},
		{
			"metrics among those of AWS, in no file",
			"emfNamespace: AWS/Firehose\nemfFile: ''",
			`a.yaml:6: shardmill.emfNamespace is "AWS/Firehose"; namespaces that begin with AWS/ are those of AWS's services; choose another
a.yaml:7: shardmill.emfFile is ""; name a file, or remove it for standard output`,
		},
		{
			"a namespace that CloudWatch refuses",
			`emfNamespace: ":Orders"`,
			`a.yaml:6: shardmill.emfNamespace is ":Orders"; it must be 1-255 characters of a-z A-Z 0-9 . - _ / # : and space, the first one no colon`,
		},
		{
			"lines of no generation",
			"errorLines: old",
			`a.yaml:6: shardmill.errorLines is "old"; it must be newest or older`,
		},
		{
			"a place for bundles that is none",
			"staging: staged/x",
			`a.yaml:6: shardmill.staging is "staged/x"; it must be "s3://" and the name of a bucket, and may go on with "/" and a prefix`,
		},
		{
			"a place for bundles that is too long",
			"staging: s3://staged/" + strings.Repeat("x", 101),
			`a.yaml:6: shardmill.staging is "s3://staged/` + strings.Repeat("x", 68) + `"… (113 characters); it must be shorter: the prefix may have 100 bytes`,
		},
		{
			"an empty directory",
			`spoolDirectory: ""`,
			`a.yaml:6: shardmill.spoolDirectory is ""; name a directory, or remove it for the system's directory for temporary files`,
		},
		{
			"health at no port",
			`healthAddress: 127.0.0.1`,
			`a.yaml:6: shardmill.healthAddress is "127.0.0.1"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at a port alone",
			`healthAddress: 9500`,
			`a.yaml:6: shardmill.healthAddress is 9500; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at a host name",
			`healthAddress: localhost.localdomain:9500`,
			`a.yaml:6: shardmill.healthAddress is "localhost.localdomain:9500"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at a port too high",
			`healthAddress: 127.0.0.1:65536`,
			`a.yaml:6: shardmill.healthAddress is "127.0.0.1:65536"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at a port with a sign",
			`healthAddress: 127.0.0.1:+80`,
			`a.yaml:6: shardmill.healthAddress is "127.0.0.1:+80"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at a named port",
			`healthAddress: 127.0.0.1:http`,
			`a.yaml:6: shardmill.healthAddress is "127.0.0.1:http"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at a URL",
			`healthAddress: http://127.0.0.1:9500`,
			`a.yaml:6: shardmill.healthAddress is "http://127.0.0.1:9500"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at true",
			`healthAddress: true`,
			`a.yaml:6: shardmill.healthAddress is true; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at nothing",
			`healthAddress: ""`,
			`a.yaml:6: shardmill.healthAddress is ""; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
		{
			"health at IPv6 without brackets",
			`healthAddress: "::1:9500"`,
			`a.yaml:6: shardmill.healthAddress is "::1:9500"; it must be ADDRESS:PORT with an IP address or localhost, such as 127.0.0.1:9500, :PORT for all addresses, or off`,
		},
	})
}

func TestFaultsOfFile(t *testing.T) {
	t.Parallel()
	checkFaults(t, alone, []fault{
		{
			"an empty file",
			"",
			"a.yaml:1: the file is empty; it must hold the input of Firehose's CreateDeliveryStream",
		},
		{
			"only comments",
			"# DeliveryStreamName: orders",
			"a.yaml:1: the file is empty; it must hold the input of Firehose's CreateDeliveryStream",
		},
		{
			"a list",
			"- DeliveryStreamName: orders",
			"a.yaml:1: the file is a list; it must be an object",
		},
		{
			"a word",
			"orders",
			`a.yaml:1: the file is "orders"; it must be an object, not a string`,
		},
		{
			"null",
			"null",
			"a.yaml:1: the file has no value; it must be an object",
		},
		{
			"two documents",
			`DeliveryStreamName: orders
---
DeliveryStreamName: clicks`,
			"a.yaml:3: a second document begins; put one into a file",
		},
		{
			"an empty object",
			"{}",
			"a.yaml:1: DeliveryStreamName is missing; give the name that objects begin with\na.yaml:1: KinesisStreamSourceConfiguration is missing; give the stream's KinesisStreamARN in it. Firehose says: KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.\na.yaml:1: ExtendedS3DestinationConfiguration is missing; give the bucket's BucketARN in it. Firehose says: Exactly one destination configuration is supported for a Firehose",
		},
		{
			"a tab for indentation",
			`ExtendedS3DestinationConfiguration:
	BucketARN: arn:aws:s3:::archive`,
			`a.yaml:2: syntax error at column 1: found character '\t' that cannot start any token; indent with spaces`,
		},
		{
			"a bracket that is not closed",
			`DeliveryStreamName: orders
Tags: [{Key: k}`,
			"a.yaml:2: syntax error at column 7: sequence end token ']' not found",
		},
		{
			"two colons",
			"DeliveryStreamName: orders: clicks",
			"a.yaml:1: syntax error at column 21: mapping value is not allowed in this context",
		},
		{
			"a comma too few in JSON",
			`{
  "DeliveryStreamName": "orders"
  "Tags": []
}`,
			"a.yaml:3: syntax error at column 3: ',' or '}' must be specified",
		},
		{
			"nothing but the plain shape's other members",
			`DeliveryStreamName: ab
KinesisStreamSourceConfiguration: {RoleARN: "arn:aws:iam::123456789012:role/r"}
S3DestinationConfiguration:
  CompressionFormat: gzip
  ProcessingConfiguration: {Enabled: false}`,
			"a.yaml:1: DeliveryStreamName is \"ab\"; DynamoDB wants at least 3 characters for a lease table's name; set shardmill.applicationName\na.yaml:2: KinesisStreamSourceConfiguration.KinesisStreamARN is missing; give the stream's ARN, arn:aws:kinesis:REGION:ACCOUNT:stream/NAME\na.yaml:3: S3DestinationConfiguration.BucketARN is missing; give the bucket's ARN, arn:aws:s3:::NAME\na.yaml:4: S3DestinationConfiguration.CompressionFormat is \"gzip\"; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED. Firehose says: 1 validation error detected: Value at 's3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]\na.yaml:5: S3DestinationConfiguration.ProcessingConfiguration is not a member of Firehose's S3DestinationConfiguration; it belongs in ExtendedS3DestinationConfiguration",
		},
		{
			"a name for Firehose that is none for DynamoDB",
			`DeliveryStreamName: ab
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
S3DestinationConfiguration: {BucketARN: "arn:aws:s3:::archive"}`,
			`a.yaml:1: DeliveryStreamName is "ab"; DynamoDB wants at least 3 characters for a lease table's name; set shardmill.applicationName`,
		},
		{
			"ARNs and names that are none",
			`DeliveryStreamName: orders/1
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:1234:stream/orders"}
S3DestinationConfiguration: {BucketARN: archive}`,
			"a.yaml:1: DeliveryStreamName is \"orders/1\"; it must be 1-64 characters of a-z A-Z 0-9 _ . -\na.yaml:2: KinesisStreamSourceConfiguration.KinesisStreamARN is \"arn:aws:kinesis:us-east-1:1234:stream/orders\"; it must be arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, with an account of 12 digits\na.yaml:3: S3DestinationConfiguration.BucketARN is \"archive\"; it must be arn:aws:s3:::NAME, with a name of 1-255 characters of a-z A-Z 0-9 _ . -",
		},
		{
			"another destination instead",
			`DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
SplunkDestinationConfiguration: {}`,
			"a.yaml:3: SplunkDestinationConfiguration is not built yet; remove it, and use ExtendedS3DestinationConfiguration",
		},
		{
			"a name longer than Firehose takes",
			strings.Replace(base, "Name: orders", "Name: "+strings.Repeat("x", 65), 1),
			`a.yaml:1: DeliveryStreamName is "` + strings.Repeat("x", 65) + `"; it must be 1-64 characters of a-z A-Z 0-9 _ . -`,
		},
		{
			"bytes that are no text",
			"DeliveryStreamName: orders\nTags: [\xff]",
			"a.yaml:2: the line is not UTF-8; save the file as UTF-8",
		},
		{
			"a control character",
			"DeliveryStreamName: orders\nTags: [] # \x00",
			"a.yaml:2: the line has the control character U+0000; remove it",
		},
		{
			"a carriage return without a newline",
			"DeliveryStreamName: orders\rTags: []",
			"a.yaml:1: the line has the control character U+000D; remove it",
		},
		{
			"a file that is too large",
			strings.Repeat("#", 64<<10),
			"a.yaml:1: the file has more than 65536 bytes; it must have at most so many",
		},
		{"brackets without an end", "a:\n  " + strings.Repeat("[", 65000), "a.yaml:2: the file nests objects and lists more than 32 deep in column 34; no configuration does"},
		{"braces without an end", "a: " + strings.Repeat("{a: ", 9000), "a.yaml:1: the file nests objects and lists more than 32 deep in column 128; no configuration does"},
		{"a list of a list, without brackets", strings.Repeat("- ", 30000) + "a", "a.yaml:1: the file nests objects and lists more than 32 deep in column 65; no configuration does"},
		{"keys that are objects", strings.Repeat("? ", 30000) + "a", "a.yaml:1: the file nests objects and lists more than 32 deep in column 65; no configuration does"},
		{"anchors of anchors", "a: " + strings.Repeat("&a ", 20000), "a.yaml:1: the file nests objects and lists more than 32 deep in column 97; no configuration does"},
		{"indentation without an end", stairs(33), "a.yaml:33: the file nests objects and lists more than 32 deep in column 34; no configuration does"},
		{"too many members", strings.Repeat("a: b\n", 12000), "a.yaml:1: the file has 36000 words and marks; it must have at most 10000"},
	})
}

// stairs returns objects, each in the one before.
func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

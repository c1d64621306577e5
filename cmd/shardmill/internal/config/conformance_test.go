package config_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
)

// TestConformance has the statements about what Firehose refuses, by their numbers.
func TestConformance(t *testing.T) {
	t.Parallel()
	named := func(name string) string {
		return strings.Replace(base, "DeliveryStreamName: orders", "DeliveryStreamName: '"+name+"'", 1)
	}
	hints := func(size, interval string) string {
		return inDestination("BufferingHints: {SizeInMBs: " + size + ", IntervalInSeconds: " + interval + "}")
	}
	const (
		at      = "a.yaml:5: ExtendedS3DestinationConfiguration."
		anyName = "it must be 1-64 characters of a-z A-Z 0-9 _ . -"
		in      = "ExtendedS3DestinationConfiguration."
		wrapped = "Firehose says: The supplied prefix(es) do not satisfy the following constraint: "
		tooMany = "it must be a whole number between 0 and 300. Firehose says: Number of retries for lambda must be between 0 and 300."
		turnOn  = "remove the processor, or set DynamicPartitioningConfiguration.Enabled to true. Firehose says: class com.amazonaws.services.firehose.internal.model."
	)
	const (
		atCopy   = "a.yaml:6: RedshiftDestinationConfiguration.CopyCommand."
		staged   = "a.yaml:9: RedshiftDestinationConfiguration.S3Configuration."
		gzipOnly = "set it to GZIP or UNCOMPRESSED. Firehose says: Only the following compression formats are allowed when using Redshift: [UNCOMPRESSED, GZIP]"
	)
	const documents = "AmazonopensearchserviceDestinationConfiguration"
	typed := func(engine string) string {
		return atIndex + `TypeName is "log"; shardmill.engine is ` + engine + `, which has no types; remove it, or set it to "". Firehose says: Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty.`
	}
	withHints := func(size, interval string) string {
		return partitioned(byQuery, inList(queryOf("{a:.a}")), "BufferingHints: {SizeInMBs: "+size+", IntervalInSeconds: "+interval+"}")
	}
	retries := func(n string) string {
		return processing(parameters("Lambda", "LambdaArn", function, "NumberOfRetries", n))
	}
	untransformed := func(c config.Config) bool { return c.Transform == nil }
	backup := func(mode string) string {
		return inDestination("S3BackupMode: " + mode + "\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::b'}")
	}
	for _, row := range []struct {
		name, text, fault string                   // fault: "" for none
		is                func(config.Config) bool // what is read; nil for whatever
	}{
		{"B6/size only", inDestination("BufferingHints: {SizeInMBs: 5}"), at + "BufferingHints has SizeInMBs but no IntervalInSeconds; give both or remove both", nil},
		{"B6/interval only", inDestination("BufferingHints: {IntervalInSeconds: 300}"), at + "BufferingHints has IntervalInSeconds but no SizeInMBs; give both or remove both", nil},
		{"B6/both", hints("5", "300"), "", nil},
		{"B6/none", inDestination("BufferingHints: {}"), "", nil},
		{"B7/size 0", hints("0", "300"), at + "BufferingHints.SizeInMBs is 0; it must be between 1 and 128", nil},
		{"B7/size 129", hints("129", "300"), at + "BufferingHints.SizeInMBs is 129; it must be between 1 and 128", nil},
		{"B7/interval -1", hints("5", "-1"), at + "BufferingHints.IntervalInSeconds is -1; it must be between 0 and 900", nil},
		{"B7/interval 901", hints("5", "901"), at + "BufferingHints.IntervalInSeconds is 901; it must be between 0 and 900", nil},
		{"B7/the least", hints("1", "0"), "", nil},
		{"B7/the most", hints("128", "900"), "", nil},
		{
			"B12/hints that are too small", withHints("5", "30"),
			"a.yaml:9: " + in + "BufferingHints.SizeInMBs is 5; make it 64. Firehose says: BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.\n" +
				"a.yaml:9: " + in + "BufferingHints.IntervalInSeconds is 30; make it 60. Firehose says: BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.", nil,
		},
		{"B12/the least", withHints("64", "60"), "", func(c config.Config) bool {
			return c.Delivery.Hints == processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}
		}},
		{
			"B12/no buffering at all", withHints("64", "0"),
			"a.yaml:9: " + in + "BufferingHints.IntervalInSeconds is 0; make it 60. Firehose says: BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.", nil,
		},
		{"B12/off", inDestination("BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 30}\nDynamicPartitioningConfiguration: {Enabled: false}"), "", nil},
		{"A5/a space", named("my orders"), `a.yaml:1: DeliveryStreamName is "my orders"; ` + anyName, nil},
		{"A5/65 characters", named(strings.Repeat("a", 65)), `a.yaml:1: DeliveryStreamName is "` + strings.Repeat("a", 65) + `"; ` + anyName, nil},
		{"A5/64 characters", named(strings.Repeat("a", 64)), "", nil},
		{
			"A7/both of S3's shapes", base + "S3DestinationConfiguration: {BucketARN: \"arn:aws:s3:::b\"}\n",
			"a.yaml:5: S3DestinationConfiguration is a second destination, beside ExtendedS3DestinationConfiguration in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose", nil,
		},
		{
			"A7/another destination", base + "SplunkDestinationConfiguration: {}\n",
			"a.yaml:5: SplunkDestinationConfiguration is not built yet; remove it, and use ExtendedS3DestinationConfiguration", nil,
		},
		{"E12/a type, and a cluster that has types", inIndex("TypeName: log") + "shardmill: {engine: Elasticsearch_6.8}\n", "", func(c config.Config) bool { return c.Documents.Cluster.TypeName == "log" }},
		{"E12/no type", inIndex(`TypeName: ""`) + "shardmill: {engine: Elasticsearch_7.10}\n", "", func(c config.Config) bool { return c.Documents.Cluster.TypeName == "" }},
		{"E12/Elasticsearch 7", inIndex("TypeName: log") + "shardmill: {engine: Elasticsearch_7.10}\n", typed("Elasticsearch_7.10"), nil},
		{"E12/Elasticsearch 8", inIndex("TypeName: log") + "shardmill: {engine: Elasticsearch_8.0}\n", typed("Elasticsearch_8.0"), nil},
		{"E12/Elasticsearch 10", inIndex("TypeName: log") + "shardmill: {engine: Elasticsearch_10.0}\n", typed("Elasticsearch_10.0"), nil},
		{"E12/OpenSearch", inIndex("TypeName: log") + "shardmill: {engine: OpenSearch_1.3}\n", typed("OpenSearch_1.3"), nil},
		{
			"E18/an update has no such member", strings.Replace(inIndex("S3BackupMode: AllDocuments"), "DestinationConfiguration", "DestinationUpdate", 1),
			"a.yaml:1: ExtendedS3DestinationConfiguration is missing; give the bucket's BucketARN in it. Firehose says: Exactly one destination configuration is supported for a Firehose\n" +
				"a.yaml:3: AmazonopensearchserviceDestinationUpdate is not a member of Firehose's CreateDeliveryStream; it belongs in UpdateDestination, which is for a stream that is there, and has no S3BackupMode: give AmazonopensearchserviceDestinationConfiguration, whole", nil,
		},
		{"E18/another file", inIndex("S3BackupMode: AllDocuments"), "", func(c config.Config) bool { return c.Delivery.Backup != nil }},
		{
			"E23/both", inIndex("DomainARN: arn:aws:es:eu-west-1:123456789012:domain/orders"),
			"a.yaml:3: " + documents + " has DomainARN and ClusterEndpoint; remove one of them. Firehose says: Cannot provide both Elasticsearch cluster endpoint and domain ARN. Provide either the cluster endpoint or domain arn.", nil,
		},
		{"E23/neither", toDomain("RetryOptions: {}"), "a.yaml:3: " + documents + " has no DomainARN and no ClusterEndpoint; give one of them. Firehose says: Provide either the Elasticsearch cluster endpoint or domain arn.", nil},
		{"E23/an endpoint", toIndex, "", func(c config.Config) bool {
			return len(c.Documents.Cluster.Endpoints) == 1 && c.Documents.DomainARN == ""
		}},
		{"E23/a domain", toDomain("DomainARN: arn:aws:es:eu-west-1:123456789012:domain/orders"), "", func(c config.Config) bool {
			return len(c.Documents.Cluster.Endpoints) == 0 && c.Documents.DomainARN != ""
		}},
		{
			"E24/81 characters", strings.Replace(toIndex, "IndexName: orders", "IndexName: "+strings.Repeat("a", 81), 1),
			"a.yaml:5: " + documents + ".IndexName has 81 characters; at most 80 are allowed. Firehose says: 1 validation error detected: Value at 'amazonopensearchserviceDestinationConfiguration.indexName' " +
				"failed to satisfy constraint: Member must have length less than or equal to 80", nil,
		},
		{"E24/80 characters", strings.Replace(toIndex, "IndexName: orders", "IndexName: "+strings.Repeat("a", 80), 1), "", func(c config.Config) bool { return len(c.Documents.Cluster.IndexName) == 80 }},
		{"R11/ZIP", inStaging("CompressionFormat: ZIP"), staged + `CompressionFormat is "ZIP"; ` + gzipOnly, nil},
		{"R11/Snappy", inStaging("CompressionFormat: Snappy"), staged + `CompressionFormat is "Snappy"; ` + gzipOnly, nil},
		{"R11/HADOOP_SNAPPY", inStaging("CompressionFormat: HADOOP_SNAPPY"), staged + `CompressionFormat is "HADOOP_SNAPPY"; ` + gzipOnly, nil},
		{"R11/GZIP", gzipped("CompressionFormat: GZIP"), "", func(c config.Config) bool { return c.Delivery.Compression == processors.GZIP }},
		{"R11/UNCOMPRESSED", inStaging("CompressionFormat: UNCOMPRESSED"), "", func(c config.Config) bool { return c.Delivery.Compression == processors.Uncompressed }},
		{
			"R12/an expression", inStaging("Prefix: 'a/!{timestamp:yyyy}/'"),
			staged + `Prefix is "a/!{timestamp:yyyy}/"; remove the expressions: the date path follows it. Firehose says: Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination`, nil,
		},
		{
			"R12/an ErrorOutputPrefix", inStaging("ErrorOutputPrefix: e/"),
			staged + "ErrorOutputPrefix does not go with Redshift; remove it: error objects go under Prefix. Firehose says: Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination", nil,
		},
		{
			"R12/both", inStaging("Prefix: '!{', ErrorOutputPrefix: ''"),
			staged + `Prefix is "!{"; remove the expressions: the date path follows it. Firehose says: Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination` + "\n" +
				staged + "ErrorOutputPrefix does not go with Redshift; remove it: error objects go under Prefix. Firehose says: Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination", nil,
		},
		{"R12/neither", inStaging("Prefix: a/"), "", func(c config.Config) bool { return c.Delivery.Prefix == "a/" && c.Delivery.ErrorOutputPrefix == "" }},
		{"R13/GZIP of what is not", copying("CopyOptions: \"json 'auto' gzip\""), atCopy + `CopyOptions has gzip: Redshift.CompressionMismatch: the delivery stream is configured with UNCOMPRESSED, but CopyOptions include a compression format: remove it, or set CompressionFormat to GZIP and CopyOptions to gzip`, nil},
		{
			"R13/no GZIP of what is", inStaging("CompressionFormat: GZIP"),
			staged + `CompressionFormat is "GZIP"; CopyOptions has no gzip: Redshift.CompressionMismatch: the delivery stream is configured with GZIP: have gzip alone in CopyOptions, or set CompressionFormat to UNCOMPRESSED`, nil,
		},
		{"R13/gzip in quotes is none", copying(`CopyOptions: "delimiter 'gzip'"`), "", func(c config.Config) bool { return c.Warehouse.Load.CopyOptions == "delimiter 'gzip'" }},
		{"R13/both", gzipped("CompressionFormat: GZIP"), "", func(c config.Config) bool { return c.Delivery.Compression == processors.GZIP }},
		{"R16/a secret", strings.Replace(toTable, user, bySecret, 1), "", func(c config.Config) bool {
			return c.Warehouse.Login.Kind == config.LoginSecret && c.Warehouse.Login.SecretARN == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-1"
		}},
		{"R16/it overrides", toTable + bySecret, "", func(c config.Config) bool {
			return c.Warehouse.Login.Kind == config.LoginSecret && c.Warehouse.Login.Password.Reveal() == ""
		}},
		{"R16/it is off", toTable + strings.Replace(bySecret, "true", "false", 1), "", func(c config.Config) bool {
			return c.Warehouse.Login.Kind == config.LoginPassword && c.Warehouse.Login.SecretARN == ""
		}},
		{"L12/none", retries("0"), "", func(c config.Config) bool { return c.Transform.NumberOfRetries == 0 }},
		{"L12/the most", retries("300"), "", func(c config.Config) bool { return c.Transform.NumberOfRetries == 300 }},
		{"L12/one too many", retries("301"), stage + `[0].Parameters[1].ParameterValue is "301"; ` + tooMany, nil},
		{"L12/less than none", retries("-1"), stage + `[0].Parameters[1].ParameterValue is "-1"; ` + tooMany, nil},
		{"L12/not given", processing(parameters("Lambda", "LambdaArn", function)), "", func(c config.Config) bool { return c.Transform.NumberOfRetries == 3 }},
		{"L13/not enabled", inDestination("ProcessingConfiguration: {Processors: [" + parameters("Lambda", "LambdaArn", function) + "]}"), "", untransformed},
		{"L13/disabled", inDestination("ProcessingConfiguration: {Enabled: false, Processors: [" + parameters("Lambda", "LambdaArn", function) + "]}"), "", untransformed},
		{"L16/a backup", backup("Enabled"), "", func(c config.Config) bool { return c.Delivery.Backup != nil }},
		{"L16/which is no more", backup("Disabled"), "", func(c config.Config) bool { return c.Delivery.Backup == nil }},
		{
			"P10", partitioned(byQuery, inList(queryOf("{a:.a,b:.b}"))),
			"a.yaml:8: " + in + `ProcessingConfiguration.Processors[0].Parameters[0].ParameterValue is "{a:.a,b:.b}"; Prefix has no !{partitionKeyFromQuery:KEY} for b; add it there, or remove it here. ` +
				"Firehose says: MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix expression", nil,
		},
		{"P11/on", partitioned(byQuery, inList(queryOf("{a:.a}"))), "", func(c config.Config) bool { return c.Delivery.DynamicPartitioning != nil }},
		{"P11/off again", inDestination("DynamicPartitioningConfiguration: {Enabled: false}"), "", func(c config.Config) bool { return c.Delivery.DynamicPartitioning == nil }},
		{
			"P14", strings.Replace(partitioned(byQuery, inList(queryOf("{a:.a}"))), "ErrorOutputPrefix: e/", "CustomTimeZone: UTC", 1),
			"a.yaml:6: " + in + "Prefix has expressions, and then ErrorOutputPrefix must be given; a literal one will do, such as errors/. " + wrapped + "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions", nil,
		},
		{
			"P15", partitioned("data/plain/"),
			"a.yaml:6: " + in + `Prefix is "data/plain/"; add a partition key, or turn dynamic partitioning off. ` + wrapped + "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled", nil,
		},
		{
			"P16", processing(queryOf("{a:.a}"), parameters("RecordDeAggregation", "SubRecordType", "JSON")),
			stage + `[0].Type is "MetadataExtraction"; ` + turnOn + "MetadataExtractionProcessor can only be present when Dynamic Partitioning is enabled.\n" +
				stage + `[1].Type is "RecordDeAggregation"; ` + turnOn + "RecordDeAggregationProcessor can only be present when Dynamic Partitioning is enabled.", nil,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load("a.yaml", []byte(row.text), nil)
			switch {
			case row.fault == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.fault != "" && (err == nil || err.Error() != row.fault):
				t.Errorf("got  %v\nwant %s", err, row.fault)
			case row.is != nil && !row.is(c):
				t.Errorf("it is read as %+v", c)
			}
		})
	}
}

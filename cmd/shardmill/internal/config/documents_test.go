package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

const toIndex = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
AmazonopensearchserviceDestinationConfiguration:
  ClusterEndpoint: https://search-orders-abc.eu-west-1.es.amazonaws.com
  IndexName: orders
  S3Configuration: {BucketARN: "arn:aws:s3:::archive"}
`

const toCollection = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
AmazonOpenSearchServerlessDestinationConfiguration:
  CollectionEndpoint: https://abc.eu-west-1.aoss.amazonaws.com
  IndexName: orders
  S3Configuration: {BucketARN: "arn:aws:s3:::archive"}
`

const (
	endpoint = "https://search-orders-abc.eu-west-1.es.amazonaws.com"
	atIndex  = "a.yaml:7: AmazonopensearchserviceDestinationConfiguration."
)

func inIndex(text string) string  { return toIndex + indent(text) }
func withKeys(text string) string { return toIndex + "shardmill:\n" + indent(text) }
func local(text string) string {
	return strings.Replace(toIndex, endpoint, "http://127.0.0.1:9200", 1) + text
}
func localKeys(text string) string { return local("shardmill:\n" + indent(text)) }
func toDomain(text string) string {
	return strings.Replace(toIndex, "ClusterEndpoint: "+endpoint, text, 1)
}
func ofDocument(text string) string { return text }
func toOther(name string) string    { return strings.Replace(toIndex, "Amazonopensearchservice", name, 1) }

func inBucket(members string) string {
	return strings.Replace(toIndex, `archive"}`, `archive", `+members+"}", 1)
}

// indexed is what toIndex says.
func indexed() config.Config {
	c := defaults()
	c.Documents = &config.Documents{
		Cluster: esarchive.Config{Service: esarchive.OpenSearchService, Endpoints: []string{endpoint}, IndexName: "orders"},
		Region:  "eu-west-1", Access: config.Access{Kind: config.AccessSigV4},
	}
	return c
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	cluster := func(f func(*esarchive.Config)) func(*config.Config) {
		return func(c *config.Config) { f(&c.Documents.Cluster) }
	}
	seconds := func(n int) *time.Duration { d := time.Duration(n) * time.Second; return &d }
	for name, row := range map[string]struct {
		text   string
		differ func(*config.Config) // from toIndex
	}{
		"nothing optional": {toIndex, nil},
		"Elasticsearch":    {toOther("Elasticsearch"), cluster(func(c *esarchive.Config) { c.Service = esarchive.Elasticsearch })},
		"a collection": {toCollection, func(c *config.Config) {
			c.Documents.Cluster.Service, c.Documents.Cluster.Endpoints = esarchive.Serverless, []string{"https://abc.eu-west-1.aoss.amazonaws.com"}
		}},
		"a domain": {toDomain("DomainARN: arn:aws:es:eu-central-1:123456789012:domain/orders"), func(c *config.Config) {
			c.Documents.DomainARN, c.Documents.Region, c.Documents.Cluster.Endpoints = "arn:aws:es:eu-central-1:123456789012:domain/orders", "eu-central-1", nil
		}},
		"an endpoint of a VPC, in China": {toDomain("ClusterEndpoint: https://vpc-orders-abc.cn-north-1.es.amazonaws.com.cn/"), func(c *config.Config) {
			c.Documents.Region, c.Documents.Cluster.Endpoints = "cn-north-1", []string{"https://vpc-orders-abc.cn-north-1.es.amazonaws.com.cn/"}
		}},
		"an endpoint with IPv6": {toDomain("ClusterEndpoint: https://orders-abc.aos.eu-west-2.on.aws"), func(c *config.Config) {
			c.Documents.Region, c.Documents.Cluster.Endpoints = "eu-west-2", []string{"https://orders-abc.aos.eu-west-2.on.aws"}
		}},
		"an endpoint of one's own, without TLS": {local("shardmill: {auth: none}\n"), func(c *config.Config) {
			c.Documents.Region, c.Documents.Cluster.Endpoints, c.Documents.Access.Kind = "", []string{"http://127.0.0.1:9200"}, config.AccessNone
		}},
		"hints and retries": {inIndex("BufferingHints: {SizeInMBs: 100, IntervalInSeconds: 900}\nRetryOptions: {DurationInSeconds: 7200}"), func(c *config.Config) {
			c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 100, IntervalInSeconds: 900}
			c.Documents.Cluster.RetryDuration = seconds(7200)
		}},
		"no buffering, one try": {inIndex("BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 0}\nRetryOptions: {DurationInSeconds: 0}"), func(c *config.Config) {
			c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 1, ZeroBuffering: true}
			c.Documents.Cluster.RetryDuration = seconds(0)
		}},
		"a type, and rotation": {inIndex("TypeName: log\nIndexRotationPeriod: OneWeek") + "shardmill: {engine: Elasticsearch_6.8, weeks: iso}\n", cluster(func(c *esarchive.Config) {
			c.TypeName, c.IndexRotationPeriod, c.Engine, c.Weeks = "log", esarchive.OneWeek, "Elasticsearch_6.8", esarchive.ISOWeeks
		})},
		"no type, with an engine without": {inIndex(`TypeName: ""`) + "shardmill: {engine: OpenSearch_2.19}\n", cluster(func(c *esarchive.Config) { c.Engine = "OpenSearch_2.19" })},
		"an alias": {strings.Replace(inIndex("IndexRotationPeriod: NoRotation"), "IndexName: orders", "IndexName: Orders", 1), cluster(func(c *esarchive.Config) {
			c.IndexName, c.IndexRotationPeriod = "Orders", esarchive.NoRotation
		})},
		"no ids": {inIndex("DocumentIdOptions: {DefaultDocumentIdFormat: NO_DOCUMENT_ID}"), cluster(func(c *esarchive.Config) { c.IDs.None = true })},
		"ids of a field": {strings.Replace(withKeys("idField: order.id\nversionField: version"), "  IndexName:", "  IndexRotationPeriod: NoRotation\n  IndexName:", 1), cluster(func(c *esarchive.Config) {
			c.IDs, c.IndexRotationPeriod = esarchive.IDs{Field: "order.id", VersionField: "version"}, esarchive.NoRotation
		})},
		"what is ours": {withKeys("engine: OpenSearch_2.19\nendpoints: ['https://b:9200', 'https://c']\ncaFile: /ca.pem\nidPrefix: true\noperation: create\npipeline: p\nroutingField: a.b\n" +
			"fastFail: true\npauseWhenDown: true\nrequestCompression: GZIP\nmaxRequestMBs: 7"), func(c *config.Config) {
			c.Documents.CAFile = "/ca.pem"
			k := &c.Documents.Cluster
			k.Engine, k.Endpoints, k.IDs.Prefix, k.Operation, k.Pipeline, k.RoutingField = "OpenSearch_2.19", []string{endpoint, "https://b:9200", "https://c"}, true, esarchive.OpCreate, "p", "a.b"
			k.FastFail, k.PauseWhenDown, k.GZIP, k.MaxRequestBytes = true, true, true, 7<<20
		}},
		"the bucket, and failed documents alone": {inBucket("Prefix: os/, ErrorOutputPrefix: e/, EncryptionConfiguration: {KMSEncryptionConfig: {AWSKMSKeyARN: 'arn:aws:kms:eu-west-1:123456789012:key/1'}}"), func(c *config.Config) {
			c.Delivery.Prefix, c.Delivery.ErrorOutputPrefix, c.Delivery.AWSKMSKeyARN = "os/", "e/", "arn:aws:kms:eu-west-1:123456789012:key/1"
			c.Warnings = []string{"a.yaml:6: AmazonopensearchserviceDestinationConfiguration.S3Configuration.Prefix is \"os/\"; it has no effect with S3BackupMode FailedDocumentsOnly: what failed goes under ErrorOutputPrefix"}
		}},
		"what the bucket has in vain": {inBucket("CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 0}"), func(c *config.Config) {
			const at = "a.yaml:6: AmazonopensearchserviceDestinationConfiguration.S3Configuration."
			c.Warnings = []string{
				at + "BufferingHints.SizeInMBs is 64; it has no effect with S3BackupMode FailedDocumentsOnly: documents that failed are put with their cut, which BufferingHints beside IndexName end",
				at + `CompressionFormat is "GZIP"; it has no effect with S3BackupMode FailedDocumentsOnly: error objects are not compressed`,
			}
		}},
		"what the bucket has by default": {inBucket("CompressionFormat: UNCOMPRESSED, BufferingHints: {SizeInMBs: 5, IntervalInSeconds: 300}"), nil},
		"all documents": {inBucket("Prefix: os/, CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 60}") + "  S3BackupMode: AllDocuments\n", func(c *config.Config) {
			c.Delivery.Prefix, c.BackupBucketARN = "os/", "arn:aws:s3:::archive"
			c.Delivery.Backup = &processors.Backup{Bucket: "archive", Prefix: "os/", Compression: processors.GZIP, Hints: processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}}
		}},
		"what does nothing": {inIndex("RoleARN: arn:aws:iam::123456789012:role/r\nVpcConfiguration: {RoleARN: 'arn:aws:iam::123456789012:role/r', SubnetIds: [a], SecurityGroupIds: [b]}\n" +
			"ProcessingConfiguration: {Enabled: true, Processors: [{Type: AppendDelimiterToRecord, Parameters: [{ParameterName: Delimiter, ParameterValue: '\\n'}]}]}\nCloudWatchLoggingOptions: {Enabled: true, LogGroupName: g, LogStreamName: s}"), func(c *config.Config) {
			const at = "AmazonopensearchserviceDestinationConfiguration."
			c.Warnings = []string{
				"a.yaml:7: " + at + "RoleARN has no effect here; credentials are those of the AWS SDK's environment",
				"a.yaml:8: " + at + "VpcConfiguration has no effect here; documents go by the network of this process, which must reach the cluster",
				"a.yaml:9: " + at + "ProcessingConfiguration.Processors[0].Type has no effect here; documents are told apart by the cluster, and nothing is between them",
				"a.yaml:10: " + at + "CloudWatchLoggingOptions has no effect here; errors are in the log of this program",
			}
		}},
		"a function, older lines": {inIndex("ProcessingConfiguration: {Enabled: true, Processors: [{Type: Decompression}, "+parameters("Lambda", "LambdaArn", function)+"]}") + "shardmill:\n  errorLines: older\n", func(c *config.Config) {
			c.Transform = &config.Transform{Lambda: &config.LambdaTransform{ARN: function, Region: "eu-west-1"}, NumberOfRetries: 3, Hints: processors.TransformHints{SizeInMBs: 1, IntervalInSeconds: 60}}
			c.Delivery.Decompression, c.Delivery.OlderErrorLines = true, true
			c.Warnings = []string{`a.yaml:9: shardmill.errorLines is "older"; it has no effect on documents that could not be indexed: those lines are as Firehose's guide has them`}
		}},
		"hints of ours": {withKeys("bufferingHints: {SizeInMBs: 100, IntervalInSeconds: 43200}"), func(c *config.Config) {
			c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 100, IntervalInSeconds: 43200, BeyondFirehose: true}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := indexed()
			if row.differ != nil {
				row.differ(&want)
			}
			want.Delivery.Staging = "s3://archive/_shardmill/" // lines of documents that fail are staged
			want.Delivery = want.Delivery.WithDefaults()
			check(t, row.text, want)
		})
	}
}

// Firehose's words for what Firehose refuses, and what is ours is told by its name.
func TestFaultsOfDocuments(t *testing.T) {
	t.Parallel()
	const in = "AmazonopensearchserviceDestinationConfiguration"
	const processor = atIndex + "ProcessingConfiguration.Processors[0].Type is "
	on := func(p string) string {
		return inIndex("ProcessingConfiguration: {Enabled: true, Processors: [" + p + "]}")
	}
	const nothing = " does nothing with ExtendedS3DestinationConfiguration; remove it: it goes with ElasticsearchDestinationConfiguration, AmazonopensearchserviceDestinationConfiguration and AmazonOpenSearchServerlessDestinationConfiguration"
	const ofObjects = " does nothing with documents: there are no objects of records but those of S3Configuration; remove it"
	checkFaults(t, ofDocument, []fault{
		{"nothing", toIndex[:strings.Index(toIndex, "  Cl")] + "  RetryOptions: {}\n", "a.yaml:3: " + in + ".IndexName is missing; give the name of the index, or what it begins with\n" +
			"a.yaml:3: " + in + ".S3Configuration is missing; give the bucket of documents that could not be indexed, as S3DestinationConfiguration has it\n" +
			"a.yaml:3: " + in + " has no DomainARN and no ClusterEndpoint; give one of them. Firehose says: Provide either the Elasticsearch cluster endpoint or domain arn."},
		{"a bucket without a name", strings.Replace(toIndex, `{BucketARN: "arn:aws:s3:::archive"}`, "{}", 1), "a.yaml:6: " + in + ".S3Configuration.BucketARN is missing; give the bucket's ARN, arn:aws:s3:::NAME"},
		{"another destination beside it", toIndex + "S3DestinationConfiguration: {BucketARN: 'arn:aws:s3:::b'}\n", "a.yaml:7: S3DestinationConfiguration is a second destination, beside " + in + " in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose"},
		{
			"two of documents", toIndex + "AmazonOpenSearchServerlessDestinationConfiguration: {IndexName: a, S3Configuration: {BucketARN: 'arn:aws:s3:::b'}}\n",
			"a.yaml:7: AmazonOpenSearchServerlessDestinationConfiguration is a second destination, beside " + in + " in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose\n" +
				"a.yaml:7: AmazonOpenSearchServerlessDestinationConfiguration has no CollectionEndpoint; give it, https://ID.REGION.aoss.amazonaws.com. Firehose says: Must specify collection endpoint for delivery to OpenSearch serverless.",
		},
		{"a collection without an endpoint", strings.Replace(toCollection, "  CollectionEndpoint: https://abc.eu-west-1.aoss.amazonaws.com\n", "", 1), "a.yaml:3: AmazonOpenSearchServerlessDestinationConfiguration has no CollectionEndpoint; give it, https://ID.REGION.aoss.amazonaws.com. Firehose says: Must specify collection endpoint for delivery to OpenSearch serverless."},
		{"a collection that rotates", toCollection + "  IndexRotationPeriod: OneDay\n", "a.yaml:7: AmazonOpenSearchServerlessDestinationConfiguration.IndexRotationPeriod is not a member of Firehose's AmazonOpenSearchServerlessDestinationConfiguration; remove it; its members are BufferingHints, CloudWatchLoggingOptions, CollectionEndpoint, IndexName, ProcessingConfiguration, RetryOptions, RoleARN, S3BackupMode, S3Configuration, VpcConfiguration"},
		{"a collection's engine, and a password", toCollection + "shardmill: {engine: OpenSearch_2.19, auth: basic, username: u, passwordFile: f}\n", "a.yaml:7: shardmill.engine is \"OpenSearch_2.19\"; it does nothing with AmazonOpenSearchServerlessDestinationConfiguration; remove it\n" +
			"a.yaml:7: shardmill.auth is \"basic\"; Amazon OpenSearch Serverless takes signed requests alone; set it to sigv4, or remove it"},
		{"what is S3's", inIndex("Prefix: a\nDynamicPartitioningConfiguration: {Enabled: true}"), atIndex + "Prefix is not a member of Firehose's " + in + "; it belongs in S3Configuration, if at all\n" +
			"a.yaml:8: " + in + ".DynamicPartitioningConfiguration is not a member of Firehose's " + in + "; it belongs in S3Configuration, if at all"},
		{"what only the bucket of S3 has", inBucket("FileExtension: .a"), "a.yaml:6: " + in + ".S3Configuration.FileExtension is not a member of Firehose's S3DestinationConfiguration; it belongs in ExtendedS3DestinationConfiguration"},
		{"a size above Firehose's", inIndex("BufferingHints: {SizeInMBs: 101, IntervalInSeconds: 901}"), atIndex + "BufferingHints.SizeInMBs is 101; it must be between 1 and 100\n" + atIndex + "BufferingHints.IntervalInSeconds is 901; it must be between 0 and 900"},
		{"a size of ours that is too large", withKeys("bufferingHints: {SizeInMBs: 101, IntervalInSeconds: 1}"), "a.yaml:8: shardmill.bufferingHints.SizeInMBs is 101; it must be between 1 and 100 with documents"},
		{"a retry above Firehose's", inIndex("RetryOptions: {DurationInSeconds: 7201}"), atIndex + "RetryOptions.DurationInSeconds is 7201; it must be between 0 and 7200"},
		{"no index", strings.Replace(toIndex, "IndexName: orders", `IndexName: ""`, 1), "a.yaml:5: " + in + `.IndexName is ""; give a value. Firehose says: 1 validation error detected: Value at 'amazonopensearchserviceDestinationConfiguration.indexName' failed to satisfy constraint: Member must have length greater than or equal to 1`},
		{"an index that no cluster takes", strings.Replace(toIndex, "IndexName: orders", "IndexName: _a b/Ä", 1), "a.yaml:5: " + in + `.IndexName is "_a b/Ä"; it must not have any of \ / * ? " < > | , # : nor spaces and control characters: the cluster refuses them` + "\n" +
			"a.yaml:5: " + in + `.IndexName is "_a b/Ä"; it must not begin with - _ + and not be . or ..: the cluster refuses it` + "\n" +
			"a.yaml:5: " + in + `.IndexName is "_a b/Ä"; it must be in lower case: only an alias may have upper case, and an alias needs the IndexRotationPeriod NoRotation`},
		{"a period that is none", inIndex("IndexRotationPeriod: OneYear"), atIndex + `IndexRotationPeriod is "OneYear"; it must be NoRotation or OneHour or OneDay or OneWeek or OneMonth`},
		{"ids that are none", inIndex("DocumentIdOptions: {}"), atIndex + "DocumentIdOptions.DefaultDocumentIdFormat is missing; set it to FIREHOSE_DEFAULT or NO_DOCUMENT_ID"},
		{"too many subnets, no groups", inIndex("VpcConfiguration: {SubnetIds: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a], SecurityGroupIds: []}"), atIndex + "VpcConfiguration.SubnetIds has 17 subnets; it must have 1-16; it has no effect here\n" +
			atIndex + "VpcConfiguration.SecurityGroupIds has 0 security groups; it must have 1-5; it has no effect here\n" + atIndex + "VpcConfiguration.RoleARN is missing; give it, or remove the whole: it has no effect here"},
		{"a backup that does not wait", inBucket("BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 59}") + "  S3BackupMode: AllDocuments\n", "a.yaml:6: " + in + ".S3Configuration.BufferingHints.IntervalInSeconds is 59; it must be between 60 and 900: Firehose's guide has no zero buffering for backups"},
		{"de-aggregation", on(parameters("RecordDeAggregation", "SubRecordType", "JSON")), processor + `"RecordDeAggregation"; it goes with S3 alone, since it makes several records of one, or none; remove the processor`},
		{"partition keys", on(queryOf("{a:.a}")), processor + `"MetadataExtraction"; it goes with S3 alone, since documents are not partitioned; remove the processor`},
		{"messages of log events", on("{Type: CloudWatchLogProcessing}"), processor + `"CloudWatchLogProcessing"; it goes with S3 alone, since it makes several records of one, or none; remove the processor`},
		{"a domain that is none", toDomain("DomainARN: arn:aws:s3:::orders"), "a.yaml:4: " + in + `.DomainARN is "arn:aws:s3:::orders"; it must be arn:aws:es:REGION:ACCOUNT:domain/NAME, with an account of 12 digits`},
		{"an endpoint with a path", toDomain("ClusterEndpoint: https://h/_plugin"), "a.yaml:4: " + in + `.ClusterEndpoint is "https://h/_plugin"; it must be https://HOST or https://HOST:PORT, without a path`},
		{"an endpoint with a password", toDomain("ClusterEndpoint: https://me:hidden@h"), "a.yaml:4: " + in + ".ClusterEndpoint has an @, as URLs with a password have; give https://HOST alone, and shardmill.auth, username and passwordFile"},
		{"another machine without TLS", toDomain("ClusterEndpoint: http://example.com:9200"), "a.yaml:4: " + in + `.ClusterEndpoint is "http://example.com:9200"; documents and passwords would be readable on the way; make it https://, or set shardmill.insecureHTTP to true. ` +
			"Firehose says: 1 validation error detected: Value at 'amazonopensearchserviceDestinationConfiguration.clusterEndpoint' failed to satisfy constraint: Member must satisfy regular expression pattern: https:.*"},
		{"several, one without TLS", withKeys("endpoints: [http://h, 5]"), "a.yaml:8: shardmill.endpoints[1] is 5, a number; it must be a string: put it in quotes\n" +
			`a.yaml:8: shardmill.endpoints[0] is "http://h"; documents and passwords would be readable on the way; make it https://, or set shardmill.insecureHTTP to true`},
		{"more endpoints of a domain", toDomain("DomainARN: arn:aws:es:eu-west-1:123456789012:domain/orders") + "shardmill: {endpoints: [https://h]}\n", "a.yaml:7: shardmill.endpoints does not go with DomainARN, whose endpoint is looked up; give the cluster's as ClusterEndpoint, or remove it"},
		{"insecureHTTP, caFile in vain", localKeys("insecureHTTP: true\ncaFile: f"), "a.yaml:8: shardmill.insecureHTTP does nothing, as no endpoint is http:// to another machine; remove it\na.yaml:9: shardmill.caFile does nothing, as no endpoint is https://; remove it"},
		{"an engine that is none", withKeys("engine: OpenSearch"), `a.yaml:8: shardmill.engine is "OpenSearch"; it must be OpenSearch_MAJOR.MINOR or Elasticsearch_MAJOR.MINOR, such as OpenSearch_2.19`},
		{"weeks in vain", withKeys("weeks: iso"), `a.yaml:8: shardmill.weeks is "iso"; it does nothing unless IndexRotationPeriod is OneWeek; remove it`},
		{
			"ids that contradict", inIndex("DocumentIdOptions: {DefaultDocumentIdFormat: NO_DOCUMENT_ID}") + "shardmill:\n  idField: a\n  idPrefix: true\n  operation: create\n",
			"a.yaml:9: shardmill.idField is \"a\"; DocumentIdOptions says NO_DOCUMENT_ID in line 7; remove one of them\na.yaml:10: shardmill.idPrefix is true; it is about ids of sequence numbers, and documents have no ids of ours; remove it",
		},
		{"an id without a version", withKeys("idField: a"), "a.yaml:8: shardmill.idField is \"a\"; give shardmill.versionField too, as else of two records of one id the one that comes last is kept, and after a failure not even that; or set shardmill.operation to create"},
		{"a version without an id", withKeys("versionField: a"), `a.yaml:8: shardmill.versionField is "a"; it does nothing without shardmill.idField; give that too, or remove it`},
		{"a version, and create", withKeys("idField: a\nversionField: b\noperation: create"), `a.yaml:9: shardmill.versionField is "b"; it does not go with shardmill.operation create; remove one of them`},
		{"a path that is none", withKeys("routingField: a..b"), `a.yaml:8: shardmill.routingField is "a..b"; it must be the path of a field in the document, such as a.b`},
		{"access that is none, requests that are too large", withKeys("auth: aws\nmaxRequestMBs: 101\nrequestCompression: gzip"), "a.yaml:8: shardmill.auth is \"aws\"; it must be sigv4 or basic or apiKey or none\na.yaml:9: shardmill.maxRequestMBs is 101; it must be between 1 and 100\na.yaml:10: shardmill.requestCompression is \"gzip\"; it must be GZIP or none"},
		{"a password in vain", withKeys("username: u\npassword: hidden\napiKeyFile: f"), "a.yaml:8: shardmill.username does nothing while shardmill.auth is sigv4; set that to basic, or remove it\na.yaml:9: shardmill.password does nothing while shardmill.auth is sigv4; set that to basic, or remove it\na.yaml:10: shardmill.apiKeyFile does nothing while shardmill.auth is sigv4; set that to apiKey, or remove it"},
		{"nobody, without a password", withKeys("auth: basic"), "a.yaml:8: shardmill.auth is \"basic\"; give shardmill.username too\na.yaml:8: shardmill.auth is \"basic\"; give shardmill.passwordFile, the name of a file that has it, or shardmill.password"},
		{"two keys", withKeys("auth: apiKey\napiKey: hidden\napiKeyFile: f"), "a.yaml:10: shardmill.apiKeyFile is a second one, beside shardmill.apiKey in line 9; remove one"},
		{"passwords that can be none", withKeys("auth: basic\nusername: u\npassword: 12345"), "a.yaml:10: shardmill.password is no string; put it in quotes"},
		{"a password that is not all there", withKeys("auth: basic\nusername: u\npassword: \"hid\\tden\""), "a.yaml:10: shardmill.password has the control character U+0009; remove it"},
		{"a name with a password", withKeys("auth: basic\nusername: u:hidden\npassword: x"), "a.yaml:9: shardmill.username has a colon, which basic authentication cannot say; give the name alone, without the password"},
		{"a key with a space", withKeys("auth: apiKey\napiKey: ApiKey hidden"), "a.yaml:9: shardmill.apiKey has spaces, or what is no ASCII; give it in its encoded form, in base64"},
		{"a key with another character", withKeys("auth: apiKey\napiKey: hiddené"), "a.yaml:9: shardmill.apiKey has spaces, or what is no ASCII; give it in its encoded form, in base64"},
		{"an empty password", withKeys("auth: basic\nusername: u\npassword: ''"), "a.yaml:10: shardmill.password is empty; give it, or remove it"},
		{"a password elsewhere", withKeys("pipeline: '${db_password}'"), "a.yaml:8: shardmill.pipeline has \"${db_password}\", whose name is a secret's; nothing here is secret, and logs show it: use a variable of another name if it is none, and leave credentials to the AWS SDK's environment"},
		{"what is of objects", withKeys("compressionFormat: ZSTD\ngzipLevel: 5\nactivePartitions: 5\npartitionOverflow: fail\neventTime: {jq: .a}"), "a.yaml:8: shardmill.compressionFormat" + ofObjects + "\na.yaml:9: shardmill.gzipLevel" + ofObjects +
			"\na.yaml:10: shardmill.activePartitions" + ofObjects + "\na.yaml:11: shardmill.partitionOverflow" + ofObjects + "\na.yaml:12: shardmill.eventTime" + ofObjects},
		{"what is of documents", inOurs("engine: OpenSearch_2.19\npassword: hidden\nfastFail: false\nendpoints: [a]"), "a.yaml:6: shardmill.engine" + nothing + "\na.yaml:7: shardmill.password" + nothing + "\na.yaml:8: shardmill.fastFail" + nothing + "\na.yaml:9: shardmill.endpoints[0] is \"a\"; it must be https://HOST or https://HOST:PORT, without a path\na.yaml:9: shardmill.endpoints" + nothing},
		{"members in the wrong place", toIndex + "TypeName: a\nidField: b\n", "a.yaml:7: TypeName is not a member of Firehose's CreateDeliveryStream; it belongs in " + in + "\na.yaml:8: idField is not a member of Firehose's CreateDeliveryStream; it belongs in shardmill"},
	})
}

// What applies, written down and read again, is the same.
func TestEffectiveDocuments(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing optional": toIndex,
		"a domain of Elasticsearch": strings.Replace(toDomain("DomainARN: arn:aws:es:eu-central-1:123456789012:domain/orders"), "Amazonopensearchservice", "Elasticsearch", 1) +
			indent("IndexRotationPeriod: OneWeek\nTypeName: log\nDocumentIdOptions: {DefaultDocumentIdFormat: NO_DOCUMENT_ID}\nRetryOptions: {DurationInSeconds: 0}\nBufferingHints: {SizeInMBs: 100, IntervalInSeconds: 0}") +
			"shardmill: {weeks: iso, engine: Elasticsearch_6.8, auth: basic, username: 'u$${x}', password: '${db_password}'}\n",
		"a collection, all documents": strings.Replace(toCollection, `archive"}`, `archive", Prefix: os/, CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 60}}`, 1) + "  S3BackupMode: AllDocuments\n",
		"all of ours": withKeys("endpoints: ['https://b']\ncaFile: /ca\nidField: id\nversionField: v\npipeline: p\nroutingField: r\nfastFail: true\npauseWhenDown: true\nrequestCompression: GZIP\nmaxRequestMBs: 9\nauth: apiKey\napiKeyFile: k\n" +
			"bufferingHints: {SizeInMBs: 2, IntervalInSeconds: 1000}"),
		"more of ours": localKeys("operation: create\nidPrefix: true\nauth: none"),
		"no TLS":       toDomain("ClusterEndpoint: http://example.com") + "shardmill: {insecureHTTP: true, auth: none}\n",
		"a function":   inIndex("ProcessingConfiguration: {Enabled: true, Processors: [" + parameters("Lambda", "LambdaArn", function) + "]}"),
	} {
		first, err := config.Load("a.yaml", []byte(text), environment)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := first.Effective().YAML()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		second, err := config.Load("b.yaml", []byte(again), environment)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, again)
			continue
		}
		first.HealthGiven, first.Warnings, second.Warnings, first.Delivery.SpoolDir = true, nil, nil, second.Delivery.SpoolDir
		defaulted(first.Documents)
		if diff := differ(first, second); diff != "" {
			t.Errorf("%s: it is another one: %s\n%s", name, diff, again)
		}
	}
}

// defaulted gives a destination what is written of one that says nothing.
func defaulted(d *config.Documents) {
	if c := &d.Cluster; c.RetryDuration == nil {
		retry := 300 * time.Second
		c.RetryDuration = &retry
	}
	if c := &d.Cluster; c.IndexRotationPeriod == "" && c.Service != esarchive.Serverless {
		c.IndexRotationPeriod = esarchive.OneDay
	}
}

// A secret is used, and shown nowhere: not by a check, not by a log that formats all of
// the configuration.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, shown string }{
		"a password":    {withKeys("auth: basic\nusername: u\npassword: hidden"), "\n  # password: not shown\n"},
		"a key":         {withKeys("auth: apiKey\napiKey: hidden"), "\n  # apiKey: not shown\n"},
		"of a variable": {withKeys("auth: basic\nusername: u\npassword: ${db_password}"), "\n  password: ${db_password}\n"},
		"partly of one": {withKeys("auth: apiKey\napiKey: hid${MIDDLE}n"), "\n  # apiKey: not shown\n"},
	} {
		c, err := config.Load("a.yaml", []byte(row.text), func(string) (string, bool) {
			return map[bool]string{true: "de", false: "hidden"}[name == "partly of one"], true
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a := c.Documents.Access; a.Password.Reveal()+a.APIKey.Reveal() != "hidden" {
			t.Errorf("%s: it is %q", name, a.Password.Reveal()+a.APIKey.Reveal())
		}
		yaml, err := c.Effective().YAML()
		asJSON, jsonErr := json.Marshal(c.Effective())
		whole, wholeErr := json.Marshal(c.Documents.Access)
		if err != nil || jsonErr != nil || wholeErr != nil {
			t.Errorf("%s: %v %v %v", name, err, jsonErr, wholeErr)
		}
		if !strings.Contains(yaml, row.shown) {
			t.Errorf("%s: shown is\n%s", name, yaml)
		}
		for _, text := range []string{yaml, string(asJSON), string(whole), fmt.Sprintf("%v %+v %#v %s", c.Documents.Access, c.Documents.Access, c.Documents.Access.Password, c.Documents.Access.APIKey)} {
			if strings.Contains(text, "hidden") {
				t.Errorf("%s: it shows in %s", name, text)
			}
		}
	}
}

// Comparing two secrets tells whether they are the same, for tests alone.
func sameSecrets() cmp.Option {
	return cmp.Comparer(func(a, b config.Secret) bool { return a == b })
}

// Ids of a field are unique in an index, and in a shard: where that is not what is wanted is
// told.
func TestIDsAreOfAnIndex(t *testing.T) {
	t.Parallel()
	const rotated = "shardmill.idField is \"id\"; with IndexRotationPeriod OneDay there is a document for each id and index, as an index knows no other one's ids; set that to NoRotation to have one for each id"
	const routed = "shardmill.routingField is \"r\"; two documents of one id whose values differ may both stay, as a shard knows no other one's ids; have it a field that never changes"
	forever := strings.Replace(toIndex, "  S3Configuration:", "  IndexRotationPeriod: NoRotation\n  S3Configuration:", 1)
	if forever == toIndex {
		t.Fatal("the file has no S3Configuration")
	}
	for name, row := range map[string]struct {
		text string
		want []string
	}{
		"rotated":    {toIndex + "shardmill: {idField: id, versionField: v}\n", []string{"a.yaml:7: " + rotated}},
		"one index":  {forever + "shardmill: {idField: id, versionField: v}\n", nil},
		"routed":     {forever + "shardmill: {idField: id, versionField: v, routingField: r}\n", []string{"a.yaml:8: " + routed}},
		"own ids":    {toIndex + "shardmill: {routingField: r}\n", nil},
		"collection": {toCollection + "shardmill: {idField: id, versionField: v}\n", nil},
	} {
		c, err := config.Load("a.yaml", []byte(row.text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(row.want, c.Warnings); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

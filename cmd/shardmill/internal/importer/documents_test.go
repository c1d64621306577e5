package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documents is what a destination of documents has, one line a member.
func documents(t *testing.T, text string, given ...string) string {
	t.Helper()
	c, err := load(text, set(append(given, latest)...))
	if err != nil {
		return "error\n" + err.Error()
	}
	d := c.Documents
	if d == nil {
		return "no documents"
	}
	k := d.Cluster
	retry := "default"
	if k.RetryDuration != nil {
		retry = k.RetryDuration.String()
	}
	return strings.Join([]string{
		d.Destination(), d.DomainARN + strings.Join(k.Endpoints, " ") + " " + d.Region, k.IndexName + " " + string(k.IndexRotationPeriod) + " " + k.TypeName,
		fmt.Sprint(c.Delivery.Hints.SizeInMBs, c.Delivery.Hints.IntervalInSeconds, " ", retry, " ", k.IDs.None, " ", c.Delivery.Backup != nil), c.BucketARN + " " + c.Delivery.Prefix,
	}, "\n") + "\n" + strings.Join(c.Warnings, "\n")
}

const vpcWarning = " has no effect here; documents go by the network of this process, which must reach the cluster"

// Each form comes to the input of CreateDeliveryStream, with documents as with objects.
func TestDocuments(t *testing.T) {
	t.Parallel()
	const source = `"kinesis_source_configuration": [{"kinesis_stream_arn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}]`
	plan := func(destination string) string {
		return `{"terraform_version": "1", "values": {"root_module": {"resources": [{"address": "aws_kinesis_firehose_delivery_stream.a", "type": "aws_kinesis_firehose_delivery_stream",
"values": {"name": "orders", ` + source + `, ` + destination + `}}]}}}`
	}
	const hcl = `resource "aws_kinesis_firehose_delivery_stream" "a" {
  name = "orders"
  kinesis_source_configuration {
    kinesis_stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
  }
  opensearchserverless_configuration {
    collection_endpoint = "https://abc.eu-west-1.aoss.amazonaws.com"
    index_name          = "orders"
    retry_duration      = 60
    buffering_size      = 10
    s3_configuration {
      bucket_arn = aws_s3_bucket.b.arn
    }
    processing_configuration {
      enabled = "false"
    }
  }
}
resource "aws_s3_bucket" "b" {
  bucket = "archive"
}`
	const described = `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"DestinationId": "d", "AmazonopensearchserviceDestinationDescription": {"DomainARN": "arn:aws:es:us-east-1:123456789012:domain/orders", "IndexName": "orders", "IndexRotationPeriod": "NoRotation", "TypeName": "",
"BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 50}, "RetryOptions": {"DurationInSeconds": 0}, "S3BackupMode": "AllDocuments", "DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
"S3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive", "Prefix": "os/", "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 5}, "CompressionFormat": "GZIP", "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"}},
"VpcConfigurationDescription": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"], "RoleARN": "arn:aws:iam::123456789012:role/r", "VpcId": "v"}}}]}}`
	const template = `Resources:
  D: {Type: AWS::OpenSearchService::Domain, Properties: {DomainName: orders}}
  S:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamName: orders
      KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
      ElasticsearchDestinationConfiguration:
        DomainARN: !GetAtt D.DomainArn
        IndexName: orders
        IndexRotationPeriod: OneMonth
        BufferingHints: {SizeInMBs: '1', IntervalInSeconds: '60'}
        S3Configuration: {BucketARN: "arn:aws:s3:::archive"}
    Metadata: {shardmill: {engine: Elasticsearch_6.8, endpoints: []}}
`
	const at = "aws_kinesis_firehose_delivery_stream.a."
	for name, row := range map[string]struct {
		text  string
		given []string
		want  string
	}{
		"a plan, of OpenSearch": {plan(`"opensearch_configuration": [{"cluster_endpoint": "https://search-a.eu-west-1.es.amazonaws.com", "domain_arn": null, "index_name": "orders", "type_name": "", "index_rotation_period": "OneHour",
"buffering_size": 9, "buffering_interval": 0, "retry_duration": 7200, "s3_backup_mode": "FailedDocumentsOnly", "document_id_options": [{"default_document_id_format": "NO_DOCUMENT_ID"}], "cloudwatch_logging_options": [], "role_arn": null,
"vpc_config": [{"role_arn": "arn:aws:iam::123456789012:role/r", "security_group_ids": ["g"], "subnet_ids": ["s"], "vpc_id": "v"}], "processing_configuration": [],
"s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive", "prefix": "os/", "buffering_size": 64, "compression_format": "GZIP"}]}]`), nil, `AmazonopensearchserviceDestinationConfiguration
https://search-a.eu-west-1.es.amazonaws.com eu-west-1
orders OneHour 
9 0 2h0m0s true false
arn:aws:s3:::archive os/
f:4: ` + at + `opensearch_configuration[0].vpc_config[0]` + vpcWarning + `
f:4: ` + at + `opensearch_configuration[0].vpc_config[0].role_arn has no effect here; credentials are those of the AWS SDK's environment
f:5: ` + at + `opensearch_configuration[0].s3_configuration[0].buffering_size is 64; it has no effect with S3BackupMode FailedDocumentsOnly: documents that failed are put with their cut, which BufferingHints beside IndexName end
f:5: ` + at + `opensearch_configuration[0].s3_configuration[0].compression_format is "GZIP"; it has no effect with S3BackupMode FailedDocumentsOnly: error objects are not compressed`},
		"what the provider takes": {
			plan(`"elasticsearch_configuration": [{"domain_arn": "arn:aws:es:us-east-1:123456789012:domain/orders", "index_name": "orders", "s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive"}]}]`), nil,
			"ElasticsearchDestinationConfiguration\narn:aws:es:us-east-1:123456789012:domain/orders us-east-1\norders OneDay \n5 300 5m0s false false\narn:aws:s3:::archive",
		},
		"an old provider": {
			plan(`"s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive"}], "elasticsearch_configuration": [{"domain_arn": "arn:aws:es:us-east-1:123456789012:domain/orders", "index_name": "orders", "type_name": "log", "buffering_size": 7}]`), nil,
			"ElasticsearchDestinationConfiguration\narn:aws:es:us-east-1:123456789012:domain/orders us-east-1\norders OneDay log\n7 300 5m0s false false\narn:aws:s3:::archive",
		},
		"Terraform's language": {hcl, nil, "AmazonOpenSearchServerlessDestinationConfiguration\nhttps://abc.eu-west-1.aoss.amazonaws.com eu-west-1\norders  \n10 300 1m0s false false\narn:aws:s3:::archive"},
		"a description": {described, nil, `AmazonopensearchserviceDestinationConfiguration
arn:aws:es:us-east-1:123456789012:domain/orders us-east-1
orders NoRotation 
50 60 0s true true
arn:aws:s3:::archive os/
f:6: DeliveryStreamDescription.Destinations[0].AmazonopensearchserviceDestinationDescription.VpcConfigurationDescription` + vpcWarning + `
f:6: DeliveryStreamDescription.Destinations[0].AmazonopensearchserviceDestinationDescription.VpcConfigurationDescription.RoleARN has no effect here; credentials are those of the AWS SDK's environment`},
		"a template": {
			edit(template, ", endpoints: []", ""),
			[]string{"AWS::Region=us-east-1", "AWS::AccountId=123456789012"},
			"ElasticsearchDestinationConfiguration\narn:aws:es:us-east-1:123456789012:domain/orders us-east-1\norders OneMonth \n1 60 default false false\narn:aws:s3:::archive",
		},
		"what is ours beside it": {
			edit(hcl, "https://abc.eu-west-1.aoss.amazonaws.com", "https://a"),
			[]string{"shardmill.endpoints=https://b", "shardmill.fastFail=true"},
			"AmazonOpenSearchServerlessDestinationConfiguration\nhttps://a https://b \norders  \n10 300 1m0s false false\narn:aws:s3:::archive",
		},
		"a password beside it": {
			described,
			[]string{"shardmill.auth=basic", "shardmill.username=u", "shardmill.password=hidden"},
			"error\nf: --set shardmill.password shows in the list of processes; give the name of a file, as shardmill.passwordFile",
		},
		"what is missing": {plan(`"opensearch_configuration": [{"index_name": "a", "s3_configuration": []}]`), nil, `error
f:2: ` + at + `opensearch_configuration[0].s3_configuration is missing; give the bucket of documents that could not be indexed, as S3DestinationConfiguration has it
f:2: ` + at + `opensearch_configuration[0] has no DomainARN and no ClusterEndpoint; give one of them. Firehose says: Provide either the Elasticsearch cluster endpoint or domain arn.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := documents(t, row.text, row.given...)
			if diff := cmp.Diff(strings.TrimSpace(row.want), strings.TrimSpace(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

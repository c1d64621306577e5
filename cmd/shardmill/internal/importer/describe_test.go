package importer_test

import (
	"encoding/json"
	"testing"

	"go.yaml.in/yaml/v3"
)

const unknownPosition = "f: nothing says how far Firehose is in the Kinesis stream; shards without a lease are read from TRIM_HORIZON, the oldest record there is, so that what Firehose delivered is delivered again; --set shardmill.initialPosition=LATEST, or a time, begins elsewhere\n"

// described is what testdata/describe.json comes to, but for the position and
// what is said of it.
const described = `orders
arn:aws:kinesis:us-east-1:123456789012:stream/orders
arn:aws:s3:::archive
logs/
GZIP
64 120 7
`

const describedWarnings = `f:13: DeliveryStreamDescription.Source.KinesisStreamSourceDescription.RoleARN has no effect here; credentials are those of the AWS SDK's environment
f:14: DeliveryStreamDescription.Source.KinesisStreamSourceDescription.DeliveryStartTimestamp has no effect here; it is where Firehose began: shardmill.initialPosition says where to begin
f:50: DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription.CloudWatchLoggingOptions has no effect here; errors are in the log of this program
`

func TestDescribed(t *testing.T) {
	t.Parallel()
	text := file(t, "describe.json")
	checkRows(t, []row{
		{"as it is", text, set(), described + "orders TRIM_HORIZON\n" + unknownPosition + describedWarnings},
		{
			"with what is ours beside it", text, set("shardmill.initialPosition=LATEST", "shardmill.applicationName=mine", "shardmill.deliveryStreamVersion=8"),
			edit(described, "120 7", "120 8") + "mine LATEST\n" + describedWarnings,
		},
		{
			"with what is ours in the file", edit(text, "{\n    \"Del", `{"shardmill":{"initialPosition":"LATEST", "applicationName":"file"},`+"\n    \"Del"),
			set("shardmill.applicationName=mine"), described + "mine LATEST\n" + describedWarnings,
		},
		{
			"the plain view alone", `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders", "VersionId": "7",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"S3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive", "Prefix": "logs/", "CompressionFormat": "GZIP", "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 120}}}]}}`,
			set("shardmill.initialPosition=2016-02-25T13:00:00Z"), described + "orders AT_TIMESTAMP 2016-02-25T13:00:00Z",
		},
		{
			"a stream that is not there yet, with encryption", edit(text, `"ACTIVE"`, `"CREATING"`, `"VersionId": "7"`, `"DeliveryStreamEncryptionConfiguration": {"Status": "ENABLED", "KeyType": "AWS_OWNED_CMK"}`), set("shardmill.initialPosition=LATEST"),
			edit(described, "120 7", "120 1") + `orders LATEST
f:5: DeliveryStreamDescription.DeliveryStreamStatus is "CREATING"; what is described may not be what applies
f:7: DeliveryStreamDescription.DeliveryStreamEncryptionConfiguration has no effect here; it is about what Firehose itself stores: encrypt the Kinesis stream
` + describedWarnings,
		},
	})
}

func TestFaultsOfDescribed(t *testing.T) {
	t.Parallel()
	text := file(t, "describe.json")
	checkRows(t, []row{
		{"values that cannot be", edit(text, `"SizeInMBs": 64`, `"SizeInMBs": 129`, `"7"`, `"x"`), set("shardmill.maxLeases=none", "shardmill.healthAdress=off"), `error
f: --set shardmill.healthAdress is not a member of the shardmill key; did you mean healthAddress?
f: --set shardmill.maxLeases is "none"; it must be a whole number between 1 and 1000000, in decimal digits
f:7: DeliveryStreamDescription.VersionId is "x"; it must be a whole number between 1 and 999999999, in decimal digits
f:43: DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription.BufferingHints.SizeInMBs is 129; it must be between 1 and 128`},
		{"backup", edit(text, `"S3BackupMode": "Disabled"`, `"S3BackupMode": "Enabled", "S3BackupDescription": {"Prefix": "raw/"}`), set(), `error
f:59: DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription.S3BackupDescription.BucketARN is missing; give the bucket's ARN, arn:aws:s3:::NAME`},
		{"a stream that producers put into", `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders", "DeliveryStreamType": "DirectPut",
"Source": {"DirectPutSourceDescription": {"ThroughputHintInMBs": 1}},
"Destinations": [{"ExtendedS3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive"}}]}}`, set(), `error
f:1: DeliveryStreamDescription.DeliveryStreamType is "DirectPut"; there is no Kinesis stream to read: make one, have the producers put there, and name it in KinesisStreamSourceConfiguration
f:2: DeliveryStreamDescription.Source.DirectPutSourceDescription is not built yet; remove it, and use KinesisStreamSourceConfiguration`},
		{"another destination", `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders", "DeliveryStreamType": "KinesisStreamAsSource",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"SplunkDestinationDescription": {}}]}}`, set(), `error
f:3: DeliveryStreamDescription.Destinations[0].SplunkDestinationDescription is not built yet; remove it, and use ExtendedS3DestinationConfiguration`},
		{"two destinations", `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"S3DestinationDescription": {}}, {"S3DestinationDescription": {}}]}}`, set(), `error
f:1: DeliveryStreamDescription.ExtendedS3DestinationConfiguration is missing; give the bucket's BucketARN in it. Firehose says: Exactly one destination configuration is supported for a Firehose
f:3: DeliveryStreamDescription.Destinations has 2 destinations; it must have one. Firehose says: Exactly one destination configuration is supported for a Firehose`},
		{"two destinations in one", `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"S3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive"},
"SnowflakeDestinationDescription": {}}]}}`, set(), `error
f:4: DeliveryStreamDescription.Destinations[0].SnowflakeDestinationDescription is not built yet; remove it, and use ExtendedS3DestinationConfiguration`},
		{"no description", `{"DeliveryStreamDescription": 5}`, set(), `error
f:1: DeliveryStreamDescription is no object; it must be what describe-delivery-stream tells`},
		{"names that nobody asks for", `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
S3DestinationConfiguration: {BucketARN: "arn:aws:s3:::archive"}`, set("Bucket=x"), `error
f: --set Bucket gives what the file does not leave open; correct the name, or remove it`},
		{"twice the same", "{\"DeliveryStreamDescription\": {},\n\"DeliveryStreamDescription\": {}}", set(), `error
f:1: DeliveryStreamDescription.DeliveryStreamName is missing; give the name that objects begin with
f:1: DeliveryStreamDescription.KinesisStreamSourceConfiguration is missing; give the stream's KinesisStreamARN in it. Firehose says: KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.
f:1: DeliveryStreamDescription.ExtendedS3DestinationConfiguration is missing; give the bucket's BucketARN in it. Firehose says: Exactly one destination configuration is supported for a Firehose
f:2: "DeliveryStreamDescription" is given twice, first in line 1; remove one`},
	})
}

// A description is the same as YAML, and as --query DeliveryStreamDescription
// selects it, but for where it says that something is.
func TestDescribedOtherwise(t *testing.T) {
	t.Parallel()
	var whole map[string]any
	if err := json.Unmarshal([]byte(file(t, "describe.json")), &whole); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"whole": whole, "alone": whole["DeliveryStreamDescription"]} {
		for form, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
			text, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if name == "alone" && form == "YAML" {
				text = append([]byte("# of orders\n"), text...)
			}
			c, err := load(string(text), set("shardmill.initialPosition=LATEST"))
			c.Warnings = nil
			if got := summary(c); err != nil || got != described+"orders LATEST\n" {
				t.Errorf("%s as %s: %v\n%s", name, form, err, got)
			}
		}
	}
}

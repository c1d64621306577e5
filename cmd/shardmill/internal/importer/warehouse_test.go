package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// warehouse is what a destination of Redshift has, one line a few members.
func warehouse(text string, given ...string) string {
	c, err := load(text, set(append(given, latest)...))
	if err != nil {
		return "error\n" + err.Error()
	}
	w := c.Warehouse
	if w == nil {
		return "no warehouse"
	}
	retry := "default"
	if w.Load.RetryDuration != nil {
		retry = w.Load.RetryDuration.String()
	}
	l, d := w.Login, c.Delivery
	return strings.Join([]string{
		w.URL.Text + " " + w.RoleARN, w.Load.DataTableName + " (" + w.Load.DataTableColumns + ") " + w.Load.CopyOptions,
		fmt.Sprintf("%s %s %t %s%s", l.Kind, l.Username, l.Password.Reveal() == "hidden", l.Password.File, l.SecretARN),
		fmt.Sprint(d.Bucket, " ", d.Prefix, " ", d.Compression, " ", d.Hints.SizeInMBs, " ", d.Hints.IntervalInSeconds, " ", retry, " ", d.Backup != nil),
	}, "\n") + "\n" + strings.Join(c.Warnings, "\n")
}

// Each form comes to the input of CreateDeliveryStream, with Redshift as with S3. None
// that is told of a stream has its password: then it is asked for, and not on the command
// line.
func TestWarehouse(t *testing.T) {
	t.Parallel()
	const (
		url    = "jdbc:redshift://orders.abc.us-east-1.redshift.amazonaws.com:5439/dev"
		role   = "arn:aws:iam::123456789012:role/copy"
		secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-1"
		source = `"kinesis_source_configuration": [{"kinesis_stream_arn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}]`
		at     = "aws_kinesis_firehose_delivery_stream.a."
	)
	plan := func(destination string) string {
		return `{"terraform_version": "1", "values": {"root_module": {"resources": [{"address": "aws_kinesis_firehose_delivery_stream.a", "type": "aws_kinesis_firehose_delivery_stream",
"values": {"name": "orders", ` + source + `, ` + destination + `}}]}}}`
	}
	const notURL = " is no URL of a database, and is not shown, as it may have a password; it must be jdbc:redshift://NAME.ID.REGION.redshift.amazonaws.com:5439/DATABASE alone, with nothing behind the database. " +
		"Firehose says: 1 validation error detected: Value at 'redshiftDestinationConfiguration.clusterJDBCURL' failed to satisfy constraint: " +
		`Member must satisfy regular expression pattern: jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`
	const of = `"role_arn": "` + role + `", "cluster_jdbcurl": "` + url + `", "data_table_name": "events", `
	const hcl = `resource "aws_kinesis_firehose_delivery_stream" "a" {
  name = "orders"
  kinesis_source_configuration {
    kinesis_stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
  }
  redshift_configuration {
    role_arn        = "` + role + `"
    cluster_jdbcurl = "` + url + `"
    username        = "loader"
    password        = var.password
    data_table_name = "events"
    copy_options    = "json 'auto'"
    s3_configuration {
      bucket_arn = aws_s3_bucket.b.arn
    }
  }
}
variable "password" {
  sensitive = true
}
resource "aws_s3_bucket" "b" {
  bucket = "archive"
}`
	const described = `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"DestinationId": "d", "RedshiftDestinationDescription": {"RoleARN": "` + role + `", "ClusterJDBCURL": "` + url + `", "Username": "loader",
"CopyCommand": {"DataTableName": "events", "DataTableColumns": "id,ts", "CopyOptions": "json 'auto' gzip"}, "RetryOptions": {"DurationInSeconds": 0},
"S3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive", "Prefix": "logs/", "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 64}, "CompressionFormat": "GZIP", "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"}},
"ProcessingConfiguration": {"Enabled": false, "Processors": []}, "S3BackupMode": "Enabled", "S3BackupDescription": {"BucketARN": "arn:aws:s3:::raw", "Prefix": "", "BufferingHints": {"IntervalInSeconds": 300, "SizeInMBs": 5}, "CompressionFormat": "UNCOMPRESSED"},
"CloudWatchLoggingOptions": {"Enabled": false}}}]}}`
	const template = `Parameters: {Password: {Type: String, NoEcho: true}}
Resources:
  S:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamName: orders
      KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
      RedshiftDestinationConfiguration:
        RoleARN: ` + role + `
        ClusterJDBCURL: !Sub 'jdbc:redshift://orders.abc.${AWS::Region}.redshift.amazonaws.com:5439/dev'
        CopyCommand: {DataTableName: events}
        Username: loader
        Password: !Ref Password
        S3Configuration: {BucketARN: "arn:aws:s3:::archive", RoleARN: !GetAtt Role.Arn, Prefix: a/}
    Metadata: {shardmill: {passwordFile: /p}}
`
	const needs = " has no Password, which Firehose never tells of a stream that is there; give shardmill.passwordFile, the name of a file that has it, or Password. Firehose says: Redshift Database Password is required for Redshift Destination"
	const roleless = "RoleARN has no effect here; credentials are those of the AWS SDK's environment"
	const fromRegion = "AWS::Region=us-east-1"
	for name, row := range map[string]struct {
		text  string
		given []string
		want  string
	}{
		"a plan": {
			plan(`"redshift_configuration": [{` + of + `"username": "loader", "password": "hidden", "data_table_columns": "id", "copy_options": "gzip", "retry_duration": 60, "s3_backup_mode": "Enabled", "s3_backup_configuration": [{"bucket_arn": "arn:aws:s3:::raw"}],
"cloudwatch_logging_options": [], "processing_configuration": [], "secrets_manager_configuration": [], "s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive", "prefix": "a/", "buffering_size": 64, "buffering_interval": 60, "compression_format": "GZIP", "error_output_prefix": ""}]}]`), nil,
			url + " " + role + "\nevents (id) gzip\npassword loader true \narchive a/ GZIP 64 60 1m0s true",
		},
		"what the provider takes, and a secret": {
			plan(`"redshift_configuration": [{` + of + `"username": null, "password": null, "secrets_manager_configuration": [{"enabled": true, "secret_arn": "` + secret + `", "role_arn": ""}], "s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive"}]}]`), nil,
			url + " " + role + "\nevents () \nsecret  false " + secret + "\narchive  UNCOMPRESSED 5 300 1h0m0s false",
		},
		"an old provider": {
			plan(`"s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive", "buffer_size": 7}], "redshift_configuration": [{` + of + `"username": "loader", "password": "hidden"}]`), nil,
			url + " " + role + "\nevents () \npassword loader true \narchive  UNCOMPRESSED 7 300 1h0m0s false",
		},
		"Terraform's language": {hcl, []string{"shardmill.passwordFile=/p"}, url + " " + role + "\nevents () json 'auto'\npassword loader false /p\narchive  UNCOMPRESSED 5 300 1h0m0s false"},
		"Terraform's language, and no password": {
			hcl, nil,
			"error\nf:10: " + at + "redshift_configuration[0].password is not in the file; give shardmill.passwordFile, the name of a file that has it",
		},
		"a password beside it": {
			hcl,
			[]string{"var.password=hidden"},
			"error\nf:10: " + at + "redshift_configuration[0].password shows in the list of processes; give the name of a file, as shardmill.passwordFile",
		},
		"a description":                        {described, []string{"shardmill.passwordFile=/p"}, url + " " + role + "\nevents (id,ts) json 'auto' gzip\npassword loader false /p\narchive logs/ GZIP 64 60 0s true"},
		"a description, which has no password": {described, nil, "error\nf:3: DeliveryStreamDescription.Destinations[0].RedshiftDestinationDescription" + needs},
		"a description, and another login": {described, []string{"shardmill.login=iam", "shardmill.dbUser=u"}, url + " " + role + "\nevents (id,ts) json 'auto' gzip\niam  false \narchive logs/ GZIP 64 60 0s true\n" +
			"f:3: DeliveryStreamDescription.Destinations[0].RedshiftDestinationDescription.Username has no effect here; the loader logs in with iam"},
		"a template": {template, []string{fromRegion}, url + " " + role + "\nevents () \npassword loader false /p\narchive a/ UNCOMPRESSED 5 300 default false\n" +
			"f:14: Resources.S.Properties.RedshiftDestinationConfiguration.S3Configuration." + roleless},
		"a template, and no password": {
			edit(template, "passwordFile: /p", "commitOn: load"),
			[]string{fromRegion},
			"error\nf:13: Resources.S.Properties.RedshiftDestinationConfiguration.Password is not in the file; give shardmill.passwordFile, the name of a file that has it",
		},
		"a template whose password is looked up": {
			edit(edit(template, "passwordFile: /p", "commitOn: load"), "!Ref Password", "'{{resolve:secretsmanager:db:SecretString:password}}'"),
			[]string{fromRegion},
			"error\nf:13: Resources.S.Properties.RedshiftDestinationConfiguration.Password is not in the file; give shardmill.passwordFile, the name of a file that has it",
		},
		"a template whose role is made": {
			edit(template, "RoleARN: "+role, "RoleARN: !GetAtt Copy.Arn"),
			[]string{fromRegion},
			"error\nf:9: Resources.S.Properties.RedshiftDestinationConfiguration.RoleARN is !GetAtt Copy.Arn, which is not in the file; give it with --set 'Copy.Arn=VALUE'",
		},
		"that role, given": {edit(template, "RoleARN: "+role, "RoleARN: !GetAtt Copy.Arn"), []string{fromRegion, "Copy.Arn=" + role}, url + " " + role + "\nevents () \npassword loader false /p\narchive a/ UNCOMPRESSED 5 300 default false\n" +
			"f:14: Resources.S.Properties.RedshiftDestinationConfiguration.S3Configuration." + roleless},
		"that role, and keys of a session": {edit(template, "RoleARN: "+role, "RoleARN: !GetAtt Copy.Arn"), []string{fromRegion, "shardmill.copyCredentials=session"}, url + " \nevents () \npassword loader false /p\narchive a/ UNCOMPRESSED 5 300 default false\n" +
			"f:14: Resources.S.Properties.RedshiftDestinationConfiguration.S3Configuration." + roleless},
		"a URL with a password, in a plan": {
			plan(`"redshift_configuration": [{"role_arn": "` + role + `", "cluster_jdbcurl": "` + url + `;UID=a;PWD=hidden", "data_table_name": "events", "username": "loader", "password": "hidden", "s3_configuration": [{"bucket_arn": "arn:aws:s3:::archive"}]}]`),
			nil, "error\nf:2: " + at + "redshift_configuration[0].cluster_jdbcurl" + notURL,
		},
		"a URL with a password, in a template": {
			edit(template, "5439/dev", "5439/dev;UID=a;PWD=hidden"),
			[]string{fromRegion},
			"error\nf:10: Resources.S.Properties.RedshiftDestinationConfiguration.ClusterJDBCURL" + notURL,
		},
		"a URL with a password, which a template leaves open": {
			edit(template, "5439/dev", "5439/dev;UID=${User};PWD=hidden"),
			[]string{fromRegion},
			"error\nf:10: Resources.S.Properties.RedshiftDestinationConfiguration.ClusterJDBCURL is ${User}, which is not in the file; give it with --set 'User=VALUE'",
		},
		"a URL with a password, which HCL leaves open": {
			edit(edit(hcl, url, url+";UID=${var.user};PWD=hidden"), "json 'auto'", "secret_hidden${var.user}"), nil,
			"error\nf:8: " + at + "redshift_configuration[0].cluster_jdbcurl is a text with what is not in the file; give it with --set 'var.user=VALUE'\n" +
				"f:10: " + at + "redshift_configuration[0].password is not in the file; give shardmill.passwordFile, the name of a file that has it\n" +
				"f:12: " + at + "redshift_configuration[0].copy_options is a text with what is not in the file; give it with --set 'var.user=VALUE'",
		},
		"what is missing": {plan(`"redshift_configuration": [{"username": "loader", "password": "hidden"}]`), nil, "error\n" +
			"f:2: " + at + "redshift_configuration[0].cluster_jdbcurl is missing; give the cluster's, jdbc:redshift://NAME.ID.REGION.redshift.amazonaws.com:5439/DATABASE\n" +
			"f:2: " + at + "redshift_configuration[0].CopyCommand is missing; give the table's DataTableName in it\n" +
			"f:2: " + at + "redshift_configuration[0].s3_configuration is missing; give the bucket that records are staged in, as S3DestinationConfiguration has it\n" +
			"f:2: " + at + "redshift_configuration[0] has no RoleARN; give the role as which the cluster reads the bucket, and attach it to the cluster; or set shardmill.copyCredentials to session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := warehouse(row.text, row.given...)
			if strings.Contains(got, "hidden") {
				t.Errorf("it shows the password: %s", got)
			}
			if diff := cmp.Diff(strings.TrimSpace(row.want), strings.TrimSpace(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

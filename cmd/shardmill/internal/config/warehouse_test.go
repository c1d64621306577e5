package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

const toTable = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
RedshiftDestinationConfiguration:
  RoleARN: arn:aws:iam::123456789012:role/copy
  ClusterJDBCURL: jdbc:redshift://orders.abc123.eu-west-1.redshift.amazonaws.com:5439/dev
  CopyCommand: {DataTableName: public.events}
  Username: loader
  Password: hidden
  S3Configuration: {BucketARN: "arn:aws:s3:::archive"}
`

const (
	workgroupURL = "jdbc:redshift://wg1.123456789012.eu-west-1.redshift-serverless.amazonaws.com:5439/dev"

	clusterURL = "jdbc:redshift://orders.abc123.eu-west-1.redshift.amazonaws.com:5439/dev"
	copyARN    = "arn:aws:iam::123456789012:role/copy"
	atTable    = "a.yaml:10: RedshiftDestinationConfiguration."
	user       = "  Username: loader\n  Password: hidden\n"
	bySecret   = "  SecretsManagerConfiguration: {Enabled: true, SecretARN: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-1'}\n"
)

func inTable(text string) string   { return toTable + indent(text) }
func tableKeys(text string) string { return toTable + "shardmill:\n" + indent(text) }
func toURL(url string) string      { return strings.Replace(toTable, clusterURL, url, 1) }
func ofTable(text string) string   { return text }

// loggedIn is toTable with another login, and members of the shardmill key.
func loggedIn(members, keys string) string {
	return strings.Replace(toTable, user, members, 1) + "shardmill:\n" + indent(keys)
}

func inStaging(members string) string {
	return strings.Replace(toTable, `archive"}`, `archive", `+members+"}", 1)
}

func copying(members string) string {
	return strings.Replace(toTable, "{DataTableName: public.events}", "{DataTableName: public.events, "+members+"}", 1)
}

// gzipped is inStaging, with options for GZIP.
func gzipped(members string) string {
	return strings.Replace(inStaging(members), "{DataTableName: public.events}", "{DataTableName: public.events, CopyOptions: gzip}", 1)
}

// loaded is what toTable says, but for its password.
func loaded() config.Config {
	c := defaults()
	c.Delivery.Load = &processors.Load{CommitOn: processors.CommitOnStage}
	c.Warehouse = &config.Warehouse{
		Load: redshiftarchive.Config{DataTableName: "public.events"},
		URL: config.JDBCURL{
			Text: clusterURL, Host: "orders.abc123.eu-west-1.redshift.amazonaws.com", Port: 5439, Database: "dev", Cluster: "orders", Region: "eu-west-1",
		},
		CopyCredentials: config.CopyByRole, RoleARN: copyARN,
		Login: config.Login{Kind: config.LoginPassword, Username: "loader"},
		Table: config.LoaderTable{Name: "orders-shardmill"},
	}
	return c
}

func TestWarehouse(t *testing.T) {
	t.Parallel()
	const role = "RoleARN has no effect here; credentials are those of the AWS SDK's environment"
	const idle = "Username has no effect here; the loader logs in with "
	warehouse := func(f func(*config.Warehouse)) func(*config.Config) {
		return func(c *config.Config) { f(c.Warehouse) }
	}
	seconds := func(n int) *time.Duration { d := time.Duration(n) * time.Second; return &d }
	login := func(l config.Login) func(*config.Config) {
		return warehouse(func(w *config.Warehouse) { w.Login = l })
	}
	for name, row := range map[string]struct {
		text   string
		differ func(*config.Config) // from toTable
	}{
		"nothing optional": {toTable, nil},
		"the statement": {copying(`DataTableColumns: "id,ts", CopyOptions: "json 'auto'"`), warehouse(func(w *config.Warehouse) {
			w.Load.DataTableColumns, w.Load.CopyOptions = "id,ts", "json 'auto'"
		})},
		"nothing of the statement's": {copying(`DataTableColumns: "", CopyOptions: ""`), nil},
		"one try":                    {inTable("RetryOptions: {DurationInSeconds: 0}"), warehouse(func(w *config.Warehouse) { w.Load.RetryDuration = seconds(0) })},
		"two hours":                  {inTable("RetryOptions: {DurationInSeconds: 7200}"), warehouse(func(w *config.Warehouse) { w.Load.RetryDuration = seconds(7200) })},
		"the bucket": {gzipped("Prefix: logs/, CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 60}, EncryptionConfiguration: {KMSEncryptionConfig: {AWSKMSKeyARN: 'arn:aws:kms:eu-west-1:123456789012:key/1'}}"), func(c *config.Config) {
			d := &c.Delivery
			d.Prefix, d.Compression, d.GZIPLevel, d.Hints, d.AWSKMSKeyARN = "logs/", "GZIP", 5, processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}, "arn:aws:kms:eu-west-1:123456789012:key/1"
			c.Warehouse.Load.CopyOptions = "gzip"
		}},
		"a backup": {inTable("S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::raw', Prefix: '!{timestamp:yyyy}/', ErrorOutputPrefix: e/, CompressionFormat: ZIP}"), func(c *config.Config) {
			c.BackupBucketARN = "arn:aws:s3:::raw"
			c.Delivery.Backup = &processors.Backup{Bucket: "raw", Prefix: "!{timestamp:yyyy}/", ErrorOutputPrefix: "e/", Compression: "ZIP"}
			c.Warnings = []string{`a.yaml:11: RedshiftDestinationConfiguration.S3BackupConfiguration.ErrorOutputPrefix is "e/"; it has no effect: no record can fail without dynamic partitioning, or a processor such as Decompression or Lambda`}
		}},
		"a function, and newlines": {inTable("ProcessingConfiguration: {Enabled: true, Processors: [{Type: AppendDelimiterToRecord}, " + parameters("Lambda", "LambdaArn", function) + "]}"), func(c *config.Config) {
			c.Transform = &config.Transform{Lambda: &config.LambdaTransform{ARN: function, Region: "eu-west-1"}, NumberOfRetries: 3, Hints: processors.TransformHints{SizeInMBs: 1, IntervalInSeconds: 60}}
			c.Delivery.AppendDelimiterToRecord = true
		}},
		"what does nothing": {strings.Replace(inTable("CloudWatchLoggingOptions: {Enabled: true, LogGroupName: g, LogStreamName: s}\nSecretsManagerConfiguration: {Enabled: false, SecretARN: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a'}"),
			`archive"}`, `archive", RoleARN: 'arn:aws:iam::123456789012:role/r'}`, 1), func(c *config.Config) {
			c.Warnings = []string{
				"a.yaml:9: RedshiftDestinationConfiguration.S3Configuration." + role,
				"a.yaml:10: RedshiftDestinationConfiguration.CloudWatchLoggingOptions has no effect here; errors are in the log of this program",
			}
		}},
		"a cluster of PostgreSQL's name, in China": {toURL("jdbc:postgresql://Orders-1.abc.cn-north-1.redshift.amazonaws.com.cn:5439/dev-1"), warehouse(func(w *config.Warehouse) {
			w.URL = config.JDBCURL{Text: "jdbc:postgresql://Orders-1.abc.cn-north-1.redshift.amazonaws.com.cn:5439/dev-1", Host: "Orders-1.abc.cn-north-1.redshift.amazonaws.com.cn", Port: 5439, Database: "dev-1", Cluster: "orders-1", Region: "cn-north-1"}
		})},
		"a workgroup": {toURL("jdbc:redshift://wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com:5439/dev"), warehouse(func(w *config.Warehouse) {
			w.URL = config.JDBCURL{Text: "jdbc:redshift://wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com:5439/dev", Host: "wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com", Port: 5439, Database: "dev", Workgroup: "wg", Region: "eu-west-1"}
		})},
		"this machine": {toURL("jdbc:redshift://127.0.0.1:65535/dev"), warehouse(func(w *config.Warehouse) {
			w.URL = config.JDBCURL{Text: "jdbc:redshift://127.0.0.1:65535/dev", Host: "127.0.0.1", Port: 65535, Database: "dev"}
		})},
		"this machine, IPv6": {toURL("'jdbc:redshift://[::1]:1/dev'"), warehouse(func(w *config.Warehouse) {
			w.URL = config.JDBCURL{Text: "jdbc:redshift://[::1]:1/dev", Host: "::1", Port: 1, Database: "dev"}
		})},
		"another host, by an endpoint": {toURL("jdbc:redshift://db.example.com:5439/dev") + "shardmill: {clusterEndpoint: '[::1]:5432'}\n", warehouse(func(w *config.Warehouse) {
			w.URL = config.JDBCURL{Text: "jdbc:redshift://db.example.com:5439/dev", Host: "db.example.com", Port: 5439, Database: "dev"}
			w.ClusterEndpoint = "[::1]:5432"
		})},
		"all of ours": {tableKeys("commitOn: load\ncopyCredentials: role\ncopyTimeoutSeconds: 60\nclusterEndpoint: 'proxy:5432'\nledger: public.loaded\nlogin: password\nloaderTable: loaders\nloaderBilling: {read: 5, write: 6}\ncaFile: /ca.pem\nstaging: s3://staged/a/\n" +
			"bufferingHints: {SizeInMBs: 1024, IntervalInSeconds: 1}"), func(c *config.Config) {
			c.Delivery.Load.CommitOn, c.Delivery.Staging = processors.CommitOnLoad, "s3://staged/a/"
			c.Delivery.Hints = processors.BufferingHints{SizeInMBs: 1024, IntervalInSeconds: 1, BeyondFirehose: true}
			w := c.Warehouse
			w.Load.CopyTimeout, w.Load.Ledger, w.ClusterEndpoint, w.CAFile, w.Table = time.Minute, "public.loaded", "proxy:5432", "/ca.pem", config.LoaderTable{Name: "loaders", ReadCapacity: 5, WriteCapacity: 6}
		}},
		"the application's name": {tableKeys("applicationName: archiver\nloaderBilling: PAY_PER_REQUEST"), func(c *config.Config) {
			c.Worker.ApplicationName, c.Warehouse.Table.Name = "archiver", "archiver-shardmill"
		}},
		"keys of a session": {tableKeys("copyCredentials: session"), func(c *config.Config) {
			c.Warehouse.CopyCredentials, c.Warehouse.RoleARN = config.CopyBySession, ""
			c.Warnings = []string{"a.yaml:4: RedshiftDestinationConfiguration.RoleARN has no effect here; shardmill.copyCredentials is session: COPY reads the bucket with keys of the AWS SDK's environment"}
		}},
		"keys of a session, and no role": {strings.Replace(tableKeys("copyCredentials: session"), "  RoleARN: "+copyARN+"\n", "", 1), warehouse(func(w *config.Warehouse) {
			w.CopyCredentials, w.RoleARN = config.CopyBySession, ""
		})},
		"keys of a session, which the Data API keeps": {strings.Replace(loggedIn("", "login: dataApi\ncopyCredentials: session"), "  RoleARN: "+copyARN+"\n", "", 1), func(c *config.Config) {
			c.Warehouse.CopyCredentials, c.Warehouse.RoleARN = config.CopyBySession, ""
			c.Warehouse.Login = config.Login{Kind: config.LoginDataAPI, ClusterIdentifier: "orders", Region: "eu-west-1"}
			c.Warnings = []string{`a.yaml:9: shardmill.copyCredentials is "session"; with shardmill.login dataApi these keys are in the statements that the Redshift Data API keeps, and shows to who may describe them; use role, or another login`}
		}},
		"a secret":        {strings.Replace(toTable, user, bySecret, 1), login(config.Login{Kind: config.LoginSecret, SecretARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-1"})},
		"a secret, by us": {loggedIn(bySecret, "login: secret"), login(config.Login{Kind: config.LoginSecret, SecretARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-1"})},
		"a secret, which overrides": {toTable + bySecret, func(c *config.Config) {
			c.Warehouse.Login = config.Login{Kind: config.LoginSecret, SecretARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-1"}
			c.Warnings = []string{"a.yaml:7: RedshiftDestinationConfiguration." + idle + "secret", "a.yaml:8: RedshiftDestinationConfiguration.Password has no effect here; the loader logs in with secret"}
		}},
		"a password of a file": {loggedIn("  Username: loader\n", "passwordFile: /p"), login(config.Login{Kind: config.LoginPassword, Username: "loader", Password: config.Secret{File: "/p"}})},
		"IAM":                  {loggedIn("", "login: iam\ndbUser: loader"), login(config.Login{Kind: config.LoginIAM, DbUser: "loader", ClusterIdentifier: "orders", Region: "eu-west-1"})},
		"IAM, named twice":     {loggedIn("", "login: iam\nclusterIdentifier: orders"), login(config.Login{Kind: config.LoginIAM, ClusterIdentifier: "orders", Region: "eu-west-1"})},
		"IAM, of a URL that names none": {strings.Replace(loggedIn("", "login: iam\nclusterIdentifier: c-1"), clusterURL, "jdbc:redshift://localhost:5439/dev", 1), func(c *config.Config) {
			c.Warehouse.URL = config.JDBCURL{Text: "jdbc:redshift://localhost:5439/dev", Host: "localhost", Port: 5439, Database: "dev"}
			c.Warehouse.Login = config.Login{Kind: config.LoginIAM, ClusterIdentifier: "c-1"}
		}},
		"the Data API": {strings.Replace(loggedIn("", "login: dataApi\nworkgroup: wg1"), clusterURL, workgroupURL, 1), func(c *config.Config) {
			c.Warehouse.URL = config.JDBCURL{
				Text: workgroupURL, Host: "wg1.123456789012.eu-west-1.redshift-serverless.amazonaws.com", Port: 5439, Database: "dev", Workgroup: "wg1", Region: "eu-west-1",
			}
			c.Warehouse.Login = config.Login{Kind: config.LoginDataAPI, Workgroup: "wg1", Region: "eu-west-1"}
		}},
		"the Data API, by a secret": {loggedIn(bySecret, "login: dataApi"), login(config.Login{
			Kind: config.LoginDataAPI, ClusterIdentifier: "orders", Region: "eu-west-1", SecretARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-1",
		})},
		"the Data API, and a name that is left": {loggedIn("  Username: loader\n", "login: dataApi"), func(c *config.Config) {
			c.Warehouse.Login = config.Login{Kind: config.LoginDataAPI, ClusterIdentifier: "orders", Region: "eu-west-1"}
			c.Warnings = []string{"a.yaml:7: RedshiftDestinationConfiguration." + idle + "dataApi"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := loaded()
			if row.differ != nil {
				row.differ(&want)
			}
			want.Delivery = want.Delivery.WithDefaults()
			got, err := config.Load("a.yaml", []byte(row.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if want.Warehouse.Login.Kind == config.LoginPassword && want.Warehouse.Login.Password.File == "" {
				if got.Warehouse.Login.Password.Reveal() != "hidden" {
					t.Error("it is another password")
				}
				want.Warehouse.Login.Password = got.Warehouse.Login.Password
			}
			if diff := differ(want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

// Firehose's words for what Firehose refuses, and what is ours is told by its name.
func TestFaultsOfWarehouse(t *testing.T) {
	t.Parallel()
	const in = "RedshiftDestinationConfiguration"
	const processor = atTable + "ProcessingConfiguration.Processors[0].Type is "
	const pattern = `Member must satisfy regular expression pattern: jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`
	const url = "a.yaml:5: " + in + ".ClusterJDBCURL is "
	const form = "; it must be jdbc:redshift://NAME.ID.REGION.redshift.amazonaws.com:5439/DATABASE"
	const notURL = "a.yaml:5: " + in + ".ClusterJDBCURL is no URL of a database, and is not shown, as it may have a password" + form + " alone, with nothing behind the database. Firehose says: 1 validation error detected: Value at 'redshiftDestinationConfiguration.clusterJDBCURL' failed to satisfy constraint: " + pattern
	const notHost = "; its host must be one of Redshift, or of this machine; for any other give the HOST:PORT that it is reached by as shardmill.clusterEndpoint. " +
		"Firehose says: 1 validation error detected: Value at 'redshiftDestinationConfiguration.clusterJDBCURL' failed to satisfy constraint: " + pattern
	const needs = " has no Password, which Firehose never tells of a stream that is there; give shardmill.passwordFile, the name of a file that has it, or Password. Firehose says: Redshift Database Password is required for Redshift Destination"
	const bounds = ". Firehose says: 1 validation error detected: Value at 'redshiftDestinationConfiguration.password' failed to satisfy constraint: Member must have length "
	const elsewhere = " does nothing with ExtendedS3DestinationConfiguration; remove it: it goes with RedshiftDestinationConfiguration"
	const unpartitioned = " does nothing with RedshiftDestinationConfiguration: what is loaded is not partitioned; remove it"
	const noDP = ". Firehose says: class com.amazonaws.services.firehose.internal.model."
	on := func(p string) string {
		return inTable("ProcessingConfiguration: {Enabled: true, Processors: [" + p + "]}")
	}
	password := func(p string) string { return strings.Replace(toTable, "Password: hidden", "Password: "+p, 1) }
	checkFaults(t, ofTable, []fault{
		{"nothing", toTable[:strings.Index(toTable, "  Role")] + "  RetryOptions: {}\n", "a.yaml:3: " + in + ".ClusterJDBCURL is missing; give the cluster's, jdbc:redshift://NAME.ID.REGION.redshift.amazonaws.com:5439/DATABASE\n" +
			"a.yaml:3: " + in + ".CopyCommand is missing; give the table's DataTableName in it\n" +
			"a.yaml:3: " + in + ".S3Configuration is missing; give the bucket that records are staged in, as S3DestinationConfiguration has it\n" +
			"a.yaml:3: " + in + " has no RoleARN; give the role as which the cluster reads the bucket, and attach it to the cluster; or set shardmill.copyCredentials to session\n" +
			"a.yaml:3: " + in + " has no Username; give the database user's, or SecretsManagerConfiguration, or set shardmill.login\n" +
			"a.yaml:3: " + in + needs},
		{"no table", strings.Replace(toTable, "{DataTableName: public.events}", "{}", 1), "a.yaml:6: " + in + ".CopyCommand.DataTableName is missing; give the table that records are loaded into, or SCHEMA.TABLE"},
		{"an empty table", strings.Replace(toTable, "public.events", "''", 1), "a.yaml:6: " + in + ".CopyCommand.DataTableName is \"\"; give a value. Firehose says: 1 validation error detected: Value at 'redshiftDestinationConfiguration.copyCommand.dataTableName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"options that are too long", copying("CopyOptions: " + strings.Repeat("a", 10_241)), "a.yaml:6: " + in + ".CopyCommand.CopyOptions has 10241 characters; at most 10240 are allowed. Firehose says: 1 validation error detected: Value at 'redshiftDestinationConfiguration.copyCommand.copyOptions' failed to satisfy constraint: Member must have length less than or equal to 10240"},
		{"a key in the options", copying("CopyOptions: encrypted Master_Symmetric_Key 'hidden'"), "a.yaml:6: " + in + ".CopyCommand.CopyOptions has MASTER_SYMMETRIC_KEY, which is a secret, and no object that is staged is encrypted with it; remove it, and ENCRYPTED"},
		{"an application among markers", tableKeys("applicationName: load"), "a.yaml:3: " + in + " does not go with an application that is called load, below whose name the markers of staged objects are; set shardmill.applicationName to another one"},
		{"names that are none", strings.Replace(toTable, "public.events", "a.b.c.d", 1) + "shardmill: {ledger: 'a\"b'}\n", "a.yaml:6: " + in + ".CopyCommand.DataTableName is \"a.b.c.d\"; it has more than a database, a schema and a table: write a name that has a point in double quotes\na.yaml:10: shardmill.ledger is \"a\\\"b\"; a double quote is not closed"},
		{"what would be another statement", copying("CopyOptions: \"credentials 'hidden'; --\", DataTableColumns: 'a,,b'"), "a.yaml:6: " + in + ".CopyCommand.DataTableColumns is \"a,,b\"; a name is empty\n" + "a.yaml:6: " + in + ".CopyCommand.CopyOptions must not have \";\" outside of quotes: the statement ends by itself"},
		{"words that the statement has", copying("CopyOptions: manifest iam_role 'hidden'"), "a.yaml:6: " + in + ".CopyCommand.CopyOptions has MANIFEST: remove it: the statement has it already\n" + "a.yaml:6: " + in + ".CopyCommand.CopyOptions has IAM_ROLE: remove it: it says what COPY reads the bucket with, which the statement has already"},
		{"the table for a ledger, by another name", tableKeys("ledger: '\"events\"'"), `a.yaml:11: shardmill.ledger is "\"events\""; it must be another table than DataTableName, which is public.events; if they are of two schemas, name both`},
		{"the table for a ledger", tableKeys("ledger: Public.Events"), `a.yaml:11: shardmill.ledger is "Public.Events"; it must be another table than DataTableName, which is public.events; if they are of two schemas, name both`},
		{"a second destination", toTable + "S3DestinationConfiguration: {BucketARN: 'arn:aws:s3:::b'}\n", "a.yaml:10: S3DestinationConfiguration is a second destination, beside " + in + " in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose"},
		{"beside another", toIndex + "RedshiftDestinationConfiguration: {Password: hid}\n", "a.yaml:7: " + in + " is a second destination, beside AmazonopensearchserviceDestinationConfiguration in line 3; remove one. Firehose says: Exactly one destination configuration is supported for a Firehose\n" +
			"a.yaml:7: " + in + ".Password has fewer than 6 characters" + bounds + "greater than or equal to 6\n" +
			"a.yaml:7: " + in + ".ClusterJDBCURL is missing; give the cluster's, jdbc:redshift://NAME.ID.REGION.redshift.amazonaws.com:5439/DATABASE\n" +
			"a.yaml:7: " + in + ".CopyCommand is missing; give the table's DataTableName in it\n" +
			"a.yaml:7: " + in + ".S3Configuration is missing; give the bucket that records are staged in, as S3DestinationConfiguration has it"},
		{"what is S3's", inTable("Prefix: a\nDynamicPartitioningConfiguration: {Enabled: true}"), atTable + "Prefix is not a member of Firehose's " + in + "; it belongs in S3Configuration, if at all\n" +
			"a.yaml:11: " + in + ".DynamicPartitioningConfiguration is not a member of Firehose's " + in + "; it belongs in S3Configuration, if at all"},
		{"a slip of the pen", inTable("Copycommand: {}"), atTable + "Copycommand is not a member of Firehose's " + in + "; did you mean CopyCommand?"},
		{"a slip among ours", tableKeys("ledgers: a"), "a.yaml:11: shardmill.ledgers is not a member of the shardmill key; did you mean ledger?"},
		{"no URL", toURL("https://example.com"), notURL},
		{"a URL with options", toURL(clusterURL + "?ssl=true"), notURL},
		{"a URL that is a number", toURL("5"), notURL},
		{"another host", toURL("jdbc:redshift://db.example.com:5439/dev"), url + `"jdbc:redshift://db.example.com:5439/dev"` + notHost},
		{"a label that ends in -", toURL("jdbc:redshift://a-.redshift.amazonaws.com:5439/dev"), url + `"jdbc:redshift://a-.redshift.amazonaws.com:5439/dev"` + notHost},
		{"a port that is none", toURL(strings.Replace(clusterURL, "5439", "65536", 1)), url + `"` + strings.Replace(clusterURL, "5439", "65536", 1) + `"; its port must be between 1 and 65535`},
		{"no password", strings.Replace(toTable, "  Password: hidden\n", "", 1), "a.yaml:3: " + in + needs},
		{"a short password", password("hiden"), "a.yaml:8: " + in + ".Password has fewer than 6 characters" + bounds + "greater than or equal to 6"},
		{"a long password", password(strings.Repeat("hidden", 86)), "a.yaml:8: " + in + ".Password has more than 512 characters" + bounds + "less than or equal to 512"},
		{"a password that is a number", password("123456"), "a.yaml:8: " + in + ".Password is no string; put it in quotes"},
		{"a password that is two lines", password(`"hid\nden"`), "a.yaml:8: " + in + ".Password has the control character U+000A; remove it"},
		{"two passwords", tableKeys("passwordFile: f"), "a.yaml:11: shardmill.passwordFile is a second one, beside " + in + ".Password in line 8; remove one"},
		{"a password of ours", tableKeys("password: hidden"), "a.yaml:11: shardmill.password does nothing with " + in + "; remove it: it goes with ElasticsearchDestinationConfiguration, AmazonopensearchserviceDestinationConfiguration and AmazonOpenSearchServerlessDestinationConfiguration"},
		{"a role that is none", strings.Replace(toTable, copyARN, "copy", 1), `a.yaml:4: ` + in + `.RoleARN is "copy"; it must be arn:aws:iam::ACCOUNT:role/NAME, with an account of 12 digits: the role as which the cluster reads the bucket`},
		{"a secret without an ARN", inTable("SecretsManagerConfiguration: {Enabled: true}"), atTable + "SecretsManagerConfiguration has no SecretARN; give the secret's, or set Enabled to false"},
		{"a secret that is none", inTable("SecretsManagerConfiguration: {Enabled: true, SecretARN: db}"), atTable + `SecretsManagerConfiguration.SecretARN is "db"; it must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, with an account of 12 digits`},
		{"a secret, or none", inTable("SecretsManagerConfiguration: {SecretARN: db}"), atTable + "SecretsManagerConfiguration.Enabled is missing; set it to true or false\n" +
			atTable + `SecretsManagerConfiguration.SecretARN is "db"; it must be 1-2048 characters of the form arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME; it has no effect here`},
		{"password, and a secret", toTable + bySecret + "shardmill: {login: password}\n", `a.yaml:11: shardmill.login is "password"; SecretsManagerConfiguration in line 10 is enabled, and overrides it; remove one of them`},
		{"IAM, and a secret", toTable + bySecret + "shardmill: {login: iam}\n", `a.yaml:11: shardmill.login is "iam"; SecretsManagerConfiguration in line 10 is enabled, and does nothing with it; remove one of them`},
		{"a secret that is not given", tableKeys("login: secret"), `a.yaml:11: shardmill.login is "secret"; give SecretsManagerConfiguration, with Enabled true and the secret's SecretARN`},
		{"the Data API, two names", toTable + bySecret + "shardmill: {login: dataApi, dbUser: a}\n", `a.yaml:11: shardmill.dbUser is "a"; SecretsManagerConfiguration in line 10 has the user's name; remove one of them`},
		{"a login that is none", tableKeys("login: ldap"), `a.yaml:11: shardmill.login is "ldap"; it must be password or secret or iam or dataApi`},
		{"what only IAM has", tableKeys("clusterIdentifier: a\nworkgroup: abc\ndbUser: c"), "a.yaml:11: shardmill.clusterIdentifier does nothing while the loader logs in with password; set shardmill.login to iam or dataApi, or remove it\n" +
			"a.yaml:12: shardmill.workgroup does nothing while the loader logs in with password; set shardmill.login to iam or dataApi, or remove it\n" +
			"a.yaml:13: shardmill.dbUser does nothing while the loader logs in with password; set shardmill.login to iam or dataApi, or remove it"},
		{"a cluster and a workgroup", loggedIn("", "login: iam\nclusterIdentifier: a\nworkgroup: abc"), "a.yaml:11: shardmill.workgroup is a second one, beside shardmill.clusterIdentifier in line 10: a database is of a cluster or of a workgroup; remove one"},
		{"another cluster", loggedIn("", "login: dataApi\nclusterIdentifier: other"), `a.yaml:10: shardmill.clusterIdentifier is "other"; ClusterJDBCURL in line 5 names cluster orders: rows must go where that says; remove this, or correct one of them`},
		{"a workgroup for a cluster", loggedIn("", "login: iam\nworkgroup: orders"), `a.yaml:10: shardmill.workgroup is "orders"; ClusterJDBCURL in line 5 names cluster orders: rows must go where that says; remove this, or correct one of them`},
		{"a cluster for a workgroup", strings.Replace(loggedIn("", "login: dataApi\nclusterIdentifier: wg1"), clusterURL, workgroupURL, 1), `a.yaml:10: shardmill.clusterIdentifier is "wg1"; ClusterJDBCURL in line 5 names workgroup wg1: rows must go where that says; remove this, or correct one of them`},
		{"names that are none", loggedIn("", "login: iam\nclusterIdentifier: A.b\nworkgroup: ab"), `a.yaml:10: shardmill.clusterIdentifier is "A.b"; it must be the identifier of a cluster, 1-63 characters of a-z 0-9 -, not its endpoint` + "\n" +
			`a.yaml:11: shardmill.workgroup is "ab"; it must be the name of a workgroup, 3-64 characters of a-z 0-9 -, not its endpoint` + "\n" +
			"a.yaml:11: shardmill.workgroup is a second one, beside shardmill.clusterIdentifier in line 10: a database is of a cluster or of a workgroup; remove one"},
		{"a user of a workgroup", strings.Replace(loggedIn("", "login: iam\nworkgroup: wg1\ndbUser: u"), clusterURL, workgroupURL, 1), `a.yaml:11: shardmill.dbUser is "u"; Redshift Serverless takes no name: the user is the identity of the AWS SDK's environment; remove it`},
		{"nobody knows which cluster", strings.Replace(loggedIn("", "login: dataApi"), clusterURL, "jdbc:redshift://localhost:5439/dev", 1), `a.yaml:9: shardmill.login is "dataApi"; nothing says of which cluster: ClusterJDBCURL is that of no cluster of AWS; give shardmill.clusterIdentifier, or shardmill.workgroup`},
		{"a connection of the Data API", loggedIn("", "login: dataApi\nclusterEndpoint: 'h:1'\ncaFile: f\npasswordFile: f"), "a.yaml:10: shardmill.clusterEndpoint does nothing while shardmill.login is dataApi, which connects to AWS alone; remove it\n" +
			"a.yaml:11: shardmill.caFile does nothing while shardmill.login is dataApi, which connects to AWS alone; remove it\na.yaml:12: shardmill.passwordFile does nothing, as the loader logs in with dataApi; remove it"},
		{"an endpoint that is none", tableKeys("clusterEndpoint: jdbc:redshift://h:1/d"), `a.yaml:11: shardmill.clusterEndpoint is "jdbc:redshift://h:1/d"; it must be HOST:PORT`},
		{"a ledger, at least once", tableKeys("ledger: a\ndelivery: at-least-once"), `a.yaml:11: shardmill.ledger is "a"; with at-least-once delivery a record may be staged in two objects, each of which would be loaded; remove one of them`},
		{"an empty ledger", tableKeys("ledger: ' '"), `a.yaml:11: shardmill.ledger is " "; it must be the name of a table, or SCHEMA.TABLE`},
		{"the application's table", tableKeys("loaderTable: orders"), `a.yaml:11: shardmill.loaderTable is "orders"; it is the application's lease table, in which a row of another kind would stop workers; name another one`},
		{"a table that is none", tableKeys("loaderTable: a b"), `a.yaml:11: shardmill.loaderTable is "a b"; it must be 3-255 characters of a-z A-Z 0-9 _ . -, as it names a table in DynamoDB`},
		{"a name with no room for it", tableKeys("applicationName: " + strings.Repeat("a", 246)), "a.yaml:3: " + in + " has a table for the lease of who loads whose name would have 256 characters; at most 255 are allowed: set shardmill.loaderTable"},
		{"billing that is none", tableKeys("loaderBilling: PROVISIONED"), `a.yaml:11: shardmill.loaderBilling is "PROVISIONED"; it must be PAY_PER_REQUEST, or an object with read and write`},
		{"billing in half", tableKeys("loaderBilling: {read: 0}"), "a.yaml:11: shardmill.loaderBilling.read is 0; it must be between 1 and 40000\na.yaml:11: shardmill.loaderBilling.write is missing; give the units of writes, 5 will do"},
		{"times and choices that are none", tableKeys("copyTimeoutSeconds: 59\ncommitOn: copy\ncopyCredentials: keys"), "a.yaml:11: shardmill.copyTimeoutSeconds is 59; it must be between 60 and 86400\n" +
			`a.yaml:12: shardmill.commitOn is "copy"; it must be stage or load` + "\n" + `a.yaml:13: shardmill.copyCredentials is "keys"; it must be role or session`},
		{"de-aggregation", on(parameters("RecordDeAggregation", "SubRecordType", "JSON")), processor + `"RecordDeAggregation"; it goes with S3 alone, as what is loaded is not partitioned; remove the processor` + noDP + "RecordDeAggregationProcessor can only be present when Dynamic Partitioning is enabled."},
		{"partition keys", on(queryOf("{a:.a}")), processor + `"MetadataExtraction"; it goes with S3 alone, as what is loaded is not partitioned; remove the processor` + noDP + "MetadataExtractionProcessor can only be present when Dynamic Partitioning is enabled."},
		{"what only partitions have", tableKeys("activePartitions: 5\npartitionOverflow: fail\neventTime: {jq: .a}"), "a.yaml:11: shardmill.activePartitions" + unpartitioned + "\na.yaml:12: shardmill.partitionOverflow" + unpartitioned + "\na.yaml:13: shardmill.eventTime" + unpartitioned},
		{"a format of ours", tableKeys("compressionFormat: ZSTD"), `a.yaml:11: shardmill.compressionFormat is "ZSTD"; COPY is told of GZIP or of nothing; remove it, and set CompressionFormat of S3Configuration. Firehose says: Only the following compression formats are allowed when using Redshift: [UNCOMPRESSED, GZIP]`},
		{"a backup without a bucket", inTable("S3BackupMode: Enabled"), atTable + `S3BackupMode is "Enabled"; give S3BackupConfiguration too, or set it to Disabled. Firehose says: S3 backup destination configuration is required when enabling S3 backup.`},
		{"what is of Redshift, elsewhere", inOurs("ledger: a\ncommitOn: load\ncaFile: f\nlogin: iam"), "a.yaml:6: shardmill.ledger" + elsewhere + "\na.yaml:7: shardmill.commitOn" + elsewhere +
			"\na.yaml:8: shardmill.caFile does nothing with ExtendedS3DestinationConfiguration; remove it: it goes with ElasticsearchDestinationConfiguration, AmazonopensearchserviceDestinationConfiguration, RedshiftDestinationConfiguration and AmazonOpenSearchServerlessDestinationConfiguration" +
			"\na.yaml:9: shardmill.login" + elsewhere},
		{"what is of Redshift, with documents", withKeys("ledger: a"), "a.yaml:8: shardmill.ledger does nothing with AmazonopensearchserviceDestinationConfiguration; remove it: it goes with RedshiftDestinationConfiguration"},
		{"members in the wrong place", toTable + "CopyCommand: {}\nledger: b\nRedshiftDestinationUpdate: {}\n", "a.yaml:10: CopyCommand is not a member of Firehose's CreateDeliveryStream; it belongs in " + in + "\na.yaml:11: ledger is not a member of Firehose's CreateDeliveryStream; it belongs in shardmill\n" +
			"a.yaml:12: RedshiftDestinationUpdate is not a member of Firehose's CreateDeliveryStream; it belongs in UpdateDestination, which is for a stream that is there: give RedshiftDestinationConfiguration, whole"},
	})
}

// What is wrong with a URL, or with options, shows nothing of it that may be a password, or
// a key; nor does what warns of them.
func TestWarehouseShowsNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "CANARYSECRET"
	for _, text := range []string{
		toURL(clusterURL + ";UID=a;PWD=" + canary),
		toURL("'" + clusterURL + "?user=a&pwd=" + canary + "'"),
		toURL(clusterURL + ";Password=" + canary),
		toURL(clusterURL + "#" + canary),
		toURL(clusterURL + "/" + canary),
		toURL("jdbc:redshift:iam://orders.abc123.eu-west-1.redshift.amazonaws.com:5439/dev;AccessKeyID=a;SecretAccessKey=" + canary),
		toURL("jdbc:redshift://u:" + canary + "@h.redshift.amazonaws.com:5439/dev"),
		toURL("'jdbc:redshift://h;PWD=" + canary + ":5439/dev'"),
		toURL(`"` + clusterURL + `\u0000` + canary + `"`),
		toURL(`"` + clusterURL + `\u200b` + canary + `"`),
		toURL(clusterURL + ";PWD=${db_password}" + canary),
		copying("CopyOptions: 'gzip aws_secret_access_key=" + canary + "'"),
		copying(`CopyOptions: "gzip aws_secret_access_key=` + canary + `\nx"`),
		copying(`CopyOptions: "gzip with credentials 'aws_secret_access_key=` + canary + `'"`),
		copying(`CopyOptions: "gzip 'aws_access_key_id=a;aws_secret_access_key=` + canary + `'"`),
		copying("CopyOptions: gzip SECRET" + canary),
	} {
		c, err := config.Load("a.yaml", []byte(text), environment)
		if told := fmt.Sprint(err, c.Warnings); err == nil || strings.Contains(told, canary) || strings.Contains(told, "hidden") {
			t.Errorf("%s: %s", text, told)
		}
	}
}

// What applies, written down and read again, is the same.
func TestEffectiveWarehouse(t *testing.T) {
	t.Parallel()
	variable := strings.Replace(toTable, "Password: hidden", "Password: ${db_password}", 1)
	for name, text := range map[string]string{
		"nothing optional": variable,
		"the statement": strings.Replace(variable, "{DataTableName: public.events}", `{DataTableName: 'a$${b}', DataTableColumns: 'c$${d}', CopyOptions: "json 'auto $${e}'"}`, 1) +
			indent("RetryOptions: {DurationInSeconds: 0}"),
		"the bucket, a backup, a function": strings.Replace(strings.Replace(variable, "{DataTableName: public.events}", "{DataTableName: public.events, CopyOptions: gzip}", 1), `archive"}`, `archive", Prefix: 'a$${b}/', CompressionFormat: GZIP, BufferingHints: {SizeInMBs: 64, IntervalInSeconds: 0}, EncryptionConfiguration: {KMSEncryptionConfig: {AWSKMSKeyARN: 'arn:aws:kms:eu-west-1:123456789012:key/1'}}}`, 1) +
			indent("S3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::raw', Prefix: 'r/'}\nProcessingConfiguration: {Enabled: true, Processors: ["+parameters("Lambda", "LambdaArn", function)+"]}"),
		"all of ours": variable + "shardmill:\n" + indent("commitOn: load\ncopyTimeoutSeconds: 61\nclusterEndpoint: 'proxy:5432'\nledger: 'l$${a}'\nloaderTable: loaders\nloaderBilling: {read: 5, write: 6}\ncaFile: '/ca $${b}'\nstaging: s3://staged/a/\n"+
			"bufferingHints: {SizeInMBs: 1024, IntervalInSeconds: 1}"),
		"a session, a secret": strings.Replace(loggedIn(bySecret, "copyCredentials: session\nloaderBilling: PAY_PER_REQUEST"), "  RoleARN: "+copyARN+"\n", "", 1),
		"a file":              loggedIn("  Username: 'u$${a}'\n", "passwordFile: '/p $${b}'"),
		"IAM":                 loggedIn("", "login: iam\ndbUser: 'u$${a}'"),
		"the Data API":        strings.Replace(loggedIn(bySecret, "login: dataApi\nworkgroup: wg1"), clusterURL, workgroupURL, 1),
		"this machine":        strings.Replace(variable, clusterURL, "'jdbc:redshift://[::1]:1/d$${x'", 1),
	} {
		if name == "this machine" {
			text = strings.Replace(text, "/d$${x", "/d$x", 1)
		}
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
		if l := &first.Warehouse.Load; l.RetryDuration == nil {
			retry := time.Hour
			l.RetryDuration = &retry
		}
		if l := &first.Warehouse.Load; l.CopyTimeout == 0 {
			l.CopyTimeout = 4 * time.Hour
		}
		if diff := differ(first, second); diff != "" {
			t.Errorf("%s: it is another one: %s\n%s", name, diff, again)
		}
	}
}

// A password is used, and shown nowhere: not by a check, not by a log that formats all of
// the configuration.
func TestSecretsOfWarehouse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, shown string }{
		"a password":     {toTable, "\n  # Password: not shown\n"},
		"of a variable":  {strings.Replace(toTable, "hidden", "${db_password}", 1), "\n  Password: ${db_password}\n"},
		"partly of one":  {strings.Replace(toTable, "Password: hidden", "Password: hid${MIDDLE_SECRET}n", 1), "\n  # Password: not shown\n"},
		"and not beside": {strings.Replace(toTable, "hidden", "'hidden$${x}'", 1), "\n  # Password: not shown\n"},
	} {
		c, err := config.Load("a.yaml", []byte(row.text), func(string) (string, bool) {
			return map[bool]string{true: "de", false: "hidden"}[name == "partly of one"], true
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := c.Warehouse.Login.Password.Reveal(); !strings.HasPrefix(got, "hidden") {
			t.Errorf("%s: it is %q", name, got)
		}
		yaml, err := c.Effective().YAML()
		asJSON, jsonErr := json.Marshal(c.Effective())
		whole, wholeErr := json.Marshal(c.Warehouse.Login)
		if err != nil || jsonErr != nil || wholeErr != nil {
			t.Errorf("%s: %v %v %v", name, err, jsonErr, wholeErr)
		}
		if !strings.Contains(yaml, row.shown) {
			t.Errorf("%s: shown is\n%s", name, yaml)
		}
		for _, text := range []string{yaml, string(asJSON), string(whole), fmt.Sprintf("%v %+v %#v", c.Warehouse.Login, c.Warehouse.Login, c.Warehouse.Login), strings.Join(c.Pipeline(), " ")} {
			if strings.Contains(text, "hidden") {
				t.Errorf("%s: it shows in %s", name, text)
			}
		}
	}
	_, err := config.Load("a.yaml", []byte(strings.Replace(toTable, "loader", "${db_password}", 1)), environment)
	if err == nil || !strings.Contains(err.Error(), "whose name is a secret's") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a password for a name: %v", err)
	}
}

package config_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// parameters returns a processor.
func parameters(kind string, pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, "{ParameterName: "+pairs[i]+", ParameterValue: '"+pairs[i+1]+"'}")
	}
	return "{Type: " + kind + ", Parameters: [" + strings.Join(all, ", ") + "]}"
}

const (
	function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
	stage    = "a.yaml:7: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors"
)

func TestFaultsOfLambda(t *testing.T) {
	t.Parallel()
	with := func(pairs ...string) string {
		return parameters("Lambda", append([]string{"LambdaArn", function}, pairs...)...)
	}
	const (
		retries  = "it must be a whole number between 0 and 300. Firehose says: Number of retries for lambda must be between 0 and 300."
		size     = "it must be between 0.2 and 3. Firehose says: BufferSizeInMBs for lambda processor must be between 0.2 and 3."
		interval = "it must be a whole number between 0 and 900. Firehose says: BufferIntervalInSeconds for lambda processor must be between 0 and 900."
		both     = `[0].Type is "Lambda"; give it both parameters, BufferSizeInMBs and BufferIntervalInSeconds, or none of them. ` +
			"Firehose says: Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor."
		arn = "it must be arn:aws:lambda:REGION:ACCOUNT:function:NAME, with a region in small letters, an account of 12 digits and a name of 1-64 characters of a-z A-Z 0-9 _ -, " +
			"and may end in :VERSION or :ALIAS"
	)
	value := func(n string) string { return stage + "[0].Parameters[" + n + "].ParameterValue is " }
	checkFaults(t, func(one string) string { return processing(one) }, []fault{
		{"no function", "{Type: Lambda}", stage + `[0].Type is "Lambda"; give its parameter LambdaArn. Firehose says: LambdaArn is required when Lambda processor is used.`},
		{"a function's name", parameters("Lambda", "LambdaArn", "f"), value("0") + `"f"; ` + arn},
		{"a function of no account", parameters("Lambda", "LambdaArn", "arn:aws:lambda:eu-west-1:1:function:f"), value("0") + `"arn:aws:lambda:eu-west-1:1:function:f"; ` + arn},
		{"a function of a region in capitals", parameters("Lambda", "LambdaArn", "arn:aws:lambda:EU-WEST-1:123456789012:function:f"), value("0") + `"arn:aws:lambda:EU-WEST-1:123456789012:function:f"; ` + arn},
		{"a function with two qualifiers", parameters("Lambda", "LambdaArn", function+":a:b"), value("0") + `"` + function + `:a:b"; ` + arn},
		{"a retry too many", with("NumberOfRetries", "301"), value("1") + `"301"; ` + retries},
		{"a retry less than none", with("NumberOfRetries", "-1"), value("1") + `"-1"; ` + retries},
		{"half a retry", with("NumberOfRetries", "1.5"), value("1") + `"1.5"; ` + retries},
		{"retries in words", with("NumberOfRetries", "three"), value("1") + `"three"; ` + retries},
		{
			"retries without quotes", "{Type: Lambda, Parameters: [{ParameterName: LambdaArn, ParameterValue: '" + function + "'}, {ParameterName: NumberOfRetries, ParameterValue: 3}]}",
			value("1") + "3, a number; it must be a string: put it in quotes",
		},
		{"a batch too small", with("BufferSizeInMBs", "0.1", "BufferIntervalInSeconds", "60"), value("1") + `"0.1"; ` + size},
		{"a batch too large", with("BufferSizeInMBs", "3.1", "BufferIntervalInSeconds", "60"), value("1") + `"3.1"; ` + size},
		{"a batch with an exponent", with("BufferSizeInMBs", "1e0", "BufferIntervalInSeconds", "60"), value("1") + `"1e0"; ` + size},
		{"a batch too long", with("BufferSizeInMBs", "1", "BufferIntervalInSeconds", "901"), value("2") + `"901"; ` + interval},
		{"a size alone", with("BufferSizeInMBs", "1"), stage + both},
		{"an interval alone", with("BufferIntervalInSeconds", "1"), stage + both},
		{"all at once", with("NumberOfRetries", "x", "BufferSizeInMBs", "4"), value("1") + `"x"; ` + retries + "\n" + value("2") + `"4"; ` + size + "\n" + stage + both},
		{"a role of no account", with("RoleArn", "r"), value("1") + `"r"; it must be arn:aws:iam::ACCOUNT:role/NAME, with an account of 12 digits; or remove it, it has no effect here`},
	})
}

// partitioned returns a file that partitions by a prefix, with more of the destination.
func partitioned(prefix string, more ...string) string {
	all := append([]string{"DynamicPartitioningConfiguration: {Enabled: true}\nPrefix: '" + prefix + "'\nErrorOutputPrefix: e/"}, more...)
	return inDestination(strings.Join(all, "\n"))
}

// inList returns processors in one line.
func inList(list ...string) string {
	return "ProcessingConfiguration: {Enabled: true, Processors: [" + strings.Join(list, ", ") + "]}"
}

const (
	byQuery  = "a=!{partitionKeyFromQuery:a}/"
	byLambda = "c=!{partitionKeyFromLambda:c}/"
)

func queryOf(q string) string {
	return parameters("MetadataExtraction", "MetadataExtractionQuery", q, "JsonParsingEngine", "JQ-1.6")
}

func TestFaultsOfPartitioning(t *testing.T) {
	t.Parallel()
	const (
		at       = "ExtendedS3DestinationConfiguration."
		wrapped  = "Firehose says: The supplied prefix(es) do not satisfy the following constraint: "
		keysRule = "Firehose says: MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix expression"
		engine   = "Firehose says: MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6"
		types    = "Firehose says: SubRecordType has to be one of JSON, DELIMITED"
		needKeys = "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
		needErrs = "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"
		list     = "a.yaml:8: " + at + "ProcessingConfiguration.Processors"
	)
	checkFaults(t, func(text string) string { return text }, []fault{
		{
			"no prefix at all", inDestination("DynamicPartitioningConfiguration: {Enabled: true}"),
			"a.yaml:5: " + at + "DynamicPartitioningConfiguration.Enabled is true; give a Prefix that has a partition key, or set it to false. " + wrapped + needKeys + "\n" +
				"a.yaml:5: " + at + "DynamicPartitioningConfiguration.Enabled is true; give an ErrorOutputPrefix too, for records whose partition keys cannot be found; a literal one will do, such as errors/. " + wrapped + needErrs,
		},
		{
			"a prefix without keys", partitioned("a/"),
			"a.yaml:6: " + at + `Prefix is "a/"; add a partition key, or turn dynamic partitioning off. ` + wrapped + needKeys,
		},
		{
			"no prefix for errors", strings.Replace(partitioned(byQuery, inList(queryOf("{a:.a}"))), "ErrorOutputPrefix: e/", "ErrorOutputPrefix: ''", 1),
			"a.yaml:6: " + at + "Prefix has expressions, and then ErrorOutputPrefix must be given; a literal one will do, such as errors/. " + wrapped + needErrs,
		},
		{
			"a prefix for errors that cannot be one", strings.Replace(partitioned(byQuery, inList(queryOf("{a:.a}"))), "ErrorOutputPrefix: e/", "ErrorOutputPrefix: '!{x:y}'", 1),
			"a.yaml:7: " + at + `ErrorOutputPrefix is "!{x:y}"; write timestamp, firehose, partitionKeyFromQuery or partitionKeyFromLambda before the colon of an expression. ` + wrapped + "Namespace to the left of colon (x) is an invalid keyword!",
		},
		{"a quoted switch", inDestination(`DynamicPartitioningConfiguration: {Enabled: "true"}`) + "shardmill: {activePartitions: 3}\n", "a.yaml:5: " + at + `DynamicPartitioningConfiguration.Enabled is "true", a string; it must be true or false, without quotes`},
		{
			"a key of the query that the prefix lacks", partitioned(byQuery, inList(queryOf("{a:.a,b:.b,c:.c}"))),
			list + `[0].Parameters[0].ParameterValue is "{a:.a,b:.b,c:.c}"; Prefix has no !{partitionKeyFromQuery:KEY} for b, c; add it there, or remove it here. ` + keysRule,
		},
		{
			"a key of the prefix that the query lacks", partitioned(byQuery+"!{partitionKeyFromQuery:b}/", inList(queryOf("{a:.a}"))),
			"a.yaml:6: " + at + `Prefix is "a=!{partitionKeyFromQuery:a}/!{partitionKeyFromQuery:b}/"; MetadataExtractionQuery does not find b; add it there, or remove it here`,
		},
		{
			"a key without a query", partitioned(byQuery),
			"a.yaml:6: " + at + `Prefix is "a=!{partitionKeyFromQuery:a}/"; no query finds a; add a processor of the type MetadataExtraction`,
		},
		{
			"a key without a transform", partitioned(byQuery+byLambda, inList(queryOf("{a:.a}"))),
			"a.yaml:6: " + at + `Prefix is "a=!{partitionKeyFromQuery:a}/c=!{partitionKeyFromLambda:c}/"; nothing gives records the key c; add a processor of the type Lambda, or shardmill.transform`,
		},
		{
			"no query", partitioned(byQuery, inList("{Type: MetadataExtraction}")),
			list + `[0].Type is "MetadataExtraction"; give its parameter JsonParsingEngine, JQ-1.6. ` + engine + "\n" +
				list + `[0].Type is "MetadataExtraction"; give its parameter MetadataExtractionQuery, such as {customer_id:.customer_id}`,
		},
		{
			"another engine", partitioned(byQuery, inList(parameters("MetadataExtraction", "MetadataExtractionQuery", "{a:.a}", "JsonParsingEngine", "JQ-1.7"))),
			list + `[0].Parameters[1].ParameterValue is "JQ-1.7"; it must be JQ-1.6. ` + engine,
		},
		{
			"half a query", partitioned(byQuery, inList("{Type: MetadataExtraction, Parameters: [{ParameterName: MetadataExtractionQuery}, {ParameterName: JsonParsingEngine, ParameterValue: JQ-1.6}]}")),
			list + "[0].Parameters[0].ParameterValue is missing; give the parameter's value",
		},
		{
			"no type of de-aggregation", partitioned(byQuery, inList(queryOf("{a:.a}"), "{Type: RecordDeAggregation}")),
			list + `[1].Type is "RecordDeAggregation"; give its parameter SubRecordType, JSON or DELIMITED. ` + types,
		},
		{
			"another type of de-aggregation", partitioned(byQuery, inList(queryOf("{a:.a}"), parameters("RecordDeAggregation", "SubRecordType", "json"))),
			list + `[1].Parameters[0].ParameterValue is "json"; it must be JSON or DELIMITED. ` + types,
		},
		{
			"no delimiter", partitioned(byQuery, inList(queryOf("{a:.a}"), parameters("RecordDeAggregation", "SubRecordType", "DELIMITED"))),
			list + `[1].Type is "RecordDeAggregation"; give its parameter Delimiter, in base64: Cg== for a newline. Firehose says: Delimiter should be present for DELIMITED`,
		},
		{
			"a delimiter of JSON", partitioned(byQuery, inList(queryOf("{a:.a}"), parameters("RecordDeAggregation", "SubRecordType", "JSON", "Delimiter", "Cg=="))),
			list + `[1].Parameters[1].ParameterValue is "Cg=="; it goes with SubRecordType DELIMITED; remove it`,
		},
		{
			"a delimiter as it is", partitioned(byQuery, inList(queryOf("{a:.a}"), parameters("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "##"))),
			list + `[1].Parameters[1].ParameterValue is "##"; it must be the delimiter in base64: IyMjIw== for ####, Cg== for a newline`,
		},
		{
			"a size that is too small", partitioned(byQuery, inList(queryOf("{a:.a}"))) + indent("BufferingHints: {SizeInMBs: 63, IntervalInSeconds: 60}"),
			"a.yaml:9: " + at + "BufferingHints.SizeInMBs is 63; make it 64. Firehose says: BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
		},
		{
			"an old shape", strings.Replace(partitioned(byQuery), "Extended", "", 1),
			"a.yaml:5: S3DestinationConfiguration.DynamicPartitioningConfiguration is not a member of Firehose's S3DestinationConfiguration; it belongs in ExtendedS3DestinationConfiguration\n" +
				`a.yaml:6: S3DestinationConfiguration.Prefix is "a=!{partitionKeyFromQuery:a}/"; remove the partition keys, or turn dynamic partitioning on. ` + wrapped +
				"Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled",
		},
	})
	checkFaults(t, func(retry string) string {
		return strings.Replace(partitioned(byQuery, inList(queryOf("{a:.a}"))), "Enabled: true}\n", "Enabled: true, RetryOptions: {DurationInSeconds: "+retry+"}}\n", 1)
	}, []fault{
		{"a retry beyond the most", "7201", "a.yaml:5: " + at + "DynamicPartitioningConfiguration.RetryOptions.DurationInSeconds is 7201; it must be between 0 and 7200"},
		{"a retry below the least", "-1", "a.yaml:5: " + at + "DynamicPartitioningConfiguration.RetryOptions.DurationInSeconds is -1; it must be between 0 and 7200"},
	})
}

// A query that is none is told of where it stands, in a line of its own.
func TestQueriesAreJudged(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, want string }{
		"keys":      {partitioned(byQuery, inList(queryOf("{"))), `a.yaml:8: ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors[0].Parameters[0].ParameterValue is "{"; `},
		"the event": {partitioned(byQuery+"!{timestamp:yyyy}", inList(queryOf("{a:.a}"))) + "shardmill: {eventTime: {jq: '{'}}\n", `a.yaml:9: shardmill.eventTime.jq is "{"; `},
		"a format":  {partitioned(byQuery+"!{timestamp:yyyy}", inList(queryOf("{a:.a}"))) + "shardmill: {eventTime: {jq: .t, formats: [rfc3339, 'b']}}\n", `a.yaml:9: shardmill.eventTime.formats has "b", which has b`},
	} {
		_, err := config.Load("a.yaml", []byte(row.text), nil)
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
}

func TestFaultsOfOurTransform(t *testing.T) {
	t.Parallel()
	at := func(member string) string { return "a.yaml:6: shardmill.transform." + member + " " }
	secret := func(n string) string {
		return at("command["+n+"]") + "sets what has the name of a secret, and nothing here is secret: it shows in logs, and to whoever may list processes; " +
			"remove it, and let the command read it from a file, or from a variable that is set for the archiver"
	}
	checkFaults(t, func(text string) string { return inOurs("transform: {" + text + "}") }, []fault{
		{"no command", "memoryMBs: 3", "a.yaml:6: shardmill.transform.command is missing; give the program and its arguments, as a list of texts"},
		{"a command line", "command: jq .", at("command") + `is "jq ."; it must be a list of texts, the program and its arguments, not a string`},
		{"an empty command", "command: []", at("command") + "is empty; give the program and its arguments"},
		{"a command without a program", "command: ['', a]", at("command[0]") + `is ""; give the program`},
		{"a secret in a command", "command: [a, --token=hidden, Db_Password=hidden, -api-key=hidden, --aws.secret.key=hidden]", strings.Join([]string{secret("1"), secret("2"), secret("3"), secret("4")}, "\n")},
		{"a number in a command", "command: [nice, 5]", at("command[1]") + "is 5, a number; it must be a string: put it in quotes"},
		{"no directory", "command: [a], directory: ''", at("directory") + `is ""; name a directory, or remove it for that of the archiver`},
		{"no memory", "command: [a], memoryMBs: 0", at("memoryMBs") + "is 0; it must be between 1 and 1048576"},
		{"no time", "command: [a], timeoutSeconds: 0", at("timeoutSeconds") + "is 0; it must be between 1 and 300"},
		{"much time", "command: [a], timeoutSeconds: 301", at("timeoutSeconds") + "is 301; it must be between 1 and 300"},
		{"no process", "command: [a], processes: 0", at("processes") + "is 0; it must be between 1 and 256"},
		{"many retries", "command: [a], numberOfRetries: 301", at("numberOfRetries") + "is 301; it must be between 0 and 300"},
		{"a batch too small", "command: [a], bufferSizeInMBs: 0.19, bufferIntervalInSeconds: 1", at("bufferSizeInMBs") + "is 0.19; it must be between 0.2 and 3"},
		{"a batch too large", "command: [a], bufferSizeInMBs: 3.01, bufferIntervalInSeconds: 1", at("bufferSizeInMBs") + "is 3.01; it must be between 0.2 and 3"},
		{"a batch with an exponent", "command: [a], bufferSizeInMBs: 1.0e0, bufferIntervalInSeconds: 1", at("bufferSizeInMBs") + "is 1.0e0; it must be a number between 0.2 and 3, in decimal digits"},
		{"a batch in quotes", "command: [a], bufferSizeInMBs: '1', bufferIntervalInSeconds: 1", at("bufferSizeInMBs") + `is "1", a string; it must be a number between 0.2 and 3, without quotes`},
		{"a size alone", "command: [a], bufferSizeInMBs: 1", "a.yaml:6: shardmill.transform has bufferSizeInMBs but no bufferIntervalInSeconds; give both or remove both"},
		{"an interval alone", "command: [a], bufferIntervalInSeconds: 1", "a.yaml:6: shardmill.transform has bufferIntervalInSeconds but no bufferSizeInMBs; give both or remove both"},
		{"a list of variables", "command: [a], environment: [A=b]", at("environment") + "is a list; it must be an object"},
		{"a variable of no name", "command: [a], environment: {1a: b}", at("environment.1a") + "has a name that no variable has; it must be of letters, digits and _, and begin with no digit"},
		{"a secret", "command: [a], environment: {DB_PASSWORD: hidden}", at("environment.DB_PASSWORD") + "has the name of a secret, and nothing here is secret; remove it, and set the variable for the archiver: the command has those too"},
		{"a number for a variable", "command: [a], environment: {A: 1}", at("environment.A") + "is 1, a number; it must be a string: put it in quotes"},
		{"another member", "command: [a], memoryMB: 1", at("memoryMB") + "is not a member of shardmill.transform; did you mean memoryMBs?"},
	})
	checkFaults(t, inOurs, []fault{
		{"a text for a transform", "transform: jq", `a.yaml:6: shardmill.transform is "jq"; it must be an object, not a string`},
	})
	checkFaults(t, func(text string) string { return text }, []fault{
		{
			"two transforms", processing(parameters("Lambda", "LambdaArn", function)) + "shardmill: {transform: {command: [a]}}\n",
			"a.yaml:8: shardmill.transform is a second transform, beside the processor Lambda in line 7; remove one",
		},
		{
			"two transforms, the other way round", "shardmill: {transform: {command: [a]}}\n" + processing(parameters("Lambda", "LambdaArn", function)),
			"a.yaml:1: shardmill.transform is a second transform, beside the processor Lambda in line 8; remove one",
		},
	})
}

func TestFaultsOfOurPartitions(t *testing.T) {
	t.Parallel()
	const alone = "does nothing without dynamic partitioning; remove it, or set DynamicPartitioningConfiguration.Enabled to true"
	checkFaults(t, inOurs, []fault{
		{"a number of partitions without any", "activePartitions: 3", "a.yaml:6: shardmill.activePartitions " + alone},
		{"an overflow without partitions", "partitionOverflow: finish", "a.yaml:6: shardmill.partitionOverflow " + alone},
		{"times without partitions", "eventTime: {jq: .t}", "a.yaml:6: shardmill.eventTime " + alone},
	})
	checkFaults(t, func(ours string) string {
		return partitioned(byQuery+"!{timestamp:yyyy}/", inList(queryOf("{a:.a}"))) + "shardmill: {" + ours + "}\n"
	}, []fault{
		{"no partitions", "activePartitions: 0", "a.yaml:9: shardmill.activePartitions is 0; it must be between 1 and 1000000"},
		{"partitions without end", "activePartitions: 1000001", "a.yaml:9: shardmill.activePartitions is 1000001; it must be between 1 and 1000000"},
		{"another overflow", "partitionOverflow: drop", `a.yaml:9: shardmill.partitionOverflow is "drop"; it must be fail or finish`},
		{"a query for a time", "eventTime: .t", `a.yaml:9: shardmill.eventTime is ".t"; it must be an object, not a string`},
		{"no query", "eventTime: {formats: [rfc3339]}", "a.yaml:9: shardmill.eventTime.jq is missing; give the query for the time, such as .timestamp"},
		{"an empty query", "eventTime: {jq: ''}", `a.yaml:9: shardmill.eventTime.jq is ""; give the query for the time, such as .timestamp`},
		{"a format", "eventTime: {jq: .t, formats: rfc3339}", `a.yaml:9: shardmill.eventTime.formats is "rfc3339"; it must be a list of formats, not a string`},
	})
	checkFaults(t, func(ours string) string {
		return partitioned(byQuery, inList(queryOf("{a:.a}"))) + "shardmill: {" + ours + "}\n"
	}, []fault{
		{"times that no key tells", "eventTime: {jq: .t}", "a.yaml:9: shardmill.eventTime does nothing, as Prefix has no timestamp; add one, such as !{timestamp:yyyy}, or remove it"},
	})
}

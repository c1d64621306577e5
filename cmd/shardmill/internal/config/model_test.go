//go:build conformance

package config_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// model is AWS's own of the Firehose API, as botocore ships it.
type model struct {
	Shapes map[string]modelShape `json:"shapes"`
}

type modelShape struct {
	Type    string              `json:"type"`
	Members map[string]modelRef `json:"members"`
	Member  modelRef            `json:"member"`
	Value   modelRef            `json:"value"`
	Min     *float64            `json:"min"`
	Max     *float64            `json:"max"`
	Pattern string              `json:"pattern"`
	Enum    []string            `json:"enum"`
}

type modelRef struct {
	Shape string `json:"shape"`
}

func readModel(t *testing.T) model {
	t.Helper()
	name := os.Getenv("FIREHOSE_MODEL")
	if name == "" {
		t.Fatal("FIREHOSE_MODEL is not set; scripts/conformance.sh does")
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if err := json.NewDecoder(unzipped).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// samples are texts that satisfy patterns, with PAD where they may have more.
var samples = map[string]string{
	"RoleARN": "arn:PAD:iam::123456789012:role/r", "BucketARN": "arn:PAD:s3:::b", "KinesisStreamARN": "arn:PAD:kinesis:r:123456789012:stream/s",
	"AWSKMSKeyARN": "arn:PAD:kms:r:123456789012:key/k", "FileExtension": ".aPAD",
	"DomainARN": "arn:PAD:es:r:123456789012:domain/abc", "ClusterEndpoint": "https://hPAD", "CollectionEndpoint": "https://hPAD",
	"ClusterJDBCURL": "jdbc:redshift://a.redshift.bPAD:1/d", "SecretARN": "arn:PAD:secretsmanager:r:123456789012:secret:s",
}

// exact are the members whose every value within the model's limits is accepted.
var exact = []string{
	"DeliveryStreamName", "KinesisStreamARN", "RoleARN", "BucketARN", "SizeInMBs", "IntervalInSeconds", "LogGroupName", "LogStreamName", "NoEncryptionConfig", "AWSKMSKeyARN", "Key", "Value",
	"DurationInSeconds", "CatalogId", "DatabaseName", "TableName", "Region", "VersionId", "ConvertDotsInJsonKeysToUnderscores", "CaseInsensitive", "TimestampFormats", "BlockSizeBytes",
	"PageSizeBytes", "Compression", "EnableDictionaryCompression", "MaxPaddingBytes", "WriterVersion", "StripeSizeBytes", "RowIndexStride", "EnablePadding", "PaddingTolerance",
	"BloomFilterColumns", "BloomFilterFalsePositiveProbability", "DictionaryKeyThreshold", "FormatVersion", "Type", "ParameterName", "ParameterValue",
	"DomainARN", "ClusterEndpoint", "CollectionEndpoint", "IndexName", "TypeName", "IndexRotationPeriod", "DefaultDocumentIdFormat",
	"ClusterJDBCURL", "SecretARN", "Username", "Password", "DataTableName", "DataTableColumns", "CopyOptions",
}

// ofDocuments are the destinations of documents, and where each goes.
var ofDocuments = map[string]string{
	"ElasticsearchDestinationConfiguration": "ClusterEndpoint", "AmazonopensearchserviceDestinationConfiguration": "ClusterEndpoint",
	"AmazonOpenSearchServerlessDestinationConfiguration": "CollectionEndpoint",
}

const redshift = "RedshiftDestinationConfiguration"

func minimal(destination string) map[string]any {
	to := map[string]any{"BucketARN": "arn:aws:s3:::archive"}
	if destination == redshift {
		to = map[string]any{
			"RoleARN": "arn:aws:iam::123456789012:role/r", "ClusterJDBCURL": "jdbc:redshift://a.redshift.b:1/d", "CopyCommand": map[string]any{"DataTableName": "t"},
			"Username": "u", "Password": "hidden", "S3Configuration": to,
		}
	}
	if endpoint, documents := ofDocuments[destination]; documents {
		to = map[string]any{endpoint: "https://h", "IndexName": "i", "S3Configuration": to}
	}
	return map[string]any{
		"DeliveryStreamName":               "orders",
		"KinesisStreamSourceConfiguration": map[string]any{"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"},
		destination:                        to,
		"shardmill":                        map[string]any{"applicationName": "archiver"}, // a short DeliveryStreamName names no table
	}
}

// with returns the error of the minimal configuration with a value at a path.
func with(t *testing.T, destination string, path []string, v any) error {
	t.Helper()
	doc := minimal(destination)
	at := doc
	for _, name := range path[:len(path)-1] {
		inner, _ := at[name].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			at[name] = inner
		}
		switch name { // what they must have
		case "S3BackupConfiguration":
			inner["BucketARN"] = "arn:aws:s3:::backup"
		case "DataFormatConversionConfiguration", "DynamicPartitioningConfiguration", "SecretsManagerConfiguration":
			inner["Enabled"] = false
		}
		at = inner
	}
	if slices.Contains(path[:len(path)-1], "VpcConfiguration") {
		maps.Copy(at, map[string]any{"RoleARN": "arn:aws:iam::123456789012:role/r", "SubnetIds": []any{"s"}, "SecurityGroupIds": []any{"g"}})
	}
	at[path[len(path)-1]] = v
	switch path[len(path)-1] { // these go together
	case "SizeInMBs":
		at["IntervalInSeconds"] = 300
	case "IntervalInSeconds":
		at["SizeInMBs"] = 5
	case "DomainARN": // one of them
		delete(at, "ClusterEndpoint")
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Load("f", data, nil)
	return err
}

// within and beyond are values at the edges of what the model allows, and the
// first ones that it does not.
func (m model) edges(name string, s modelShape) (within, beyond []any) {
	switch s.Type {
	case "boolean":
		return []any{false}, []any{"x", 1}
	case "integer":
		within, beyond = []any{}, []any{1.5, "x"}
		if s.Min != nil {
			within, beyond = append(within, int(*s.Min)), append(beyond, int(*s.Min)-1)
		}
		if s.Max != nil {
			within, beyond = append(within, int(*s.Max)), append(beyond, int(*s.Max)+1)
		}
		return within, beyond
	case "double":
		return []any{*s.Min, 0.5, *s.Max}, []any{*s.Min - 0.1, *s.Max + 0.1, "x"}
	case "string":
		if s.Enum != nil {
			for _, each := range s.Enum {
				within = append(within, each)
			}
			return within, []any{"x", strings.ToLower(s.Enum[0]) + "_", 1}
		}
		return textEdges(name, s)
	case "list":
		return m.edgesOfList(name, m.Shapes[s.Member.Shape])
	default:
		return nil, []any{1, "x"}
	}
}

// edgesOfList are those of its items, each in a list of one.
func (m model) edgesOfList(name string, item modelShape) (within, beyond []any) {
	within, beyond = []any{[]any{}}, []any{1, "x", []any{1}}
	if item.Type == "structure" {
		return within, beyond
	}
	good, bad := m.edges(name, item)
	for _, v := range good {
		within = append(within, []any{v})
	}
	for _, v := range bad {
		beyond = append(beyond, []any{v})
	}
	return within, beyond
}

func textEdges(name string, s modelShape) (within, beyond []any) {
	sample := samples[name]
	if sample == "" {
		sample = "PAD"
	}
	sized := func(n int) string {
		pad := n - len(strings.Replace(sample, "PAD", "", 1))
		return strings.Replace(sample, "PAD", strings.Repeat("a", max(0, pad)), 1)
	}
	beyond = []any{1, []any{}}
	if s.Max != nil {
		within, beyond = append(within, sized(int(*s.Max))), append(beyond, sized(int(*s.Max)+1))
	}
	if s.Min != nil {
		within = append(within, sized(max(int(*s.Min), len(sized(0)))))
		if *s.Min > 0 {
			beyond = append(beyond, "")
		}
	}
	switch s.Pattern {
	case "", ".*":
	case `^\S+$`, `^(?!\s*$).+`:
		beyond = append(beyond, " ")
	default:
		beyond = append(beyond, "*:^\u2603")
	}
	return within, beyond
}

// TestFirehoseModel: each member of CreateDeliveryStream that S3 has is known:
// accepted, warned of, or refused by its name. What AWS's model does not allow is
// refused, and what it does is accepted as far as it is built.
func TestFirehoseModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	visited := map[string]bool{}
	var walk func(t *testing.T, destination string, path []string, shape modelShape)
	walk = func(t *testing.T, destination string, path []string, shape modelShape) {
		t.Helper()
		for _, name := range slices.Sorted(maps.Keys(shape.Members)) {
			member := m.Shapes[shape.Members[name].Shape]
			here := append(slices.Clone(path), name)
			visited[strings.Join(here, ".")] = true
			within, beyond := m.edges(name, member)
			for _, v := range beyond {
				if err := with(t, destination, here, v); err == nil || !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), path[len(path)-1]+" is not built yet") || strings.Contains(err.Error(), "is not a member of") {
					t.Errorf("%s = %.60v: %v", strings.Join(here, "."), v, err)
				}
			}
			for _, v := range within {
				err := with(t, destination, here, v)
				if err != nil && strings.Contains(err.Error(), "is not a member of") || err != nil && slices.Contains(exact, name) {
					t.Errorf("%s = %.60v: %v", strings.Join(here, "."), v, err)
				}
			}
			if member.Type == "structure" {
				walk(t, destination, here, member)
			}
		}
	}
	top := m.Shapes["CreateDeliveryStreamInput"]
	s3 := []string{"S3DestinationConfiguration", "ExtendedS3DestinationConfiguration"}
	for _, destination := range s3 {
		walk(t, destination, []string{destination}, m.Shapes[destination])
	}
	walk(t, redshift, []string{redshift}, m.Shapes[redshift])
	for destination := range ofDocuments {
		walk(t, destination, []string{destination}, m.Shapes[destination])
	}
	walk(t, s3[1], []string{"KinesisStreamSourceConfiguration"}, m.Shapes["KinesisStreamSourceConfiguration"])
	for _, name := range slices.Sorted(maps.Keys(top.Members)) {
		visited[name] = true
		member := m.Shapes[top.Members[name].Shape]
		switch {
		case slices.Contains(s3, name), ofDocuments[name] != "", name == redshift, name == "KinesisStreamSourceConfiguration":
		case member.Type == "structure":
			if err := with(t, s3[1], []string{name}, map[string]any{}); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "is not a member of") {
				t.Errorf("%s: %v", name, err)
			}
		case member.Type == "string":
			walk(t, s3[1], nil, modelShape{Members: map[string]modelRef{name: top.Members[name]}})
		}
	}
	items := func(shape string, path []string, one map[string]any, in func(any) any) {
		for name, ref := range m.Shapes[shape].Members {
			within, beyond := m.edges(name, m.Shapes[ref.Shape])
			changed := func(v any) any {
				item := maps.Clone(one)
				item[name] = v
				return in(item)
			}
			for _, v := range beyond {
				if err := with(t, s3[1], path, changed(v)); err == nil {
					t.Errorf("%s.%s = %.60v is accepted", shape, name, v)
				}
			}
			for _, v := range within {
				if err := with(t, s3[1], path, changed(v)); err != nil {
					t.Errorf("%s.%s = %.60v: %v", shape, name, v, err)
				}
			}
		}
	}
	list := func(v any) any { return []any{v} }
	items("Tag", []string{"Tags"}, map[string]any{"Key": "k", "Value": "v"}, list)
	processors := []string{s3[1], "ProcessingConfiguration", "Processors"}
	items("Processor", processors, map[string]any{"Type": "Lambda"}, list)
	items("ProcessorParameter", processors, map[string]any{"ParameterName": "RoleArn", "ParameterValue": "v"}, func(v any) any {
		return []any{map[string]any{"Type": "Lambda", "Parameters": []any{v}}}
	})
	mappings := []string{s3[1], "DataFormatConversionConfiguration", "InputFormatConfiguration", "Deserializer", "OpenXJsonSerDe", "ColumnToJsonKeyMappings"}
	for key, accepted := range map[string]bool{"a": true, "a b": false, "": false, strings.Repeat("k", 1025): false} {
		if err := with(t, s3[1], mappings, map[string]any{key: "v"}); (err == nil) != accepted {
			t.Errorf("a mapping of %.60q: %v", key, err)
		}
	}
	for _, value := range []any{"", " ", 1, strings.Repeat("v", 1025)} {
		if err := with(t, s3[1], mappings, map[string]any{"k": value}); err == nil {
			t.Errorf("a mapping to %.60v is accepted", value)
		}
	}
	if n := len(visited); n < 60 || n > math.MaxInt16 {
		t.Errorf("only %d members were looked at: %s", n, fmt.Sprint(slices.Sorted(maps.Keys(visited))))
	}
}

// TestProcessorsOfModel: each type of processor that AWS's model has works, with each of
// the parameters that it has.
func TestProcessorsOfModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	working := map[string][]string{
		"AppendDelimiterToRecord": {"Delimiter", `\n`}, "Decompression": {"CompressionFormat", "GZIP"}, "CloudWatchLogProcessing": {"DataMessageExtraction", "true"},
		"Lambda":              {"LambdaArn", function, "NumberOfRetries", "1", "RoleArn", "arn:aws:iam::123456789012:role/r", "BufferSizeInMBs", "1", "BufferIntervalInSeconds", "1"},
		"MetadataExtraction":  {"MetadataExtractionQuery", "{a:.a}", "JsonParsingEngine", "JQ-1.6"},
		"RecordDeAggregation": {"SubRecordType", "DELIMITED", "Delimiter", "Cg=="},
	}
	used := map[string]bool{}
	for _, kind := range m.Shapes["ProcessorType"].Enum {
		list := []string{parameters(kind, working[kind]...)}
		switch kind {
		case "CloudWatchLogProcessing":
			list = append(list, "{Type: Decompression}")
		case "MetadataExtraction":
		default:
			list = append(list, queryOf("{a:.a}"))
		}
		text := partitioned(byQuery, inList(list...))
		if kind == "CloudWatchLogProcessing" {
			text = inDestination(inList(list...))
		}
		if _, err := config.Load("f", []byte(text), nil); err != nil || working[kind] == nil {
			t.Errorf("%s: %v", kind, err)
		}
		for i := 0; i < len(working[kind]); i += 2 {
			used[working[kind][i]] = true
		}
	}
	for _, name := range m.Shapes["ProcessorParameterName"].Enum {
		if !used[name] {
			t.Errorf("the parameter %s is nobody's", name)
		}
	}
	retry := m.Shapes["RetryDurationInSeconds"]
	for seconds, accepted := range map[float64]bool{*retry.Min - 1: false, *retry.Min: true, *retry.Max: true, *retry.Max + 1: false} {
		text := strings.Replace(partitioned(byQuery, inList(queryOf("{a:.a}"))), "Enabled: true}", fmt.Sprintf("Enabled: true, RetryOptions: {DurationInSeconds: %v}}", seconds), 1)
		if _, err := config.Load("f", []byte(text), nil); (err == nil) != accepted {
			t.Errorf("a retry of %v s: %v", seconds, err)
		}
	}
}

package importer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
)

const templated = `orders-prod
arn:aws:kinesis:eu-west-1:123456789012:stream/orders-prod
arn:aws:s3:::archive-prod
logs/
GZIP
64 120 1
orders-prod LATEST
f:35: Resources.Orders.Properties.KinesisStreamSourceConfiguration.RoleARN has no effect here; credentials are those of the AWS SDK's environment
f:44: Resources.Orders.Properties.ExtendedS3DestinationConfiguration.CloudWatchLoggingOptions has no effect here; errors are in the log of this program
f:48: Resources.Orders.Properties.Tags has no effect here; there is no resource of AWS to have them
`

const inRegion, inAccount = "AWS::Region=eu-west-1", "AWS::AccountId=123456789012"

func TestTemplate(t *testing.T) {
	t.Parallel()
	text := file(t, "template.yaml")
	checkRows(t, []row{
		{"as it is", text, set(inRegion, inAccount), templated},
		{
			"another stage, and a value for what is known", text, set(inRegion, inAccount, "Stage=test", "Bucket.Arn=arn:aws:s3:::other"),
			strings.NewReplacer("-prod", "-test", "archive-prod", "other", "GZIP\n64", "UNCOMPRESSED\n1").Replace(templated),
		},
		{"a partition of its own", text, set("AWS::Region=cn-north-1", inAccount), edit(templated, "arn:aws:kinesis:eu-west-1", "arn:aws-cn:kinesis:cn-north-1")},
		{"without region and account", text, set(), `error
f:34: Resources.Orders.Properties.KinesisStreamSourceConfiguration.KinesisStreamARN is ${AWS::Partition}, which is not in the file; give it with --set 'AWS::Partition=VALUE'; and is ${AWS::Region}, which is not in the file; give it with --set 'AWS::Region=VALUE'; and is ${AWS::AccountId}, which is not in the file; give it with --set 'AWS::AccountId=VALUE'`},
		{"the stream given, and a parameter that nobody needs", text, set("Source.Arn=arn:aws:kinesis:eu-west-1:123456789012:stream/orders-prod", "ImageId=ami-1"), templated},
	})
}

// The same as JSON, with the long names of functions, as the CDK synthesizes it.
func TestTemplateAsJSON(t *testing.T) {
	t.Parallel()
	var v any
	if err := yaml.Unmarshal([]byte(longForm(t, file(t, "template.yaml"))), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(string(data), set(inRegion, inAccount))
	if err != nil {
		t.Fatal(err)
	}
	c.Warnings = nil
	if got := summary(c); !strings.HasPrefix(templated, got) {
		t.Error(got)
	}
}

// longForm writes short tags as objects.
func longForm(t *testing.T, text string) string {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	var long func(n *yaml.Node)
	long = func(n *yaml.Node) {
		for _, each := range n.Content {
			long(each)
		}
		name, short := strings.CutPrefix(n.Tag, "!")
		if !short || strings.HasPrefix(name, "!") {
			return
		}
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		inner := *n
		inner.Tag, inner.Style = "", 0
		*n = yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: name}, &inner}}
	}
	long(&root)
	out, err := yaml.Marshal(&root)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// inTemplate is a template of one stream whose destination has these lines, from
// line 7 on.
func inTemplate(lines string) string {
	return `Resources:
  S:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamName: orders
      KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
      ExtendedS3DestinationConfiguration:
        ` + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n        ") + "\n"
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	const tail = `
Parameters:
  Name: {Default: a}
  List: {Type: List<String>, Default: "a,b"}
  None: {Type: String}
Mappings: {M: {a: {x: one}}}
Conditions:
  Yes: !Equals [1, "1"]
  Open: !Equals [!Ref None, "1"]
  Circle: !Not [!Condition Circle]
  No: !And [!Condition Open, !Not [!Condition Yes]]
`
	const where = "f:9: Resources.S.Properties.ExtendedS3DestinationConfiguration.Prefix "
	for expression, want := range map[string]string{
		"!Ref Name":                               "a",
		"!Sub '${Name}-${!Name}-${ Name }'":       "a-${Name}-a",
		"!Sub ['${X}${Name}', {X: !Ref Name}]":    "aa",
		"!Join [',', !Ref List]":                  "a,b",
		"!Join [',', !Split [/, x/y]]":            "x,y",
		"!Select [0, [a, b]]":                     "a",
		"!FindInMap [M, !Ref Name, x]":            "one",
		"!FindInMap [M, b, x, {DefaultValue: d}]": "d",
		"!If [Yes, 1, 2]":                         "1",
		"!If [No, 1, 2]":                          "2",
		"{'Fn::If': [Yes, {Ref: Name}, b]}":       "a",
		"!If [Yes, !Ref 'AWS::NoValue', 2]":       "",
		"2020":                                    "2020",
		"true":                                    "true",
		"!Ref None":                               where + "is !Ref None, which is not in the file; give it with --set 'None=VALUE'",
		"!Sub 'a${None}'":                         where + "is ${None}, which is not in the file; give it with --set 'None=VALUE'",
		"!If [Open, a, b]":                        where + "is !Ref None, which is not in the file; give it with --set 'None=VALUE'",
		"!If [Circle, a, b]":                      where + "cannot be evaluated, as Conditions.Circle is about itself; write the value itself",
		"!If [Nowhere, a, b]":                     where + "cannot be evaluated, as there is no Conditions.Nowhere; correct the name, or write the value itself",
		"!ImportValue exported":                   where + "is !ImportValue exported, which is not in the file; give it with --set 'exported=VALUE'",
		"!FindInMap [M, b, x]":                    where + "cannot be evaluated, as there is no Mappings.M.b; correct the keys, or write the value itself",
		"!Select [2, [a, b]]":                     where + "cannot be evaluated, as the argument of Fn::Select is not an index into the list; correct it, or write the value itself",
		"!Select x":                               where + "cannot be evaluated, as the argument of Fn::Select is not a list of an index and a list; correct it, or write the value itself",
		"!Sub [a]":                                where + "cannot be evaluated, as the argument of Fn::Sub is not a text, or a list of a text and its variables; correct it, or write the value itself",
		"!Sub ['${X}', {X: [a]}]":                 where + "cannot be evaluated, as X is no text; correct it, or write the value itself",
		"!Base64 a":                               where + "is made by Fn::Base64, which is not evaluated here; write the value itself",
		"!Transform {Name: a}":                    where + "is made by Fn::Transform, which is not evaluated here; write the value itself",
		"'x{{resolve:ssm:/p}}'":                   where + "is {{resolve:ssm:/p}}, which is not in the file; give it with --set '{{resolve:ssm:/p}}=VALUE'",
		"&a [*a]":                                 where + "is a list; it must be a string",
		"*a":                                      "f:1: syntax error: yaml: unknown anchor 'a' referenced",
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()
			c, err := load(inTemplate("BucketARN: arn:aws:s3:::archive\nPrefix: "+expression)+tail, set("shardmill.initialPosition=LATEST"))
			got := c.Delivery.Prefix
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestFaultsOfTemplate(t *testing.T) {
	t.Parallel()
	good := inTemplate("BucketARN: arn:aws:s3:::archive")
	two := good + strings.Replace(strings.TrimPrefix(good, "Resources:\n"), "  S:", "  T:", 1)
	plain := "orders\narn:aws:kinesis:us-east-1:123456789012:stream/orders\narn:aws:s3:::archive\n\nUNCOMPRESSED\n5 300 1\norders LATEST"
	chosen := func(name string) importer.Options { o := set(latest); o.Stream = name; return o }
	checkRows(t, []row{
		{"two streams", two, set(), "error\nf:1: there are 2 delivery streams, S in line 2, T in line 9; choose one with --stream NAME"},
		{"one of two", two, chosen("T"), plain},
		{"none of two", two, chosen("U"), "error\nf:1: there is no delivery stream U, which --stream names; there is S in line 2, T in line 9"},
		{"no stream", "Resources:\n  B: {Type: AWS::S3::Bucket}\n", set(), "error\nf:1: there is no resource of type AWS::KinesisFirehose::DeliveryStream; give the template that has it"},
		{"nested stacks", "Resources:\n  A: {Type: AWS::CloudFormation::Stack}\n  B: {Type: AWS::CloudFormation::Stack}\n", set(), "error\nf:1: there is no resource of type AWS::KinesisFirehose::DeliveryStream; there are nested stacks, A, B: give the template of the one that has it"},
		{"no name", edit(good, "      DeliveryStreamName: orders\n", ""), set(), "error\nf:5: Resources.S.Properties.DeliveryStreamName is not in the template, and CloudFormation makes one up; give the name of the stream with --set DeliveryStreamName=NAME"},
		{"the name beside it", edit(good, "      DeliveryStreamName: orders\n", ""), set(latest, "DeliveryStreamName=orders"), plain},
		{"a bad name beside it", edit(good, "      DeliveryStreamName: orders\n", ""), set(latest, "DeliveryStreamName=o o"), "error\nf: --set DeliveryStreamName is \"o o\"; it must be 1-64 characters of a-z A-Z 0-9 _ . -"},
		{"no properties", "Resources:\n  S: {Type: AWS::KinesisFirehose::DeliveryStream}", set(), `error
f:2: Resources.S.Properties.DeliveryStreamName is not in the template, and CloudFormation makes one up; give the name of the stream with --set DeliveryStreamName=NAME
f:2: Resources.S.Properties.KinesisStreamSourceConfiguration is missing; give the stream's KinesisStreamARN in it. Firehose says: KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.
f:2: Resources.S.Properties.ExtendedS3DestinationConfiguration is missing; give the bucket's BucketARN in it. Firehose says: Exactly one destination configuration is supported for a Firehose`},
		{"a stream that is not made", edit(good, "    Properties", "    Condition: No\n    Properties") + "Conditions: {No: !Equals [a, b]}\n", set(), "error\nf:4: Resources.S.Condition is \"No\", which is false, so that there is no such stream; correct the parameters with --set"},
		{"values that cannot be, and a slip", inTemplate("BucketARN: archive\nBufferingHints: {SizeInMBs: '129', IntervalInSeconds: five}\nPrefixx: a"), set(), `error
f:8: Resources.S.Properties.ExtendedS3DestinationConfiguration.BucketARN is "archive"; it must be arn:aws:s3:::NAME, with a name of 1-255 characters of a-z A-Z 0-9 _ . -
f:9: Resources.S.Properties.ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is "129"; it must be between 1 and 128
f:9: Resources.S.Properties.ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds is "five"; it must be a whole number between 0 and 900, in decimal digits
f:10: Resources.S.Properties.ExtendedS3DestinationConfiguration.Prefixx is not a member of Firehose's ExtendedS3DestinationConfiguration; did you mean Prefix?`},
		{"another destination", edit(good, "ExtendedS3Dest", "SnowflakeDest"), set(), "error\nf:7: Resources.S.Properties.SnowflakeDestinationConfiguration is not built yet; remove it, and use ExtendedS3DestinationConfiguration"},
		{"an alias", inTemplate("BucketARN: &b arn:aws:s3:::archive\nPrefix: *b"), set(), "error\nf:9: Resources.S.Properties.ExtendedS3DestinationConfiguration.Prefix is an alias (*b), which templates do not have; write the value itself"},
		{"what is no YAML", "Resources:\n\t- a", set(), "error\nf:2: syntax error: yaml: line 2: found character that cannot start any token"},
		{"two documents", good + "---\nResources: {}\n", set(), "error\nf:9: a second document begins; put one into a file"},
		{"too large", "Resources: {}\n" + strings.Repeat("#\n", 1<<19), set(), "error\nf:1: the file has more than 1048576 bytes; it must have at most so many"},
		{"no text", "Resources: \x00", set(), "error\nf:1: the line has the control character U+0000; remove it"},
		{"too deep", "Resources: " + strings.Repeat("[", 300), set(), "error\nf:1: syntax error: yaml: line 1: did not find expected node content"},
		{"too deep, and closed", "Resources: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), set(), "error\nf:1: the file nests objects and lists more than 200 deep; make it flatter"},
		{"JSON that is too deep", `{"Resources": ` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", set(), "error\nf:1: the file nests objects and lists more than 200 deep; make it flatter"},
	})
}

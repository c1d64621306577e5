package importer_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
)

// work returns the bytes and the objects that reading a file allocates. Nothing
// else may run.
func work(text string, o importer.Options) (bytes, objects float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = load(text, o) // whether it is accepted does not matter
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc), float64(after.Mallocs - before.Mallocs)
}

// A file of twice the size makes about twice the work, in whatever it is large.
func TestWorkGrowsWithTheFile(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	stream := inTemplate("BucketARN: arn:aws:s3:::archive")
	repeated := func(before, each, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(each, n) + after }
	}
	for name, text := range map[string]func(n int) string{ //nolint:paralleltest // as above
		"resources": func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "  B%d: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub 'a-${AWS::Region}'}}\n", i)
			}
			return stream + b.String()
		},
		"conditions": func(n int) string {
			var b strings.Builder
			b.WriteString("Conditions:\n  C0: !Equals [a, a]\n")
			for i := range n {
				fmt.Fprintf(&b, "  C%d: !And [!Condition C%d, !Condition C%d]\n", i+1, i, i)
			}
			return strings.Replace(stream, "S:", fmt.Sprintf("S:\n    Condition: C%d", n), 1) + b.String()
		},
		"an open Sub": repeated(stream+"        Prefix: !Sub '", "${AWS::X}", "'\n"),
		"a Sub":       repeated(stream+"        Prefix: !Sub '", "${P}", "'\nParameters: {P: {Default: a}}\n"),
		"a Join":      repeated(stream+"        Prefix: !Join ['', [", "a, ", "a]]\n"),
		"tags":        repeated(stream+"      Tags:\n", "        - {Key: a, Value: !Ref P}\n", "Parameters: {P: {Default: a}}\n"),
		"JSON":        repeated(`{"Resources": [`, `{"a": [1, "b", null]}, `, "1]}"),
		"Terraform": repeated(`{"terraform_version": "1", "values": {"root_module": {"resources": [{"type": "aws_kinesis_firehose_delivery_stream", "address": "a", "values": {"extended_s3_configuration": [{"processing_configuration": [{"processors": [`,
			`{"parameters": [{"parameter_name": "a"}]}, `, `{}]}]}]}}]}}}`),
		"descriptions": repeated(`{"DeliveryStreamDescription": {"Tags": [`, `{"Key": "a"}, `, `{"Key": "a"}]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, _ = work(text(10), set("AWS::Region=a")) // what is made but once
			bytes, objects := work(text(1000), set("AWS::Region=a"))
			bytes2, objects2 := work(text(2000), set("AWS::Region=a"))
			if bytes2 > 2.6*bytes || objects2 > 2.6*objects {
				t.Errorf("%.0f bytes in %.0f objects became %.0f in %.0f", bytes, objects, bytes2, objects2)
			}
		})
	}
}

// Functions that make much of little come to an end: a name that is made of the
// one before it, twice; and texts that a large default is put into often.
func TestTemplateThatGrows(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(strings.Replace(inTemplate("BucketARN: !Sub 'arn:aws:s3:::${B40}'"), "Resources:\n", "Resources:\n  B0: {Type: AWS::S3::Bucket, Properties: {BucketName: ab}}\n", 1))
	for i := range 40 {
		fmt.Fprintf(&b, "  B%d: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${B%d}${B%d}'}}\n", i+1, i, i)
	}
	if _, err := load(b.String(), set()); err == nil || !strings.Contains(err.Error(), "BucketARN comes to too long a text; write the value itself") {
		t.Errorf("doubled 40 times: %v", err)
	}
	text := inTemplate("BucketARN: arn:aws:s3:::archive\nPrefix: !Sub '"+strings.Repeat("${P}", 5000)+"'") + "Parameters: {P: {Default: " + strings.Repeat("x", 4096) + "}}\n"
	if _, err := load(text, set()); err == nil || !strings.Contains(err.Error(), "Prefix comes to too long a text; write the value itself") {
		t.Errorf("a large default: %v", err)
	}
	var conditions strings.Builder
	conditions.WriteString(inTemplate("BucketARN: arn:aws:s3:::archive\nPrefix: !If [C40, a, b]") + "Conditions:\n  C0: !Equals [a, a]\n")
	for i := range 40 {
		fmt.Fprintf(&conditions, "  C%d: !And [!Condition C%d, !Condition C%d]\n", i+1, i, i)
	}
	if c, err := load(conditions.String(), set()); err != nil || c.Delivery.Prefix != "a" {
		t.Errorf("conditions that are each two of the one before: %q, %v", c.Delivery.Prefix, err)
	}
	circle := inTemplate("BucketARN: !GetAtt A.Arn") + "  A: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref B}}\n  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref A}}\n"
	if _, err := load(circle, set()); err == nil || !strings.Contains(err.Error(), "BucketARN is !Ref B, which is not in the file; give it with --set 'B=VALUE'") {
		t.Errorf("a circle: %v", err)
	}
}

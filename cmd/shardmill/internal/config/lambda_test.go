package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors/lambdatransform"
)

// What a file may name is what can be invoked, so that a fault has its line: of ARNs both
// take the same, whatever one part of them is.
func TestFunctionsAreThoseThatCanBeInvoked(t *testing.T) {
	t.Parallel()
	letters := func(n int) string { return strings.Repeat("a", n) }
	good := []string{"arn", "aws", "lambda", "eu-west-1", "123456789012", "function", "f", "live"}
	taken := 0
	for part, others := range [][]string{
		{"arn", "ARN"},
		{"aws-cn", "AWS", "aws2", "aws_2", ""},
		{"s3", "Lambda"},
		{"us-gov-west-1", "EU-WEST-1", "eu_west", ""},
		{"1234567890123", "12345678901", "12345678901a", ""},
		{"layer", "Function", ""},
		{"A-Z_0", letters(64), letters(65), "f.g", "ü", ""},
		{"$LATEST", "$latest", "1", letters(128), letters(129), "a:b", "a ", ""},
	} {
		for _, other := range others {
			parts := slices.Clone(good)
			parts[part] = other
			arn := strings.Join(parts, ":")
			_, loadErr := config.Load("a.yaml", []byte(processing(parameters("Lambda", "LambdaArn", arn))), environment)
			_, newErr := lambdatransform.New(nil, lambdatransform.Options{FunctionARN: arn})
			if (loadErr == nil) != (newErr == nil) {
				t.Errorf("%q: the file: %v; the function: %v", arn, loadErr, newErr)
			}
			if newErr == nil {
				taken++
			}
		}
	}
	if taken != 10 {
		t.Errorf("%d are taken", taken)
	}
}

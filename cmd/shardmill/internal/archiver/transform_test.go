package archiver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
)

// What a file says of a transform is what runs.
func TestNewTransform(t *testing.T) {
	t.Parallel()
	clients := archiver.Clients{Lambda: lambda.New(lambda.Options{})}
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
	hints := processors.TransformHints{SizeInMBs: 0.25, IntervalInSeconds: 7}
	for name, row := range map[string]struct {
		of      config.Transform
		arn     string
		timeout time.Duration
	}{
		"a function": {config.Transform{Lambda: &config.LambdaTransform{ARN: arn, Region: "eu-west-1"}, NumberOfRetries: 5, Hints: hints}, arn, 0},
		"a command": {
			config.Transform{Command: &config.CommandTransform{Argv: []string{"/bin/tool", "x"}, TimeoutSeconds: 9}, NumberOfRetries: 5, Hints: hints},
			"urn:shardmill:transform:tool", 9 * time.Second,
		},
	} {
		made, end, err := archiver.NewTransform(clients, &row.of, zap.NewNop())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if made.Function.ARN() != row.arn || *made.NumberOfRetries != 5 || made.Hints != hints || made.Timeout != row.timeout {
			t.Errorf("%s: %+v, %d retries", name, made, *made.NumberOfRetries)
		}
		end()
	}
	if made, end, err := archiver.NewTransform(clients, nil, nil); made != nil || err != nil {
		t.Errorf("none: %+v, %v", made, err)
	} else {
		end()
	}
	wrong := config.Transform{Command: &config.CommandTransform{}}
	if made, _, err := archiver.NewTransform(clients, &wrong, nil); made != nil || err == nil || !strings.Contains(err.Error(), "must name a program") {
		t.Errorf("no program: %+v, %v", made, err)
	}
}

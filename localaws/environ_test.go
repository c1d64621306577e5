package localaws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/shardmill/shardmill/localaws"
)

// TestEnviron has the SDK's own loader read the variables, as another process
// would.
func TestEnviron(t *testing.T) {
	stack := newStack(t, localaws.Options{Region: "eu-central-1"})
	for _, variable := range stack.Environ(serve(t, stack)) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	t.Setenv("AWS_PROFILE", "")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := listStreams(t.Context(), cfg); err != nil {
		t.Errorf("Kinesis: %v", err)
	}
	if err := listTables(t.Context(), cfg); err != nil {
		t.Errorf("DynamoDB: %v", err)
	}
	if err := put(t.Context(), cfg, "key", "content"); err != nil || !exists(t, stack.AWSConfig(), "key") {
		t.Errorf("S3: %v", err)
	}
	if cfg.BaseEndpoint == nil {
		t.Fatal("other services are called elsewhere")
	}
	_, err = sts.NewFromConfig(once(cfg)).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if codeOf(err) != "UnknownOperationException" {
		t.Errorf("STS answers %v, want that it is not here", err)
	}
}

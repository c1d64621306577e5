package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/awscall"
)

// secretEvery is how often a secret is read again. Source: Firehose "Authenticate with
// Secrets Manager": it is cached, and read again every 10 minutes.
const secretEvery = 10 * time.Minute

// secretARN is that of a secret, with its region.
var secretARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:[A-Za-z0-9/_+=.@!-]+$`)

// Secret is a user name and a password in AWS Secrets Manager: {"username": …, "password":
// …}, as Firehose wants it. It is read again after 10 minutes, and after the database has refused
// it, so that one that was rotated is picked up. While it cannot be read the one that was read
// last counts, and a warning is logged. It is safe for concurrent use.
type Secret struct{ kept }

// NewSecret returns the secret that arn names, in the region that it names. Of cfg it takes
// Credentials, HTTPClient, and an endpoint of one's own as a client of the SDK does. It does
// no I/O. Reading needs secretsmanager:GetSecretValue, and kms:Decrypt for a key of one's own.
func NewSecret(cfg aws.Config, arn string, logger *zap.Logger) (*Secret, error) {
	parts := secretARN.FindStringSubmatch(arn)
	if parts == nil {
		return nil, fmt.Errorf("SecretARN is %q; it must be like arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME", arn)
	}
	body, _ := json.Marshal(map[string]string{"SecretId": arn}) //nolint:errchkjson // a text
	o := awscall.Operation{
		Service: awscall.Service{SDKID: "Secrets Manager", Name: "secretsmanager", Region: parts[1]}, Action: "secretsmanager:GetSecretValue", Tries: tries,
		ContentType: "application/x-amz-json-1.1", Target: "secretsmanager.GetSecretValue", Body: body,
	}
	return &Secret{kept{
		read: func(ctx context.Context) (credentials, error) {
			answer, err := o.Call(ctx, cfg)
			if err != nil {
				return credentials{}, fmt.Errorf("secret %s: %w", arn, err)
			}
			c, err := parseSecret(answer)
			if err != nil {
				return c, fmt.Errorf("secret %s: %w", arn, err)
			}
			return c, nil
		},
		until:  func(credentials) time.Time { return time.Now().Add(secretEvery) },
		logger: orNop(logger), what: arn,
	}}, nil
}

// parseSecret reads an answer. Its errors quote nothing of it.
func parseSecret(answer []byte) (credentials, error) {
	var a struct {
		SecretString *string `json:"SecretString"`
	}
	if json.Unmarshal(answer, &a) != nil || a.SecretString == nil {
		return credentials{}, errors.New("it has no text (SecretString)")
	}
	var s struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if json.Unmarshal([]byte(*a.SecretString), &s) != nil {
		return credentials{}, errors.New(`it is no JSON object like {"username": "…", "password": "…"}`)
	}
	if s.Username == "" || s.Password == "" {
		return credentials{}, errors.New(`it has no "username" or no "password", or an empty one`)
	}
	return credentials{user: s.Username, password: s.Password}, nil
}

func orNop(l *zap.Logger) *zap.Logger {
	if l == nil {
		return zap.NewNop()
	}
	return l
}

package archiver_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// A file with a secret that could be read for ever, such as a FIFO that nobody writes to, is
// refused at once.
func TestSecretThatIsNeverRead(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := syscall.Mkfifo(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	cluster := ask(t)
	x, err := archiver.NewIndex(aws.Config{}, loaded(t, cluster.URL, "auth: apiKey, apiKeyFile: "+secret), esarchive.Domain{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // whoever reads is released
		if f, err := os.OpenFile(secret, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = f.Close()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := x.Check(ctx); err == nil || !strings.Contains(err.Error(), secret+" is no regular file; name one") || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}

package archiver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// A file with a secret that cannot be read for ever, such as one whose server is gone, holds
// nobody up for longer than he waits.
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
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- x.Check(ctx) }()
	select {
	case err := <-ended:
		if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("%v, %v", err, ctx.Err())
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for the file")
	}
}

package slogzap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/slogzap"
)

// handler writes text without the time.
func handler(b *bytes.Buffer, level slog.Level, source bool) slog.Handler {
	return slog.NewTextHandler(b, &slog.HandlerOptions{Level: level, AddSource: source, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

type verbose struct{ error }

func (v verbose) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "at line 1") }

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		log   func(*zap.Logger)
		want  string
		level slog.Level // that the handler takes; 0: info
	}{
		{"levels", func(l *zap.Logger) { l.Debug("a"); l.Info("b"); l.Warn("c"); l.Error("d") }, "level=INFO msg=b\nlevel=WARN msg=c\nlevel=ERROR msg=d\n", 0},
		{"above error", func(l *zap.Logger) { l.DPanic("a") }, "level=ERROR msg=a\n", 0},
		{"above error, of which the handler takes none", func(l *zap.Logger) { l.DPanic("a") }, "", slog.LevelError + 1},
		{"fields", func(l *zap.Logger) {
			l.Info("a", zap.String("s", "x y"), zap.Int64("n", -1), zap.Duration("d", 90*time.Second), zap.Bool("b", true), zap.Strings("l", []string{"p", "q"}), zap.Skip())
		}, "level=INFO msg=a s=\"x y\" n=-1 d=1m30s b=true l=\"[p q]\"\n", 0},
		{"errors", func(l *zap.Logger) { l.Info("a", zap.Error(errors.New("e")), zap.Error(nil)) }, "level=INFO msg=a error=e\n", 0},
		{"errors that say more", func(l *zap.Logger) { l.Info("a", zap.Error(verbose{errors.New("e")})) }, "level=INFO msg=a error=e errorVerbose=\"at line 1\"\n", 0},
		{"a name", func(l *zap.Logger) { l.Named("kcl").Named("x").Info("a") }, "level=INFO msg=a logger=kcl.x\n", 0},
		{"fields that stay", func(l *zap.Logger) {
			m := l.With(zap.Int("i", 1))
			m.With(zap.Int("j", 2)).Info("a", zap.Int("k", 3))
			m.Info("b")
		}, "level=INFO msg=a i=1 j=2 k=3\nlevel=INFO msg=b i=1\n", 0},
		{"a namespace", func(l *zap.Logger) {
			l.Info("a", zap.Int("i", 1), zap.Namespace("n"), zap.Int("j", 2), zap.Namespace("m"), zap.Int("k", 3))
		}, "level=INFO msg=a i=1 n.j=2 n.m.k=3\n", 0},
		{"a namespace and what it has stay", func(l *zap.Logger) { l.With(zap.Namespace("n"), zap.Int("j", 2)).Info("a") }, "level=INFO msg=a n.j=2\n", 0},
		{"a namespace that stays", func(l *zap.Logger) { l.With(zap.Int("i", 1), zap.Namespace("n")).Info("a", zap.Int("j", 2)) }, "level=INFO msg=a i=1 n.j=2\n", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			row.log(slogzap.New(handler(&b, row.level, false)))
			if b.String() != row.want {
				t.Errorf("got\n%swant\n%s", b.String(), row.want)
			}
		})
	}
}

// Handlers that show the place in the code show that of the call.
func TestPlace(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slogzap.New(handler(&b, slog.LevelInfo, true)).Info("a")
	if place := filepath.Join("slogzap", "slogzap_test.go") + ":"; !strings.Contains(b.String(), place) {
		t.Errorf("%q does not name %s", b.String(), place)
	}
}

// A worker logs to a handler.
func TestWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		w, err := kcl.New(kcl.Config{
			ApplicationName: "app", StreamName: "s", WorkerID: "w", Source: kcltest.NewStream(1), Leases: new(lease.Mem),
			Logger: slogzap.New(handler(&b, slog.LevelInfo, false)),
		}, func(kcl.ShardInfo) kcl.RecordProcessor { return nil })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if !strings.Contains(b.String(), "shard_id=shardId-000000000000") {
			t.Errorf("it logs %q", b.String())
		}
	})
}

func ExampleNew() {
	h := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey { // an example's output must always be the same
			return slog.Attr{}
		}
		return a
	}})
	cfg := kcl.Config{Logger: slogzap.New(h)}
	cfg.Logger.Warn("renewal failed", zap.String("shard_id", "shardId-000000000000"), zap.Duration("retry_in", 3*time.Second))
	// Output: level=WARN msg="renewal failed" shard_id=shardId-000000000000 retry_in=3s
}

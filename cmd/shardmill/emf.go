package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
)

// emitEMF has metrics written for CloudWatch as cfg says, until end is called. What
// cannot be written is told, and keeps nothing from being archived.
func emitEMF(ctx context.Context, cfg config.EMF, of *health.Monitor, out io.Writer, logger *zap.Logger) (end func()) {
	if cfg.Namespace == "" {
		return func() {}
	}
	if cfg.File == "" {
		signal.Ignore(syscall.SIGPIPE) // who reads standard output may end; else it would end this process
		return of.EmitEMF(ctx, cfg.Namespace, func(text []byte) error {
			_, err := out.Write(text)
			return err
		}, logger)
	}
	if err := appendTo(cfg.File, nil); err != nil {
		logger.Warn("metrics in EMF cannot be written; correct shardmill.emfFile, or see to its directory and permissions", zap.Error(err))
	}
	return of.EmitEMF(ctx, cfg.Namespace, func(text []byte) error { return appendTo(cfg.File, text) }, logger)
}

// appendTo appends to a file, which it opens each time: somebody may move it away. A
// pipe that nobody reads is an error, and not waited for.
func appendTo(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644) //nolint:gosec // the user names it, and who collects logs reads it
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

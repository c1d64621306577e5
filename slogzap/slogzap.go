// Package slogzap lets a program that logs with log/slog give its handler to this
// module, whose packages take a *zap.Logger:
//
//	kcl.Config{Logger: slogzap.New(handler), …}
//
// It is the opposite of go.uber.org/zap/exp/zapslog.
package slogzap

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// New returns a logger whose entries go to h, with the name of the logger as
// the attribute "logger", and the place in the code for handlers that show it.
// Levels between slog's own do not exist in zap; what is above error, which
// nothing in this module logs, arrives as error. It is safe for concurrent use if
// h is.
func New(h slog.Handler) *zap.Logger { return zap.New(core{h: h}, zap.AddCaller()) }

// core is a zapcore.Core that hands all to a handler. zap has no contexts, so
// none reaches the handler.
type core struct{ h slog.Handler }

func level(l zapcore.Level) slog.Level {
	switch {
	case l < zap.InfoLevel:
		return slog.LevelDebug
	case l < zap.WarnLevel:
		return slog.LevelInfo
	case l < zap.ErrorLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// Enabled implements zapcore.Core.
func (c core) Enabled(l zapcore.Level) bool {
	return c.h.Enabled(context.Background(), level(l)) //nolint:forbidigo // zap has none
}

// With implements zapcore.Core.
func (c core) With(fields []zapcore.Field) zapcore.Core {
	h := c.h
	for i, f := range fields {
		if f.Type == zapcore.NamespaceType {
			return core{h.WithGroup(f.Key)}.With(fields[i+1:])
		}
		h = h.WithAttrs(attrs(f))
	}
	return core{h}
}

// Check implements zapcore.Core.
func (c core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core.
func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, level(e.Level), e.Message, e.Caller.PC)
	if e.LoggerName != "" {
		r.AddAttrs(slog.String("logger", e.LoggerName))
	}
	r.AddAttrs(all(fields)...)
	return c.h.Handle(context.Background(), r) //nolint:forbidigo // zap has none
}

// Sync implements zapcore.Core; a handler has nothing to sync.
func (core) Sync() error { return nil }

// all returns the attributes of fields; those after a namespace are its group.
func all(fields []zapcore.Field) []slog.Attr {
	var out []slog.Attr
	for i, f := range fields {
		if f.Type == zapcore.NamespaceType {
			return append(out, slog.Attr{Key: f.Key, Value: slog.GroupValue(all(fields[i+1:])...)})
		}
		out = append(out, attrs(f)...)
	}
	return out
}

// attrs encodes a field as zap does, which may make several attributes of it, or
// none.
func attrs(f zapcore.Field) []slog.Attr {
	enc := zapcore.NewMapObjectEncoder()
	f.AddTo(enc)
	out := make([]slog.Attr, 0, len(enc.Fields))
	for _, key := range slices.Sorted(maps.Keys(enc.Fields)) {
		if d, ok := enc.Fields[key].(time.Duration); ok {
			out = append(out, slog.Duration(key, d))
			continue
		}
		out = append(out, slog.Any(key, enc.Fields[key]))
	}
	return out
}

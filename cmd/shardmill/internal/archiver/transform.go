package archiver

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/lambdatransform"
	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// NewTransform returns what a configuration's transform is: nil if it has none. Call end
// once nothing uses it any more: it stops the processes of a command. NewTransform does
// no I/O; of the clients it uses that of Lambda, if the transform is a function.
func NewTransform(c Clients, t *config.Transform, log *zap.Logger) (made *processors.Transform, end func(), err error) {
	made, end = &processors.Transform{}, func() {}
	switch {
	case t == nil:
		return nil, end, nil
	case t.Command != nil:
		made.Timeout = time.Duration(t.Command.TimeoutSeconds) * time.Second
		made.Function, end, err = newCommand(t.Command, log)
	default:
		made.Function, err = newFunction(c, t.Lambda, log)
	}
	if err != nil {
		return nil, func() {}, err
	}
	made.NumberOfRetries, made.Hints = &t.NumberOfRetries, t.Hints
	return made, end, nil
}

func newCommand(t *config.CommandTransform, log *zap.Logger) (transform.Function, func(), error) {
	c, err := command.New(optionsOf(t, log))
	if err != nil {
		return nil, nil, err
	}
	return c, func() { _ = c.Close() }, nil
}

func newFunction(c Clients, t *config.LambdaTransform, log *zap.Logger) (*lambdatransform.Function, error) {
	return lambdatransform.New(c.Lambda, lambdatransform.Options{FunctionARN: t.ARN, Logger: log})
}

// CheckFunction returns nil if the function of a transform is there and may be invoked. It
// invokes nothing.
func CheckFunction(ctx context.Context, c Clients, t *config.LambdaTransform) error {
	f, err := newFunction(c, t, nil)
	if err != nil {
		return err
	}
	return f.Check(ctx)
}

// CheckCommand returns nil if the program of a transform is there to be run.
func CheckCommand(t *config.CommandTransform) error {
	c, err := command.New(optionsOf(t, nil))
	if err != nil {
		return err
	}
	return errors.Join(c.Check(), c.Close())
}

// optionsOf returns what a file says of a command, whose variables come beside those of
// this process.
func optionsOf(t *config.CommandTransform, log *zap.Logger) command.Options {
	o := command.Options{Argv: t.Argv, Dir: t.Directory, MemoryMBs: t.MemoryMBs, Processes: t.Processes, Logger: log}
	if len(t.Environment) > 0 {
		o.Env = os.Environ()
	}
	for _, name := range slices.Sorted(maps.Keys(t.Environment)) {
		o.Env = append(o.Env, name+"="+t.Environment[name]) // the last one of a name counts
	}
	return o
}

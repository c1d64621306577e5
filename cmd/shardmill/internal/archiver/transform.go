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
	"github.com/shardmill/shardmill/processors/transform/command"
)

// NewTransform returns what a configuration's transform is: nil if it has none. Call end
// once nothing uses it any more: it stops the processes of a command. NewTransform does
// no I/O; of the clients it uses that of Lambda, if the transform is a function.
func NewTransform(c Clients, t *config.Transform, log *zap.Logger) (made *processors.Transform, end func(), err error) {
	end = func() {}
	if t == nil {
		return nil, end, nil
	}
	made = &processors.Transform{NumberOfRetries: &t.NumberOfRetries, Hints: t.Hints}
	if t.Lambda != nil {
		if made.Function, err = lambdatransform.New(c.Lambda, lambdatransform.Options{FunctionARN: t.Lambda.ARN, Logger: log}); err != nil {
			return nil, end, err
		}
		return made, end, nil
	}
	program, err := command.New(commandOf(t.Command, log))
	if err != nil {
		return nil, end, err
	}
	made.Function, made.Timeout = program, time.Duration(t.Command.TimeoutSeconds)*time.Second
	return made, func() { _ = program.Close() }, nil // it never fails
}

// commandOf returns what a file says of a command, whose variables come beside those of
// this process: of two of one name the last one counts.
func commandOf(c *config.CommandTransform, log *zap.Logger) command.Options {
	o := command.Options{Argv: c.Argv, Dir: c.Directory, MemoryMBs: c.MemoryMBs, Processes: c.Processes, Logger: log}
	if len(c.Environment) > 0 {
		o.Env = os.Environ()
		for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
			o.Env = append(o.Env, name+"="+c.Environment[name])
		}
	}
	return o
}

// CheckCommand returns nil if the program of a transform is there to be run.
func CheckCommand(t *config.CommandTransform) error {
	program, err := command.New(commandOf(t, nil))
	if err != nil {
		return err
	}
	return errors.Join(program.Check(), program.Close())
}

// CheckFunction returns nil if the function of a transform is there and may be invoked. It
// invokes nothing.
func CheckFunction(ctx context.Context, c Clients, t *config.LambdaTransform) error {
	f, err := lambdatransform.New(c.Lambda, lambdatransform.Options{FunctionARN: t.ARN})
	if err != nil {
		return err
	}
	return f.Check(ctx)
}

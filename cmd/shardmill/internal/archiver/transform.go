package archiver

import (
	"context"
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
	end = func() {}
	if t == nil {
		return nil, end, nil
	}
	made = &processors.Transform{NumberOfRetries: &t.NumberOfRetries, Hints: t.Hints}
	if t.Lambda != nil {
		made.Function, err = lambdatransform.New(c.Lambda, lambdatransform.Options{FunctionARN: t.Lambda.ARN, Logger: log})
		return made, end, err
	}
	program, err := command.New(commandOf(t.Command, log))
	if err != nil {
		return nil, end, err
	}
	made.Function, made.Timeout = program, time.Duration(t.Command.TimeoutSeconds)*time.Second
	return made, func() {
		if err := program.Close(); err != nil {
			log.Warn("the transform's program did not end well", zap.Error(err))
		}
	}, nil
}

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

// Unchanged is a transform that leaves records as they are.
func Unchanged() transform.Function {
	return transform.Each("unchanged", func(_ context.Context, r *transform.Record) transform.Result {
		return transform.Result{Status: transform.Ok, Data: append([]byte{}, r.Data...)} // not nil
	})
}

package main

import (
	"context"
	"time"
)

// configFlags are the flags of archive that go with --config.
type configFlags struct {
	file            string
	workerID        string
	shutdownTimeout time.Duration
}

func (c *configFlags) register(f flags) {
	f.StringVar(&c.file, "config", "", "archive as this `file` says, until stopped")
	f.StringVar(&c.workerID, "worker-id", "", "with --config: `ID` of this worker, unique in the application; default: host name and a random part")
	f.DurationVar(&c.shutdownTimeout, "shutdown-timeout", time.Minute, "with --config: how long what is buffered may take to be delivered at the end")
}

func archiveConfig(context.Context, configFlags, []string, string, stdio) error { return nil }

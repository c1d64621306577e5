package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
	"github.com/shardmill/shardmill/kcl"
)

// configFlags are the flags of archive that go with --config.
type configFlags struct {
	file            string
	workerID        string
	shutdownTimeout time.Duration
	check           bool
	offline         bool
	json            bool // what is found
	stream          string
	set             assignments
	fromFirehose    string // instead of file
	at              instant
	rate            rate // of the estimate; 0 for none
	shards          int  // of the estimate; 0 if the stream is to tell
}

// source is where the configuration is from, for messages.
func (c configFlags) source() string {
	if c.fromFirehose != "" {
		return "Firehose's delivery stream " + c.fromFirehose
	}
	return c.file
}

// assignments are the values of flags NAME=VALUE, by name.
type assignments map[string]string

// String is there for the package flag.
func (a assignments) String() string { return "" }

// Set adds one. A name has one value.
func (a assignments) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("it must be NAME=VALUE")
	}
	if _, twice := a[name]; twice {
		return fmt.Errorf("%s is given twice; give it once", name)
	}
	a[name] = value
	return nil
}

func (c *configFlags) register(f flags) {
	f.StringVar(&c.file, "config", "", "archive as this `file` says, or standard input for -, until stopped")
	f.StringVar(&c.fromFirehose, "from-firehose", "", "archive as Firehose says that its delivery stream `NAME` does, like the output of describe-delivery-stream as --config")
	f.StringVar(&c.stream, "stream", "", "with --config: the delivery stream, if the file has several: its logical `ID` in a template, its address in what terraform\nshow tells")
	c.set = assignments{}
	f.Var(c.set, "set", "with --config: `NAME=VALUE`, a value that the file leaves open, or a member of the shardmill key as shardmill.NAME; may be repeated")
	f.BoolVar(&c.check, "check", false, "with --config: archive nothing; show the configuration as it applies, and look at the\nstream, the table, the buckets and permissions without writing anything")
	f.BoolVar(&c.offline, "offline", false, "with --check: show the configuration only, and send nothing")
	f.Var(&c.at, "at", "with --check: show the key of an object whose oldest record arrived at this `time`, such as 2016-02-25T13:00:00Z;\ndefault: keys of now, of the month's end and of New Year")
	f.Var(&c.rate, "rate", "with --check: tell how many objects and requests an hour come of this `rate` of records' data in all of the stream,\nsuch as 5MiB/s")
	f.StringVar(&c.workerID, "worker-id", "", "with --config: `ID` of this worker, unique in the application; default: host name and a random part")
	f.DurationVar(&c.shutdownTimeout, "shutdown-timeout", time.Minute, "with --config: how long what is buffered may take to be delivered at the end")
}

// logWith is how to log.
type logWith struct {
	level string // default: info
	json  bool
}

// archiveConfig runs one worker as a configuration file says.
func archiveConfig(ctx context.Context, c configFlags, args []string, how logWith, s stdio) error {
	cfg, err := loadFile(ctx, c, args, s)
	if err != nil && ctx.Err() != nil {
		return nil // told to end before it began: the error is only that
	}
	if err != nil {
		return err
	}
	logger, err := newLogger(s.err, cmp.Or(how.level, "info"), how.json)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		logger.Warn("configuration", zap.String("warning", w))
	}
	clients, err := loadAWS(ctx, cfg.Region, logger)
	if err != nil && ctx.Err() != nil {
		return nil // as above
	}
	if err != nil {
		return err
	}
	watched := health.New(health.Options{
		DeliveryStreamName: cfg.Delivery.DeliveryStreamName, Version: version(), Backup: cfg.Delivery.Backup != nil,
		Documents: metricsOf(cfg), Warehouse: cfg.Warehouse != nil, FailoverTime: cfg.Worker.FailoverTime, ShutdownTimeout: c.shutdownTimeout, Logger: logger,
	})
	options := optionsOf(cfg, c, logger)
	transform, endTransform, err := newTransform(clients, cfg.Transform, logger)
	if err != nil {
		return err
	}
	defer endTransform() // once the worker has ended
	options.Delivery.Transform = transform
	if err := addIndex(ctx, clients, cfg, &options, logger); err != nil {
		if ctx.Err() != nil {
			return nil // as above
		}
		return err
	}
	options.Health, options.Tally = watched, new(archiver.Tally)
	w, err := archiver.New(clients, options)
	if err != nil {
		return usageError{err}
	}
	beside, err := newLoading(clients, cfg, options, logger)
	if err != nil {
		return err
	}
	served, err := serveHealth(ctx, cfg, watched.Handler(), logger)
	if err != nil {
		return err
	}
	if served != nil {
		defer served.Close(ctx) // last, so that an archiver that shuts down still answers
	}
	endEMF := emitEMF(ctx, cfg.EMF, watched, s.out, logger)
	defer endEMF()
	logger.Info("archiving", zap.String("version", version()), zap.String("stream", cfg.Worker.StreamName), zap.String("table", cfg.Worker.ApplicationName),
		zap.String("position", cfg.Worker.InitialPosition.String()), zap.String("bucket", cfg.Delivery.Bucket), zap.String("delivery", string(cfg.Delivery.Delivery)),
		zap.Strings("pipeline", cfg.Pipeline()), zap.String("worker_id", options.Worker.WorkerID))
	err = beside(ctx, func() error {
		return progress(w.Snapshot, options.Tally, cfg.Documents != nil, logger, func() error {
			return boundMemory(w.Snapshot, os.LookupEnv, func() error { return watched.Run(ctx, w) })
		})
	})
	return explainRun(err, cfg)
}

// loadFile returns what the configuration says. Its error has all that is wrong,
// and is a usageError.
func loadFile(ctx context.Context, c configFlags, args []string, s stdio) (config.Config, error) {
	if len(args) > 0 {
		return config.Config{}, usagef("archive --config: there are no arguments, but %q was given", args[0])
	}
	if c.shutdownTimeout <= 0 {
		return config.Config{}, usagef("archive: --shutdown-timeout is %v; it must be positive", c.shutdownTimeout)
	}
	return readFile(ctx, "archive", c, s)
}

// readFile returns what the configuration says, for a command. Its error has all that is
// wrong, and is a usageError.
func readFile(ctx context.Context, command string, c configFlags, s stdio) (config.Config, error) {
	data, err := readSource(ctx, command, c, s)
	if err != nil {
		return config.Config{}, err
	}
	o := importer.Options{Stream: c.stream, Set: c.set, Env: os.LookupEnv, Secrets: config.Secrets(), Unwritten: c.fromFirehose != ""}
	cfg, err := config.From(importer.Read(c.source(), data, config.Must, o))
	if err != nil {
		return config.Config{}, usageError{err}
	}
	return cfg, nil
}

// readSource returns the text of the configuration.
func readSource(ctx context.Context, command string, c configFlags, s stdio) ([]byte, error) {
	if c.fromFirehose != "" {
		return describeStream(ctx, c.fromFirehose, s)
	}
	data, err := readConfig(ctx, c.file, s)
	if err != nil {
		return nil, usagef("%s: --config: %w", command, err)
	}
	return data, nil
}

// readConfig reads a file, or standard input for -, of one that is too large only
// so much that this is seen.
func readConfig(ctx context.Context, name string, s stdio) ([]byte, error) {
	return readWhole(ctx, name, "the configuration", importer.MaxBytes, s)
}

// readWhole reads a file, or standard input for -, up to a byte more than it may have.
func readWhole(ctx context.Context, name, what string, most int64, s stdio) ([]byte, error) {
	if name == "-" {
		return readInput(ctx, what, most, s)
	}
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	data, err := readBounded(f, most)
	return data, errors.Join(err, f.Close())
}

func readBounded(r io.Reader, most int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, most+1))
}

// readInput reads standard input until it ends or ctx does, and says that it
// waits. A read cannot be ended: it is left to the end of the process.
func readInput(ctx context.Context, what string, most int64, s stdio) ([]byte, error) {
	type input struct {
		data []byte
		err  error
	}
	read := make(chan input, 1)
	go func() {
		data, err := readBounded(s.in, most)
		read <- input{data, err}
	}()
	var in input
	err := s.while("reading "+what+" from standard input", func() error {
		select {
		case in = <-read:
			return in.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return in.data, err
}

// serveHealth serves h where cfg says. Without an error the server is nil if
// health is off, and also if nobody asked for the address and it is not to be
// had: archivers on one machine need not be configured apart.
func serveHealth(ctx context.Context, cfg config.Config, h http.Handler, logger *zap.Logger) (*health.Server, error) {
	if cfg.HealthAddress == "" {
		return nil, nil //nolint:nilnil // off
	}
	served, err := health.Serve(ctx, cfg.HealthAddress, h, logger)
	switch {
	case err == nil:
		logger.Info("serving health", zap.Stringer("address", served.Addr()))
		return served, nil
	case !cfg.HealthGiven:
		logger.Warn("health is not served; set shardmill.healthAddress to an address of its own, or to off", zap.String("address", cfg.HealthAddress), zap.Error(err))
		return nil, nil //nolint:nilnil // nobody asked for it
	default:
		return nil, noHealthAddress(cfg, err)
	}
}

// noHealthAddress explains why the address that a file names could not be had.
func noHealthAddress(cfg config.Config, err error) error {
	if isInUse(err) {
		return fmt.Errorf("shardmill.healthAddress is %q, which is in use; stop the other program, or set it to another address or to off", cfg.HealthAddress)
	}
	return fmt.Errorf("shardmill.healthAddress is %q, which cannot be used: %w; set it to an address of this machine, or to off", cfg.HealthAddress, err)
}

// optionsOf returns what the file says, and what the program adds.
func optionsOf(cfg config.Config, c configFlags, logger *zap.Logger) archiver.Options {
	host, _ := os.Hostname() // "" will do: the random part makes it unique
	o := archiver.Options{Worker: cfg.Worker, Delivery: cfg.Delivery}
	o.Worker.WorkerID = cmp.Or(c.workerID, host+"-"+rand.Text()[:12])
	o.Worker.ShutdownTimeout = c.shutdownTimeout
	o.Worker.Logger = logger
	return o
}

// explainRun adds what to do to the errors that a first try meets.
func explainRun(err error, cfg config.Config) error {
	switch {
	case errors.Is(err, kcl.ErrStreamNotFound):
		return fmt.Errorf("%w; KinesisStreamARN names %s: create it, or correct the name, the region and the account", err, cfg.Worker.StreamARN)
	case errors.Is(err, kcl.ErrShutdownTimeout):
		return fmt.Errorf("%w; the records that were not delivered will be by the next worker", err)
	}
	return err
}

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/prefix"
	"github.com/shardmill/shardmill/processors/s3archive"
	"github.com/shardmill/shardmill/processors/transform"
)

const transformHelp = `shardmill transform --config FILE|- [FLAGS] [FILE...|-]
shardmill transform --from-firehose NAME [FLAGS] [FILE...|-]

Shows what an archiver would make of records, so that a query, a prefix or a
transform can be tried: each line of the input, standard input unless files are
named, is one record with its newline, as 'shardmill put' puts it. --base64 takes lines that
are records in base64, --raw each file as one record. It reads no stream and
writes no object, and needs nothing of AWS, unless the transform is a Lambda
function: that is called, with the credentials of the AWS SDK's environment and
lambda:InvokeFunction. A command is run. --no-transform leaves either out: records stay
as they are, and the partition keys that it would give are their names, in braces.

Of each record it tells where it would go: the prefix that its object's name
begins with, and what is delivered, before a newline is appended and before
compression; of one that fails, the error object's prefix, code and message; or
that it is dropped by the transform, or holds nothing, as control messages of
CloudWatch Logs do. One record may become several. All arrive at once, on one
shard: --at says when. That shard may have all 500 active partitions, where an archiver
divides them by the number of open shards; shardmill.activePartitions is the same for both.

With a destination of documents it tells the name of the index and the id in place of
the prefix, and which records are no documents: those are never sent. As records have no
sequence numbers here, their number stands for it in ids. No cluster is asked: types are
there if shardmill.engine says so.

--json prints an object a line: record (from 1), part (from 1, of the record),
prefix, data (text) or dataBase64, bytes, errorOutputType, errorCode, errorMessage, dropped,
nothing; of a document index, id and action, its line in a bulk request. Of a record that
fails data is the line of the error object, and of one that is no document there is none.

The configuration is that of 'shardmill archive', which tells of it; all of it is
judged. At most 64 MiB of records are tried, each of at most 10 MiB.

The exit code is 0 if no record failed, 1 if one did, or the trial, and 2 for
faults of the configuration, of the flags and of the input.

Examples:

  shardmill transform --config archiver.yaml < sample.ndjson
  echo '{"customer_id":"7"}' | shardmill transform --config archiver.yaml --json
  shardmill transform --config archiver.yaml --no-transform --raw payload.gz
`

const (
	mostTried      = 64 << 20 // bytes of all records
	mostTriedBytes = 10 << 20 // of a record; Kinesis takes no larger ones
)

// trialFlags are the flags of transform.
type trialFlags struct {
	configFlags

	raw, base64, noTransform bool
	level                    string
}

func runTransform(ctx context.Context, args []string, s stdio) error {
	f := newFlags("transform", transformHelp)
	c := trialFlags{configFlags: configFlags{set: assignments{}}}
	f.StringVar(&c.file, "config", "", "do as this `file` says, or standard input for -")
	f.StringVar(&c.fromFirehose, "from-firehose", "", "do as Firehose says that its delivery stream `NAME` does")
	f.StringVar(&c.stream, "stream", "", "the delivery stream, if the file has several: its logical `ID` in a template, its address in what terraform\nshow tells")
	f.Var(c.set, "set", "`NAME=VALUE`, a value that the file leaves open, or a member of the shardmill key as shardmill.NAME; may be repeated")
	f.Var(&c.at, "at", "when the records arrived, a `time` such as 2016-02-25T13:00:00Z (default now)")
	f.BoolVar(&c.base64, "base64", false, "each line is a record in base64")
	f.BoolVar(&c.raw, "raw", false, "each file is one record")
	f.BoolVar(&c.noTransform, "no-transform", false, "leave out the transform; the partition keys that it gives are their names, in braces")
	f.BoolVar(&c.json, "json", false, "print a JSON object a line")
	f.StringVar(&c.level, "log-level", "warn", "log from this `level` on: debug, info, warn or error")
	if err := f.parse(args); err != nil {
		return err
	}
	in := lines.Input{Files: f.Args(), Stdin: s.in, MaxBytes: mostTriedBytes}
	if len(in.Files) == 0 {
		in.Files = []string{"-"}
	}
	logger, err := newLogger(s.err, c.level, false)
	if err := errors.Join(c.check(in), err); err != nil {
		return usageError{err}
	}
	cfg, err := readFile(ctx, "transform", c.configFlags, s)
	if err != nil {
		return err
	}
	records, err := c.read(ctx, in, s)
	if err != nil {
		return usageError{err}
	}
	return c.try(ctx, cfg, records, logger, s)
}

// check returns what is wrong with the flags and the files.
func (c trialFlags) check(in lines.Input) error {
	var errs []error
	switch {
	case c.file == "" && c.fromFirehose == "":
		errs = append(errs, errors.New("transform: --config FILE is required"))
	case c.file != "" && c.fromFirehose != "":
		errs = append(errs, errors.New("transform: --config and --from-firehose exclude each other"))
	case c.file == "-" && slices.Contains(in.Files, "-"):
		errs = append(errs, errors.New("transform: --config - reads standard input, and so would the records; name a file of one of them"))
	}
	if c.raw && c.base64 {
		errs = append(errs, errors.New("transform: --raw and --base64 exclude each other"))
	}
	return errors.Join(append(errs, in.Check())...)
}

// read returns the records of the input.
func (c trialFlags) read(ctx context.Context, in lines.Input, s stdio) (records []kcl.Record, err error) {
	total := 0
	arrival := time.Now()
	if c.at.set {
		arrival = c.at.at
	}
	add := func(data []byte) error {
		if total += len(data); total > mostTried {
			return fmt.Errorf("transform: the records have more than %d MiB; give fewer", mostTried>>20)
		}
		n := strconv.Itoa(len(records) + 1)
		records = append(records, kcl.Record{Data: data, SequenceNumber: n, PartitionKey: n, ApproximateArrivalTimestamp: arrival})
		return nil
	}
	if c.raw {
		for _, name := range in.Files {
			data, err := readWhole(ctx, name, "a record", mostTriedBytes, s)
			if err == nil && len(data) > mostTriedBytes {
				err = fmt.Errorf("transform: %s has more than %d MiB; a record has at most so many", name, mostTriedBytes>>20)
			}
			if err := errors.Join(err, add(data)); err != nil {
				return nil, err
			}
		}
		return records, nil
	}
	err = s.while("reading records", func() error {
		for line, err := range in.Arriving(ctx, time.Second) {
			if err != nil {
				return err
			}
			data := line.Data
			if data == nil {
				continue // it has waited
			}
			if c.base64 {
				if data, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(data))); err != nil {
					return fmt.Errorf("%s:%d: it is not base64: %w", line.File, line.Line, err)
				}
			}
			if err := add(data); err != nil {
				return err
			}
		}
		return nil
	})
	return records, err
}

// try tells what becomes of records.
func (c trialFlags) try(ctx context.Context, cfg config.Config, records []kcl.Record, logger *zap.Logger, s stdio) error {
	made, end, err := c.transform(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer end()
	store, err := s3archive.New(noClients().S3, s3archive.Options{Logger: logger}) // nothing is put
	if err != nil {
		return err
	}
	cfg.Delivery.Transform, cfg.Delivery.Logger = made, logger
	t := trial{json: c.json, s: s, prefixes: map[string]bool{}, stream: cfg.Worker.StreamARN, delivery: cfg.Delivery, records: records}
	if cfg.Documents != nil {
		if t.index, err = archiver.TrialIndex(cfg.Documents, logger); err != nil {
			return usageError{err}
		}
		cfg.Delivery.Index = t.index
	}
	a, err := processors.New(cfg.Delivery, store)
	if err != nil {
		return usageError{err}
	}
	if err := s.while("trying records", func() error { return a.Try(ctx, records, t.tell) }); err != nil {
		return err
	}
	return t.end(len(records))
}

// transform returns what transforms the records, and what ends it.
func (c trialFlags) transform(ctx context.Context, cfg config.Config, logger *zap.Logger) (made *processors.Transform, end func(), err error) {
	if c.noTransform && cfg.Transform != nil {
		return &processors.Transform{Function: leftOut(cfg.Delivery)}, func() {}, nil
	}
	clients := noClients()
	if cfg.Transform != nil && cfg.Transform.Lambda != nil {
		if clients, err = loadAWS(ctx, cfg.Region, logger); err != nil {
			return nil, nil, err
		}
	}
	return newTransform(clients, cfg.Transform, logger)
}

// newTransform returns what a configuration's transform is, and what ends it.
func newTransform(c archiver.Clients, t *config.Transform, log *zap.Logger) (made *processors.Transform, end func(), err error) {
	if t != nil && t.Lambda != nil {
		if err := checkEndpoint("Lambda", c.Lambda.Options().BaseEndpoint); err != nil {
			return nil, nil, err
		}
	}
	if made, end, err = archiver.NewTransform(c, t, log); err != nil {
		return nil, nil, usageError{err}
	}
	return made, end, nil
}

// leftOut returns what stands for a transform that is left out: records stay as they are,
// and have the names of partition keys, in braces, for their values.
func leftOut(c processors.Config) transform.Function {
	var keys map[string]string
	if p, err := prefix.Parse(c.Prefix, prefix.Objects); err == nil { // it is valid
		keys = inBraces(p, prefix.PartitionKeyFromLambda)
	}
	return transform.Each("left-out", func(_ context.Context, r *transform.Record) transform.Result {
		return transform.Result{ID: r.ID, Status: transform.Ok, Data: append([]byte{}, r.Data...), PartitionKeys: keys}
	})
}

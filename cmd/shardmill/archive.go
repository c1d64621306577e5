package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
)

const archiveHelp = `shardmill archive --local [FLAGS] FILE...|-
shardmill archive --config FILE|- [FLAGS]
shardmill archive --config FILE|- --check [--offline] [--json] [FLAGS]
shardmill archive --from-firehose NAME [--check] [FLAGS]

With --local it runs the whole job in this process: it serves Kinesis, DynamoDB
and S3, puts each line of the input as one record, archives the stream with
several workers to plain files, reads these back, and verifies that every record
is in exactly one of them. Nothing else is needed. The first Ctrl-C stops the
putting; what was put is archived and verified. Another one, a second later or
more, ends at once.

With --destination elasticsearch, or opensearch, each line is a document: they are indexed
by a cluster in this process, whose index has another name each hour, and read back
from there and from the error objects, where lines that are no JSON objects are. The
documents of each index are then in a file of --dir/indices.

With --destination redshift each line is a row: objects are staged in --dir, loaded by COPY
into a table of a database in this process, with a ledger, and the rows are read back and
compared; what a load refuses is in objects that a manifest under errors/manifests/ names.

With --config it archives a stream to S3, Elasticsearch or OpenSearch, or loads it into
Redshift, until it is stopped. The file is the
input of Firehose's CreateDeliveryStream, as YAML or JSON; in a value of it
${NAME} is an environment variable, and $${ a ${ that is none. It may also be the
output of aws firehose describe-delivery-stream, a CloudFormation template, also
one that the CDK synthesized, the output of terraform show -json, of a plan or a
state, or as far as it has literals one file of Terraform's language. --set gives what such a file leaves open, by the name that the fault tells, and what is not Firehose's as shardmill.NAME=VALUE: above all
shardmill.initialPosition, as no file says where Firehose is in the stream. What has
no effect here, such as roles, is a warning. With --from-firehose it asks Firehose
what the delivery stream NAME does, each time it starts. Endpoints,
credentials and region come from the AWS SDK's environment. It tells its health
on 127.0.0.1:9500, at /healthz, /readyz and /metrics; shardmill.healthAddress in
the file says where else, or off. It logs what it archives when it begins, how far
it is each minute, and what it delivered when it ends.

It ends by itself, with exit code 1, if the stream or the lease table refuses its
credentials or there is no such stream, when it starts or later for 15 minutes; if
the lease table is gone for as long; and if it is another stream's.

With --check too it archives nothing. It prints the configuration with all that
is not in the file, what is done with a record, in order, example names of indices, and example keys of
objects, whose UUID is all zeros and whose partition keys are their names, the statement that loads these and its manifests, and with --rate how many
objects and requests come of that; unless --offline is given looks as an archiver that
starts does: whether a transform's command is there, or its function may be invoked, whether the cluster answers and what of its index can be looked at, whether the stream is there and a record of it can be read, whether
there is a lease table and each of its rows is this stream's, whether the buckets,
former ones too, are there and can be read, and whether health can be served where
the file says, if it says where. Each line begins with ok, with wrong, and then
says what to do, or with "not checked": what only a write would show, and what
cannot be looked at before something else is mended. Nothing is written, and a
look takes 30 seconds at most. The exit code is 0 if nothing is wrong, 1 if a look
found something, and 2 for faults of the configuration and of the AWS SDK's
environment, such as missing credentials.

Examples:

  shardmill archive --local testdata/clickstream.ndjson
  shardmill archive --local --destination elasticsearch testdata/clickstream.ndjson
  shardmill archive --local --destination redshift testdata/clickstream.ndjson
  zcat logs.gz | shardmill archive --local --shards 8 --reshard -
  shardmill archive --config archiver.yaml --check
  shardmill archive --config archiver.yaml --check --offline --rate 5MiB/s --shards 8
  shardmill archive --config archiver.yaml --worker-id host-1

--json prints the summary of a local run as one JSON object: records, bytes,
objects, object_bytes, ratio, seconds, shards, reshards, workers (records,
bytes, objects of each), verified, interrupted, directory, megabytes_sec; of documents also destination,
engine, documents, requests, failed, not_json and indices (name, documents); of Redshift destination, rows, loads and not_loaded. With
--check it prints one object: file, ok, faults, warnings, configuration (in the
shape of CreateDeliveryStream's input; null with faults), pipeline (what is done
with a record, in order), exampleKeys (at, key), exampleIndices (at, index; of documents alone), exampleLoads (at, statement, manifest, errorsManifest; of Redshift alone), workerId, shutdownTimeout, estimate (what --rate asks for: bytesPerSecond, shards, cutSeconds,
cutBytes, objectsPerHour, bulkRequestsPerHour, backupObjectsPerHour, putRequestsPerHour, deleteRequestsPerHour, tableWritesPerHour; see
go doc ./cmd/shardmill/internal/estimate), and looks (what, status, text).
`

func runArchive(ctx context.Context, args []string, s stdio) error {
	f := newFlags("archive", archiveHelp)
	local := f.Bool("local", false, "run everything in this process")
	shards := f.Int("shards", 4, "with --local or --check: `shards` of the stream; with --rate by default as many as it has")
	workers := f.Int("workers", 2, "with --local: `workers` that share them")
	reshard := f.Bool("reshard", false, "with --local: split one shard and merge two others half way")
	limits := f.Bool("limits", false, "with --local: throttle as Kinesis does")
	destination := f.String("destination", string(localrun.ToS3), "with --local: `where` records go: s3, as documents to elasticsearch or opensearch, or as rows to redshift")
	dir := f.String("dir", "./shardmill-data", "with --local: `directory` for the objects")
	var c configFlags
	c.register(f)
	f.BoolVar(&c.json, "json", false, "with --local or --check: print the summary, or what was found, as JSON")
	level := f.String("log-level", "", "log from this `level` on: debug (each request, batch and checkpoint), info, warn or error; default: warn with --local or --check, else info")
	format := f.String("log-format", "auto", logFormatUse)
	if err := f.parse(args); err != nil {
		return err
	}
	configured := c.file != "" || c.fromFirehose != ""
	switch {
	case c.file != "" && c.fromFirehose != "":
		return usagef("archive: --config and --from-firehose exclude each other")
	case c.fromFirehose != "" && c.offline:
		return usagef("archive: --from-firehose asks AWS, and --offline sends nothing; give as --config what aws firehose describe-delivery-stream tells")
	case *local && configured:
		return usagef("archive: --local and --config exclude each other")
	case *local || configured:
		if err := otherMode(f, *local, c.check); err != nil {
			return err
		}
	}
	switch {
	case configured:
		logJSON, err := logFormat(*format).json(!s.isTerminal())
		if err := errors.Join(err, c.takeShards(f, *shards)); err != nil {
			return err
		}
		how := logWith{*level, logJSON}
		if c.check {
			return checkConfig(ctx, c, f.Args(), how, s)
		}
		return archiveConfig(ctx, c, f.Args(), how, s)
	case c.check:
		return usagef("archive --check: --config FILE is required")
	case !*local:
		return usagef("archive: --local or --config FILE is required; 'shardmill archive --help' has examples")
	case f.NArg() == 0:
		return usagef("archive --local: name the files to archive, or - for standard input")
	}
	if *level == "" {
		*level = "warn"
	}
	logJSON, err := logFormat(*format).json(false)
	if err != nil {
		return err
	}
	logger, err := newLogger(s.err, *level, logJSON)
	if err != nil {
		return err
	}
	o := localrun.Options{
		Input: lines.Input{Files: f.Args(), Stdin: s.in}, Shards: *shards, Workers: *workers,
		Reshard: *reshard, Limits: *limits, Dir: *dir, Destination: localrun.Destination(*destination), Logger: logger, Notes: s.err,
	}
	if err := o.Validate(); err != nil {
		return usageError{err}
	}
	if err := o.Input.Check(); err != nil {
		return usageError{err}
	}
	return archiveLocal(ctx, o, c.json, s)
}

// otherMode refuses the flags that go with a mode that was not chosen, as their
// help says: "with --MODE: ", or "with --MODE or --MODE: ".
func otherMode(f flags, local, check bool) error {
	chosen := []string{"--config"}
	switch {
	case local:
		chosen = []string{"--local"}
	case check:
		chosen = append(chosen, "--check")
	}
	var errs []error
	f.Visit(func(g *flag.Flag) {
		modes, _, _ := strings.Cut(g.Usage, ": ")
		modes, limited := strings.CutPrefix(modes, "with ")
		goes := func(mode string) bool { return slices.Contains(chosen, mode) }
		if limited && !slices.ContainsFunc(strings.Split(modes, " or "), goes) {
			errs = append(errs, usagef("archive: --%s goes with %s, not with %s", g.Name, modes, strings.Join(chosen, " ")))
		}
	})
	return errors.Join(errs...)
}

func archiveLocal(ctx context.Context, o localrun.Options, asJSON bool, s stdio) error {
	sum, err := localrun.Run(ctx, o)
	if sum.Seconds == 0 {
		return err // it did not come so far
	}
	sum.Interrupted = ctx.Err() != nil
	if !asJSON {
		sum.Print(s.out)
		return err
	}
	if jerr := json.NewEncoder(s.out).Encode(sum); jerr != nil {
		return fmt.Errorf("printing the summary: %w", jerr)
	}
	return err
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Exit codes. A signal's is 128 and its number.
const (
	exitOK     = 0
	exitFailed = 1 // it failed, or records are missing
	exitUsage  = 2 // flags, arguments or configuration are wrong
)

// stdio is where a command reads and writes: results go to out, all else to
// err.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

func (s stdio) printf(format string, a ...any) { _, _ = fmt.Fprintf(s.out, format, a...) }
func (s stdio) notef(format string, a ...any) {
	_, _ = io.WriteString(s.err, visible(fmt.Sprintf(format, a...)))
}

// tellEvery is how often a command says what it waits for.
const tellEvery = 15 * time.Second

// while runs f, and says every so often that it is still doing that.
func (s stdio) while(doing string, f func() error) error {
	begun := time.Now()
	return s.telling(func() {
		s.notef("still %s after %v\n", doing, time.Since(begun).Round(time.Second))
	}, f)
}

// telling runs f, and calls tell every so often until f returns. f must not
// write to standard error.
func (s stdio) telling(tell func(), f func() error) error {
	return every(tellEvery, tell, f)
}

// command is one subcommand.
type command struct {
	name  string
	brief string
	run   func(ctx context.Context, args []string, s stdio) error
}

func commands() []command {
	return []command{
		{"archive", "archive a stream to S3, Elasticsearch or OpenSearch, or with --local the lines of files", runArchive},
		{"local", "serve Kinesis, DynamoDB and S3 on this machine", runLocal},
		{"transform", "show what an archiver would make of records", runTransform},
		{"put", "put the lines of files into a stream", runPut},
		{"leases", "look at the leases of an application, and mend them: list, set, release, adopt", runLeases},
		{"version", "print the version", runVersion},
		{"completion", "print what makes a shell complete commands and flags: bash, zsh or fish", runCompletion},
	}
}

const usageHead = `shardmill archives Kinesis streams to S3, Elasticsearch and OpenSearch as Amazon
Data Firehose does; in S3 each record is in exactly one object.

Usage:

  shardmill COMMAND [FLAGS] [ARGUMENTS]

Commands:

`

const usageTail = `
Try it, with nothing but this binary:

  shardmill archive --local testdata/clickstream.ndjson

'shardmill help COMMAND' or 'shardmill COMMAND --help' tells the flags of a command.
Flags may come after arguments; -- ends them. Results are written to
standard output, everything else to standard error. Exit codes: 0; 1 something
failed or is missing; 2 wrong usage or configuration; 130 and 143 signals.
`

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, s stdio) int {
	if len(args) == 0 {
		s.notef("%s", usage())
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "--help", "-help":
		if len(args) == 1 {
			s.printf("%s", usage())
			return exitOK
		}
		args = append(args[1:], "--help")
	case "--version", "-version":
		args[0] = "version"
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exitCode(ctx, c.run(ctx, args[1:], s), s)
		}
	}
	s.notef("shardmill: unknown command %q; 'shardmill help' lists them\n", args[0])
	return exitUsage
}

func usage() string {
	var b strings.Builder
	b.WriteString(usageHead)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-10s %s\n", c.name, c.brief)
	}
	return b.String() + usageTail
}

// usageError is an error in flags, arguments or configuration.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// helpError is the text that --help asked for.
type helpError struct {
	text  string
	flags *flag.FlagSet // nil if there are none
}

func (helpError) Error() string { return "help requested" }

func exitCode(ctx context.Context, err error, s stdio) int {
	if help, ok := errors.AsType[helpError](err); ok {
		s.printf("%s", help.text)
		return exitOK
	}
	code := exitOK
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			s.notef("shardmill: %s\n", strings.TrimRight(line, "\n"))
		}
		code = exitFailed
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if sig, ok := signalCode(ctx); ok {
		return sig
	}
	return code
}

// flags are the flags of one command, and its help.
type flags struct {
	*flag.FlagSet

	text string // what comes before the flags
}

func newFlags(name, text string) flags {
	f := flags{flag.NewFlagSet(name, flag.ContinueOnError), text}
	f.SetOutput(io.Discard)
	return f
}

// parse parses args, in which flags may come after arguments, until a "--"; its
// error is a usageError or a helpError.
func (f flags) parse(args []string) error {
	var arguments []string
	for {
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return helpError{f.help(), f.FlagSet}
		}
		if err != nil {
			return usagef("%s: %w; 'shardmill %s --help' lists its flags", f.Name(), err, f.Name())
		}
		parsed := len(args) - f.NArg()
		if f.NArg() == 0 || parsed > 0 && args[parsed-1] == "--" {
			break
		}
		arguments, args = append(arguments, f.Arg(0)), f.Args()[1:]
	}
	return f.Parse(append(append([]string{"--"}, arguments...), f.Args()...)) // for Args; it has no flags
}

func (f flags) help() string {
	var b strings.Builder
	b.WriteString(f.text)
	heading := "\nFlags:\n\n"
	f.VisitAll(func(g *flag.Flag) {
		kind, use := flag.UnquoteUsage(g)
		b.WriteString(heading)
		heading = ""
		fmt.Fprintf(&b, "  --%s\n      %s", strings.TrimSpace(g.Name+" "+kind), strings.ReplaceAll(use, "\n", "\n      "))
		if g.DefValue != "" && g.DefValue != "false" && g.DefValue != "0" {
			fmt.Fprintf(&b, " (default %s)", g.DefValue)
		}
		b.WriteByte('\n')
	})
	return b.String()
}

// logFormat is the value of --log-format.
type logFormat string

const logFormatUse = "`format` of the log: console (for people), json, or auto: console with --local and on a terminal, otherwise json"

// json reports whether to log as JSON if auto means that.
func (l logFormat) json(auto bool) (bool, error) {
	switch l {
	case "auto":
		return auto, nil
	case "console", "json":
		return l == "json", nil
	}
	return false, usagef("--log-format is %q; it must be auto, console or json", string(l))
}

// newLogger returns a logger to w for people or, as JSON, for machines.
func newLogger(w io.Writer, level string, json bool) (*zap.Logger, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usagef("--log-level is %q; it must be debug, info, warn or error", level)
	}
	c := zap.NewProductionEncoderConfig()
	c.EncodeTime = zapcore.ISO8601TimeEncoder
	c.EncodeDuration = zapcore.StringDurationEncoder
	enc := zapcore.NewConsoleEncoder(c)
	if json {
		enc = zapcore.NewJSONEncoder(c)
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), l)), nil
}

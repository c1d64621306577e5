package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
)

// result is what a command left.
type result struct {
	code     int
	out, err string
}

// output is written to by the log and by what else a command says, as a file
// may be.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func shardmill(t *testing.T, ctx context.Context, stdin string, args ...string) result { //nolint:revive // t first reads better in tests
	t.Helper()
	var out, err output
	code := run(ctx, args, stdio{in: strings.NewReader(stdin), out: &out, err: &err})
	return result{code, out.String(), err.String()}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		code int
		err  string // all of standard error
	}{
		{"an unknown command", []string{"archiv"}, 2, "shardmill: unknown command \"archiv\"; 'shardmill help' lists them\n"},
		{"an unknown flag", []string{"archive", "--lokal"}, 2, "shardmill: archive: flag provided but not defined: -lokal; 'shardmill archive --help' lists its flags\n"},
		{"a bad value", []string{"archive", "--local", "--shards", "x", "f"}, 2, "shardmill: archive: invalid value \"x\" for flag -shards: parse error; 'shardmill archive --help' lists its flags\n"},
		{"neither mode", []string{"archive", "f"}, 2, "shardmill: archive: --local or --config FILE is required; 'shardmill archive --help' has examples\n"},
		{"both modes", []string{"archive", "--local", "--config", "c", "f"}, 2, "shardmill: archive: --local and --config exclude each other\n"},
		{
			"flags of the other mode, with --config",
			[]string{"archive", "--config", "c", "--workers", "4", "--reshard", "--json"},
			2,
			"shardmill: archive: --json goes with --local or --check, not with --config\nshardmill: archive: --reshard goes with --local, not with --config\nshardmill: archive: --workers goes with --local, not with --config\n",
		},
		{
			"flags of the other mode, with --local",
			[]string{"archive", "--local", "--shutdown-timeout", "1m", "--worker-id", "x", "--log-level", "info", "f"},
			2,
			"shardmill: archive: --shutdown-timeout goes with --config, not with --local\nshardmill: archive: --worker-id goes with --config, not with --local\n",
		},
		{"a check of nothing", []string{"archive", "--check"}, 2, "shardmill: archive --check: --config FILE is required\n"},
		{"a check of a local run", []string{"archive", "--local", "--check", "--offline", "f"}, 2, "shardmill: archive: --check goes with --config, not with --local\nshardmill: archive: --offline goes with --check, not with --local\n"},
		{"offline without a check", []string{"archive", "--config", "c", "--offline"}, 2, "shardmill: archive: --offline goes with --check, not with --config\n"},
		{"a check with flags of a local run", []string{"archive", "--config", "c", "--check", "--workers", "2"}, 2, "shardmill: archive: --workers goes with --local, not with --config --check\n"},
		{"a bad log level of a check", []string{"archive", "--check", "--config", "c", "--offline", "--log-level", "loud"}, 2, "shardmill: --log-level is \"loud\"; it must be debug, info, warn or error\n"},
		{"arguments with --check", []string{"archive", "--check", "--config", "c", "f"}, 2, "shardmill: archive --config: there are no arguments, but \"f\" was given\n"},
		{"no directory", []string{"archive", "--local", "--dir", "", "-"}, 2, "shardmill: --dir is empty; it must name a directory\n"},
		{"no directory to serve", []string{"local", "--dir="}, 2, "shardmill: --dir is empty; it must name a directory for the objects\n"},
		{"no input", []string{"archive", "--local"}, 2, "shardmill: archive --local: name the files to archive, or - for standard input\n"},
		{"a file that is not there", []string{"archive", "--local", "/no/such"}, 2, "shardmill: stat /no/such: no such file or directory\n"},
		{
			"all faults at once",
			[]string{"archive", "--local", "--shards", "2", "--workers", "0", "--reshard", "-"},
			2,
			"shardmill: --workers is 0; it must be between 1 and 64\nshardmill: --reshard needs at least 3 shards, one to split and two to merge; --shards is 2\n",
		},
		{"a bad log level", []string{"archive", "--local", "--log-level", "loud", "-"}, 2, "shardmill: --log-level is \"loud\"; it must be debug, info, warn or error\n"},
		{"a bad log format", []string{"archive", "--config", "c", "--log-format", "xml"}, 2, "shardmill: --log-format is \"xml\"; it must be auto, console or json\n"},
		{"a bad log format of a local run", []string{"archive", "--local", "--log-format", "", "-"}, 2, "shardmill: --log-format is \"\"; it must be auto, console or json\n"},
		{"arguments with --config", []string{"archive", "--config", "c", "f"}, 2, "shardmill: archive --config: there are no arguments, but \"f\" was given\n"},
		{"a configuration that is not there", []string{"archive", "--config", "/no/such"}, 2, "shardmill: archive: --config: open /no/such: no such file or directory\n"},
		{
			"put, all faults at once",
			[]string{"put", "--rate", "-1"},
			2,
			"shardmill: put: --stream is required\nshardmill: put: --rate is -1; it must be positive, and at most 1000000000\nshardmill: put: name the files to put, or - for standard input\n",
		},
		{"a trial without anything", []string{"transform"}, 2, "shardmill: transform: --config FILE is required\n"},
		{
			"a trial, all faults at once",
			[]string{"transform", "--config", "-", "--from-firehose", "x", "--raw", "--base64", "--log-level", "loud", "/no/such"},
			2,
			"shardmill: transform: --config and --from-firehose exclude each other\nshardmill: transform: --raw and --base64 exclude each other\n" +
				"shardmill: stat /no/such: no such file or directory\nshardmill: --log-level is \"loud\"; it must be debug, info, warn or error\n",
		},
		{"a trial of standard input twice", []string{"transform", "--config", "-"}, 2, "shardmill: transform: --config - reads standard input, and so would the records; name a file of one of them\n"},
		{"a trial at no time", []string{"transform", "--at", "noon"}, 2, "shardmill: transform: invalid value \"noon\" for flag -at: it must be a time such as 2016-02-25T13:00:00Z: parsing time \"noon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"noon\" as \"2006\"; 'shardmill transform --help' lists its flags\n"},
		{"a trial of a configuration that is not there", []string{"transform", "--config", "/no/such"}, 2, "shardmill: transform: --config: open /no/such: no such file or directory\n"},
		{"leases without an action", []string{"leases"}, 2, leasesHelp + "\nshardmill: leases: an action is needed: list, set, release or adopt\n"},
		{"an action that is none", []string{"leases", "seek"}, 2, "shardmill: leases: there is no action \"seek\"; it must be list, set, release or adopt\n"},
		{"leases without a table", []string{"leases", "list"}, 2, "shardmill: leases list: --table is required\n"},
		{
			"leases set, all faults at once",
			[]string{"leases", "set", "--at", "SHARD_END", "--stream", "s", "--stream-arn", "arn:aws:kinesis:x", "--failover", "1ms", "k", "l"},
			2,
			"shardmill: leases set: there are no further arguments, but [\"l\"] was given\nshardmill: leases set: --table is required\n" +
				"shardmill: leases set: --stream and --stream-arn exclude each other\n" +
				"shardmill: leases set: --stream-arn is \"arn:aws:kinesis:x\"; it must look like arn:aws:kinesis:REGION:ACCOUNT:stream/NAME\n" +
				"shardmill: leases set: --failover is 1ms; it must be at least 500ms\n" +
				"shardmill: leases set: --at is \"SHARD_END\"; it must be trim-horizon, latest, SEQUENCE[/SUB], or a time such as 2026-11-28T14:00:00Z\n",
		},
		{"leases set without anything", []string{"leases", "set"}, 2, "shardmill: leases set: KEY is required\nshardmill: leases set: --table is required\nshardmill: leases set: --at is required\n"},
		{"leases release without anything", []string{"leases", "release"}, 2, "shardmill: leases release: KEY is required\nshardmill: leases release: --table is required\n"},
		{"leases adopt without anything", []string{"leases", "adopt", "k"}, 2, "shardmill: leases adopt: there are no further arguments, but [\"k\"] was given\nshardmill: leases adopt: --table is required\nshardmill: leases adopt: --stream or --stream-arn is required\n"},
		{"leases adopt with a flag of set", []string{"leases", "adopt", "--at", "latest"}, 2, "shardmill: leases adopt: flag provided but not defined: -at; 'shardmill leases adopt --help' lists its flags\n"},
		{"help of what is no command", []string{"help", "archiv"}, 2, "shardmill: unknown command \"archiv\"; 'shardmill help' lists them\n"},
		{"a flag after a file, of the other mode", []string{"archive", "--local", "f", "--worker-id", "x"}, 2, "shardmill: archive: --worker-id goes with --config, not with --local\n"},
		{"a flag after a file, unknown", []string{"archive", "--local", "f", "--lokal"}, 2, "shardmill: archive: flag provided but not defined: -lokal; 'shardmill archive --help' lists its flags\n"},
		{"files after --", []string{"archive", "--local", "--", "/no/such", "--shards"}, 2, "shardmill: stat /no/such: no such file or directory\nshardmill: stat --shards: no such file or directory\n"},
		{"a shell that is not known", []string{"completion", "csh"}, 2, "shardmill: completion: name one shell: bash, zsh or fish\n"},
		{"no shell", []string{"completion"}, 2, "shardmill: completion: name one shell: bash, zsh or fish\n"},
		{"version with arguments", []string{"version", "x"}, 2, "shardmill: version takes no arguments\n"},
		{"local with arguments", []string{"local", "x"}, 2, "shardmill: local takes no arguments\n"},
		{
			"local with a key alone, nowhere",
			[]string{"local", "--credentials", "key", "--dir", ""},
			2,
			"shardmill: --dir is empty; it must name a directory for the objects\n" +
				"shardmill: --credentials must be an access key without any of \"/ ,=\", a colon and a secret\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := shardmill(t, t.Context(), "", tt.args...)
			if r.code != tt.code || r.err != tt.err || r.out != "" {
				t.Errorf("exit %d, stdout %q, stderr\n%swant %d,\n%s", r.code, r.out, r.err, tt.code, tt.err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			helps(t, c.name)
		})
	}
	for _, action := range []string{"list", "set", "release", "adopt"} {
		t.Run("leases "+action, func(t *testing.T) {
			t.Parallel()
			helps(t, "leases", action)
		})
	}
	if r := shardmill(t, t.Context(), "", "leases", "--help"); r.code != 0 || r.out != leasesHelp {
		t.Errorf("exit %d, stdout %s", r.code, r.out)
	}
	if r := shardmill(t, t.Context(), "", "help"); r.code != 0 || !strings.Contains(r.out, "archive --local") {
		t.Errorf("exit %d, stdout %s", r.code, r.out)
	}
	if r := shardmill(t, t.Context(), ""); r.code != 2 {
		t.Errorf("no arguments: exit %d", r.code)
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if r := shardmill(t, t.Context(), "", args...); r.code != 0 || !strings.HasPrefix(r.out, "shardmill ") || strings.Count(r.out, "\n") != 1 {
			t.Errorf("%v: exit %d, %q", args, r.code, r.out)
		}
	}
}

// helps asks a command for its help.
func helps(t *testing.T, command ...string) {
	t.Helper()
	r := shardmill(t, t.Context(), "", append(slices.Clone(command), "--help")...)
	flags := !slices.Contains([]string{"version", "leases", "completion"}, command[len(command)-1])
	if r.code != 0 || r.err != "" || !strings.Contains(r.out, "shardmill "+strings.Join(command, " ")) || strings.Contains(r.out, "Flags:\n\n  --") != flags {
		t.Errorf("exit %d, stderr %q, stdout\n%s", r.code, r.err, r.out)
	}
	if other := shardmill(t, t.Context(), "", append([]string{"help"}, command...)...); other != r {
		t.Errorf("help %v: exit %d, stderr %q, stdout\n%s", command, other.code, other.err, other.out)
	}
}

// The main job: every record in exactly one object, through a split and a
// merge, and again on a directory that was used before.
func TestArchiveLocal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, "line %d %s\n", i%1000, strings.Repeat("x", i%50))
	}
	text.WriteString("\n\r\nno newline at the end")
	file := write(t, "in", text.String())
	for n := range 2 {
		r := shardmill(t, t.Context(), text.String(), "archive", "--local", "--reshard", "--json", "--dir", dir, file, "-")
		var sum localrun.Summary
		if err := json.Unmarshal([]byte(r.out), &sum); err != nil || r.code != 0 {
			t.Fatalf("run %d: exit %d, %v, stderr %s", n, r.code, err, r.err)
		}
		records, bytes := int64(2*3003), int64(2*text.Len()+2)
		if !sum.Verified || sum.Records != records || sum.Bytes != bytes || sum.Reshards != 2 || len(sum.Workers) != 2 {
			t.Errorf("run %d: %+v, want %d records of %d bytes", n, sum, records, bytes)
		}
		if sum.Workers[0].Records+sum.Workers[1].Records != records {
			t.Errorf("the workers' shares %+v are not of %d records", sum.Workers, records)
		}
	}
	objects, err := filepath.Glob(filepath.Join(dir, "archive", "*", "*", "*", "*", "local-1-*.gz"))
	if err != nil || len(objects) < 8 {
		t.Errorf("%d objects in %s: %v", len(objects), dir, err)
	}
}

// A line that is no record stops the run; what came before it is delivered.
func TestArchiveLocalStopsAtATooLongLine(t *testing.T) {
	t.Parallel()
	file := write(t, "in", "one\ntwo\n"+strings.Repeat("x", 1<<20)+"\nfour\n")
	r := shardmill(t, t.Context(), "", "archive", "--local", "--dir", t.TempDir(), file)
	want := fmt.Sprintf("shardmill: %s:3: line is longer than a record may be: at most 1048556 bytes with its newline\n", file)
	if r.code != 1 || !strings.HasSuffix(r.err, want) || !strings.Contains(r.out, "records    2\n") || !strings.Contains(r.out, "verified: every record") {
		t.Errorf("exit %d, stdout\n%sstderr\n%s", r.code, r.out, r.err)
	}
}

// The first signal stops the putting; what was put is archived and verified.
func TestArchiveLocalInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	in := &endless{after: 2000, then: func() { cancel(signalError{syscall.SIGINT}) }}
	var out, errs output
	code := run(ctx, []string{"archive", "--local", "--dir", t.TempDir(), "-"}, stdio{in: in, out: &out, err: &errs})
	if code != 130 || !strings.Contains(out.String(), "verified: every record") || !strings.Contains(out.String(), "interrupted:") {
		t.Errorf("exit %d, stdout\n%sstderr\n%s", code, out.String(), errs.String())
	}
}

// endless is an input that never ends: it calls then after some lines.
type endless struct {
	n, after int
	then     func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n++; e.n == e.after {
		e.then()
	}
	return copy(p, fmt.Sprintf("line %d\n", e.n)), nil
}

// A directory that cannot be written is an error that names it.
func TestArchiveLocalDirectory(t *testing.T) {
	t.Parallel()
	file := write(t, "in", "one\n")
	r := shardmill(t, t.Context(), "", "archive", "--local", "--dir", file, file)
	if r.code != 1 || !strings.HasPrefix(r.err, "shardmill: opening "+file) {
		t.Errorf("exit %d, stderr %s", r.code, r.err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := shardmill(t, t.Context(), "", "local", "--listen", l.Addr().String(), "--dir", t.TempDir())
	want := fmt.Sprintf("shardmill: %s is in use; stop the other program, or choose another address with --listen\n", l.Addr())
	if r.code != 1 || r.err != want {
		t.Errorf("exit %d, stderr %s", r.code, r.err)
	}
}

func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	file := write(t, "archiver.yaml", `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
  BufferingHints: {SizeInMBs: 129, IntervalInSeconds: 300}
  Comprssion: GZIP
`)
	r := shardmill(t, t.Context(), "", "archive", "--config", file)
	if r.code != 2 || strings.Count(r.err, "\n") != 2 || !strings.Contains(r.err, file+":5: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 129; it must be between 1 and 128\n") {
		t.Errorf("exit %d, stderr\n%s", r.code, r.err)
	}
}

// A file that is too large is not read further than this is seen.
func TestConfigurationWithoutAnEnd(t *testing.T) {
	t.Parallel()
	r := shardmill(t, t.Context(), "", "archive", "--config", "/dev/zero")
	if want := "shardmill: /dev/zero:1: the file has more than 65536 bytes; it must have at most so many\n"; r.code != 2 || r.err != want {
		t.Errorf("exit %d, stderr\n%s", r.code, r.err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		sig  os.Signal
		want int
	}{
		{"nothing", nil, nil, 0},
		{"a failure", errors.New("boom"), nil, 1},
		{"wrong usage", usagef("boom"), nil, 2},
		{"SIGINT", nil, syscall.SIGINT, 130},
		{"SIGTERM", nil, syscall.SIGTERM, 143},
		{"a signal and a failure", errors.New("boom"), syscall.SIGTERM, 143},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			if tt.sig != nil {
				cancel(signalError{tt.sig})
			}
			defer cancel(nil)
			if got := exitCode(ctx, tt.err, stdio{err: new(bytes.Buffer)}); got != tt.want {
				t.Errorf("exit %d, want %d", got, tt.want)
			}
		})
	}
}

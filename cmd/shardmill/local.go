package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/shardmill/shardmill/localaws"
)

const localHelp = `shardmill local [FLAGS]

Serves Kinesis, DynamoDB and S3 on this machine until it is stopped. Streams and
tables are in memory; objects are plain files, and stay. It prints what to set
in the shells of its clients; any AWS SDK will do. Nothing of AWS is ever called.

Examples:

  shardmill local
  shardmill local --listen 127.0.0.1:0 --dir /tmp/objects
`

func runLocal(ctx context.Context, args []string, s stdio) error {
	f := newFlags("local", localHelp)
	listen := f.String("listen", "127.0.0.1:4566", "`address` to listen on; port 0 takes a free one")
	dir := f.String("dir", "./shardmill-data", "`directory` for the objects")
	limits := f.Bool("limits", false, "throttle as Kinesis does")
	control := f.Bool("control", false, "serve /_localaws/, where tests add faults and read the log of writes")
	level := f.String("log-level", "warn", "log from this `level` on: debug, info, warn or error")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usagef("local takes no arguments")
	}
	if *dir == "" {
		return usagef("local: --dir is empty; it must name a directory")
	}
	logger, err := newLogger(s.err, *level, false)
	if err != nil {
		return err
	}
	stack, err := localaws.New(localaws.Options{Dir: *dir, Limits: *limits, Control: *control, Logger: logger})
	if err != nil {
		return fmt.Errorf("opening %s: %w", *dir, err)
	}
	defer stack.Close()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if isInUse(err) {
		return fmt.Errorf("%s is in use; stop the other program, or choose another address with --listen", *listen)
	}
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *listen, err)
	}
	for _, line := range stack.Environ("http://" + l.Addr().String()) {
		name, value, _ := strings.Cut(line, "=")
		s.printf("export %s=%s\n", name, value)
	}
	s.notef("serving Kinesis, DynamoDB and S3 on %s; objects are in %s\n", l.Addr(), *dir)
	return stack.Serve(ctx, l)
}

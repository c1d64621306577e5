package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
	"github.com/shardmill/shardmill/localaws"
)

const localHelp = `shardmill local [FLAGS]

Serves Kinesis, DynamoDB and S3 on this machine until it is stopped. Streams and
tables are in memory; objects are plain files, and stay. It prints what to set
in the shells of its clients; any AWS SDK will do. Nothing of AWS is ever called.

The Java KCL must poll it (PollingConfig): there is no enhanced fan-out. The KPL
finds it by those variables; setKinesisEndpoint would have it speak TLS, which it
does not.

Its clients call it by an IP address, by localhost, or by a name that --listen
or --hosts has. The keys that it takes are public, unless --credentials has
others: do not let it listen where others can reach it without that.

Examples:

  shardmill local
  shardmill local --listen 127.0.0.1:0 --dir /tmp/objects --buckets archive
  shardmill local --listen 0.0.0.0:4566 --hosts shardmill --credentials me:secret
`

// localFlags are the flags of local.
type localFlags struct {
	listen, dir, buckets, hosts, credentials, level string
	limits, control, strictBuckets                  bool
}

func runLocal(ctx context.Context, args []string, s stdio) error {
	var o localFlags
	f := newFlags("local", localHelp)
	f.StringVar(&o.listen, "listen", "127.0.0.1:4566", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&o.hosts, "hosts", "", "other `names` by which clients call it, with commas between them")
	f.StringVar(&o.credentials, "credentials", "", "access key and secret to take, as `KEY:SECRET`, and no others (default local:local)")
	f.StringVar(&o.dir, "dir", "./shardmill-data", "`directory` for the objects")
	f.StringVar(&o.buckets, "buckets", "", "`names` of buckets to make unless they are there, with commas between them")
	f.BoolVar(&o.strictBuckets, "strict-buckets", false, "refuse to put into a bucket that was not created, instead of making it")
	f.BoolVar(&o.limits, "limits", false, "throttle as Kinesis does")
	f.BoolVar(&o.control, "control", false, "serve /_localaws/, where tests add faults and read the log of writes")
	f.StringVar(&o.level, "log-level", "warn", "log from this `level` on: debug, info, warn or error")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usagef("local takes no arguments")
	}
	options, err := o.stack()
	if err != nil {
		return err
	}
	if options.Logger, err = newLogger(s.err, o.level, false); err != nil {
		return err
	}
	stack, err := localaws.New(options)
	if err != nil {
		return localrun.DirError(o.dir, err)
	}
	defer stack.Close()
	if err := makeBuckets(ctx, stack, names(o.buckets)); err != nil {
		return err
	}
	l, err := listenLocal(ctx, o.listen)
	if err != nil {
		return err
	}
	for _, line := range stack.Environ("http://" + l.Addr().String()) {
		name, value, _ := strings.Cut(line, "=")
		s.printf("export %s=%s\n", name, shellQuote(value))
	}
	s.notef("serving Kinesis, DynamoDB and S3 on %s; objects are in %s\n", l.Addr(), o.dir)
	if o.credentials == "" && !isLoopback(l.Addr()) {
		s.notef("warning: other machines can reach %s, and its keys are public; "+
			"choose some with --credentials KEY:SECRET, or listen on 127.0.0.1\n", l.Addr())
	}
	return stack.Serve(ctx, l)
}

// stack is what the flags say of the services. Its error is a usageError.
func (o localFlags) stack() (localaws.Options, error) {
	options := localaws.Options{Dir: o.dir, Limits: o.limits, Control: o.control, StrictBuckets: o.strictBuckets}
	var errs []error
	if o.dir == "" {
		errs = append(errs, errors.New("--dir is empty; it must name a directory for the objects"))
	}
	if o.credentials != "" {
		key, secret, _ := strings.Cut(o.credentials, ":")
		if key == "" || secret == "" || strings.ContainsAny(key, "/ ,=") {
			errs = append(errs, errors.New("--credentials must be an access key without any of \"/ ,=\", a colon and a secret"))
		}
		options.Credentials = map[string]string{key: secret}
	}
	hosts := names(o.hosts)
	if host, _, err := net.SplitHostPort(o.listen); err == nil {
		hosts = append(hosts, host)
	}
	for _, name := range hosts {
		if name != "" && net.ParseIP(name) == nil {
			options.Hosts = append(options.Hosts, name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return options, usageError{err}
	}
	return options, nil
}

// names are those of a list with commas.
func names(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// makeBuckets makes the buckets that are not there.
func makeBuckets(ctx context.Context, stack *localaws.Stack, buckets []string) error {
	client := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options)
	for _, name := range buckets {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
		if _, isThere := errors.AsType[*types.BucketAlreadyOwnedByYou](err); err != nil && !isThere {
			return fmt.Errorf("making the bucket %q of --buckets: %w", name, err)
		}
	}
	return nil
}

// listenLocal listens on a TCP address; one of IPv4 is not one of IPv6, too.
func listenLocal(ctx context.Context, address string) (net.Listener, error) {
	network := "tcp"
	if ip, err := netip.ParseAddrPort(address); err == nil && ip.Addr().Is4() {
		network = "tcp4"
	}
	l, err := new(net.ListenConfig).Listen(ctx, network, address)
	if isInUse(err) {
		return nil, fmt.Errorf("%s is in use; stop the other program, or choose another address with --listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return l, nil
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// shellQuote is a value as a POSIX shell reads it.
func shellQuote(value string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:+@%", r)
	}
	if strings.TrimFunc(value, safe) == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

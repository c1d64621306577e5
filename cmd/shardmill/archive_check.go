package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/estimate"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/internal/deadline"
)

// checked is what archive --check found.
type checked struct {
	File            string             `json:"file"` // "-" is standard input
	OK              bool               `json:"ok"`   // no fault, and no look that found something wrong
	Faults          []string           `json:"faults"`
	Warnings        []string           `json:"warnings"`
	Configuration   *config.Effective  `json:"configuration"` // as it applies; nil with faults
	Pipeline        []string           `json:"pipeline"`      // what is done with a record, in order
	ExampleKeys     []exampleKey       `json:"exampleKeys"`
	ExampleIndices  []exampleIndex     `json:"exampleIndices,omitempty"` // of documents alone
	ExampleLoads    []exampleLoad      `json:"exampleLoads,omitempty"`   // of Redshift alone
	WorkerID        string             `json:"workerId"`
	ShutdownTimeout string             `json:"shutdownTimeout"`
	Estimate        *estimate.Estimate `json:"estimate,omitempty"` // nil without --rate
	Looks           []check.Look       `json:"looks"`              // none with --offline
}

// checkConfig shows what a configuration file means, and looks at what the archiver
// would use. Faults of the configuration are a usageError.
func checkConfig(ctx context.Context, c configFlags, args []string, how logWith, s stdio) error {
	host, _ := os.Hostname()
	found := checked{
		File: c.source(), Faults: []string{}, Warnings: []string{}, Looks: []check.Look{}, ExampleKeys: []exampleKey{}, Pipeline: []string{},
		WorkerID: cmp.Or(c.workerID, host+"-RANDOM"), ShutdownTimeout: c.shutdownTimeout.String(),
	}
	logger, err := newLogger(s.err, cmp.Or(how.level, "warn"), how.json)
	if err != nil {
		return err
	}
	cfg, err := loadFile(ctx, c, args, s)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to end before it began
	}
	if err == nil {
		err = valid(cfg, c)
	}
	if err != nil {
		found.Faults = strings.Split(err.Error(), "\n")
		return errors.Join(err, found.printJSON(c, s))
	}
	if err := found.examples(cfg, instants(c.at, time.Now())); err != nil {
		return usageError{err} // it is valid
	}
	effective := cfg.Effective()
	found.Pipeline = cfg.Pipeline()
	found.Configuration, found.Warnings = &effective, append(found.Warnings, cfg.Warnings...)
	if err := found.printText(c, s); err != nil {
		return err
	}
	shards := 0
	if c.offline && cfg.Documents != nil && cfg.Documents.DomainARN != "" {
		found.tell(c, s, check.Look{What: domainLook(cfg.Documents), Status: check.NotChecked, Text: "its endpoint is looked up without --offline, and when the archiver starts"})
	}
	if !c.offline {
		shards, err = found.look(ctx, cfg, c, logger, s)
	}
	if ctx.Err() != nil {
		return err
	}
	found.estimate(cfg, c, shards, s)
	found.OK = err == nil
	return errors.Join(err, found.printJSON(c, s))
}

// examples adds names of objects, and of indices, at these times.
func (found *checked) examples(cfg config.Config, at []time.Time) (err error) {
	if found.ExampleIndices, err = exampleIndices(cfg, at); err != nil {
		return err
	}
	if cfg.Documents != nil {
		found.ExampleKeys, err = documentKeys(cfg, at)
		return err
	}
	if found.ExampleLoads, err = exampleLoads(cfg, at[:1]); err != nil {
		return err
	}
	found.ExampleKeys, err = exampleKeys(cfg.Delivery, at)
	return err
}

// valid returns what is wrong with a configuration that only the parts of the
// archiver know. It does no I/O.
func valid(cfg config.Config, c configFlags) error {
	clients, options := noClients(), optionsOf(cfg, c, zap.NewNop())
	transform, end, err := newTransform(clients, cfg.Transform, zap.NewNop())
	if err != nil {
		return err
	}
	defer end()
	options.Delivery.Transform = transform
	if cfg.Documents != nil {
		index, err := archiver.TrialIndex(cfg.Documents, zap.NewNop())
		if err != nil {
			return usageError{err}
		}
		options.Delivery.Index = index
	}
	_, err = archiver.New(clients, options)
	if cfg.Warehouse != nil {
		err = errors.Join(err, archiver.CheckWarehouse(cfg.Warehouse, options))
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

// noClients returns clients that nothing is to be sent with.
func noClients() archiver.Clients {
	return archiver.Clients{Kinesis: kinesis.New(kinesis.Options{}), DynamoDB: dynamodb.New(dynamodb.Options{}), S3: s3.New(s3.Options{}), Lambda: lambda.New(lambda.Options{})}
}

// look looks at what the archiver would use, and returns how many open shards the
// stream has, 0 if that was not learned.
func (found *checked) look(ctx context.Context, cfg config.Config, c configFlags, logger *zap.Logger, s stdio) (shards int, err error) {
	var wrong []string
	tell := func(l check.Look) {
		if l.Status == check.Wrong {
			wrong = append(wrong, l.What)
		}
		found.tell(c, s, l)
	}
	if cfg.HealthGiven && cfg.HealthAddress != "" { // without the default's an archiver runs all the same
		tell(lookAtHealth(ctx, cfg))
	}
	if t := cfg.Transform; t != nil && t.Command != nil {
		tell(lookAtCommand(t.Command))
	}
	clients, err := loadAWS(ctx, cfg.Region, logger)
	if ctx.Err() != nil {
		return 0, nil //nolint:nilerr // told to end
	}
	if err != nil {
		tell(check.Look{What: "AWS environment", Status: check.Wrong, Text: err.Error()})
		return 0, err
	}
	tell(check.Look{What: "AWS environment", Status: check.OK, Text: whoAndWhere(ctx, clients)})
	err = s.while("looking at what the archiver would use", func() error {
		if t := cfg.Transform; t != nil && t.Lambda != nil {
			tell(lookAtFunction(ctx, clients, t.Lambda))
		}
		if cfg.Documents != nil {
			lookAtCluster(ctx, clients, cfg, logger, tell)
		}
		if cfg.Warehouse != nil {
			lookAtWarehouse(ctx, clients, cfg, optionsOf(cfg, c, logger), tell)
		}
		return check.Run(ctx, clients, check.Options{
			Worker: cfg.Worker, Delivery: putByDelivery(cfg), Logger: logger, LoaderTable: loaderTable(cfg), Explain: func(err error) error { return explainRun(err, cfg) },
			OpenShards: func(n int) { shards = n },
		}, tell)
	})
	if err == nil && len(wrong) > 0 {
		return shards, fmt.Errorf("archive --check: something is wrong with %s", strings.Join(wrong, ", "))
	}
	return shards, err
}

// tell adds a look, and prints it unless JSON was asked for.
func (found *checked) tell(c configFlags, s stdio, l check.Look) {
	l.Text = strings.ReplaceAll(l.Text, "\n", "; ")
	found.Looks = append(found.Looks, l)
	if !c.json {
		s.printf("%s", visible(fmt.Sprintf("%-11s  %s: %s\n", l.Status, l.What, l.Text)))
	}
}

// lookAtHealth looks whether health can be served where the file says. Who has the
// address may be the archiver that this one is to replace.
func lookAtHealth(ctx context.Context, cfg config.Config) check.Look {
	what := "health address " + cfg.HealthAddress
	served, err := health.Serve(ctx, cfg.HealthAddress, http.NotFoundHandler(), zap.NewNop())
	switch {
	case err == nil:
		served.Close(ctx)
		return check.Look{What: what, Status: check.OK, Text: "can be listened on"}
	case isInUse(err):
		return check.Look{What: what, Status: check.NotChecked, Text: noHealthAddress(cfg, err).Error()}
	default:
		return check.Look{What: what, Status: check.Wrong, Text: noHealthAddress(cfg, err).Error()}
	}
}

// lookAtCommand looks whether the command of a transform is there.
func lookAtCommand(t *config.CommandTransform) check.Look {
	l := check.Look{What: "command " + t.Argv[0], Status: check.OK, Text: "is there to be run"}
	if err := archiver.CheckCommand(t); err != nil {
		l.Status, l.Text = check.Wrong, err.Error()+"; correct shardmill.transform"
	}
	return l
}

// functionTimeout bounds the look at a function.
const functionTimeout = 30 * time.Second

// lookAtFunction looks whether the function of a transform is there and may be invoked.
func lookAtFunction(ctx context.Context, c archiver.Clients, t *config.LambdaTransform) check.Look {
	ctx, call := deadline.Start(ctx, functionTimeout)
	defer call.End()
	l := check.Look{What: "function " + t.ARN, Status: check.OK, Text: "is there; lambda:InvokeFunction is permitted"}
	err := checkEndpoint("Lambda", c.Lambda.Options().BaseEndpoint)
	if err == nil {
		err = deadline.Explain(ctx, archiver.CheckFunction(ctx, c, t))
	}
	if err != nil {
		l.Status, l.Text = check.Wrong, err.Error()
	}
	return l
}

// whoAndWhere says where the credentials are from and which services are used.
func whoAndWhere(ctx context.Context, c archiver.Clients) string {
	source := "somewhere"
	if id, err := c.Kinesis.Options().Credentials.Retrieve(ctx); err == nil { // it has them
		source = id.Source
	}
	where := func(service, region string, endpoint *string) string {
		if at := aws.ToString(endpoint); at != "" {
			return fmt.Sprintf("; %s in %s at %s", service, region, withoutPassword(at))
		}
		return fmt.Sprintf("; %s in %s", service, region)
	}
	return "from " + source +
		where("Kinesis", c.Kinesis.Options().Region, c.Kinesis.Options().BaseEndpoint) +
		where("DynamoDB", c.DynamoDB.Options().Region, c.DynamoDB.Options().BaseEndpoint) +
		where("S3", c.S3.Options().Region, c.S3.Options().BaseEndpoint)
}

// withoutPassword returns an address without the password that may be in it.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an endpoint that is no URL"
	}
	return u.Redacted()
}

// printText prints the configuration, unless JSON was asked for.
func (found *checked) printText(c configFlags, s stdio) error {
	if c.json {
		return nil
	}
	text, err := found.Configuration.YAML()
	if err != nil {
		return err
	}
	name := found.File
	if name == "-" {
		name = "standard input"
	}
	about := fmt.Sprintf("%s as it applies, with --worker-id %s --shutdown-timeout %s", name, found.WorkerID, found.ShutdownTimeout)
	s.printf("# %s\n%s", visible(strings.ReplaceAll(about, "\n", `\n`)), text)
	s.printf("\n%-11s  %s\n", "pipeline", visible(strings.ReplaceAll(strings.Join(found.Pipeline, " → "), "\n", `\n`)))
	for _, x := range found.ExampleIndices {
		s.printf("%-11s  %s: %s\n", "example index", x.At.Format(time.RFC3339), visible(x.Index))
	}
	for _, k := range found.ExampleKeys {
		s.printf("%-11s  %s: %s\n", "example key", k.At.Format(time.RFC3339), visible(k.Key))
	}
	for _, l := range found.ExampleLoads {
		at := l.At.Format(time.RFC3339)
		s.printf("%-11s  %s: %s\n", "example load", at, visible(l.Statement))
		s.printf("%-11s  %s: %s, or if it is given up %s\n", "manifest", at, visible(l.Manifest), visible(l.ErrorsManifest))
	}
	for _, w := range found.Warnings {
		s.printf("%-11s  %s\n", "warning", visible(w))
	}
	return nil
}

// printJSON prints everything, if JSON was asked for.
func (found *checked) printJSON(c configFlags, s stdio) error {
	if !c.json {
		return nil
	}
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(found); err != nil {
		return fmt.Errorf("printing what was found: %w", err)
	}
	return nil
}

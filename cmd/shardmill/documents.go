package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
	"github.com/shardmill/shardmill/processors/prefix"
)

// metricsOf is what Firehose calls the destination of documents in the names of metrics; ""
// if records go into objects.
func metricsOf(cfg config.Config) metrics.Destination {
	if cfg.Documents == nil {
		return ""
	}
	switch cfg.Documents.Cluster.Service {
	case esarchive.Elasticsearch:
		return metrics.ToElasticsearch
	case esarchive.Serverless:
		return metrics.ToServerless
	default:
		return metrics.ToOpenSearchService
	}
}

// addIndex adds what documents go to, if that is where records go.
func addIndex(ctx context.Context, c archiver.Clients, cfg config.Config, o *archiver.Options, log *zap.Logger) error {
	if cfg.Documents == nil {
		return nil
	}
	domain, err := archiver.ResolveDomain(ctx, c.Config, cfg.Documents)
	if err != nil {
		return err
	}
	index, err := archiver.NewIndex(c.Config, cfg.Documents, domain, log)
	if err != nil {
		return usageError{err}
	}
	o.Delivery.Index = index
	log.Info("documents go to a cluster", zap.String("destination", cfg.Documents.Destination()), zap.Strings("endpoints", endpointsOf(cfg, domain.Endpoint)),
		zap.String("index", index.IndexName(time.Now())))
	return nil
}

// endpointsOf are the URLs of the cluster; resolved is that of a domain.
func endpointsOf(cfg config.Config, resolved string) []string {
	if resolved != "" {
		return []string{resolved}
	}
	return cfg.Documents.Cluster.Endpoints
}

// exampleIndex is the name of the index of documents whose records arrived at a time.
type exampleIndex struct {
	At    time.Time `json:"at"`
	Index string    `json:"index"`
}

// exampleIndices returns the names that indices have at these times; none if records go
// into objects.
func exampleIndices(cfg config.Config, at []time.Time) ([]exampleIndex, error) {
	if cfg.Documents == nil {
		return nil, nil
	}
	x, err := archiver.TrialIndex(cfg.Documents, zap.NewNop())
	if err != nil {
		return nil, err
	}
	var names []exampleIndex
	for _, each := range at {
		names = append(names, exampleIndex{each, x.IndexName(each)})
	}
	return names, nil
}

// documentKeys returns the keys of the objects of a stream of documents: of those of
// all documents, if there are any, and of those that failed.
func documentKeys(cfg config.Config, at []time.Time) (keys []exampleKey, err error) {
	d := cfg.Delivery
	if b := d.Backup; b != nil {
		d.Compression, d.Backup = b.Compression, nil
		if keys, err = exampleKeys(d, at); err != nil {
			return nil, err
		}
	}
	x, err := archiver.TrialIndex(cfg.Documents, zap.NewNop())
	if err != nil {
		return nil, err
	}
	for _, each := range at {
		before, err := errorPrefix(d, x.FailedType(), each)
		if err != nil {
			return nil, err
		}
		name, err := nameOf(d, each)
		if err != nil {
			return nil, err
		}
		keys = append(keys, exampleKey{each, before + name})
	}
	return keys, nil
}

// errorPrefix returns what stands before the name of an object of documents that failed.
func errorPrefix(d processors.Config, kind string, at time.Time) (string, error) {
	objects, err := prefix.Parse(d.Prefix, prefix.Objects)
	if err != nil {
		return "", err
	}
	failed, err := objects.ForErrors(d.ErrorOutputPrefix)
	if err != nil {
		return "", err
	}
	return failed.Evaluate(prefix.Values{At: at.UTC(), Random: rand.Uint64, ErrorOutputType: kind})
}

// nameOf returns the name of an object without compression and extension.
func nameOf(d processors.Config, at time.Time) (string, error) {
	d = processors.Config{DeliveryStreamName: d.DeliveryStreamName, Version: d.Version, Bucket: d.Bucket}
	key, err := d.ExampleKey(at)
	return key[strings.LastIndexByte(key, '/')+1:], err
}

// lookAtCluster looks at what documents go to.
func lookAtCluster(ctx context.Context, c archiver.Clients, cfg config.Config, log *zap.Logger, tell func(check.Look)) {
	d := cfg.Documents
	domain, err := archiver.ResolveDomain(ctx, c.Config, d)
	if ctx.Err() != nil {
		return
	}
	if d.DomainARN != "" {
		l := check.Look{What: domainLook(d), Status: check.OK, Text: "its endpoint is " + domain.Endpoint + "; es:DescribeDomain is permitted"}
		if err != nil {
			l.Status, l.Text = check.Wrong, err.Error()
		}
		tell(l)
	}
	if err != nil {
		tell(check.Look{What: "cluster", Status: check.NotChecked, Text: "its endpoint is not known"})
		return
	}
	x, err := archiver.NewIndex(c.Config, d, domain, log)
	if err != nil {
		tell(check.Look{What: "cluster", Status: check.Wrong, Text: err.Error()})
		return
	}
	inFile := strings.NewReplacer("set Engine", "set shardmill.engine", "set RootCAs", "set shardmill.caFile") // as the file has these
	for _, l := range x.Looks(ctx) {
		if ctx.Err() == nil {
			tell(check.Look{What: l.What, Status: check.Status(l.Status), Text: inFile.Replace(l.Text)})
		}
	}
}

func domainLook(d *config.Documents) string { return "domain " + d.DomainARN }

// putByDelivery returns what is delivered into buckets: of documents without a backup what
// failed alone, under its own prefix.
func putByDelivery(cfg config.Config) processors.Config {
	d := cfg.Delivery
	if cfg.Documents != nil && d.Backup == nil {
		d.Prefix = cmp.Or(d.ErrorOutputPrefix, d.Prefix)
	}
	return d
}

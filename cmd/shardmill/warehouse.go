package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
)

// newLoading returns what calls a function and loads meanwhile, if anything is loaded.
func newLoading(c archiver.Clients, cfg config.Config, o archiver.Options, log *zap.Logger) (func(context.Context, func() error) error, error) {
	w := cfg.Warehouse
	if w == nil {
		return func(_ context.Context, run func() error) error { return run() }, nil
	}
	l, err := archiver.NewLoading(c, w, o)
	if err != nil {
		return nil, usageError{err}
	}
	log.Info("what is staged is loaded by one of the workers", zap.String("database", w.Where()), zap.String("table", w.Load.DataTableName), zap.String("login", string(w.Login.Kind)),
		zap.String("copy_credentials", string(w.CopyCredentials)), zap.String("ledger", w.Load.Ledger), zap.String("commit_on", string(cfg.Delivery.Load.CommitOn)), zap.String("loader_table", w.Table.Name))
	return l.While, nil
}

// lookAtWarehouse looks at what a loader would use.
func lookAtWarehouse(ctx context.Context, c archiver.Clients, cfg config.Config, o archiver.Options, tell func(check.Look)) {
	l, err := archiver.NewLoading(c, cfg.Warehouse, o)
	if err != nil {
		tell(check.Look{What: "database", Status: check.Wrong, Text: err.Error()})
		return
	}
	for _, look := range l.Looks(ctx) {
		if ctx.Err() == nil {
			tell(check.Look{What: look.What, Status: check.Status(look.Status), Text: look.Text})
		}
	}
}

// loaderTable is the table of the lease of who loads; "" if nothing is loaded.
func loaderTable(cfg config.Config) string {
	if cfg.Warehouse == nil {
		return ""
	}
	return cfg.Warehouse.Table.Name
}

// exampleLoad is what is done with what is staged, at a time.
type exampleLoad struct {
	At             time.Time `json:"at"`
	Statement      string    `json:"statement"` // without secrets
	Manifest       string    `json:"manifest"`
	ErrorsManifest string    `json:"errorsManifest"` // of a batch that is given up
}

// exampleLoads returns what is done with what is staged at these times; none if nothing is
// loaded.
func exampleLoads(cfg config.Config, at []time.Time) (all []exampleLoad, err error) {
	if cfg.Warehouse == nil {
		return nil, nil
	}
	c := archiver.LoaderConfig(aws.Config{Credentials: aws.AnonymousCredentials{}}, cfg.Warehouse, archiver.Options{Delivery: cfg.Delivery})
	for _, each := range at {
		x, err := c.Example(each)
		if err != nil {
			return nil, err
		}
		all = append(all, exampleLoad{each, x.Statement.String(), x.Manifest, x.ErrorsManifest})
	}
	return all, nil
}

package archiver

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/dataapi"
	"github.com/shardmill/shardmill/processors/redshiftarchive/login"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// Loading loads what the archivers of a delivery stream stage, while this worker has the
// job: one of those that stand ready has.
type Loading struct {
	role   *elected.Role
	loader *redshiftarchive.Loader
}

// NewLoading returns what loads, as w says, what an archiver with these Options stages. It
// reads the file of certificates, and does no other I/O; that with a password is read for
// each login, so that it may change. The error joins all that is wrong.
func NewLoading(c Clients, w *config.Warehouse, o Options) (*Loading, error) {
	log := o.Worker.Logger
	database, err1 := newDatabase(c.Config, w, log)
	store, err2 := s3archive.New(c.S3, s3archive.Options{Logger: log})
	table, err3 := leasedynamo.New(c.DynamoDB, leasedynamo.Options{
		TableName: w.Table.Name, ReadCapacity: w.Table.ReadCapacity, WriteCapacity: w.Table.WriteCapacity, Logger: log,
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	cfg := LoaderConfig(c.Config, w, o)
	job := elected.Config{Table: table, Job: LoaderJob(o.Worker.ApplicationName, o.Delivery.DeliveryStreamName), WorkerID: o.Worker.WorkerID, FailoverTime: o.Worker.FailoverTime, Logger: log}
	if o.Health != nil {
		cfg.Hooks, job.OnChange = o.Health.LoaderHooks(), o.Health.LoaderChanged
	}
	loader, err1 := redshiftarchive.New(cfg, store, database)
	role, err2 := elected.New(job)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if o.Health != nil {
		o.Health.WatchRole(role.Status)
	}
	return &Loading{role, loader}, nil
}

// LoaderJob is the key of the lease of who loads what an application stages for a delivery stream. Many may
// share one table.
func LoaderJob(application, deliveryStream string) string { return application + "/" + deliveryStream }

// Looks looks at what it would use, and changes nothing.
func (l *Loading) Looks(ctx context.Context) []redshiftarchive.Look { return l.loader.Looks(ctx) }

// While calls run, stands ready to load until it returns, and returns what run does, once what is
// being loaded has ended too: within seconds of the end of run. The end of ctx is for run to heed:
// a worker that ends stages what it has, which is loaded meanwhile, and may wait for that.
func (l *Loading) While(ctx context.Context, run func() error) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loading sync.WaitGroup
	loading.Go(func() {
		l.role.Run(ctx, func(ctx context.Context, t *elected.Term) error { return l.loader.Run(ctx, t.CheckTrust) })
	})
	defer loading.Wait()
	defer stop()
	return run()
}

// LoaderConfig is what a loader does, but for its hooks.
func LoaderConfig(cfg aws.Config, w *config.Warehouse, o Options) redshiftarchive.Config {
	c := w.Load
	c.Staging, c.Logger = o.Delivery, o.Worker.Logger
	c.Application, c.Stream = o.Worker.ApplicationName, cmp.Or(o.Worker.StreamARN, o.Worker.StreamName)
	c.Access = redshiftarchive.RoleAccess{ARN: w.RoleARN}
	if w.CopyCredentials == config.CopyBySession {
		c.Access = redshiftarchive.SessionAccess{Provider: cfg.Credentials}
	}
	return c
}

// CheckWarehouse returns what is wrong with a destination that only a loader's parts know.
// It does no I/O.
func CheckWarehouse(w *config.Warehouse, o Options) error {
	trial := *w
	trial.CAFile = "" // whether it is there is another matter
	cfg := aws.Config{Region: "us-east-1", Credentials: aws.AnonymousCredentials{}}
	_, err := newDatabase(cfg, &trial, zap.NewNop())
	return errors.Join(err, LoaderConfig(cfg, w, o).Check())
}

// newDatabase returns what a loader loads into.
func newDatabase(cfg aws.Config, w *config.Warehouse, log *zap.Logger) (redshiftarchive.Database, error) {
	regional := cfg.Copy()
	regional.Region = cmp.Or(w.Login.Region, cfg.Region)
	if w.Login.Kind == config.LoginDataAPI {
		return dataapi.New(dataapi.Config{
			AWS: regional, ClusterIdentifier: w.Login.ClusterIdentifier, WorkgroupName: w.Login.Workgroup,
			Database: w.URL.Database, DbUser: w.Login.DbUser, SecretARN: w.Login.SecretARN,
		})
	}
	who, err1 := newLogin(regional, w, log)
	authorities, err2 := readAuthorities(w.CAFile)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return pgwire.New(pgwire.Config{URL: w.URL.Text, ClusterEndpoint: w.ClusterEndpoint, Login: who, RootCAs: authorities})
}

// newLogin returns who logs in. cfg has the region of the cluster.
func newLogin(cfg aws.Config, w *config.Warehouse, log *zap.Logger) (pgwire.Login, error) {
	in := w.Login
	switch {
	case in.Kind == config.LoginPassword:
		return login.Password{Read: func(context.Context) (user, password string, err error) {
			password, err = reveal(in.Password)
			return in.Username, password, err
		}}, nil
	case in.Kind == config.LoginSecret:
		return login.NewSecret(cfg, in.SecretARN, log)
	case in.Workgroup != "":
		return login.NewForWorkgroup(cfg, in.Workgroup, w.URL.Database, log)
	case in.DbUser != "":
		return login.NewForUser(cfg, login.ForUser{ClusterIdentifier: in.ClusterIdentifier, Database: w.URL.Database, DbUser: in.DbUser}, log)
	default:
		return login.NewForCluster(cfg, in.ClusterIdentifier, w.URL.Database, log)
	}
}

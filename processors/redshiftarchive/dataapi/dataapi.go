package dataapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/ledger"
)

// Config says which database it is, and who logs in.
type Config struct {
	// AWS is what a client of the SDK takes: Region, Credentials, HTTPClient, and an
	// endpoint of one's own as BaseEndpoint. Retryer does not count.
	AWS aws.Config

	// ClusterIdentifier or WorkgroupName is where the database is; one of them is required.
	ClusterIdentifier, WorkgroupName string

	Database string // required

	// DbUser or SecretARN is who logs in: a user of the cluster, which needs
	// redshift:GetClusterCredentials, or the secret that has its name and password, which the service
	// reads. Neither is the caller's identity of IAM. A workgroup has no DbUser.
	DbUser, SecretARN string
}

// Database is a database behind the Data API. One goroutine at a time calls it.
type Database struct {
	cfg    Config
	client *redshiftdata.Client

	pending *pending // of the last try with a ledger; nil if its end is known
}

// New checks a Config. It does no I/O. The error names all that is wrong.
func New(c Config) (*Database, error) {
	var faults []error
	fault := func(is bool, text string) {
		if is {
			faults = append(faults, errors.New(text))
		}
	}
	fault(c.ClusterIdentifier == "" && c.WorkgroupName == "", "ClusterIdentifier and WorkgroupName are missing; set one of them")
	fault(c.ClusterIdentifier != "" && c.WorkgroupName != "", fmt.Sprintf("ClusterIdentifier is %q and WorkgroupName %q; set one of them", c.ClusterIdentifier, c.WorkgroupName))
	fault(c.Database == "", "Database is missing")
	fault(c.DbUser != "" && c.SecretARN != "", fmt.Sprintf("DbUser is %q and SecretARN %q; set one of them", c.DbUser, c.SecretARN))
	fault(c.DbUser != "" && c.WorkgroupName != "", fmt.Sprintf("DbUser is %q; a workgroup has none: set SecretARN, or nothing for the caller's identity of IAM", c.DbUser))
	fault(c.AWS.Region == "", "the region is missing: set AWS_REGION")
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Database{cfg: c, client: redshiftdata.NewFromConfig(c.AWS, func(o *redshiftdata.Options) {
		o.Retryer = aws.NopRetryer{} // repeating is up to call
		o.HTTPClient = deadline.Client(o.HTTPClient, 0)
	})}, nil
}

// Load implements redshiftarchive.Database.
func (d *Database) Load(ctx context.Context, t redshiftarchive.Try) error {
	secrets := judge.OfStatement(t.Copy)
	sqls, l, err := statements(t)
	if err != nil {
		return &redshiftarchive.Fault{Code: "Redshift.InvalidMessageFormat", Message: secrets.Redact(err.Error()), Undone: true}
	}
	if fault := d.endPending(ctx, t); fault != nil {
		return fault
	}
	doing := "COPY"
	if t.Ledger != nil {
		doing = wholeBatch
	}
	outcome, fault := d.execute(ctx, doing, sqls, t.Token, t.Tell, secrets)
	if fault != nil {
		if t.Ledger != nil && !fault.Undone {
			d.pending = &pending{outcome.id, sqls, t.Token, secrets, time.Now()}
		}
		return fault
	}
	failed, fault := outcome.fault(doing, parts(l), secrets)
	if fault == nil {
		return nil
	}
	at := placeOf(parts(l), failed)
	fault.NotInLedger = at == copying || at == inserting
	fault.NoLock = at == locking && fault.Code == "Redshift.QueryCancelled" || t.Ledger != nil && outcome.isBeforeLock()
	switch {
	case t.Ledger != nil && (at == guarding || failed == notTold) && isDivision(outcome.text(failed)):
		return d.known(ctx, t, l, secrets)
	case fault.Code == "Redshift.DataLoadFailed":
		d.explain(ctx, t, fault, outcome.query(failed), secrets)
	}
	return fault
}

// wholeBatch is what a try with a ledger is.
const wholeBatch = "the batch of LOCK, SELECT, COPY and INSERT"

// What statements of a batch do.
const (
	locking   = "LOCK of the ledger"
	guarding  = "SELECT from the ledger"
	copying   = "COPY"
	inserting = "INSERT into the ledger"
)

// notTold is the place of a statement that nobody told.
const notTold = -1

// parts returns what each statement of a batch does; none without a ledger.
func parts(l ledger.Statements) []string {
	if l.Lock == "" {
		return nil
	}
	return slices.Concat([]string{locking}, slices.Repeat([]string{guarding}, len(l.Guard)), []string{copying}, slices.Repeat([]string{inserting}, len(l.Insert)))
}

// placeOf returns what the statement at a place does; "" if there is none.
func placeOf(parts []string, place int) string {
	if place < 0 || place >= len(parts) {
		return ""
	}
	return parts[place]
}

// statements returns those of a try, and those of its ledger.
func statements(t redshiftarchive.Try) ([]string, ledger.Statements, error) {
	sqls := []string{t.Copy.SQL()}
	var l ledger.Statements
	if t.Ledger != nil {
		var err error
		if l, err = ledger.For(*t.Ledger); err != nil {
			return nil, l, fmt.Errorf("ledger: %w", err)
		}
		sqls = slices.Concat([]string{l.Lock}, l.Guard, sqls, l.Insert)
	}
	if len(sqls) > mostStatements {
		return nil, l, fmt.Errorf("%d statements; the Data API takes %d in a batch: load fewer objects at once", len(sqls), mostStatements)
	}
	for _, sql := range sqls {
		if len(sql) > mostBytes {
			return nil, l, fmt.Errorf("a statement has %d bytes; the Data API takes %d: load fewer objects at once, or shorten CopyOptions", len(sql), mostBytes)
		}
	}
	return sqls, l, nil
}

// Limits of the Data API. Source: its quotas, and BatchExecuteStatement.
const (
	mostBytes      = 100_000
	mostStatements = 40
	mostToken      = 64
)

var _ redshiftarchive.Database = (*Database)(nil)

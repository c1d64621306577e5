package redshiftarchive

import (
	"cmp"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/prefix"
)

const (
	maxTable   = 512    // characters, Firehose's
	maxColumns = 10_240 // characters, Firehose's
	maxOptions = 10_240 // characters, Firehose's

	maxRetry     = 7200 * time.Second // Firehose's
	defaultRetry = 3600 * time.Second

	defaultCopyTimeout = 4 * time.Hour
	minCopyTimeout     = time.Minute
)

// settings is a Config that is complete and valid.
type settings struct {
	Config

	retry   time.Duration
	table   string   // as SQL takes it
	columns []string // as SQL takes them
	ledger  string   // as SQL takes it
	options options

	markerBucket, markerPrefix string
}

// WithDefaults returns c with the defaults of what is not set. It checks nothing; New
// does both.
func (c Config) WithDefaults() Config {
	c.Staging.Load = cmp.Or(c.Staging.Load, &processors.Load{}) // its default of Staging depends on it
	c.Staging = c.Staging.WithDefaults()
	if c.RetryDuration == nil {
		d := defaultRetry
		c.RetryDuration = &d
	}
	c.CopyTimeout = cmp.Or(c.CopyTimeout, defaultCopyTimeout)
	c.Logger = cmp.Or(c.Logger, zap.NewNop())
	return c
}

// settle fills in defaults and reports everything that is wrong.
func (c Config) settle() (*settings, error) {
	c = c.WithDefaults()
	s := &settings{Config: c, retry: *c.RetryDuration}
	s.markerBucket, s.markerPrefix = c.Staging.Markers()
	return s, errors.Join(c.checkStaging(), s.nameTables(), s.readOptions(), c.checkLimits(), checkAccess(c.Access))
}

// wrong says which field has a value that cannot be used, and what can.
func wrong(field string, value any, remedy string) error {
	return fmt.Errorf("%s %#v: %s", field, value, remedy)
}

// checkStaging checks what the loader needs of the archiver's Config, which is checked as
// a whole where the archiver is made.
func (c Config) checkStaging() error {
	var errs []error
	if c.Staging.DeliveryStreamName == "" {
		errs = append(errs, wrong("Staging.DeliveryStreamName", "", "must be that of the archiver"))
	}
	if c.Staging.Bucket == "" {
		errs = append(errs, wrong("Staging.Bucket", "", "must be that of the archiver"))
	} else if _, _, err := processors.ParseStaging(c.Staging.Staging); err != nil && c.Staging.Staging != "" {
		errs = append(errs, wrong("Staging.Staging", c.Staging.Staging, err.Error()))
	}
	if c.Ledger != "" && c.Staging.Delivery == processors.AtLeastOnce {
		errs = append(errs, wrong("Ledger", c.Ledger, "with at-least-once delivery a record may be staged in two objects, each of which would be loaded; remove one of them"))
	}
	key := c.Staging.Prefix + "x"
	switch _, err := literal(key); {
	case prefix.CheckKey(key) != nil:
		errs = append(errs, wrong("Staging.Prefix", c.Staging.Prefix, prefix.CheckKey(key).Error()))
	case err != nil:
		errs = append(errs, wrong("Staging.Prefix", c.Staging.Prefix, "must have no backslash: the URL of a manifest is a literal of SQL, where one is read in two ways"))
	}
	return errors.Join(errs...)
}

// nameTables reads the names of the tables and columns.
func (s *settings) nameTables() error {
	var errs []error
	check := func(field, text string, fewest, most int, err error) {
		switch n := utf8.RuneCountInString(text); {
		case n < fewest || n > most:
			errs = append(errs, wrong(field, shortened(text), fmt.Sprintf("must have %d-%d characters; it has %d", fewest, most, n)))
		case err != nil:
			errs = append(errs, wrong(field, text, err.Error()))
		}
	}
	var err error
	s.table, err = quoteTable(s.DataTableName)
	check("DataTableName", s.DataTableName, 1, maxTable, err)
	s.columns, err = quoteColumns(s.DataTableColumns)
	check("DataTableColumns", s.DataTableColumns, 0, maxColumns, err)
	if s.Ledger != "" {
		s.ledger, err = quoteTable(s.Ledger)
		check("Ledger", s.Ledger, 1, maxTable, err)
		if err == nil && s.table != "" && mayBeSame(s.ledger, s.table) {
			errs = append(errs, wrong("Ledger", s.Ledger, "must be another table than DataTableName, which is "+s.table+"; if they are of two schemas, name both"))
		}
	}
	return errors.Join(errs...)
}

// shortened returns a text of which an error shows the beginning.
func shortened(text string) string {
	const shown = 60
	if r := []rune(text); len(r) > shown {
		return string(r[:shown]) + "…"
	}
	return text
}

// readOptions reads CopyOptions. An error does not show them: they may have a key.
func (s *settings) readOptions() error {
	if n := utf8.RuneCountInString(s.CopyOptions); n > maxOptions {
		return fmt.Errorf("CopyOptions must have at most %d characters; it has %d", maxOptions, n)
	}
	var err error
	if s.options, err = parseOptions(s.CopyOptions); err != nil {
		return fmt.Errorf("CopyOptions %w", err)
	}
	return errors.Join(append(s.options.check(), s.options.checkCompression(s.Staging.Compression))...)
}

func (c Config) checkLimits() error {
	var errs []error
	if d := *c.RetryDuration; d < 0 || d > maxRetry || d%time.Second != 0 {
		errs = append(errs, wrong("RetryDuration", d.String(), "must be 0-7200 s, in whole seconds"))
	}
	if d := c.CopyTimeout; d < minCopyTimeout {
		errs = append(errs, wrong("CopyTimeout", d.String(), "must be at least "+minCopyTimeout.String()))
	}
	return errors.Join(errs...)
}

// tables are what the database is asked about.
func (s *settings) tables() Tables {
	return Tables{Table: s.table, Columns: s.columns, Ledger: s.ledger}
}

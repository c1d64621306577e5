package config

import (
	"cmp"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/kcl"
)

// Config is what a configuration file says, with defaults filled in. A Config
// that Load returned without an error is complete and valid by itself; whether
// streams, buckets and directories exist is not looked at.
type Config struct {
	DeliveryStreamName    string // 1-64 characters of a-z A-Z 0-9 _ . -
	DeliveryStreamVersion int    // at least 1; default 1

	StreamARN  string // the Kinesis stream
	StreamName string // of StreamARN
	Region     string // of StreamARN

	Bucket            string // its name
	Prefix            string // literal; at most 512 bytes, no ".." between slashes; default ""
	SizeInMBs         int    // MiB before compression, 1-128; default 5
	IntervalInSeconds int    // 0-900; default 300
	CompressionFormat string // GZIP or UNCOMPRESSED; default UNCOMPRESSED

	ApplicationName  string    // also the name of the lease table; default DeliveryStreamName
	InitialPosition  string    // TRIM_HORIZON, LATEST or AT_TIMESTAMP; default TRIM_HORIZON
	InitialTimestamp time.Time // of AT_TIMESTAMP, in UTC; otherwise zero
	Delivery         string    // exactly-once or at-least-once; default exactly-once
	FormerBuckets    []string  // names of buckets in which prepared objects may be finished; default none

	FailoverTime      time.Duration // default 10s
	ScanInterval      time.Duration // default half of FailoverTime
	ShardSyncInterval time.Duration // default 60s
	MaxLeases         int           // 0, the default, is no limit
	MaxMemoryBytes    int64         // default 256 MiB
	SpoolDirectory    string        // "", the default, is the system's directory for temporary files

	HealthAddress string // IP:port of /healthz, /readyz and /metrics, "" if they are off; default DefaultHealthAddress
	HealthGiven   bool   // HealthAddress is what the file says, not the default

	// Warnings are for the user to read, in the order of the file and in the
	// form of faults. They change nothing.
	Warnings []string
}

// MaxBytes is how large a configuration may be. No more than one byte beyond it
// need be read to have Load refuse it.
const MaxBytes = document.MaxBytes

// DefaultHealthAddress is where health is served unless the file says
// otherwise: only this machine reaches it.
const DefaultHealthAddress = "127.0.0.1:9500"

// Load reads a configuration from data; name is the file's, for messages.
//
// The error joins (see [errors.Join]) one error for each fault, in the order of
// lines, and the Config is then the zero Config. Each says on one line what is
// where and what to do:
//
//	archiver.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 129; it must be between 1 and 128
//
// After a syntax error nothing else is looked at. Load does no I/O, its result
// depends on its arguments alone, and it is safe for concurrent use.
func Load(name string, data []byte) (Config, error) {
	root, ok := document.Read(name, data, "the input of Firehose's CreateDeliveryStream")
	l := &loader{}
	if ok {
		l.stream(root)
	}
	if err := root.Err(); err != nil {
		return Config{}, err
	}
	l.config.Warnings = root.Warnings()
	return l.config.withDefaults(), nil
}

// loader fills in a Config while the file is walked over.
type loader struct {
	config Config
	name   document.Place // of DeliveryStreamName
	target document.Place // the destination that came first

	applicationGiven bool // whether or not it is valid
}

func (c Config) withDefaults() Config {
	c.DeliveryStreamVersion = cmp.Or(c.DeliveryStreamVersion, 1)
	c.CompressionFormat = cmp.Or(c.CompressionFormat, "UNCOMPRESSED")
	c.ApplicationName = cmp.Or(c.ApplicationName, c.DeliveryStreamName)
	c.InitialPosition = cmp.Or(c.InitialPosition, "TRIM_HORIZON")
	c.Delivery = cmp.Or(c.Delivery, "exactly-once")
	c.FailoverTime = cmp.Or(c.FailoverTime, kcl.DefaultFailoverTime)
	c.ScanInterval = cmp.Or(c.ScanInterval, c.FailoverTime/2)
	c.ShardSyncInterval = cmp.Or(c.ShardSyncInterval, time.Minute)
	c.MaxMemoryBytes = cmp.Or(c.MaxMemoryBytes, 256<<20)
	if !c.HealthGiven {
		c.HealthAddress = DefaultHealthAddress
	}
	if c.SizeInMBs == 0 { // BufferingHints were not given
		c.SizeInMBs, c.IntervalInSeconds = 5, 300
	}
	return c
}

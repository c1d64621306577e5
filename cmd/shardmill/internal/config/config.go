package config

import (
	"cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
	"github.com/shardmill/shardmill/processors/prefix"
)

// Config is what a configuration file says, with defaults filled in. A Config
// that Load returned without an error is complete and valid by itself; whether
// streams, buckets and directories exist is not looked at.
type Config struct {
	// Worker has the names of the application and of the stream, the initial
	// position, the failover time, the intervals of scans and shard syncs, and the
	// limits of leases and memory.
	Worker kcl.Config

	// Delivery has everything but what the program sets: logger, hooks, how
	// puts are repeated, the Index, and the Transform that follows from ours.
	Delivery processors.Config

	// Transform says what changes the records; nil if nothing does.
	Transform *Transform

	Region    string // of Worker.StreamARN
	BucketARN string // of Delivery.Bucket

	BackupBucketARN string // of Delivery.Backup, if there is one

	// Documents says that records go to Elasticsearch or OpenSearch, as documents; nil if
	// they go into objects. Then the buckets are those of its S3Configuration.
	Documents *Documents

	// Warehouse says that what is delivered is loaded into Redshift; nil if it is not. Then
	// Delivery.Bucket is where it is staged.
	Warehouse *Warehouse

	HealthAddress string // IP:port of /healthz, /readyz and /metrics, "" if they are off; default DefaultHealthAddress
	HealthGiven   bool   // HealthAddress is what the file says, not the default

	EMF EMF

	// Warnings are for the user to read, in the order of the file and in the
	// form of faults. They change nothing.
	Warnings []string
}

// EMF says where metrics are written in CloudWatch's embedded metric format.
type EMF struct {
	Namespace string // of the metrics; "" if none are written
	File      string // "" is standard output
}

// DefaultHealthAddress is where health is served unless the file says
// otherwise: only this machine reaches it.
const DefaultHealthAddress = "127.0.0.1:9500"

// Load reads a configuration from data; name is the file's, for messages. env
// returns the value of an environment variable, false if it is not set; nil has
// none.
//
// The error joins (see [errors.Join]) one error for each fault, in the order of
// lines, and the Config is then the zero Config. Each says on one line what is
// where and what to do:
//
//	archiver.yaml:7: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs is 129; it must be between 1 and 128
//
// After a syntax error nothing else is looked at. Load does no I/O, its result
// depends on its arguments alone, and it is safe for concurrent use.
func Load(name string, data []byte, env document.Env) (Config, error) {
	return From(document.Read(name, data, Must, env, Secrets()...))
}

// Must is what a file has to hold, for one that is empty.
const Must = "the input of Firehose's CreateDeliveryStream"

// Secrets are the paths of the members that are secret: they show nowhere.
func Secrets() []string {
	return []string{"shardmill.password", "shardmill.apiKey", redshiftDestination + ".Password"}
}

// From is Load for a document that was read already, in whatever form: root is
// the input of CreateDeliveryStream. ok is false if there is none, and the root's
// report then says why.
func From(root document.Place, ok bool) (Config, error) {
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
	backed backup

	objects     prefix.Prefix
	prefixAt    document.Place // where objects is given; the zero Place if nowhere, or wrong
	prefixWrong bool           // one is given that cannot be used
	errorsAt    document.Place // where an ErrorOutputPrefix is given that can be used; the zero Place if nowhere
	errorsWrong bool           // one is given that cannot be

	documents    documents
	warehouse    warehouse
	commitOn     processors.CommitOn // "" if the file does not say
	partitioning partitioning
	lambdaAt     document.Place // the type of the processor Lambda; the zero Place if there is none
	ourTransform document.Place // the zero Place if there is none

	emfGiven bool           // a namespace, whether or not it is valid
	emfAt    document.Place // where the file of metrics is given; the zero Place if nowhere

	applicationGiven bool // whether or not it is valid

	size, interval document.Place            // of BufferingHints; the zero Place if nowhere
	ourHints       processors.BufferingHints // instead of all BufferingHints; zero if the file has none

	ourFormat processors.Compression // instead of CompressionFormat; "" if the file has none
	gzipLevel document.Place         // whose Path is "" if the file has none

	ourFormatAt, errorLinesAt, ourSize document.Place // zero Places if nowhere
}

func (c Config) withDefaults() Config {
	c.Worker.ApplicationName = cmp.Or(c.Worker.ApplicationName, c.Delivery.DeliveryStreamName)
	if c.Documents != nil { // for what follows from that there is one
		c.Delivery.Index = new(esarchive.Index)
	}
	c.Worker, c.Delivery = c.Worker.WithDefaults(), c.Delivery.WithDefaults()
	c.Delivery.Index = nil
	if !c.HealthGiven {
		c.HealthAddress = DefaultHealthAddress
	}
	return c
}

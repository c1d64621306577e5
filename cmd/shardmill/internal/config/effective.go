package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/container"
)

// Effective is a configuration in the shape of its file, with every value that
// applies, those of defaults and of environment variables too. As in a file, a ${
// in a value is written $${. A member of the file that does nothing is not in it.
type Effective struct {
	DeliveryStreamName                 string
	KinesisStreamSourceConfiguration   effectiveSource
	ExtendedS3DestinationConfiguration *effectiveS3 `json:",omitempty"` // nil with another destination

	// One of them at most.
	ElasticsearchDestinationConfiguration              *effectiveDocuments `json:",omitempty"`
	AmazonopensearchserviceDestinationConfiguration    *effectiveDocuments `json:",omitempty"`
	AmazonOpenSearchServerlessDestinationConfiguration *effectiveDocuments `json:",omitempty"`

	RedshiftDestinationConfiguration *effectiveWarehouse `json:",omitempty"`

	Shardmill effectiveOurs `json:"shardmill"`
}

type effectiveSource struct{ KinesisStreamARN string }

type effectiveS3 struct {
	BucketARN               string
	Prefix                  string
	ErrorOutputPrefix       string // "": what follows from Prefix
	CustomTimeZone          string
	FileExtension           string          // "": that of CompressionFormat
	BufferingHints          *effectiveHints `json:",omitempty"` // nil if they are ours
	CompressionFormat       string          `json:",omitempty"` // "" if it is ours
	EncryptionConfiguration effectiveEncryption
	ProcessingConfiguration effectiveProcessing
	S3BackupMode            string           `json:",omitempty"`
	S3BackupConfiguration   *effectiveBackup `json:",omitempty"`

	DynamicPartitioningConfiguration *effectivePartitioning `json:",omitempty"` // nil if it is off
}

type effectiveBackup struct {
	BucketARN         string
	Prefix            string
	ErrorOutputPrefix string
	BufferingHints    *effectiveHints `json:",omitempty"` // nil if they are ours
	CompressionFormat string          `json:",omitempty"` // "" if it has no effect

	EncryptionConfiguration effectiveEncryption
}

// effectiveEncryption has one member.
type effectiveEncryption struct {
	NoEncryptionConfig  string        `json:",omitempty"`
	KMSEncryptionConfig *effectiveKMS `json:",omitempty"`
}

type effectiveKMS struct{ AWSKMSKeyARN string }

func encryptionOf(key string) effectiveEncryption {
	if key == "" {
		return effectiveEncryption{NoEncryptionConfig: "NoEncryption"}
	}
	return effectiveEncryption{KMSEncryptionConfig: &effectiveKMS{document.Literally(key)}}
}

type effectiveHints struct{ SizeInMBs, IntervalInSeconds int }

type effectiveOurs struct {
	ApplicationName          string          `json:"applicationName"`
	InitialPosition          string          `json:"initialPosition"`
	Delivery                 string          `json:"delivery"`
	BufferingHints           *effectiveHints `json:"bufferingHints,omitempty"`    // nil if they are Firehose's
	CompressionFormat        string          `json:"compressionFormat,omitempty"` // "" if it is Firehose's
	GZIPLevel                int             `json:"gzipLevel,omitempty"`         // 0 if it is not GZIP
	FormerBuckets            []string        `json:"formerBuckets"`
	DeliveryStreamVersion    int             `json:"deliveryStreamVersion"`
	FailoverTimeSeconds      float64         `json:"failoverTimeSeconds"`
	ScanIntervalSeconds      float64         `json:"scanIntervalSeconds"`
	ShardSyncIntervalSeconds float64         `json:"shardSyncIntervalSeconds"`
	MaxLeases                *int            `json:"maxLeases"` // nil: no limit
	MaxMemoryMBs             int64           `json:"maxMemoryMBs"`
	SpoolDirectory           string          `json:"spoolDirectory"`
	Staging                  string          `json:"staging,omitempty"`
	ErrorLines               string          `json:"errorLines,omitempty"`

	Transform         *effectiveTransform `json:"transform,omitempty"`        // nil if there is none, or it is Firehose's
	ActivePartitions  int                 `json:"activePartitions,omitempty"` // 0: 500, divided by the number of open shards
	PartitionOverflow string              `json:"partitionOverflow,omitempty"`
	EventTime         *effectiveEventTime `json:"eventTime,omitempty"`

	effectiveDocumentKeys
	effectiveWarehouseKeys

	HealthAddress string `json:"healthAddress"`
	EMFNamespace  string `json:"emfNamespace,omitempty"`
	EMFFile       string `json:"emfFile,omitempty"` // "": standard output
}

// Effective returns c in the shape of its file. It asks the system which directory
// is for temporary files, if c does not say.
func (c Config) Effective() Effective {
	w, d := c.Worker, c.Delivery
	e := Effective{
		DeliveryStreamName:               d.DeliveryStreamName,
		KinesisStreamSourceConfiguration: effectiveSource{w.StreamARN},
		Shardmill: effectiveOurs{
			ApplicationName:          w.ApplicationName,
			InitialPosition:          strings.TrimPrefix(w.InitialPosition.String(), checkpoint.AtTimestamp+" "),
			Delivery:                 string(d.Delivery),
			BufferingHints:           hintsOf(d.Hints, true),
			GZIPLevel:                d.GZIPLevel,
			FormerBuckets:            append([]string{}, d.FormerBuckets...),
			DeliveryStreamVersion:    d.Version,
			FailoverTimeSeconds:      w.FailoverTime.Seconds(),
			ScanIntervalSeconds:      w.ScanInterval.Seconds(),
			ShardSyncIntervalSeconds: w.ShardSyncInterval.Seconds(),
			MaxMemoryMBs:             w.MaxBytes >> 20,
			SpoolDirectory:           document.Literally(cmp.Or(d.SpoolDir, os.TempDir())),
			Staging:                  document.Literally(d.Staging),
			HealthAddress:            cmp.Or(c.HealthAddress, "off"),
			EMFNamespace:             c.EMF.Namespace,
			EMFFile:                  document.Literally(c.EMF.File),
		},
	}
	if d.OlderErrorLines {
		e.Shardmill.ErrorLines = "older"
	}
	c.ourStages(&e)
	switch {
	case c.Documents != nil:
		c.documents(&e)
	case c.Warehouse != nil:
		c.warehouse(&e)
	default:
		c.objects(&e)
	}
	if w.MaxLeases > 0 {
		e.Shardmill.MaxLeases = &w.MaxLeases
	}
	return e
}

// objects puts a destination of objects into e.
func (c Config) objects(e *Effective) {
	d := c.Delivery
	shape := &effectiveS3{
		BucketARN:         c.BucketARN,
		Prefix:            document.Literally(d.Prefix),
		ErrorOutputPrefix: document.Literally(d.ErrorOutputPrefix),
		CustomTimeZone:    d.CustomTimeZone,
		FileExtension:     d.FileExtension,
		BufferingHints:    hintsOf(d.Hints, false),

		EncryptionConfiguration: encryptionOf(d.AWSKMSKeyARN),
		ProcessingConfiguration: c.processing(),
	}
	e.ExtendedS3DestinationConfiguration = shape
	c.partitions(e)
	shape.S3BackupMode, shape.S3BackupConfiguration = c.backedUp()
	if f, err := container.Named(string(d.Compression)); err == nil && f.Ours {
		e.Shardmill.CompressionFormat = f.Name
	} else {
		shape.CompressionFormat = string(d.Compression)
	}
}

// backedUp returns the backup of records as they came, if there is one.
func (c Config) backedUp() (mode string, to *effectiveBackup) {
	b := c.Delivery.Backup
	if b == nil {
		return "", nil
	}
	return "Enabled", &effectiveBackup{
		BucketARN: c.BackupBucketARN, Prefix: document.Literally(b.Prefix), ErrorOutputPrefix: document.Literally(b.ErrorOutputPrefix),
		BufferingHints: hintsOf(b.Hints, false), CompressionFormat: string(b.Compression),
		EncryptionConfiguration: encryptionOf(b.AWSKMSKeyARN),
	}
}

// hintsOf returns hints if they are ours, or if they are Firehose's, as asked; else nil.
func hintsOf(h processors.BufferingHints, ours bool) *effectiveHints {
	if h.BeyondFirehose != ours {
		return nil
	}
	return &effectiveHints{h.SizeInMBs, h.IntervalInSeconds}
}

// YAML returns it as a file that may be used as a configuration. What no file can
// say is said in a comment.
func (e Effective) YAML() (string, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("the effective configuration: %w", err)
	}
	var ordered any
	if err := yaml.UnmarshalWithOptions(data, &ordered, yaml.UseOrderedMap()); err != nil {
		return "", fmt.Errorf("the effective configuration: %w", err)
	}
	text, err := yaml.MarshalWithOptions(ordered, yaml.CustomMarshaler(asText))
	if err != nil {
		return "", fmt.Errorf("the effective configuration: %w", err)
	}
	return strings.NewReplacer("\n  maxLeases: null\n", "\n  # maxLeases: no limit\n", "\n  password: null\n", "\n  # password: not shown\n",
		"\n  apiKey: null\n", "\n  # apiKey: not shown\n", "\n  Password: null\n", "\n  # Password: not shown\n").Replace(string(text)), nil
}

// asText writes a text that stays one, and can be seen: the package yaml leaves
// numbers such as 1e10 and .nan without quotes, and marks of direction as they are.
func asText(s string) ([]byte, error) {
	_, err := strconv.ParseFloat(strings.Replace(s, ".", "", 1), 64)
	unseen := func(c rune) bool { return !unicode.IsPrint(c) }
	if err == nil || errors.Is(err, strconv.ErrRange) || strings.ContainsFunc(s, unseen) {
		return []byte(strconv.Quote(s)), nil
	}
	text, err := yaml.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("the text %q: %w", s, err)
	}
	if !readsAs(text, s) { // what begins as the end of a document does is left without quotes, too
		return []byte(strconv.Quote(s)), nil
	}
	return text, nil
}

func readsAs(text []byte, s string) bool {
	var read any
	return yaml.Unmarshal(text, &read) == nil && read == s
}

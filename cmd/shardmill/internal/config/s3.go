package config

import (
	"fmt"
	"regexp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/container"
)

var (
	bucketARN  = regexp.MustCompile(`^arn:.*:s3:::([\w.\-]{1,255})$`)
	bucketName = regexp.MustCompile(`^[\w.\-]{1,255}$`)
)

const maxBucketARN = 2048 // characters

// s3 reads a destination of either shape.
func (l *loader) s3(p document.Place, s document.Shape) {
	l.onlyDestination(p)
	given, ok := p.Read(s)
	if ok {
		p.Need(given, "BucketARN", bucketRemedy)
		l.checkBackup()
		l.checkPrefixes()
	}
}

// onlyDestination reports whether it is the only destination so far.
func (l *loader) onlyDestination(p document.Place) bool {
	if l.target.Path != "" {
		p.Fault("%s", says(fmt.Sprintf("is a second destination, beside %s in line %d; remove one", l.target.Shown(), l.target.Line), oneDestination))
		return false
	}
	l.target = p
	return true
}

const bucketRemedy = "give the bucket's ARN, arn:aws:s3:::NAME"

// plainS3 is the document.Shape of S3DestinationConfiguration.
func (l *loader) plainS3() document.Shape {
	extended := l.extendedS3().Members
	s := document.Shape{Of: "Firehose's S3DestinationConfiguration", Members: map[string]func(document.Place){}, Others: map[string]string{}}
	for name := range extended {
		s.Others[name] = "ExtendedS3DestinationConfiguration"
	}
	for _, name := range []string{
		"BucketARN", "BufferingHints", "CloudWatchLoggingOptions", "CompressionFormat",
		"EncryptionConfiguration", "ErrorOutputPrefix", "Prefix", "RoleARN",
	} {
		s.Members[name] = extended[name]
	}
	return s
}

// extendedS3 is the document.Shape of ExtendedS3DestinationConfiguration.
func (l *loader) extendedS3() document.Shape {
	conversion := switchable{
		feature: "format conversion", members: idleConversion(),
		omitted: "Firehose then takes true",
	}
	return document.Shape{Of: "Firehose's ExtendedS3DestinationConfiguration", Members: map[string]func(document.Place){
		"BucketARN":                         l.bucketARN,
		"BufferingHints":                    l.bufferingHints,
		"CloudWatchLoggingOptions":          logging,
		"CompressionFormat":                 l.compressionFormat,
		"CustomTimeZone":                    l.customTimeZone,
		"DataFormatConversionConfiguration": func(p document.Place) { conversion.read(p) },
		"DynamicPartitioningConfiguration":  l.dynamicPartitioning,
		"EncryptionConfiguration":           l.encryption,
		"ErrorOutputPrefix":                 l.errorOutputPrefix,
		"FileExtension":                     l.fileExtension,
		"Prefix":                            l.prefix,
		"ProcessingConfiguration":           l.processing,
		"RoleARN":                           role,
		"S3BackupConfiguration":             l.backup,
		"S3BackupMode":                      l.backupMode,
	}}
}

func (l *loader) bucketARN(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	parts := bucketARN.FindStringSubmatch(s)
	if parts == nil || len(s) > maxBucketARN {
		p.Bad("it must be arn:aws:s3:::NAME, with a name of 1-255 characters of a-z A-Z 0-9 _ . -")
		return
	}
	l.config.BucketARN, l.config.Delivery.Bucket = s, parts[1]
}

func (l *loader) bufferingHints(p document.Place) { l.hintsUpTo(p, 128) }

// hintsUpTo reads hints whose size is so many MiB at most.
func (l *loader) hintsUpTo(p document.Place, most int) {
	h := &l.config.Delivery.Hints
	both(p, document.Shape{Of: "Firehose's BufferingHints", Members: map[string]func(document.Place){
		"SizeInMBs": func(at document.Place) {
			h.SizeInMBs, _ = at.Integer(1, most)
			l.size = at
		},
		"IntervalInSeconds": func(at document.Place) {
			n, ok := at.Integer(0, 900)
			h.IntervalInSeconds, h.ZeroBuffering = n, ok && n == 0
			l.interval = at
		},
	}})
}

// both reads hints, which are given together.
func both(p document.Place, s document.Shape) {
	given, ok := p.Read(s)
	switch size, interval := given["SizeInMBs"], given["IntervalInSeconds"]; {
	case !ok:
	case size && !interval:
		p.Fault("has SizeInMBs but no IntervalInSeconds; give both or remove both")
	case interval && !size:
		p.Fault("has IntervalInSeconds but no SizeInMBs; give both or remove both")
	}
}

func (l *loader) compressionFormat(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	f, err := container.Named(s)
	switch {
	case err != nil:
		rule := "Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"
		p.Bad("%s", says("choose "+container.Choice(false), constraint(p, rule)))
	case f.Ours:
		p.Bad("Firehose has no such format; remove it, and set shardmill.compressionFormat to %s", s)
	default:
		l.config.Delivery.Compression = processors.Compression(s)
	}
}

func (l *loader) encryption(p document.Place) {
	given, ok := p.Read(document.Shape{Of: "Firehose's EncryptionConfiguration", Members: map[string]func(document.Place){
		"NoEncryptionConfig":  func(at document.Place) { at.OneOf("NoEncryption") },
		"KMSEncryptionConfig": l.kmsEncryption,
	}})
	if ok && given["NoEncryptionConfig"] == given["KMSEncryptionConfig"] {
		what := "is empty; set NoEncryptionConfig to NoEncryption, or remove it"
		if given["NoEncryptionConfig"] {
			what = "has two members; remove one of them"
		}
		p.Fault("%s", says(what, "Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified"))
	}
}

func (l *loader) kmsEncryption(p document.Place) {
	given, ok := p.Read(document.Shape{Of: "Firehose's KMSEncryptionConfig", Members: map[string]func(document.Place){
		"AWSKMSKeyARN": func(at document.Place) {
			s, ok := at.Text()
			if !ok {
				return
			}
			if err := processors.CheckAWSKMSKeyARN(s); err != nil {
				at.Bad("it %s", err)
				return
			}
			l.config.Delivery.AWSKMSKeyARN = s
		},
	}})
	if ok {
		p.Need(given, "AWSKMSKeyARN", "give the ARN of a key or of an alias, arn:aws:kms:REGION:ACCOUNT:key/ID")
	}
}

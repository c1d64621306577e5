package config

import (
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/shardmill/shardmill/processors/container"
)

var (
	bucketARN     = regexp.MustCompile(`^arn:.*:s3:::([\w.\-]{1,255})$`)
	bucketName    = regexp.MustCompile(`^[\w.\-]{1,255}$`)
	fileExtension = regexp.MustCompile(`^(|\.[0-9a-z!\-_.*'()]+)$`)
)

const maxBucketARN = 2048 // characters

// s3 reads a destination of either shape.
func (l *loader) s3(p place, s shape) {
	if l.target.path != "" {
		p.fault("%s", says(fmt.Sprintf("is a second destination, beside %s in line %d; remove one", l.target.path, l.target.line), oneDestination))
	} else {
		l.target = p
	}
	given, ok := p.read(s)
	if ok {
		p.need(given, "BucketARN", "give the bucket's ARN, arn:aws:s3:::NAME")
	}
}

// plainS3 is the shape of S3DestinationConfiguration.
func (l *loader) plainS3() shape {
	extended := l.extendedS3().members
	s := shape{of: "Firehose's S3DestinationConfiguration", members: map[string]func(place){}, others: map[string]string{}}
	for name := range extended {
		s.others[name] = "ExtendedS3DestinationConfiguration"
	}
	for _, name := range []string{
		"BucketARN", "BufferingHints", "CloudWatchLoggingOptions", "CompressionFormat",
		"EncryptionConfiguration", "ErrorOutputPrefix", "Prefix", "RoleARN",
	} {
		s.members[name] = extended[name]
	}
	return s
}

// extendedS3 is the shape of ExtendedS3DestinationConfiguration.
func (l *loader) extendedS3() shape {
	logging := switchable{feature: "logging to CloudWatch", members: []string{"LogGroupName", "LogStreamName"}}
	processing := switchable{feature: "processing of records", members: []string{"Processors"}}
	partitioning := switchable{
		feature: "dynamic partitioning", members: []string{"RetryOptions"},
		omitted: "what Firehose then does is not documented",
	}
	conversion := switchable{
		feature: "format conversion",
		members: []string{"SchemaConfiguration", "InputFormatConfiguration", "OutputFormatConfiguration"},
		omitted: "Firehose then takes true",
	}
	return shape{of: "Firehose's ExtendedS3DestinationConfiguration", members: map[string]func(place){
		"BucketARN":                         l.bucketARN,
		"BufferingHints":                    l.bufferingHints,
		"CloudWatchLoggingOptions":          logging.read,
		"CompressionFormat":                 l.compressionFormat,
		"CustomTimeZone":                    customTimeZone,
		"DataFormatConversionConfiguration": conversion.read,
		"DynamicPartitioningConfiguration":  partitioning.read,
		"EncryptionConfiguration":           encryption,
		"ErrorOutputPrefix":                 errorOutputPrefix,
		"FileExtension":                     extension,
		"Prefix":                            l.prefix,
		"ProcessingConfiguration":           processing.read,
		"RoleARN":                           role,
		"S3BackupConfiguration":             inert, // S3BackupMode says whether it acts
		"S3BackupMode":                      backupMode,
	}}
}

func (l *loader) bucketARN(p place) {
	s, ok := p.string()
	if !ok {
		return
	}
	parts := bucketARN.FindStringSubmatch(s)
	if parts == nil || len(s) > maxBucketARN {
		p.bad("it must be arn:aws:s3:::NAME, with a name of 1-255 characters of a-z A-Z 0-9 _ . -")
		return
	}
	l.config.Bucket = parts[1]
}

func (l *loader) bufferingHints(p place) {
	size, interval := 0, 0
	given, ok := p.read(shape{of: "Firehose's BufferingHints", members: map[string]func(place){
		"SizeInMBs": func(at place) { size, _ = at.integer(1, 128) },
		"IntervalInSeconds": func(at place) {
			n, ok := at.integer(0, 900)
			if interval = n; ok && n < 60 {
				at.warn("below 60 Firehose changes to multipart uploads; here it only makes many small objects")
			}
		},
	}})
	if !ok {
		return
	}
	switch {
	case given["SizeInMBs"] && !given["IntervalInSeconds"]:
		p.fault("has SizeInMBs but no IntervalInSeconds; give both or remove both")
	case given["IntervalInSeconds"] && !given["SizeInMBs"]:
		p.fault("has IntervalInSeconds but no SizeInMBs; give both or remove both")
	}
	l.config.SizeInMBs, l.config.IntervalInSeconds = size, interval
}

func (l *loader) compressionFormat(p place) {
	s, ok := p.string()
	if !ok {
		return
	}
	_, err := container.Named(s)
	switch {
	case err == nil:
		l.config.CompressionFormat = s
	case errors.Is(err, container.ErrUnknown):
		rule := "Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"
		p.bad("%s", says("choose "+container.Choice(), p.constraint(rule)))
	default:
		p.bad("%s", err.Error())
	}
}

func encryption(p place) {
	given, ok := p.read(shape{of: "Firehose's EncryptionConfiguration", members: map[string]func(place){
		"NoEncryptionConfig":  func(at place) { at.oneOf("NoEncryption") },
		"KMSEncryptionConfig": notBuilt("set the key in the bucket's default encryption, and remove it here"),
	}})
	if ok && given["NoEncryptionConfig"] == given["KMSEncryptionConfig"] {
		what := "is empty; set NoEncryptionConfig to NoEncryption, or remove it"
		if given["NoEncryptionConfig"] {
			what = "has two members; remove KMSEncryptionConfig"
		}
		p.fault("%s", says(what, "Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified"))
	}
}

func backupMode(p place) {
	if p.value.kind == text && p.value.text == "Enabled" {
		p.bad("backup is not built yet; set it to Disabled")
		return
	}
	p.oneOf("Disabled")
}

func extension(p place) {
	s, ok := p.string()
	const remedy = "it is not built yet; remove it"
	switch {
	case !ok || s == "":
	case utf8.RuneCountInString(s) > 128:
		p.bad("%s", says(remedy, p.constraint("Member must have length less than or equal to 128")))
	case !fileExtension.MatchString(s):
		p.bad("%s", says(remedy, p.constraint(`Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$`)))
	default:
		p.bad(remedy)
	}
}

func customTimeZone(p place) {
	if s, ok := p.string(); ok && s != "" && s != "UTC" {
		p.bad("time zones are not built yet; use UTC")
	}
}

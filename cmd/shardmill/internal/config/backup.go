package config

import (
	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
)

// backup is what a file says of the backup of records, in whatever order.
type backup struct {
	on     bool           // S3BackupMode
	config *Config        // S3BackupConfiguration, of which only the delivery counts
	every  document.Place // its BufferingHints.IntervalInSeconds; the zero Place if nowhere
	at     document.Place // of S3BackupMode
}

func (l *loader) backupMode(p document.Place) {
	l.backed.at = p
	l.backed.on = p.OneOf("Disabled", "Enabled") == "Enabled"
}

// backup reads a destination as one of its own.
func (l *loader) backup(p document.Place) {
	own := &loader{}
	given, ok := p.Read(own.plainS3())
	if ok {
		p.Need(given, "BucketARN", bucketRemedy)
		own.checkPrefixes()
		own.warnOfErrorPrefix()
	}
	l.backed.config, l.backed.every = &own.config, own.interval
}

// checkBackup puts both together. A configuration has no effect while the mode is
// Disabled, its default.
func (l *loader) checkBackup() {
	c := l.backed.config
	switch {
	case !l.backed.on:
		return
	case c == nil:
		l.backed.at.Bad("%s", says("give S3BackupConfiguration too, or set it to Disabled", "S3 backup destination configuration is required when enabling S3 backup."))
		return
	}
	switch every := l.backed.every; {
	case every.Path != "" && c.Delivery.Hints.IntervalInSeconds < shortestOfBackups:
		every.Bad("it must be between %d and 900: Firehose's guide has no zero buffering for backups", shortestOfBackups)
	case l.interval.Path != "" && l.config.Delivery.Hints.IntervalInSeconds < shortestOfBackups:
		what := "S3BackupConfiguration"
		if l.documents.on() {
			what = "S3Configuration"
		}
		l.interval.Warn(what + "'s objects get as small: a cut has objects of both, and ends at the shorter interval")
	}
	l.config.BackupBucketARN = c.BucketARN
	l.config.Delivery.Backup = &processors.Backup{
		Bucket: c.Delivery.Bucket, Prefix: c.Delivery.Prefix, ErrorOutputPrefix: c.Delivery.ErrorOutputPrefix,
		Hints: c.Delivery.Hints, Compression: c.Delivery.Compression, AWSKMSKeyARN: c.Delivery.AWSKMSKeyARN,
	}
}

// staging reads where bundles are.
func (l *loader) staging(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	if _, _, err := processors.ParseStaging(s); err != nil {
		p.Bad("it %s", err)
		return
	}
	l.config.Delivery.Staging = s
}

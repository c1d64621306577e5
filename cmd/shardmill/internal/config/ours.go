package config

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/container"
)

const (
	day      = 86400 // seconds
	loopback = "127.0.0.1"
)

// ours reads the shardmill key.
func (l *loader) ours(p document.Place) { p.Read(l.oursShape()) }

// oursShape is the shape of the shardmill key; the package comment documents
// its members.
func (l *loader) oursShape() document.Shape {
	worker, delivery := &l.config.Worker, &l.config.Delivery
	seconds := func(d *time.Duration) func(document.Place) {
		return func(p document.Place) {
			n, _ := p.Integer(1, day)
			*d = time.Duration(n) * time.Second
		}
	}
	count := func(n *int, highest int) func(document.Place) {
		return func(p document.Place) { *n, _ = p.Integer(1, highest) }
	}
	s := document.Shape{Of: "the shardmill key", Members: map[string]func(document.Place){
		"applicationName":          l.applicationName,
		"initialPosition":          l.initialPosition,
		"delivery":                 l.delivery,
		"deliveryStreamVersion":    count(&delivery.Version, 999_999_999),
		"failoverTimeSeconds":      seconds(&worker.FailoverTime),
		"scanIntervalSeconds":      seconds(&worker.ScanInterval),
		"shardSyncIntervalSeconds": seconds(&worker.ShardSyncInterval),
		"maxLeases":                count(&worker.MaxLeases, 1_000_000),
		"maxMemoryMBs": func(p document.Place) {
			n, _ := p.Integer(1, 1<<20)
			worker.MaxBytes = int64(n) << 20
		},
		"bufferingHints":    l.ourBufferingHints,
		"compressionFormat": l.ourCompressionFormat,
		"gzipLevel": func(p document.Place) {
			l.config.Delivery.GZIPLevel, _ = p.Integer(1, 9)
			l.gzipLevel = p
		},
		"formerBuckets":  l.formerBuckets,
		"spoolDirectory": l.spoolDirectory,
		"staging":        l.staging,
		"errorLines":     l.errorLines,
		"healthAddress":  l.healthAddress,
		"emfNamespace":   l.emfNamespace,
		"emfFile":        l.emfFile,

		"transform":         l.ourTransformation,
		"activePartitions":  l.activePartitions,
		"partitionOverflow": l.partitionOverflow,
		"eventTime":         l.eventTime,
	}}
	maps.Copy(s.Members, l.documentKeys())
	maps.Copy(s.Members, l.warehouseKeys())
	return s
}

// ourBufferingHints reads hints that Firehose does not have.
func (l *loader) ourBufferingHints(p document.Place) {
	h := &l.ourHints
	h.BeyondFirehose = true
	both(p, document.Shape{Of: "shardmill.bufferingHints", Members: map[string]func(document.Place){
		"SizeInMBs": func(at document.Place) {
			h.SizeInMBs, _ = at.Integer(1, processors.MaxSizeInMBs)
			l.ourSize = at
		},
		"IntervalInSeconds": func(at document.Place) { h.IntervalInSeconds, _ = at.Integer(1, processors.MaxIntervalInSeconds) },
	}})
}

// hints settles which hints apply, once all of the file was read. A cut ends at the
// shorter interval, so they are the backup's too.
func (l *loader) hints() {
	if l.ourHints.SizeInMBs == 0 {
		return
	}
	if l.documents.on() && l.ourHints.SizeInMBs > maxDocumentMBs {
		l.ourSize.Bad("it must be between 1 and %d with documents", maxDocumentMBs)
	}
	l.config.Delivery.Hints = l.ourHints
	if b := l.config.Delivery.Backup; b != nil {
		b.Hints = l.ourHints
	}
}

// ourCompressionFormat reads a format that Firehose does not have.
func (l *loader) ourCompressionFormat(p document.Place) {
	l.ourFormatAt = p
	s, ok := p.Text()
	if !ok {
		return
	}
	f, err := container.Named(s)
	switch {
	case err != nil:
		p.Bad("it must be %s", container.ZSTD)
	case !f.Ours:
		p.Bad("it must be %s; Firehose's own formats go into CompressionFormat", container.ZSTD)
	default:
		l.ourFormat = processors.Compression(s)
	}
}

// compression settles which format applies, once all of the file was read.
func (l *loader) compression() {
	delivery := &l.config.Delivery
	if l.documents.on() {
		l.idleWithDocuments(l.ourFormatAt, l.gzipLevel)
		return
	}
	if l.warehouse.on() && l.ourFormat != "" {
		l.ourFormatAt.Bad("%s", says("COPY is told of GZIP or of nothing; remove it, and set CompressionFormat of S3Configuration", onlyFormats))
		return
	}
	delivery.Compression = cmp.Or(l.ourFormat, delivery.Compression)
	if l.gzipLevel.Path != "" && delivery.Compression != processors.GZIP {
		l.gzipLevel.Bad("it does nothing without GZIP; remove it, or set CompressionFormat to GZIP")
	}
}

func (l *loader) delivery(p document.Place) {
	s := p.OneOf(string(processors.ExactlyOnce), string(processors.AtLeastOnce))
	l.config.Delivery.Delivery = processors.Delivery(s)
}

func (l *loader) applicationName(p document.Place) {
	l.applicationGiven = true
	s, ok := p.Text()
	if ok && !tableName.MatchString(s) {
		p.Bad("it must be 3-255 characters of a-z A-Z 0-9 _ . -, as it names the lease table")
		return
	}
	l.config.Worker.ApplicationName = s
}

func (l *loader) initialPosition(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	switch s {
	case checkpoint.TrimHorizon:
		l.config.Worker.InitialPosition = kcl.TrimHorizon()
	case checkpoint.Latest:
		l.config.Worker.InitialPosition = kcl.Latest()
	default:
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			p.Bad("it must be TRIM_HORIZON, LATEST or a time such as 2016-02-25T13:00:00Z")
			return
		}
		l.config.Worker.InitialPosition = kcl.AtTimestamp(t.UTC())
	}
}

func (l *loader) formerBuckets(p document.Place) {
	items, _ := p.Items("a list of names")
	lines := map[string]int{}
	for _, at := range items {
		s, ok := at.Text()
		switch {
		case !ok:
		case !bucketName.MatchString(s):
			at.Bad("it must be the name of a bucket, 1-255 characters of a-z A-Z 0-9 _ . -, not its ARN")
		case lines[s] > 0:
			at.Bad("it is there twice, first in line %d; remove one", lines[s])
		default:
			lines[s] = at.Line
			l.config.Delivery.FormerBuckets = append(l.config.Delivery.FormerBuckets, s)
		}
	}
}

func (l *loader) errorLines(p document.Place) {
	l.errorLinesAt = p
	l.config.Delivery.OlderErrorLines = p.OneOf("newest", "older") == "older"
}

func (l *loader) spoolDirectory(p document.Place) {
	s, ok := p.Text()
	if ok && s == "" {
		p.Bad("name a directory, or remove it for the system's directory for temporary files")
	}
	l.config.Delivery.SpoolDir = s
}

// healthAddress takes no host names but localhost: what one resolves to may
// change, and with it who can read.
func (l *loader) healthAddress(p document.Place) {
	const remedy = "it must be ADDRESS:PORT with an IP address or localhost, such as " + DefaultHealthAddress + ", :PORT for all addresses, or off"
	if p.IsScalar() {
		p.Bad(remedy)
		return
	}
	s, ok := p.Text()
	if !ok {
		return
	}
	l.config.HealthGiven = true
	if s == "off" {
		return
	}
	host, port, err := net.SplitHostPort(s)
	if host == "localhost" {
		host = loopback
	}
	ip, ipErr := netip.ParseAddr(host)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || ipErr != nil && host != "" || portErr != nil {
		p.Bad(remedy)
		return
	}
	if !ip.IsLoopback() { // nor is the zero value, which is all addresses
		p.Warn("whoever reaches this address can read how the archiver does; there is no password")
	}
	l.config.HealthAddress = net.JoinHostPort(host, port)
}

package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

var (
	streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)
	kinesisARN = regexp.MustCompile(`^arn:.*:kinesis:([a-zA-Z0-9-]+):\d{12}:stream/([a-zA-Z0-9_.-]+)$`)
	roleARN    = regexp.MustCompile(`^arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+$`)
	tableName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
)

const maxARN = 512 // characters, of a Kinesis stream or a role

// stream reads the whole file.
func (l *loader) stream(p document.Place) {
	const (
		source      = "remove it, and use KinesisStreamSourceConfiguration"
		destination = "remove it, and use ExtendedS3DestinationConfiguration"
		kms         = "Server side encryption from firehose is only allowed for direct put delivery streams and database as a source delivery streams"
	)
	members := map[string]func(document.Place){
		"DeliveryStreamName":               l.streamName,
		"DeliveryStreamType":               streamType,
		"KinesisStreamSourceConfiguration": l.source,
		"DirectPutSourceConfiguration":     notBuilt(source),
		"MSKSourceConfiguration":           notBuilt(source),
		"DatabaseSourceConfiguration":      notBuilt(source),
		"DeliveryStreamEncryptionConfigurationInput": func(p document.Place) {
			p.Fault("%s", says("does not go with a Kinesis stream; remove it, and encrypt the stream itself", kms))
		},
		"ExtendedS3DestinationConfiguration": func(p document.Place) { l.s3(p, l.extendedS3()) },
		"S3DestinationConfiguration":         func(p document.Place) { l.s3(p, l.plainS3()) },
		elasticsearchDestination:             l.documentDestination,
		openSearchDestination:                l.documentDestination,
		serverlessDestination:                l.documentDestination,
		redshiftDestination:                  l.warehouseDestination,
		"Tags":                               tags,
		"shardmill":                          l.ours,
	}
	for _, name := range otherDestinations() {
		members[name] = notBuilt(destination)
	}
	given, ok := p.Read(document.Shape{Of: "Firehose's CreateDeliveryStream", Members: members, Others: l.inner(members)})
	if !ok {
		return
	}
	p.Need(given, "DeliveryStreamName", "give the name that objects begin with")
	if !given["DirectPutSourceConfiguration"] && !given["MSKSourceConfiguration"] && !given["DatabaseSourceConfiguration"] {
		p.Need(given, "KinesisStreamSourceConfiguration", says("give the stream's KinesisStreamARN in it",
			"KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type."))
	}
	for _, name := range append(otherDestinations(), "S3DestinationConfiguration", elasticsearchDestination, openSearchDestination, serverlessDestination, redshiftDestination) {
		if given[name] {
			given["ExtendedS3DestinationConfiguration"] = true
		}
	}
	p.Need(given, "ExtendedS3DestinationConfiguration", says("give the bucket's BucketARN in it", oneDestination))
	l.defaultTable()
	l.settleDocuments()
	l.compression()
	l.emf()
	l.hints()
	l.oneTransform()
	l.partitions()
	l.settleWarehouse()
	l.warnOfErrorPrefix()
}

const oneDestination = "Exactly one destination configuration is supported for a Firehose"

func otherDestinations() []string {
	return []string{
		"HttpEndpointDestinationConfiguration",
		"IcebergDestinationConfiguration",
		"SnowflakeDestinationConfiguration",
		"SplunkDestinationConfiguration",
	}
}

// inner returns what belongs one level deeper than the members of the file.
func (l *loader) inner(outer map[string]func(document.Place)) map[string]string {
	where := map[string]string{}
	for name := range l.warehouseShape().Members {
		where[name] = redshiftDestination
	}
	for name := range l.documentShape(openSearchDestination).Members {
		where[name] = openSearchDestination
	}
	for name := range l.extendedS3().Members {
		where[name] = "ExtendedS3DestinationConfiguration"
	}
	for name := range l.oursShape().Members {
		where[name] = "shardmill"
	}
	where["KinesisStreamARN"] = "KinesisStreamSourceConfiguration"
	for name := range servicesOf() {
		where[strings.TrimSuffix(name, "Configuration")+"Update"] = "UpdateDestination, which is for a stream that is there, and has no S3BackupMode: give " + name + ", whole"
	}
	where["RedshiftDestinationUpdate"] = "UpdateDestination, which is for a stream that is there: give " + redshiftDestination + ", whole"
	where["CollectionEndpoint"] = serverlessDestination
	where["RoleARN"] = "KinesisStreamSourceConfiguration or ExtendedS3DestinationConfiguration"
	maps.DeleteFunc(where, func(name, _ string) bool { return outer[name] != nil })
	return where
}

func (l *loader) streamName(p document.Place) {
	s, ok := p.Text()
	if ok && !streamName.MatchString(s) {
		p.Bad("it must be 1-64 characters of a-z A-Z 0-9 _ . -")
		return
	}
	l.config.Delivery.DeliveryStreamName, l.name = s, p
}

func streamType(p document.Place) {
	const works = "KinesisStreamAsSource"
	if p.Is("DirectPut") {
		p.Bad("there is no Kinesis stream to read: make one, have the producers put there, and name it in KinesisStreamSourceConfiguration")
		return
	}
	if slices.ContainsFunc([]string{"MSKAsSource", "DatabaseAsSource"}, p.Is) {
		p.Bad("it is not built yet; use %s", works)
		return
	}
	p.OneOf(works)
}

func (l *loader) source(p document.Place) {
	given, ok := p.Read(document.Shape{Of: "Firehose's KinesisStreamSourceConfiguration", Members: map[string]func(document.Place){
		"KinesisStreamARN": l.kinesisARN,
		"RoleARN":          role,
	}})
	if ok {
		p.Need(given, "KinesisStreamARN", "give the stream's ARN, arn:aws:kinesis:REGION:ACCOUNT:stream/NAME")
	}
}

func (l *loader) kinesisARN(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	parts := kinesisARN.FindStringSubmatch(s)
	if parts == nil || len(s) > maxARN {
		p.Bad("it must be arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, with an account of 12 digits")
		return
	}
	l.config.Worker.StreamARN, l.config.Region, l.config.Worker.StreamName = s, parts[1], parts[2]
}

// role checks a RoleARN, which does nothing here: credentials come from the
// environment. So it does not matter if a file leaves it open.
func role(p document.Place) {
	p.NoEffect("credentials are those of the AWS SDK's environment")
	if p.IsOpen() {
		return
	}
	s, ok := p.Text()
	if ok && (!roleARN.MatchString(s) || len(s) > maxARN) {
		p.Bad("it must be arn:aws:iam::ACCOUNT:role/NAME, with an account of 12 digits; or remove it, it has no effect here")
	}
}

// tags checks Tags, which do nothing here.
func tags(p document.Place) {
	p.NoEffect("there is no resource of AWS to have them")
	if p.IsOpen() {
		return
	}
	items, _ := p.Items("a list of objects with Key and Value")
	const which = "of letters, digits, spaces and _ . : / = + - @ %"
	for _, at := range items {
		given, ok := at.Read(document.Shape{Of: "Firehose's Tag", Members: map[string]func(document.Place){
			"Key": func(at document.Place) {
				if s := at.Value(); s.Kind == document.Text && strings.HasPrefix(s.Text, "aws:") {
					at.Bad("AWS keeps keys that begin with aws: for itself; remove the tag, it has no effect here")
				}
				idleText(1, 128, tagText, which)(at)
			},
			"Value": idleText(0, 256, tagText, which),
		}})
		if ok {
			at.Need(given, "Key", "give it one")
		}
	}
}

// defaultTable checks the name of the lease table if it is that of the
// delivery stream.
func (l *loader) defaultTable() {
	name := l.config.Delivery.DeliveryStreamName
	if name == "" || l.config.Worker.ApplicationName != "" || l.applicationGiven || tableName.MatchString(name) {
		return
	}
	l.name.Bad("DynamoDB wants at least 3 characters for a lease table's name; set shardmill.applicationName")
}

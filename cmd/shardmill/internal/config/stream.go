package config

import (
	"maps"
	"regexp"
)

var (
	streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)
	kinesisARN = regexp.MustCompile(`^arn:.*:kinesis:([a-zA-Z0-9-]+):\d{12}:stream/([a-zA-Z0-9_.-]+)$`)
	roleARN    = regexp.MustCompile(`^arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+$`)
	tableName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
)

const maxARN = 512 // characters, of a Kinesis stream or a role

// stream reads the whole file.
func (l *loader) stream(p place) {
	const (
		source      = "remove it, and use KinesisStreamSourceConfiguration"
		destination = "remove it, and use ExtendedS3DestinationConfiguration"
		kms         = "Server side encryption from firehose is only allowed for direct put delivery streams and database as a source delivery streams"
	)
	members := map[string]func(place){
		"DeliveryStreamName":               l.streamName,
		"DeliveryStreamType":               streamType,
		"KinesisStreamSourceConfiguration": l.source,
		"DirectPutSourceConfiguration":     notBuilt(source),
		"MSKSourceConfiguration":           notBuilt(source),
		"DatabaseSourceConfiguration":      notBuilt(source),
		"DeliveryStreamEncryptionConfigurationInput": func(p place) {
			p.fault("%s", says("does not go with a Kinesis stream; remove it, and encrypt the stream itself", kms))
		},
		"ExtendedS3DestinationConfiguration": func(p place) { l.s3(p, l.extendedS3()) },
		"S3DestinationConfiguration":         func(p place) { l.s3(p, l.plainS3()) },
		"Tags":                               tags,
		"shardmill":                          l.ours,
	}
	for _, name := range otherDestinations() {
		members[name] = notBuilt(destination)
	}
	given, ok := p.read(shape{of: "Firehose's CreateDeliveryStream", members: members, others: l.inner(members)})
	if !ok {
		return
	}
	p.need(given, "DeliveryStreamName", "give the name that objects begin with")
	if !given["DirectPutSourceConfiguration"] && !given["MSKSourceConfiguration"] && !given["DatabaseSourceConfiguration"] {
		p.need(given, "KinesisStreamSourceConfiguration", says("give the stream's KinesisStreamARN in it",
			"KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type."))
	}
	for _, name := range append(otherDestinations(), "S3DestinationConfiguration") {
		if given[name] {
			given["ExtendedS3DestinationConfiguration"] = true
		}
	}
	p.need(given, "ExtendedS3DestinationConfiguration", says("give the bucket's BucketARN in it", oneDestination))
	l.defaultTable()
}

const oneDestination = "Exactly one destination configuration is supported for a Firehose"

func otherDestinations() []string {
	return []string{
		"AmazonOpenSearchServerlessDestinationConfiguration",
		"AmazonopensearchserviceDestinationConfiguration",
		"ElasticsearchDestinationConfiguration",
		"HttpEndpointDestinationConfiguration",
		"IcebergDestinationConfiguration",
		"RedshiftDestinationConfiguration",
		"SnowflakeDestinationConfiguration",
		"SplunkDestinationConfiguration",
	}
}

// inner returns what belongs one level deeper than the members of the file.
func (l *loader) inner(outer map[string]func(place)) map[string]string {
	where := map[string]string{}
	for name := range l.extendedS3().members {
		where[name] = "ExtendedS3DestinationConfiguration"
	}
	for name := range l.oursShape().members {
		where[name] = "shardmill"
	}
	where["KinesisStreamARN"] = "KinesisStreamSourceConfiguration"
	where["RoleARN"] = "KinesisStreamSourceConfiguration or ExtendedS3DestinationConfiguration"
	maps.DeleteFunc(where, func(name, _ string) bool { return outer[name] != nil })
	return where
}

func (l *loader) streamName(p place) {
	s, ok := p.string()
	if ok && !streamName.MatchString(s) {
		p.bad("it must be 1-64 characters of a-z A-Z 0-9 _ . -")
		return
	}
	l.config.DeliveryStreamName, l.name = s, p
}

func streamType(p place) {
	const works = "KinesisStreamAsSource"
	if p.value.kind == text {
		switch p.value.text {
		case "DirectPut", "MSKAsSource", "DatabaseAsSource":
			p.bad("it is not built yet; use %s", works)
			return
		}
	}
	p.oneOf(works)
}

func (l *loader) source(p place) {
	given, ok := p.read(shape{of: "Firehose's KinesisStreamSourceConfiguration", members: map[string]func(place){
		"KinesisStreamARN": l.kinesisARN,
		"RoleARN":          role,
	}})
	if ok {
		p.need(given, "KinesisStreamARN", "give the stream's ARN, arn:aws:kinesis:REGION:ACCOUNT:stream/NAME")
	}
}

func (l *loader) kinesisARN(p place) {
	s, ok := p.string()
	if !ok {
		return
	}
	parts := kinesisARN.FindStringSubmatch(s)
	if parts == nil || len(s) > maxARN {
		p.bad("it must be arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, with an account of 12 digits")
		return
	}
	l.config.StreamARN, l.config.Region, l.config.StreamName = s, parts[1], parts[2]
}

// role checks a RoleARN, which does nothing here: credentials come from the
// environment.
func role(p place) {
	s, ok := p.string()
	if ok && (!roleARN.MatchString(s) || len(s) > maxARN) {
		p.bad("it must be arn:aws:iam::ACCOUNT:role/NAME, with an account of 12 digits; or remove it, it has no effect here")
	}
}

// tags checks Tags, which do nothing here.
func tags(p place) {
	if p.value.kind != list {
		p.wrongKind("a list of objects with Key and Value")
		return
	}
	check := func(at place) { _, _ = at.string() }
	for i, each := range p.value.items {
		at := place{p.report, item(p.path, i), each.line, each}
		given, ok := at.read(shape{of: "Firehose's Tag", members: map[string]func(place){"Key": check, "Value": check}})
		if ok {
			at.need(given, "Key", "give it one")
		}
	}
}

// defaultTable checks the name of the lease table if it is that of the
// delivery stream.
func (l *loader) defaultTable() {
	name := l.config.DeliveryStreamName
	if name == "" || l.config.ApplicationName != "" || l.applicationGiven || tableName.MatchString(name) {
		return
	}
	l.name.bad("DynamoDB wants at least 3 characters for a lease table's name; set shardmill.applicationName")
}

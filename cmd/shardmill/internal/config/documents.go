package config

import (
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// Documents says that records are documents of Elasticsearch or OpenSearch, and where
// they go.
type Documents struct {
	// Cluster has everything but what the program sets: Endpoints if there is a
	// DomainARN, Auth, RootCAs and Logger.
	Cluster esarchive.Config

	DomainARN string // of the domain whose endpoint is to be looked up; "" if Cluster has it
	Region    string // for which requests are signed; "": that of the SDK's environment
	Access    Access
	CAFile    string // with the certificates of authorities, PEM; "": the system's
}

// Firehose's destinations of documents.
const (
	elasticsearchDestination = "ElasticsearchDestinationConfiguration"
	openSearchDestination    = "AmazonopensearchserviceDestinationConfiguration"
	serverlessDestination    = "AmazonOpenSearchServerlessDestinationConfiguration"
)

// Destination is Firehose's name of the destination.
func (d *Documents) Destination() string {
	switch d.Cluster.Service {
	case esarchive.Elasticsearch:
		return elasticsearchDestination
	case esarchive.Serverless:
		return serverlessDestination
	default:
		return openSearchDestination
	}
}

func servicesOf() map[string]esarchive.Service {
	return map[string]esarchive.Service{
		elasticsearchDestination: esarchive.Elasticsearch,
		openSearchDestination:    esarchive.OpenSearchService,
		serverlessDestination:    esarchive.Serverless,
	}
}

// Firehose's bounds of a destination of documents.
const (
	maxDocumentMBs    = 100
	maxRetrySeconds   = 7200
	longestIndexName  = 80
	longestTypeName   = 100
	longestEndpoint   = 512
	shortestOfBackups = 60 // seconds
)

// documents is what a file says of a destination of documents, in whatever order.
type documents struct {
	at           document.Place // of the destination; the zero Place if there is none
	config       Documents
	allDocuments bool

	index, domain, endpoint, typeName, rotation, idFormat document.Place   // zero Places if nowhere
	s3                                                    *loader          // S3Configuration
	compressed                                            document.Place   // its CompressionFormat
	others                                                []document.Place // more endpoints

	keys map[string]document.Place // of the shardmill key, that only documents have
}

// on reports whether the destination takes documents.
func (d *documents) on() bool { return d.at.Path != "" }

// documentDestination reads a destination of documents.
func (l *loader) documentDestination(p document.Place) {
	if !l.onlyDestination(p) {
		l = &loader{} // what is wrong with it is told all the same
	}
	d := &l.documents
	d.at = p
	d.config.Cluster.Service = servicesOf()[p.Name()]
	given, ok := p.Read(l.documentShape(p.Name()))
	if !ok {
		return
	}
	p.Need(given, "IndexName", "give the name of the index, or what it begins with")
	p.Need(given, "S3Configuration", "give the bucket of documents that could not be indexed, as S3DestinationConfiguration has it")
	l.checkWhere(p, given)
}

// checkWhere holds a destination to have one place where documents go.
func (l *loader) checkWhere(p document.Place, given map[string]bool) {
	domain, endpoint := given["DomainARN"], given["ClusterEndpoint"]
	switch {
	case l.documents.config.Cluster.Service == esarchive.Serverless:
		if !given["CollectionEndpoint"] {
			p.Fault("%s", says("has no CollectionEndpoint; give it, https://ID.REGION.aoss.amazonaws.com", "Must specify collection endpoint for delivery to OpenSearch serverless."))
		}
	case domain && endpoint:
		p.Fault("%s", says("has DomainARN and ClusterEndpoint; remove one of them",
			"Cannot provide both Elasticsearch cluster endpoint and domain ARN. Provide either the cluster endpoint or domain arn."))
	case !domain && !endpoint:
		p.Fault("%s", says("has no DomainARN and no ClusterEndpoint; give one of them", "Provide either the Elasticsearch cluster endpoint or domain arn."))
	}
}

// documentShape is the document.Shape of a destination of documents.
func (l *loader) documentShape(name string) document.Shape {
	d := &l.documents
	s := document.Shape{Of: "Firehose's " + name, Others: map[string]string{}, Members: map[string]func(document.Place){
		"BufferingHints":           l.documentHints,
		"CloudWatchLoggingOptions": logging,
		"IndexName":                l.indexName,
		"ProcessingConfiguration":  l.processing,
		"RetryOptions":             retryOptions(&d.config.Cluster.RetryDuration),
		"RoleARN":                  role,
		"S3BackupMode": func(p document.Place) {
			d.allDocuments = p.OneOf("FailedDocumentsOnly", "AllDocuments") == "AllDocuments"
		},
		"S3Configuration":  l.documentBucket,
		"VpcConfiguration": vpc,
	}}
	ofClusters := map[string]func(document.Place){
		"ClusterEndpoint":     l.clusterEndpoint,
		"DocumentIdOptions":   l.documentIDOptions,
		"DomainARN":           l.domainARN,
		"IndexRotationPeriod": l.indexRotation,
		"TypeName":            l.typeName,
	}
	if name == serverlessDestination {
		s.Members["CollectionEndpoint"] = l.clusterEndpoint
		return s
	}
	maps.Copy(s.Members, ofClusters)
	s.Others["CollectionEndpoint"] = serverlessDestination
	for member := range l.extendedS3().Members {
		if s.Members[member] == nil {
			s.Others[member] = "S3Configuration, if at all"
		}
	}
	return s
}

func (l *loader) documentHints(p document.Place) { l.hintsUpTo(p, maxDocumentMBs) }

func (l *loader) indexName(p document.Place) {
	if s, ok := l.bounded(p, 1, longestIndexName); ok {
		warnOfMarks(p, s)
		l.documents.index, l.documents.config.Cluster.IndexName = p, s
	}
}

func (l *loader) typeName(p document.Place) {
	if s, ok := l.bounded(p, 0, longestTypeName); ok {
		l.documents.typeName, l.documents.config.Cluster.TypeName = p, s
	}
}

// bounded returns a text of so many characters.
func (l *loader) bounded(p document.Place, least, most int) (string, bool) {
	s, ok := p.Text()
	switch n := utf8.RuneCountInString(s); {
	case !ok:
		return "", false
	case n < least:
		p.Bad("%s", says("give a value", constraint(p, fmt.Sprintf("Member must have length greater than or equal to %d", least))))
	case n > most:
		p.Fault("%s", says(fmt.Sprintf("has %d characters; at most %d are allowed", n, most),
			constraint(p, fmt.Sprintf("Member must have length less than or equal to %d", most))))
	default:
		return s, true
	}
	return "", false
}

func (l *loader) indexRotation(p document.Place) {
	l.documents.rotation = p
	period := p.OneOf(string(esarchive.NoRotation), string(esarchive.OneHour), string(esarchive.OneDay), string(esarchive.OneWeek), string(esarchive.OneMonth))
	l.documents.config.Cluster.IndexRotationPeriod = esarchive.IndexRotationPeriod(period)
}

func (l *loader) documentIDOptions(p document.Place) {
	given, ok := p.Read(document.Shape{Of: "Firehose's DocumentIdOptions", Members: map[string]func(document.Place){
		"DefaultDocumentIdFormat": func(at document.Place) {
			l.documents.idFormat = at
			l.documents.config.Cluster.IDs.None = at.OneOf("FIREHOSE_DEFAULT", "NO_DOCUMENT_ID") == "NO_DOCUMENT_ID"
		},
	}})
	if ok {
		p.Need(given, "DefaultDocumentIdFormat", "set it to FIREHOSE_DEFAULT or NO_DOCUMENT_ID")
	}
}

// vpc checks a VpcConfiguration, which does nothing here: the network of this process is
// the one that documents go by.
func vpc(p document.Place) {
	p.NoEffect("documents go by the network of this process, which must reach the cluster")
	idleObject(map[string]idle{
		"RoleARN": role, "SubnetIds": idleWords("subnets", 16), "SecurityGroupIds": idleWords("security groups", 5),
	}, "RoleARN", "SecurityGroupIds", "SubnetIds")(p)
}

// documentBucket reads S3Configuration: the bucket of documents that failed, and with
// AllDocuments of all.
func (l *loader) documentBucket(p document.Place) {
	own := &loader{}
	s := own.plainS3()
	format := s.Members["CompressionFormat"]
	s.Members["CompressionFormat"] = func(at document.Place) { l.documents.compressed = at; format(at) }
	given, ok := p.Read(s)
	if ok {
		p.Need(given, "BucketARN", bucketRemedy)
		own.checkPrefixes()
	}
	l.documents.s3 = own
	from, to := &own.config.Delivery, &l.config.Delivery
	l.config.BucketARN = own.config.BucketARN
	to.Bucket, to.Prefix, to.ErrorOutputPrefix, to.AWSKMSKeyARN = from.Bucket, from.Prefix, from.ErrorOutputPrefix, from.AWSKMSKeyARN
}

// settleDocuments judges what was read, once all of the file was.
func (l *loader) settleDocuments() {
	if !l.documents.on() {
		l.documentKeysElsewhere()
		return
	}
	l.checkIndexName()
	l.checkTypeName()
	l.checkIDs()
	l.warnOfIDs()
	l.checkEndpoints()
	l.checkAccess()
	l.documentBackup()
	if w := l.documents.keys["weeks"]; w.Path != "" && l.documents.config.Cluster.IndexRotationPeriod != esarchive.OneWeek {
		w.Bad("it does nothing unless IndexRotationPeriod is OneWeek; remove it")
	}
	if l.config.Delivery.OlderErrorLines {
		l.errorLinesAt.Warn("it has no effect on documents that could not be indexed: those lines are as Firehose's guide has them")
	}
	l.config.Documents = &l.documents.config
}

// checkIndexName refuses a name that no cluster takes.
func (l *loader) checkIndexName() {
	c := l.documents.config.Cluster
	if l.documents.index.Path == "" {
		return
	}
	period := c.IndexRotationPeriod
	if c.Service == esarchive.Serverless {
		period = esarchive.NoRotation
	}
	if err := esarchive.CheckIndexName(c.IndexName, period); err != nil {
		for rule := range strings.SplitSeq(err.Error(), "\n") {
			l.documents.index.Bad("it %s", rule)
		}
	}
}

// checkTypeName refuses types where the cluster is known to have none.
func (l *loader) checkTypeName() {
	engine, d := l.documents.keys["engine"], &l.documents
	switch {
	case engine.Path != "" && d.config.Cluster.Service == esarchive.Serverless:
		engine.Bad("it does nothing with %s; remove it", serverlessDestination)
	case d.config.Cluster.TypeName != "" && typeless(d.config.Cluster.Engine):
		d.typeName.Bad("%s", says(fmt.Sprintf(`shardmill.engine is %s, which has no types; remove it, or set it to ""`, d.config.Cluster.Engine),
			"Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty."))
	}
}

// typeless reports whether an engine is known to have no types.
func typeless(engine string) bool {
	version, is := strings.CutPrefix(engine, "Elasticsearch_")
	major, _, _ := strings.Cut(version, ".")
	return engine != "" && (!is || len(major) > 1 || major >= "7")
}

// documentBackup says what goes into the bucket of S3Configuration beside documents that
// failed.
func (l *loader) documentBackup() {
	d := &l.documents
	if d.s3 == nil {
		return
	}
	from := d.s3.config.Delivery
	if d.allDocuments {
		l.backed = backup{on: true, config: &d.s3.config, every: d.s3.interval}
		l.checkBackup()
		return
	}
	const only = "it has no effect with S3BackupMode FailedDocumentsOnly: "
	if h := from.Hints; d.s3.size.Path != "" && h != (processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 300}) {
		d.s3.size.Warn(only + "documents that failed are put with their cut, which BufferingHints beside IndexName end")
	}
	if d.compressed.Path != "" && from.Compression != "" && from.Compression != processors.Uncompressed {
		d.compressed.Warn(only + "error objects are not compressed")
	}
	if d.s3.prefixAt.Path != "" && from.Prefix != "" && from.ErrorOutputPrefix != "" {
		d.s3.prefixAt.Warn(only + "what failed goes under ErrorOutputPrefix")
	}
}

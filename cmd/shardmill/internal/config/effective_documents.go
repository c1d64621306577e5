package config

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// effectiveDocuments is a destination of documents. What Amazon OpenSearch Serverless does
// not have is empty.
type effectiveDocuments struct {
	DomainARN           string `json:",omitempty"`
	ClusterEndpoint     string `json:",omitempty"`
	CollectionEndpoint  string `json:",omitempty"`
	IndexName           string
	TypeName            string          `json:",omitempty"`
	IndexRotationPeriod string          `json:",omitempty"`
	BufferingHints      *effectiveHints `json:",omitempty"` // nil if they are ours
	RetryOptions        effectiveRetry
	S3BackupMode        string
	S3Configuration     effectiveBackup

	DocumentIdOptions       *effectiveIDs `json:",omitempty"`
	ProcessingConfiguration effectiveProcessing
}

type effectiveRetry struct{ DurationInSeconds int64 }

type effectiveIDs struct{ DefaultDocumentIdFormat string }

// effectiveDocumentKeys are the members of the shardmill key that only documents have.
type effectiveDocumentKeys struct {
	Engine             string          `json:"engine,omitempty"` // "": the cluster is asked
	Auth               string          `json:"auth,omitempty"`
	Username           string          `json:"username,omitempty"`
	Password           json.RawMessage `json:"password,omitempty"` // null: given, and not shown
	PasswordFile       string          `json:"passwordFile,omitempty"`
	APIKey             json.RawMessage `json:"apiKey,omitempty"` // null: given, and not shown
	APIKeyFile         string          `json:"apiKeyFile,omitempty"`
	CAFile             string          `json:"caFile,omitempty"`
	InsecureHTTP       bool            `json:"insecureHTTP,omitempty"`
	Endpoints          []string        `json:"endpoints,omitempty"`
	Weeks              string          `json:"weeks,omitempty"`
	IDField            string          `json:"idField,omitempty"`
	VersionField       string          `json:"versionField,omitempty"`
	IDPrefix           bool            `json:"idPrefix,omitempty"`
	Operation          string          `json:"operation,omitempty"`
	Pipeline           string          `json:"pipeline,omitempty"`
	RoutingField       string          `json:"routingField,omitempty"`
	FastFail           bool            `json:"fastFail,omitempty"`
	PauseWhenDown      bool            `json:"pauseWhenDown,omitempty"`
	RequestCompression string          `json:"requestCompression,omitempty"`
	MaxRequestMBs      int64           `json:"maxRequestMBs,omitempty"` // 0: 5
}

// defaultRetry is Firehose's RetryOptions of documents.
const defaultRetry = 300 * time.Second

// documents puts a destination of documents into e.
func (c Config) documents(e *Effective) {
	d, cluster := c.Delivery, c.Documents.Cluster
	retry := defaultRetry
	if cluster.RetryDuration != nil {
		retry = *cluster.RetryDuration
	}
	shape := &effectiveDocuments{
		IndexName: document.Literally(cluster.IndexName), BufferingHints: hintsOf(d.Hints, false),
		RetryOptions: effectiveRetry{int64(retry.Seconds())}, S3BackupMode: "FailedDocumentsOnly",
		S3Configuration: effectiveBackup{
			BucketARN: c.BucketARN, Prefix: document.Literally(d.Prefix), ErrorOutputPrefix: document.Literally(d.ErrorOutputPrefix),
			EncryptionConfiguration: encryptionOf(d.AWSKMSKeyARN),
		},
		ProcessingConfiguration: c.processing(),
	}
	if b := d.Backup; b != nil {
		shape.S3BackupMode = "AllDocuments"
		shape.S3Configuration.BufferingHints, shape.S3Configuration.CompressionFormat = hintsOf(b.Hints, false), string(b.Compression)
	}
	var endpoint string
	var others []string
	if len(cluster.Endpoints) > 0 {
		endpoint, others = document.Literally(cluster.Endpoints[0]), cluster.Endpoints[1:]
	}
	switch c.Documents.Destination() {
	case serverlessDestination:
		shape.CollectionEndpoint = endpoint
		e.AmazonOpenSearchServerlessDestinationConfiguration = shape
	case elasticsearchDestination:
		shape.ofCluster(c.Documents, endpoint)
		e.ElasticsearchDestinationConfiguration = shape
	default:
		shape.ofCluster(c.Documents, endpoint)
		e.AmazonopensearchserviceDestinationConfiguration = shape
	}
	e.Shardmill.effectiveDocumentKeys = c.Documents.keys(others)
}

// ofCluster adds what only clusters have.
func (e *effectiveDocuments) ofCluster(d *Documents, endpoint string) {
	e.DomainARN, e.ClusterEndpoint, e.TypeName = document.Literally(d.DomainARN), endpoint, document.Literally(d.Cluster.TypeName)
	e.IndexRotationPeriod = string(cmp.Or(d.Cluster.IndexRotationPeriod, esarchive.OneDay))
	e.DocumentIdOptions = &effectiveIDs{"FIREHOSE_DEFAULT"}
	if d.Cluster.IDs.None {
		e.DocumentIdOptions = &effectiveIDs{"NO_DOCUMENT_ID"}
	}
	if d.Cluster.IDs.Field != "" {
		e.DocumentIdOptions = nil
	}
}

// keys returns the members of the shardmill key.
func (d *Documents) keys(others []string) effectiveDocumentKeys {
	c, a := d.Cluster, d.Access
	k := effectiveDocumentKeys{
		Engine: c.Engine, Auth: string(a.Kind), Username: document.Literally(a.Username),
		Password: a.Password.shown(), PasswordFile: document.Literally(a.Password.File), APIKey: a.APIKey.shown(), APIKeyFile: document.Literally(a.APIKey.File),
		CAFile: document.Literally(d.CAFile), InsecureHTTP: c.InsecureHTTP,
		Weeks: string(c.Weeks), IDField: document.Literally(c.IDs.Field), VersionField: document.Literally(c.IDs.VersionField), IDPrefix: c.IDs.Prefix, Operation: string(c.Operation),
		Pipeline: document.Literally(c.Pipeline), RoutingField: document.Literally(c.RoutingField), FastFail: c.FastFail, PauseWhenDown: c.PauseWhenDown, MaxRequestMBs: c.MaxRequestBytes >> 20,
	}
	for _, each := range others {
		k.Endpoints = append(k.Endpoints, document.Literally(each))
	}
	if c.GZIP {
		k.RequestCompression = string(processors.GZIP)
	}
	return k
}

// shown is a secret as a file may have it: by its variable, or else null.
func (s Secret) shown() json.RawMessage {
	switch {
	case s.variable != "":
		text, _ := json.Marshal(s.variable) //nolint:errchkjson // a text
		return text
	case s.text != "":
		return json.RawMessage("null")
	}
	return nil
}

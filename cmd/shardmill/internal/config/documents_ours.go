package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors/esarchive"
)

var (
	engine    = regexp.MustCompile(`^(OpenSearch|Elasticsearch)_[0-9]{1,3}\.[0-9]{1,3}$`)
	fieldPath = regexp.MustCompile(`^[^.]+(\.[^.]+)*$`)
)

// documentKeys are the members of the shardmill key that only documents have.
func (l *loader) documentKeys() map[string]func(document.Place) {
	d := &l.documents
	c, a := &d.config.Cluster, &d.config.Access
	text := func(s *string, what string) func(document.Place) {
		return func(p document.Place) {
			read, ok := p.Text()
			if ok && read == "" {
				p.Bad("give %s, or remove it", what)
			}
			*s = read
		}
	}
	field := func(s *string) func(document.Place) {
		return func(p document.Place) {
			read, ok := p.Text()
			if ok && !fieldPath.MatchString(read) {
				p.Bad("it must be the path of a field in the document, such as a.b")
				return
			}
			*s = read
		}
	}
	boolean := func(b *bool) func(document.Place) { return func(p document.Place) { *b, _ = p.Boolean() } }
	keys := map[string]func(document.Place){
		"engine":       l.engine,
		"auth":         func(p document.Place) { a.Kind = AccessKind(p.OneOf(accessKinds()...)) },
		"username":     text(&a.Username, "the user's name"),
		"password":     a.Password.read,
		"passwordFile": text(&a.Password.File, "the name of a file"),
		"apiKey":       a.APIKey.read,
		"apiKeyFile":   text(&a.APIKey.File, "the name of a file"),
		"caFile":       text(&d.config.CAFile, "the name of a file"),
		"insecureHTTP": boolean(&c.InsecureHTTP),
		"endpoints":    l.otherEndpoints,
		"weeks": func(p document.Place) {
			c.Weeks = esarchive.Weeks(p.OneOf(string(esarchive.USWeeks), string(esarchive.ISOWeeks)))
		},
		"idField":      field(&c.IDs.Field),
		"versionField": field(&c.IDs.VersionField),
		"idPrefix":     boolean(&c.IDs.Prefix),
		"operation": func(p document.Place) {
			c.Operation = esarchive.Operation(p.OneOf(string(esarchive.OpIndex), string(esarchive.OpCreate)))
		},
		"pipeline":      text(&c.Pipeline, "the name of an ingest pipeline"),
		"routingField":  field(&c.RoutingField),
		"fastFail":      boolean(&c.FastFail),
		"pauseWhenDown": boolean(&c.PauseWhenDown),
		"requestCompression": func(p document.Place) {
			c.GZIP = p.OneOf("GZIP", "none") == "GZIP"
		},
		"maxRequestMBs": func(p document.Place) {
			n, _ := p.Integer(1, 100)
			c.MaxRequestBytes = int64(n) << 20
		},
	}
	d.keys = map[string]document.Place{}
	for name, read := range keys {
		keys[name] = func(p document.Place) { d.keys[name] = p; read(p) }
	}
	return keys
}

func (l *loader) engine(p document.Place) {
	s, ok := p.Text()
	if ok && !engine.MatchString(s) {
		p.Bad("it must be OpenSearch_MAJOR.MINOR or Elasticsearch_MAJOR.MINOR, such as OpenSearch_2.19")
		return
	}
	l.documents.config.Cluster.Engine = s
}

// documentKeysElsewhere refuses what only documents have, of a file whose destination
// takes none.
func (l *loader) documentKeysElsewhere() {
	if l.target.Path == "" {
		return // what is missing is told
	}
	for _, name := range slices.Sorted(maps.Keys(l.documents.keys)) {
		others := []string{elasticsearchDestination, openSearchDestination}
		if slices.Contains(sharedKeys(), name) {
			if l.warehouse.on() {
				continue
			}
			others = append(others, redshiftDestination)
		}
		l.documents.keys[name].Fault("does nothing with %s; remove it: it goes with %s and %s", l.target.Shown(), strings.Join(others, ", "), serverlessDestination)
	}
}

// idleWithDocuments refuses a member of the shardmill key that documents do not have, if
// it is given.
func (l *loader) idleWithDocuments(all ...document.Place) {
	for _, at := range all {
		if at.Path != "" {
			at.Fault("does nothing with documents: there are no objects of records but those of S3Configuration; remove it")
		}
	}
}

// checkIDs holds what a file says of ids together.
func (l *loader) checkIDs() {
	d := &l.documents
	c := d.config.Cluster
	idField, versionField, idPrefix := d.keys["idField"], d.keys["versionField"], d.keys["idPrefix"]
	create := c.Operation == esarchive.OpCreate
	if idField.Path != "" && c.IDs.None {
		idField.Bad("DocumentIdOptions says %s in line %d; remove one of them", d.idFormat.Value().Text, d.idFormat.Line)
	}
	if idField.Path != "" && versionField.Path == "" && !create {
		idField.Bad("give shardmill.versionField too, as else of two records of one id the one that comes last is kept, and after a failure not even that; or set shardmill.operation to create")
	}
	if versionField.Path != "" && idField.Path == "" {
		versionField.Bad("it does nothing without shardmill.idField; give that too, or remove it")
	}
	if versionField.Path != "" && create {
		versionField.Bad("it does not go with shardmill.operation create; remove one of them")
	}
	if c.IDs.Prefix && (c.IDs.None || idField.Path != "") {
		idPrefix.Fault("%s", fmt.Sprintf("is %v; it is about ids of sequence numbers, and %s; remove it", c.IDs.Prefix, whichIDs(c.IDs)))
	}
}

// warnOfIDs tells where there can be several documents of one id of a field.
func (l *loader) warnOfIDs() {
	d := &l.documents
	c := d.config.Cluster.WithDefaults()
	idField, routing := d.keys["idField"], d.keys["routingField"]
	if idField.Path == "" {
		return
	}
	if c.IndexRotationPeriod != esarchive.NoRotation {
		idField.Warn(fmt.Sprintf("with IndexRotationPeriod %s there is a document for each id and index, as an index knows no other one's ids; set that to NoRotation to have one for each id", c.IndexRotationPeriod))
	}
	if routing.Path != "" {
		routing.Warn("two documents of one id whose values differ may both stay, as a shard knows no other one's ids; have it a field that never changes")
	}
}

func whichIDs(ids esarchive.IDs) string {
	if ids.None {
		return "documents have no ids of ours"
	}
	return "ids are those of shardmill.idField"
}

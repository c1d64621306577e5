package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
)

var (
	clusterName   = regexp.MustCompile(`^[a-z](?:-?[a-z0-9]){0,62}$`)
	workgroupName = regexp.MustCompile(`^[a-z0-9-]{3,64}$`)
)

// Bounds of COPY, and of the capacity of a table.
const (
	shortestCopy = 60 // seconds
	maxUnits     = 40_000
)

// warehouseKeys are the members of the shardmill key that only Redshift has.
func (l *loader) warehouseKeys() map[string]func(document.Place) {
	w := &l.warehouse
	c := &w.config
	keys := map[string]func(document.Place){
		"commitOn": func(p document.Place) {
			l.commitOn = processors.CommitOn(p.OneOf(string(processors.CommitOnStage), string(processors.CommitOnLoad)))
		},
		"copyCredentials": func(p document.Place) {
			c.CopyCredentials = CopyCredentials(p.OneOf(string(CopyByRole), string(CopyBySession)))
		},
		"copyTimeoutSeconds": func(p document.Place) {
			n, _ := p.Integer(shortestCopy, day)
			c.Load.CopyTimeout = time.Duration(n) * time.Second
		},
		"clusterEndpoint":   l.ourEndpoint,
		"ledger":            l.ledger,
		"login":             func(p document.Place) { c.Login.Kind = LoginKind(p.OneOf(loginKinds()...)) },
		"dbUser":            l.dbUser,
		"clusterIdentifier": named(&c.Login.ClusterIdentifier, clusterName, "it must be the identifier of a cluster, 1-63 characters of a-z 0-9 -, not its endpoint"),
		"workgroup":         named(&c.Login.Workgroup, workgroupName, "it must be the name of a workgroup, 3-64 characters of a-z 0-9 -, not its endpoint"),
		"loaderTable":       named(&c.Table.Name, tableName, "it must be 3-255 characters of a-z A-Z 0-9 _ . -, as it names a table in DynamoDB"),
		"loaderBilling":     l.loaderBilling,
	}
	w.keys = map[string]document.Place{}
	for name, read := range keys {
		keys[name] = func(p document.Place) { w.keys[name] = p; read(p) }
	}
	return keys
}

// named reads a name.
func named(to *string, of *regexp.Regexp, remedy string) func(document.Place) {
	return func(p document.Place) {
		s, ok := p.Text()
		if ok && !of.MatchString(s) {
			p.Bad("%s", remedy)
			return
		}
		*to = s
	}
}

func (l *loader) ledger(p document.Place) {
	s, ok := l.bounded(p, 1, longestTableName)
	if ok && strings.TrimSpace(s) == "" {
		p.Bad("it must be the name of a table, or SCHEMA.TABLE")
		return
	}
	l.warehouse.config.Load.Ledger = s
}

func (l *loader) dbUser(p document.Place) {
	s, ok := p.Text()
	if ok && (s == "" || len(s) > 128) {
		p.Bad("it must be the name of a user of the database, of 1-128 characters")
		return
	}
	l.warehouse.config.Login.DbUser = s
}

// loaderBilling reads how the table is billed, if it is created.
func (l *loader) loaderBilling(p document.Place) {
	const onDemand = "PAY_PER_REQUEST"
	t := &l.warehouse.config.Table
	if p.Value().Kind != document.Object {
		if p.Value().Kind != document.Text {
			p.WrongKind(onDemand + " or an object with read and write")
		} else if !p.Is(onDemand) {
			p.Bad("it must be %s, or an object with read and write", onDemand)
		}
		return
	}
	units := func(to *int64) func(document.Place) {
		return func(at document.Place) {
			n, _ := at.Integer(1, maxUnits)
			*to = int64(n)
		}
	}
	given, ok := p.Read(document.Shape{Of: "shardmill.loaderBilling", Members: map[string]func(document.Place){
		"read": units(&t.ReadCapacity), "write": units(&t.WriteCapacity),
	}})
	if ok {
		p.Need(given, "read", "give the units of reads, 5 will do")
		p.Need(given, "write", "give the units of writes, 5 will do")
	}
}

// sharedKeys are members of the shardmill key that documents and Redshift have.
func sharedKeys() []string { return []string{"caFile", "passwordFile"} }

// warehouseKeysElsewhere refuses what only Redshift has, of a file with another
// destination.
func (l *loader) warehouseKeysElsewhere() {
	if l.target.Path == "" {
		return // what is missing is told
	}
	for _, name := range slices.Sorted(maps.Keys(l.warehouse.keys)) {
		l.warehouse.keys[name].Fault("does nothing with %s; remove it: it goes with %s", l.target.Shown(), redshiftDestination)
	}
}

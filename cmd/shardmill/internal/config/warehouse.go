package config

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Warehouse says that what is delivered is loaded into Amazon Redshift, and how.
type Warehouse struct {
	// Load has everything but what the program sets: Staging, Application, Stream, Access, Hooks and Logger.
	Load redshiftarchive.Config

	URL JDBCURL

	// ClusterEndpoint is HOST:PORT in place of that of URL; "" if there is none.
	ClusterEndpoint string

	CopyCredentials CopyCredentials
	RoleARN         string // as which COPY reads the bucket; "" with CopyBySession

	Login  Login
	CAFile string // with the certificates of authorities, PEM; "": Amazon's and the system's

	Table LoaderTable
}

// CopyCredentials is what COPY reads the bucket with.
type CopyCredentials string

// What COPY can read the bucket with.
const (
	CopyByRole    CopyCredentials = "role"    // as a role that is attached to the cluster: Firehose's
	CopyBySession CopyCredentials = "session" // with temporary keys of the SDK's environment
)

// LoaderTable is the table of the lease of who loads.
type LoaderTable struct {
	Name string // never that of the application's leases

	ReadCapacity, WriteCapacity int64 // of a table that is created; both 0: on demand
}

const redshiftDestination = "RedshiftDestinationConfiguration"

// loaderTableEnd ends the default of LoaderTable.Name, behind the application's.
const loaderTableEnd = "-shardmill"

// Firehose's bounds of Redshift.
const (
	longestTableName = 512
	longestColumns   = 10_240
	longestURL       = 512
	longestUsername  = 512
	shortestPassword = 6
	longestPassword  = 512
)

// warehouse is what a file says of Redshift, in whatever order.
type warehouse struct {
	at     document.Place // of the destination; the zero Place if there is none
	config Warehouse

	role, url, username, password, secretARN document.Place // zero Places if nowhere
	secretOn                                 document.Place // SecretsManagerConfiguration, if it is enabled
	compressionAt, optionsAt                 document.Place
	tableAt, columnsAt                       document.Place

	keys map[string]document.Place // of the shardmill key, that only Redshift has
}

// on reports whether the destination is Redshift.
func (w *warehouse) on() bool { return w.at.Path != "" }

// warehouseDestination reads RedshiftDestinationConfiguration.
func (l *loader) warehouseDestination(p document.Place) {
	if !l.onlyDestination(p) {
		l = &loader{} // what is wrong with it is told all the same
	}
	l.warehouse.at = p
	given, ok := p.Read(l.warehouseShape())
	if !ok {
		return
	}
	p.Need(given, "ClusterJDBCURL", "give the cluster's, "+urlForm)
	p.Need(given, "CopyCommand", "give the table's DataTableName in it")
	p.Need(given, "S3Configuration", "give the bucket that records are staged in, as S3DestinationConfiguration has it")
	l.checkBackup()
}

// warehouseShape is the document.Shape of RedshiftDestinationConfiguration.
func (l *loader) warehouseShape() document.Shape {
	w := &l.warehouse
	s := document.Shape{Of: "Firehose's " + redshiftDestination, Others: map[string]string{}, Members: map[string]func(document.Place){
		"CloudWatchLoggingOptions":    logging,
		"ClusterJDBCURL":              l.jdbcURL,
		"CopyCommand":                 l.copyCommand,
		"Password":                    l.databasePassword,
		"ProcessingConfiguration":     l.processing,
		"RetryOptions":                retryOptions(&w.config.Load.RetryDuration),
		"RoleARN":                     l.copyRole,
		"S3BackupConfiguration":       l.backup,
		"S3BackupMode":                l.backupMode,
		"S3Configuration":             l.stagingBucket,
		"SecretsManagerConfiguration": l.secretsManager,
		"Username":                    l.databaseUser,
	}}
	for member := range l.extendedS3().Members {
		if s.Members[member] == nil {
			s.Others[member] = "S3Configuration, if at all"
		}
	}
	return s
}

// retryOptions reads RetryOptions.
func retryOptions(to **time.Duration) func(document.Place) {
	return func(p document.Place) {
		p.Read(document.Shape{Of: "Firehose's RetryOptions", Members: map[string]func(document.Place){
			"DurationInSeconds": func(at document.Place) {
				if n, ok := at.Integer(0, maxRetrySeconds); ok {
					d := time.Duration(n) * time.Second
					*to = &d
				}
			},
		}})
	}
}

// masterKey is in options that have a secret.
var masterKey = regexp.MustCompile(`(?i)master_symmetric_key`)

func (l *loader) copyCommand(p document.Place) {
	w, c := &l.warehouse, &l.warehouse.config.Load
	member := func(to *string, at *document.Place, least, most int) func(document.Place) {
		return func(p document.Place) {
			if s, ok := l.bounded(p, least, most); ok {
				warnOfMarks(p, s)
				*to, *at = s, p
			}
		}
	}
	options := member(&c.CopyOptions, &w.optionsAt, 0, longestColumns)
	given, ok := p.Read(document.Shape{Of: "Firehose's CopyCommand", Members: map[string]func(document.Place){
		"CopyOptions": func(at document.Place) {
			if isOpenText(at) {
				return
			}
			if masterKey.MatchString(at.Value().Text) { // it is shown nowhere
				at.Fault("has MASTER_SYMMETRIC_KEY, which is a secret, and no object that is staged is encrypted with it; remove it, and ENCRYPTED")
				return
			}
			if i := strings.IndexFunc(at.Value().Text, unicode.IsControl); i >= 0 && at.Value().Kind == document.Text { // it may have keys beside
				at.Fault("has the character %U; remove it", []rune(at.Value().Text[i:])[0])
				return
			}
			options(at)
		},
		"DataTableColumns": member(&c.DataTableColumns, &w.columnsAt, 0, longestColumns),
		"DataTableName":    member(&c.DataTableName, &w.tableAt, 1, longestTableName),
	}})
	if ok {
		p.Need(given, "DataTableName", "give the table that records are loaded into, or SCHEMA.TABLE")
	}
}

// What Firehose says of a bucket that records are staged in.
const (
	onlyFormats  = "Only the following compression formats are allowed when using Redshift: [UNCOMPRESSED, GZIP]"
	plainPrefix  = "Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination"
	needPassword = "Redshift Database Password is required for Redshift Destination"
)

// stagingBucket reads S3Configuration: where records are staged.
func (l *loader) stagingBucket(p document.Place) {
	s := l.plainS3()
	plain, format := s.Members["Prefix"], s.Members["CompressionFormat"]
	s.Members["Prefix"] = func(at document.Place) {
		if hasExpressions(at) {
			at.Bad("%s", says("remove the expressions: the date path follows it", plainPrefix))
			return
		}
		plain(at)
	}
	s.Members["ErrorOutputPrefix"] = func(at document.Place) {
		at.Fault("%s", says("does not go with Redshift; remove it: error objects go under Prefix", plainPrefix))
	}
	s.Members["CompressionFormat"] = func(at document.Place) {
		l.warehouse.compressionAt = at
		if at.Is(string(processors.ZIP)) || at.Is(string(processors.Snappy)) || at.Is(string(processors.HadoopSnappy)) {
			at.Bad("%s", says("set it to GZIP or UNCOMPRESSED", onlyFormats))
			return
		}
		format(at)
	}
	given, ok := p.Read(s)
	if ok {
		p.Need(given, "BucketARN", bucketRemedy)
		l.checkPrefixes()
	}
}

// settleWarehouse judges what was read, once all of the file was.
func (l *loader) settleWarehouse() {
	w := &l.warehouse
	if !w.on() {
		l.warehouseKeysElsewhere()
		return
	}
	c := &w.config
	l.checkStatement()
	l.checkCopyRole()
	l.checkLogin()
	if c.CopyCredentials == CopyBySession && c.Login.Kind == LoginDataAPI {
		w.keys["copyCredentials"].Warn("with shardmill.login dataApi these keys are in the statements that the Redshift Data API keeps, and shows to who may describe them; use role, or another login")
	}
	l.checkConnection()
	c.Table.Name = cmp.Or(c.Table.Name, l.tableOfLeases()+loaderTableEnd)
	l.checkLoaderTable()
	l.checkNoMarkersExpire()
	l.config.Delivery.Load = &processors.Load{CommitOn: cmp.Or(l.commitOn, processors.CommitOnStage)}
	l.config.Warehouse = c
}

// checkStatement judges what COPY is made of.
func (l *loader) checkStatement() {
	w := &l.warehouse
	c := w.config.Load
	c.Staging, c.Access = l.config.Delivery, redshiftarchive.RoleAccess{ARN: "arn:aws:iam::123456789012:role/any"} // that is judged elsewhere
	places := map[string]document.Place{"DataTableName": w.tableAt, "DataTableColumns": w.columnsAt, "CopyOptions": w.optionsAt, "Ledger": w.keys["ledger"], "Staging.Prefix": l.prefixAt}
	for _, err := range flat(c.Check()) {
		field, fault, _ := strings.Cut(err.Error(), " ")
		at := places[field]
		value, _ := strconv.QuotedPrefix(fault) // "" if it has none
		switch {
		case at.Path == "" && field == "CopyOptions" && w.compressionAt.Path != "":
			w.compressionAt.Bad("%s %s", field, fault)
		case at.Path == "": // what is missing or wrong is told
		case value != "":
			at.Bad("%s", strings.Replace(strings.TrimPrefix(fault, value+": "), "must ", "it must ", 1))
		default:
			at.Fault("%s", fault)
		}
	}
}

// checkCopyRole holds what COPY reads the bucket with together.
func (l *loader) checkCopyRole() {
	w := &l.warehouse
	c := &w.config
	c.CopyCredentials = cmp.Or(c.CopyCredentials, CopyByRole)
	if c.CopyCredentials == CopyBySession {
		if w.role.Path != "" {
			w.role.NoEffect("shardmill.copyCredentials is session: COPY reads the bucket with keys of the AWS SDK's environment")
		}
		c.RoleARN = ""
		return
	}
	switch {
	case w.role.Path == "":
		w.at.Fault("has no RoleARN; give the role as which the cluster reads the bucket, and attach it to the cluster; or set shardmill.copyCredentials to session")
	case w.role.IsOpen():
		w.role.Text() // tells what to do
	}
}

// copyRole reads RoleARN, which is not a role of this program.
func (l *loader) copyRole(p document.Place) {
	l.warehouse.role = p
	if p.IsOpen() {
		return
	}
	s, ok := p.Text()
	if ok && (!roleARN.MatchString(s) || len(s) > maxARN) {
		p.Bad("it must be arn:aws:iam::ACCOUNT:role/NAME, with an account of 12 digits: the role as which the cluster reads the bucket")
		return
	}
	l.warehouse.config.RoleARN = s
}

// checkLoaderTable holds the names of the two tables apart.
func (l *loader) checkLoaderTable() {
	w := &l.warehouse
	name, at := w.config.Table.Name, w.keys["loaderTable"]
	const apart = "it is the application's lease table, in which a row of another kind would stop workers; name another one"
	switch {
	case at.Path != "" && name == l.tableOfLeases():
		at.Bad(apart)
	case at.Path == "" && len(name) > 255 && len(l.tableOfLeases()) <= 255:
		w.at.Fault("has a table for the lease of who loads whose name would have %d characters; at most 255 are allowed: set shardmill.loaderTable", len(name))
	}
}

// checkNoMarkersExpire refuses the one name of an application whose bundles are below what
// markers are below: a rule that removes bundles which are left behind would remove these.
func (l *loader) checkNoMarkersExpire() {
	const markers = "load"
	if l.tableOfLeases() == markers {
		l.warehouse.at.Fault("does not go with an application that is called %s, below whose name the markers of staged objects are; set shardmill.applicationName to another one", markers)
	}
}

// tableOfLeases returns the name of the application, as it applies.
func (l *loader) tableOfLeases() string {
	return cmp.Or(l.config.Worker.ApplicationName, l.config.Delivery.DeliveryStreamName)
}

// String says what is done with what is staged.
func (w *Warehouse) String() string {
	how := "no ledger"
	if w.Load.Ledger != "" {
		how = "ledger " + w.Load.Ledger
	}
	return fmt.Sprintf("load (COPY %s, %s)", w.Load.DataTableName, how)
}

// Where says where the database is.
func (w *Warehouse) Where() string {
	switch {
	case w.Login.Kind == LoginDataAPI && w.Login.Workgroup != "":
		return "workgroup " + w.Login.Workgroup + ", database " + w.URL.Database
	case w.Login.Kind == LoginDataAPI:
		return "cluster " + w.Login.ClusterIdentifier + ", database " + w.URL.Database
	}
	return cmp.Or(w.ClusterEndpoint, net.JoinHostPort(w.URL.Host, strconv.Itoa(w.URL.Port))) + ", database " + w.URL.Database
}

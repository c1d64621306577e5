package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// JDBCURL is what Firehose's ClusterJDBCURL says.
type JDBCURL struct {
	Text     string // of the whole
	Host     string
	Port     int
	Database string

	// Cluster and Workgroup are what the name of a host of AWS has, and Region: one of the
	// former, or none of another host.
	Cluster, Workgroup, Region string
}

const (
	urlForm    = "jdbc:redshift://NAME.ID.REGION.redshift.amazonaws.com:5439/DATABASE"
	urlPattern = `jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`
)

var (
	anyURL = regexp.MustCompile(`^jdbc:(?:redshift|postgresql)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})/([a-zA-Z0-9_$-]+)$`)

	// firehoseHost is the host of urlPattern, without what Go's expressions do not have.
	firehoseHost = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+redshift(?:-serverless)?\.[a-zA-Z0-9.\-]+$`)

	clusterHost   = regexp.MustCompile(`^([a-z0-9-]+)\.[a-z0-9]+\.([a-z0-9-]+)\.redshift\.amazonaws\.com(?:\.cn)?$`)
	workgroupHost = regexp.MustCompile(`^([a-z0-9-]+)\.\d{12}\.([a-z0-9-]+)\.redshift-serverless\.amazonaws\.com(?:\.cn)?$`)
)

// jdbcURL reads ClusterJDBCURL: Firehose's, or of this machine. Drivers take passwords and
// keys in a URL, by many names, so that one of another form is not shown.
func (l *loader) jdbcURL(p document.Place) {
	w := &l.warehouse
	w.url = p
	if isOpenText(p) {
		return
	}
	if p.IsScalar() || strings.ContainsFunc(p.Value().Text, unicode.IsControl) && !p.IsOpen() {
		notURL(p)
		return
	}
	s, ok := p.Text()
	if !ok {
		return
	}
	m := anyURL.FindStringSubmatch(s)
	if m == nil || len(s) > longestURL {
		notURL(p)
		return
	}
	u := JDBCURL{Text: s, Host: strings.Trim(m[1], "[]"), Database: m[3]}
	u.Port, ok = portOf(m[2])
	if !ok {
		p.Bad("its port must be between 1 and 65535")
		return
	}
	u.ofAWS()
	w.config.URL = u
}

// isOpenText reports whether a text is left open in part, and tells so, without what is
// given of it, which may be a secret.
func isOpenText(p document.Place) bool {
	const open = ", which is not in the file"
	text := p.Value().Text
	at := strings.LastIndex(text, open)
	if !p.IsOpen() || at < 0 || !strings.HasPrefix(text, `is "`) {
		return false
	}
	p.Fault("is a text with what is not in the file%s", text[at+len(open):])
	return true
}

func notURL(p document.Place) {
	p.Fault("%s", says("is no URL of a database, and is not shown, as it may have a password; it must be "+urlForm+" alone, with nothing behind the database",
		constraint(p, "Member must satisfy regular expression pattern: "+urlPattern)))
}

// ofAWS takes a host of AWS apart.
func (u *JDBCURL) ofAWS() {
	host := strings.ToLower(u.Host)
	if m := clusterHost.FindStringSubmatch(host); m != nil {
		u.Cluster, u.Region = m[1], m[2]
	}
	if m := workgroupHost.FindStringSubmatch(host); m != nil {
		u.Workgroup, u.Region = m[1], m[2]
	}
}

func portOf(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && 1 <= n && n <= 65535
}

// hostName is what a name in the network is of.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$`)

// ourEndpoint reads where the database is reached, in place of the host of ClusterJDBCURL.
func (l *loader) ourEndpoint(p document.Place) {
	s, ok := p.Text()
	if !ok {
		return
	}
	host, port, err := net.SplitHostPort(s)
	_, ipErr := netip.ParseAddr(host)
	if _, ok := portOf(port); err != nil || !ok || ipErr != nil && !hostName.MatchString(host) {
		p.Bad("it must be HOST:PORT")
		return
	}
	l.warehouse.config.ClusterEndpoint = s
}

// checkConnection refuses what is about a connection that there is none of, and takes over
// what documents have too.
func (l *loader) checkConnection() {
	w := &l.warehouse
	w.config.CAFile = l.documents.config.CAFile
	if host := w.config.URL.Host; host != "" && !firehoseHost.MatchString(host) && !isLoopbackHost(host) && w.keys["clusterEndpoint"].Path == "" {
		w.url.Bad("%s", says("its host must be one of Redshift, or of this machine; for any other give the HOST:PORT that it is reached by as shardmill.clusterEndpoint",
			constraint(w.url, "Member must satisfy regular expression pattern: "+urlPattern)))
	}
	if w.config.Login.Kind != LoginDataAPI {
		return
	}
	for _, at := range []document.Place{w.keys["clusterEndpoint"], l.documents.keys["caFile"]} {
		if at.Path != "" {
			at.Fault("does nothing while shardmill.login is dataApi, which connects to AWS alone; remove it")
		}
	}
}

// hasExpressions reports whether a prefix is more than itself.
func hasExpressions(p document.Place) bool {
	return p.Value().Kind == document.Text && strings.Contains(p.Value().Text, "!{")
}

package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors/esarchive"
)

var (
	domainARN = regexp.MustCompile(`^arn:.*:es:([a-zA-Z0-9-]+):\d{12}:domain/[a-z][-0-9a-z]{2,27}$`)

	// serviceHost has the region: search-NAME-ID.REGION.es.amazonaws.com and
	// ID.REGION.aoss.amazonaws.com, also those of a VPC and of China, and those that
	// have IPv6 too.
	serviceHost = regexp.MustCompile(`\.([a-z0-9-]+)\.(?:es|aoss)\.amazonaws\.com(?:\.cn)?$|\.(?:aos|aoss)\.([a-z0-9-]+)\.on\.aws$`)
)

const endpointRemedy = "it must be https://HOST or https://HOST:PORT, without a path"

func (l *loader) domainARN(p document.Place) {
	l.documents.domain = p
	s, ok := p.Text()
	if !ok {
		return
	}
	parts := domainARN.FindStringSubmatch(s)
	if parts == nil || utf8.RuneCountInString(s) > maxARN {
		p.Bad("it must be arn:aws:es:REGION:ACCOUNT:domain/NAME, with an account of 12 digits")
		return
	}
	l.documents.config.DomainARN, l.documents.config.Region = s, parts[1]
}

// clusterEndpoint reads ClusterEndpoint or CollectionEndpoint. They are the first.
func (l *loader) clusterEndpoint(p document.Place) {
	l.documents.endpoint = p
	if host, ok := l.endpoint(p); ok {
		c := &l.documents.config.Cluster
		c.Endpoints = append([]string{p.Value().Text}, c.Endpoints...)
		l.documents.config.Region = regionOf(host)
	}
}

// otherEndpoints reads more URLs of one cluster.
func (l *loader) otherEndpoints(p document.Place) {
	items, ok := p.Items("a list of URLs")
	if ok && len(items) == 0 {
		p.Fault("is empty; give URLs of the same cluster, or remove it")
	}
	for _, at := range items {
		if _, ok := l.endpoint(at); ok {
			l.documents.config.Cluster.Endpoints = append(l.documents.config.Cluster.Endpoints, at.Value().Text)
			l.documents.others = append(l.documents.others, at)
		}
	}
}

// endpoint reads a URL, and returns its host. A password in it is not shown.
func (l *loader) endpoint(p document.Place) (host string, ok bool) {
	s, ok := p.Text()
	if !ok {
		return "", false
	}
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@"):
		p.Fault("has an @, as URLs with a password have; give https://HOST alone, and shardmill.auth, username and passwordFile")
	case err != nil || u.Host == "" || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" && u.Path != "/":
		p.Bad(endpointRemedy)
	case utf8.RuneCountInString(s) > longestEndpoint:
		p.Fault("has %d characters; at most %d are allowed", utf8.RuneCountInString(s), longestEndpoint)
	default:
		return u.Hostname(), true
	}
	return "", false
}

// checkEndpoints judges endpoints, once it is known what goes with them.
func (l *loader) checkEndpoints() {
	d := &l.documents
	c := d.config.Cluster
	secure, open := d.domain.Path != "", false
	for _, at := range append([]document.Place{d.endpoint}, d.others...) {
		switch host, plain := plainHost(at.Value().Text); {
		case !plain:
			secure = secure || at.Path != ""
		case isLoopbackHost(host):
		case c.InsecureHTTP:
			open = true
		default:
			remedy := "documents and passwords would be readable on the way; make it https://, or set shardmill.insecureHTTP to true"
			if at.Path == d.endpoint.Path {
				remedy = says(remedy, constraint(at, "Member must satisfy regular expression pattern: https:.*"))
			}
			at.Bad("%s", remedy)
		}
	}
	if at := d.keys["endpoints"]; at.Path != "" && d.domain.Path != "" {
		at.Fault("does not go with DomainARN, whose endpoint is looked up; give the cluster's as ClusterEndpoint, or remove it")
	}
	if c.InsecureHTTP && !open {
		d.keys["insecureHTTP"].Fault("does nothing, as no endpoint is http:// to another machine; remove it")
	}
	if at := d.keys["caFile"]; at.Path != "" && !secure && d.endpoint.Path != "" {
		at.Fault("does nothing, as no endpoint is https://; remove it")
	}
}

// plainHost returns the host of a URL without TLS.
func plainHost(s string) (host string, plain bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" {
		return "", false
	}
	return u.Hostname(), true
}

// isLoopbackHost reports whether only this machine has the address.
func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// regionOf returns the region in the name of an endpoint of AWS; "" if there is none.
func regionOf(host string) string {
	m := serviceHost.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return ""
	}
	return m[1] + m[2] // one of them is ""
}

// SigningService is what the requests to a cluster are signed for.
func (d *Documents) SigningService() string {
	if d.Cluster.Service == esarchive.Serverless {
		return "aoss"
	}
	return "es"
}

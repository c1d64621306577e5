package esarchive

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// How long an endpoint rests that did not answer, from the first time on.
const (
	firstRest = time.Second
	maxRest   = 30 * time.Second
)

// endpoint is what is known of one.
type endpoint struct {
	faults int       // in a row
	since  time.Time // when it was found not to answer, last
	until  time.Time // it rests until then
}

// choose returns the endpoint for a request: the first one from next on that does not
// rest, or if all of them do the one that has rested most nearly enough.
func choose(all []endpoint, next int, now time.Time) int {
	best := next % len(all)
	for i := range all {
		at := (next + i) % len(all)
		if !now.Before(all[at].until) {
			return at
		}
		if all[at].until.Before(all[best].until) {
			best = at
		}
	}
	return best
}

// after returns what is known of an endpoint when a request has ended that was begun at
// begun. Of requests that were under way together only the first fault counts.
func (e endpoint) after(answered bool, begun, now time.Time) endpoint {
	switch {
	case answered:
		return endpoint{}
	case begun.Before(e.since):
		return e
	}
	e.faults++
	rest := maxRest
	if e.faults <= 5 {
		rest = min(maxRest, firstRest<<(e.faults-1))
	}
	e.since, e.until = now, now.Add(rest)
	return e
}

// endpoints are those of a cluster. They are safe for concurrent use.
type endpoints struct {
	urls []*url.URL

	mu   sync.Mutex // guards what follows
	all  []endpoint
	next int
}

// take chooses the endpoint for a request.
func (e *endpoints) take(now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := choose(e.all, e.next, now)
	e.next = (at + 1) % len(e.all)
	return at
}

// ended notes how a request to an endpoint ended, and reports whether it began to rest by
// that, or was found to answer again.
func (e *endpoints) ended(at int, answered bool, begun, now time.Time) (changed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.all[at].faults
	e.all[at] = e.all[at].after(answered, begun, now)
	return (before == 0) != (e.all[at].faults == 0)
}

// Texts of Firehose, which names no endpoint either way.
const (
	noEndpoint   = "Firehose says: Provide either the Elasticsearch cluster endpoint or domain arn."
	noCollection = "Firehose says: Must specify collection endpoint for delivery to OpenSearch serverless."
)

// parseEndpoints reads the Config's Endpoints. The error names all that is wrong with them.
func parseEndpoints(c Config) (*endpoints, error) {
	if len(c.Endpoints) == 0 {
		says := noEndpoint
		if c.Service == Serverless {
			says = noCollection
		}
		return nil, errors.New("Endpoints is empty; set at least one. " + says)
	}
	e := &endpoints{all: make([]endpoint, len(c.Endpoints))}
	var faults []error
	for i, text := range c.Endpoints {
		u, err := parseEndpoint(text, c.InsecureHTTP)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %w", fmt.Sprintf("Endpoints[%d]", i), err))
			continue
		}
		e.urls = append(e.urls, u)
	}
	return e, errors.Join(faults...)
}

func parseEndpoint(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("is %q; it must be a URL, such as https://HOST or https://HOST:PORT", redacted(text))
	case u.User != nil:
		return nil, fmt.Errorf("is %s with a user name; leave it out, and set Auth", u.Host)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("is %q; leave out what is behind the host and the port", redacted(text))
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("is %q, which sends documents and passwords readable; use https://, or set InsecureHTTP", redacted(text))
	}
	return &url.URL{Scheme: u.Scheme, Host: withoutDefaultPort(u.Scheme, u.Host)}, nil
}

// redacted is a URL, as it was given, without what may be a password or a token.
func redacted(text string) string {
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = "…" + rest[at:]
		}
		text = scheme + "://" + rest
	} else if strings.ContainsRune(text, '@') {
		return "…"
	}
	text, _, _ = strings.Cut(text, "?")
	return text
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

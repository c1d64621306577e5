package esarchive

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// What tests of the client need of it.
type (
	Client       struct{ *client }
	ClientAnswer struct{ Items []ClientItem }
	ClientItem   struct {
		Status       int
		Kind, Reason string
	}
	ClientFault struct {
		Code                                     string
		Status                                   int
		Message                                  string
		Auth, Rejected, TooLarge, Down, Mismatch bool
	}
	ClientCluster struct {
		Engine       string
		Major, Minor int
		MaxContent   int64
	}
	Endpoint = endpoint
)

// NewClient returns a client of a Config whose defaults are filled in.
func NewClient(c Config) (Client, error) {
	x, err := newClient(settings{Config: c})
	return Client{x}, err
}

func exportFault(f *fault) *ClientFault {
	if f == nil {
		return nil
	}
	return &ClientFault{f.code, f.status, f.message, f.auth, f.rejected, f.tooLarge, f.down, f.mismatch}
}

func exportAnswer(a answer) (out ClientAnswer) {
	for _, i := range a.items {
		out.Items = append(out.Items, ClientItem{i.status, i.kind, i.reason})
	}
	return out
}

func exportCluster(c cluster) ClientCluster {
	return ClientCluster{c.engine, c.major, c.minor, c.maxContent}
}

func (c Client) Bulk(ctx context.Context, body []byte, n int) (ClientAnswer, *ClientFault) {
	a, f := c.bulk(ctx, body, n)
	return exportAnswer(a), exportFault(f)
}

func (c Client) Cluster(ctx context.Context) ClientCluster { return exportCluster(c.cluster(ctx)) }

func (c Client) Looks(ctx context.Context, index string) []Look { return c.looks(ctx, index) }

func (c Client) Check(ctx context.Context, index string) error { return c.check(ctx, index) }

func ParseAnswer(body []byte, n int) (ClientAnswer, *ClientFault) {
	a, f := parseAnswer(body, n)
	return exportAnswer(a), exportFault(f)
}

// ParseOnly is ParseAnswer without a copy of the answer.
func ParseOnly(body []byte, n int) bool {
	_, f := parseAnswer(body, n)
	return f == nil
}

func Judge(status int, contentType, body, location string) ClientFault {
	return *exportFault(judge(status, readSaid(contentType, []byte(body)), location))
}

func Choose(all []Endpoint, next int, now time.Time) int { return choose(all, next, now) }

func (e endpoint) After(answered bool, begun, now time.Time) Endpoint {
	return e.after(answered, begun, now)
}

func (e endpoint) Until() time.Time { return e.until }

func ReadNodes(body []byte) (ClientCluster, bool) {
	c, told := readNodes(body, cluster{maxContent: defaultMaxContent})
	return exportCluster(c), told
}

func ReadRoot(body []byte) (ClientCluster, bool) {
	c, told := readRoot(body, cluster{maxContent: defaultMaxContent})
	return exportCluster(c), told
}

// IsLimited reports whether a cluster with these answers said how large requests may be.
func IsLimited(nodes, root []byte) bool {
	c, told := readNodes(nodes, cluster{maxContent: defaultMaxContent})
	if !told {
		c, _ = readRoot(root, c)
	}
	return c.isLimited
}

// Sign signs with credentials at a time.
func (s SigV4) Sign(ctx context.Context, r *http.Request, body []byte, credentials aws.Credentials, at time.Time) error {
	return s.sign(ctx, r, body, credentials, at)
}

func ParseEndpoints(c Config) ([]*url.URL, error) {
	e, err := parseEndpoints(c)
	if err != nil {
		return nil, err
	}
	return e.urls, nil
}

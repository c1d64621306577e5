package esarchive_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// guarded is a service of AWS in front of a cluster: it verifies signatures and permits what
// is granted, action and resource. It is a transport.
type guarded struct {
	canned

	service string
	granted func(action, resource string) bool

	mu     sync.Mutex // guards denied
	denied []string
}

const accessKey, secretKey = "AKIDEXAMPLE", "wJalrXUtnFEMI"

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = nil
	}
	if why := verify(r, body, g.service); why != "" {
		return respond(403, strings.NewReader(fmt.Sprintf(`{"message":%q}`, why))), nil
	}
	for _, n := range needs(g.service, r) {
		if !g.granted(n[0], n[1]) {
			g.mu.Lock()
			g.denied = append(g.denied, n[0]+" "+n[1])
			g.mu.Unlock()
			return respond(403, strings.NewReader(fmt.Sprintf(`{"Message":"User: role/shardmill is not authorized to perform: %s"}`, n[0]))), nil
		}
	}
	return g.canned.RoundTrip(r)
}

// Do makes it an HTTP client of the SDK.
func (g *guarded) Do(r *http.Request) (*http.Response, error) { return g.RoundTrip(r) }

// needs are the actions that a request needs, each with its resource.
func needs(service string, r *http.Request) [][2]string {
	const domain = "arn:aws:es:us-east-1:123456789012:domain/orders"
	action := map[string]string{http.MethodGet: "ESHttpGet", http.MethodPost: "ESHttpPost", http.MethodPut: "ESHttpPut"}[r.Method]
	switch {
	case service == "aoss" && r.URL.Path == "/_bulk":
		return [][2]string{{"aoss:APIAccessAll", "collection"}, {"aoss:WriteDocument", "index/orders/orders"}}
	case service == "aoss":
		return [][2]string{{"aoss:APIAccessAll", "collection"}, {"aoss:DescribeIndex", "index/orders/orders"}}
	case strings.HasPrefix(r.URL.Path, "/2021-01-01/opensearch/domain/"):
		return [][2]string{{"es:DescribeDomain", domain}}
	}
	return [][2]string{{"es:" + action, domain + r.URL.Path}}
}

// verify says what is wrong with a signature, which it makes again with AWS's own signer of
// the headers that it names.
func verify(r *http.Request, body []byte, service string) string {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	parts := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=`).FindStringSubmatch(r.Header.Get("Authorization"))
	digest := sha256.Sum256(body)
	hash := hex.EncodeToString(digest[:])
	switch {
	case err != nil || parts == nil:
		return "Missing Authentication Token"
	case time.Since(at).Abs() > 5*time.Minute:
		return "Signature expired"
	case parts[1] != accessKey || parts[2] != "us-east-1" || parts[3] != service:
		return "Credential should be scoped to a valid region and service"
	case r.Header.Get("X-Amz-Content-Sha256") != hash || !slices.Contains(strings.Split(parts[4], ";"), "x-amz-content-sha256"):
		return "x-amz-content-sha256 is missing, not signed, or not that of the body"
	}
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
	for name := range strings.SplitSeq(parts[4], ";") {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	keys := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, again, hash, service, parts[2], at); err != nil || again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		return "The request signature we calculated does not match the signature you provided"
	}
	return ""
}

// documentedPolicy reads the n-th policy of what docs/elasticsearch.md says of access, and
// returns all that it says.
func documentedPolicy(t *testing.T, n int, into any) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/elasticsearch.md")
	if err != nil {
		t.Fatal(err)
	}
	_, access, _ := strings.Cut(string(text), "\n## Access\n")
	blocks := strings.Split(access, "```json\n")
	if len(blocks) <= n+1 {
		t.Fatal("the policies are gone")
	}
	policy, _, _ := strings.Cut(blocks[n+1], "```")
	if err := json.Unmarshal([]byte(policy), into); err != nil {
		t.Fatal(err)
	}
	return access
}

// grants are what a policy of IAM permits: pairs of an action and a pattern of resources.
func grants(t *testing.T) (all [][2]string) {
	t.Helper()
	var policy struct {
		Statement []struct {
			Action   string
			Resource any
		}
	}
	documentedPolicy(t, 0, &policy)
	for _, s := range policy.Statement {
		switch of := s.Resource.(type) {
		case string:
			all = append(all, [2]string{s.Action, of})
		case []any:
			for _, r := range of {
				all = append(all, [2]string{s.Action, fmt.Sprint(r)})
			}
		}
	}
	return all
}

// behindPolicy is a domain behind a policy.
func behindPolicy(t *testing.T, all [][2]string) (*guarded, esarchive.Client) {
	t.Helper()
	g := &guarded{service: "es", granted: func(action, resource string) bool {
		return slices.ContainsFunc(all, func(g [2]string) bool {
			ok, err := path.Match(g[1], resource)
			return g[0] == action && ok && err == nil
		})
	}}
	g.answers = map[string]string{
		"/_nodes": nodes219, "/": root219, "/orders/_mapping": behind, "/orders/_alias": `200 {"a1":{"aliases":{"orders":{"is_write_index":true}}}}`, "/_cluster/settings": goodSettings, "/_bulk": "200 " + accepted,
		"/2021-01-01/opensearch/domain/orders": `200 {"DomainStatus":{"Endpoint":"search-orders-x.us-east-1.es.amazonaws.com","EngineVersion":"OpenSearch_2.19"}}`,
	}
	keys := credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
	return g, newClient(t, "https://search-orders-x.us-east-1.es.amazonaws.com", func(c *esarchive.Config) {
		c.Transport, c.Auth = g, esarchive.SigV4{Credentials: keys, Region: "us-east-1", Service: "es"}
	})
}

// use does all that the table of the documentation names, and returns what it says.
func use(t *testing.T, g *guarded, x esarchive.Client) (fault *esarchive.ClientFault, is esarchive.ClientCluster, looks []string, err error) {
	t.Helper()
	_, fault = x.Bulk(t.Context(), []byte(bulkBody), 1)
	is = x.Cluster(t.Context())
	for _, l := range x.Looks(t.Context(), "orders") {
		if l.Status != esarchive.LookOK {
			looks = append(looks, fmt.Sprintf("%s: %s: %s", l.What, l.Status, l.Text))
		}
	}
	_, err = esarchive.ResolveDomain(t.Context(), aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""), HTTPClient: g,
	}, "arn:aws:es:us-east-1:123456789012:domain/orders")
	return fault, is, looks, err
}

// TestAccess: the documented policy permits all that is done, each of its permissions is
// needed, and without it happens what the table says.
func TestAccess(t *testing.T) {
	t.Parallel()
	all := grants(t)
	whole := esarchive.ClientCluster{Engine: "OpenSearch", Major: 2, Minor: 19, MaxContent: 100 << 20}
	g, x := behindPolicy(t, all)
	if fault, is, looks, err := use(t, g, x); fault != nil || is != whole || len(looks) > 0 || err != nil || len(g.denied) > 0 {
		t.Errorf("with all of it: %+v, %+v, %q, %v; denied were %q", fault, is, looks, err, g.denied)
	}
	seen := 0
	for i, missing := range all {
		t.Run("without "+missing[0]+" on "+missing[1], func(t *testing.T) {
			t.Parallel()
			g, x := behindPolicy(t, slices.Delete(slices.Clone(all), i, i+1))
			fault, is, looks, err := use(t, g, x)
			want := whole
			told := ""
			_, at, _ := strings.Cut(missing[1], "domain/orders")
			switch missing[0] + " " + at {
			case "es:DescribeDomain ":
				told = "permit es:DescribeDomain"
			case "es:ESHttpPost /_bulk":
				told = "permit es:ESHttpPost on /_bulk"
			case "es:ESHttpGet /_nodes":
				told, want.MaxContent = "permit es:ESHttpGet on it", 10<<20
			case "es:ESHttpGet /*/_mapping", "es:ESHttpGet /*/_alias", "es:ESHttpGet /_cluster/settings":
				told = "permit es:ESHttpGet on " + strings.Replace(at, "*", "orders", 1)
			case "es:ESHttpGet /": // it is only asked without /_nodes
				if len(looks) > 0 || fault != nil || err != nil || is != want {
					t.Errorf("%q, %+v, %v, %+v", looks, fault, err, is)
				}
				return
			default:
				t.Fatalf("the policy permits what is not asked for: %v", missing)
			}
			if isBulk := missing[0] == "es:ESHttpPost"; isBulk != (fault != nil) || isBulk && (fault.Code != "OS.AccessDenied" || !fault.Auth) {
				t.Errorf("bulk: %+v", fault)
			}
			if (missing[0] == "es:DescribeDomain") != (err != nil) || is != want {
				t.Errorf("the domain: %v; the cluster: %+v", err, is)
			}
			if text := fmt.Sprint(looks, err); !strings.Contains(text, told) {
				t.Errorf("told is %s, and not %s", text, told)
			}
		})
		seen++
	}
	if seen != 7 {
		t.Errorf("%d permissions", seen)
	}
	t.Run("without / and /_nodes", func(t *testing.T) {
		t.Parallel()
		g, x := behindPolicy(t, slices.DeleteFunc(slices.Clone(all), func(g [2]string) bool {
			return strings.HasSuffix(g[1], "/orders/") || strings.HasSuffix(g[1], "/_nodes")
		}))
		fault, is, looks, _ := use(t, g, x)
		if fault != nil || is != (esarchive.ClientCluster{MaxContent: 10 << 20}) || !strings.Contains(fmt.Sprint(looks), "or set Engine") {
			t.Errorf("%+v, %+v, %q", fault, is, looks)
		}
	})
}

// TestAccessTable: each row of the documentation's table is permitted by its policy.
func TestAccessTable(t *testing.T) {
	t.Parallel()
	text := documentedPolicy(t, 0, new(any))
	all := grants(t)
	rows := regexp.MustCompile("(?m)^\\| `[^`]+` \\| `(es:[A-Za-z]+)` \\| (?:`([^`]+)`|the domain) \\|").FindAllStringSubmatch(text, -1)
	if len(rows) != len(all) {
		t.Errorf("%d rows, %d permissions", len(rows), len(all))
	}
	for _, row := range rows {
		want := [2]string{row[1], "arn:aws:es:us-east-1:123456789012:domain/orders" + row[2]}
		if !slices.Contains(all, want) {
			t.Errorf("the policy does not permit %v", want)
		}
	}
}

// TestAccessToCollection: the same for a collection of OpenSearch Serverless.
func TestAccessToCollection(t *testing.T) {
	t.Parallel()
	var policy []struct {
		Rules []struct{ Permission []string }
	}
	text := documentedPolicy(t, 1, &policy)
	all := append([]string{"aoss:APIAccessAll"}, policy[0].Rules[0].Permission...)
	if !strings.Contains(text, "`aoss:APIAccessAll` is of IAM") || len(all) != 5 {
		t.Errorf("%v", all)
	}
	for _, missing := range append([]string{""}, all...) {
		t.Run("without "+missing, func(t *testing.T) {
			t.Parallel()
			g := &guarded{service: "aoss", granted: func(action, _ string) bool { return action != missing && slices.Contains(all, action) }}
			g.answers = map[string]string{"/orders/_mapping": mapped, "/_bulk": "200 " + accepted}
			x := newClient(t, "https://abc.us-east-1.aoss.amazonaws.com", func(c *esarchive.Config) {
				c.Transport, c.Service = g, esarchive.Serverless
				c.Auth = esarchive.SigV4{Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""), Region: "us-east-1", Service: "aoss"}
			})
			_, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
			if isDenied := missing == "aoss:APIAccessAll" || missing == "aoss:WriteDocument"; isDenied != (f != nil) || isDenied && (f.Code != "OS.AccessDenied" || !strings.Contains(f.Message, missing)) {
				t.Errorf("bulk: %+v", f)
			}
			looks := fmt.Sprint(x.Looks(t.Context(), "orders"))
			if isDenied := missing == "aoss:APIAccessAll" || missing == "aoss:DescribeIndex"; isDenied == strings.Contains(looks, "its mapping can be read") || isDenied && !strings.Contains(looks, "permit aoss:APIAccessAll on the collection, and aoss:DescribeIndex") {
				t.Errorf("looks: %s", looks)
			}
		})
	}
}

// TestAccessBySignature: whoever signs otherwise is refused as a whole, by the first of all
// requests, and what the service says is told.
func TestAccessBySignature(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		auth esarchive.Auth
		says string
	}{
		"nobody":         {nil, "Missing Authentication Token"},
		"a password":     {esarchive.Basic{Credentials: func(context.Context) (string, string, error) { return "a", "b", nil }}, "Missing Authentication Token"},
		"another key":    {esarchive.SigV4{Credentials: credentials.NewStaticCredentialsProvider(accessKey, "other", ""), Region: "us-east-1", Service: "es"}, "does not match the signature you provided"},
		"another region": {esarchive.SigV4{Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""), Region: "us-east-2", Service: "es"}, "scoped to a valid region"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := behindPolicy(t, grants(t))
			x := newClient(t, "https://search-orders-x.us-east-1.es.amazonaws.com", func(c *esarchive.Config) { c.Transport, c.Auth = g, row.auth })
			_, f := x.Bulk(t.Context(), []byte(bulkBody), 1)
			if f == nil || f.Code != "OS.AccessDenied" || !f.Auth || f.Status != 403 || !strings.Contains(f.Message, row.says) {
				t.Errorf("%+v", f)
			}
		})
	}
}

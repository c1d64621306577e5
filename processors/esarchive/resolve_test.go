package esarchive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/processors/esarchive"
)

const domainARN = "arn:aws:es:us-east-1:123456789012:domain/orders"

// describing is a configuration of the SDK whose requests are answered.
func describing(answer roundTrip) aws.Config {
	return aws.Config{Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""), HTTPClient: doer{answer}}
}

type doer struct{ http.RoundTripper }

func (d doer) Do(r *http.Request) (*http.Response, error) { return d.RoundTrip(r) }

// TestResolveDomain: DescribeDomain's answers.
func TestResolveDomain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		arn    string
		status int
		header string // X-Amzn-Errortype
		body   string
		want   esarchive.Domain
		fault  string
	}{
		"public": {
			domainARN, 200, "", `{"DomainStatus":{"DomainName":"orders","Processing":true,"Endpoint":"search-orders-x.us-east-1.es.amazonaws.com","EngineVersion":"OpenSearch_2.19"}}`,
			esarchive.Domain{Name: "orders", Region: "us-east-1", Endpoint: "https://search-orders-x.us-east-1.es.amazonaws.com", Engine: "OpenSearch_2.19"},
			"",
		},
		"in a VPC": {
			domainARN, 200, "", `{"DomainStatus":{"Endpoints":{"vpc":"vpc-orders-x.us-east-1.es.amazonaws.com"},"EngineVersion":"Elasticsearch_6.8"}}`,
			esarchive.Domain{Name: "orders", Region: "us-east-1", Endpoint: "https://vpc-orders-x.us-east-1.es.amazonaws.com", Engine: "Elasticsearch_6.8"},
			"",
		},
		"an engine of another kind": {
			domainARN, 200, "", `{"DomainStatus":{"Endpoint":"e.example","EngineVersion":"Solr_9"}}`,
			esarchive.Domain{Name: "orders", Region: "us-east-1", Endpoint: "https://e.example"},
			"",
		},
		"no endpoint yet":    {domainARN, 200, "", `{"DomainStatus":{"Processing":true}}`, esarchive.Domain{}, "the domain has no endpoint yet; wait until it is active"},
		"deleted":            {domainARN, 200, "", `{"DomainStatus":{"Deleted":true,"Endpoint":"e.example"}}`, esarchive.Domain{}, "the domain is being deleted"},
		"no DomainStatus":    {domainARN, 200, "", `{}`, esarchive.Domain{}, "no DomainStatus"},
		"HTML":               {domainARN, 200, "", `<html>`, esarchive.Domain{}, "no DomainStatus"},
		"denied":             {domainARN, 403, "AccessDeniedException:http://x", `{"Message":"User: x is not authorized"}`, esarchive.Domain{}, "es:DescribeDomain: AWS answered 403 AccessDeniedException: User: x is not authorized: permit es:DescribeDomain"},
		"not there":          {domainARN, 409, "ResourceNotFoundException", `{"message":"Domain not found: orders"}`, esarchive.Domain{}, "Domain not found: orders: is the domain in this account and region?"},
		"throttled":          {domainARN, 429, "", `{"message":"Rate exceeded"}`, esarchive.Domain{}, "es:DescribeDomain: AWS answered 429: Rate exceeded"},
		"no ARN":             {"orders", 0, "", "", esarchive.Domain{}, `DomainARN is "orders"; it must be like arn:aws:es:REGION:ACCOUNT:domain/NAME`},
		"another service's":  {"arn:aws:s3:::bucket", 0, "", "", esarchive.Domain{}, "it must be like"},
		"a name with a path": {domainARN + "/../x", 0, "", "", esarchive.Domain{}, "it must be like"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := esarchive.ResolveDomain(t.Context(), describing(func(r *http.Request) (*http.Response, error) {
				if _, scope := signedBy(t, r); r.Method != http.MethodGet || r.URL.String() != "https://es.us-east-1.amazonaws.com/2021-01-01/opensearch/domain/orders" || !strings.HasSuffix(scope, "/us-east-1/es/aws4_request") {
					t.Errorf("%s %s, signed for %s", r.Method, r.URL, scope)
				}
				return respond(row.status, strings.NewReader(row.body), "X-Amzn-Errortype", row.header), nil
			}), row.arn)
			if row.fault != "" {
				if err == nil || !strings.Contains(err.Error(), row.fault) || !strings.Contains(err.Error(), "set ClusterEndpoint") || !strings.HasPrefix(err.Error(), "DomainARN ") {
					t.Errorf("%v; want …%s…", err, row.fault)
				}
				return
			}
			if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// The endpoint of the API is that of the domain's partition and region.
func TestPartitions(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:es:eu-west-1:123456789012:domain/orders": "es.eu-west-1.amazonaws.com", "arn:aws-cn:es:cn-north-1:123456789012:domain/orders": "es.cn-north-1.amazonaws.com.cn",
		"arn:aws-us-gov:es:us-gov-west-1:123456789012:domain/orders": "es.us-gov-west-1.amazonaws.com",
	} {
		synctest.Test(t, func(t *testing.T) { // it is asked again
			host := ""
			_, err := esarchive.ResolveDomain(t.Context(), describing(func(r *http.Request) (*http.Response, error) {
				host = r.URL.Host
				return nil, errors.New("broken")
			}), arn)
			if host != want || err == nil || !strings.Contains(err.Error(), "es:DescribeDomain: broken") {
				t.Errorf("%s is asked of %s: %v", arn, host, err)
			}
		})
	}
}

// TestDomainIsAskedElsewhere: an endpoint of one's own, as the SDK's clients have it.
func TestDomainIsAskedElsewhere(t *testing.T) {
	asked := map[string]int{}
	serving := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked[name]++
			fmt.Fprintf(w, `{"DomainStatus":{"Endpoint":"http://%s.example:9200","EngineVersion":"OpenSearch_2.19"}}`, name)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": serving("all"), "AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
	} {
		t.Setenv(name, value)
	}
	resolve := func() string {
		t.Helper()
		cfg, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d, err := esarchive.ResolveDomain(t.Context(), cfg, domainARN)
		if err != nil {
			t.Fatal(err)
		}
		return d.Endpoint
	}
	if got := resolve(); got != "http://all.example:9200" {
		t.Errorf("by AWS_ENDPOINT_URL: %s", got)
	}
	t.Setenv("AWS_ENDPOINT_URL_OPENSEARCH", serving("own")+"/")
	if got := resolve(); got != "http://own.example:9200" {
		t.Errorf("by AWS_ENDPOINT_URL_OPENSEARCH: %s", got)
	}
	t.Setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	host := ""
	cfg.HTTPClient = doer{roundTrip(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil // for good
	})}
	if _, err := esarchive.ResolveDomain(t.Context(), cfg, domainARN); err == nil || host != "es.us-east-1.amazonaws.com" {
		t.Errorf("with AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: %s, %v", host, err)
	}
}

// TestDomainIsNeverDescribed: it ends, and so do credentials that never come.
func TestDomainIsNeverDescribed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := describing(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		tooLong := func(begun time.Time) bool { return time.Since(begun) > time.Minute }
		begun := time.Now()
		if _, err := esarchive.ResolveDomain(t.Context(), never, domainARN); err == nil || !strings.Contains(err.Error(), "no answer within 10s") || tooLong(begun) {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		never.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			<-ctx.Done()
			return aws.Credentials{}, ctx.Err()
		})
		begun = time.Now()
		if _, err := esarchive.ResolveDomain(t.Context(), never, domainARN); err == nil || !strings.Contains(err.Error(), "could not be had") || tooLong(begun) {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		never.Credentials = nil
		if _, err := esarchive.ResolveDomain(t.Context(), never, domainARN); err == nil || !strings.Contains(err.Error(), "set a provider of credentials") {
			t.Error(err)
		}
	})
}

// What passes is asked for again, four times at most, and what does not is not.
func TestDomainIsDescribedAgain(t *testing.T) {
	t.Parallel()
	const isThere = `{"DomainStatus":{"Endpoint":"e.example"}}`
	for name, row := range map[string]struct {
		status int
		code   string
		err    error
		times  int // that it fails
		asked  int
		fails  bool
	}{
		"throttled":          {429, "", nil, 1, 2, false},
		"throttled by a 400": {400, "ThrottlingException:http://x", nil, 3, 4, false},
		"not available":      {503, "", nil, 2, 3, false},
		"reset":              {0, "", errors.New("reset"), 1, 2, false},
		"throttled for long": {429, "", nil, 9, 4, true},
		"denied":             {403, "AccessDeniedException", nil, 9, 1, true},
		"not there":          {409, "ResourceNotFoundException", nil, 9, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				d, err := esarchive.ResolveDomain(t.Context(), describing(func(*http.Request) (*http.Response, error) {
					if asked++; asked > row.times {
						return respond(200, strings.NewReader(isThere)), nil
					}
					if row.err != nil {
						return nil, row.err
					}
					return respond(row.status, strings.NewReader("{}"), "X-Amzn-Errortype", row.code), nil
				}), domainARN)
				if asked != row.asked || (err != nil) != row.fails || !row.fails && d.Endpoint != "https://e.example" {
					t.Errorf("asked %d times: %+v, %v", asked, d, err)
				}
			})
		})
	}
}

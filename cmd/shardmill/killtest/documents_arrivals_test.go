//go:build search

package killtest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// serveArrivals serves the stream with other times of arrival: those of each other 3 s are
// two hours earlier. So a run crosses hours, whenever it is, and arrivals are not the
// time of the clock. It returns its URL.
func serveArrivals(t *testing.T, s *services) string {
	t.Helper()
	to, err := url.Parse(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	arrival := regexp.MustCompile(`"ApproximateArrivalTimestamp":[0-9.E]+`)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Header.Get("X-Amz-Target") != "Kinesis_20131202.GetRecords" {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return fmt.Errorf("reading records: %w", err)
			}
			body = arrival.ReplaceAllFunc(body, moved)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// moved is a time of arrival as it is served.
func moved(member []byte) []byte {
	name, number, _ := bytes.Cut(member, []byte(":"))
	seconds, err := strconv.ParseFloat(string(number), 64)
	if err != nil || int64(seconds)/3%2 == 0 {
		return member
	}
	return fmt.Appendf(nil, "%s:%.3f", name, seconds-7200)
}

// reading is a client of the stream by another endpoint.
func (s *services) reading(endpoint string) *kinesis.Client {
	o := s.kinesis.Options()
	o.BaseEndpoint = aws.String(endpoint)
	return kinesis.New(o)
}

package kinesissource

import (
	"crypto/tls"
	"net/http"
	"slices"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/deadline"
)

// maxIdleConns is how many connections are kept for the next call: one for each
// shard that a worker reads.
const maxIdleConns = 1024

// HTTPClient returns a copy of c that suits the reading of many shards. It speaks
// HTTP/1.1, also to servers that offer HTTP/2, which costs much more where an
// answer is a large page; and it keeps a connection for each of 1,024 shards,
// where the SDK closes all but ten and makes new ones for the next calls. All else
// is as in c: proxies, certificates, limits of time. A transport that has a dialer of
// its own for TLS keeps its protocols: what that one agrees on with the server must
// be spoken.
//
// New does the same with a *kinesis.Client whose HTTPClient is one of this type,
// as it is unless another was set. HTTPClient is for who wraps it in a type of
// their own.
func HTTPClient(c *awshttp.BuildableClient) *awshttp.BuildableClient {
	return c.WithTransportOptions(func(t *http.Transport) {
		if t.DialTLSContext == nil && t.DialTLS == nil { //nolint:staticcheck // who still sets it
			onlyHTTP1(t)
		}
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, maxIdleConns)
		if t.MaxIdleConns > 0 {
			t.MaxIdleConns = max(t.MaxIdleConns, maxIdleConns)
		}
	})
}

func onlyHTTP1(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = slices.DeleteFunc(slices.Clone(t.TLSClientConfig.NextProtos), func(p string) bool { return p == "h2" })
	}
}

// ownClient returns what takes the place of a client's HTTPClient; nil leaves it
// as it is.
func ownClient(api API) kinesis.HTTPClient {
	c, ok := api.(*kinesis.Client)
	if !ok {
		return nil
	}
	client := c.Options().HTTPClient
	if b, ok := client.(*awshttp.BuildableClient); ok {
		client = HTTPClient(b)
	}
	return deadline.Client(client, 0)
}

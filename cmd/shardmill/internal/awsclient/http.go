// Package awsclient has what the AWS clients of this program share.
package awsclient

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Wrap returns an HTTP client like c, or if c is nil like the SDK's own, but for
// one thing: a request's body does not show that it has a WriteTo.
//
// The SDK closes the body when the answer begins to come. net/http may then
// still be asking it for more bytes than it announced, to see that there are
// none. A closed body of smithy-go v1.28.8 answers WriteTo with io.EOF, which
// net/http takes for a failed write: it closes the connection, the answer is
// cut off, and the SDK repeats a request that has taken effect. A record that
// was put that way is in the stream twice. It shows on a busy machine.
func Wrap(c aws.HTTPClient) aws.HTTPClient {
	if c == nil {
		c = awshttp.NewBuildableClient()
	}
	return client{c}
}

type client struct{ aws.HTTPClient }

func (c client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = onlyReader{r.Body}
	}
	return c.HTTPClient.Do(r)
}

// onlyReader hides every method of a body but its Read and Close.
type onlyReader struct{ io.ReadCloser }

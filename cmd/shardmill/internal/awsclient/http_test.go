package awsclient_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/awsclient"
)

type spy struct{ body io.ReadCloser }

func (s *spy) Do(r *http.Request) (*http.Response, error) {
	s.body = r.Body
	return nil, nil
}

// A closed body that still has a WriteTo makes net/http cut the connection.
func TestBodyHidesWriteTo(t *testing.T) {
	t.Parallel()
	type both struct {
		io.Reader
		io.WriterTo
		io.Closer
	}
	data := bytes.NewReader([]byte("abc"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = both{data, data, io.NopCloser(nil)}
	s := new(spy)
	if _, err := awsclient.Wrap(s).Do(r); err != nil { //nolint:bodyclose // there is no response
		t.Fatal(err)
	}
	if _, ok := s.body.(io.WriterTo); ok {
		t.Error("the body shows its WriteTo")
	}
	if got, err := io.ReadAll(s.body); string(got) != "abc" || err != nil {
		t.Errorf("the body reads %q, %v", got, err)
	}
}

package check_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/shardmill/shardmill/internal/deadline"
)

// otherAnswers has another text in the answers of an operation.
type otherAnswers struct {
	deadline.Doer

	operation, from, to string
}

// Do implements the SDK's HTTPClient.
func (o otherAnswers) Do(r *http.Request) (*http.Response, error) {
	answer, err := o.Doer.Do(r)
	if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+o.operation) {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // it is read
	if err != nil {
		return nil, err
	}
	body = bytes.ReplaceAll(body, []byte(o.from), []byte(o.to))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Del("X-Amz-Crc32")
	return answer, nil
}

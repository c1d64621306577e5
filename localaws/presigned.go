package localaws

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxExpires is the longest that a presigned URL may be good for.
const maxExpires = 7 * 24 * time.Hour

// signedByQuery are the parameters that presign a URL.
func signedByQuery() []string {
	return []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"}
}

// isPresigned reports whether a query carries a signature.
func isPresigned(q url.Values) bool { return q.Has("X-Amz-Signature") || q.Has("X-Amz-Algorithm") }

// parsePresigned reads the signature in a query.
func parsePresigned(q url.Values) (authorization, *authError) {
	a := authorization{presigned: true, signature: q.Get("X-Amz-Signature")}
	a.setCredential(q.Get("X-Amz-Credential"))
	if headers := q.Get("X-Amz-SignedHeaders"); headers != "" {
		a.signedHeaders = strings.Split(headers, ";")
	}
	var err error
	a.at, err = time.Parse(signingTime, q.Get("X-Amz-Date"))
	if err != nil || !a.complete() || q.Get("X-Amz-Algorithm") != signingAlgorithm || a.date != a.at.Format(signingDay) {
		return a, &authError{problem: malformedQuery}
	}
	return a, nil
}

// checkExpiry checks that a presigned URL of some age is still good.
func checkExpiry(expires string, age time.Duration) *authError {
	seconds, err := strconv.Atoi(expires)
	if limit := int(maxExpires / time.Second); err != nil || seconds < 1 || seconds > limit {
		return &authError{malformedQuery, fmt.Sprintf("X-Amz-Expires is %q; it must be between 1 and %d", expires, limit)}
	}
	if age > time.Duration(seconds)*time.Second {
		return &authError{expired, fmt.Sprintf("it was good for %d seconds, and is %v old", seconds, age.Round(time.Second))}
	}
	return nil
}

// hoist makes headers of the parameters of a presigned URL that stand for
// headers.
func hoist(r *http.Request) {
	q := r.URL.Query()
	if !isPresigned(q) {
		return
	}
	for _, name := range append(signedByQuery(), "X-Amz-Expires", "X-Amz-Security-Token") {
		q.Del(name)
	}
	for name, values := range q {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") && r.Header.Get(name) == "" {
			r.Header.Set(name, values[0])
		}
	}
}

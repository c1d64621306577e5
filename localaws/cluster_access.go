package localaws

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// clusterService is what requests to the cluster are signed for.
func (s *Stack) clusterService() string {
	if s.options.Cluster.Collection != "" {
		return "aoss"
	}
	return "es"
}

// authorizeCluster checks who sent a request to the cluster. Of a signed one the
// signature is still to be compared.
func (s *Stack) authorizeCluster(r *http.Request, c call) (authorization, *authError) {
	o := s.options.Cluster
	if s.options.SkipSignatures || o.Open {
		return authorization{}, nil
	}
	header := r.Header.Get("Authorization")
	if key, ok := strings.CutPrefix(header, "ApiKey "); ok {
		if slices.ContainsFunc(o.APIKeys, func(known string) bool { return same(known, key) }) {
			return authorization{}, nil
		}
		return authorization{}, &authError{problem: wrongPassword}
	}
	if user, password, ok := r.BasicAuth(); ok {
		if known, ok := o.Users[user]; ok && same(known, password) {
			return authorization{}, nil
		}
		return authorization{}, &authError{problem: wrongPassword}
	}
	return s.authorize(r, c, time.Now())
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// writeCluster answers as a domain, or a collection, does in place of its cluster.
func (e *authError) writeCluster(w http.ResponseWriter, r *http.Request) {
	s3d.Drain(r)
	var message string
	switch e.problem {
	case wrongPassword:
		w.Header().Set("Www-Authenticate", `Basic realm="OpenSearch Security"`)
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	case missingAuth:
		message = "User: anonymous is not authorized to perform this action"
	case missingHash:
		message = "The header x-amz-content-sha256 is missing, or was not signed"
	default:
		_, message = e.json()
	}
	if e.detail != "" {
		message += " (" + e.detail + ")"
	}
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, http.StatusForbidden, map[string]string{"message": message})
}

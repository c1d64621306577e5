package localaws

import (
	"encoding/json"
	"net/http"

	"github.com/shardmill/shardmill/localaws/internal/clusterd"
	"github.com/shardmill/shardmill/localaws/internal/dataapid"
	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// writeError answers a request with an error in its service's form, after
// receiving the rest of its body.
func writeError(w http.ResponseWriter, r *http.Request, service string, status int, code, message string) {
	s3d.Drain(r)
	switch service {
	case S3:
		s3d.WriteError(w, r, status, code, message)
	case Search:
		clusterd.WriteError(w, r, status, code, message)
	case RedshiftData:
		dataapid.WriteError(w, status, code, message)
	case Kinesis:
		kinesisd.WriteError(w, r, status, code, message)
	default:
		dynamodbd.WriteError(w, status, code, message)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone has no use for the answer
}

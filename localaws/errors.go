package localaws

import (
	"encoding/json"
	"net/http"

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
	case Kinesis:
		kinesisd.WriteError(w, r, status, code, message)
	default:
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		writeJSON(w, status, map[string]string{"__type": dynamoErrorName(code), "message": message})
	}
}

// dynamoErrorName is an error's name with the namespace that DynamoDB gives it.
func dynamoErrorName(code string) string {
	switch code {
	case "ProvisionedThroughputExceededException", "InternalServerError":
		return "com.amazonaws.dynamodb.v20120810#" + code
	}
	return "com.amazon.coral.service#" + code
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

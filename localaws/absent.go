package localaws

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// absentService is the name of the service that a request is for, if that is
// none of the stack's; "" if it may be one.
func absentService(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		service, _, _ := strings.Cut(target, ".")
		if service != "Kinesis_20131202" && service != "DynamoDB_20120810" && service != "RedshiftData" {
			return service
		}
		return ""
	}
	if isRPC(r) {
		parts := strings.Split(r.URL.Path, "/") // /service/NAME/operation/NAME
		return parts[min(2, len(parts)-1)]
	}
	a, _ := parseAuthorization(r.Header.Get("Authorization"))
	if a.service != "" && !slices.Contains([]string{"kinesis", "dynamodb", "s3", "redshift-data"}, a.service) {
		return a.service
	}
	if isForm(r) {
		return "service of the Query protocol"
	}
	return ""
}

// isRPC reports whether a request is in Smithy's RPC protocol, as those to
// CloudWatch are.
func isRPC(r *http.Request) bool { return r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" }

// isForm reports whether a request is in the Query protocol, as those to STS
// are.
func isForm(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// refuseAbsent answers a request to a service that is not there in a form that
// the clients of that service read.
func refuseAbsent(w http.ResponseWriter, r *http.Request, service string) {
	const code = "UnknownOperationException"
	message := "The local services are Kinesis, DynamoDB, S3 and the Redshift Data API. There is no " + service + " here."
	s3d.Drain(r)
	h := w.Header()
	switch {
	case isRPC(r):
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
		h.Set("Content-Type", "application/cbor")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(cbor.Encode(cbor.Map{"__type": cbor.String(code), "message": cbor.String(message)})) // it may have gone
	case isForm(r):
		type detail struct{ Type, Code, Message string }
		text, err := xml.Marshal(struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   detail
		}{Error: detail{"Sender", code, message}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(text) // it may have gone
	default:
		h.Set("Content-Type", "application/json")
		if r.Header.Get("X-Amz-Target") != "" {
			h.Set("Content-Type", "application/x-amz-json-1.1")
		}
		h.Set("X-Amzn-Errortype", code)
		writeJSON(w, http.StatusBadRequest, map[string]string{"__type": code, "message": message})
	}
}

package esarchive_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// TestStatuses is the table of faults by status, as docs and comments have it.
func TestStatuses(t *testing.T) {
	t.Parallel()
	of := func(kind, reason string) string {
		return `{"error":{"root_cause":[],"type":"` + kind + `","reason":"` + reason + `"},"status":1}`
	}
	for name, row := range map[string]struct {
		status int
		body   string
		want   esarchive.ClientFault // without status and message
	}{
		"300":                 {300, "", esarchive.ClientFault{Code: "300", Down: true}},
		"304":                 {304, "", esarchive.ClientFault{Code: "304", Down: true}},
		"400":                 {400, of("illegal_argument_exception", "x"), esarchive.ClientFault{Code: "400"}},
		"400, validation":     {400, of("action_request_validation_exception", "x"), esarchive.ClientFault{Code: "OS.ValidationException"}},
		"400, no JSON":        {400, of("json_parse_exception", "x"), esarchive.ClientFault{Code: "OS.JsonParseException"}},
		"400, no JSON in 7":   {400, of("x_content_parse_exception", "x"), esarchive.ClientFault{Code: "OS.JsonParseException"}},
		"400, no body":        {400, of("parse_exception", "x"), esarchive.ClientFault{Code: "OS.JsonParseException"}},
		"400, an index":       {400, of("illegal_argument_exception", "explicit index in bulk is not allowed"), esarchive.ClientFault{Code: "OS.ExplicitIndexInBulkNotAllowed"}},
		"400, an alias":       {400, of("illegal_argument_exception", "no write index is defined for alias [two]. The"), esarchive.ClientFault{Code: "OS.AliasWithMultipleIndicesNotAllowed"}},
		"401":                 {401, of("security_exception", "missing authentication credentials"), esarchive.ClientFault{Code: "OS.AccessDenied", Auth: true}},
		"403":                 {403, `{"message":"no"}`, esarchive.ClientFault{Code: "OS.AccessDenied", Auth: true}},
		"403, a block":        {403, of("cluster_block_exception", "x"), esarchive.ClientFault{Code: "OS.ClusterBlockException", Down: true}},
		"404":                 {404, "", esarchive.ClientFault{Code: "OS.ResourceNotFound", Down: true}},
		"405":                 {405, "", esarchive.ClientFault{Code: "405", Down: true}},
		"406":                 {406, `{"error":"Content-Type header is not supported"}`, esarchive.ClientFault{Code: "406"}},
		"408":                 {408, "", esarchive.ClientFault{Code: "OS.RequestTimeout", Down: true}},
		"413":                 {413, "", esarchive.ClientFault{Code: "413", TooLarge: true}},
		"429":                 {429, "429 Too Many Requests /_bulk", esarchive.ClientFault{Code: "429", Rejected: true}},
		"429, a breaker":      {429, of("circuit_breaking_exception", "x"), esarchive.ClientFault{Code: "429", Rejected: true}},
		"429, a full disk":    {429, of("cluster_block_exception", "x"), esarchive.ClientFault{Code: "OS.ClusterBlockException", Down: true}},
		"500":                 {500, of("null_pointer_exception", "x"), esarchive.ClientFault{Code: "OS.ServiceException", Down: true}},
		"500, no JSON in 6":   {500, of("json_parse_exception", "x"), esarchive.ClientFault{Code: "OS.JsonParseException"}},
		"502":                 {502, "<html>", esarchive.ClientFault{Code: "OS.BadGateway", Down: true}},
		"503":                 {503, "", esarchive.ClientFault{Code: "OS.ServiceException", Down: true}},
		"503, a breaker in 6": {503, of("circuit_breaking_exception", "x"), esarchive.ClientFault{Code: "OS.ServiceException", Down: true, Rejected: true}},
		"503, no master":      {503, of("cluster_block_exception", "x"), esarchive.ClientFault{Code: "OS.ClusterBlockException", Down: true}},
		"504":                 {504, "", esarchive.ClientFault{Code: "OS.GatewayTimeout", Down: true}},
		"599":                 {599, "", esarchive.ClientFault{Code: "OS.ServiceException", Down: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := esarchive.Judge(row.status, "application/json", row.body, "")
			row.want.Status, row.want.Message = row.status, got.Message
			if diff := cmp.Diff(row.want, got); diff != "" || !strings.HasPrefix(got.Message, "the cluster answered ") {
				t.Errorf("%s %s", got.Message, diff)
			}
		})
	}
}

// The recorded refusal of a whole request, by Elasticsearch 6.8, for one alias.
func TestRecordedRefusal(t *testing.T) {
	t.Parallel()
	f := esarchive.Judge(400, "application/json; charset=UTF-8", string(recorded(t, "elasticsearch-6.8-refused.json")), "")
	if f.Code != "OS.AliasWithMultipleIndicesNotAllowed" || !strings.Contains(f.Message, "illegal_argument_exception: no write index is defined for alias [two]") {
		t.Errorf("%+v", f)
	}
}

// TestDocumentedCodes: the table of the documentation has each code of Firehose's that is
// given, and no other.
func TestDocumentedCodes(t *testing.T) {
	t.Parallel()
	codes := regexp.MustCompile("[\"`](OS\\.[A-Za-z]+)[\"`]")
	read := func(file, from string) map[string]bool {
		text, err := os.ReadFile(file)
		_, section, ok := strings.Cut(string(text), from)
		if err != nil || !ok {
			t.Fatal(file, err)
		}
		found := map[string]bool{}
		for _, code := range codes.FindAllStringSubmatch(section, -1) {
			found[code[1]] = true
		}
		return found
	}
	documented := read("../../docs/elasticsearch.md", "\n### Codes of failures\n")
	given := read("fault.go", "\n// Firehose's codes,")
	if diff := cmp.Diff(documented, given); diff != "" || len(given) < 15 {
		t.Error(diff)
	}
}

// TestQuoted: of what somebody answers only so much is told, on one line.
func TestQuoted(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 5000)
	for name, row := range map[string]struct{ kind, body, want string }{
		"a cluster's error":    {"application/json", `{"error":{"type":"k","reason":"r","caused_by":{"type":"l","reason":"s"}},"status":500}`, ": k: r; caused by l: s"},
		"an old error":         {"application/json", `{"error":"ClusterBlockException[x]","status":500}`, ": ClusterBlockException[x]"},
		"AWS's":                {"application/json", `{"message":"Signature expired"}`, ": Signature expired"},
		"AWS's, the other way": {"application/json", `{"Message":"no","error":null}`, ": no"},
		"of a collection":      {"application/json", `{"status":500,"request-id":"abc","error":{"reason":"500 Internal","type":"Internal"}}`, ": Internal: 500 Internal"},
		"HTML":                 {"text/html", "<html><head><TITLE>\n Bad\n gateway </TITLE></head><body>nginx</body></html>", `: a page of HTML, "Bad\n gateway"`},
		"HTML, by its look":    {"", "\n<!doctype html><p>x", ": a page of HTML"},
		"HTML, a bad title":    {"text/html", "</title><title>", ": a page of HTML"},
		"text":                 {"text/plain; charset=utf-8", "upstream\r\n  timed out\x00\xff", ": upstream timed out\x00\ufffd"},
		"bytes":                {"application/octet-stream", "\x01\x02\x03", ": 3 bytes of application/octet-stream"},
		"half a JSON":          {"application/json", `{"error":{"type":"k"`, ": 20 bytes of application/json"},
		"nothing":              {"", "", ""},
		"a long reason":        {"application/json", `{"error":{"type":"k","reason":"` + long + `"}}`, ": k: " + long[:1024] + "…"},
		"a long text":          {"text/plain", long, ": " + long[:1024] + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := esarchive.Judge(500, row.kind, row.body, ""); f.Message != "the cluster answered 500 Internal Server Error"+row.want {
				t.Errorf("%q\nwant %q", f.Message, row.want)
			}
		})
	}
}

package points_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

const documentsIndex = "records"

// index has archivers of a machine index their records as documents.
func (w *world) index(m *machine, cfg *processors.Config) error {
	x, err := esarchive.New(esarchive.Config{
		Endpoints: []string{localaws.ClusterEndpoint}, Engine: "OpenSearch_2.19", IndexName: documentsIndex, IndexRotationPeriod: esarchive.NoRotation,
		RequestTimeout: failover, Transport: transport{m}, Logger: m.log,
	})
	cfg.Index, cfg.Compression = x, ""
	return err
}

// transport is the machine as an http.RoundTripper.
type transport struct{ m *machine }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.m.Do(r) }

// readBulk tells the first document of a bulk request; the world knows its shard.
func readBulk(data []byte) (request, error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	var action struct {
		Index struct {
			ID string `json:"_id"`
		} `json:"index"`
	}
	if err := json.Unmarshal(line, &action); err != nil || action.Index.ID == "" {
		return request{}, fmt.Errorf("a bulk request begins with %.200q: %w", line, errors.Join(err, errNoDocument))
	}
	return request{point: bulk, document: action.Index.ID}, nil
}

var errNoDocument = errors.New("no document")

// shardOf returns which shard the record is of that a document's id names. w.mu is held.
func (w *world) shardOf(document string) string {
	for key, rs := range w.records {
		for _, r := range rs {
			if idOf(r) == document {
				return key
			}
		}
	}
	w.violate("the document %s is of no record", document)
	return ""
}

func idOf(r record) string {
	return fmt.Sprintf("%s.%d", r.at.SequenceNumber, r.at.SubSequenceNumber)
}

// askCluster has the cluster answer a request.
func (w *world) askCluster(r *http.Request) (*http.Response, error) {
	return w.stack.Cluster().Transport().RoundTrip(r)
}

// isNoDocument reports whether a record is none that may be sent: each fourth.
func isNoDocument(data string) bool { return !strings.HasPrefix(data, "{") }

// documentData is what is put where records are documents.
func documentData(n, i int) []byte {
	if n%4 == 3 {
		return fmt.Appendf(nil, "%d.%d\n", n, i)
	}
	return fmt.Appendf(nil, "{\"record\":\"%d.%d\"}\n", n, i)
}

// judgeDocuments checks that each record is a document, by its place, or if it cannot be
// one, in one error object. w.mu is held.
func (w *world) judgeDocuments(contents map[string][]string) {
	documents := map[string]string{}
	for _, d := range w.stack.Cluster().Documents(documentsIndex) {
		documents[d.ID] = string(d.Source)
	}
	failed := map[string]int{}
	for key, lines := range contents {
		for _, line := range lines {
			var l struct{ RawData []byte }
			if err := json.Unmarshal([]byte(line), &l); err != nil || !strings.HasPrefix(key, "AmazonOpenSearchService-failed/") {
				w.violate("%s has the line %.200q: %v", key, line, err)
			}
			failed[string(l.RawData)]++
		}
	}
	for key, rs := range w.records {
		for _, r := range rs {
			switch want := strings.TrimSpace(r.data); {
			case isNoDocument(r.data):
				if failed[r.data] != 1 {
					w.violate("record %.20q of %s is in %d lines of error objects", r.data, key, failed[r.data])
				}
			case documents[idOf(r)] != want || failed[r.data] > 0:
				w.violate("record %.20q of %s is the document %q, and in %d lines of error objects", r.data, key, documents[idOf(r)], failed[r.data])
			}
			delete(documents, idOf(r))
		}
	}
	if len(documents) > 0 {
		w.violate("documents of no record: %v", documents)
	}
}

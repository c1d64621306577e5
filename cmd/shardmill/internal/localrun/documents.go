package localrun

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/verify"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// Destination is where a local run delivers.
type Destination string

// The destinations.
const (
	ToS3            Destination = "s3"
	ToElasticsearch Destination = "elasticsearch"
	ToOpenSearch    Destination = "opensearch"
	ToRedshift      Destination = "redshift"
)

// Destinations are all of them.
func Destinations() []string {
	return []string{string(ToS3), string(ToElasticsearch), string(ToOpenSearch), string(ToRedshift)}
}

// isDocuments reports whether records go to a cluster.
func (d Destination) isDocuments() bool { return d == ToElasticsearch || d == ToOpenSearch }

// engine is what the cluster of a run is.
func (d Destination) engine() string {
	if d == ToElasticsearch {
		return "Elasticsearch_7.10"
	}
	return "OpenSearch_2.19"
}

// ErrNotIndexed means that the index and the error output do not hold each record exactly
// once.
var ErrNotIndexed = errors.New("index and error output do not hold each record exactly once")

const (
	indexName = stream
	ndjsonDir = "indices" // below Options.Dir

	// giveUp is for how long a document is tried. The cluster is in this process, so what
	// it refuses once it refuses again.
	giveUp = 5 * time.Second
)

// Index says how many documents an index has.
type Index struct {
	Name      string `json:"name"`
	Documents int    `json:"documents"`
}

// startCluster serves the cluster until ctx ends, and returns an index there.
func (j *job) startCluster(ctx context.Context, serving *sync.WaitGroup) (*esarchive.Index, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving.Go(func() {
		if err := j.stack.Cluster().Serve(ctx, l); err != nil {
			j.o.Logger.Error("local cluster ended", zap.Error(err))
		}
	})
	service := esarchive.OpenSearchService
	if j.o.Destination == ToElasticsearch {
		service = esarchive.Elasticsearch
	}
	retry := giveUp
	return esarchive.New(esarchive.Config{
		Service: service, Endpoints: []string{"http://" + l.Addr().String()}, IndexName: indexName, IndexRotationPeriod: esarchive.OneHour,
		RetryDuration: &retry, FastFail: true, Logger: j.o.Logger,
		Auth: esarchive.SigV4{
			Credentials: credentials.NewStaticCredentialsProvider(localaws.DefaultAccessKeyID, localaws.DefaultSecretAccessKey, ""),
			Region:      "us-east-1", Service: "es",
		},
	})
}

func (j *job) noteIndexed(worker int, e processors.IndexedEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.archived += e.Documents + e.Failed
	j.requests += e.Requests
	w := &j.workers[worker]
	w.Records += e.Documents + e.Failed
	w.Bytes += e.Bytes
}

// trimmed is a record without the white space around, as it is sent.
func trimmed(record []byte) []byte { return bytes.Trim(record, " \t\r\n") }

// isObject reports whether a record is one JSON object: by the standard library, and not
// by what delivers it.
func isObject(record []byte) bool {
	text := trimmed(record)
	return len(text) > 0 && text[0] == '{' && json.Valid(text)
}

// verifyDocuments reads the indices and this run's error objects, compares them with what
// was put, and writes the documents to files.
func (j *job) verifyDocuments(ctx context.Context) (Summary, error) {
	var got verify.Multiset
	indices, err := j.readIndices(got.Add)
	if err != nil {
		return Summary{}, err
	}
	indexed := got.Records
	var failed, notJSON int64
	objects, bytes, err := j.eachFailure(ctx, func(record []byte) {
		got.Add(trimmed(record))
		if failed++; !isObject(record) {
			notJSON++
		}
	})
	if err != nil {
		return Summary{}, fmt.Errorf("reading the error objects back: %w", err)
	}
	sum := j.summary(objects, bytes)
	sum.Destination, sum.Engine = string(j.o.Destination), strings.ReplaceAll(j.o.Destination.engine(), "_", " ")
	sum.Documents, sum.Failed, sum.NotJSON, sum.Indices, sum.Requests = indexed, failed, notJSON, indices, j.requests
	if j.put.Equal(&got) {
		return sum, nil
	}
	sum.Verified = false
	return sum, j.explainDocuments(ctx, &got)
}

// readIndices calls f with each document, and writes those of each index to a file. A
// document that was indexed twice comes twice.
func (j *job) readIndices(f func([]byte)) (all []Index, err error) {
	dir := filepath.Join(j.o.Dir, ndjsonDir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making a directory for documents: %w", err)
	}
	cluster := j.stack.Cluster()
	for _, name := range cluster.Indices() {
		documents := cluster.Documents(name)
		if err := writeLines(filepath.Join(dir, name+".ndjson"), documents); err != nil {
			return nil, fmt.Errorf("writing the documents of index %s: %w", name, err)
		}
		for i := range documents {
			f(documents[i].Source)
		}
		all = append(all, Index{name, len(documents)})
	}
	return all, nil
}

func writeLines(name string, documents []localaws.IndexedDocument) error {
	f, err := os.Create(name) //nolint:gosec // below the directory that the user names
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range documents {
		_, _ = w.Write(documents[i].Source) // Flush tells
		_ = w.WriteByte('\n')
	}
	return errors.Join(w.Flush(), f.Close())
}

// eachFailure calls f with the record of each line of this run's error objects.
func (j *job) eachFailure(ctx context.Context, f func([]byte)) (objects, size int64, err error) {
	err = j.eachObject(ctx, func(key string, bytes int64) error {
		if j.before[key] {
			return nil
		}
		objects, size = objects+1, size+bytes
		data, err := j.object(ctx, key)
		if err != nil {
			return fmt.Errorf("getting %s: %w", key, err)
		}
		for line := range strings.Lines(string(data)) {
			var failure struct {
				RawData []byte `json:"rawData"`
			}
			if err := json.Unmarshal([]byte(line), &failure); err != nil {
				return fmt.Errorf("reading %s: %w", key, err)
			}
			f(failure.RawData)
		}
		return nil
	})
	return objects, size, err
}

// explainDocuments names what is missing. Its error is ErrNotIndexed.
func (j *job) explainDocuments(ctx context.Context, got *verify.Multiset) error {
	return j.explainBy(got, search{holds: "index and error output", broken: ErrNotIndexed, as: trimmed, again: func(d *verify.Difference) error {
		if _, err := j.readIndices(d.Got); err != nil {
			return err
		}
		_, _, err := j.eachFailure(ctx, func(record []byte) { d.Got(trimmed(record)) })
		return err
	}})
}

// printDocuments writes what a run with documents has in its summary for people.
func (s Summary) printDocuments(p func(format string, a ...any)) {
	p("documents  %d in %s", s.Documents, s.Engine)
	for _, x := range s.Indices {
		p("index      %s: %d documents", x.Name, x.Documents)
	}
	p("requests   %d", s.Requests)
	p("failed     %d, %d of them no JSON objects, in %d error objects in %s", s.Failed, s.NotJSON, s.Objects, s.Directory)
}

// verdictOfDocuments says what was verified.
func (s Summary) verdictOfDocuments() string {
	switch {
	case !s.Verified:
		return "NOT VERIFIED: index and error output do not hold each record exactly once"
	case s.Failed == 0:
		return "verified: every record that was put is in the index exactly once"
	default:
		return fmt.Sprintf("verified: every record that was put is exactly once in the index, or, %d that failed, in the error output", s.Failed)
	}
}

package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shardmill/shardmill/processors"
)

// Destination is the end of the names that Firehose's metrics of documents have,
// DeliveryTo….
type Destination string

// Firehose's destinations of documents.
const (
	ToOpenSearchService Destination = "AmazonOpenSearchService"
	ToServerless        Destination = "AmazonOpenSearchServerless"
	ToElasticsearch     Destination = "Elasticsearch"
)

// indexing are the metrics of documents. Those of a stream of objects count nothing, and
// are not shown.
type indexing struct {
	records, bytes               prometheus.Counter
	success                      *samples
	auth, rejected               prometheus.Counter
	requests, superseded, failed prometheus.Counter
}

func newIndexing(firehose, ours *told, to Destination) indexing {
	if to == "" {
		firehose, ours = hidden(), hidden()
	}
	name := func(what string) string { return "DeliveryTo" + string(to) + "." + what }
	return indexing{
		records:    firehose.sum(name("Records"), unitCount, "Documents of cuts that were committed that are in the index."),
		bytes:      firehose.sum(name("Bytes"), unitBytes, "Bytes of these documents."),
		success:    firehose.shares(name("Success"), "Documents that requests were answered to have taken."),
		auth:       firehose.flag(name("AuthFailure"), "Requests whose credentials, or what these permit, did not do.", always),
		rejected:   firehose.flag(name("DeliveryRejected"), "Requests that the cluster, or one of its queues, was too busy for, as a whole or in part.", always),
		requests:   ours.sum("IndexRequests", unitCount, "Requests to the cluster for documents."),
		superseded: ours.sum("DocumentsSuperseded", unitCount, "Documents for which the index has the same or a later version."),
		failed:     ours.sum("DocumentsFailed", unitCount, "Documents that could not be indexed, and that are in an error object."),
	}
}

// always has a flag told in each line.
func always(*Metrics) bool { return true }

// whilePartitioned has a flag told while there are partitions.
func whilePartitioned(m *Metrics) bool {
	_, some := m.partitions.sum()
	return some
}

// indexed counts the documents of a cut that is committed.
func (i *indexing) indexed(e processors.IndexedEvent) {
	i.records.Add(float64(e.Documents))
	i.bytes.Add(float64(e.Bytes))
	i.superseded.Add(float64(e.Superseded))
	i.failed.Add(float64(e.Failed))
}

// bulked counts a request.
func (i *indexing) bulked(e processors.BulkEvent) {
	i.requests.Inc()
	taken := float64(e.Indexed + e.Superseded)
	i.success.counter.Add(taken)
	share := 0.0
	if e.Documents > 0 {
		share = taken / float64(e.Documents)
	}
	i.success.add(share)
	if e.AuthFailure {
		i.auth.Inc()
	}
	if e.Rejected {
		i.rejected.Inc()
	}
}

// putsOf are the metrics of what is put into a bucket under a name of Firehose's, as far
// as they are to be seen.
func putsOf(name, what string, puts, records *told) deliveries {
	return deliveries{
		records.sum(name+".Records", unitCount, "Records in objects"+what+" whose delivery was committed."),
		records.sum(name+".Bytes", unitBytes, "Bytes of these records, before compression."),
		puts.outcomes(name+".Success", "Objects"+what+" whose delivery was committed."),
	}
}

// of returns the metrics of objects of a role, and whether their records count. With
// documents what is put under the role of a backup is what Firehose has as DeliveryToS3,
// and of other objects only puts count.
func (c *counts) of(r processors.Role) (d *deliveries, records bool) {
	switch {
	case c.documents:
		return &c.delivered, r == processors.RoleBackup
	case r == processors.RoleBackup:
		return &c.backup, true
	case r == processors.RoleMarker: // says that objects are delivered, and is none
		return &c.aside, false
	default:
		return &c.delivered, true
	}
}

// hidden makes metrics that nobody sees.
func hidden() *told { return &told{maker: maker{registry: prometheus.NewRegistry()}} }

// tell adds what another has made.
func (t *told) tell(others ...*told) {
	for _, o := range others {
		t.sums = slices.Concat(t.sums, o.sums)
		t.tries = slices.Concat(t.tries, o.tries)
		t.flags = slices.Concat(t.flags, o.flags)
		t.samplings = slices.Concat(t.samplings, o.samplings)
	}
}

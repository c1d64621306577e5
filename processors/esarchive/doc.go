// Package esarchive delivers documents to Elasticsearch, OpenSearch and Amazon
// OpenSearch Serverless as Amazon Data Firehose does, by a bulk loop of its own. It
// implements processors.DocumentIndex.
//
// # Safety
//
// A cut of documents is finished in steps, of which the first one is made here:
//
//	step     does                                                         guarantees
//	close    the documents of a run of records are in memory or a file    nothing: a later holder reads the records again
//	bulk     each document is sent until it has an outcome                each is in the index, or its failure is known
//	seal     lines of failures, and the backup, are put as one bundle     they can be put by a later holder
//	prepare  the plan of these objects is stored in the lease row         a later holder does so
//	publish  the objects are put under their keys
//	commit   checkpoint = last                                            the next holder begins after the cut
//
// Without failures and a backup there is nothing to seal, and commit follows bulk. What
// holds:
//
//   - The checkpoint passes a record only when its document has an outcome, and the line
//     of one that failed is in the store. So none is lost, whatever crashes.
//   - A crash before the prepare leaves nothing but documents in the index. The next
//     holder sends all of the cut again. With ids of sequence numbers in one index each
//     replaces itself: the id and the name of the index depend on the record alone, its
//     place and its arrival. Without ids, behind an alias that was rolled over meanwhile, or
//     in a data stream, it is there twice.
//   - The outcome is computed anew then: a document may have failed before and be
//     indexed now, or the other way round. As lines of error objects come only of the last
//     outcome, it may be in both places, after a lost answer or a crash, and never in neither.
//   - A request whose answer was lost may have taken effect, now or later. It is sent again,
//     which is harmless as above. Nothing else is concluded of it.
//   - The answer for a document is that of its place in the request. An answer for another
//     number of documents is none.
//   - What is not known to have succeeded has not. A status beyond 2xx is a failure, whatever
//     the answer's "errors" says.
//   - 409 means that the document is there only if nobody else can have given the id:
//     FIREHOSE_DEFAULT with OpCreate, and without a Pipeline, which may set ids. With one it
//     is a failure. With an external version it means that a later
//     version is there. With an id of a field and OpCreate it is a failure.
//   - Two documents with one id of a field, and without a version, are not under way at once,
//     and the later one waits until the earlier one has its outcome. With versions the order
//     does not matter.
//   - A late request of a former holder can replace a document by the same document.
//
// A document fails for good when it has been tried, again and again, for RetryDuration,
// or with FastFail at once where that cannot help. Until then the shard waits.
//
// # Tries
//
//   - A document's time begins with its first try, or when it was first held back for another
//     of its id, and is over RetryDuration later: no try begins after that, but for a first
//     one. Pauses between its tries begin around 0.5 s and double to around 30 s.
//     Those that are due together go in one request.
//   - Is it sent again because a request was too large (413), was cut off by the end of Run,
//     or had ids that a collection does not take, that was no try: it is sent whatever the time.
//   - A request that is refused as too large halves the size of those of all shards, down to
//     64 KiB, and below that is itself sent again in two. A minute after the last refusal the
//     size doubles again and again, up to MaxRequestBytes; if that is refused it takes longer,
//     up to an hour.
//   - A request that fails as a whole, while others that began later are taken, is sent again in
//     two, and so on until what makes it fail is alone; documents keep their time and their
//     attempts. With no others, and a cluster that is there, so are the second one and some more.
//   - Four faults in a row of the cluster as a whole, such as no connection, 5xx, 429, or no
//     permission, open the circuit, of all shards: one request at a time is let through, and
//     the pauses between grow to around 30 s. The time of documents goes on meanwhile, also of
//     those that are held back before their first try: when it is over each is sent once.
//   - With PauseWhenDown no document fails by a fault of the cluster as a whole, and from the
//     begin of a request with such a fault until the next answer no time passes, unless others
//     were taken since its requests began to fail: then it is no outage. The same goes
//     for a request all of whose documents are refused by the state of the cluster, such as a
//     block, a full queue or missing permission, unless others were taken within the last minute, or half of RetryDuration.
//   - 429 halves the number of requests that a shard has under way, and each request without
//     one adds one again, up to Parallel.
package esarchive

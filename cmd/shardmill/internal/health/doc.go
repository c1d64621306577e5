// Package health tells over HTTP how an archiver does: whether it is alive and
// whether it is ready; package metrics has the numbers.
//
//	path      200 means                                            503 means
//	/healthz  the archiver looks after its leases; lag, throttling  it does not, and only a restart helps; the body says why
//	          and services that are down do not matter
//	/readyz   shards were compared with leases and leases were      not yet, or it is shutting down, or a trouble; the body
//	          read, both at least once; holding none is ready       lists all troubles
//	/metrics  the metrics of package metrics                                    too many at once
//
// Bodies are short lines of text. With ?verbose the first two list the troubles,
// the tries that are under way, the shards and how far behind they are. Nothing
// shows the data of records. Only GET and HEAD are answered, to anybody who can
// connect, under whatever name: probes call by a pod's address and scrapers by a
// service's name, which nobody could list here. So a web page that has its own name
// resolve to this machine (DNS rebinding) can read what is told, which is no more
// than names, positions, figures and the texts of errors, and can change nothing.
// Where that is too much: healthAddress off, or a proxy in front. Unlike the local
// services, whose guard refuses such pages, since they could read and write data.
//
// # Liveness
//
// The archiver is not alive if, in each of five looks a second apart,
//
//   - a lease is past its trust and nothing noticed,
//   - a processor has not returned although its lease ended longer ago than the
//     shutdown timeout and the failover time together,
//   - the shutdown has taken longer than twice the shutdown timeout and the
//     failover time together, or
//   - a try of a loop is under way that has been silent for longer than twice its
//     own limit, the same one each time,
//
// or if the worker has stopped. Loops are the start, the reading of leases, the
// shard sync, renewals and each shard's own steps. What counts is the present
// try: one that ends in an error is over, so a day without DynamoDB, Kinesis or S3
// leaves the archiver alive. A try without a limit never counts, such as a call
// of a processor that may take as long as it likes; it shows in
// Loop_Silent_Seconds.
//
// Looks are counted, not time: a process that was stopped, or whose machine was
// suspended, finds leases past trust and tries past their limits when it wakes
// up, and needs a moment to notice. Trust is compared with a clock that counts
// such time, since others count it. The silence of tries and their limits are of
// one clock that may not: then a try goes on where it was, and is given up, or
// hangs, so much later.
//
// # Readiness
//
// A trouble is what a restart does not mend, so it ends readiness and not
// liveness, until it is over:
//
//	reason            from when on                  what is wrong
//	access            after one failover time       a service refuses the credentials or an operation; for a shard,
//	                                                also: its object is refused by the bucket, and no put has succeeded since
//	transform         after one failover time       no record has succeeded since in a call of the delivery stream's transform,
//	                                                be it answered or not: what is tried in vain goes into error objects. It is
//	                                                over when one succeeds (Ok or Dropped), or no call has failed for 5 minutes
//	index             after one failover time       no document has been taken since by the delivery stream's cluster, while requests
//	                                                fail; and if the last put failed too, that neither cluster nor backup is there. It
//	                                                is over when a document is taken, or no request and no put has failed for 5 minutes.
//	                                                An answer that refuses a single document does not count
//	load              after six minutes              tries to load what is staged fail, the second one too; or the markers of it cannot be listed; or this worker
//	                                                cannot stand ready to load; or a COPY is not answered; or no worker is known to load while a checkpoint
//	                                                waits for it, or this worker has staged something. It is over when a batch is loaded or given up, or another worker loads
//	not-loaded        at once                       a batch was given up: a manifest under errors/manifests/ names what somebody must load. It is over
//	                                                when the next batch is loaded, or after 5 minutes; or markers cannot be loaded, as long as they are there
//	stream-not-found  at once                       the stream is gone
//	table-not-found   at once                       the lease table is gone
//	foreign-table     at once                       no row is left that can be this stream's; the archiver ends
//	contradiction     at once                       a row contradicts the stream; its shard is left alone
//	unreadable        at once                       a row is malformed; its shard is left alone
//
// One shard's trouble makes the whole archiver unready, though the other shards
// go on: nobody else will deliver that shard, and nothing is sent to an archiver
// that readiness could keep away. A roll-out that waits for readiness stops then,
// which is wanted. Troubles with puts, with the transform, with the cluster and with loads are logged as an error at once and then each
// minute while there are any, the latter three from when they end readiness;
// those of the worker it logs itself.
package health

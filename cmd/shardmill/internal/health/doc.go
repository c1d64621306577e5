// Package health tells over HTTP how an archiver does: whether it is alive,
// whether it is ready, and its metrics for Prometheus.
//
//	path      200 means                                            503 means
//	/healthz  the archiver looks after its leases; lag, throttling  it does not, and only a restart helps; the body says why
//	          and services that are down do not matter
//	/readyz   shards were compared with leases and leases were      not yet, or it is shutting down, or a trouble; the body
//	          read, both at least once; holding none is ready       lists all troubles
//	/metrics  the metrics below                                    too many at once
//
// Bodies are short lines of text. With ?verbose the first two list the troubles,
// the tries that are under way, the shards and how far behind they are. Nothing
// shows the data of records. Only GET and HEAD are answered, to anybody who can
// connect.
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
//	stream-not-found  at once                       the stream is gone
//	table-not-found   at once                       the lease table is gone
//	foreign-table     at once                       no row is left that can be this stream's; the archiver ends
//	contradiction     at once                       a row contradicts the stream; its shard is left alone
//	unreadable        at once                       a row is malformed; its shard is left alone
//
// One shard's trouble makes the whole archiver unready, though the other shards
// go on: nobody else will deliver that shard, and nothing is sent to an archiver
// that readiness could keep away. A roll-out that waits for readiness stops then,
// which is wanted. Troubles with puts are logged as an error at once and then each
// minute while there are any; those of the worker it logs itself.
//
// # Metrics
//
// The names are those of the Java KCL and of Firehose in CloudWatch, with dots
// as "_" and the prefix "shardmill_", in the units that they have there. A
// histogram's name gets _bucket, _sum and _count. What CloudWatch has as
// X.Success, 0 or 1 for each try, is a counter of the successes; X_Time_count
// counts all tries. Labels are the dimensions that can have more than one value
// in an archiver; series of a shard go when it ends or is given up, and what
// must not be missed has no label ShardId.
//
//	KCL                                     type       unit          what
//	RecordsProcessed{ShardId}               counter    Count         records that the processor accepted
//	DataBytesProcessed{ShardId}             counter    Bytes         their data
//	MillisBehindLatest{ShardId}             gauge      Milliseconds  how far the last page was behind the tip; absent before the first
//	RecordProcessor_processRecords_Time{ShardId}
//	                                        histogram  Milliseconds  calls with records, failed ones too
//	RecordProcessor_initialize_Time         histogram  Milliseconds  calls of Initialize
//	RecordProcessor_shutdown_Time           histogram  Milliseconds  last calls of processors: ShardEnded, ShutdownRequested, LeaseLost
//	CurrentLeases                           gauge      Count         leases held
//	TakenLeases                             counter    Count         leases taken, be they free or another worker's
//	LostLeases                              counter    Count         leases that another worker took or whose trust ran out
//	TotalLeases                             gauge      Count         rows in the lease table when it was last read
//	NumWorkers                              gauge      Count         owners in it
//	ExpiredLeases                           gauge      Count         rows in it that nobody held, of shards that can be read now
//	NeededLeases                            gauge      Count         leases that the worker lacked to its share then
//	LeasesToTake, UntakenLeases             gauge      Count         leases that it tried to take then, and those of them that it did not get
//	LeaseSpillover                          gauge      Count         leases of its share that it left to others because of shardmill.maxLeases
//	LeasesLeftAlone                         gauge      Count         rows that it leaves alone: of another stream, or contradicting this one, or whose counter can grow no more
//	LeaseDeserializationFailureCount        gauge      Count         rows in it that cannot be read; their shards wait until someone mends them
//	ListLeases_Success, _Time               counter, histogram       readings of the whole lease table
//	TakeLease_Success, _Time                counter, histogram       takes; one that another worker won is no success
//	RenewLease_Success, _Time               counter, histogram       renewals
//	UpdateLease_Success, _Time              counter, histogram       checkpoints, prepared ones too
//	CreateLease_Success, _Time              counter, histogram       leases made for shards; one that was there already is no success
//
//	Firehose, all with {DeliveryStreamName}
//	DataReadFromKinesisStream_Records       counter    Count         records read, aggregated ones as one
//	DataReadFromKinesisStream_Bytes         counter    Bytes         their data
//	KinesisMillisBehindLatest               gauge      Milliseconds  the greatest MillisBehindLatest; absent without any
//	DeliveryToS3_Records                    counter    Count         records in objects whose delivery was committed
//	DeliveryToS3_Bytes                      counter    Bytes         their data, before compression
//	DeliveryToS3_Success                    counter    Count         these objects
//	DeliveryToS3_DataFreshness              gauge      Seconds       age of the oldest record that is not delivered; absent without any
//
//	our own
//	RecordsLost                             counter    Count         records of a prepared object that expired before it was finished; at least
//	RecordsLost_Gaps                        counter    Count         gaps in shards: records that may have expired before they were read, nobody knows how many
//	UserRecordsDropped                      counter    Count         user records outside the shard's hash range, not delivered here
//	AggregatesMalformed                     counter    Count         aggregated records that could not be taken apart, delivered whole
//	DeadLettered                            counter    Count         records that the processor never accepted and that were put aside
//	PutFailed                               counter    Count         tries of a put that failed; they are repeated
//	PendingFound{Verdict}                   counter    Count         pending checkpoints of earlier holders: foreign, newer, broken, void, redo or forbidden
//	ReleasedLeases                          counter    Count         leases given back: shard ended, surplus or shutdown
//	LeaseTrust_Millis                       gauge      Milliseconds  how long the lease that is nearest to it is from the end of its trust; absent without leases
//	SyncShards_Age                          gauge      Seconds       since shards and leases were last compared; absent before the first time
//	BytesInUse, MaxBytes                    gauge      Bytes         memory for records, and its limit
//	Trouble{Reason}                         gauge      Count         troubles that there are now; each reason is there from the start
//	Loop_Silent_Seconds{Loop}               gauge      Seconds       since the last sign of life of the try under way that is silent for longest:
//	                                                                 start, scan, sync, renewal or shard, 0 without one; hook while one is called
//
// And go_* and process_*, as every Go program has them. A record is counted in
// RecordsProcessed once for each worker that processed it; in DeliveryToS3_Records
// once, unless a worker died right after the commit.
//
// The KCL's Success and Time without a prefix, and its getRecords.*,
// ExpiredIterator and MissingMergeParent, are not exported.
package health

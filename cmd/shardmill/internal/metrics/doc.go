// Package metrics counts what an archiver does, and shows it to Prometheus.
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
//	ThrottledGetRecords                     counter    Count         calls that Kinesis refused because of a limit; they are repeated, and nothing is lost
//	ThrottledGetShardIterator               counter    Count         the same
//	KinesisMillisBehindLatest               gauge      Milliseconds  the greatest MillisBehindLatest; absent without any
//	KMSKeyAccessDenied                      counter    Count         tries of a put that failed as the key that encrypts the object may not be used
//	KMSKeyDisabled                          counter    Count         as it is disabled
//	KMSKeyInvalidState                      counter    Count         as it is in a state in which it cannot be, such as before its deletion
//	KMSKeyNotFound                          counter    Count         as there is none
//	DeliveryToS3_Records                    counter    Count         records in objects whose delivery was committed
//	DeliveryToS3_Bytes                      counter    Bytes         their data, before compression
//	DeliveryToS3_Success                    counter    Count         these objects
//	DeliveryToS3_DataFreshness              gauge      Seconds       age of the oldest record that is not delivered; absent without any
//	OutputDecompressedRecords_Success       counter    Count         records that Decompression inflated
//	OutputDecompressedRecords_Failed        counter    Count         records that it could not, and that are in an error object
//	OutputDecompressedBytes_Success         counter    Bytes         that these records inflated to
//	OutputDecompressedBytes_Failed          counter    Bytes         of the records that it could not, as they came
//	ExecuteProcessing_Success               counter    Count         calls of the transform that were answered
//	ExecuteProcessing_Duration              histogram  Milliseconds  its calls, failed ones too
//	SucceedProcessing_Records               counter    Count         records that it succeeded with, as it got them, those that it dropped too
//	SucceedProcessing_Bytes                 counter    Bytes         that came of these records
//	DeliveryToS3_ObjectCount                counter    Count         objects that are delivered, of cuts that may have several
//	PartitionCount                          gauge      Count         partitions whose objects are open, of all shards; absent without dynamic partitioning
//	ActivePartitionsLimit                   gauge      Count         partitions whose objects may be open, of all shards; absent without dynamic partitioning
//	PartitionCountExceeded                  counter    Count         records for which no active partition was left
//	JQProcessing_Duration                   histogram  Milliseconds  that the queries for partition keys took, of each cut
//	BackupToS3_Records                      counter    Count         records in objects of the backup whose delivery was committed
//	BackupToS3_Bytes                        counter    Bytes         their data, before compression
//	BackupToS3_Success                      counter    Count         these objects
//	BackupToS3_DataFreshness                gauge      Seconds       as DeliveryToS3_DataFreshness, as a cut has the objects of both; absent without a backup
//
//	the same, of a stream of documents, as Firehose calls its destination
//	DeliveryToAmazonOpenSearchService_Success, _Records, _Bytes, _AuthFailure, _DeliveryRejected
//	                                        counter                  of AmazonopensearchserviceDestinationConfiguration: documents that requests were answered to have
//	                                                                 taken; documents in the index, of cuts that were committed; their data; requests whose credentials, or
//	                                                                 what these permit, did not do; requests that the cluster, or one of its queues, was too busy for
//	DeliveryToAmazonOpenSearchService_DataFreshness
//	                                        gauge      Seconds       age of the oldest record that is not delivered; absent without any
//	DeliveryToAmazonOpenSearchServerless_Success, _Records, _Bytes, _AuthFailure, _DeliveryRejected
//	                                        counter                  likewise of AmazonOpenSearchServerlessDestinationConfiguration
//	DeliveryToAmazonOpenSearchServerless_DataFreshness
//	                                        gauge      Seconds       likewise
//	DeliveryToElasticsearch_Success, _Records, _Bytes, _AuthFailure, _DeliveryRejected
//	                                        counter                  likewise of ElasticsearchDestinationConfiguration
//	DeliveryToElasticsearch_DataFreshness
//	                                        gauge      Seconds       likewise
//
//	the same, of a stream that is loaded into Redshift
//	DeliveryToRedshift_Records              counter    Count         records in objects that were loaded
//	DeliveryToRedshift_Bytes                counter    Bytes         their data, before compression
//	DeliveryToRedshift_Success              counter    Count         tries of COPY that were committed, or that found the objects loaded already
//	DeliveryToRedshift_DataFreshness        gauge      Seconds       age of the oldest record that is not loaded, of those that this worker knows of: what it did
//	                                                                 not stage yet, and if it loads what is staged; absent without any
//
//	our own
//	RecordsProcessed_Latency                histogram  Milliseconds  from the arrival of a batch's last record until the processor accepted it, by this machine's clock
//	RecordsLost                             counter    Count         records of a prepared object that expired before it was finished; at least
//	RecordsFailed                           counter    Count         records that could not be processed, and that are in an error object
//	RecordsDropped                          counter    Count         records that the transform said are not to be delivered
//	RecordsWithoutData                      counter    Count         control messages and payloads without log events, of which nothing is delivered
//	BundlesLost                             counter    Count         cuts that are delivered again because their bundle was gone: exactly once is broken
//	RecordsLost_Gaps                        counter    Count         gaps in shards: records that may have expired before they were read, nobody knows how many
//	UserRecordsDropped                      counter    Count         user records outside the shard's hash range, not delivered here
//	AggregatesMalformed                     counter    Count         aggregated records that could not be taken apart, delivered whole
//	DeadLettered                            counter    Count         records that the processor never accepted and that were put aside
//	PutFailed                               counter    Count         tries of a put that failed; they are repeated
//	IndexRequests                           counter    Count         requests to a cluster for documents
//	DocumentsFailed                         counter    Count         documents that could not be indexed, and that are in an error object
//	DocumentsSuperseded                     counter    Count         documents for which the index has a later version
//	Loads                                   counter    Count         batches that were loaded into Redshift
//	ObjectsLoaded                           counter    Count         their objects
//	ObjectsKnown                            counter    Count         objects that the ledger had already, and that were not loaded again
//	LoadTries                               counter    Count         tries of COPY
//	LoadTry_Time                            histogram  Milliseconds  these, failed ones too
//	LoadsGivenUp                            counter    Count         batches that were not loaded, and that a manifest under errors/manifests/ names
//	ObjectsNotLoaded, RecordsNotLoaded      counter    Count         their objects, and the records in these
//	MarkersWaiting                          gauge      Count         markers of objects that wait to be loaded, up to 1,000; absent of a worker that does not load
//	Loader                                  gauge      Count         1 if this worker loads, 0 if another one does, or nobody
//	ShardsAwaitingLoad                      gauge      Count         shards whose checkpoint waits until what is staged is loaded, with shardmill.commitOn load
//	ThrottledListShards                     counter    Count         calls that Kinesis refused because of a limit; they are repeated
//	PendingFound{Verdict}                   counter    Count         pending checkpoints of earlier holders: foreign, newer, broken, void, redo or forbidden
//	ReleasedLeases                          counter    Count         leases given back: shard ended, surplus or shutdown
//	LeaseTrust_Millis                       gauge      Milliseconds  how long the lease that is nearest to it is from the end of its trust; absent without leases
//	SyncShards_Age                          gauge      Seconds       since shards and leases were last compared; absent before the first time
//	ScanLeases_Age                          gauge      Seconds       since the lease table was last read; absent before the first time
//	OldestCheckpoint_Age                    gauge      Seconds       since the server-side timestamp of the oldest checkpoint in the lease table, of shards that
//	                                                                 are not finished, by this machine's clock; absent if none has one. It is told of leases that
//	                                                                 others hold, or nobody. A shard is that far behind at most: without new records it grows, too,
//	                                                                 by an hour until the holder, at the tip, moves the timestamp
//	UndatedLeases                           gauge      Count         leases that are not in it: at no record yet, or a Java worker's checkpoint
//	BytesInUse, MaxBytes                    gauge      Bytes         memory for records, and its limit
//	build_info{version}                     gauge      1             the version of the program that runs
//	Trouble{Reason}                         gauge      Count         troubles that there are now, those with a transform too; each reason is there from the start
//	Loop_Silent_Seconds{Loop}               gauge      Seconds       since the last sign of life of the try under way that is silent for longest:
//	                                                                 start, scan, sync, renewal or shard, 0 without one; hook while one is called
//
// And go_* and process_*, as every Go program has them. A record is counted in
// RecordsProcessed once for each worker that processed it; in DeliveryToS3_Records
// once, unless a worker died right after the commit.
//
// EmitEMF writes Firehose's metrics for CloudWatch, with the names and units that they
// have there, and of our own what alarms are for. A line has what was added in the
// minute before it; of what is a gauge, the value then, or nothing where it is absent.
// DeliveryToS3.Success and BackupToS3.Success have a value for each try of a put: 1 if it
// succeeded and was committed, 0 if it failed, those of bundles with the former, and
// ExecuteProcessing.Success likewise for each call of a transform. ExecuteProcessing.Duration
// and JQProcessing.Duration have each value; of more than 10,000 that could not be written
// the oldest are left out. PartitionCountExceeded is 1 if a record found no active
// partition in that minute, 0 if none did, and absent without dynamic partitioning.
//
// A stream of documents has those of its destination, and of DeliveryToS3 only Success, which
// counts all that is put. With S3BackupMode AllDocuments it also has its Records, Bytes
// and DataFreshness, of the objects with all documents. It has no BackupToS3,
// DeliveryToS3_ObjectCount, and nothing of partitions. In EMF Success of documents has a value
// for each request, the share of its documents that were taken: of Firehose's statistics the
// average is the same. AuthFailure and DeliveryRejected are 1 if there was such a request in
// that minute, else 0.
//
// A stream that is loaded into Redshift has S3's too, of what is staged. Its markers are
// among PutFailed, and no delivery. In EMF DeliveryToRedshift.Success is 1 or 0 for each try of
// COPY, and MarkersWaiting, Loader and ShardsAwaitingLoad are told each minute.
//
// The KCL's Success and Time without a prefix, and its getRecords.*,
// ExpiredIterator and MissingMergeParent, are not exported. Nor is Firehose's
// PerPartitionThroughput, which has no definition that could be followed.
package metrics

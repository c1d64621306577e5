// Package processors delivers the records of a shard as Amazon Data Firehose
// does: buffered by size and time, compressed, into objects of S3. Unlike there
// each record is in exactly one object, whatever crashes.
//
// # Safety
//
// A cut is a run of records of one shard, (after, last], that becomes one
// object, or several (see Sealed cuts below). At most one cut of a shard is
// unfinished. It is finished in four steps, and the lease row remembers how far they
// went:
//
//	step     does                                                guarantees
//	close    finishes the body; draws the UUID; fixes the key    from here on bytes, key and UUID never change
//	prepare  stores the plan beside the checkpoint (lease row)   a later holder of the lease knows the cut, its key and how to make its bytes again
//	publish  puts the object under the plan's key, if absent     the key holds one object of this plan, forever
//	commit   checkpoint = last; the plan is removed              the next holder begins after the cut
//
// What a crash, or the loss of the lease, leaves:
//
//	after    the row says      the store has  the next holder
//	close    nothing           nothing        reads from the checkpoint and cuts anew: other bounds, other key
//	prepare  the plan          nothing        reads first..last again, puts under the plan's key, commits
//	publish  the plan          the object     sees the plan's UUID on the object, commits
//	commit   the checkpoint    the object     begins after the cut
//
// Prepare and commit are writes of the lease row on the condition that the lease
// is held and unchanged, so only the holder makes them and one that was
// overtaken fails. Publish is the one step that a former holder can still do
// late: a request that is under way does not stop when its lease is lost. It
// does no harm, for the reasons that follow.
//
// Why each condition is there, by what breaks without it:
//
//   - Nothing is published before the prepare is confirmed. Otherwise a crash
//     leaves an object that no one knows, and the next holder writes its
//     records a second time. While the outcome of the prepare is unknown the
//     same write is repeated and nothing else is done.
//   - The key is stored in the plan, never derived, and a redo uses it. A late
//     put of the former holder and the redo then meet at one key.
//   - Every put of a planned object is conditional: the key is a register that
//     can be written once. Of a late put and a redo one wins. Their records are
//     the same, or, when some have expired before the redo, the winner is
//     whole or is the rest; a whole object is never replaced by a rest.
//   - An object under the key counts as ours only if it carries the plan's UUID.
//     Any other object there is someone else's: the shard stops and says so,
//     since neither its records nor that object may be given up.
//   - The body is a function of the records and of the plan alone
//     (concatenation, delimiter, compression). A redo takes codec, delimiter,
//     bucket and hash range from the plan, never from its own configuration,
//     which may have changed.
//   - The lease must be trusted before every try of a put. It keeps the time
//     in which late puts can happen short; it is not what makes them harmless.
//   - A batch that is delivered again to the same processor is not appended
//     again: what is not above the last appended place is dropped.
//   - The next holder settles the plan before it reads. If it were to read
//     first, the cut's records would be in its buffer too.
//   - Every archiver does so, also one that is set to AtLeastOnce, and one that
//     cannot read a plan (of a newer version, or damaged) refuses to go on.
//   - A plan that does not fit the row (another checkpoint, table, stream or
//     shard) is void: someone moved the checkpoint by hand. It is cleared.
//   - A redo compares what it read with the plan: number, bytes and digest of the
//     records, by the rule that the plan's writer used. Fewer records, without the
//     first, are what expiry leaves: the loss is told, and the rest is put.
//     Anything else that differs, be it the digest alone, is no delivery: other
//     records would take the place of those that the checkpoint then passes.
//     Nothing is put, and the shard is given up with ErrUnfinishable. (If
//     records expire between two pages of a redo, it looks like that too; the
//     next one finds the beginning gone.)
//
// With AtLeastOnce there is no prepare: the object is put under a fresh key and
// then the checkpoint is written. A crash in between leaves its records in two
// objects, never in none.
//
// A record is in the checkpoint only after its object is in the store, in both
// settings; that is all it takes to lose none.
//
// # Sealed cuts
//
// With a backup, or with stages at which a record can fail, the records of a cut
// become several objects. A crash can leave some of
// them, and a successor that is configured in another way would not make the rest as
// they were to be. So between close and prepare there is a step more: seal puts the
// bodies of all objects, and an index of them, as one object under Config.Staging, the
// bundle, and the plan names it. A successor of whatever configuration reads the
// bundle, puts what is not there yet under the keys that the index has, commits, and
// deletes the bundle; it does not read the stream again, so nothing of that cut can
// have expired.
//
//   - The prepare waits until the bundle is known to be stored: a plan without one is
//     of no use to anybody.
//   - What a bundle has is compared with digests in the plan and in the index, and each
//     target is judged as that of a plan is, before anything is put.
//   - A bundle is deleted by who committed its cut. What crashes leave is deleted by the
//     shard's next holder, when a write of the row has shown that it held the lease
//     when it listed them. Without permission to list and to delete they stay, and without
//     the stream's ARN (kcl.Config.StreamARN) none is looked for, since another stream of
//     that name may have put them; either is said. What is left when a shard has ended
//     only a lifecycle rule removes; in a versioned bucket it is one for noncurrent
//     versions.
//   - If a bundle is gone that no archiver deleted (a lifecycle rule that is too
//     short), and not all objects of the cut are known to be there, "exactly once is
//     broken" is logged, Hooks.BundleLost is called, and the cut's records are delivered
//     again: some are then in two objects, and none is lost. A lifecycle rule for
//     bundles should wait longer than the stream keeps its records.
//
// The objects of a cut are put side by side, up to Config.ParallelPuts of all shards at
// once. One that fails is repeated, and holds up no other.
//
// # The next cut fills behind
//
// Seal and publish, which wait for the store, go on on a goroutine of their own while
// the shard's goroutine gathers the next cut. What makes that safe:
//
//   - There is one unfinished cut of a shard. The next one closes, and gets its plan, when
//     the one before is committed: its plan says after which checkpoint it comes. (While
//     that one waits for a load the next one grows: see Loads.)
//   - Only the shard's goroutine writes the lease row, and only between steps: nothing is
//     put while a prepare is in doubt, and no prepare or commit overtakes a put. That the
//     goroutine behind has ended is what it learns from a channel, and nothing else tells
//     it that a step is done: one that panics or ends its goroutine has failed.
//   - What goes on behind ends with the holding of the lease, and asks for trust before each
//     try as ever. LeaseLost, a new Initialize, and a call that panics end it, and wait for it,
//     before the buffers are dropped: a processor leaves nothing that runs.
//   - The records of the next cut are above the mark, in memory and in no checkpoint. If
//     the lease goes, the next holder reads them again.
//   - A successor settles a plan before it reads, so nothing fills meanwhile, unless the plan
//     is announced (see Loads).
//   - What goes wrong for good is the error of the next call, which redelivers its records:
//     those that were taken in are not taken in again.
//
// A call returns while a cut is under way, unless the next one is complete too, memory
// is short (kcl.ProcessRecordsInput.Pressure), or the shard ends. So a shard holds up to
// two cuts, both of which count in the worker's memory budget. A call that waits
// when the worker is to stop (kcl.ProcessRecordsInput.Stopping) takes the rest of its records
// in, so that all of them are accepted, and returns; the open cut may become larger by them. A
// plan that Initialize cannot finish is left then. A shutdown delivers until
// five seconds before its deadline, and leaves the rest: what is prepared to the next
// holder of the lease to finish, what is not to be read again. Deleting the bundle of a
// cut that is committed is done in a call, and given up after ten seconds.
//
// A step that failed by other than an error of the store, as one that panics, is an error of
// the next call. The calls after it wait for that step, so that the worker, which counts
// the calls that fail, gives the shard up in the end.
//
// # Transforms
//
// A transform gets batches of records, up to five of a shard side by side, and what it
// says of them enters the cut in the order in which the records came. It may say
// something else when it is asked again, so its cuts are sealed: what enters a cut is what
// is delivered, whoever delivers it. What makes that safe:
//
//   - A cut's last record is the last one that has entered it. Records that wait to be
//     transformed, and those of a batch that is under way, are above it: in no plan and in
//     no checkpoint. If the lease goes, the next holder reads them again.
//   - Batches enter in order, and a record with all its parts. So a cut is a run of
//     records without a gap, however late an earlier batch comes.
//   - A record enters once: what a call brings again, since one before failed, is known by
//     its place, to the batches and to the cut.
//   - Each record that was given to a transform has one outcome: data, or that it is
//     dropped, or a line of an error object with the record as it came. What the
//     transform does not name, names twice, or answers when it is too late, has failed.
//   - What goes on behind ends with the holding of the lease, as the delivery does. LeaseLost,
//     a new Initialize and a call that panics end it and wait for it; its answers are
//     dropped.
//
// A transform is called at least once with a record, not exactly once: again after an
// error, and after a crash or a lost lease, by the next holder.
//
// A batch is in memory as it came, as a request and as an answer, all of which counts in
// the worker's memory budget. One batch of each shard may always be under way; another one
// only if the budget has room for it. When none may be, the call waits for the first one, so
// that no more is read. Under pressure, at the shard's end and in a shutdown the open
// batch is transformed at once; a shutdown leaves what is not done in half of its time.
//
// # Partitions
//
// With DynamicPartitioning a cut has an object for each partition, and another one when
// that has reached the size. The cut ends by the interval since its first record entered
// it, by pressure, or by the bounds of its log and of the index of its bundle, some 30,000
// objects: all of its objects are visible then. What is
// in a partition is decided when a record enters, by its keys and what the timestamps in
// Prefix print of it; the name of an object has the arrival of its oldest record.
//
// A record whose partition cannot be had, or that needs one partition too many, becomes a
// line of an error object. Active are the partitions of the open cut.
//
// # Documents
//
// With Config.Index the records of a cut are documents, each of which an index takes or
// refuses. Between close and seal there is a step more: bulk sends them, until each has an
// outcome (DocumentIndex; package esarchive has the argument for what it promises). What
// that makes safe here:
//
//   - What a cut puts is made after the outcome: lines of the documents that failed, and a
//     backup. So the plan names a line for each failure that it is the plan of, and the
//     checkpoint passes a document only when it is in the index or in such a line.
//   - Until the prepare nothing of the cut is remembered. A crash or a lost lease has the
//     next holder read its records again and send all of its documents again: a document
//     may then be in the index and in an error object, never in neither.
//   - A successor that finds a plan puts its objects, and sends no document: each of that
//     cut had its outcome.
//   - An outcome that does not say of each document what became of it is refused, and the
//     shard given up: that is a fault of the index's client.
//   - Bulk goes on behind, as seal and publish do, and ends as they do. The lease must be
//     trusted before each request.
//
// While the index and the store are both down nothing is given up: documents that have
// failed wait for their error object.
//
// # Loads
//
// With Config.Load what a cut delivers is to be loaded by somebody else, a loader. Each cut
// that delivers something has one object more, its marker, which names the others (Marker). A loader may
// load whatever has a marker, and deletes the marker then. What makes that safe:
//
//   - The marker is put when all other objects of the cut are known to be in the store, by a
//     successor too: what a marker names is there. Those that failed, and a backup, are in none.
//   - The checkpoint passes a cut after its marker is put: somebody will load it.
//   - A marker has the plan's UUID in its key, and is put if absent like any other object of a
//     plan: however many holders put it, there is one.
//   - No archiver deletes a marker, and no sweep sees one: bundles of an application named
//     "load" are elsewhere (Bundles).
//
// With CommitOnStage, Firehose's, that is all. With CommitOnLoad the checkpoint waits until
// the marker is gone, in two steps more between publish and commit:
//
//	step      does                                                             guarantees
//	announce  stores the plan in another form (lease row): all is there        nobody puts anything of this cut any more
//	await     asks for the marker every Config.RetryInterval until it is gone  what the checkpoint passes is loaded, or named in errors/manifests/
//
// Of these it is to be known:
//
//   - Without the announcement a successor that finds no marker cannot tell "not put yet" from
//     "loaded and deleted": it would mark again whatever was loaded while the checkpoint
//     waited, at each restart.
//   - While the announcement is in doubt nothing but the same write is tried, as with the
//     prepare. After it the bodies are given back, the bundle is deleted, and the objects are
//     told to be delivered.
//   - A successor that finds an announcement puts nothing, whatever it is configured to do, and
//     waits behind while it reads: the records of the awaited cut come again, and are below its
//     mark. An archiver that has another CommitOn waits all the same for what was announced. If
//     no loader of its configuration finds the marker, that is an error each minute, and Foreign.
//     If the records expired meanwhile, the worker tells a gap (kcl.Hooks.RecordsLost), though they are in objects.
//   - The wait has no end by itself, goes on in an outage, and without permission to ask (which
//     needs s3:ListBucket: else S3 does not say that an object is gone). It is told at once
//     and each minute.
//   - While a cut waits, the next one goes on when it reaches its size or interval: with another
//     object, of up to 128. Its objects get as large as ever. It closes when the wait is over.
//     Under pressure a call waits for the load, so that reading stops at the worker's
//     memory budget.
//   - The end of a shard waits too, and with it the shard's children. A shutdown does not: the
//     load, with what is gathered behind, is left to the next holder.
//
// A marker that was deleted can come again, and its objects are then loaded a second time, unless
// the loader has a ledger of what it loaded: after a crash, or a lost lease, between the put of
// the marker and the announcement (with CommitOnStage, the commit), and by a put that comes late or whose answer
// was lost. With Delivery AtLeastOnce also by a crash before the commit, and then under other
// keys, which no ledger knows. Left out they are never.
//
// A lifecycle rule for bundles must be for those alone (Bundles), not for all of Config.Staging:
// it would remove markers, and what they name would be loaded by nobody.
//
// # Who can write to the lease table
//
// A plan is input from whoever can write to the table, and is not signed. So it
// does not say where objects may go: its bucket must be one that the Config names for
// objects or bundles, or one of Config.FormerBuckets, and its key be valid, without control characters and
// without ".." between slashes; else the shard is given up with ErrUnfinishable,
// nothing is asked of the store, and the row stays as it is. If the bucket was
// changed while a plan was pending, list the former one until the shard goes on.
//
// That is all that is kept from him. Who can write to the table can still
//
//   - move the checkpoint, and with it have records skipped or delivered
//     again. Nobody can tell it from an operator's doing;
//   - have the records of a shard put under any key of the buckets named above
//     that has no object, as the prefix is not compared: it may have been changed
//     too. A policy that permits s3:PutObject below the prefix alone keeps them
//     there. No object is replaced;
//   - with a bundle that he can put into one of these buckets, have his own bytes
//     put under such keys;
//   - let a plan end later than its object, whose UUID he copied: then the
//     records in between are skipped as by a checkpoint that he moved;
//   - narrow a plan's hash range, or let it begin late, and write a count and
//     a digest that go with it, so that user records are left out unseen. With
//     the count and the digest as they were it is found: as a loss that is
//     told, if what is left out is a beginning, else as other records;
//   - stop a shard, or have its records delivered late.
//
// So give nobody access to the table who may not skip records, and keep the
// backups of what matters elsewhere.
//
// # What is needed
//
// A store with conditional puts (If-None-Match). Nobody who moves objects away
// or edits their metadata within the failover time and a redo. A worker that
// Archiver.Configure has set: without a dead-letter function, as giving a batch up
// would checkpoint past records that are still buffered here; with ticks
// (kcl.Config.TickInterval), as without them the buffering interval is looked at
// only when records arrive.
//
// Not promised: that a producer's own duplicates are removed; and that a Java
// worker on the same lease table finishes a plan: it starts at the checkpoint,
// so that cut is at least once, and never lost.
//
// # Workers of several versions
//
// A plan begins with the number of its format. Each version finishes the formats
// before its own as they were meant, and refuses later ones:
//
//	format  digest of the records   written by
//	1       SHA-256                 earlier versions
//	2       XXH3-128                this version
//
// The plan of a sealed cut says so in its kind, which versions before this one refuse
// alike: have all workers run this version before a backup or such a stage is configured.
// So do the index of a bundle with a marker, and a plan that is announced: the same goes for Config.Load.
//
// While versions are mixed, as in a rolling deployment, an older worker can take a
// shard in whose row a newer one left a plan: it crashed, lost the lease or had to
// stop between prepare and commit. The older one touches neither row nor store. It
// says "prepared checkpoint cannot be finished" with the format, gives the shard up
// with ErrUnfinishable, and leaves its lease to others; after the failover time the
// next worker takes it, until one takes it that knows the format. Until then that
// shard waits, and no other one does. Nothing is lost as long as the stream keeps
// the records, nor delivered twice.
//
// The same goes for a step back to an older version. The newer one's workers
// leave no plan behind if they can deliver while they stop; `shardmill leases`
// shows in the column PENDING what is left. A worker of the newer version, which may
// be the only one, finishes it. Abandoning it instead gives up exactly once for
// the records of that cut.
//
// # When the store is down
//
// Puts are repeated every few seconds until they succeed or the lease is lost.
// When the next cut is complete, the processor's call does not return before, so no more
// is read than the worker's memory budget allows, and nothing is skipped. Failures are logged as
// warnings, the first one and then one a minute, and each is told to
// Hooks.PutFailed.
//
// Each try has a limit, so that a store that never answers counts as one that
// fails: a minute, and a second more for each MiB of an object. Writes of the
// lease row end with trust in the lease, within the failover time. For
// kcl.Config.CallTimeout such a call is alive: each try that ends is a sign of
// life, as is each second that a try of the store runs within its limit, or the
// next one is waited for. A CallTimeout below the failover time is refused: a call
// could end before the write under it, whose outcome nobody would know.
//
// # Parts
//
// A processor moves what its buffer gathers into its delivery:
//
//	incoming   transforms.go records on their way into the cut: straight, or in batches through a transform
//	buffer     buffer.go     the records of the next cut, and when it closes; knows no destination
//	  pace     pace.go       how objects grow while the shard is behind
//	  pipeline               what becomes of a record on its way into the cut
//	  contents               what a cut's records become:
//	  body     body.go       the content of one object: spooled, in a container
//	  outputs  outputs.go    what becomes several objects: a log, and where in it each is
//	    sorter sorter.go     which partition a record belongs to
//	sealer     cut.go        makes a cut of them: fixes keys, the UUID and the plan
//	unindexed  unindexed.go  the documents of a cut, until each has an outcome
//	delivery   delivery.go   bulk, seal, prepare, publish, announce, await, commit; knows no records
//	  errand   errand.go     one of these that goes on behind
//	  parcel                 what these bring to the destination:
//	  single   objects.go    one object
//	  bundle   bundle.go     several, and the bundle of their bodies
//	  loading  marking.go    what is left of these while they are loaded; how cuts are marked
//	staging    staging.go    where bundles are; what crashes have left there
//	successor  successor.go  finishes what an earlier holder prepared, of a bundle in carry.go
//	tries      repeat.go     how often, and for how long, each call is made; side by side in parallel.go
//
// The decisions are functions of values: when a cut closes (closeReason), what a
// pending checkpoint means, which step a cut needs, whose object has a key, what
// a replay has to do with its plan and a bundle's index with it (internal/exactlyonce,
// whose tests are a model that tries every interleaving of two workers).
package processors

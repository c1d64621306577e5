// Package exactlyonce has what the exactly-once protocol decides and remembers:
// the plan that an archiver stores in a lease row between prepare and commit,
// and each decision that is a function of values. Package processors acts on
// them; the model in this package's tests calls the same functions, so that it
// checks what runs.
//
// # Digest
//
// A successor that makes a plan's object anew reads its records from the stream.
// The digest is for the case that it gets other records, or other bytes, than the
// plan was made of, by accident: the stream was made anew, aggregated records are
// taken apart in another way, memory or a program has a fault. It is compared
// together with the number of records and of their bytes, and none may leave the
// bounds of the cut ([JudgeReplay]).
//
// It keeps nobody out: who can write to the table can write a digest too, and who
// puts records into a stream cannot change them later. So it need not be hard to
// forge. It must not agree by chance, and it must be the same in every version and
// on every machine of a fleet. There are two rules:
//
//	format  rule    digest of
//	1       SHA256  the data of all records, one after another
//	2       XXH3    the digests of all records, one after another, each of its data: XXH3-128, seed 0, highest byte first
//
// The second one tells where records end, because a delimiter makes another object
// of records whose bounds moved, though number and bytes are the same. Sequence
// numbers do not count: no object has any. What 128 bits let pass by chance is one
// in 2^127 of the replays that are wrong in nothing but their bytes.
//
// A replay is compared by the rule of its plan, so plans of format 1 are finished
// as ever. Archivers write format 2.
//
// # Sealed cuts
//
// A cut whose objects are not a function of its records and its plan, or that has
// several, is sealed: kind S, while one of a single object is of kind R. All bodies of
// the cut and an index of them are one object, the bundle, under a key that has the
// plan's UUID:
//
//	step     does                                                   without it, or before its time
//	seal     puts the bundle, if absent                             a plan that nobody can finish: prepare waits for it
//	prepare  stores the plan, which names the bundle                objects that nobody knows: publish waits for it
//	publish  puts each object under its key, if absent, in any order
//	commit   checkpoint = last; the plan is removed                 a bundle that is missed: its deletion waits for it
//
// A successor publishes from the bundle what is not there, whatever it is
// configured to do, commits, and reads only then. It asks neither stream nor
// transform again: both may answer otherwise.
//
// If something else has removed the bundle (a rule of its bucket), the successor
// looks for the objects, if the plan has room for their keys. Are all there, it
// commits; else it tells that exactly once is broken, clears the plan and delivers
// the cut's records again: some may then be in two objects, and none is lost.
//
// Bundles that no plan names are left by crashes. Who holds the shard lists them
// between two cuts, and deletes what it saw after its next write of the row has
// succeeded: then nobody else held the lease when it looked, so who sealed them has
// lost it, and his prepare will fail. A sweep that deletes at once can be that of a
// former holder, and meet the bundle of a plan that is prepared next.
//
// A worker on a clone of the table sees another identity, clears the plan there,
// and deletes nothing.
//
// # Markers
//
// A cut that is to be loaded has one object more: the marker, which names those that are
// delivered. A loader may load whatever has a marker, and deletes the marker then. So publish
// has an order: the marker is put when all others are durable, by a successor too. Its key has
// the plan's UUID.
//
// If the commit is to wait for the load there are two steps more after publish:
//
//	step      does                                                     without it, or before its time
//	announce  stores the plan in another form in the row: kind A,      a successor finds no marker, cannot tell "not put yet" from
//	          which has the marker's key, and nothing to be put        "loaded and deleted", and puts it again at each restart
//	await     looks for the marker until it is gone                    a checkpoint that passes what nobody has loaded
//
// The announcement is a write of the row like the prepare: while it is in doubt nothing but
// the same write is tried. The bundle is deleted after it: nothing will be put any more. A
// successor that finds a plan of kind A puts nothing, and need not wait with reading: it takes
// what is not above the plan's end for known, and commits when the marker is gone.
//
// A marker that a loader has deleted can come again: by a crash or a lost lease between its put and the
// announcement (or the commit, if that does not wait), as the successor finds it missing and
// puts it; and by a put that comes late, or is repeated since its answer was lost. Its objects
// are then loaded again, unless a ledger knows them. They are never left out.
//
// # Versions
//
// The byte after the magic is the format, the next one the kind. A version that does
// not know the format refuses
// the plan as [ErrNewer] without a look at the rest, be it the checksum; an index with a marker
// has version 2 for the same reason; an unknown
// kind, pipeline, codec, delimiter or rule is refused alike. No version passes over
// such a plan, whose object may be there already. So what a value meant once it
// means forever, and a new meaning gets a new value.
package exactlyonce

// Package exactlyonce_test is a model of the exactly-once protocol: two workers, a
// lease row, a store of objects, a stream of two or three records, and every
// order in which their steps can happen, with a few crashes, lost answers,
// takes, releases, redeliveries, expired records and an operator's seek. The
// search is breadth first, so a broken promise comes with one of the shortest
// ways to it, as a text that can be read from top to bottom.
//
// # What is the product's own
//
// The order of a cut's steps is exactlyonce.Next; whose object a key holds is
// exactlyonce.JudgeKey; what is appended is exactlyonce.IsNew; what a redo may do with
// what it found is exactlyonce.JudgeReplay. The row is written by lease.Mem, whose
// conditions every table is tested against, and a plan found in it goes through
// exactlyonce.Encode, exactlyonce.Decode and exactlyonce.Judge. Only which of these is called when
// is said a second time here.
//
// # Promises
//
//	LOST       a record at or before the checkpoint is in no object, and no loss was reported
//	TWICE      a record is in two places of the store, late puts included
//	DESTROYED  an object is replaced by one that lacks some of its records
//	STUCK      a planned key holds another plan's object
//	BROKEN     a bundle is gone while its plan is pending, and nothing else removed it
//
// and with markers, which a loader may take at any time:
//
//	EARLY         a marker names an object that is not there
//	UNMARKED      a record at or before the checkpoint is in no object that is loaded, or marked, and did not fail
//	UNLOADED      the same, if the checkpoint waits for the load: in none that is loaded
//	MARKED AGAIN  a holder puts a marker after he, or one before him, had begun to wait for its end
//
// A ledger counts an object once however often it was marked, so TWICE is its promise too.
// Without a ledger an object is loaded twice if its marker comes again, and that happens
// (TestSealedCuts) by a crash or a lost lease between the marker's put and the announcement, or the
// commit, and by a put whose answer was lost; never without these (TestMarkedOnce).
//
// # Rules
//
// Left out of the model is what only keeps a late put rare, time above all: a
// worker of the model acts as late as it likes, and may be taken from at any
// moment. So a stopped process is one that is not scheduled, and trust, failover
// time and renewals do not occur.
//
//	rule                              model                       product
//	 1 append above a mark            read, fits                  buffer.append, IsNew, kcl: after
//	 2 close; keys are drawn          close, keyOf                sealer.seal, names.key
//	 3 prepare; in doubt: the same    prepare, write              delivery.prepare, PrepareAt, Held.settle, lease.Mem.Prepare
//	 4 publish if absent; 412: HEAD   send, land, lookAgain       objectSink.put, look, JudgeKey
//	 5 commit                         commit, commitAndPrepare    delivery.commit, lease.Mem.Checkpoint; it carries no prepare
//	 6 lease lost, release            lose, stop                  processor.LeaseLost, Held.Release, lease.Mem.Release
//	 7 successor, from take's answer  take, takeAgain, start      lease.Mem.Take, successor.settle, Judge
//	 7a nothing pending               start                       exactlyonce.None
//	 7b another program's             ignores (the worker that    exactlyonce.Foreign
//	                                  knows no plans; see 10)
//	 7c newer, damaged, forbidden     start gives up              exactlyonce.Newer, exactlyonce.Broken, exactlyonce.Forbidden
//	 7d void                          start clears                exactlyonce.Void, Checkpointer.Clear
//	 7e kind R                        look, rebuild, again        redo, rebuild, replay, exactlyonce.JudgeReplay
//	 7e fewer: a loss, and the rest   again reports               exactlyonce.ReplayShort, reportLoss
//	 7e other records                 again gives up              exactlyonce.ReplayWrong, refuse
//	 7f kind S                        sealedModel: fetch, giveUp  successor.carryOn, fetch, lost, JudgeIndex
//	    bundles, sweeps               seal, clean                 bundle.seal, staging.list, sweep, discard
//	    markers                       mark, load, announce        bundle.publish, cut.staged, loading.await
//	 7f' kind A                       take, await                 successor.goOn, Initialize
//	 7g only then read                mark and read in commit     settle before Initialize returns, buffer.mark
//	 8 shard end                      none: it is a last cut      processor.ShardEnded
//	 9 operator                       seek                        not built; as if the row were edited
//	10 Java, at least once            ignores, atLeastOnce        ExactlyOnce and AtLeastOnce of processors.Config
//
// Nor does the model know anybody who writes rows of his own: who can, can move
// the checkpoint, and with it lose or repeat what he likes. See package
// processors.
//
// A change of the protocol is a change here first: a rule that is dropped has a
// row in TestDeviations, and a new one needs one.
package exactlyonce_test

// Package killtest kills and stops real archivers and has a script that is no
// part of the product compare the stream with the objects; what a transform makes of
// records its test counts itself, in the files. It has tests only, which have
// the build tag kill, some of them search or redshift:
//
//	go test -tags kill -v -timeout 15m ./cmd/shardmill/killtest
//
// TestKill strikes two archivers at chosen points of their protocol,
// TestKillAtShardEnd while they end a shard, TestKillInMultipart while they
// upload an object in parts, TestKillInPartitions while their records go through a
// program into objects of 500 partitions. These variables of the environment change
// the run:
//
//	SHARDMILL_KILL_MB       data that TestKill puts, in MB; default 200
//	SHARDMILL_KILL_HITS     archivers that it strikes; default 56, and no run passes with fewer than 50
//	SHARDMILL_KILL_RECORDS  records that TestKillInPartitions puts at least; default 20000
//	SHARDMILL_KILL_SEED     what is chosen at random; default: at random, and printed
//	SHARDMILL_KILL_DIR      where objects and logs are kept; default: a temporary directory, kept if the test fails
//
// TestKillIndexing, with the build tag search, strikes two archivers that deliver
// documents to OpenSearch or Elasticsearch, which are killed themselves; scripts/search.sh
// starts these. Between both stands what loses, cuts and refuses requests. Each document
// is read back and compared with what was put:
//
//	SHARDMILL_KILL_DOCUMENTS  records that it puts at least; default 200000, of Elasticsearch 60000
//
// TestKillLoading, with the build tag redshift, strikes two archivers that stage and load, between
// each two of their steps, from the put of an object to the deletion of its marker; the warehouse and
// the other services are in the process of the test. Each row is counted. With a ledger it must be there
// once, or its object be named by an errors manifest; without one, twice only by two manifests, between
// which, or shortly before, an archiver was struck. TestKillLoadingPostgreSQL
// has the loaders lose their connections, with PostgreSQL behind our COPY; scripts/redshift.sh starts it:
//
//	SHARDMILL_KILL_ROWS  records that each run puts at least; default 20000
//
// TestChaos has four archivers live through everything that happens to a fleet,
// chosen at random: kill -9, SIGSTOP, SIGTERM, throttling, 5xx, cut connections,
// latency, requests that land late or are never answered, reshards. An hour of it is
//
//	SHARDMILL_CHAOS_TIME=60m go test -tags kill -v -timeout 90m -run TestChaos ./cmd/shardmill/killtest
//
//	SHARDMILL_CHAOS_TIME  how long the trouble lasts, such as 60m; default 90s
//	SHARDMILL_CHAOS_KB    data to put a second, in kB; default 500, of a long run less: 900 MB in all
//	SHARDMILL_CHAOS_SEED  what is chosen at random; default: at random, and printed
//	SHARDMILL_CHAOS_DIR   where objects and logs are kept; default as above
//
// A seed repeats the choices and their order, not the moments: real processes
// do not repeat those.
//
// The objects are files, the services are `shardmill local`, the archivers are
// `shardmill archive --config`, half of the records are put by `shardmill put`.
// Needed besides: Linux, for its /proc, and Python 3.
package killtest

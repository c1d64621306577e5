// Package killtest kills and stops real archivers at chosen points of their
// protocol and has a script that is no part of the product compare the stream
// with the objects. It has tests only, with the build tag kill:
//
//	go test -tags kill -v -timeout 15m ./cmd/shardmill/killtest
//
// These variables of the environment change the run:
//
//	SHARDMILL_KILL_MB    data to put, in MB; default 200
//	SHARDMILL_KILL_HITS  archivers to strike; default 56, and no run passes with fewer than 50
//	SHARDMILL_KILL_SEED  what is chosen at random; default: at random, and printed
//	SHARDMILL_KILL_DIR   where objects and logs are kept; default: a temporary directory, kept if the test fails
//
// The objects are files, the services are `shardmill local`, the archivers are
// `shardmill archive --config`, half of the records are put by `shardmill put`.
// Needed besides: Python 3.
package killtest

// Package sqlwire is PostgreSQL's protocol, version 3, in front of a database of
// whatever kind: start, passwords in clear text and by MD5, TLS, simple queries of
// several statements, and cancelling. It has no extended queries, no COPY FROM STDIN and
// no functions; what it does not have is refused by name.
package sqlwire

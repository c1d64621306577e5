// Package referees holds package esarchive to OpenSearch and Elasticsearch. It has no code
// of its own; scripts/search.sh installs and starts the servers, and restarts and kills
// them as the tests ask.
package referees

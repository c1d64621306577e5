// Package sqltext reads the text of SQL: its tokens, and where its statements end.
// Those who know what the statements mean are packages redshiftcopy and warehoused.
package sqltext

// Package clusterd is Elasticsearch or OpenSearch inside this process, one node, as
// far as programs that index documents need it and their tests look at it.
//
// # What it does
//
// POST and PUT of _bulk with index, create and delete, of plain or gzip bodies, as
// Elasticsearch 6, 7 and 8, OpenSearch 1, 2 and 3 and OpenSearch Serverless answer
// them, item by item: versions, external ones too, documents that are there, names of
// indices that are none, aliases with and without a write index, data streams, ingest
// pipelines, blocks, closed indices, mapping types, and mappings: dynamic ones, of the
// first value of a field, and given ones. What is refused as a whole is refused as a
// whole, with the server's words. Indices, aliases, templates, data streams and
// settings are made and read by the usual requests, and documents are counted, searched
// for in the order of their ids, and got.
//
// The suite localaws/searchtest runs against this package, OpenSearch 2.19 and
// Elasticsearch 6.8. What this package says of other versions comes from their
// documentation.
//
// # What it does not
//
// A search finds all documents: there are no queries, no analysis, no scores. What is
// indexed is found at once, without a refresh. Ingest pipelines have names and do
// nothing; there are no updates, no scripts, no deletion by query, no tasks. A mapping
// knows the types of numbers, text, keyword, boolean, date and object; a field of
// another type takes any value but an object. Nothing is written to disk.
//
// A request that it does not know is answered with 400 that says so.
package clusterd

// Package jsontext reads JSON texts as jq 1.6 does, as far as they are JSON: of what jq
// accepts, that which RFC 8259 allows, and of what RFC 8259 allows, that which jq accepts.
//
//	refused here, taken by jq    numbers as 01, +1, 1., .5, NaN, Infinity; a byte order mark; control characters U+0000, U+001F in strings
//	refused by jq and here       a high surrogate without its low one (\ud800); nesting above 256, where an object within an object counts twice
//	taken by both                bytes that are not UTF-8, and low surrogates alone, in strings: U+FFFD; numbers beyond doubles: infinite
//	of members of the same name  the last one counts; its place is that of the first
//
// What skips a value and what goes through it agree on what one is.
package jsontext

// maxDepth is jq 1.6's limit of what is open: arrays, objects and the names of members.
const maxDepth = 256

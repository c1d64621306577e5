// Package decode reads the answers of GetRecords without the SDK's decoder, which
// costs more than all else that is done with a record. It is a protocol of the
// SDK's client (Options.Protocol) around the client's own: signing, retries,
// endpoints and every other operation stay the SDK's.
//
// # Why nothing is lost or changed
//
// The SDK's decoder remains the authority. A body is taken over only if this
// package is sure what it says; any other goes to the SDK's decoder as it came.
//
//   - The first pass looks at the whole body and writes nothing. Whatever is
//     unusual makes the body the SDK's: a member twice, another type, an escape
//     where there should be none, a control character, deep nesting, anything
//     after the end, and of course a body that is no JSON.
//   - The second pass decodes the data of the records where it stands. If it finds
//     base64 that is none, it encodes again what it has decoded, and the body is
//     the SDK's: the values are the same, if not the unused bits of the last digit.
//   - Only the list of records is read here. The SDK's decoder reads the rest of
//     the answer, with an empty list in its place, so what it makes of iterators,
//     child shards and members that nobody knows yet is by construction the same.
//
// # Who may use what for how long
//
// One Page holds one answer. Its records' Data alias a buffer that is used again
// once the page is released; their strings are parts of one string of the page's
// own, which nothing writes to. So a string may be kept, though it keeps those of
// the whole page: clone what stays. A Page belongs to one call, whose tries come
// one after another: each begins by letting go of what the try before it read.
// Whoever makes the call releases the page, also after an error.
//
// In tests released buffers are filled with 0xDB, so that a processor that keeps
// Data finds nonsense instead of what happens to be there.
package decode

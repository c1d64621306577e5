// Package document reads a file of YAML or JSON as values that know where they
// are, so that whatever is wrong with one is said with its line, its path, what is
// there and what to do. It has JSON's data model and no more: anchors, tags and
// merge keys are refused, and so is text that would take the parser long. What the
// values mean is its callers' business.
//
// Everything that is wrong is reported, not the first of it: a Place that could
// not be read reports so once, and is then passed over.
package document

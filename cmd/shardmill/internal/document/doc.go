// Package document reads a file of YAML or JSON as values that know where they
// are, so that whatever is wrong with one is said with its line, its path, what is
// there and what to do. It has JSON's data model and no more: anchors, tags and
// merge keys are refused, and so is text that would take the parser long. What the
// values mean is its callers' business.
//
// In a text, ${NAME} is the value of an environment variable. It is put in after
// the file was parsed, and only into values, so that whatever a variable holds it
// adds no member and ends no text. A variable that is all of a text may also stand
// for a number, or for true or false. $${ is written for a ${ that is none; there
// are no defaults, and no variables within variables. Names of secrets are refused:
// values are shown in messages.
//
// Everything that is wrong is reported, not the first of it: a Place that could
// not be read reports so once, and is then passed over.
package document

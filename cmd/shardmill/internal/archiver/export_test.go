package archiver

// NewDatabase is what a loader loads into.
var NewDatabase = newDatabase

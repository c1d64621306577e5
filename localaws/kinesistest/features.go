package kinesistest

// Features tells what a server is known to get wrong. The zero value asks for all that the service does.
type Features struct {
	// AtTrimHorizonListsAll: the filter AT_TRIM_HORIZON lists all shards. The service lists those that were open at the trim horizon only.
	AtTrimHorizonListsAll bool
	// NoEndingSequenceNumber: the EndingSequenceNumber of a closed shard says nothing. The service gives one that is above all of its records.
	NoEndingSequenceNumber bool
	// NoPutLimits: a PutRecords of more than 500 records or more than 10 MiB is accepted. The service refuses it whole.
	NoPutLimits bool
	// NoPageLimit: GetRecords answers more than 10 MiB. The service ends a page before that.
	NoPageLimit bool
	// BadIteratorIsUnknown: a string that is no iterator gives some error. The service answers InvalidArgumentException.
	BadIteratorIsUnknown bool
	// SlowWithMegabytes leaves out the tests that store more than a few kilobytes, for a server that would take minutes.
	SlowWithMegabytes bool
}

// KinesisMock is what kinesis-mock 0.6.2 (npm kinesis-local) gets wrong.
func KinesisMock() Features {
	return Features{
		AtTrimHorizonListsAll:  true,
		NoEndingSequenceNumber: true,
		NoPutLimits:            true,
		NoPageLimit:            true,
		BadIteratorIsUnknown:   true,
		SlowWithMegabytes:      true,
	}
}

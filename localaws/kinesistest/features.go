package kinesistest

// Features tells what a server is known to get wrong. The zero value asks for
// all that the service does.
type Features struct {
	// AtTrimHorizonListsAll: the filter AT_TRIM_HORIZON lists all shards. The
	// service lists those that were open at the trim horizon only.
	AtTrimHorizonListsAll bool
	// NoEndingSequenceNumber: the EndingSequenceNumber of a closed shard says
	// nothing. The service gives one that is above all of its records.
	NoEndingSequenceNumber bool
	// NoPutLimits: a PutRecords of more than 500 records, of more than 10 MiB,
	// or with a record of more than 1 MiB is accepted. The service refuses it
	// whole.
	NoPutLimits bool
	// BadIteratorIsUnknown: a string that is no iterator gives some error. The
	// service answers InvalidArgumentException.
	BadIteratorIsUnknown bool
	// UnevenRanges: the parts of the key space that the shards of a new stream
	// get are off by one: of two, the first ends at 2^127-2. The service ends
	// it at 2^127-1.
	UnevenRanges bool
	// BadKeyIsInvalidArgument: a partition key that is empty or too long is an
	// InvalidArgumentException. The service has ValidationException.
	BadKeyIsInvalidArgument bool
	// UnknownNumberIsNotFound: a StartingSequenceNumber that the shard never
	// gave is a ResourceNotFoundException, which a consumer takes for a stream
	// that is gone. The service has InvalidArgumentException.
	UnknownNumberIsNotFound bool
	// FarScalingIsInvalidArgument: an UpdateShardCount beyond double or half is
	// an InvalidArgumentException. The service has LimitExceededException.
	FarScalingIsInvalidArgument bool
	// SlowWithMegabytes leaves out the tests that store more than a few
	// kilobytes, for a server that would take minutes.
	SlowWithMegabytes bool
}

// KinesisMock is what kinesis-mock 0.6.2 (npm kinesis-local) gets wrong.
func KinesisMock() Features {
	return Features{
		AtTrimHorizonListsAll:       true,
		NoEndingSequenceNumber:      true,
		NoPutLimits:                 true,
		BadIteratorIsUnknown:        true,
		UnevenRanges:                true,
		BadKeyIsInvalidArgument:     true,
		UnknownNumberIsNotFound:     true,
		FarScalingIsInvalidArgument: true,
		SlowWithMegabytes:           true,
	}
}

package transform

// Judge says what becomes of records whose transform returned results, one outcome for
// each record in order, and how many results are of no record. Attempts and Ended are
// left to who knows them.
//
//	results of the record   become
//	none                    Lambda.MissingRecordId
//	two or more             Lambda.DuplicatedRecordId, whatever they say
//	Fault                   that failure
//	Ok                      Data and PartitionKeys; Lambda.InvalidReturnFormat if Data is nil
//	Dropped                 Dropped
//	ProcessingFailed        Lambda.ProcessingFailedStatus
//	another status          Lambda.JsonMappingException: ours, Firehose's is not known
//
// Results of no record are ignored, as Firehose does. None of these failures is tried
// again: the transform answered, and other records of the batch are delivered.
func Judge(records []Record, results []Result) (outcomes []Outcome, unknown int) {
	outcomes = make([]Outcome, len(records))
	at := make(map[string]int, len(records))
	for i := range records {
		at[records[i].ID] = i
	}
	seen := make([]bool, len(records))
	for i := range results {
		n, isKnown := at[results[i].ID]
		switch {
		case !isKnown:
			unknown++
		case seen[n]:
			outcomes[n] = Outcome{Failure: duplicatedRecordID()}
		default:
			seen[n] = true
			outcomes[n] = judged(&results[i])
		}
	}
	for n := range outcomes {
		if !seen[n] {
			outcomes[n] = Outcome{Failure: missingRecordID()}
		}
	}
	return outcomes, unknown
}

func judged(r *Result) Outcome {
	switch {
	case r.Fault != nil:
		return Outcome{Failure: r.Fault}
	case r.Status == Ok && r.Data == nil:
		return Outcome{Failure: invalidReturnFormat()}
	case r.Status == Ok:
		return Outcome{Data: r.Data, PartitionKeys: r.PartitionKeys}
	case r.Status == Dropped:
		return Outcome{Dropped: true}
	case r.Status == ProcessingFailed:
		return Outcome{Failure: processingFailedStatus()}
	default:
		return Outcome{Failure: unmapped("The result of the record is none of Ok, Dropped and ProcessingFailed.")}
	}
}

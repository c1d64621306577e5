package transform

import (
	"encoding/base64"
	"errors"

	"github.com/shardmill/shardmill/processors/internal/jsonscan"
)

// Answer is what a transform answered to a request.
type Answer struct {
	InvocationID string // "" if it has none; Lambda functions do not give it
	Results      []Result
}

const maxUnnamed = 100

// ParseAnswer reads an answer as a Lambda function gives it:
//
//	{"records":[{"recordId":"…","result":"Ok","data":"<base64>","metadata":{"partitionKeys":{"k":"v"}}}]}
//
// Of members that have one name the last counts, and names that are not listed here are
// ignored. A result whose members cannot be read has a Fault, Lambda.JsonMappingException:
//
//   - data that is neither null nor base64 with its padding, if result is Ok. Without
//     data, or with null, Data is nil;
//   - a result that is no text;
//   - metadata or partitionKeys that are neither null nor an object, and a value of the
//     latter that is an object or an array. A number, true or false counts as its text,
//     as Jackson reads them, and null as "".
//
// An element of records that is no object, or whose recordId is no text, has the ID "";
// of these the first hundred are results, so that an answer is not much more in memory.
// The error is that there is no array named records, or no JSON. It is not Firehose's to
// try again, see [Judge]. The results keep nothing of body.
func ParseAnswer(body []byte) (Answer, error) {
	var a Answer
	hasRecords := false
	s := jsonscan.New(body)
	isObject := s.Object(func(name string) {
		switch name {
		case "invocationId":
			a.InvocationID, _ = s.Text()
		case "records":
			a.Results = nil
			unnamed := 0
			hasRecords = s.Array(func() {
				r := parseResult(s)
				if r.ID == "" {
					unnamed++
				}
				if r.ID != "" || unnamed <= maxUnnamed {
					a.Results = append(a.Results, r)
				}
			})
		default:
			s.Skip()
		}
	})
	switch {
	case !s.End():
		return Answer{}, errors.New("the answer is not JSON")
	case !isObject:
		return Answer{}, errors.New("the answer is not an object of JSON")
	case !hasRecords:
		return a, errors.New("the answer has no array named records")
	}
	return a, nil
}

// faults are of the members of one result.
type faults struct{ status, data, metadata *Error }

func parseResult(s *jsonscan.Scanner) Result {
	var r Result
	var f faults
	s.Object(func(name string) {
		switch name {
		case "recordId":
			r.ID, _ = s.Text()
		case "result":
			r.Status, f.status = parseStatus(s)
		case "data":
			r.Data, f.data = parseData(s)
		case "metadata":
			r.PartitionKeys, f.metadata = parseMetadata(s)
		default:
			s.Skip()
		}
	})
	switch {
	case f.status != nil:
		r.Fault = f.status
	case r.Status == Ok && f.data != nil:
		r.Fault = f.data
	case r.Status == Ok && f.metadata != nil:
		r.Fault = f.metadata
	}
	if r.Fault != nil {
		return Result{ID: r.ID, Fault: r.Fault}
	}
	return r
}

func parseStatus(s *jsonscan.Scanner) (Status, *Error) {
	raw, ok := s.Bytes()
	if !ok {
		return "", unmapped("The result of the record is not a text.")
	}
	for _, status := range [...]Status{Ok, Dropped, ProcessingFailed} {
		if string(raw) == string(status) {
			return status, nil // without a copy
		}
	}
	return Status(raw), nil
}

func parseData(s *jsonscan.Scanner) ([]byte, *Error) {
	if s.Null() {
		return nil, nil
	}
	raw, ok := s.Bytes()
	if !ok {
		return nil, unmapped("The data of the record is not a text.")
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Decode(data, raw)
	if err != nil {
		return nil, unmapped("The data of the record is not base64.")
	}
	return data[:n:n], nil
}

func parseMetadata(s *jsonscan.Scanner) (keys map[string]string, fault *Error) {
	if s.Null() {
		return nil, nil
	}
	isObject := s.Object(func(name string) {
		if name == "partitionKeys" {
			keys, fault = parsePartitionKeys(s)
		} else {
			s.Skip()
		}
	})
	if !isObject {
		return nil, unmapped("The metadata of the record is not an object.")
	}
	return keys, fault
}

func parsePartitionKeys(s *jsonscan.Scanner) (keys map[string]string, fault *Error) {
	if s.Null() {
		return nil, nil
	}
	keys = map[string]string{}
	areTexts := true
	isObject := s.Object(func(name string) {
		value, ok := s.Scalar()
		areTexts = areTexts && ok
		keys[name] = value
	})
	switch {
	case !isObject:
		return nil, unmapped("The partitionKeys of the record are not an object.")
	case !areTexts:
		return nil, unmapped("A value of the partitionKeys of the record is not a text.")
	}
	return keys, nil
}

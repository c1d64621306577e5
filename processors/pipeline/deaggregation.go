package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// maxParts is Firehose's: a record with more others in it stays one.
const maxParts = 500

// notJSON is the failure of what is no JSON where dynamic partitioning needs it.
func notJSON() Failure {
	return Failure{Type: MetadataExtractionFailed, Code: ExtractionCode, Message: "Non JSON record provided"}
}

// takeApart returns the records that are in one, which they are parts of; one that
// stays whole is its only part.
func (p *Pipeline) takeApart(parts [][]byte, data []byte) ([][]byte, Failure) {
	if p.stages.Delimiter != "" {
		return delimited(parts, data, []byte(p.stages.Delimiter)), Failure{}
	}
	return objects(parts, data)
}

// delimited returns what is between delimiters, but for what is nothing.
func delimited(parts [][]byte, data, delimiter []byte) [][]byte {
	for rest, more := data, true; more; {
		var part []byte
		if part, rest, more = bytes.Cut(rest, delimiter); len(part) == 0 {
			continue
		}
		if len(parts) == maxParts {
			return append(parts[:0], data)
		}
		parts = append(parts, slices.Clip(part)) // who appends to it reaches no other
	}
	if len(parts) == 0 {
		parts = append(parts, data)
	}
	return parts
}

// objects returns the objects of JSON that follow each other, without what is between
// them. Any other value among them, or none at all, fails the record.
func objects(parts [][]byte, data []byte) ([][]byte, Failure) {
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		switch err := d.Decode(&raw); {
		case errors.Is(err, io.EOF) && len(parts) > 0:
			return parts, Failure{}
		case err != nil || raw[0] != '{':
			return nil, notJSON()
		}
		if len(parts) == maxParts {
			return append(parts[:0], data), Failure{}
		}
		end := d.InputOffset()
		parts = append(parts, slices.Clip(data[end-int64(len(raw)):end])) // as above
	}
}

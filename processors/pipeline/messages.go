package pipeline

import (
	"encoding/json"
	"fmt"
)

// payload is what CloudWatch Logs sends to a subscription, as far as it counts.
type payload struct {
	MessageType string `json:"messageType"`
	LogEvents   []struct {
		Message *string `json:"message"`
	} `json:"logEvents"`
}

// messages returns the messages of a payload, nil if it has none. They are good
// until the next call.
func (s *scratch) messages(data []byte) ([]byte, Failure) {
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, malformed(fmt.Sprintf("it is no such JSON: %v", err))
	}
	switch {
	case p.MessageType == "CONTROL_MESSAGE":
		return nil, Failure{}
	case p.MessageType != "DATA_MESSAGE":
		return nil, malformed(fmt.Sprintf("its messageType is %.40q", p.MessageType))
	case len(p.LogEvents) == 0:
		return nil, Failure{}
	}
	s.joined = s.joined[:0]
	for i, event := range p.LogEvents {
		if event.Message == nil {
			return nil, malformed(fmt.Sprintf("log event %d has no message", i))
		}
		if i > 0 {
			s.joined = append(s.joined, '\n')
		}
		s.joined = append(s.joined, *event.Message...)
	}
	if s.joined == nil { // one event with an empty message is one
		s.joined = []byte{}
	}
	return s.joined, Failure{}
}

func malformed(why string) Failure {
	return Failure{ProcessingFailed, "CloudWatchLogProcessing.MalformedData", "The record is no payload of CloudWatch Logs: " + why}
}

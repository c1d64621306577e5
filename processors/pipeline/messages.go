package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
)

// messages returns the messages of a payload of CloudWatch Logs, nil if it has none.
// They are in the payload's memory, of which nothing else is left. So it takes no more
// than the payload has, however that looks.
func messages(payload []byte) ([]byte, Failure) {
	if !json.Valid(payload) {
		return nil, malformed(fmt.Sprintf("it is no such JSON: %v", json.Unmarshal(payload, &struct{}{})))
	}
	m := joiner{document: document{text: payload}}
	if err := m.payload(); err != nil {
		return nil, malformed(fmt.Sprintf("it is no such JSON: %v", err))
	}
	switch {
	case m.kind == "CONTROL_MESSAGE":
		return nil, Failure{}
	case m.kind != "DATA_MESSAGE":
		return nil, malformed(fmt.Sprintf("its messageType is %.40q", m.kind))
	case m.events == 0:
		return nil, Failure{}
	case m.without > 0:
		return nil, malformed(fmt.Sprintf("log event %d has no message", m.without-1))
	}
	return payload[:m.size], Failure{}
}

// joiner joins the messages of a payload at its beginning. Of members that are there
// twice the last one counts.
type joiner struct {
	document

	kind    string // messageType
	events  int    // so many log events were read
	without int    // the first of them that has no message, from 1; 0 if each has one
	size    int    // of the messages, joined
}

var (
	errKind   = errors.New("messageType is no string")
	errEvents = errors.New("logEvents is no array of objects with messages that are strings")
)

func (m *joiner) payload() error {
	if m.next() != '{' {
		return errors.New("it is no object")
	}
	return m.members(func(name []byte) error {
		switch string(name) {
		case "messageType":
			value, ok := m.value().unquoted()
			if !ok {
				return errKind
			}
			m.kind = string(unescaped(nil, value[:min(len(value), 6*40)])) // 40 characters are told
			return nil
		case "logEvents":
			return m.logEvents()
		default:
			m.value()
			return nil
		}
	})
}

func (m *joiner) logEvents() error {
	m.events, m.without, m.size = 0, 0, 0
	switch m.next() {
	case 'n': // null
		m.value()
		return nil
	case '[':
		return m.items(m.event)
	default:
		return errEvents
	}
}

// event reads one log event. All of it is read before its message is written, to a
// place before it.
func (m *joiner) event() error {
	m.events++
	var message span
	switch m.next() {
	case 'n':
		m.value()
	case '{':
		if err := m.members(func(name []byte) error {
			value := m.value()
			if string(name) == "message" {
				message = value
			}
			return nil
		}); err != nil {
			return err
		}
	default:
		return errEvents
	}
	text, ok := message.unquoted()
	switch {
	case message == nil || message[0] == 'n':
		if m.without == 0 {
			m.without = m.events
		}
		return nil
	case !ok:
		return errEvents
	}
	joined := m.text[:m.size]
	if m.events > 1 {
		joined = append(joined, '\n')
	}
	m.size = len(unescaped(joined, text))
	return nil
}

func malformed(why string) Failure {
	return Failure{Type: ProcessingFailed, Code: "CloudWatchLogProcessing.MalformedData", Message: "The record is no payload of CloudWatch Logs: " + why}
}

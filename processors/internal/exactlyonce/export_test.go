package exactlyonce

// DecodeWith is Decode of a version whose newest format and hash range rule are
// these.
func DecodeWith(b []byte, format, rule uint8) (Plan, error) { return decode(b, known{format, rule}) }

package exactlyonce

// DecodeWith is Decode of a version whose newest format and hash range rule are
// these.
func DecodeWith(b []byte, format, rule uint8) (Plan, error) {
	return decode(b, known{format, rule, MaxCodec})
}

// DecodeWithCodecs is Decode of a version that knows codecs up to this one.
func DecodeWithCodecs(b []byte, codec uint8) (Plan, error) {
	return decode(b, known{newestFormat, maxRule, codec})
}

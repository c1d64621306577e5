package exactlyonce

// DecodeWith is Decode of a version whose largest hash range rule is newest.
func DecodeWith(b []byte, newest uint8) (Plan, error) { return decode(b, newest) }

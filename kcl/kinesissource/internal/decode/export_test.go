package decode

// InPlace is decodeInPlace.
func InPlace(b []byte) (data []byte, ok bool) { return decodeInPlace(b, new(scratch)) }

// Idle returns how many bytes p keeps that nobody uses.
func Idle(p *Pool) int { return p.idle }

// JSON is fromCBOR.
func JSON(body []byte) ([]byte, error) { return fromCBOR(body) }

// Last returns the page that c has.
func Last(c *Call) *Page { return c.page }

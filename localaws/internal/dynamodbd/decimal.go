package dynamodbd

import (
	"cmp"
	"math/big"
	"strings"
)

// Limits of a DynamoDB number: magnitudes from 1E-130 up to 9.99…E+125, with 38
// significant digits.
const (
	maxDigits   = 38
	maxExponent = 126  // of the form 0.digits × 10^exp
	minExponent = -129 // likewise
)

// decimal is a DynamoDB number: ± 0.digits × 10^exp. The digits neither start
// nor end with '0'; zero has none. Two equal numbers are equal decimals.
type decimal struct {
	negative bool
	digits   string
	exp      int
}

// parseDecimal reads a number as Java's BigDecimal does: sign, digits with at
// most one point, exponent.
func parseDecimal(s string) (decimal, error) {
	mantissa, exponent, ok := splitExponent(s)
	if !ok {
		return decimal{}, notNumeric(s)
	}
	var d decimal
	switch {
	case strings.HasPrefix(mantissa, "-"):
		d.negative, mantissa = true, mantissa[1:]
	case strings.HasPrefix(mantissa, "+"):
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return decimal{}, notNumeric(s)
	}
	return d.normalise(digits, len(whole)+exponent)
}

// splitExponent cuts "12E-3" into "12" and -3. An exponent beyond reason is cut
// to one that is still out of range.
func splitExponent(s string) (mantissa string, exponent int, ok bool) {
	at := strings.IndexAny(s, "eE")
	if at < 0 {
		return s, 0, true
	}
	digits := s[at+1:]
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", 0, false
	}
	for _, c := range digits {
		exponent = min(exponent*10+int(c-'0'), 1_000_000_000)
	}
	if negative {
		exponent = -exponent
	}
	return s[:at], exponent, true
}

// normalise gives ± 0.digits × 10^exp its one form, or says why DynamoDB has no
// place for it.
func (d decimal) normalise(digits string, exp int) (decimal, error) {
	trimmed := strings.TrimLeft(digits, "0")
	exp -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	switch {
	case trimmed == "":
		return decimal{}, nil
	case len(trimmed) > maxDigits:
		return decimal{}, invalid("Attempting to store more than 38 significant digits in a Number")
	case exp > maxExponent:
		return decimal{}, invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case exp < minExponent:
		return decimal{}, invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return decimal{negative: d.negative, digits: trimmed, exp: exp}, nil
}

func notNumeric(s string) error {
	if s == "" {
		return invalid("The parameter cannot be converted to a numeric value")
	}
	return invalid("The parameter cannot be converted to a numeric value: %s", s)
}

// String is the number without exponent, as DynamoDB gives it back.
func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	switch {
	case d.exp <= 0:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -d.exp))
		b.WriteString(d.digits)
	case d.exp >= len(d.digits):
		b.WriteString(d.digits)
		b.WriteString(strings.Repeat("0", d.exp-len(d.digits)))
	default:
		b.WriteString(d.digits[:d.exp])
		b.WriteByte('.')
		b.WriteString(d.digits[d.exp:])
	}
	return b.String()
}

// compare orders numbers by value.
func (d decimal) compare(o decimal) int {
	if d.sign() != o.sign() {
		return cmp.Compare(d.sign(), o.sign())
	}
	byMagnitude := cmp.Or(cmp.Compare(d.exp, o.exp), cmp.Compare(d.digits, o.digits))
	return byMagnitude * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

// add gives d + o, or the error of a sum that DynamoDB cannot store.
func (d decimal) add(o decimal) (decimal, error) {
	low := min(d.lowest(), o.lowest())
	sum := new(big.Int).Add(d.scaled(low), o.scaled(low))
	digits := new(big.Int).Abs(sum).String()
	return decimal{negative: sum.Sign() < 0}.normalise(digits, len(digits)+low)
}

func (d decimal) negate() decimal {
	d.negative = !d.negative && d.digits != ""
	return d
}

// lowest is the power of ten of the last digit.
func (d decimal) lowest() int { return d.exp - len(d.digits) }

// scaled is d / 10^low, which must be whole.
func (d decimal) scaled(low int) *big.Int {
	n, _ := new(big.Int).SetString("0"+d.digits, 10)
	n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.lowest()-low)), nil))
	if d.negative {
		n.Neg(n)
	}
	return n
}

// sortKey is a string whose byte order is the order of numbers.
func (d decimal) sortKey() string {
	switch d.sign() {
	case 0:
		return "\x80"
	case 1:
		return "\x81" + string([]byte{byte(d.exp - minExponent)}) + d.digits
	}
	flipped := []byte{0x7f, 0xff - byte(d.exp-minExponent)}
	for i := range len(d.digits) {
		flipped = append(flipped, 0xff-d.digits[i])
	}
	return string(append(flipped, 0xff))
}

// storedSize is what the number counts towards the size of its row: about one
// byte for two digits.
func (d decimal) storedSize() int {
	size := (len(d.digits)+1)/2 + 1
	if d.negative {
		size++
	}
	return size
}

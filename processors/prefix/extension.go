package prefix

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxExtension is how many characters a FileExtension may have.
const maxExtension = 128

// CheckExtension refuses a FileExtension that is not 1-128 characters of
// a-z 0-9 ! - _ . * ' ( ) of which the first is a point and more follow; "" is
// taken: it is none. The error is an [*Error].
//
// Source: ExtendedS3DestinationConfiguration.
func CheckExtension(s string) error {
	other := func(c rune) bool { return !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyz!-_.*'()", c) }
	const remedy = "it must be a point and 1-127 characters of a-z 0-9 ! - _ . * ' ( )"
	switch {
	case s == "":
		return nil
	case utf8.RuneCountInString(s) > maxExtension:
		return &Error{Remedy: remedy, Member: fmt.Sprintf("Member must have length less than or equal to %d", maxExtension)}
	case len(s) < 2 || s[0] != '.' || strings.ContainsFunc(s, other):
		return &Error{Remedy: remedy, Member: `Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$`}
	}
	return nil
}

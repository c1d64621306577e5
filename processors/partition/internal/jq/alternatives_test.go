package jq_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// What is one token to jq 1.6 is not two.
func TestAlternatives(t *testing.T) {
	t.Parallel()
	for program, taken := range map[string]bool{
		`.q?//"none"`: false, `.q? //"none"`: true, `.q? // "?//"`: true, `.a # ?//`: true, "# ?//\n.q?//1": false,
		`"\(.q?//1)"`: false, `"\(.q? // (1))?//"`: true, `"\((.q)?//1)"`: false, `"\\(.q?//1)"`: true, `"\"?//"`: true,
		`. as [$a] ?// $a|1`: true, `. as [$a]?//$a|1`: true, `. as [$a] ? // $a|1`: false, `. as [$a] ?// $a|.q?//1`: false,
		`.["a?//b"]`: true, `."a?//b"`: true, `{"?//":1}`: true, `@base64 "x?//\(.a)"`: true, `[.[]?//1]`: false, `.a?//=1`: false, `.a? //= 1`: true,
	} {
		_, err := jq.Parse(program)
		if (err == nil) != taken || err != nil && !strings.Contains(err.Error(), "has ?// where jq 1.6 does not understand it") {
			t.Errorf("%s: %v", program, err)
		}
	}
}

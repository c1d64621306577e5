package dynamodbd_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
)

func TestNumbersAreStoredInOneForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0e99999999999999999999": "0", "+1": "1", "001.500": "1.5", ".5": "0.5", "5.": "5", "1E3": "1000", "1.5e-3": "0.0015",
		"-12.30": "-12.3", "1e125": "1" + strings.Repeat("0", 125), "1E-130": "0." + strings.Repeat("0", 129) + "1",
		"1" + strings.Repeat("0", 60): "1" + strings.Repeat("0", 60),
	} {
		if got, err := dynamodbd.Number(text); err != nil || got != want {
			t.Errorf("%s is stored as %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "-", "+", ".", "e5", "1e", "1e+", "--1", "1.2.3", "0x10", "1_0", "Inf", "1e126", "1e-131", "1e99999999999999999999",
		"1e-99999999999999999999", strings.Repeat("1", 39), "1" + strings.Repeat("0", 37) + ".1", "١",
	} {
		if got, err := dynamodbd.Number(text); err == nil {
			t.Errorf("%q is stored as %s, want an error", text, got)
		}
	}
}

// numbers generates texts of numbers that can be stored.
func numbers() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		sign := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign")
		whole := rapid.StringMatching(`[0-9]{1,10}`).Draw(t, "whole")
		fraction := rapid.StringMatching(`(\.[0-9]{0,10})?`).Draw(t, "fraction")
		exponent := rapid.SampledFrom([]string{"", "e3", "E-7", "e+20", "E-40", "e100"}).Draw(t, "exponent")
		return sign + whole + fraction + exponent
	})
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers().Draw(t, "a"), numbers().Draw(t, "b")
		x, y := rational(a), rational(b)
		storedA, errA := dynamodbd.Number(a)
		storedB, errB := dynamodbd.Number(b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if rational(storedA).Cmp(x) != 0 || strings.ContainsAny(storedA, "eE+") {
			t.Fatalf("%s is stored as %s", a, storedA)
		}
		if again, err := dynamodbd.Number(storedA); again != storedA || err != nil {
			t.Fatalf("%s is stored as %s, and then as %s, %v", a, storedA, again, err)
		}
		byValue, byKey := dynamodbd.CompareNumbers(storedA, storedB)
		if want := x.Cmp(y); byValue != want || byKey != want {
			t.Fatalf("%s is to %s %d by value and %d by key, want %d", a, b, byValue, byKey, want)
		}
		exact := new(big.Rat).Add(x, y)
		sum, err := dynamodbd.AddNumbers(storedA, storedB)
		if fits := storable(exact); fits != (err == nil) || fits && rational(sum).Cmp(exact) != 0 {
			t.Fatalf("%s + %s is %s, %v, want %s", a, b, sum, err, exact.FloatString(130))
		}
	})
}

func rational(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(fmt.Sprintf("no number: %q", text))
	}
	return r
}

// storable says that a number has at most 38 digits; the generator goes nowhere
// near the limits of magnitude.
func storable(r *big.Rat) bool {
	digits := strings.Trim(strings.Replace(r.FloatString(130), ".", "", 1), "-0")
	return len(digits) <= 38
}

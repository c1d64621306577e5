package dynamodbd_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
)

func TestReservedWords(t *testing.T) {
	t.Parallel()
	words := strings.Fields(dynamodbd.ReservedWords())
	if len(words) != 573 || !slices.IsSorted(words) {
		t.Errorf("%d words, want the 573 that are documented, sorted", len(words))
	}
	for word, want := range map[string]bool{
		"ABORT": true, "zone": true, "Convert": true, "leaseKey": false, "": false, " ": false, "ABORT ABSOLUTE": false,
	} {
		if dynamodbd.IsReserved(strings.TrimSpace(word)) != want && !strings.Contains(word, " ") {
			t.Errorf("%q reserved: %v", word, !want)
		}
	}
}

// predicate is a condition as text, and what it should be for a row, worked out
// without parsing.
type predicate struct {
	text   string
	holds  func(map[string]int) bool
	parens bool // around all of it; another pair would be refused
}

func attribute(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "attribute")
}

func comparison(t *rapid.T) predicate {
	name := attribute(t)
	operator := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">="}).Draw(t, "operator")
	n := rapid.IntRange(0, 3).Draw(t, "n")
	return predicate{text: fmt.Sprintf("%s %s :v%d", name, operator, n), holds: func(row map[string]int) bool {
		v, ok := row[name]
		switch operator {
		case "=":
			return ok && v == n
		case "<>":
			return !ok || v != n
		case "<":
			return ok && v < n
		case "<=":
			return ok && v <= n
		case ">":
			return ok && v > n
		default:
			return ok && v >= n
		}
	}}
}

func test(t *rapid.T) predicate {
	name := attribute(t)
	low, high := rapid.IntRange(0, 1).Draw(t, "low"), rapid.IntRange(1, 3).Draw(t, "high")
	switch rapid.IntRange(0, 3).Draw(t, "test") {
	case 0:
		return predicate{text: "attribute_exists(" + name + ")", holds: func(row map[string]int) bool { _, ok := row[name]; return ok }}
	case 1:
		return predicate{text: "attribute_not_exists ( " + name + " )", holds: func(row map[string]int) bool { _, ok := row[name]; return !ok }}
	case 2:
		return predicate{text: fmt.Sprintf("%s BETWEEN :v%d AND :v%d", name, low, high), holds: func(row map[string]int) bool {
			v, ok := row[name]
			return ok && low <= v && v <= high
		}}
	default:
		return predicate{text: fmt.Sprintf("%s in (:v%d,:v%d)", name, low, high), holds: func(row map[string]int) bool {
			v, ok := row[name]
			return ok && (v == low || v == high)
		}}
	}
}

// level generates conditions whose operators bind at least as strongly as
// level: 0 OR, 1 AND, 2 NOT, 3 the rest.
func level(t *rapid.T, n, depth int) predicate {
	if depth == 0 {
		return comparison(t)
	}
	switch kind := rapid.IntRange(n, 5).Draw(t, "kind"); kind {
	case 0, 1:
		left, right := level(t, kind, depth-1), level(t, kind+1, depth-1)
		if kind == 0 {
			return predicate{text: left.text + " OR " + right.text, holds: func(r map[string]int) bool { return left.holds(r) || right.holds(r) }}
		}
		return predicate{text: left.text + " and " + right.text, holds: func(r map[string]int) bool { return left.holds(r) && right.holds(r) }}
	case 2:
		inner := level(t, 2, depth-1)
		return predicate{text: "NOT " + inner.text, holds: func(r map[string]int) bool { return !inner.holds(r) }}
	case 3:
		inner := level(t, 0, depth-1)
		if inner.parens {
			return inner
		}
		return predicate{text: "(" + inner.text + ")", holds: inner.holds, parens: true}
	case 4:
		return comparison(t)
	default:
		return test(t)
	}
}

func TestConditionsAgreeWithLogic(t *testing.T) {
	t.Parallel()
	values := map[string]dynamodbd.Value{}
	for n := range 4 {
		values[":v"+strconv.Itoa(n)] = dynamodbd.Value{Kind: dynamodbd.KindNumber, Text: strconv.Itoa(n)}
	}
	rapid.Check(t, func(t *rapid.T) {
		condition := level(t, 0, 4)
		row := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.IntRange(0, 3)).Draw(t, "row")
		it := dynamodbd.Item{}
		for name, n := range row {
			it[name] = dynamodbd.Value{Kind: dynamodbd.KindNumber, Text: strconv.Itoa(n)}
		}
		got, err := dynamodbd.Holds(condition.text, values, it)
		if err != nil || got != condition.holds(row) {
			t.Fatalf("%s for %v: got %v, %v", condition.text, row, got, err)
		}
	})
}

func TestUpdatesAgreeWithArithmetic(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.MapOf(rapid.SampledFrom(names), rapid.IntRange(-5, 5)).Draw(t, "row")
		want := maps.Clone(row)
		value := func(n int) dynamodbd.Value { return dynamodbd.Value{Kind: dynamodbd.KindNumber, Text: strconv.Itoa(n)} }
		it, values := dynamodbd.Item{}, map[string]dynamodbd.Value{}
		for name, n := range row {
			it[name] = value(n)
		}
		before := maps.Clone(it)
		sections := map[string][]string{}
		for i, name := range rapid.Permutation(names).Draw(t, "names") {
			n, source := rapid.IntRange(-5, 5).Draw(t, "n"), rapid.SampledFrom(names).Draw(t, "source")
			v, old := ":v"+strconv.Itoa(i), row[source]
			if _, ok := row[source]; !ok {
				old = n
			}
			kind := rapid.IntRange(0, 4).Draw(t, "kind")
			if kind < 4 {
				values[v] = value(n)
			}
			switch kind {
			case 0:
				sections["SET"] = append(sections["SET"], name+" = "+v)
				want[name] = n
			case 1:
				sections["SET"] = append(sections["SET"], fmt.Sprintf("%s = if_not_exists(%s, %s) + %s", name, source, v, v))
				want[name] = old + n
			case 2:
				sections["SET"] = append(sections["SET"], fmt.Sprintf("%s = %s - if_not_exists(%s, %s)", name, v, source, v))
				want[name] = n - old
			case 3:
				sections["ADD"] = append(sections["ADD"], name+" "+v)
				want[name] = row[name] + n
			default:
				sections["REMOVE"] = append(sections["REMOVE"], name)
				delete(want, name)
			}
		}
		var parts []string
		for section, actions := range sections {
			parts = append(parts, section+" "+strings.Join(actions, ", "))
		}
		if len(values) == 0 {
			values = nil
		}
		expression := strings.Join(parts, " ")
		got, err := dynamodbd.Apply(expression, nil, values, it)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s of %v: got %v, %v, want %v", expression, row, got, err, want)
		}
		for name, n := range want {
			if got[name].Text != strconv.Itoa(n) {
				t.Fatalf("%s of %v: got %v, want %v", expression, row, got, want)
			}
		}
		if !maps.EqualFunc(it, before, func(a, b dynamodbd.Value) bool { return a.Text == b.Text }) {
			t.Fatalf("%s changed the row it was given", expression)
		}
	})
}

func TestUpdatesLeaveNestedDocumentsOfTheOldRowAlone(t *testing.T) {
	t.Parallel()
	number := func(s string) dynamodbd.Value { return dynamodbd.Value{Kind: dynamodbd.KindNumber, Text: s} }
	it := dynamodbd.Item{
		"m": {Kind: dynamodbd.KindMap, Map: map[string]dynamodbd.Value{"k": number("1")}},
		"l": {Kind: dynamodbd.KindList, List: []dynamodbd.Value{number("1"), number("2")}},
		"s": {Kind: dynamodbd.KindStringSet, Set: []string{"a"}},
	}
	values := map[string]dynamodbd.Value{":v": number("9"), ":s": {Kind: dynamodbd.KindStringSet, Set: []string{"b"}}}
	got, err := dynamodbd.Apply("SET m.k = :v, l[0] = :v REMOVE l[1] ADD s :s", nil, values, it)
	if err != nil {
		t.Fatal(err)
	}
	if it["m"].Map["k"].Text != "1" || it["l"].List[0].Text != "1" || len(it["l"].List) != 2 || len(it["s"].Set) != 1 {
		t.Errorf("the old row is %v", it)
	}
	if got["m"].Map["k"].Text != "9" || got["l"].List[0].Text != "9" || len(got["l"].List) != 1 || len(got["s"].Set) != 2 {
		t.Errorf("the new row is %v", got)
	}
}

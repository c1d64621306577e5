package jq

import "github.com/itchyny/gojq"

// hasResults tells whether a query certainly has a result, or an error, whatever it is run on. Of
// what updates a state that matters: jq 1.6 forgets the state when there is none.
func hasResults(q *gojq.Query) bool {
	if q == nil {
		return true
	}
	if len(q.FuncDefs) > 0 || len(q.Patterns) > 0 && !hasResults(q.Left) {
		return false
	}
	if q.Term != nil {
		return termHasResults(q.Term)
	}
	if q.Op == gojq.OpComma {
		return hasResults(q.Left) || hasResults(q.Right)
	}
	return hasResults(q.Left) && hasResults(q.Right)
}

func allHaveResults(list []*gojq.Query) bool {
	for _, q := range list {
		if !hasResults(q) {
			return false
		}
	}
	return true
}

func termHasResults(e *gojq.Term) bool {
	for _, s := range e.SuffixList {
		if s.Iter || s.Optional || !indexHasResults(s.Index) {
			return false
		}
	}
	switch e.Type {
	case gojq.TermTypeIndex:
		return indexHasResults(e.Index)
	case gojq.TermTypeFunc:
		return funcHasResults(e.Func)
	case gojq.TermTypeObject:
		for _, kv := range e.Object.KeyVals {
			if !hasResults(kv.KeyQuery) || !hasResults(kv.Val) {
				return false
			}
		}
		return true
	case gojq.TermTypeUnary:
		return termHasResults(e.Unary.Term)
	case gojq.TermTypeString, gojq.TermTypeFormat:
		return e.Str == nil || allHaveResults(e.Str.Queries)
	case gojq.TermTypeIf:
		for _, elif := range e.If.Elif {
			if !hasResults(elif.Cond) || !hasResults(elif.Then) {
				return false
			}
		}
		return allHaveResults([]*gojq.Query{e.If.Cond, e.If.Then, e.If.Else})
	case gojq.TermTypeReduce:
		return hasResults(e.Reduce.Start)
	case gojq.TermTypeQuery:
		return hasResults(e.Query)
	case gojq.TermTypeTry, gojq.TermTypeForeach, gojq.TermTypeLabel:
		return false
	}
	return true
}

func indexHasResults(x *gojq.Index) bool {
	return x == nil || (x.Str == nil || allHaveResults(x.Str.Queries)) && hasResults(x.Start) && hasResults(x.End)
}

// funcHasResults knows functions that have a result: some whatever their arguments do, others one for
// each of these.
func funcHasResults(f *gojq.Func) bool {
	switch key(f.Name, len(f.Args)) {
	case "map/1", "map_values/1", "with_entries/1", "sort_by/1", "group_by/1", "unique_by/1", "min_by/1", "max_by/1", "del/1", "last/1",
		"any/1", "all/1", "any/2", "all/2", "walk/1", "isempty/1":
		return true
	case "to_entries/0", "from_entries/0", "add/0", "any/0", "all/0", "unique/0", "reverse/0", "flatten/0", "join/1", "not/0", "first/0", "last/0", "length/0",
		"keys/0", "keys_unsorted/0", "has/1", "contains/1", "inside/1", "index/1", "rindex/1", "indices/1", "tojson/0", "fromjson/0", "tonumber/0", "tostring/0",
		"type/0", "sort/0", "min/0", "max/0", "setpath/2", "getpath/1", "delpaths/1", "split/1", "test/1", "ltrimstr/1", "rtrimstr/1", "startswith/1",
		"endswith/1", "ascii_downcase/0", "ascii_upcase/0", "floor/0", "sqrt/0", "explode/0", "implode/0", "strftime/1", "strptime/1", "mktime/0", "gmtime/0",
		"now/0", "todate/0", "fromdate/0":
		return allHaveResults(f.Args)
	}
	return f.Name[0] == '$'
}

package clusterd

import (
	"fmt"
	"strings"
)

// checkIndexName says why an index cannot have a name.
func (s *Server) checkIndexName(name string) *apiError {
	var why string
	switch {
	case name == "" && s.engine.isOld():
		return refuse(500, "string_index_out_of_bounds_exception", "String index out of range: 0")
	case name == "":
		why = "must not be empty"
	case strings.ContainsAny(name, "\\/*?\"<>| ,"):
		why = `must not contain the following characters [ , ", *, \, <, |, ,, >, /, ?]`
	case strings.Contains(name, "#"):
		why = "must not contain '#'"
	case strings.Contains(name, ":") && !s.engine.isOld():
		why = "must not contain ':'"
	case strings.ContainsAny(name[:1], "_-+"):
		why = "must not start with '_', '-', or '+'"
	case name == "." || name == "..":
		why = "must not be '.' or '..'"
	case len(name) > 255:
		why = fmt.Sprintf("index name is too long, (%d > 255)", len(name))
	case strings.ToLower(name) != name:
		why = "must be lowercase"
	default:
		return nil
	}
	e := refuse(400, "invalid_index_name_exception", "Invalid index name ["+name+"], "+why)
	e.extra = object{{"index", name}, {"index_uuid", "_na_"}}
	return e
}

// matches reports whether a name is one that a pattern with * stands for.
func matches(pattern, name string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for i := range len(name) + 1 {
		if matches(rest, name[i:]) {
			return true
		}
	}
	return false
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

package clusterd

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// token is a scalar value, or the beginning of an object, in a document.
type token struct {
	kind   string // as the server's parser calls it: VALUE_STRING, START_OBJECT …
	text   string // of a text, a number, true or false
	offset int    // where it begins
}

// dates recognizes the dates that a dynamic mapping does.
type dates struct{ strict *regexp.Regexp }

func newDates() dates {
	return dates{regexp.MustCompile(`^\d{4}-\d{2}(-\d{2}(T(\d{2}(:\d{2}(:\d{2}([.,]\d{1,9})?)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?)?$`)}
}

// detects reports whether a text makes its field one of dates.
func (d dates) detects(s string) bool {
	if strings.Contains(s, "/") {
		_, day := time.Parse("2006/01/02", s)
		_, second := time.Parse("2006/01/02 15:04:05", s)
		return day == nil || second == nil
	}
	return d.strict.MatchString(s) && isDay(s)
}

// isDay reports whether a text begins with a month that exists, or a day.
func isDay(s string) bool {
	if len(s) < len("2006-01-02") {
		_, err := time.Parse("2006-01", s[:7])
		return err == nil
	}
	_, err := time.Parse(time.DateOnly, s[:10])
	return err == nil
}

// accepts reports whether a field of dates takes a text.
func (d dates) accepts(s string) bool {
	if _, err := strconv.ParseInt(s, 10, 64); err == nil {
		return true
	}
	_, year := time.Parse("2006", s)
	return year == nil || d.detects(s)
}

// dynamicKind is the type of a field whose first value is a scalar.
func (d dates) dynamicKind(t token) string {
	switch t.kind {
	case "VALUE_TRUE", "VALUE_FALSE":
		return "boolean"
	case "VALUE_NUMBER_INT":
		return "long"
	case "VALUE_NUMBER_FLOAT":
		return "float"
	}
	if d.detects(t.text) {
		return "date"
	}
	return "text"
}

// checker says why fields do not take values.
type checker struct {
	engine engine
	dates  dates
	source []byte
}

// check says why a field of a kind does not take a value; nil if it does.
func (c checker) check(kind string, t token) *apiError {
	if t.kind == "START_OBJECT" {
		return c.checkObject(kind, t)
	}
	switch kind {
	case "long", "integer", "short", "byte":
		return c.checkInteger(t)
	case "float", "double", "half_float", "scaled_float":
		return c.checkFloat(t)
	case "boolean":
		switch {
		case t.kind == "VALUE_TRUE" || t.kind == "VALUE_FALSE" || t.kind == "VALUE_STRING" && (t.text == "true" || t.text == "false" || t.text == ""):
			return nil
		case t.kind == "VALUE_STRING":
			return illegal("Failed to parse value [" + t.text + "] as only [true] or [false] are allowed.")
		}
		return c.parsing("json_parse_exception", "Current token ("+t.kind+") not of boolean type", t)
	case "date":
		return c.checkDate(t)
	}
	return nil
}

func (c checker) checkObject(kind string, t token) *apiError {
	switch kind {
	case "long", "integer", "short", "byte", "float", "double", "half_float", "scaled_float":
		return c.parsing("json_parse_exception", "Current token (START_OBJECT) not numeric, can not use numeric value accessors", t)
	case "boolean":
		return c.parsing("json_parse_exception", "Current token (START_OBJECT) not of boolean type", t)
	}
	return refuse(400, "illegal_state_exception", fmt.Sprintf("Can't get text on a START_OBJECT at 1:%d", t.offset+1))
}

func (c checker) checkInteger(t token) *apiError {
	switch t.kind {
	case "VALUE_TRUE", "VALUE_FALSE":
		return c.parsing("json_parse_exception", "Current token ("+t.kind+") not numeric, can not use numeric value accessors", t)
	case "VALUE_STRING":
		if t.text == "" {
			return nil
		}
		if _, err := strconv.ParseFloat(t.text, 64); err != nil {
			return illegal(`For input string: "` + t.text + `"`)
		}
		return nil
	}
	f, _, err := big.ParseFloat(t.text, 10, 256, big.ToZero)
	if err == nil {
		if n, _ := f.Int(nil); n != nil && n.IsInt64() {
			return nil
		}
	}
	kind := "input_coercion_exception"
	if c.engine.isOld() {
		kind = "json_parse_exception"
	}
	return c.parsing(kind, "Numeric value ("+t.text+") out of range of long (-9223372036854775808 - 9223372036854775807)", t)
}

func (c checker) checkFloat(t token) *apiError {
	switch t.kind {
	case "VALUE_TRUE", "VALUE_FALSE":
		return c.parsing("json_parse_exception", "Current token ("+t.kind+") not numeric, can not use numeric value accessors", t)
	case "VALUE_STRING":
		if t.text == "" {
			return nil
		}
		if _, err := strconv.ParseFloat(t.text, 64); err != nil {
			return refuse(400, "number_format_exception", `For input string: "`+t.text+`"`)
		}
	}
	return nil
}

func (c checker) checkDate(t token) *apiError {
	if t.kind == "VALUE_NUMBER_INT" || t.kind == "VALUE_STRING" && c.dates.accepts(t.text) {
		return nil
	}
	if c.engine.isOld() {
		return illegal(`Invalid format: "` + t.text + `"`)
	}
	e := illegal("failed to parse date field [" + t.text + "] with format [strict_date_optional_time||epoch_millis]")
	e.cause = refuse(400, "date_time_parse_exception", "Failed to parse with all enclosed parsers")
	return e
}

// parsing is an error of the server's parser, which says where it is.
func (c checker) parsing(kind, reason string, t token) *apiError {
	where := "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"
	if c.engine.isOld() {
		where = "org.elasticsearch.common.bytes.BytesReference$MarkSupportingStreamInputWrapper@0"
	}
	return refuse(400, kind, fmt.Sprintf("%s\n at [Source: %s; line: 1, column: %d]", reason, where, t.offset+1))
}

package kinesisd

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/smithy-go/encoding/cbor"
)

// The AWS SDKs for Java speak to Kinesis in CBOR unless told otherwise: the
// same requests and answers as in JSON, with data as bytes and times as tagged
// integers of milliseconds. Both are translated here, so that the operations
// know JSON only.

const contentCBOR = "application/x-amz-cbor-1.1"

// tagTime marks a time.
const tagTime = 1

func isCBOR(r *http.Request) bool { return strings.Contains(r.Header.Get("Content-Type"), "cbor") }

// fromCBOR is a request in CBOR as JSON.
func fromCBOR(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, malformed("The request is empty.")
	}
	value, err := cbor.Decode(body)
	if err == nil {
		body, err = appendJSON(make([]byte, 0, len(body)+len(body)/2), value)
	}
	if err != nil {
		return nil, malformed("The request is not CBOR as expected: %s", err)
	}
	return body, nil
}

// appendJSON appends a value as JSON has it.
func appendJSON(to []byte, value cbor.Value) ([]byte, error) {
	switch v := value.(type) {
	case cbor.Uint:
		return strconv.AppendUint(to, uint64(v), 10), nil
	case cbor.NegInt:
		return strconv.AppendUint(append(to, '-'), uint64(v), 10), nil
	case cbor.Float32:
		return appendFloat(to, float64(v))
	case cbor.Float64:
		return appendFloat(to, float64(v))
	case cbor.Bool:
		return strconv.AppendBool(to, bool(v)), nil
	case cbor.Slice:
		to = base64.StdEncoding.AppendEncode(append(to, '"'), v)
		return append(to, '"'), nil
	case cbor.String:
		return appendText(to, string(v))
	case cbor.List:
		return appendList(to, v)
	case cbor.Map:
		return appendMap(to, v)
	case *cbor.Tag:
		return appendTime(to, v)
	default:
		return append(to, "null"...), nil
	}
}

func appendFloat(to []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is no number here", f)
	}
	format := byte('f')
	if size := math.Abs(f); size >= 1e21 || size != 0 && size < 1e-6 {
		format = 'e' // as encoding/json has it: without, 9 bytes may become 300
	}
	return strconv.AppendFloat(to, f, format, -1, 64), nil
}

func appendText(to []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%q is not UTF-8", text)
	}
	quoted, err := json.Marshal(text)
	return append(to, quoted...), err
}

func appendList(to []byte, list cbor.List) (_ []byte, err error) {
	to = append(to, '[')
	for i, v := range list {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = appendJSON(to, v); err != nil {
			return nil, err
		}
	}
	return append(to, ']'), nil
}

func appendMap(to []byte, m cbor.Map) (_ []byte, err error) {
	to = append(to, '{')
	first := true
	for name, v := range m {
		if !first {
			to = append(to, ',')
		}
		first = false
		if to, err = appendText(to, name); err != nil {
			return nil, err
		}
		if to, err = appendJSON(append(to, ':'), v); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// appendTime appends seconds for a time in milliseconds.
func appendTime(to []byte, tag *cbor.Tag) ([]byte, error) {
	ms, err := cbor.AsInt64(tag.Value)
	if tag.ID != tagTime || err != nil {
		return nil, fmt.Errorf("tag %d is not that of a time in milliseconds", tag.ID)
	}
	if ms < 0 {
		to, ms = append(to, '-'), -ms
	}
	to = strconv.AppendInt(to, ms/1000, 10)
	return fmt.Appendf(to, ".%03d", ms%1000), nil
}

// toCBOR is an answer in JSON as CBOR. An empty one stays empty.
func toCBOR(text []byte) ([]byte, error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var answer any
	if err := d.Decode(&answer); err != nil {
		return nil, err
	}
	value, err := cborOf("", answer)
	if err != nil {
		return nil, err
	}
	return cbor.Encode(value), nil
}

// cborOf is a member of an answer.
func cborOf(name string, member any) (cbor.Value, error) {
	switch v := member.(type) {
	case map[string]any:
		m := make(cbor.Map, len(v))
		for name, value := range v {
			var err error
			if m[name], err = cborOf(name, value); err != nil {
				return nil, err
			}
		}
		return m, nil
	case []any:
		list := make(cbor.List, len(v))
		for i, value := range v {
			var err error
			if list[i], err = cborOf("", value); err != nil {
				return nil, err
			}
		}
		return list, nil
	case string:
		if name != "Data" {
			return cbor.String(v), nil
		}
		data, err := base64.StdEncoding.DecodeString(v)
		return cbor.Slice(data), err
	case json.Number:
		return cborNumber(name, v)
	case bool:
		return cbor.Bool(v), nil
	case nil:
		return &cbor.Nil{}, nil
	}
	return nil, errors.New("unreachable: JSON has no other types")
}

// cborNumber is a number: an integer, or a time if it is called one.
func cborNumber(name string, n json.Number) (cbor.Value, error) {
	if strings.HasSuffix(name, "Timestamp") {
		seconds, err := n.Float64()
		return &cbor.Tag{ID: tagTime, Value: cborInt(int64(math.Round(seconds * 1000)))}, err
	}
	i, err := n.Int64()
	return cborInt(i), err
}

func cborInt(i int64) cbor.Value {
	if i < 0 {
		return cbor.NegInt(-i)
	}
	return cbor.Uint(i)
}

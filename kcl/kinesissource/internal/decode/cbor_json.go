package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"github.com/aws/smithy-go/encoding/cbor"
)

// fromCBOR returns a body in CBOR as JSON.
func fromCBOR(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("reading CBOR: %w", err)
	}
	return toJSON(v)
}

// toJSON returns a value as JSON of Kinesis has it. What JSON does not have is of a
// type that no member of Kinesis' is.
func toJSON(v cbor.Value) ([]byte, error) { return json.Marshal(jsonOf(v)) }

func jsonOf(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Uint:
		return uint64(v)
	case cbor.NegInt:
		return json.Number(fmt.Sprintf("-%d", uint64(v)))
	case cbor.Float32:
		return number(float64(v))
	case cbor.Float64:
		return number(float64(v))
	case cbor.Bool:
		return bool(v)
	case cbor.Slice:
		return append([]byte{}, v...)
	case cbor.String:
		return string(v)
	case cbor.List:
		list := make([]any, len(v))
		for i := range v {
			list[i] = jsonOf(v[i])
		}
		return list
	case cbor.Map:
		members := make(map[string]any, len(v))
		for name := range v {
			members[name] = jsonOf(v[name])
		}
		return members
	case *cbor.Tag:
		if ms, err := cbor.AsInt64(v.Value); v.ID == tagTime && err == nil {
			return seconds(ms)
		}
		return []any{}
	}
	return nil
}

// number returns a number, or a list of none if it is none.
func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []any{}
	}
	return f
}

// seconds returns milliseconds as seconds.
func seconds(ms int64) json.Number {
	if ms < 0 {
		u := -uint64(ms)
		return json.Number(fmt.Sprintf("-%d.%03d", u/1000, u%1000))
	}
	return json.Number(fmt.Sprintf("%d.%03d", ms/1000, ms%1000))
}

// toCBOR returns a request in JSON as CBOR.
func toCBOR(request []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(request))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		return nil, fmt.Errorf("making a request of CBOR: %w", err)
	}
	m := cbor.Map{}
	for name, v := range members {
		switch v := v.(type) {
		case string:
			m[name] = cbor.String(v)
		case bool:
			m[name] = cbor.Bool(v)
		case json.Number:
			n, err := v.Int64()
			if err != nil || n < 0 {
				return nil, fmt.Errorf("making a request of CBOR: %s is %s", name, v)
			}
			m[name] = cbor.Uint(n)
		default:
			return nil, fmt.Errorf("making a request of CBOR: %s is a %T", name, v)
		}
	}
	return cbor.Encode(m), nil
}

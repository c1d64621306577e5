package dynamodbtest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attributes is a row, a key or values, as the SDK has them.
type attributes = map[string]types.AttributeValue

// parse reads attributes in DynamoDB's JSON, for example {"leaseKey": {"S":
// "a"}}. Empty text is no attributes.
func parse(t *testing.T, text string) attributes {
	t.Helper()
	if text == "" {
		return nil
	}
	var raw map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("attributes %s: %v", text, err)
	}
	parsed := attributes{}
	for name, v := range raw {
		parsed[name] = parseValue(t, v)
	}
	return parsed
}

func parseValue(t *testing.T, tagged map[string]any) types.AttributeValue {
	t.Helper()
	for kind, content := range tagged {
		switch v := content.(type) {
		case string:
			return parseText(t, kind, v)
		case bool:
			if kind == "NULL" {
				return &types.AttributeValueMemberNULL{Value: v}
			}
			return &types.AttributeValueMemberBOOL{Value: v}
		case []any:
			return parseElements(t, kind, v)
		case map[string]any:
			m := attributes{}
			for name, e := range v {
				m[name] = parseElement(t, e)
			}
			return &types.AttributeValueMemberM{Value: m}
		}
	}
	t.Fatalf("no value: %v", tagged)
	return nil
}

func parseElement(t *testing.T, element any) types.AttributeValue {
	t.Helper()
	tagged, ok := element.(map[string]any)
	if !ok {
		t.Fatalf("no value: %v", element)
	}
	return parseValue(t, tagged)
}

func parseText(t *testing.T, kind, text string) types.AttributeValue {
	t.Helper()
	switch kind {
	case "S":
		return &types.AttributeValueMemberS{Value: text}
	case "N":
		return &types.AttributeValueMemberN{Value: text}
	}
	return &types.AttributeValueMemberB{Value: parseBinary(t, text)}
}

func parseBinary(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("binary %s: %v", text, err)
	}
	return b
}

func parseElements(t *testing.T, kind string, elements []any) types.AttributeValue {
	t.Helper()
	list := []types.AttributeValue{}
	texts, binaries := []string{}, [][]byte{}
	for _, e := range elements {
		switch kind {
		case "L":
			list = append(list, parseElement(t, e))
		case "BS":
			binaries = append(binaries, parseBinary(t, fmt.Sprint(e)))
		default:
			texts = append(texts, fmt.Sprint(e))
		}
	}
	switch kind {
	case "L":
		return &types.AttributeValueMemberL{Value: list}
	case "SS":
		return &types.AttributeValueMemberSS{Value: texts}
	case "NS":
		return &types.AttributeValueMemberNS{Value: texts}
	}
	return &types.AttributeValueMemberBS{Value: binaries}
}

// show writes attributes in one way for each meaning: names and members of sets
// sorted, numbers as fractions.
func show(row attributes) string {
	if row == nil {
		return "none"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(row)) {
		parts = append(parts, name+"="+showValue(row[name]))
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func showValue(value types.AttributeValue) string {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return "S:" + v.Value
	case *types.AttributeValueMemberN:
		return "N:" + showNumber(v.Value)
	case *types.AttributeValueMemberB:
		return fmt.Sprintf("B:%x", v.Value)
	case *types.AttributeValueMemberBOOL:
		return fmt.Sprint("BOOL:", v.Value)
	case *types.AttributeValueMemberNULL:
		return "NULL"
	case *types.AttributeValueMemberM:
		return "M:" + show(v.Value)
	case *types.AttributeValueMemberL:
		var parts []string
		for _, e := range v.Value {
			parts = append(parts, showValue(e))
		}
		return "L:[" + strings.Join(parts, " ") + "]"
	default:
		return showSet(value)
	}
}

func showSet(value types.AttributeValue) string {
	var kind string
	var parts []string
	switch v := value.(type) {
	case *types.AttributeValueMemberSS:
		kind, parts = "SS:", slices.Clone(v.Value)
	case *types.AttributeValueMemberNS:
		kind = "NS:"
		for _, n := range v.Value {
			parts = append(parts, showNumber(n))
		}
	case *types.AttributeValueMemberBS:
		kind = "BS:"
		for _, b := range v.Value {
			parts = append(parts, hex.EncodeToString(b))
		}
	}
	slices.Sort(parts)
	return kind + fmt.Sprint(parts)
}

func showNumber(text string) string {
	if r, ok := new(big.Rat).SetString(text); ok {
		return r.RatString()
	}
	return text
}

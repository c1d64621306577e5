package leasedynamo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// equal reports whether two attributes are the same. Numbers are compared by
// their text: DynamoDB returns whole ones as they are written here.
func equal(a, b types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		b, ok := b.(*types.AttributeValueMemberS)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberN:
		b, ok := b.(*types.AttributeValueMemberN)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberB:
		b, ok := b.(*types.AttributeValueMemberB)
		return ok && slices.Equal(a.Value, b.Value)
	case *types.AttributeValueMemberSS: // in any order
		b, ok := b.(*types.AttributeValueMemberSS)
		return ok && slices.Equal(slices.Sorted(slices.Values(a.Value)), slices.Sorted(slices.Values(b.Value)))
	default:
		return false
	}
}

// describe returns an attribute for an error, shortened.
func describe(value types.AttributeValue) string {
	const limit = 80
	var s string
	switch v := value.(type) {
	case nil:
		return "absent"
	case *types.AttributeValueMemberS:
		s = fmt.Sprintf("the string %q", v.Value)
	case *types.AttributeValueMemberN:
		s = "the number " + v.Value
	case *types.AttributeValueMemberSS:
		s = fmt.Sprintf("the set %q", v.Value)
	default:
		s = "of type " + strings.TrimPrefix(fmt.Sprintf("%T", v), "*types.AttributeValueMember")
	}
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

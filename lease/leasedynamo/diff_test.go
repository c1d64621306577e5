package leasedynamo_test

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameAttribute compares numbers by value and sets without order.
func sameAttribute() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b types.AttributeValueMemberN) bool {
			x, errX := strconv.ParseFloat(a.Value, 64)
			y, errY := strconv.ParseFloat(b.Value, 64)
			return a.Value == b.Value || errX == nil && errY == nil && x == y && strings.ContainsAny(a.Value+b.Value, ".eE")
		}),
		cmp.Transformer("set", func(s types.AttributeValueMemberSS) map[string]bool {
			out := make(map[string]bool, len(s.Value))
			for _, v := range s.Value {
				out[v] = true
			}
			return out
		}),
		cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberB{}, types.AttributeValueMemberM{},
			types.AttributeValueMemberL{}, types.AttributeValueMemberBOOL{}),
	}
}

func diffAttribute(got, want types.AttributeValue) string {
	return cmp.Diff(want, got, sameAttribute())
}

func diffItem(got, want item) string { return cmp.Diff(want, got, sameAttribute()) }

package importer

import (
	"slices"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// object returns an object of members.
func object(members ...document.Member) document.Value {
	return document.Value{Kind: document.Object, Members: members}
}

func index(members []document.Member, key string) int {
	return slices.IndexFunc(members, func(m document.Member) bool { return m.Key == key })
}

// without returns the members but those of a key, and leaves the given ones as
// they are.
func without(members []document.Member, key string) []document.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m document.Member) bool { return m.Key == key })
}

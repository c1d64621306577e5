package jq_test

import (
	"os"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// What is refused by name is on the page.
func TestRefusalsAreListed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/jq.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range jq.Refusals() {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/jq.md does not have %s", name)
		}
		program := name
		if base, args, ok := strings.Cut(name, "/"); ok {
			program = base + map[string]string{"0": "", "1": "(1)"}[args]
		}
		q, err := jq.Parse(program)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jq.Compile(q); err == nil || !strings.Contains(err.Error(), name+", which cannot be used here") {
			t.Errorf("%s: %v", program, err)
		}
	}
}

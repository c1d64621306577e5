package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// What a local run is made of imports none of what reads the files of others: it
// is built and tested without, and an application that uses the library is too.
func TestImportersAreNotReached(t *testing.T) {
	t.Parallel()
	const module = "github.com/shardmill/shardmill/"
	list := func(packages ...string) []byte {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps"}, packages...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	heavy := func(path string) bool {
		return path == module+"cmd/shardmill/internal/importer" || strings.HasPrefix(path, "go.yaml.in/yaml/v3") || path == "github.com/hashicorp/hcl/v2/hclsyntax" || strings.HasSuffix(path, "/service/firehose")
	}
	for lines := bufio.NewScanner(bytes.NewReader(list(module+"cmd/shardmill/internal/localrun", module+"localaws/...", module+"processors/...", module+"kcl/...", module+"cmd/shardmill/internal/config"))); lines.Scan(); {
		if heavy(lines.Text()) {
			t.Errorf("%s is imported", lines.Text())
		}
	}
	found := 0
	for lines := bufio.NewScanner(bytes.NewReader(list(module + "cmd/shardmill"))); lines.Scan(); {
		if heavy(lines.Text()) {
			found++
		}
	}
	if found != 4 {
		t.Errorf("the program imports %d of the 4 that are looked for", found)
	}
}

package docs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write conformance.md anew")

const (
	list = "conformance.tsv"
	page = "conformance.md"
)

// head stands before the tables of the page.
const head = `# What Amazon Data Firehose does, and whether it is so here

Each statement that counts for what is built is a test, ` + "`TestConformance/NUMBER`" + `, which shows it as who runs an archiver sees it.
This page is made of conformance.tsv and of a run of these tests, by ` + "`go test ./docs -update`" + `; a test holds it to both.

Classes: **documented** by AWS, in Firehose's guide or API; **observed** at the service by somebody, and told in public; **inferred** from
either. Where a statement is not certain, or something else is done here on purpose, the last but one column says what, and why.

If nothing else is said the delivery stream is ` + "`orders`" + `, version 1, into the bucket ` + "`b`" + `, in UTC, UNCOMPRESSED, with a size of 5 MiB and an
interval of 300 s, and the oldest record arrived at 2016-02-25T13:00:00Z. ` + "`U`" + ` is a UUID in lower case. Tests that say "not yet" are of
features that are refused by name until they are built.
`

// row is a line of the list: a statement, or the title of those that follow.
type row struct {
	title                          string
	number, class, what, different string
	later                          bool // of what is not built
}

// rows reads the list: number, "later" or nothing, class, statement, and what is done
// here if that is not certain or is something else.
func rows(t *testing.T) (out []row) {
	t.Helper()
	class := regexp.MustCompile(`^(documented|observed|inferred)(, (observed|inferred))*$`)
	seen := map[string]bool{}
	for line := range strings.Lines(read(t, list)) {
		line = strings.TrimSuffix(line, "\n")
		if title, ok := strings.CutPrefix(line, "# "); ok {
			out = append(out, row{title: title})
			continue
		}
		f := append(strings.Split(line, "\t"), "")
		if len(f) != 5 && len(f) != 6 || !number.MatchString(f[0]) || seen[f[0]] || f[1] != "" && f[1] != "later" || !class.MatchString(f[2]) || f[3] == "" {
			t.Fatalf("%s: not a statement of its own: %q", list, line)
		}
		seen[f[0]] = true
		out = append(out, row{number: f[0], later: f[1] == "later", class: f[2], what: f[3], different: f[4]})
	}
	return out
}

// results are the packages that have a test of a statement, and whether all passed.
type results map[string]*result

type result struct {
	packages []string
	failed   bool
}

// event is a line of go test -json, as far as it counts.
type event struct{ Action, Package, Test string }

// add counts the end of a statement's test, or of a part of it: K17/GZIP.
func (r results) add(e event, module string) {
	name, ok := strings.CutPrefix(e.Test, "TestConformance/")
	name, _, _ = strings.Cut(name, "/")
	if !ok || e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
		return
	}
	of := r[name]
	if of == nil {
		of = new(result)
		r[name] = of
	}
	of.failed = of.failed || e.Action != "pass"
	if in := strings.TrimPrefix(e.Package, module+"/"); !slices.Contains(of.packages, in) {
		of.packages = append(of.packages, in)
		slices.Sort(of.packages)
	}
}

// run runs the tests of all statements.
func run(t *testing.T) results {
	t.Helper()
	packages := withConformance(t)
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json", "-run", "^TestConformance$"}, packages...)...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil { // a build that failed too
		t.Errorf("go test -run '^TestConformance$' %s: %v", strings.Join(packages, " "), err)
	}
	r := results{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v in %s; stderr: %s", err, lines.Text(), &said)
		}
		r.add(e, strings.TrimSpace(string(module)))
	}
	if err := lines.Err(); err != nil || len(r) == 0 {
		t.Fatalf("no test ran, %v: %s%s", err, out, &said)
	}
	return r
}

// withConformance returns the packages that have statements. It looks at all code of
// the module, so that go test runs again whatever changed in it.
func withConformance(t *testing.T) (packages []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
		in := "./" + filepath.ToSlash(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") && strings.Contains(read(t, path), "\nfunc TestConformance(") && !slices.Contains(packages, in) {
			packages = append(packages, in)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// rendered returns the page.
func rendered(list []row, r results) string {
	var b strings.Builder
	b.WriteString(head)
	cell := strings.NewReplacer("|", `\|`).Replace
	for _, s := range list {
		if s.title != "" {
			fmt.Fprintf(&b, "\n## %s\n\n| # | Statement | Class | Here | Test |\n|---|---|---|---|---|\n", s.title)
			continue
		}
		state := "not yet"
		if of := r[s.number]; of != nil {
			state = "passes, in " + strings.Join(of.packages, " and ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.number, cell(s.what), s.class, cell(s.different), state)
	}
	return b.String()
}

// faults says what is wrong with the list, the tests and how these ended.
func faults(list []row, r results) (wrong []string) {
	listed := map[string]bool{}
	for _, s := range list {
		listed[s.number] = true
		switch of := r[s.number]; {
		case s.title != "":
		case of == nil && !s.later:
			wrong = append(wrong, s.number+" has no test TestConformance/"+s.number)
		case of != nil && s.later:
			wrong = append(wrong, s.number+` has a test; remove its "later"`)
		case of != nil && of.failed:
			wrong = append(wrong, s.number+" failed, or was skipped")
		}
	}
	for name := range r {
		if !listed[name] {
			wrong = append(wrong, "TestConformance/"+name+" is no statement of the list")
		}
	}
	return wrong
}

// Each statement of what is built has a test that passes, each such test has a
// statement, and the page says so.
func TestConformancePage(t *testing.T) {
	t.Parallel()
	list, r := rows(t), run(t)
	for _, fault := range faults(list, r) {
		t.Errorf("%s; see conformance.tsv", fault)
	}
	want := rendered(list, r)
	if *update && !t.Failed() {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, page) != want {
		t.Errorf("%s is not what the list and the tests say; go test ./docs -update writes it", page)
	}
}

// What is to be found is found.
func TestFaultsOfConformance(t *testing.T) {
	t.Parallel()
	list := []row{{title: "T"}, {number: "K1"}, {number: "K2"}, {number: "K3", later: true}, {number: "K4", later: true}, {number: "K5"}}
	r := results{}
	for _, e := range []event{
		{"run", "m/a", "TestConformance/K2"},
		{"pass", "m/a", "TestConformance/K1"},
		{"pass", "m/a", "TestConformance/K3"},
		{"fail", "m/a", "TestConformance/K5/part"},
		{"pass", "m/b", "TestConformance/K5"},
		{"pass", "m/a", "TestConformance/K9/part"},
		{"pass", "m/a", "TestOther/K7"},
	} {
		r.add(e, "m")
	}
	got := faults(list, r)
	want := []string{
		"K2 has no test TestConformance/K2", `K3 has a test; remove its "later"`, "K5 failed, or was skipped", "TestConformance/K9 is no statement of the list",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

//go:build redshift

package killtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// loadAccount is where each record was found.
type loadAccount struct {
	put       int
	staged    map[int]string         // the object of each record
	objects   map[string][]int       // records of each object, by URL
	rows      map[int]int            // of each record
	ledger    map[string]int         // rows of each object
	manifests map[string][]time.Time // when those were put that name an object
	named     map[string]int         // errors manifests that name an object
	batches   int                    // manifests
	faults    []string
}

func (a *loadAccount) wrong(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// openLoads reads bucket and tables, after records from 0 to below put were put.
func openLoads(t *testing.T, s *services, house *warehouse, put int) *loadAccount {
	t.Helper()
	a := &loadAccount{
		put: put, staged: make(map[int]string), objects: make(map[string][]int), rows: make(map[int]int),
		ledger: make(map[string]int), manifests: make(map[string][]time.Time), named: make(map[string]int),
	}
	dir := filepath.Join(s.dir, bucket)
	eachObject(t, dir, func(key string, body []byte) {
		switch {
		case strings.HasPrefix(key, "rs/manifests/"):
			info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(key)))
			if err != nil {
				t.Fatal(err)
			}
			a.batches++
			for _, url := range a.manifest(key, body) {
				a.manifests[url] = append(a.manifests[url], info.ModTime())
			}
		case strings.HasPrefix(key, "rs/errors/manifests/"):
			for _, url := range a.manifest(key, body) {
				a.named[url]++
			}
		case strings.HasPrefix(key, "rs/2"):
			a.object(key, body)
		case strings.HasPrefix(key, "_shardmill/"+application+"/"): // a bundle of a late put
		default:
			a.wrong("there is %s", key)
		}
	})
	for _, row := range house.rows(t, "SELECT n, t FROM events") {
		n, err := strconv.Atoi(*row[0])
		if err != nil || row[1] == nil || *row[1] != textOf(n) {
			a.wrong("the row of record %s is not as it was put, %v", *row[0], err)
		}
		a.rows[n]++
	}
	for _, row := range house.rows(t, "SELECT object FROM loaded") {
		a.ledger[*row[0]]++
	}
	return a
}

// manifest returns the URLs of a manifest.
func (a *loadAccount) manifest(key string, body []byte) (urls []string) {
	var m struct {
		Entries []struct {
			URL       string `json:"url"`
			Mandatory bool   `json:"mandatory"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(body, &m); err != nil || len(m.Entries) == 0 {
		a.wrong("%s: %d entries, %v", key, len(m.Entries), err)
	}
	for _, e := range m.Entries {
		if !e.Mandatory || slices.Contains(urls, e.URL) {
			a.wrong("%s: %s is not mandatory, or there twice", key, e.URL)
		}
		urls = append(urls, e.URL)
	}
	return urls
}

// object notes the records of a staged object.
func (a *loadAccount) object(key string, body []byte) {
	url := "s3://" + bucket + "/" + key
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(z)
	}
	if err != nil || len(body) == 0 {
		a.wrong("%s: has %d bytes, %v", key, len(body), err)
	}
	for line := range bytes.Lines(body) {
		n := -1
		if digits, is := bytes.CutPrefix(line, []byte(`{"n":`)); is {
			digits, _, _ = bytes.Cut(digits, []byte(","))
			n, _ = strconv.Atoi(string(digits))
		}
		if before, twice := a.staged[n]; twice {
			a.wrong("record %d is in %s and in %s", n, before, url)
		}
		a.staged[n] = url
		a.objects[url] = append(a.objects[url], n)
	}
}

// check demands that each record is where it belongs, as often as it may be.
func (a *loadAccount) check(r *loaders) {
	r.t.Helper()
	lost := 0
	for n := range a.put {
		url, is := a.staged[n]
		switch {
		case !is:
			lost++
			a.wrong("record %d is in no object", n)
		case a.rows[n] == 0 && a.named[url] == 0:
			lost++
			a.wrong("record %d, of %s, is not in the table, and no errors manifest names its object", n, url)
		case r.scenario.isMalformed(n) && a.rows[n] > 0:
			a.wrong("record %d cannot be loaded, and is in the table", n)
		}
	}
	if len(a.staged) != a.put {
		a.wrong("%d records are staged, %d were put", len(a.staged), a.put)
	}
	doubled, both := 0, 0
	for url, records := range a.objects {
		times := a.rows[records[0]]
		if n := slices.IndexFunc(records, func(n int) bool { return a.rows[n] != times }); n >= 0 {
			a.wrong("%s is loaded in part: record %d %d times, record %d %d times", url, records[0], times, records[n], a.rows[records[n]])
		}
		if times > 0 && a.named[url] > 0 {
			both++
		}
		if times > 1 {
			doubled++
			a.double(r, url, times)
		}
		if want := min(times, 1); r.scenario.ledger && a.ledger[url] != want {
			a.wrong("the ledger has %s %d times; its records are %d times in the table", url, a.ledger[url], times)
		}
	}
	a.summary(r, lost, doubled, both)
}

// untilSettled is how long it takes until another archiver has finished the cuts of one that was struck.
const untilSettled = 10 * time.Second

// double judges an object that is loaded more than once: only without a ledger, by as many
// manifests, between which, or shortly before, an archiver was struck.
func (a *loadAccount) double(r *loaders, url string, times int) {
	if r.scenario.ledger {
		a.wrong("%s is %d times in the table", url, times)
		return
	}
	at := a.manifests[url]
	if len(at) < times {
		a.wrong("%s is %d times in the table, and only %d manifests name it", url, times, len(at))
	}
	slices.SortFunc(at, time.Time.Compare)
	explained := 0
	for i := range at[1:] {
		if slices.ContainsFunc(r.strikes, func(s struck) bool {
			return s.at.Before(at[i+1]) && s.over.Add(untilSettled).After(at[i])
		}) {
			explained++
		}
	}
	if explained < times-1 {
		a.wrong("%s is %d times in the table; manifests that name it are of %v, and no archiver was struck between them", url, times, at)
	}
}

func (a *loadAccount) summary(r *loaders, lost, doubled, both int) {
	r.t.Helper()
	all, rows, again := len(a.objects), 0, 0
	for _, n := range a.rows {
		rows += n
	}
	for _, at := range a.manifests {
		again += len(at) - 1
	}
	r.t.Logf("%d records in %d objects and %d manifests: %d rows, %d records lost; %d objects named again by a later manifest, %d loaded more than once; %d named by errors manifests, %d of them loaded too; the ledger has %d; %d faults",
		a.put, all, a.batches, rows, lost, again, doubled, len(a.named), both, len(a.ledger), len(a.faults))
	if (len(a.named) > 0) != r.scenario.malformed {
		r.t.Errorf("errors manifests name %d objects", len(a.named))
	}
	if !r.scenario.ledger && (doubled == 0 || len(a.ledger) > 0) {
		r.t.Errorf("without a ledger %d objects are loaded more than once: what was struck shows nothing; the ledger has %d", doubled, len(a.ledger))
	}
	for _, fault := range a.faults[:min(20, len(a.faults))] {
		r.t.Error(fault)
	}
}

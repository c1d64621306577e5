//go:build kill

package killtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// account is where each record was found.
type account struct {
	dir     string              // of the bucket
	places  map[string][]string // where records are, by what they are
	objects map[string]int      // by the directory that an object is in
	faults  []string
}

// openAccount reads all objects of a bucket.
func openAccount(t *testing.T, dir string) *account {
	t.Helper()
	a := &account{dir: dir, places: make(map[string][]string), objects: make(map[string]int)}
	eachObject(t, dir, a.object)
	return a
}

func (a *account) wrong(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// object notes what an object has.
func (a *account) object(key string, body []byte) {
	prefix, _, _ := strings.Cut(key, "killed-1-")
	a.objects[prefix]++
	if strings.HasPrefix(prefix, "errors/") {
		a.failures(key, prefix, body)
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(z)
	}
	if err != nil {
		a.wrong("%s: %v", key, err)
		return
	}
	last := -1
	for line := range strings.Lines(string(body)) {
		var made struct{ Number int }
		if err := json.Unmarshal([]byte(line), &made); err != nil {
			a.wrong("%s: %v", key, err)
		}
		if made.Number <= last {
			a.wrong("%s: number %d comes after %d", key, made.Number, last)
		}
		last = made.Number
		a.places[prefix+" "+line] = append(a.places[prefix+" "+line], key)
	}
	if last < 0 {
		a.wrong("%s: is empty", key)
	}
}

// failures notes the lines of an error object.
func (a *account) failures(key, prefix string, body []byte) {
	for line := range bytes.Lines(body) {
		var e struct {
			RawData   []byte `json:"rawData"`
			ErrorCode string `json:"errorCode"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			a.wrong("%s: %v", key, err)
		}
		place := prefix + " " + e.ErrorCode + " " + string(e.RawData)
		a.places[place] = append(a.places[place], key)
	}
}

// placeOf is where a record must be; "" for nowhere.
func placeOf(e entry) string {
	const failed, unsorted = "errors/processing-failed/ Lambda.", "errors/metadata-extraction-failed/ DynamicPartitioning.MetadataExtractionFailed "
	switch fateOf(e.N) {
	case isDelivered:
		return "customer=" + e.Customer + "/ " + e.made() + "\n"
	case isFailed:
		return failed + "ProcessingFailedStatus " + string(e.data())
	case isLeftOut:
		return failed + "MissingRecordId " + string(e.data())
	case isUnkeyed, isNoJSON:
		return unsorted + string(e.data())
	case isDropped:
	}
	return ""
}

// check demands that the records below last are in one place each, and that nothing else
// is anywhere.
func (a *account) check(t *testing.T, last int) {
	t.Helper()
	fates, missing, twice := make(map[fate]int), 0, 0
	for n := range last {
		place := placeOf(entryOf(n))
		fates[fateOf(n)]++
		keys := a.places[place]
		delete(a.places, place)
		switch {
		case place == "":
		case len(keys) == 0:
			missing++
			a.wrong("record %d, %s, is in no object", n, fateOf(n))
		case len(keys) > 1:
			twice++
			a.wrong("record %d, %s, is in %q", n, fateOf(n), keys)
		}
	}
	for place, keys := range a.places {
		a.wrong("%q has %.200q, which it must not have", keys, place)
	}
	objects, partitions := 0, 0
	for prefix, count := range a.objects {
		objects += count
		if strings.HasPrefix(prefix, "customer=") {
			partitions++
		}
	}
	t.Logf("%d records: %v; %d objects of %d partitions, and of errors; %d missing, %d twice, %d faults", last, fates, objects, partitions, missing, twice, len(a.faults))
	if partitions != customers {
		t.Errorf("there are %d partitions, want %d", partitions, customers)
	}
	for i, fault := range a.faults {
		if t.Errorf("%s", fault); i == 20 {
			break
		}
	}
}

//go:build search

package killtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// nature is what a record is to the index, by its number alone.
type nature string

const (
	isDocument     nature = "a document"
	isNoObject     nature = "no JSON"
	isTwoObjects   nature = "two objects"
	isTwoLines     nature = "an object on two lines"
	isTextForCount nature = "a text where the mapping has a number"
	isTextForOwner nature = "a text where the mapping has an object"
)

func natureOf(n int) nature {
	switch n % 1500 {
	case 7:
		return isNoObject
	case 507:
		return isTwoObjects
	case 1007:
		return isTwoLines
	case 257, 1257:
		return isTextForCount
	case 757:
		return isTextForOwner
	}
	return isDocument
}

// isMalformed reports whether it must never be sent.
func (n nature) isMalformed() bool { return n == isNoObject || n == isTwoObjects || n == isTwoLines }

// isConflict reports whether the cluster must refuse it.
func (n nature) isConflict() bool { return n == isTextForCount || n == isTextForOwner }

// mapping is that of the properties that records can be in conflict with.
const mapping = `{"properties":{"number":{"type":"long"},"count":{"type":"long"},"text":{"type":"text"},"price":{"type":"double"},"at":{"type":"date"},
"owner":{"properties":{"name":{"type":"keyword"},"cities":{"properties":{"name":{"type":"keyword"},"zip":{"type":"integer"}}}}}}}`

type city struct {
	Name string `json:"name"`
	ZIP  int    `json:"zip"`
}

type owner struct {
	Name   string `json:"name"`
	Cities []city `json:"cities"`
}

// dataOf returns a record. Its first digits are its number.
func dataOf(n int) []byte {
	switch natureOf(n) {
	case isNoObject:
		return fmt.Appendf(nil, "number %d, which is no JSON\n", n)
	case isTwoObjects:
		return fmt.Appendf(nil, `{"number":%d,"text":"one"}{"number":%d,"text":"two"}`+"\n", n, n)
	case isTwoLines:
		return fmt.Appendf(nil, "{\"number\":%d,\n\"text\":\"a line break\"}\n", n)
	case isTextForCount:
		return fmt.Appendf(nil, `{"number":%d,"text":"in conflict","count":"many"}`+"\n", n)
	case isTextForOwner:
		return fmt.Appendf(nil, `{"number":%d,"text":"in conflict","owner":"somebody"}`+"\n", n)
	case isDocument:
	}
	words := 5 + n%19
	if n%5000 == 2500 {
		words = 20_000 + n%20_000 // 100-300 KB
	}
	data, err := json.Marshal(struct {
		Number int     `json:"number"`
		Text   string  `json:"text"`
		Count  int64   `json:"count"`
		Price  float64 `json:"price"`
		At     string  `json:"at"`
		Owner  owner   `json:"owner"`
		None   any     `json:"none"`
	}{
		n, strings.Repeat(strconv.Itoa(n%100_000)+" ", words) + `"größer" als ` + "\U0001F600\n", int64(n) * 1_000_003, float64(n%977) / 8,
		fmt.Sprintf("2016-02-%02dT21:%02d:20Z", 1+n%29, n%60),
		owner{fmt.Sprint("n", n%101), []city{{"Köln", 50667 + n%10}, {fmt.Sprint("c", n%7), n % 100_000}}},
		nil,
	})
	if err != nil {
		return []byte(err.Error()) // which is not as it was put, whatever it is compared with
	}
	if n%97 == 5 {
		return data
	}
	return append(data, '\n')
}

// numberOf returns the number of a record that begins a text; -1 if it is none.
func numberOf(text []byte) int {
	at := bytes.IndexAny(text, "0123456789")
	if at < 0 || at > len(`{"number":`) {
		return -1
	}
	n := 0
	for _, c := range text[at:] {
		if c < '0' || c > '9' || n > 1<<40 {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

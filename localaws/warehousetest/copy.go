package warehousetest

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// copyRows are about COPY.
func copyRows() []row {
	return []row{
		{"COPY loads what a manifest lists", testCopy},
		{"JSON objects need no newline between them", testJSONTogether},
	}
}

// redshiftRows are about what PostgreSQL does not have.
func redshiftRows() []row { return nil }

func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func testCopy(t *testing.T, x test, c connection) {
	m := x.stage(t, compressed(t, lines("1|a|2016-02-25 13:00:00", "2||")), compressed(t, "3|c|"))
	c.run(t, x.copy(m, "GZIP"))
	c.want(t, "SELECT id, name, at FROM "+x.table+" ORDER BY id",
		"1|a|2016-02-25 13:00:00", "2||"+null, "3|c|"+null)
	c.want(t, "SELECT pg_last_copy_count()", "3")
}

func testJSONTogether(t *testing.T, x test, c connection) {
	c.run(t, x.copy(x.stage(t, `{"id":1,"name":"a"}{"id":2}`+"\n\n"+`{"name":null,"id":"3","other":[]}`), "JSON 'auto'"))
	c.want(t, "SELECT id, name FROM "+x.table+" ORDER BY id", "1|a", "2|"+null, "3|"+null)
}

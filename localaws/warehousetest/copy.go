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
		{"names of members are those of columns, letter by letter", testJSONNames},
		{"what is nested in JSON is loaded as its text", testJSONNested},
		{"JSON paths find what is nested", testJSONPaths},
		{"JSON paths must be as many as columns", testJSONPathsCount},
		{"COPY of some columns leaves the others to their defaults", testSomeColumns},
		{"fields of CSV have delimiters, quotes and lines in quotes", testCSV},
		{"fields are delimited, escaped and quoted as options say", testDelimited},
		{"fields are NULL as options say", testNulls},
		{"times are read as options say", testTimes},
		{"what does not fit is cut, replaced and filled up as options say", testFitted},
		{"an object that is missing fails a COPY if it is mandatory", testMissingObject},
		{"a manifest that cannot be read fails a COPY", testManifests},
		{"what is not compressed is not read as GZIP, nor the reverse", testGzip},
		{"options that there are not are refused by name", testOptions},
	}
}

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
	t.Helper()
	m := x.stage(t, compressed(t, "1|a|2016-02-25 13:00:00\n2||\n"), compressed(t, "3|c|"))
	c.run(t, x.copy(m, "GZIP"))
	c.want(t, "SELECT id, name, at FROM "+x.table+" ORDER BY id",
		"1|a|2016-02-25 13:00:00", "2||"+null, "3|c|"+null)
	c.want(t, "SELECT pg_last_copy_count()", "3")
}

func testJSONTogether(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, x.copy(x.stage(t, `{"id":1,"name":"a"}{"id":2}`+"\n\n"+`{"name":null,"id":"3","other":[]}`), "JSON 'auto'"))
	c.want(t, "SELECT id, name FROM "+x.table+" ORDER BY id", "1|a", "2|"+null, "3|"+null)
}

func testJSONNames(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, `{"id":1,"Name":"a","NAME":"b"}`)
	c.run(t, x.copy(m, "json 'auto'"))
	c.run(t, x.copy(x.stage(t, `{"ID":2,"Name":"a"}`), "format as json 'auto ignorecase'"))
	c.want(t, "SELECT id, name FROM "+x.table+" ORDER BY id", "1|"+null, "2|a")
	c.refused(t, x.copy(x.stage(t, `{"ID":3}`), "JSON 'auto'"), "XX000", "Check 'stl_load_errors'")
}

func testJSONNested(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "CREATE TABLE "+x.table+"_s (id int, doc super, text varchar(64))")
	x.table += "_s"
	c.run(t, x.copy(x.stage(t, `{"id":1,"doc":{"a": [1, "b"]},"text":[ true ]}`, `{"id":2,"doc":7.50,"text":true}`), "JSON 'auto'"))
	c.want(t, "SELECT id, doc, text FROM "+x.table+" ORDER BY id", `1|{"a":[1,"b"]}|[true]`, "2|7.50|true")
}

func testJSONPaths(t *testing.T, x test, c connection) {
	t.Helper()
	x.Put(t, x.table+"/paths", []byte(`{"jsonpaths":["$.a.b","$['c d'][1]","$.at"]}`))
	paths := "JSON 's3://" + x.Bucket + "/" + x.table + "/paths'"
	c.run(t, x.copy(x.stage(t, `{"a":{"b":1},"c d":["x","y"]}{"a":{"b":2},"c d":["x"],"at":"2016-02-25 13:00:00"}`), paths))
	c.want(t, "SELECT id, name, at FROM "+x.table+" ORDER BY id", "1|y|"+null, "2|"+null+"|2016-02-25 13:00:00")
}

func testJSONPathsCount(t *testing.T, x test, c connection) {
	t.Helper()
	x.Put(t, x.table+"/paths", []byte(`{"jsonpaths":["$.a"]}`))
	paths := "JSON 's3://" + x.Bucket + "/" + x.table + "/paths'"
	m := x.stage(t, `{"a":1}`)
	c.refused(t, x.copy(m, paths), "XX000", "Number of jsonpaths and the number of columns should match. JSONPath size: 1, Number of columns in table or column list: 3")
	c.refused(t, x.copy(m, "JSON 's3://"+x.Bucket+"/"+x.table+"/nothing'"), "XX000", "NoSuchKey")
	x.Put(t, x.table+"/paths", []byte(`{"jsonpaths":["$.a","b","$.c[x]"]}`))
	c.refused(t, x.copy(m, paths), "XX000", "Invalid JSONPath format")
}

func testSomeColumns(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "CREATE TABLE "+x.table+"_d (id bigint, at timestamp DEFAULT GETDATE(), kind varchar(8) DEFAULT 'none', other int)")
	m := x.stage(t, "a|1\n")
	into := x
	into.table += "_d (kind, id)"
	c.run(t, into.copy(m, ""))
	c.want(t, "SELECT id, kind, other, at IS NULL FROM "+x.table+"_d", "1|a|"+null+"|f")
	c.run(t, "INSERT INTO "+x.table+"_d (id) VALUES (2)")
	c.want(t, "SELECT kind FROM "+x.table+"_d WHERE id = 2", "none")
}

func testCSV(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "id,name,at\r\n1,\"a,b\",\r\n2,\"c\"\"d\ne\",2016-02-25 13:00:00\r\n3,,\n")
	c.run(t, x.copy(m, "CSV IGNOREHEADER 1"))
	c.want(t, "SELECT id, name, at FROM "+x.table+" ORDER BY id", "1|a,b|"+null, "2|c\"d\ne|2016-02-25 13:00:00", "3||"+null)
	c.run(t, "DELETE FROM "+x.table)
	c.run(t, x.copy(x.stage(t, "7;'a;b';\n"), "FORMAT CSV QUOTE '''' DELIMITER ';'"))
	c.want(t, "SELECT id, name FROM "+x.table, "7|a;b")
}

func testDelimited(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, x.copy(x.stage(t, `1|a\|b|`+"\n"+`2|c\\d|`), "ESCAPE"))
	c.run(t, x.copy(x.stage(t, "3\te\"f\t\n"), `DELIMITER '\t'`))
	c.run(t, x.copy(x.stage(t, "4,\"g,h\",\n5,'i',\n6,j,\n"), "DELIMITER AS ',' REMOVEQUOTES"))
	c.run(t, x.copy(x.stage(t, "7\x01k\x01\n"), `DELIMITER '\001'`))
	c.want(t, "SELECT id, name FROM "+x.table+" ORDER BY id", "1|a|b", `2|c\d`, `3|e"f`, "4|g,h", "5|i", "6|j", "7|k")
}

func testNulls(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, x.copy(x.stage(t, "1||\n2| |\n3|\\N|\\N\n"), ""))
	c.want(t, "SELECT id, name, at FROM "+x.table+" ORDER BY id", "1||"+null, "2| |"+null, "3|"+null+"|"+null)
	c.run(t, "DELETE FROM "+x.table)
	c.run(t, x.copy(x.stage(t, "1||\n2| |\n3|nil|\n"), "NULL AS 'nil' EMPTYASNULL BLANKSASNULL"))
	c.want(t, "SELECT count(*) FROM "+x.table+" WHERE name IS NULL", "3")
}

func testTimes(t *testing.T, x test, c connection) {
	t.Helper()
	for _, row := range []struct{ text, options, want string }{
		{"2016-02-25 13:00:00", "", "2016-02-25 13:00:00"},
		{"2016-02-25T13:00:00.25Z", "TIMEFORMAT 'auto'", "2016-02-25 13:00:00.25"},
		{"2016-02-25", "TIMEFORMAT 'auto'", "2016-02-25 00:00:00"},
		{"1456405200", "TIMEFORMAT 'epochsecs'", "2016-02-25 13:00:00"},
		{"1456405200250", "TIMEFORMAT AS 'epochmillisecs'", "2016-02-25 13:00:00.25"},
		{"25/02/2016 13.00", "TIMEFORMAT 'DD/MM/YYYY HH24.MI'", "2016-02-25 13:00:00"},
	} {
		c.run(t, "DELETE FROM "+x.table)
		c.run(t, x.copy(x.stage(t, "1||"+row.text+"\n"), row.options))
		c.want(t, "SELECT at FROM "+x.table, row.want)
	}
	c.run(t, "CREATE TABLE "+x.table+"_d (d date)")
	x.table += "_d"
	c.run(t, x.copy(x.stage(t, "2016-02-25\n"), ""))
	c.run(t, x.copy(x.stage(t, "26.02.2016\n"), "DATEFORMAT 'DD.MM.YYYY'"))
	c.run(t, x.copy(x.stage(t, "never\n"), "ACCEPTANYDATE"))
	c.want(t, "SELECT d FROM "+x.table+" ORDER BY d", "2016-02-25", "2016-02-26", null)
}

func testFitted(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, x.copy(x.stage(t, "1|1234567ö|\n"), "TRUNCATECOLUMNS"))
	c.run(t, x.copy(x.stage(t, "2|a\xffb|\n"), "ACCEPTINVCHARS"))
	c.run(t, x.copy(x.stage(t, "3|a\xffb|\n"), "ACCEPTINVCHARS AS '^'"))
	c.run(t, x.copy(x.stage(t, "4\n"), "FILLRECORD"))
	c.run(t, x.copy(x.stage(t, "\n5|a|\n  \n"), "IGNOREBLANKLINES"))
	c.run(t, x.copy(x.stage(t, "6|a  |\n"), "TRIMBLANKS"))
	c.want(t, "SELECT id, name FROM "+x.table+" ORDER BY id", "1|1234567", "2|a?b", "3|a^b", "4|"+null, "5|a", "6|a")
}

func testMissingObject(t *testing.T, x test, c connection) {
	t.Helper()
	there, gone := "s3://"+x.Bucket+"/"+x.table+"/object-a", "s3://"+x.Bucket+"/"+x.table+"/gone"
	x.stage(t, "1|a|\n")
	c.refused(t, x.copy(x.manifest(t, []entry{{there, true}, {gone, true}}), ""), "XX000", "The specified S3 prefix '"+x.table+"/gone' does not exist")
	c.want(t, "SELECT id FROM "+x.table)
	c.run(t, x.copy(x.manifest(t, []entry{{gone, false}, {there, false}}), ""))
	c.want(t, "SELECT id FROM "+x.table, "1")
}

func testManifests(t *testing.T, x test, c connection) {
	t.Helper()
	at := "s3://" + x.Bucket + "/" + x.table + "/m"
	c.refused(t, x.copy(at, ""), "XX000", "Problem reading manifest file - S3ServiceException:")
	for _, row := range []struct{ body, want string }{
		{"", "Manifest file is not in correct json format"},
		{`{"entries":`, "Manifest file is not in correct json format"},
		{`{}`, "Manifest file is not in correct json format"},
		{`{"entries":[{"mandatory":true}]}`, "COPY with MANIFEST parameter requires full path of an S3 object."},
		{`{"entries":[{"url":"http://a/b"}]}`, "COPY with MANIFEST parameter requires full path of an S3 object."},
	} {
		x.Put(t, x.table+"/m", []byte(row.body))
		c.refused(t, x.copy(at, ""), "XX000", row.want)
	}
	from := "COPY " + x.table + " FROM 's3://" + x.Bucket + "/" + x.table
	c.refused(t, from+"/none' CREDENTIALS '"+x.Credentials+"'", "XX000", "The specified S3 prefix '"+x.table+"/none' does not exist")
	x.stage(t, "1|a|\n", "2|b|\n")
	c.run(t, from+"/object' CREDENTIALS '"+x.Credentials+"'")
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id", "1", "2")
}

func testGzip(t *testing.T, x test, c connection) {
	t.Helper()
	c.refused(t, x.copy(x.stage(t, "1|a|\n"), "GZIP"), "XX000", "decompression failed")
	whole := compressed(t, "1|a|\n")
	c.refused(t, x.copy(x.stage(t, whole[:len(whole)-4]), "GZIP"), "XX000", "decompression failed")
	c.refused(t, x.copy(x.stage(t, whole), ""), "XX000", "failed.  Check")
	c.run(t, x.copy(x.stage(t, whole+compressed(t, "2|b|\n")), "GZIP"))
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id", "1", "2")
}

func testOptions(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\n")
	for _, row := range []struct{ options, state, text string }{
		{"PARQUET", "42601", "parquet"},
		{"GZIP gzip", "42601", "gzip"},
		{"JSON 'maybe'", "42601", "maybe"},
		{"JSON 'auto' CSV", "42601", "format"},
		{"JSON 'auto' DELIMITER ','", "42601", "JSON cannot be used with"},
		{"CSV ESCAPE", "42601", "CSV cannot be used with"},
		{"DELIMITER 'ab'", "22023", "must be a single character"},
		{"MAXERROR", "42601", ""},
		{"MAXERROR 100001", "22023", "MAXERROR"},
		{"'x'", "42601", "x"},
	} {
		c.refused(t, x.copy(m, row.options), row.state, row.text)
	}
	c.refused(t, "COPY "+x.table+" FROM '"+m+"' MANIFEST", "XX000", "CREDENTIALS")
	c.refused(t, "COPY "+x.table+" FROM '"+m+"' CREDENTIALS 'role=x' MANIFEST", "XX000", "Invalid credentials")
	c.refused(t, "COPY "+x.table+" FROM '/tmp/x' CREDENTIALS '"+x.Credentials+"'", "0A000", "s3://")
	c.run(t, x.copy(m, "REGION 'us-east-1' COMPUPDATE OFF STATUPDATE ON ROUNDEC;"))
	c.want(t, "SELECT id FROM "+x.table, "1")
}

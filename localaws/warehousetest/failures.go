package warehousetest

import "testing"

// failureRows are about a COPY that does not load, or not all, and about transactions with
// one.
func failureRows() []row {
	return []row{
		{"one line that is no row leaves nothing of a COPY", testOneBadLine},
		{"what is wrong with a line has a code and a reason", testCodes},
		{"with MAXERROR the other lines are loaded", testMaxError},
		{"a COPY that is rolled back leaves nothing", testCopyRollback},
		{"a COPY that fails undoes its transaction, and its reasons stay", testCopyFails},
		{"a COPY takes the snapshot of its transaction", testCopySnapshot},
		{"a COPY into what is not there says so", testCopyMissing},
		{"who may not INSERT may not COPY", testCopyPrivilege},
		{"loaders with a ledger load each object once", testLedger},
		{"what is loaded twice is there twice without a ledger", testTwice},
	}
}

// reasons is what the database says of the lines of the last COPY.
const reasons = "SELECT TRIM(filename), line_number, TRIM(colname), err_code, TRIM(err_reason) FROM stl_load_errors WHERE query = pg_last_query_id() ORDER BY line_number"

func testOneBadLine(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\n", "2|b|\nx|c|\n")
	c.refused(t, x.copy(m, ""), "XX000", "Load into table '"+x.table+"' failed.  Check 'stl_load_errors' system table for details.")
	c.want(t, "SELECT id FROM "+x.table)
	c.refused(t, x.copy(m, ""), "XX000", "failed.  Check")
	file := "s3://" + x.Bucket + "/" + x.table + "/object-b"
	c.want(t, reasons, file+"|2|id|1207|Invalid digit, Value 'x', Pos 0, Type: Long")
	c.want(t, "SELECT TRIM(raw_line), TRIM(raw_field_value), TRIM(type), position FROM stl_load_errors WHERE query = pg_last_query_id()", "x|c||x|int8|0")
	c.want(t, "SELECT TRIM(file_name), line_number, TRIM(column_name), error_code, TRIM(error_message) FROM sys_load_error_detail WHERE query_id = pg_last_query_id()",
		file+"|2|id|1207|Invalid digit, Value 'x', Pos 0, Type: Long")
	c.want(t, "SELECT length(colname) FROM stl_load_errors WHERE query = pg_last_query_id()", "127")
}

func testCodes(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "CREATE TABLE "+x.table+"_c (n int, s varchar(4) NOT NULL, d date, at timestamp, f real, m decimal(4,2), b boolean, ch char(2), small smallint)")
	x.table += "_c"
	for _, row := range []struct{ body, options, want string }{
		{"x|a|||||||", "", "1|n|1207|Invalid digit, Value 'x', Pos 0, Type: Integer"},
		{"12a|a|||||||", "", "1|n|1207|Invalid digit, Value 'a', Pos 2, Type: Integer"},
		{"2147483648|a|||||||", "", "1|n|1207|Overflow for INT4 (2147483648)"},
		{"1|abcde|||||||", "", "1|s|1204|String length exceeds DDL length"},
		{"1|a|||||||32768", "", "1|small|1207|Overflow for INT2 (32768)"},
		{"1|a|today||||||", "", "1|d|1205|Invalid Date Format - length must be 10 or more"},
		{"1|a||noon|||||", "", "1|at|1206|Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"},
		{"1|a||25 Feb|||||", "TIMEFORMAT 'DD.MM.YYYY'", "1|at|1206|Invalid timestamp format or value [DD.MM.YYYY]"},
		{"1|a|||x||||", "", "1|f|1208|Invalid digit, Value 'x', Pos 0, Type: Float"},
		{"1|a||||x|||", "", "1|m|1209|Invalid digit, Value 'x', Pos 0, Type: Decimal"},
		{"1|a||||100|||", "", "1|m|1209|Overflow for NUMERIC(4,2)"},
		{"1|a|||||maybe||", "", "1|b|1210|Unknown boolean format - only 't', 'f', 'true', 'false', '1', '0' are supported"},
		{"1|a||||||ö|", "", "1|ch|1220|Multibyte character not supported for CHAR (Hint: try using VARCHAR)."},
		{"1|\\N|||||||", "", "1|s|1213|Missing data for not-null field"},
		{"1|a\xff|||||||", "", "1|s|1220|String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: ff (error 3)"},
		{"1|a|||||||1|2", "", "1||1202|Extra column(s) found"},
		{"1|a\n", "", "1|d|1201|Delimiter not found"},
		{"1,\"a\n", "CSV", "1||1214|Delimited value missing end quote"},
		{"1,\"a\"b,,,,,,,\n", "CSV", "1||1214|Invalid quote formatting for CSV. Unexpected character 0x62"},
		{`{"n":1,"s":"a"} {"n":`, "JSON 'auto'", "1||1216|Invalid JSON format: the object does not end"},
		{"{\"n\":1,\"s\":\"a\"}\n[1]", "JSON 'auto'", "2||1216|Invalid JSON format: an object is expected"},
		{"{\"n\":1,\"s\":\"a\"}\n{\"n\":2}", "JSON 'auto'", "2|s|1213|Missing data for not-null field"},
		{"{\"n\":1,\"s\":\"a\"}\nx", "JSON 'auto'", "2||1216|Invalid JSON format: it cannot be read"},
	} {
		m := x.stage(t, row.body)
		c.refused(t, x.copy(m, row.options), "XX000", "failed.  Check")
		c.want(t, reasons, "s3://"+x.Bucket+"/"+x.table+"/object-a|"+row.want)
	}
}

func testMaxError(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\nx|b|\n2|c|\ny|d|\n")
	c.run(t, x.copy(m, "MAXERROR 3"))
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id", "1", "2")
	c.want(t, "SELECT pg_last_copy_count()", "2")
	c.want(t, "SELECT count(*) FROM stl_load_errors WHERE query = pg_last_copy_id()", "2")
	c.run(t, "DELETE FROM "+x.table)
	c.refused(t, x.copy(m, "MAXERROR AS 2"), "XX000", "failed.  Check") // "that number of errors or greater"
	c.want(t, "SELECT id FROM "+x.table)
}

func testCopyRollback(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\n")
	c.run(t, "BEGIN")
	c.run(t, x.copy(m, ""))
	c.want(t, "SELECT id FROM "+x.table, "1")
	c.run(t, "ROLLBACK")
	c.want(t, "SELECT id FROM "+x.table)
}

func testCopyFails(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "x|a|\n")
	c.run(t, "BEGIN; INSERT INTO "+x.table+" (id) VALUES (1)")
	c.refused(t, x.copy(m, ""), "XX000", "failed.  Check")
	c.refused(t, "SELECT 1", "25P02", "current transaction is aborted")
	c.refused(t, reasons, "25P02", "current transaction is aborted")
	c.run(t, "ROLLBACK")
	c.want(t, "SELECT id FROM "+x.table)
	c.want(t, "SELECT count(*) FROM stl_load_errors WHERE filename = 's3://"+x.Bucket+"/"+x.table+"/object-a'", "1")
}

func testCopySnapshot(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "CREATE TABLE "+x.table+"_b (id bigint)")
	m := x.stage(t, "1|a|\n")
	c.run(t, "BEGIN")
	c.run(t, x.copy(m, ""))
	other.run(t, "INSERT INTO "+x.table+"_b VALUES (1)")
	c.want(t, "SELECT id FROM "+x.table+"_b")
	c.run(t, "COMMIT")
	c.want(t, "SELECT id FROM "+x.table+"_b", "1")
}

func testCopyMissing(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\n")
	none := x
	none.table += "_none"
	c.refused(t, none.copy(m, ""), "42P01", "Cannot COPY into nonexistent table "+none.table)
	none.table = x.table + " (id, nothing)"
	c.refused(t, none.copy(m, ""), "42703", `column "nothing"`)
	c.run(t, "BEGIN")
	c.refused(t, none.copy(m, ""), "42703", `column "nothing"`)
	c.refused(t, "SELECT 1", "25P02", "current transaction is aborted")
	c.run(t, "ROLLBACK")
}

func testCopyPrivilege(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\n")
	x.Config = x.Other
	reader := x.connect(t)
	reader.refused(t, x.copy(m, ""), "42501", x.table)
	reader.refused(t, "SELECT id FROM "+x.table, "42501", x.table)
	reader.want(t, "SELECT has_table_privilege('"+x.table+"', 'INSERT'), has_table_privilege(current_user, '"+x.table+"', 'SELECT')", "f|f")
	c.run(t, "GRANT INSERT ON TABLE "+x.table+" TO "+x.Config.User)
	reader.run(t, x.copy(m, ""))
	reader.want(t, "SELECT has_table_privilege('"+x.table+"', 'INSERT')", "t")
	reader.refused(t, "DELETE FROM "+x.table, "42501", x.table)
	c.run(t, "REVOKE INSERT ON "+x.table+" FROM "+x.Config.User)
	reader.refused(t, x.copy(m, ""), "42501", x.table)
	c.want(t, "SELECT id FROM "+x.table, "1")
}

// testLedger has three loaders load the same object at once.
func testLedger(t *testing.T, x test, c connection) {
	t.Helper()
	const waiting = 2
	ledger := x.table + "_ledger"
	c.run(t, "CREATE TABLE "+ledger+" (object varchar(1024) NOT NULL, manifest varchar(1024), loaded_at timestamp DEFAULT GETDATE())")
	m := x.stage(t, "1|a|\n")
	object := "s3://" + x.Bucket + "/" + x.table + "/object-a"
	first := x.connect(t)
	first.run(t, "BEGIN")
	first.run(t, "LOCK "+ledger)
	others := make(chan connection, waiting) // that have the lock
	for range waiting {
		other := x.connect(t)
		other.run(t, "BEGIN")
		locked := other.start(t, "LOCK TABLE "+ledger)
		go func() {
			if err := locked(); err != nil {
				t.Errorf("LOCK: %v", err)
			}
			others <- other
		}()
	}
	x.untilWaiting(t, ledger)
	load := func(l connection) {
		if len(l.run(t, "SELECT object FROM "+ledger+" WHERE object IN ('"+object+"')")) == 0 {
			l.run(t, x.copy(m, ""))
			l.run(t, "INSERT INTO "+ledger+" (object, manifest) VALUES ('"+object+"', '"+m+"')")
		}
		l.run(t, "COMMIT")
	}
	load(first)
	for range waiting {
		load(<-others)
	}
	c.want(t, "SELECT count(*) FROM "+x.table, "1")
	c.want(t, "SELECT count(*) FROM "+ledger, "1")
}

func testTwice(t *testing.T, x test, c connection) {
	t.Helper()
	m := x.stage(t, "1|a|\n")
	c.run(t, x.copy(m, ""))
	c.run(t, x.copy(m, ""))
	c.want(t, "SELECT count(*) FROM "+x.table, "2")
}

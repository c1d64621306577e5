package warehousetest

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// sqlRows are about statements and transactions.
func sqlRows() []row {
	return []row{
		{"rows come back as they were inserted", testInsert},
		{"what is rolled back is gone", testRollback},
		{"what is not committed is not seen", testUncommitted},
		{"a statement that fails ends its transaction", testFailed},
		{"statements of one query are one transaction", testOneQuery},
		{"a transaction sees what was there at its first SELECT", testSnapshot},
		{"LOCK needs a transaction", testLockAlone},
		{"LOCK takes no snapshot", testLockFirst},
		{"a SELECT before LOCK hides what the lock was waited for, and the ledger doubles", testSelectFirst},
		{"who waits for a lock goes on when its holder's connection is lost", testHolderLost},
		{"two that wait for each other do not wait for ever", testDeadlock},
		{"a row that two transactions delete fails one of them", testConflict},
		{"a table that is not there is 42P01, a column 42703", testMissing},
		{"a syntax error is 42601", testSyntax},
		{"a guard fails by division by zero", testGuard},
		{"a statement can be cancelled", testCancel},
		{"what a connection did not commit is gone with it", testLostConnection},
		{"a statement ends at its timeout", testTimeout},
		{"transactions begin and end by their other words", testWords},
		{"what clients ask of a session is answered", testSession},
		{"expressions have the values of SQL", testExpressions},
		{"a password that is wrong is refused", testPassword},
		{"tables are made as Redshift has them made", testCreate},
		{"values that a column does not take are refused", testValues},
	}
}

func testInsert(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "INSERT INTO "+x.table+" (id, name) VALUES (2, 'it''s'), (1, NULL)")
	c.run(t, "INSERT INTO "+x.table+" VALUES (3, 'ö', '2016-02-25 13:00:00.25')")
	c.want(t, "SELECT id, name, at FROM "+x.table+" ORDER BY id",
		"1|"+null+"|"+null, "2|it's|"+null, "3|ö|2016-02-25 13:00:00.25")
	c.want(t, "SELECT count(*) FROM "+x.table+" WHERE id IN (1, 3)", "2")
	c.want(t, "SELECT id FROM "+x.table+" WHERE name = 'ö'", "3")
	c.want(t, "SELECT id FROM "+x.table+" WHERE name IS NOT NULL AND NOT id = 3 OR id > 7", "2")
	c.want(t, "SELECT id FROM "+x.table+" WHERE false")
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id DESC LIMIT 1", "3")
	c.run(t, "DELETE FROM "+x.table+" WHERE id IN (1, 2)")
	c.want(t, "SELECT id FROM "+x.table, "3")
}

func testRollback(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "BEGIN")
	c.run(t, "INSERT INTO "+x.table+" (id) VALUES (1)")
	c.want(t, "SELECT id FROM "+x.table, "1")
	c.run(t, "ROLLBACK")
	c.want(t, "SELECT id FROM "+x.table)
	c.run(t, "INSERT INTO "+x.table+" (id) VALUES (2)")
	c.run(t, "BEGIN; DELETE FROM "+x.table+"; ABORT")
	c.want(t, "SELECT id FROM "+x.table, "2")
}

func testUncommitted(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "BEGIN; INSERT INTO "+x.table+" (id) VALUES (1)")
	other.want(t, "SELECT id FROM "+x.table)
	c.run(t, "END")
	other.want(t, "SELECT id FROM "+x.table, "1")
}

func testFailed(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "BEGIN; INSERT INTO "+x.table+" (id) VALUES (1)")
	c.refused(t, "SELECT id FROM "+x.table+"_none", "42P01", "does not exist")
	if status := c.TxStatus(); status != 'E' {
		t.Errorf("the transaction's status is %c, want E", status)
	}
	c.refused(t, "SELECT id FROM "+x.table, "25P02", "current transaction is aborted")
	c.run(t, "COMMIT") // which is a ROLLBACK
	if status := c.TxStatus(); status != 'I' {
		t.Errorf("the transaction's status is %c, want I", status)
	}
	c.want(t, "SELECT id FROM "+x.table)
}

func testOneQuery(t *testing.T, x test, c connection) {
	t.Helper()
	c.refused(t, "INSERT INTO "+x.table+" (id) VALUES (1); INSERT INTO "+x.table+" (id) VALUES (NULL)", "23502", "null value in column")
	c.want(t, "SELECT id FROM "+x.table)
	c.run(t, "INSERT INTO "+x.table+" (id) VALUES (1); INSERT INTO "+x.table+" (id) VALUES (2)")
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id", "1", "2")
	c.want(t, "")
}

func testSnapshot(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "BEGIN")
	other.run(t, "INSERT INTO "+x.table+" (id) VALUES (1)")
	c.want(t, "SELECT id FROM "+x.table, "1") // not at BEGIN
	other.run(t, "INSERT INTO "+x.table+" (id) VALUES (2)")
	c.want(t, "SELECT id FROM "+x.table, "1")
	c.run(t, "COMMIT")
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id", "1", "2")
}

func testLockAlone(t *testing.T, x test, c connection) {
	t.Helper()
	c.refused(t, "LOCK "+x.table, "25P01", "LOCK TABLE can only be used in transaction blocks")
}

func testLockFirst(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "BEGIN; LOCK "+x.table+"; INSERT INTO "+x.table+" (id) VALUES (1)")
	other.run(t, "BEGIN")
	locked := other.start(t, "LOCK TABLE "+x.table)
	x.untilWaiting(t, x.table)
	c.run(t, "COMMIT")
	if err := locked(); err != nil {
		t.Fatalf("LOCK: %v", err)
	}
	other.want(t, "SELECT id FROM "+x.table, "1")
	other.run(t, "COMMIT")
}

// testSelectFirst has a loader ask something else before it locks the ledger.
func testSelectFirst(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	object := "INSERT INTO " + x.table + " (id, name) VALUES (1, 'object')"
	c.run(t, "BEGIN; LOCK "+x.table)
	other.run(t, "BEGIN")
	other.want(t, "SELECT 1", "1")
	locked := other.start(t, "LOCK "+x.table)
	x.untilWaiting(t, x.table)
	c.run(t, object+"; COMMIT")
	if err := locked(); err != nil {
		t.Fatalf("LOCK: %v", err)
	}
	other.want(t, "SELECT id FROM "+x.table+" WHERE name IN ('object')") // it is there
	other.run(t, object+"; COMMIT")
	c.want(t, "SELECT count(*) FROM "+x.table, "2")
}

func testHolderLost(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "BEGIN; LOCK "+x.table+"; INSERT INTO "+x.table+" (id) VALUES (1)")
	other.run(t, "BEGIN")
	locked := other.start(t, "LOCK "+x.table)
	x.untilWaiting(t, x.table)
	if err := c.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	if err := locked(); err != nil {
		t.Fatalf("LOCK: %v", err)
	}
	other.want(t, "SELECT id FROM "+x.table)
	other.run(t, "COMMIT")
}

func testDeadlock(t *testing.T, x test, c connection) {
	t.Helper()
	c.run(t, "CREATE TABLE "+x.table+"_b (id bigint)")
	other := x.connect(t)
	c.run(t, "BEGIN; LOCK "+x.table)
	other.run(t, "BEGIN; LOCK "+x.table+"_b")
	first := c.start(t, "LOCK "+x.table+"_b")
	x.untilWaiting(t, x.table+"_b")
	_, err := other.try(t, "LOCK "+x.table)
	if err != nil {
		wantError(t, "the second LOCK", err, "40P01", "deadlock detected")
		if err = first(); err != nil {
			t.Errorf("the first LOCK: %v", err)
		}
		return
	}
	wantError(t, "the first LOCK", first(), "40P01", "deadlock detected")
}

func testConflict(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "INSERT INTO "+x.table+" (id) VALUES (1)")
	other.run(t, "BEGIN")
	other.want(t, "SELECT id FROM "+x.table, "1")
	c.run(t, "DELETE FROM "+x.table+" WHERE id = 1")
	other.refused(t, "DELETE FROM "+x.table+" WHERE id = 1", "40001", "")
	other.run(t, "ROLLBACK")
}

func testMissing(t *testing.T, x test, c connection) {
	t.Helper()
	c.refused(t, "SELECT id FROM "+x.table+"_none", "42P01", x.table+"_none")
	c.refused(t, "BEGIN; LOCK "+x.table+"_none", "42P01", x.table+"_none")
	c.run(t, "ROLLBACK")
	c.refused(t, "INSERT INTO "+x.table+"_none VALUES (1)", "42P01", x.table+"_none")
	c.refused(t, "SELECT id, nothing FROM "+x.table+" WHERE false", "42703", "nothing")
	c.refused(t, "INSERT INTO "+x.table+" (nothing) VALUES (1)", "42703", "nothing")
	c.refused(t, "DELETE FROM "+x.table+" WHERE nothing = 1", "42703", "nothing")
	c.refused(t, "SELECT id, count(*) FROM "+x.table, "42803", "GROUP BY")
	c.refused(t, "SELECT id FROM "+x.table+" WHERE count(*) = 0", "42803", "aggregate")
	c.refused(t, "SELECT nothing", "42703", "nothing")
	c.refused(t, "SELECT nothing('x')", "42883", "nothing")
	c.refused(t, "SELECT id FROM nowhere."+x.table, map[bool]string{true: "42P01", false: "3F000"}[x.PostgreSQL], "nowhere")
}

func testSyntax(t *testing.T, x test, c connection) {
	t.Helper()
	for _, sql := range []string{
		"SELEKT 1", "SELECT id FROM", "INSERT " + x.table + " VALUES (1)", "SELECT (1", "SELECT 'a", "SELECT id FROM " + x.table + " WHERE",
		"INSERT INTO " + x.table + " (id, name) VALUES (1, 'a', 'b')", "INSERT INTO " + x.table + " (id, name) VALUES (1)", "LOCK", "COPY",
		"SELECT id FROM " + x.table + " ORDER id", "SELECT CASE WHEN true THEN 1",
	} {
		c.refused(t, sql, "42601", "")
	}
}

func testGuard(t *testing.T, x test, c connection) {
	t.Helper()
	guard := "SELECT 1/(CASE WHEN COUNT(*)=0 THEN 1 ELSE 0 END) FROM " + x.table + " WHERE name IN ('a', 'b')"
	c.want(t, guard, "1")
	c.run(t, "INSERT INTO "+x.table+" (id, name) VALUES (1, 'b')")
	c.refused(t, guard, "22012", "division by zero")
}

func testCancel(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "BEGIN; LOCK "+x.table)
	other.run(t, "BEGIN")
	locked := other.start(t, "LOCK "+x.table)
	x.untilWaiting(t, x.table)
	if err := other.CancelRequest(within(t)); err != nil {
		t.Fatalf("asking for cancellation: %v", err)
	}
	wantError(t, "LOCK", locked(), "57014", "")
	c.run(t, "COMMIT")
	other.run(t, "ROLLBACK")
	other.want(t, "SELECT 1", "1")
}

func testLostConnection(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	other.run(t, "BEGIN; LOCK "+x.table+"; INSERT INTO "+x.table+" (id) VALUES (1)")
	if err := other.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	c.run(t, "BEGIN; LOCK "+x.table) // once it is known to be lost
	c.want(t, "SELECT id FROM "+x.table)
	c.run(t, "COMMIT")
}

func testPassword(t *testing.T, x test, _ connection) {
	t.Helper()
	config := x.Config.Copy()
	config.Password += "x"
	_, err := pgconn.ConnectConfig(within(t), config)
	wantError(t, "connecting", err, "28000", `password authentication failed for user "`+config.User+`"`)
	config = x.Config.Copy()
	config.Database = "nowhere"
	_, err = pgconn.ConnectConfig(within(t), config)
	wantError(t, "connecting", err, "3D000", `database "nowhere" does not exist`)
}

func testValues(t *testing.T, x test, c connection) {
	t.Helper()
	c.refused(t, "INSERT INTO "+x.table+" (id) VALUES (NULL)", "23502", "not-null constraint")
	c.refused(t, "INSERT INTO "+x.table+" (id) VALUES ('a')", "22P02", "")
	c.refused(t, "INSERT INTO "+x.table+" (id) VALUES ('9223372036854775808')", "22003", "")
	c.refused(t, "INSERT INTO "+x.table+" (id, name) VALUES (1, 'nine char')", "22001", "too long")
	c.refused(t, "INSERT INTO "+x.table+" (id, at) VALUES (1, 'noon')", "22007", "")
}

func testCreate(t *testing.T, x test, c connection) {
	t.Helper()
	name := x.table + "_w"
	create := "CREATE TABLE IF NOT EXISTS " + name + ` (a integer NOT NULL ENCODE az64, b double precision, c character varying(10) DEFAULT 'x',
		d varchar(max), e timestamp with time zone, f numeric(10,2), g super) DISTSTYLE KEY DISTKEY (a) COMPOUND SORTKEY (a, b) BACKUP NO`
	c.run(t, create)
	c.run(t, create)
	c.run(t, "INSERT INTO "+name+" (a, e, f) VALUES (1, '2016-02-25 13:00:00+01', 1.005)")
	c.want(t, "SELECT a, b, c, d, e, f, g FROM "+name, "1|"+null+"|x|"+null+"|2016-02-25 12:00:00+00|1.01|"+null)
	c.refused(t, "CREATE TABLE "+name+" (a int)", "42P07", "already exists")
	c.run(t, "DROP TABLE "+name)
	c.refused(t, "SELECT a FROM "+name, "42P01", name)
	c.run(t, "DROP TABLE IF EXISTS "+name)
	c.run(t, "BEGIN; CREATE TABLE "+name+" (a int); ROLLBACK")
	c.refused(t, "SELECT a FROM "+name, "42P01", name)
}

func testTimeout(t *testing.T, x test, c connection) {
	t.Helper()
	other := x.connect(t)
	c.run(t, "BEGIN; LOCK "+x.table)
	other.run(t, "SET statement_timeout TO 50")
	other.run(t, "BEGIN")
	other.refused(t, "LOCK "+x.table, "57014", "statement timeout")
	other.run(t, "ROLLBACK; SET statement_timeout = 0")
	c.run(t, "COMMIT")
	other.run(t, "BEGIN; LOCK "+x.table+"; COMMIT")
}

func testWords(t *testing.T, x test, c connection) {
	t.Helper()
	for _, begin := range []string{"START TRANSACTION", "begin work", "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE", "BEGIN READ WRITE"} {
		for _, end := range []string{"END", "COMMIT WORK", "commit transaction"} {
			c.run(t, begin+"; INSERT INTO "+x.table+" (id) VALUES (1); "+end)
		}
		c.run(t, begin+"; DELETE FROM "+x.table)
		c.run(t, "ABORT")
	}
	c.want(t, "SELECT count(*) FROM "+x.table, "12")
	c.run(t, "COMMIT") // of none
	c.run(t, "ROLLBACK")
}

func testSession(t *testing.T, x test, c connection) {
	t.Helper()
	if !x.PostgreSQL { // whose user and database are others
		c.want(t, "SELECT current_user, current_database()", x.Config.User+"|"+x.Config.Database)
	}
	c.want(t, "SELECT version() LIKE 'PostgreSQL %', pg_backend_pid() > 0, GETDATE() IS NULL, SYSDATE IS NULL", "t|t|f|f")
	c.want(t, "SELECT pg_last_copy_count(), pg_last_copy_id()", "0|-1")
	c.run(t, "SET search_path TO public; SET client_encoding TO 'UTF8'; SET extra_float_digits = 2")
	c.refused(t, "SET nothing TO 1", "42704", "nothing")
	c.refused(t, "SHOW nothing", "42704", "nothing")
	c.want(t, "SHOW standard_conforming_strings", "on")
}

func testExpressions(t *testing.T, _ test, c connection) {
	t.Helper()
	for _, row := range []struct{ expression, want string }{
		{"1 + 2 * 3 - -4", "11"},
		{"7 / 2", "3"},
		{"-7 % 3", "-1"},
		{"(1 + 2) * 3", "9"},
		{"'a' || 'b'", "ab"},
		{"1 < 2 AND NOT 2 <> 2", "t"},
		{"NULL = 1", null},
		{"NULL IS NULL", "t"},
		{"false AND NULL", "f"},
		{"true OR NULL", "t"},
		{"true AND NULL", null},
		{"1 IN (2, NULL)", null},
		{"1 IN (1, NULL)", "t"},
		{"1 NOT IN (2, 3)", "t"},
		{"'ab' LIKE '_b%'", "t"},
		{"'ab' NOT LIKE 'b%'", "t"},
		{"CASE WHEN false THEN 1 WHEN NULL THEN 2 END", null},
		{"CASE WHEN 1 = 1 THEN 'x' ELSE 'y' END", "x"},
		{"CAST('12' AS integer) + 1", "13"},
		{"'2016-02-25'::date", "2016-02-25"},
		{"coalesce(NULL, 'z')", "z"},
		{"upper(trim(' a '))", "A"},
		{"length('öl')", "2"},
		{"count(*)", "1"},
		{"1 >= 1 /* one */ -- and the end", "t"},
	} {
		c.want(t, "SELECT "+row.expression, row.want)
	}
}

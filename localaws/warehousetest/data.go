package warehousetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/aws/smithy-go"
)

// dataRows are about the Redshift Data API.
func dataRows() []row {
	return []row{
		{"a statement is run, and its rows are read page by page", testDataPages},
		{"values have their types", testDataTypes},
		{"a batch is one transaction", testDataBatch},
		{"what fails in a batch is told by its place, and nothing is left of it", testDataBatchFails},
		{"statements with a token are run once", testDataToken},
		{"a statement that waits can be cancelled", testDataCancel},
		{"why a COPY failed is found by the id of its query", testDataReasons},
		{"parameters stand where they are named", testDataParameters},
		{"requests that cannot be are refused", testDataRefused},
	}
}

// data is the Data API to a test.
type data struct {
	*redshiftdata.Client
	x test
}

func (d data) execute(t *testing.T, sql string) string {
	t.Helper()
	out, err := d.ExecuteStatement(within(t), &redshiftdata.ExecuteStatementInput{
		Sql: &sql, Database: &d.x.Config.Database, ClusterIdentifier: aws.String("local"),
	})
	if err != nil {
		t.Fatalf("%s: %v", shortened(sql), err)
	}
	return *out.Id
}

func (d data) batch(t *testing.T, token string, sqls ...string) string {
	t.Helper()
	in := &redshiftdata.BatchExecuteStatementInput{Sqls: sqls, Database: &d.x.Config.Database, WorkgroupName: aws.String("local")}
	if token != "" {
		in.ClientToken = &token
	}
	out, err := d.BatchExecuteStatement(within(t), in)
	if err != nil {
		t.Fatalf("the batch: %v", err)
	}
	return *out.Id
}

// ended waits until statements have ended.
func (d data) ended(t *testing.T, id string) *redshiftdata.DescribeStatementOutput {
	t.Helper()
	for ctx := within(t); ; {
		out, err := d.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &id})
		if err != nil {
			t.Fatalf("describing: %v", err)
		}
		switch out.Status {
		case types.StatusStringFinished, types.StatusStringFailed, types.StatusStringAborted:
			return out
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

func (d data) wantStatus(t *testing.T, id string, want types.StatusString, text string) *redshiftdata.DescribeStatementOutput {
	t.Helper()
	out := d.ended(t, id)
	if out.Status != want || !strings.Contains(aws.ToString(out.Error), text) {
		t.Errorf("the statement is %s, %q; want %s, …%s…", out.Status, aws.ToString(out.Error), want, text)
	}
	return out
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	told, ok := errors.AsType[smithy.APIError](err)
	if !ok || told.ErrorCode() != code {
		t.Errorf("%s: the error is %v, want %s", what, err, code)
	}
}

func testDataPages(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	const count = 2_001
	var values []string
	for i := range count {
		values = append(values, fmt.Sprintf("(%d)", i))
	}
	c.run(t, "INSERT INTO "+x.table+" (id) VALUES "+strings.Join(values, ","))
	id := d.execute(t, "SELECT id FROM "+x.table+" ORDER BY id")
	out := d.wantStatus(t, id, types.StatusStringFinished, "")
	if !aws.ToBool(out.HasResultSet) || out.ResultRows != count {
		t.Errorf("the statement has a result: %t, of %d rows; want %d", aws.ToBool(out.HasResultSet), out.ResultRows, count)
	}
	next := int64(0)
	pages := redshiftdata.NewGetStatementResultPaginator(d.Client, &redshiftdata.GetStatementResultInput{Id: &id})
	turned := 0
	for ; pages.HasMorePages(); turned++ {
		page, err := pages.NextPage(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page.Records {
			if v, ok := record[0].(*types.FieldMemberLongValue); !ok || v.Value != next {
				t.Fatalf("row %d is %v", next, record[0])
			}
			next++
		}
	}
	if next != count || turned < 2 {
		t.Errorf("there are %d rows in %d pages, want %d in several", next, turned, count)
	}
}

func testDataTypes(t *testing.T, x test, _ connection) {
	t.Helper()
	d := data{x.Data, x}
	id := d.execute(t, "SELECT 7::int AS a, 2.5::double precision AS b, true AS c, 'x'::varchar(4) AS d, NULL::varchar(4) AS e")
	d.wantStatus(t, id, types.StatusStringFinished, "")
	out, err := d.GetStatementResult(within(t), &redshiftdata.GetStatementResultInput{Id: &id})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, f := range out.Records[0] {
		got = append(got, fmt.Sprintf("%s %s %T", *out.ColumnMetadata[i].Name, *out.ColumnMetadata[i].TypeName, f))
	}
	want := "a int4 *types.FieldMemberLongValue, b float8 *types.FieldMemberDoubleValue, c bool *types.FieldMemberBooleanValue, " +
		"d varchar *types.FieldMemberStringValue, e varchar *types.FieldMemberIsNull"
	if strings.Join(got, ", ") != want {
		t.Errorf("the fields are %v, want %s", got, want)
	}
}

func testDataBatch(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	m := x.stage(t, "1|a|\n")
	id := d.batch(t, "", "LOCK TABLE "+x.table, x.copy(m, ""), "SELECT count(*) FROM "+x.table, "INSERT INTO "+x.table+" (id) VALUES (2)")
	out := d.wantStatus(t, id, types.StatusStringFinished, "")
	for i, s := range out.SubStatements {
		if s.Status != types.StatementStatusStringFinished || *s.Id != fmt.Sprintf("%s:%d", id, i+1) {
			t.Errorf("statement %d is %s, %s", i+1, *s.Id, s.Status)
		}
	}
	if len(out.SubStatements) != 4 {
		t.Errorf("there are %d statements, want 4", len(out.SubStatements))
	}
	c.want(t, "SELECT id FROM "+x.table+" ORDER BY id", "1", "2")
	found, err := d.GetStatementResult(within(t), &redshiftdata.GetStatementResultInput{Id: out.SubStatements[2].Id})
	if err != nil || found.TotalNumRows != 1 {
		t.Errorf("the result of the third statement: %v", err)
	}
}

func testDataBatchFails(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	m := x.stage(t, "1|a|\n")
	c.run(t, "INSERT INTO "+x.table+" (id) VALUES (7)")
	id := d.batch(t, "", "INSERT INTO "+x.table+" (id) VALUES (8)",
		"SELECT 1/(CASE WHEN COUNT(*)=0 THEN 1 ELSE 0 END) FROM "+x.table+" WHERE id IN (7)", x.copy(m, ""))
	out := d.wantStatus(t, id, types.StatusStringFailed, "division by zero")
	var got []string
	for _, s := range out.SubStatements {
		got = append(got, string(s.Status)+" "+aws.ToString(s.Error))
	}
	if want := "FINISHED , FAILED ERROR: division by zero, ABORTED "; strings.Join(got, ", ") != want {
		t.Errorf("the statements are %q, want %q", strings.Join(got, ", "), want)
	}
	c.want(t, "SELECT id FROM "+x.table, "7")
}

func testDataToken(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	token := random()
	insert := "INSERT INTO " + x.table + " (id) VALUES (1)"
	first, second := d.batch(t, token, insert), d.batch(t, token, insert)
	if first != second {
		t.Errorf("the ids are %s and %s, want one", first, second)
	}
	d.wantStatus(t, first, types.StatusStringFinished, "")
	if third := d.batch(t, token, insert); third != first {
		t.Errorf("the ids are %s and %s, want one", first, third)
	}
	c.want(t, "SELECT count(*) FROM "+x.table, "1")
	_, err := d.BatchExecuteStatement(within(t), &redshiftdata.BatchExecuteStatementInput{
		Sqls: []string{"SELECT 1"}, Database: &x.Config.Database, WorkgroupName: aws.String("local"), ClientToken: &token,
	})
	wantCode(t, "the token for another statement", err, "ValidationException")
	d.wantStatus(t, d.batch(t, random(), insert), types.StatusStringFinished, "")
	c.want(t, "SELECT count(*) FROM "+x.table, "2")
}

func testDataCancel(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	c.run(t, "BEGIN; LOCK "+x.table)
	id := d.batch(t, "", "LOCK "+x.table, "INSERT INTO "+x.table+" (id) VALUES (1)")
	x.untilWaiting(t, x.table)
	out, err := d.CancelStatement(within(t), &redshiftdata.CancelStatementInput{Id: &id})
	if err != nil || !aws.ToBool(out.Status) {
		t.Errorf("cancelling: %v", err)
	}
	d.wantStatus(t, id, types.StatusStringAborted, "")
	c.run(t, "COMMIT")
	c.want(t, "SELECT id FROM "+x.table)
	_, err = d.CancelStatement(within(t), &redshiftdata.CancelStatementInput{Id: &id})
	wantCode(t, "cancelling what has ended", err, "ValidationException")
}

func testDataReasons(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	id := d.batch(t, "", "LOCK "+x.table, x.copy(x.stage(t, "x|a|\n"), ""))
	out := d.wantStatus(t, id, types.StatusStringFailed, "Check 'stl_load_errors' system table for details.")
	c.want(t, fmt.Sprintf("SELECT TRIM(column_name), error_code FROM sys_load_error_detail WHERE query_id = %d", out.SubStatements[1].RedshiftQueryId), "id|1207")
}

func testDataParameters(t *testing.T, x test, c connection) {
	t.Helper()
	d := data{x.Data, x}
	out, err := d.ExecuteStatement(within(t), &redshiftdata.ExecuteStatementInput{
		Sql: aws.String("INSERT INTO " + x.table + " (id, name) VALUES (:id, :name)"), Database: &x.Config.Database, ClusterIdentifier: aws.String("local"),
		Parameters: []types.SqlParameter{{Name: aws.String("id"), Value: aws.String("1")}, {Name: aws.String("name"), Value: aws.String("it's")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.wantStatus(t, *out.Id, types.StatusStringFinished, "")
	c.want(t, "SELECT id, name FROM "+x.table, "1|it's")
}

func testDataRefused(t *testing.T, x test, _ connection) {
	t.Helper()
	d := data{x.Data, x}
	one, name := aws.String("SELECT 1"), aws.String("local")
	for _, in := range []*redshiftdata.ExecuteStatementInput{
		{Sql: one, Database: &x.Config.Database},
		{Sql: one, ClusterIdentifier: name},
		{Sql: one, Database: &x.Config.Database, ClusterIdentifier: name, WorkgroupName: name},
		{Sql: one, Database: &x.Config.Database, WorkgroupName: name, DbUser: name},
		{Sql: aws.String(strings.Repeat(" ", 100_001)), Database: &x.Config.Database, ClusterIdentifier: name},
	} {
		_, err := d.ExecuteStatement(within(t), in)
		wantCode(t, "a request", err, "ValidationException")
	}
	_, err := d.BatchExecuteStatement(within(t), &redshiftdata.BatchExecuteStatementInput{
		Sqls: make([]string, 41), Database: &x.Config.Database, ClusterIdentifier: name,
	})
	wantCode(t, "a batch of 41", err, "ValidationException")
	_, err = d.DescribeStatement(within(t), &redshiftdata.DescribeStatementInput{Id: aws.String("nothing")})
	wantCode(t, "an id that there is not", err, "ResourceNotFoundException")
	id := d.execute(t, "DELETE FROM "+x.table)
	d.ended(t, id)
	_, err = d.GetStatementResult(within(t), &redshiftdata.GetStatementResultInput{Id: &id})
	wantCode(t, "what has no rows", err, "ResourceNotFoundException")
	d.wantStatus(t, d.execute(t, "SELECT 1; SELECT 2"), types.StatusStringFailed, "cannot insert multiple commands")
	out, err := d.ExecuteStatement(within(t), &redshiftdata.ExecuteStatementInput{Sql: one, Database: name, ClusterIdentifier: name})
	if err != nil {
		t.Fatal(err)
	}
	d.wantStatus(t, *out.Id, types.StatusStringFailed, `database "local" does not exist`)
}

package dynamodbtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func (f *fixture) transact(items ...types.TransactWriteItem) error {
	_, err := f.client.TransactWriteItems(f.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return err
}

func (f *fixture) putting(row, condition string) types.TransactWriteItem {
	f.Helper()
	return types.TransactWriteItem{Put: &types.Put{
		TableName: f.table, Item: parse(f.T, row), ConditionExpression: text(condition),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

func (f *fixture) updating(key, update, condition, values string) types.TransactWriteItem {
	f.Helper()
	return types.TransactWriteItem{Update: &types.Update{
		TableName: f.table, Key: parse(f.T, key), UpdateExpression: &update, ConditionExpression: text(condition),
		ExpressionAttributeValues: parse(f.T, values),
	}}
}

func (f *fixture) deleting(key, condition string) types.TransactWriteItem {
	f.Helper()
	return types.TransactWriteItem{Delete: &types.Delete{TableName: f.table, Key: parse(f.T, key), ConditionExpression: text(condition)}}
}

func (f *fixture) checking(key, condition string) types.TransactWriteItem {
	f.Helper()
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: f.table, Key: parse(f.T, key), ConditionExpression: text(condition),
	}}
}

const (
	keyA = `{"leaseKey":{"S":"a"}}`
	keyB = `{"leaseKey":{"S":"b"}}`
	keyC = `{"leaseKey":{"S":"c"}}`
	keyD = `{"leaseKey":{"S":"d"}}`
	rowA = `{"leaseKey":{"S":"a"},"n":{"N":"1"}}`
)

func testTransactions(s *suite) {
	t, client := s.T, s.client
	f, other := leases(t, client), leases(t, client)
	f.put(rowA)
	f.put(keyB)
	f.put(keyC)
	err := f.transact(
		f.updating(keyA, "SET n = n + :v", "n = :v", `{":v":{"N":"1"}}`),
		f.deleting(keyB, "attribute_exists(leaseKey)"),
		f.checking(keyC, "attribute_exists(leaseKey)"),
		f.putting(keyD, "attribute_not_exists(leaseKey)"),
		other.putting(keyA, ""),
	)
	wantCode(t, err, "", "")
	f.wantRow(keyA, `{"leaseKey":{"S":"a"},"n":{"N":"2"}}`)
	f.wantRow(keyB, "")
	f.wantRow(keyC, keyC)
	f.wantRow(keyD, keyD)
	other.wantRow(keyA, keyA)
}

// wantReasons asserts a cancellation and its reasons, each as its code and the
// row it carries.
func wantReasons(t *testing.T, err error, want ...string) {
	t.Helper()
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Errorf("got %v, want %s", err, cancelled)
		return
	}
	var got []string
	for _, r := range e.CancellationReasons {
		reason := aws.ToString(r.Code)
		if r.Item != nil {
			reason += " " + show(r.Item)
		}
		got = append(got, reason)
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("reasons are %q, want %q", got, want)
	}
	if list := fmt.Sprintf("[%s]", strings.Join(codes(want), ", ")); !strings.Contains(e.ErrorMessage(), list) {
		t.Errorf("message %q has no %s", e.ErrorMessage(), list)
	}
}

func codes(reasons []string) []string {
	var codes []string
	for _, r := range reasons {
		code, _, _ := strings.Cut(r, " ")
		codes = append(codes, code)
	}
	return codes
}

func testTransactionReasons(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(rowA)
	wantReasons(t, f.transact(
		f.putting(keyB, ""),
		f.putting(keyA, "attribute_not_exists(leaseKey)"),
	), "None", "ConditionalCheckFailed "+show(parse(t, rowA)))
	wantReasons(t, f.transact(
		f.checking(keyC, "attribute_exists(leaseKey)"),
		f.deleting(keyA, ""),
		f.updating(keyB, "SET n = :v", "attribute_exists(n)", `{":v":{"N":"1"}}`),
	), "ConditionalCheckFailed", "None", "ConditionalCheckFailed")
	wantReasons(t, f.transact(
		f.putting(keyB, "attribute_exists(leaseKey)"),
	), "ConditionalCheckFailed")
	f.wantRow(keyA, rowA)
	f.wantRow(keyB, "")
}

// testTransactionSize has rows that are allowed one by one, but not together.
func testTransactionSize(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	var puts []types.TransactWriteItem
	var gets []types.TransactGetItem
	for i := range 11 {
		key := map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: strconv.Itoa(i)}}
		row := map[string]types.AttributeValue{"leaseKey": key["leaseKey"], "large": &types.AttributeValueMemberB{Value: make([]byte, 390<<10)}}
		puts = append(puts, types.TransactWriteItem{Put: &types.Put{TableName: f.table, Item: row}})
		gets = append(gets, types.TransactGetItem{Get: &types.Get{TableName: f.table, Key: key}})
	}
	if err := f.transact(puts...); code(err) != validation {
		t.Errorf("putting 4.2 MB: got %v, want %s", err, validation)
	}
	f.wantRow(`{"leaseKey":{"S":"0"}}`, "")
	for _, half := range [][]types.TransactWriteItem{puts[:6], puts[6:]} {
		if err := f.transact(half...); err != nil {
			t.Fatalf("putting half of it: %v", err)
		}
	}
	_, err := client.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: gets[:10]})
	if err != nil {
		t.Errorf("getting 3.9 MB: %v", err)
	}
}

func testTransactionToken(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(rowA)
	add := func(token, n string) error {
		_, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: &token, TransactItems: []types.TransactWriteItem{
				f.updating(keyA, "SET n = n + :v", "", `{":v":{"N":"`+n+`"}}`),
			},
		})
		return err
	}
	first, second := *tableName(), *tableName()
	wantCode(t, add(first, "1"), "", "")
	wantCode(t, add(first, "1"), "", "")
	f.wantRow(keyA, `{"leaseKey":{"S":"a"},"n":{"N":"2"}}`)
	wantCode(t, add(first, "2"), "IdempotentParameterMismatchException", "")
	wantCode(t, add(second, "1"), "", "")
	f.wantRow(keyA, `{"leaseKey":{"S":"a"},"n":{"N":"3"}}`)
}

func testTransactionsRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(rowA)
	both := f.putting(keyB, "")
	both.Delete = f.deleting(keyB, "").Delete
	hundredOne := make([]types.TransactWriteItem, 101)
	for i := range hundredOne {
		hundredOne[i] = f.putting(fmt.Sprintf(`{"leaseKey":{"S":"%d"}}`, i), "")
	}
	for name, items := range map[string][]types.TransactWriteItem{
		"no action":              {},
		"an empty action":        {{}},
		"two actions in one":     {both},
		"two actions on one row": {f.putting(keyB, ""), f.deleting(keyB, "")},
		"a check of a written":   {f.putting(keyB, ""), f.checking(keyB, "attribute_not_exists(n)")},
		"a bad expression":       {f.putting(keyB, ""), f.checking(keyA, "n =")},
		"more than 100 actions":  hundredOne,
	} {
		if err := f.transact(items...); code(err) != validation {
			t.Errorf("%s: got %v, want %s", name, err, validation)
		}
	}
	f.wantRow(keyA, rowA)
	f.wantRow(keyB, "")
}

func testTransactionalReads(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(rowA)
	out, err := client.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: f.table, Key: parse(t, keyB)}},
		{Get: &types.Get{TableName: f.table, Key: parse(t, keyA), ProjectionExpression: aws.String("n")}},
	}})
	if err != nil || len(out.Responses) != 2 || out.Responses[0].Item != nil || show(out.Responses[1].Item) != "{n=N:1}" {
		t.Errorf("got %+v, %v", out, err)
	}
	_, err = client.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: tableName(), Key: parse(t, keyA)}},
	}})
	wantCode(t, err, notFound, "")
	_, err = client.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: f.table, Key: parse(t, keyA)}},
		{Get: &types.Get{TableName: f.table, Key: parse(t, keyA), ProjectionExpression: aws.String("n")}},
	}})
	wantCode(t, err, validation, "")
}

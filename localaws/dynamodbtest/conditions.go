package dynamodbtest

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// conditionRow is the row that conditions are tried on.
const conditionRow = `{"leaseKey":{"S":"a"}, "n":{"N":"5"}, "s":{"S":"héllo"}, "b":{"B":"AAEC"}, "t":{"BOOL":true}, "z":{"NULL":true},
	"l":{"L":[{"S":"x"},{"N":"2"},{"L":[{"S":"deep"}]}]}, "m":{"M":{"k":{"S":"v"},"c":{"N":"7"}}},
	"ss":{"SS":["a","b"]}, "ns":{"NS":["1","2.50"]}, "bs":{"BS":["AA=="]}, "five":{"N":"5.0"}}`

// holds says whether a condition holds for the row with the lease key a, or
// gives the error.
func (f *fixture) holds(condition, values string) (bool, error) {
	f.Helper()
	_, err := f.client.TransactWriteItems(f.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{{ConditionCheck: &types.ConditionCheck{
			TableName: f.table, Key: parse(f.T, `{"leaseKey":{"S":"a"}}`),
			ConditionExpression: aws.String(condition), ExpressionAttributeValues: parse(f.T, values),
		}}},
	})
	if e, ok := errors.AsType[*types.TransactionCanceledException](err); ok && *e.CancellationReasons[0].Code == "ConditionalCheckFailed" {
		return false, nil
	}
	return err == nil, err
}

func (f *fixture) wantHolds(condition, values string, want bool) {
	f.Helper()
	got, err := f.holds(condition, values)
	if err != nil || got != want {
		f.Errorf("%s with %s: got %v, %v, want %v", condition, values, got, err, want)
	}
}

type conditionCase struct {
	condition, values string
	want              bool
}

func conditionCases() []conditionCase {
	const one, five, six, x = `{":v":{"N":"1"}}`, `{":v":{"N":"5.00"}}`, `{":v":{"N":"6"}}`, `{":v":{"S":"x"}}`
	return []conditionCase{
		{"n = :v", five, true},
		{"n = :v", x, false},
		{"n <> :v", x, true},
		{"n <> :v", five, false},
		{"absent = :v", x, false},
		{"absent <> :v", x, true},
		{"n < :v", six, true},
		{"n < :v", five, false},
		{"n <= :v", five, true},
		{"n > :v", one, true},
		{"n >= :v", five, true},
		{"n >= :v", six, false},
		{"n > :v", x, false},
		{"absent < :v", x, false},
		{"NOT absent < :v", x, true},
		{"n < :v", `{":v":{"N":"10"}}`, true},
		{"s < :v", `{":v":{"S":"hello"}}`, false},
		{"b > :v", `{":v":{"B":"AAE="}}`, true},
		{":v = n", five, true},
		{"n = five", "", true},
		{"t = :v", `{":v":{"BOOL":true}}`, true},
		{"z = :v", `{":v":{"NULL":true}}`, true},
		{"ss = :v", `{":v":{"SS":["b","a"]}}`, true},
		{"ns = :v", `{":v":{"NS":["2.5","1.0"]}}`, true},
		{"m = :v", `{":v":{"M":{"c":{"N":"7.0"},"k":{"S":"v"}}}}`, true},
		{"l = :v", `{":v":{"L":[{"N":"2"},{"S":"x"}]}}`, false},
		{"m.k = :v", `{":v":{"S":"v"}}`, true},
		{"l[0] = :v", x, true},
		{"l[2][0] = :v", `{":v":{"S":"deep"}}`, true},
		{"l[9] = :v", x, false},
		{"n[0] = :v", x, false},
		{"m.k.q = :v", x, false},
		{"attribute_exists(n)", "", true},
		{"attribute_exists(m.k)", "", true},
		{"attribute_exists(m.q)", "", false},
		{"attribute_exists(l[3])", "", false},
		{"attribute_exists(z)", "", true},
		{"attribute_not_exists(absent)", "", true},
		{"attribute_not_exists(n)", "", false},
		{"attribute_type(n, :v)", `{":v":{"S":"N"}}`, true},
		{"attribute_type(ss, :v)", `{":v":{"S":"S"}}`, false},
		{"attribute_type(absent, :v)", `{":v":{"S":"S"}}`, false},
		{"begins_with(s, :v)", `{":v":{"S":"hé"}}`, true},
		{"begins_with(s, :v)", `{":v":{"S":"llo"}}`, false},
		{"begins_with(b, :v)", `{":v":{"B":"AAE="}}`, true},
		{"begins_with(n, :v)", x, false},
		{"begins_with(absent, :v)", x, false},
		{"contains(s, :v)", `{":v":{"S":"llo"}}`, true},
		{"contains(s, :v)", one, false},
		{"contains(ss, :v)", `{":v":{"S":"a"}}`, true},
		{"contains(ns, :v)", `{":v":{"N":"2.5"}}`, true},
		{"contains(l, :v)", `{":v":{"N":"2.0"}}`, true},
		{"contains(l, :v)", `{":v":{"S":"deep"}}`, false},
		{"contains(l[2], :v)", `{":v":{"S":"deep"}}`, true},
		{"contains(n, :v)", five, false},
		{"size(s) = :v", `{":v":{"N":"5"}}`, true},
		{"size(b) = :v", `{":v":{"N":"3"}}`, true},
		{"size(ss) = :v", `{":v":{"N":"2"}}`, true},
		{"size(l) > :v", `{":v":{"N":"2"}}`, true},
		{"size(m) = :v", `{":v":{"N":"2"}}`, true},
		{"size(n) = :v", one, false},
		{"size(absent) = :v", one, false},
		{"n BETWEEN :a AND :b", `{":a":{"N":"5"},":b":{"N":"5"}}`, true},
		{"n BETWEEN :a AND :b", `{":a":{"N":"6"},":b":{"N":"10"}}`, false},
		{"n between :a and :b AND n = :a", `{":a":{"N":"5"},":b":{"N":"6"}}`, true},
		{"NOT n BETWEEN :a AND :b", `{":a":{"N":"5"},":b":{"N":"6"}}`, false},
		{"n IN (:a, :b)", `{":a":{"S":"5"},":b":{"N":"5"}}`, true},
		{"n IN (:a)", `{":a":{"S":"5"}}`, false},
		{"absent IN (:a)", `{":a":{"S":"5"}}`, false},
		{"n = :v AND s = :v OR n = :v", five, true},
		{"n = :v AND (s = :v OR n = :v)", five, true},
		{"n = :v OR n = :v AND s = :v", five, true},
		{"(n = :v OR n = :v) AND s = :v", five, false},
		{"NOT s = :v AND n = :v", five, true},
		{"NOT (s = :v AND n = :v)", five, true},
		{"NOT n = :v OR n = :v", five, true},
		{"NOT NOT n = :v", five, true},
		{"not (attribute_exists ( n ) and n=:v)", five, false},
		{"(n) = (:v)", five, true},
	}
}

func testConditions(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(conditionRow)
	for _, c := range conditionCases() {
		f.wantHolds(c.condition, c.values, c.want)
	}
}

func testConditionsRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(conditionRow)
	const v = `{":v":{"N":"1"}}`
	for _, c := range []struct{ condition, values, message string }{
		{"", "", "The expression can not be empty"},
		{" ", "", "Syntax error"},
		{"n =", "", `Syntax error; token: "<EOF>", near: "="`},
		{"n", "", `Syntax error; token: "<EOF>", near: "n"`},
		{"n = :v = n", v, `Syntax error; token: "=", near: ":v = n"`},
		{"n ! :v", v, `Syntax error; token: "!", near: "n ! :v"`},
		{"n + :v = :v", v, `Syntax error; token: "+", near: "n + :v"`},
		{"n IN ()", "", `Syntax error; token: ")", near: "()"`},
		{"l[00] = :v", v, "Syntax error"},
		{"l[-1] = :v", v, "Syntax error"},
		{"m. = :v", v, "Syntax error"},
		{"_n = :v", v, "Syntax error"},
		{"(n = :v", v, "Syntax error"},
		{"n = :v)", v, "Syntax error"},
		{"n = :v AND", v, "Syntax error"},
		{"n AND n = :v", v, "Syntax error"},
		{"NOT n", "", "Syntax error"},
		{"SET n = :v", v, "Syntax error"},
		{"((n = :v))", v, "The expression has redundant parentheses"},
		{"n = :w", v, "An expression attribute value used in expression is not defined; attribute value: :w"},
		{"#n = :v", v, "An expression attribute name used in the document path is not defined; attribute name: #n"},
		{"n = n", "", "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [n]"},
		{"size(n) = :v AND foo(n)", v, "Invalid function name; function: foo"},
		{"ATTRIBUTE_EXISTS(n)", "", "Invalid function name; function: ATTRIBUTE_EXISTS"},
		{"if_not_exists(n, :v)", v, "The function is not allowed in a condition expression; function: if_not_exists"},
		{"contains(n)", "", "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1"},
		{"attribute_exists(:v)", v, "Operator or function requires a document path; operator or function: attribute_exists"},
		{"begins_with(s, :v)", v, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
		{"attribute_type(n, :v)", v, "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"},
		{"attribute_type(n, :v)", `{":v":{"S":"Q"}}`, "Invalid attribute type name found; type: Q"},
		{"size(:v) = :v", v, "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
		{"n < :v", `{":v":{"BOOL":true}}`, "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
		{"n BETWEEN :a AND :b", `{":a":{"N":"2"},":b":{"N":"1"}}`, "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"},
		{"n BETWEEN :a AND :b", `{":a":{"N":"2"},":b":{"S":"1"}}`, "The BETWEEN operator requires same data type for lower and upper bounds"},
		{"n = :v", `{":v":{"N":"1"},":x":{"N":"1"}}`, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:x}"},
		{"n = :v", `{":v":{"N":"1"},"x":{"N":"1"}}`, `ExpressionAttributeValues contains invalid key: Syntax error; key: "x"`},
	} {
		_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"a"}}`),
			ConditionExpression: &c.condition, ExpressionAttributeValues: parse(t, c.values),
		})
		wantCode(t, err, validation, c.message)
	}
	f.wantRow(`{"leaseKey":{"S":"a"}}`, conditionRow)
}

func testConditionsWithoutRow(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const v = `{":v":{"N":"1"}}`
	for _, c := range []conditionCase{
		{"attribute_not_exists(leaseKey)", "", true},
		{"attribute_exists(leaseKey)", "", false},
		{"leaseCounter = :v", v, false},
		{"leaseCounter <> :v", v, true},
		{"attribute_not_exists(leaseKey) OR leaseCounter = :v", v, true},
		{"NOT leaseCounter > :v", v, true},
	} {
		f.wantHolds(c.condition, c.values, c.want)
	}
}

func testOldRowOfFailure(s *suite) {
	t, client := s.T, s.client
	ctx := t.Context()
	f := leases(t, client)
	const row, key = `{"leaseKey":{"S":"a"},"leaseCounter":{"N":"3"},"leaseOwner":{"S":"w1"}}`, `{"leaseKey":{"S":"a"}}`
	f.put(row)
	never := aws.String("leaseCounter = :never")
	values := parse(t, `{":never":{"N":"-1"}}`)
	for _, returned := range []types.ReturnValuesOnConditionCheckFailure{"ALL_OLD", "NONE", ""} {
		_, updated := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: f.table, Key: parse(t, key), UpdateExpression: aws.String("REMOVE leaseOwner"), ConditionExpression: never,
			ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: returned,
		})
		_, put := client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: f.table, Item: parse(t, key), ConditionExpression: never,
			ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: returned,
		})
		_, deleted := client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: f.table, Key: parse(t, key), ConditionExpression: never,
			ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: returned,
		})
		for operation, err := range map[string]error{"update": updated, "put": put, "delete": deleted} {
			want := ""
			if returned == "ALL_OLD" {
				want = row
			}
			wantOldRow(t, operation, err, want)
		}
	}
	f.wantRow(key, row)
	_, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"absent"}}`), UpdateExpression: aws.String("REMOVE leaseOwner"),
		ConditionExpression: never, ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: "ALL_OLD",
	})
	wantOldRow(t, "update without row", err, "")
	f.wantRow(`{"leaseKey":{"S":"absent"}}`, "")
}

// wantOldRow asserts that a condition failed, and the row that the error
// carries.
func wantOldRow(t *testing.T, operation string, err error, row string) {
	t.Helper()
	e, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		t.Errorf("%s: got %v, want %s", operation, err, conditional)
		return
	}
	if got, want := show(e.Item), show(parse(t, row)); got != want {
		t.Errorf("%s: the error has %s, want %s", operation, got, want)
	}
}

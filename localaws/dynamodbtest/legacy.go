package dynamodbtest

import (
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The legacy parameters are those that the Java KCL writes its lease rows with.

func expectValue(v types.AttributeValue) types.ExpectedAttributeValue {
	return types.ExpectedAttributeValue{Value: v}
}

func expectAbsent() types.ExpectedAttributeValue {
	return types.ExpectedAttributeValue{Exists: aws.Bool(false)}
}

func compare(operator types.ComparisonOperator, values ...types.AttributeValue) types.ExpectedAttributeValue {
	return types.ExpectedAttributeValue{ComparisonOperator: operator, AttributeValueList: values}
}

func textValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func numberValue(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

type expected = map[string]types.ExpectedAttributeValue

func testLegacyConditions(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const row = `{"leaseKey":{"S":"a"},"leaseCounter":{"N":"3"},"leaseOwner":{"S":"w1"}}`
	f.put(row)
	for _, c := range []struct {
		name     string
		expected expected
		operator types.ConditionalOperator
		want     string
	}{
		{"a value that is there", expected{"leaseCounter": expectValue(numberValue("3.0"))}, "", ""},
		{"another value", expected{"leaseCounter": expectValue(numberValue("4"))}, "", conditional},
		{"another type", expected{"leaseCounter": expectValue(textValue("3"))}, "", conditional},
		{"the value of an absent attribute", expected{"checkpointOwner": expectValue(textValue("w1"))}, "", conditional},
		{"an absent attribute", expected{"checkpointOwner": expectAbsent()}, "", ""},
		{"an attribute that should be absent", expected{"leaseOwner": expectAbsent()}, "", conditional},
		{"both hold", expected{"leaseCounter": expectValue(numberValue("3")), "checkpointOwner": expectAbsent()}, "", ""},
		{"one of two holds", expected{"leaseCounter": expectValue(numberValue("3")), "leaseOwner": expectAbsent()}, "AND", conditional},
		{"one of two suffices", expected{"leaseCounter": expectValue(numberValue("3")), "leaseOwner": expectAbsent()}, "OR", ""},
		{"EQ", expected{"leaseOwner": compare("EQ", textValue("w1"))}, "", ""},
		{"EQ of another", expected{"leaseOwner": compare("EQ", textValue("w2"))}, "", conditional},
		{"NE", expected{"leaseOwner": compare("NE", textValue("w2"))}, "", ""},
		{"NE of the same", expected{"leaseOwner": compare("NE", textValue("w1"))}, "", conditional},
		{"NE of an absent attribute", expected{"checkpointOwner": compare("NE", textValue("w1"))}, "", ""},
		{"NULL of an absent attribute", expected{"checkpointOwner": compare("NULL")}, "", ""},
		{"NULL of an attribute", expected{"leaseOwner": compare("NULL")}, "", conditional},
		{"NOT_NULL of an attribute", expected{"leaseOwner": compare("NOT_NULL")}, "", ""},
		{"NOT_NULL of an absent attribute", expected{"checkpointOwner": compare("NOT_NULL")}, "", conditional},
	} {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: f.table, Item: parse(t, row), Expected: c.expected, ConditionalOperator: c.operator,
		})
		if code(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"a"}}`), Expected: expected{"leaseCounter": expectValue(numberValue("9"))},
		AttributeUpdates:                    map[string]types.AttributeValueUpdate{"x": {Value: textValue("x")}},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	wantOldRow(t, "legacy update", err, row)
	_, err = client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"a"}}`), Expected: expected{"leaseOwner": expectAbsent()},
	})
	wantCode(t, err, conditional, "")
	f.wantRow(`{"leaseKey":{"S":"a"}}`, row)
}

func testLegacyUpdates(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key = `{"leaseKey":{"S":"a"}}`
	f.put(`{"leaseKey":{"S":"a"},"leaseCounter":{"N":"3"},"leaseOwner":{"S":"w1"},"checkpointOwner":{"S":"w0"},"kids":{"SS":["a","b"]}}`)
	out, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, key),
		Expected: expected{"leaseOwner": expectValue(textValue("w1")), "leaseKey": {Exists: aws.Bool(true), Value: textValue("a")}},
		AttributeUpdates: map[string]types.AttributeValueUpdate{
			"leaseOwner":      {Value: textValue("w2"), Action: types.AttributeActionPut},
			"leaseCounter":    {Value: numberValue("1"), Action: types.AttributeActionAdd},
			"switches":        {Value: numberValue("1"), Action: types.AttributeActionAdd},
			"checkpointOwner": {Action: types.AttributeActionDelete},
			"absent":          {Action: types.AttributeActionDelete},
			"kids":            {Action: types.AttributeActionDelete, Value: &types.AttributeValueMemberSS{Value: []string{"b"}}},
			"parents":         {Action: types.AttributeActionAdd, Value: &types.AttributeValueMemberSS{Value: []string{"p"}}},
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	const want = `{"leaseKey":{"S":"a"},"leaseCounter":{"N":"4"},"leaseOwner":{"S":"w2"},"switches":{"N":"1"},"kids":{"SS":["a"]},"parents":{"SS":["p"]}}`
	if err != nil || show(out.Attributes) != show(parse(t, want)) {
		t.Errorf("got %v, %v, want %s", out, err, want)
	}
	f.wantRow(key, want)
	out, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, key), ReturnValues: types.ReturnValueUpdatedNew,
		AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseOwner": {Value: textValue("w3"), Action: types.AttributeActionPut}},
	})
	if err != nil || show(out.Attributes) != show(parse(t, `{"leaseOwner":{"S":"w3"}}`)) {
		t.Errorf("got %s, %v", show(out.Attributes), err)
	}
}

func testLegacyRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	good := map[string]types.AttributeValueUpdate{"x": {Value: textValue("x")}}
	for name, in := range map[string]*dynamodb.UpdateItemInput{
		"ADD of a text":           {AttributeUpdates: map[string]types.AttributeValueUpdate{"x": {Value: textValue("x"), Action: "ADD"}}},
		"DELETE of a number":      {AttributeUpdates: map[string]types.AttributeValueUpdate{"x": {Value: numberValue("1"), Action: "DELETE"}}},
		"PUT of nothing":          {AttributeUpdates: map[string]types.AttributeValueUpdate{"x": {Action: "PUT"}}},
		"an unknown action":       {AttributeUpdates: map[string]types.AttributeValueUpdate{"x": {Value: textValue("x"), Action: "SET"}}},
		"the key":                 {AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseKey": {Value: textValue("x")}}},
		"Exists without value":    {AttributeUpdates: good, Expected: expected{"x": {Exists: aws.Bool(true)}}},
		"a value not to exist":    {AttributeUpdates: good, Expected: expected{"x": {Exists: aws.Bool(false), Value: textValue("x")}}},
		"nothing expected":        {AttributeUpdates: good, Expected: expected{"x": {}}},
		"EQ of two":               {AttributeUpdates: good, Expected: expected{"x": compare("EQ", textValue("a"), textValue("b"))}},
		"NULL of one":             {AttributeUpdates: good, Expected: expected{"x": compare("NULL", textValue("a"))}},
		"Exists and operator":     {AttributeUpdates: good, Expected: expected{"x": {Exists: aws.Bool(false), ComparisonOperator: "NULL"}}},
		"an operator for nothing": {AttributeUpdates: good, ConditionalOperator: "AND"},
		"a condition expression":  {AttributeUpdates: good, ConditionExpression: aws.String("attribute_exists(x)")},
		"an update expression":    {AttributeUpdates: good, UpdateExpression: aws.String("REMOVE x")},
		"Expected and expression": {UpdateExpression: aws.String("REMOVE x"), Expected: expected{"x": expectAbsent()}},
	} {
		in.TableName, in.Key = f.table, parse(t, `{"leaseKey":{"S":"a"}}`)
		if _, err := client.UpdateItem(t.Context(), in); code(err) != validation {
			t.Errorf("%s: got %v, want %s", name, err, validation)
		}
	}
	f.wantRow(`{"leaseKey":{"S":"a"}}`, "")
}

func testProjections(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key = `{"leaseKey":{"S":"a"}}`
	f.put(conditionRow)
	for expression, want := range map[string]string{
		"n":                `{"n":{"N":"5"}}`,
		"n, s":             `{"n":{"N":"5"},"s":{"S":"héllo"}}`,
		"m.k":              `{"m":{"M":{"k":{"S":"v"}}}}`,
		"l[1], l[0]":       `{"l":{"L":[{"S":"x"},{"N":"2"}]}}`,
		"l[2][0],m.c":      `{"l":{"L":[{"L":[{"S":"deep"}]}]},"m":{"M":{"c":{"N":"7"}}}}`,
		"absent, n":        `{"n":{"N":"5"}}`,
		"m.absent, l[9],n": `{"n":{"N":"5"}}`,
		"n.x, n":           "",
		"m.k, m":           "",
		"a,":               "",
		"a b":              "",
		"size(a)":          "",
		":a":               "",
	} {
		out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: f.table, Key: parse(t, key), ProjectionExpression: aws.String(expression),
		})
		switch {
		case want == "":
			wantCode(t, err, validation, "")
		case err != nil || show(out.Item) != show(parse(t, want)):
			t.Errorf("%s gave %v, %v, want %s", expression, out, err, want)
		}
	}
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: f.table, Key: parse(t, key), ProjectionExpression: aws.String("absent"),
	})
	if err != nil || out.Item == nil || len(out.Item) != 0 {
		t.Errorf("no part of a row that is there gave %v, %v, want an empty row", out, err)
	}
}

func testReservedWords(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key = `{"leaseKey":{"S":"a"}}`
	for _, word := range []string{"name", "COUNTER", "Status", "owner", "shard", "ttl", "zone", "abort", "value", "set"} {
		err := f.tryUpdate(key, "SET "+word+" = :v", `{":v":{"N":"1"}}`)
		if code(err) != validation {
			t.Errorf("%s as a name: got %v, want %s", word, err, validation)
		}
	}
	f.update(key, "SET names1 = :v, leaseCounter = :v, statusX = :v", `{":v":{"N":"1"}}`)
	names := map[string]string{"#n": "name", "#c": "count er.", "#1": "#1"}
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, key), UpdateExpression: aws.String("SET #n = :v, #c = :v, #1 = :v REMOVE names1, leaseCounter, statusX"),
		ConditionExpression:      aws.String("attribute_not_exists(#n)"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: parse(t, `{":v":{"N":"1"}}`),
	})
	wantCode(t, err, "", "")
	f.wantRow(key, `{"leaseKey":{"S":"a"},"name":{"N":"1"},"count er.":{"N":"1"},"#1":{"N":"1"}}`)
	for name, names := range map[string]map[string]string{
		"unused":  {"#n": "name", "#x": "x"},
		"no sign": {"#n": "name", "x": "x"},
	} {
		_, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: f.table, Key: parse(t, key), ProjectionExpression: aws.String("#n"), ExpressionAttributeNames: maps.Clone(names),
		})
		if code(err) != validation {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err = client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: f.table, Key: parse(t, key), ExpressionAttributeNames: map[string]string{"#n": "name"},
	})
	wantCode(t, err, validation, "ExpressionAttributeNames can only be specified when using expressions")
}

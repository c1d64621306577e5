package dynamodbtest

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func (f *fixture) update(key, expression, values string) {
	f.Helper()
	if err := f.tryUpdate(key, expression, values); err != nil {
		f.Fatalf("%s with %s: %v", expression, values, err)
	}
}

func (f *fixture) tryUpdate(key, expression, values string) error {
	f.Helper()
	_, err := f.client.UpdateItem(f.Context(), &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(f.T, key), UpdateExpression: &expression, ExpressionAttributeValues: parse(f.T, values),
	})
	return err
}

// updateRow is what updates are tried on, without its key.
const updateRow = `"n":{"N":"5"},"s":{"S":"x"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"},"d":{"M":{"e":{"N":"1"}}}}},` +
	`"ss":{"SS":["a","b"]},"ns":{"NS":["1"]}`

func testUpdates(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key = `{"leaseKey":{"S":"a"}}`
	const one = `{":v":{"N":"1"}}`
	const rest = `"s":{"S":"x"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"},"d":{"M":{"e":{"N":"1"}}}}},"ss":{"SS":["a","b"]},"ns":{"NS":["1"]}`
	for _, u := range []struct{ start, expression, values, want string }{
		{`"n":{"N":"5"}`, "SET n = n + :v", one, `"n":{"N":"6"}`},
		{`"n":{"N":"5"}`, "SET n = :v - n", one, `"n":{"N":"-4"}`},
		{`"n":{"N":"5"}`, "SET n = (n + :v)", one, `"n":{"N":"6"}`},
		{`"n":{"N":"5"}`, "set a=:v,b = n", one, `"n":{"N":"5"},"a":{"N":"1"},"b":{"N":"5"}`},
		{`"a":{"N":"1"},"b":{"N":"2"}`, "SET a = b, b = a", "", `"a":{"N":"2"},"b":{"N":"1"}`},
		{`"n":{"N":"5"}`, "SET n = if_not_exists(n, :v), a = if_not_exists(a, :v)", one, `"n":{"N":"5"},"a":{"N":"1"}`},
		{``, "SET n = if_not_exists(n, :v) + :v", one, `"n":{"N":"2"}`},
		{`"l":{"L":[{"N":"1"}]}`, "SET l = list_append(l, :l)", `{":l":{"L":[{"N":"2"}]}}`, `"l":{"L":[{"N":"1"},{"N":"2"}]}`},
		{`"l":{"L":[{"N":"1"}]}`, "SET l = list_append(:l, l)", `{":l":{"L":[{"N":"2"}]}}`, `"l":{"L":[{"N":"2"},{"N":"1"}]}`},
		{``, "SET l = list_append(if_not_exists(l, :e), :l)", `{":e":{"L":[]},":l":{"L":[{"N":"2"}]}}`, `"l":{"L":[{"N":"2"}]}`},
		{`"l":{"L":[{"N":"0"},{"N":"1"}]}`, "SET l[1] = :v, l[7] = :a, l[5] = :b", `{":v":{"N":"9"},":a":{"S":"a"},":b":{"S":"b"}}`, `"l":{"L":[{"N":"0"},{"N":"9"},{"S":"b"},{"S":"a"}]}`},
		{`"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"3"}]}`, "REMOVE l[0], l[2]", "", `"l":{"L":[{"N":"1"},{"N":"3"}]}`},
		{`"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]}`, "SET l[2] = :v REMOVE l[0]", one, `"l":{"L":[{"N":"1"},{"N":"1"}]}`},
		{`"l":{"L":[{"N":"0"}]}`, "REMOVE l[5]", "", `"l":{"L":[{"N":"0"}]}`},
		{`"m":{"M":{"k":{"S":"v"},"d":{"M":{"e":{"N":"1"}}}}}`, "SET m.d.e = m.d.e + :v, m.x = :v REMOVE m.k", one, `"m":{"M":{"d":{"M":{"e":{"N":"2"}}},"x":{"N":"1"}}}`},
		{`"n":{"N":"5"},"s":{"S":"x"}`, "REMOVE n, absent", "", `"s":{"S":"x"}`},
		{`"n":{"N":"5"}`, "ADD n :v, a :v", one, `"n":{"N":"6"},"a":{"N":"1"}`},
		{`"n":{"N":"5"}`, "ADD n :v", `{":v":{"N":"-7.5"}}`, `"n":{"N":"-2.5"}`},
		{`"ss":{"SS":["a"]}`, "ADD ss :v, t :v", `{":v":{"SS":["a","b"]}}`, `"ss":{"SS":["a","b"]},"t":{"SS":["a","b"]}`},
		{`"m":{"M":{}}`, "ADD m.n :v", one, `"m":{"M":{"n":{"N":"1"}}}`},
		{`"ss":{"SS":["a","b"]}`, "DELETE ss :v", `{":v":{"SS":["b","c"]}}`, `"ss":{"SS":["a"]}`},
		{`"ss":{"SS":["a","b"]}`, "DELETE ss :v", `{":v":{"SS":["b","a"]}}`, ``},
		{`"ns":{"NS":["1","2"]}`, "DELETE ns :v", `{":v":{"NS":["1.0"]}}`, `"ns":{"NS":["2"]}`},
		{`"n":{"N":"1"}`, "DELETE absent :v", `{":v":{"SS":["a"]}}`, `"n":{"N":"1"}`},
		{`"n":{"N":"1"},"r":{"S":""},"ss":{"SS":["a"]}`, "ADD n :v DELETE ss :s SET a = :v REMOVE r", `{":v":{"N":"1"},":s":{"SS":["z"]}}`, `"n":{"N":"2"},"a":{"N":"1"},"ss":{"SS":["a"]}`},
		{updateRow, "REMOVE n", "", rest},
	} {
		f.put(`{"leaseKey":{"S":"a"}` + prefixed(u.start) + `}`)
		f.update(key, u.expression, u.values)
		if want := `{"leaseKey":{"S":"a"}` + prefixed(u.want) + `}`; f.get(key) != show(parse(t, want)) {
			t.Errorf("%s of %s with %s gave %s, want %s", u.expression, u.start, u.values, f.get(key), want)
		}
	}
	f.update(`{"leaseKey":{"S":"new"}}`, "SET a = :v", one)
	f.wantRow(`{"leaseKey":{"S":"new"}}`, `{"leaseKey":{"S":"new"},"a":{"N":"1"}}`)
	f.update(`{"leaseKey":{"S":"new2"}}`, "REMOVE a", "")
	f.wantRow(`{"leaseKey":{"S":"new2"}}`, `{"leaseKey":{"S":"new2"}}`)
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"new3"}}`)})
	wantCode(t, err, "", "")
	f.wantRow(`{"leaseKey":{"S":"new3"}}`, `{"leaseKey":{"S":"new3"}}`)
}

func prefixed(members string) string {
	if members == "" {
		return ""
	}
	return "," + members
}

func testUpdatesRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key, row = `{"leaseKey":{"S":"a"}}`, `{"leaseKey":{"S":"a"},` + updateRow + `}`
	f.put(row)
	const one, word, set = `{":v":{"N":"1"}}`, `{":v":{"S":"x"}}`, `{":v":{"SS":["x"]}}`
	const noAttribute = "The provided expression refers to an attribute that does not exist in the item"
	const badType = "An operand in the update expression has an incorrect data type"
	const badPath = "The document path provided in the update expression is invalid for update"
	for _, u := range []struct{ expression, values, message string }{
		{"", "", "The expression can not be empty"},
		{" ", "", "Syntax error"},
		{"SET", "", `Syntax error; token: "<EOF>", near: "SET"`},
		{"SET a", "", "Syntax error"},
		{"SET a = :v,", one, "Syntax error"},
		{"SET (a) = :v", one, "Syntax error"},
		{"SET a = :v + :v + :v", one, `Syntax error; token: "+", near: ":v + :v"`},
		{"SET a = if_not_exists(b, n + :v)", one, "Syntax error"},
		{"SET a = n = n", "", "Syntax error"},
		{"SET a = NOT n", "", "Syntax error"},
		{"ADD n m", "", "Syntax error"},
		{"REPLACE n", "", "Syntax error"},
		{"SET a = :v SET b = :v", one, `The "SET" section can only be used once in an update expression`},
		{"SET a = :v, a = :v", one, "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
		{"SET m = :v REMOVE m.k", one, "Two document paths overlap with each other"},
		{"SET l[1].a = :v REMOVE l[1]", one, "Two document paths overlap with each other"},
		{"SET m.a = :v, m[1] = :v", one, "Two document paths conflict with each other"},
		{"SET a = absent", "", noAttribute},
		{"SET a = absent + :v", one, noAttribute},
		{"SET a = if_not_exists(absent, nowhere)", "", noAttribute},
		{"SET a = s + :v", one, badType},
		{"SET a = n + :v", word, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
		{"SET a = list_append(n, :v)", `{":v":{"L":[]}}`, badType},
		{"SET a = list_append(l, :v)", one, "Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
		{"SET a = size(l)", "", "The function is not allowed in an update expression; function: size"},
		{"SET a = if_not_exists(:v, n)", one, "Operator or function requires a document path; operator or function: if_not_exists"},
		{"SET absent.a = :v", one, badPath},
		{"SET n.a = :v", one, badPath},
		{"SET m[0] = :v", one, badPath},
		{"SET l.a = :v", one, badPath},
		{"REMOVE absent.a", "", badPath},
		{"REMOVE n.a", "", badPath},
		{"ADD s :v", one, badType},
		{"ADD ss :v", `{":v":{"NS":["1"]}}`, badType},
		{"ADD n :v", word, "Incorrect operand type for operator or function; operator: ADD, operand type: STRING"},
		{"DELETE n :v", set, badType},
		{"DELETE ss :v", one, "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER"},
		{"SET leaseKey = :v", word, "Cannot update attribute leaseKey. This attribute is part of the key"},
		{"REMOVE leaseKey", "", "Cannot update attribute leaseKey. This attribute is part of the key"},
		{"SET a = :w", one, "An expression attribute value used in expression is not defined; attribute value: :w"},
		{"SET a = :v", `{":v":{"N":"1"},":w":{"N":"1"}}`, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"},
		{"REMOVE a", one, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"},
		{"SET a = :v", `{":v":{"SS":[]}}`, ""},
	} {
		if err := f.tryUpdate(key, u.expression, u.values); code(err) != validation {
			t.Errorf("%s: got %v, want %s", u.expression, err, validation)
		} else {
			wantCode(t, err, validation, u.message)
		}
	}
	f.wantRow(key, row)
}

func testReturnValues(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key = `{"leaseKey":{"S":"a"}}`
	const before, after = `{"leaseKey":{"S":"a"},"n":{"N":"1"},"s":{"S":"x"}}`, `{"leaseKey":{"S":"a"},"n":{"N":"2"},"t":{"S":"y"}}`
	for returned, want := range map[types.ReturnValue]string{
		types.ReturnValueNone:       "",
		types.ReturnValueAllOld:     before,
		types.ReturnValueAllNew:     after,
		types.ReturnValueUpdatedOld: `{"n":{"N":"1"},"s":{"S":"x"}}`,
		types.ReturnValueUpdatedNew: `{"n":{"N":"2"},"t":{"S":"y"}}`,
	} {
		f.put(before)
		out, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: f.table, Key: parse(t, key), UpdateExpression: aws.String("SET n = n + :v, t = :t REMOVE s"),
			ExpressionAttributeValues: parse(t, `{":v":{"N":"1"},":t":{"S":"y"}}`), ReturnValues: returned,
		})
		if err != nil || show(out.Attributes) != show(parse(t, want)) {
			t.Errorf("update with %s gave %v, %v, want %s", returned, out, err, want)
		}
		_, err = client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: f.table, Item: parse(t, before), ReturnValues: returned})
		if allowed := returned == types.ReturnValueNone || returned == types.ReturnValueAllOld; allowed != (err == nil) {
			t.Errorf("put with %s: %v", returned, err)
		}
	}
	f.put(before)
	put, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: f.table, Item: parse(t, after), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil || show(put.Attributes) != show(parse(t, before)) {
		t.Errorf("put gave %v, %v", put, err)
	}
	for _, want := range []string{after, ""} {
		deleted, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: f.table, Key: parse(t, key), ReturnValues: types.ReturnValueAllOld,
		})
		if err != nil || show(deleted.Attributes) != show(parse(t, want)) {
			t.Errorf("delete gave %v, %v, want %s", deleted, err, want)
		}
	}
}

// testLeaseLife goes through the writes that a lease sees, with expressions.
func testLeaseLife(s *suite) {
	t, client := s.T, s.client
	f := indexed(t, client)
	const lease = `{"leaseKey":{"S":"shardId-0"}}`
	write := func(update, condition, values, wanted string) {
		t.Helper()
		_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: f.table, Key: parse(t, lease), UpdateExpression: &update, ConditionExpression: &condition,
			ExpressionAttributeValues: parse(t, values),
		})
		wantCode(t, err, wanted, "")
	}
	row := parse(t, `{"leaseKey":{"S":"shardId-0"},"leaseCounter":{"N":"0"},"checkpoint":{"S":"TRIM_HORIZON"},"parentShardId":{"SS":["p1","p2"]}}`)
	for _, wanted := range []string{"", conditional} {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: f.table, Item: row, ConditionExpression: aws.String("attribute_not_exists(leaseKey)"),
		})
		wantCode(t, err, wanted, "")
	}
	const take = "SET leaseOwner = :me, leaseCounter = :next REMOVE checkpointOwner ADD ownerSwitchesSinceCheckpoint :one"
	write(take, "leaseCounter = :n", `{":me":{"S":"w1"},":n":{"N":"0"},":next":{"N":"1"},":one":{"N":"1"}}`, "")
	write(take, "leaseCounter = :n", `{":me":{"S":"w2"},":n":{"N":"0"},":next":{"N":"1"},":one":{"N":"1"}}`, conditional)
	f.wantOwned("w1", "shardId-0")
	const renew = "leaseCounter = :n AND attribute_not_exists(checkpointOwner)"
	write("SET leaseCounter = :next", renew, `{":n":{"N":"1"},":next":{"N":"2"}}`, "")
	const handOff = "leaseKey = :k AND leaseOwner = :me AND attribute_not_exists(checkpointOwner)"
	write("SET leaseOwner = :other, checkpointOwner = :me", handOff, `{":k":{"S":"shardId-0"},":me":{"S":"w1"},":other":{"S":"w2"}}`, "")
	write("SET leaseCounter = :next", renew, `{":n":{"N":"2"},":next":{"N":"3"}}`, conditional)
	f.wantOwned("w2", "shardId-0")
	f.wantRow(lease, `{"leaseKey":{"S":"shardId-0"},"leaseCounter":{"N":"2"},"checkpoint":{"S":"TRIM_HORIZON"},"parentShardId":{"SS":["p1","p2"]},
		"leaseOwner":{"S":"w2"},"checkpointOwner":{"S":"w1"},"ownerSwitchesSinceCheckpoint":{"N":"1"}}`)
}

package dynamodbtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// sorts gives the range keys of rows, in order.
func sorts(rows []attributes) string {
	var keys []string
	for _, row := range rows {
		keys = append(keys, strings.TrimPrefix(showValue(row["r"]), "N:"))
	}
	return strings.Join(keys, " ")
}

// fill makes a table of 7 rows in one partition and one in another. Range keys
// are written in an order of their own.
func fill(t *testing.T, client *dynamodb.Client) *fixture {
	t.Helper()
	f := ranged(t, client)
	for _, r := range []string{"10", "-2", "9", "0", "1E2", "-10", "9.5"} {
		f.put(`{"h":{"S":"a"},"r":{"N":"` + r + `"},"x":{"N":"` + r + `"}}`)
	}
	f.put(`{"h":{"S":"ab"},"r":{"N":"5"}}`)
	return f
}

func testQueries(s *suite) {
	t, client := s.T, s.client
	f := fill(t, client)
	for _, q := range []struct{ condition, values, want string }{
		{"h = :h", "", "-10 -2 0 9 19/2 10 100"},
		{":h = h", "", "-10 -2 0 9 19/2 10 100"},
		{"h = :h AND r = :r", `,":r":{"N":"9.50"}`, "19/2"},
		{"r = :r AND h = :h", `,":r":{"N":"9.50"}`, "19/2"},
		{"(h = :h) AND (r < :r)", `,":r":{"N":"9"}`, "-10 -2 0"},
		{"h = :h AND r <= :r", `,":r":{"N":"9"}`, "-10 -2 0 9"},
		{"h = :h AND r > :r", `,":r":{"N":"9"}`, "19/2 10 100"},
		{"h = :h AND r >= :r", `,":r":{"N":"9"}`, "9 19/2 10 100"},
		{"h = :h AND :r > r", `,":r":{"N":"0"}`, "-10 -2"},
		{"h = :h AND r BETWEEN :r AND :s", `,":r":{"N":"-2"},":s":{"N":"9"}`, "-2 0 9"},
		{"h = :h AND r = :r", `,":r":{"N":"7"}`, ""},
	} {
		for _, forward := range []bool{true, false} {
			out, err := client.Query(t.Context(), &dynamodb.QueryInput{
				TableName: f.table, KeyConditionExpression: aws.String(q.condition), ScanIndexForward: &forward,
				ExpressionAttributeValues: parse(t, `{":h":{"S":"a"}`+q.values+`}`),
			})
			if err != nil {
				t.Errorf("%s: %v", q.condition, err)
				continue
			}
			if !forward {
				slices.Reverse(out.Items)
			}
			if got := sorts(out.Items); got != q.want || int(out.Count) != len(out.Items) || out.LastEvaluatedKey != nil {
				t.Errorf("%s forward %v gave %s, count %d, want %s", q.condition, forward, got, out.Count, q.want)
			}
		}
	}
	texts := create(t, client, &dynamodb.CreateTableInput{
		AttributeDefinitions: append(define("h", types.ScalarAttributeTypeS), define("r", types.ScalarAttributeTypeS)...),
		KeySchema:            key("h", "r"),
	})
	for _, r := range []string{"b", "abc", "ab", "a", "abd", `ab\u0000`, "é"} {
		texts.put(`{"h":{"S":"a"},"r":{"S":"` + r + `"}}`)
	}
	out, err := client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: texts.table, KeyConditionExpression: aws.String("h = :h AND begins_with(r, :r)"),
		ExpressionAttributeValues: parse(t, `{":h":{"S":"a"},":r":{"S":"ab"}}`),
	})
	if err != nil || sorts(out.Items) != "S:ab S:ab\u0000 S:abc S:abd" {
		t.Errorf("begins_with gave %v, %v", out, err)
	}
	testBinaryQuery(s)
	filtered, err := client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: f.table, KeyConditionExpression: aws.String("h = :h"), FilterExpression: aws.String("x > :x"),
		ProjectionExpression: aws.String("r"), ExpressionAttributeValues: parse(t, `{":h":{"S":"a"},":x":{"N":"9"}}`),
	})
	if err != nil || sorts(filtered.Items) != "19/2 10 100" || filtered.Count != 3 || filtered.ScannedCount != 7 || len(filtered.Items[0]) != 1 {
		t.Errorf("a filter gave %+v, %v", filtered, err)
	}
}

// testBinaryQuery goes to the ends of what bytes can begin with.
func testBinaryQuery(s *suite) {
	t := s.T
	t.Helper()
	f := create(t, s.client, &dynamodb.CreateTableInput{
		AttributeDefinitions: append(define("h", types.ScalarAttributeTypeS), define("r", types.ScalarAttributeTypeB)...),
		KeySchema:            key("h", "r"),
	})
	for _, r := range []string{"AA==", "AAA=", "AP8=", "AQ==", "/w==", "//8=", "//8A"} { // 00, 0000, 00ff, 01, ff, ffff, ffff00
		f.put(`{"h":{"S":"a"},"r":{"B":"` + r + `"}}`)
	}
	for prefix, want := range map[string]string{
		"AA==": "B:00 B:0000 B:00ff", "AP8=": "B:00ff", "/w==": "B:ff B:ffff B:ffff00", "//8=": "B:ffff B:ffff00",
	} {
		out, err := s.client.Query(t.Context(), &dynamodb.QueryInput{
			TableName: f.table, KeyConditionExpression: aws.String("h = :h AND begins_with(r, :r)"),
			ExpressionAttributeValues: parse(t, `{":h":{"S":"a"},":r":{"B":"`+prefix+`"}}`),
		})
		if err != nil || sorts(out.Items) != want {
			t.Errorf("begins_with %s gave %v, %v, want %s", prefix, out, err, want)
		}
	}
}

func testQueriesRefused(s *suite) {
	t, client := s.T, s.client
	f := fill(t, client)
	for _, q := range []struct{ condition, values, message string }{
		{"h > :h", "", "Query key condition not supported"},
		{"r = :r", `":r":{"N":"1"}`, "Query condition missed key schema element"},
		{"h = :h AND x = :r", `":r":{"N":"1"}`, "Query condition missed key schema element"},
		{"h = :h OR r = :r", `":r":{"N":"1"}`, "Invalid operator used in KeyConditionExpression: OR"},
		{"h = :h AND r <> :r", `":r":{"N":"1"}`, "Invalid operator used in KeyConditionExpression: <>"},
		{"NOT h = :h", "", "Invalid operator used in KeyConditionExpression: NOT"},
		{"h = :h AND r IN (:r)", `":r":{"N":"1"}`, "Invalid operator used in KeyConditionExpression: IN"},
		{"h = :h AND attribute_exists(r)", "", "Invalid operator used in KeyConditionExpression: attribute_exists"},
		{"h = :h AND r > :r AND r < :r", `":r":{"N":"1"}`, "KeyConditionExpressions must only contain one condition per key"},
		{"h = :h AND r = :r", `":r":{"S":"1"}`, "Condition parameter type does not match schema type"},
		{"h = :r", `":r":{"N":"1"}`, "Condition parameter type does not match schema type"},
		{"h = r", "", "Multiple attribute names used in one condition"},
		{"h.a = :h", "", "Key attributes must be scalars"},
		{"h = :h AND size(r) = :r", `":r":{"N":"1"}`, "KeyConditionExpressions cannot contain nested operations"},
		{"h = ", "", "Invalid KeyConditionExpression: Syntax error"},
	} {
		values := q.values
		if strings.Contains(q.condition, ":h") {
			values = `":h":{"S":"a"}` + prefixed(values)
		}
		_, err := client.Query(t.Context(), &dynamodb.QueryInput{
			TableName: f.table, KeyConditionExpression: aws.String(q.condition), ExpressionAttributeValues: parse(t, wrapped(values)),
		})
		wantCode(t, err, validation, q.message)
	}
	for name, in := range map[string]*dynamodb.QueryInput{
		"a filter on the key":      {FilterExpression: aws.String("r > :h")},
		"an unknown index":         {IndexName: aws.String("none")},
		"a limit of 0":             {Limit: aws.Int32(0)},
		"an incomplete start":      {ExclusiveStartKey: parse(t, `{"h":{"S":"a"}}`)},
		"a start elsewhere":        {ExclusiveStartKey: parse(t, `{"h":{"S":"b"},"r":{"N":"1"}}`)},
		"projected without index":  {Select: types.SelectAllProjectedAttributes},
		"specific without any":     {Select: types.SelectSpecificAttributes},
		"a count with a selection": {Select: types.SelectCount, ProjectionExpression: aws.String("x")},
		"an unknown selection":     {Select: "SOME"},
	} {
		in.TableName, in.KeyConditionExpression = f.table, aws.String("h = :h")
		in.ExpressionAttributeValues = parse(t, `{":h":{"S":"a"}}`)
		if _, err := client.Query(t.Context(), in); code(err) != validation {
			t.Errorf("%s: got %v, want %s", name, err, validation)
		}
	}
	owners := indexed(t, client)
	for name, in := range map[string]*dynamodb.QueryInput{
		"a consistent read of an index":        {ConsistentRead: aws.Bool(true)},
		"all attributes of an index of keys":   {Select: types.SelectAllAttributes},
		"an attribute that is not in an index": {ProjectionExpression: aws.String("checkpoint")},
		"a filter on what is not in an index":  {FilterExpression: aws.String("checkpoint = :o")},
	} {
		in.TableName, in.IndexName, in.KeyConditionExpression = owners.table, aws.String(ownerIndex), aws.String("leaseOwner = :o")
		in.ExpressionAttributeValues = parse(t, `{":o":{"S":"a"}}`)
		if _, err := client.Query(t.Context(), in); code(err) != validation {
			t.Errorf("%s: got %v, want %s", name, err, validation)
		}
	}
}

func wrapped(members string) string {
	if members == "" {
		return ""
	}
	return "{" + members + "}"
}

func testQueryPages(s *suite) {
	t, client := s.T, s.client
	f := fill(t, client)
	for _, forward := range []bool{true, false} {
		for limit := int32(1); limit <= 8; limit++ {
			var got []attributes
			var start attributes
			for pages := 0; ; pages++ {
				out, err := client.Query(t.Context(), &dynamodb.QueryInput{
					TableName: f.table, KeyConditionExpression: aws.String("h = :h"), Limit: &limit, ScanIndexForward: &forward,
					ExpressionAttributeValues: parse(t, `{":h":{"S":"a"}}`), ExclusiveStartKey: start,
				})
				if err != nil || len(out.Items) > int(limit) || pages > 8 {
					t.Fatalf("page %d: %v, %v", pages, out, err)
				}
				got = append(got, out.Items...)
				if start = out.LastEvaluatedKey; start == nil {
					break
				}
			}
			if !forward {
				slices.Reverse(got)
			}
			if sorts(got) != "-10 -2 0 9 19/2 10 100" {
				t.Errorf("pages of %d, forward %v, gave %s", limit, forward, sorts(got))
			}
		}
	}
	between, err := client.Query(t.Context(), &dynamodb.QueryInput{ // starting behind a row that is not there
		TableName: f.table, KeyConditionExpression: aws.String("h = :h"), ExpressionAttributeValues: parse(t, `{":h":{"S":"a"}}`),
		ExclusiveStartKey: parse(t, `{"h":{"S":"a"},"r":{"N":"9.1"}}`),
	})
	if err != nil || sorts(between.Items) != "19/2 10 100" {
		t.Errorf("starting at 9.1 gave %v, %v", between, err)
	}
	counted, err := client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: f.table, KeyConditionExpression: aws.String("h = :h"), ExpressionAttributeValues: parse(t, `{":h":{"S":"a"}}`),
		Select: types.SelectCount, Limit: aws.Int32(7),
	})
	if err != nil || counted.Count != 7 || counted.Items != nil || counted.LastEvaluatedKey == nil {
		t.Errorf("counting to the limit gave %+v, %v", counted, err)
	}
}

func testIndexQueryPages(s *suite) {
	t, client := s.T, s.client
	f := create(t, client, &dynamodb.CreateTableInput{
		AttributeDefinitions: append(define("leaseKey", types.ScalarAttributeTypeS), define("leaseOwner", types.ScalarAttributeTypeS)...),
		KeySchema:            key("leaseKey", ""),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(ownerIndex), KeySchema: key("leaseOwner", ""),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	for i := range 10 {
		f.put(fmt.Sprintf(`{"leaseKey":{"S":"k%d"},"leaseOwner":{"S":"w%d"},"n":{"N":"%d"}}`, i, i%2, i))
	}
	seen := map[string]bool{}
	pages := dynamodb.NewQueryPaginator(client, &dynamodb.QueryInput{
		TableName: f.table, IndexName: aws.String(ownerIndex), Limit: aws.Int32(2),
		KeyConditionExpression: aws.String("leaseOwner = :o"), ExpressionAttributeValues: parse(t, `{":o":{"S":"w1"}}`),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Items {
			if seen[show(row)] || len(row) != 3 {
				t.Errorf("row twice or in part: %s", show(row))
			}
			seen[show(row)] = true
		}
		if page.LastEvaluatedKey != nil && len(page.LastEvaluatedKey) != 2 {
			t.Errorf("the last key is %s", show(page.LastEvaluatedKey))
		}
	}
	if len(seen) != 5 {
		t.Errorf("pages have %d rows, want 5", len(seen))
	}
}

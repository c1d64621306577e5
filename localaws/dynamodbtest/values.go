package dynamodbtest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func testValues(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const key = `{"leaseKey":{"S":"a"}}`
	const row = `{"leaseKey":{"S":"a"}, "s":{"S":"\u0000 \"quoted\" \\ <&> é 世界 😀"}, "empty":{"S":""}, "n":{"N":"-12.50"},
		"b":{"B":"AAEC/w=="}, "noBytes":{"B":""}, "t":{"BOOL":true}, "f":{"BOOL":false}, "null":{"NULL":true},
		"l":{"L":[{"S":"x"},{"L":[]},{"M":{}},{"N":"1"}]}, "m":{"M":{"a":{"M":{"b":{"NULL":true}}}}},
		"ss":{"SS":["b","a",""]}, "ns":{"NS":["3","-1","2.50"]}, "bs":{"BS":["/w==","AA=="]}, "a b.c#d":{"S":"odd name"}}`
	f.put(row)
	f.wantRow(key, row)
	f.put(`{"leaseKey":{"S":"a"},"only":{"S":"this"}}`)
	f.wantRow(key, `{"leaseKey":{"S":"a"},"only":{"S":"this"}}`)
	f.wantRow(`{"leaseKey":{"S":"b"}}`, "")
}

func testValuesRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	for name, value := range map[string]string{
		"an empty set of texts":         `{"SS":[]}`,
		"an empty set of numbers":       `{"NS":[]}`,
		"an empty set of bytes":         `{"BS":[]}`,
		"a set with a text twice":       `{"SS":["a","a"]}`,
		"a set with a number twice":     `{"NS":["1","1.0"]}`,
		"an empty set within a list":    `{"L":[{"SS":[]}]}`,
		"null that is false":            `{"NULL":false}`,
		"a word as number":              `{"N":"abc"}`,
		"no number":                     `{"N":""}`,
		"a number and a blank":          `{"N":"1 "}`,
		"not a number":                  `{"N":"NaN"}`,
		"a number of 39 digits":         `{"N":"123456789012345678901234567890123456789"}`,
		"a number too large":            `{"N":"1E126"}`,
		"a number too small":            `{"N":"-1E126"}`,
		"a number too near to zero":     `{"N":"1E-131"}`,
		"a bad number in a set":         `{"NS":["1","x"]}`,
		"a bad number deep in the row ": `{"M":{"a":{"L":[{"N":"x"}]}}}`,
	} {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: f.table, Item: parse(t, `{"leaseKey":{"S":"a"},"v":`+value+`}`),
		})
		if code(err) != validation {
			t.Errorf("%s: got %v, want %s", name, err, validation)
		}
	}
	f.wantRow(`{"leaseKey":{"S":"a"}}`, "")
}

func testNumbers(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(`{"leaseKey":{"S":"a"}}`)
	for _, n := range []struct{ written, read, other string }{
		{"0", "0", "0.1"},
		{"-0.0", "0", "-1"},
		{"007", "7", "70"},
		{"1.50", "1.5", "1.05"},
		{"+3", "3", "-3"},
		{"1E2", "100", "1E-2"},
		{"12e-3", "0.012", "0.12"},
		{".5", "0.5", "5"},
		{"5.", "5", "50"},
		{"99999999999999999999999999999999999999", "99999999999999999999999999999999999999", "99999999999999999999999999999999999998"},
		{"0.1000000000000000000000000000000000001", "0.1000000000000000000000000000000000001", "0.1"},
		{"9.9999999999999999999999999999999999999E125", "9.9999999999999999999999999999999999999E125", "9E125"},
		{"1E-130", "1E-130", "1E-129"},
		{"49680462614418585169767732210369153893", "49680462614418585169767732210369153893", "4968046261441858516976773221036915389"},
	} {
		f.update(`{"leaseKey":{"S":"a"}}`, "SET v = :v", `{":v":{"N":"`+n.written+`"}}`)
		f.wantRow(`{"leaseKey":{"S":"a"}}`, `{"leaseKey":{"S":"a"},"v":{"N":"`+n.read+`"}}`)
		f.wantHolds("v = :v", `{":v":{"N":"`+n.read+`"}}`, true)
		f.wantHolds("v = :v", `{":v":{"N":"`+n.other+`"}}`, false)
	}
	for _, sum := range []struct{ a, b, plus, minus string }{
		{"1", "2", "3", "-1"},
		{"0.1", "0.2", "0.3", "-0.1"},
		{"-5", "5", "0", "-10"},
		{"1E20", "1", "100000000000000000001", "99999999999999999999"},
		{"99999999999999999999999999999999999998", "1", "99999999999999999999999999999999999999", "99999999999999999999999999999999999997"},
		{"1E125", "-1E125", "0", "2E125"},
	} {
		values := `{":a":{"N":"` + sum.a + `"},":b":{"N":"` + sum.b + `"}}`
		f.update(`{"leaseKey":{"S":"a"}}`, "SET v = :a + :b, w = :a - :b", values)
		f.wantRow(`{"leaseKey":{"S":"a"}}`, `{"leaseKey":{"S":"a"},"v":{"N":"`+sum.plus+`"},"w":{"N":"`+sum.minus+`"}}`)
	}
	for _, tooMuch := range [][2]string{{"9E125", "9E125"}, {"1E37", "0.1"}} {
		_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"a"}}`), UpdateExpression: aws.String("SET v = :a + :b"),
			ExpressionAttributeValues: parse(t, `{":a":{"N":"`+tooMuch[0]+`"},":b":{"N":"`+tooMuch[1]+`"}}`),
		})
		wantCode(t, err, validation, "")
	}
}

func testKeysRefused(s *suite) {
	t, client := s.T, s.client
	f := ranged(t, client)
	for name, key := range map[string]string{
		"no range key":              `{"h":{"S":"a"}}`,
		"no hash key":               `{"r":{"N":"1"}}`,
		"a hash key of wrong type":  `{"h":{"N":"1"},"r":{"N":"1"}}`,
		"a range key of wrong type": `{"h":{"S":"a"},"r":{"S":"1"}}`,
		"an empty hash key":         `{"h":{"S":""},"r":{"N":"1"}}`,
		"a hash key of 2049 bytes":  `{"h":{"S":"` + strings.Repeat("k", 2049) + `"},"r":{"N":"1"}}`,
	} {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: f.table, Item: parse(t, key)})
		if code(err) != validation {
			t.Errorf("putting %s: got %v, want %s", name, err, validation)
		}
		_, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: f.table, Key: parse(t, key)})
		if code(err) != validation {
			t.Errorf("updating %s: got %v, want %s", name, err, validation)
		}
	}
	_, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: f.table, Key: parse(t, `{"h":{"S":"a"},"r":{"N":"1"},"more":{"N":"1"}}`),
	})
	wantCode(t, err, validation, "")
	f.put(`{"h":{"S":"a"},"r":{"N":"1"}}`)
	f.put(`{"h":{"S":"a"},"r":{"N":"1.0"},"again":{"BOOL":true}}`)
	f.wantRow(`{"h":{"S":"a"},"r":{"N":"1"}}`, `{"h":{"S":"a"},"r":{"N":"1"},"again":{"BOOL":true}}`)
}

func testRowSize(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	const names = len("leaseKey") + len("a") + len("v")
	fits := strings.Repeat("x", 400*1024-names)
	f.put(`{"leaseKey":{"S":"a"},"v":{"S":"` + fits + `"}}`)
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: f.table, Item: parse(t, `{"leaseKey":{"S":"a"},"v":{"S":"`+fits+`x"}}`),
	})
	wantCode(t, err, validation, "Item size has exceeded the maximum allowed size")
	_, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"a"}}`), UpdateExpression: aws.String("SET w = :w"),
		ExpressionAttributeValues: parse(t, `{":w":{"S":""}}`),
	})
	wantCode(t, err, validation, "Item size to update has exceeded the maximum allowed size")
}

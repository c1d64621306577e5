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

// many makes a lease table of n rows with the keys 0 to n-1, in batches.
func many(t *testing.T, client *dynamodb.Client, n int) *fixture {
	t.Helper()
	f := leases(t, client)
	for first := 0; first < n; first += 25 {
		var requests []types.WriteRequest
		for i := first; i < min(n, first+25); i++ {
			row := parse(t, fmt.Sprintf(`{"leaseKey":{"S":"%d"},"n":{"N":"%d"}}`, i, i))
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: row}})
		}
		_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{*f.table: requests},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// scan goes through all pages and gives the numbers of the rows, ascending.
func (f *fixture) scan(in dynamodb.ScanInput) (numbers []string, pages int) {
	f.Helper()
	in.TableName = f.table
	for {
		out, err := f.client.Scan(f.Context(), &in)
		if err != nil {
			f.Fatal(err)
		}
		if in.Limit != nil && out.ScannedCount > *in.Limit || int(out.Count) != len(out.Items) {
			f.Errorf("a page has %d of %d rows scanned", out.Count, out.ScannedCount)
		}
		if pages++; pages > 1000 {
			f.Fatal("the pages do not end")
		}
		for _, row := range out.Items {
			numbers = append(numbers, showValue(row["n"]))
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			slices.Sort(numbers)
			return numbers, pages
		}
	}
}

func numbersTo(n int) []string {
	var numbers []string
	for i := range n {
		numbers = append(numbers, fmt.Sprint("N:", i))
	}
	slices.Sort(numbers)
	return numbers
}

func testScanPages(s *suite) {
	t, client := s.T, s.client
	const n = 30
	f := many(t, client, n)
	for _, limit := range []int32{1, 7, 30, 31} {
		got, pages := f.scan(dynamodb.ScanInput{Limit: &limit, ConsistentRead: aws.Bool(limit == 7)})
		if !slices.Equal(got, numbersTo(n)) || pages < n/int(limit) {
			t.Errorf("%d pages of %d gave %v", pages, limit, got)
		}
	}
	empty := leases(t, client)
	out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: empty.table, Limit: aws.Int32(1)})
	if err != nil || out.Count != 0 || out.Items == nil || out.LastEvaluatedKey != nil {
		t.Errorf("scan of nothing gave %+v, %v", out, err)
	}
}

func testScanSegments(s *suite) {
	t, client := s.T, s.client
	const n = 100
	f := many(t, client, n)
	for _, total := range []int32{1, 3, 10} {
		var all []string
		for segment := range total {
			got, _ := f.scan(dynamodb.ScanInput{Segment: &segment, TotalSegments: &total, Limit: aws.Int32(9)})
			all = append(all, got...)
		}
		slices.Sort(all)
		if !slices.Equal(all, numbersTo(n)) {
			t.Errorf("%d segments together have %d rows: %v", total, len(all), all)
		}
	}
}

func testScanFilters(s *suite) {
	t, client := s.T, s.client
	const n = 30
	f := many(t, client, n)
	filtered := dynamodb.ScanInput{
		FilterExpression: aws.String("n < :n"), ExpressionAttributeValues: parse(t, `{":n":{"N":"10"}}`), Limit: aws.Int32(4),
	}
	if got, _ := f.scan(filtered); !slices.Equal(got, numbersTo(10)) {
		t.Errorf("the filter gave %v", got)
	}
	out, err := client.Scan(t.Context(), &dynamodb.ScanInput{
		TableName: f.table, FilterExpression: aws.String("n < :n"), ExpressionAttributeValues: parse(t, `{":n":{"N":"10"}}`),
		Select: types.SelectCount,
	})
	if err != nil || out.Count != 10 || out.ScannedCount != n || out.Items != nil {
		t.Errorf("the count gave %+v, %v", out, err)
	}
	out, err = client.Scan(t.Context(), &dynamodb.ScanInput{
		TableName: f.table, FilterExpression: aws.String("leaseKey = :k AND #n = :n"), ProjectionExpression: aws.String("#n"),
		ExpressionAttributeValues: parse(t, `{":k":{"S":"7"},":n":{"N":"7"}}`), ExpressionAttributeNames: map[string]string{"#n": "n"},
	})
	if err != nil || len(out.Items) != 1 || show(out.Items[0]) != "{n=N:7}" {
		t.Errorf("the projection gave %+v, %v", out, err)
	}
}

func testScanRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	for name, in := range map[string]*dynamodb.ScanInput{
		"a limit of 0":                {Limit: aws.Int32(0)},
		"a segment of none":           {Segment: aws.Int32(0)},
		"segments, but not which":     {TotalSegments: aws.Int32(2)},
		"a segment too many":          {Segment: aws.Int32(2), TotalSegments: aws.Int32(2)},
		"a million segments and one":  {Segment: aws.Int32(0), TotalSegments: aws.Int32(1_000_001)},
		"an unknown index":            {IndexName: aws.String("none")},
		"another key to start at":     {ExclusiveStartKey: parse(t, `{"other":{"S":"a"}}`)},
		"values without expression":   {ExpressionAttributeValues: parse(t, `{":a":{"S":"a"}}`)},
		"a filter that is no filter":  {FilterExpression: aws.String("a")},
		"a projection that is none":   {ProjectionExpression: aws.String("a,")},
		"a filter without its values": {FilterExpression: aws.String("a = :a")},
	} {
		in.TableName = f.table
		if _, err := client.Scan(t.Context(), in); code(err) != validation {
			t.Errorf("%s: got %v, want %s", name, err, validation)
		}
	}
}

// testPageSize asserts that a page ends with the row that brings it to 1 MB.
func testPageSize(s *suite) {
	t, client := s.T, s.client
	f := ranged(t, client)
	const n = 8
	for i := range n {
		f.put(fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"},"n":{"N":"%d"},"v":{"S":%q}}`, i, i, strings.Repeat("x", 300*1024)))
	}
	got, pages := f.scan(dynamodb.ScanInput{ProjectionExpression: aws.String("n")})
	if !slices.Equal(got, numbersTo(n)) || pages != 2 && pages != 3 {
		t.Errorf("%d pages gave %v", pages, got)
	}
	out, err := client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: f.table, KeyConditionExpression: aws.String("h = :h"),
		ExpressionAttributeValues: parse(t, `{":h":{"S":"a"}}`),
	})
	if err != nil || out.Count != 4 || out.ScannedCount != 4 || sorts([]attributes{out.LastEvaluatedKey}) != "3" {
		t.Errorf("the first page is %d of %d up to %s, %v", out.Count, out.ScannedCount, show(out.LastEvaluatedKey), err)
	}
}

// Package dynamodbtest is the conformance suite of DynamoDB servers, as far as
// a lease table needs one: the same tests hold this repository's in-memory
// server and Amazon's DynamoDB Local to the same answers, so that tests that
// pass against the one mean something for the other.
//
// The suite asserts what DynamoDB documents and both servers do. It does not
// assert the wording of errors where it differs between DynamoDB and DynamoDB
// Local, the order of a Scan, or capacity of indexes.
package dynamodbtest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Run tests the server behind client. Each test makes tables of its own, with
// names not used before, and deletes them; others may use the server at the
// same time.
func Run(t *testing.T, client *dynamodb.Client) {
	t.Helper()
	for name, test := range map[string]func(*suite){
		"tables":                  testTables,
		"deletion protection":     testDeletionProtection,
		"time to live":            testTimeToLive,
		"indexes":                 testIndexes,
		"index on a filled table": testBackfill,
		"values":                  testValues,
		"values refused":          testValuesRefused,
		"numbers":                 testNumbers,
		"keys refused":            testKeysRefused,
		"row size":                testRowSize,
		"conditions":              testConditions,
		"conditions refused":      testConditionsRefused,
		"conditions without row":  testConditionsWithoutRow,
		"old row of a failure":    testOldRowOfFailure,
		"updates":                 testUpdates,
		"updates refused":         testUpdatesRefused,
		"return values":           testReturnValues,
		"lease life":              testLeaseLife,
		"legacy conditions":       testLegacyConditions,
		"legacy updates":          testLegacyUpdates,
		"legacy refused":          testLegacyRefused,
		"projections":             testProjections,
		"reserved words":          testReservedWords,
		"queries":                 testQueries,
		"queries refused":         testQueriesRefused,
		"query pages":             testQueryPages,
		"index query pages":       testIndexQueryPages,
		"scan pages":              testScanPages,
		"scan segments":           testScanSegments,
		"scan filters":            testScanFilters,
		"scan refused":            testScanRefused,
		"page size":               testPageSize,
		"batches":                 testBatches,
		"batches refused":         testBatchesRefused,
		"transactions":            testTransactions,
		"transaction reasons":     testTransactionReasons,
		"transaction token":       testTransactionToken,
		"transactions refused":    testTransactionsRefused,
		"transaction size":        testTransactionSize,
		"transactional reads":     testTransactionalReads,
		"throughput unchanged":    testThroughputUnchanged,
		"capacity":                testCapacity,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&suite{t, client})
		})
	}
}

// suite is a test and the server it is about.
type suite struct {
	*testing.T

	client *dynamodb.Client
}

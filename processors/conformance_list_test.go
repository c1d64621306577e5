package processors_test

import (
	"testing"
	"testing/synctest"
)

// TestConformance has the statements of docs/conformance.md by their numbers, as who
// runs an archiver sees them.
func TestConformance(t *testing.T) {
	t.Parallel()
	conformKeys(t)
	conformRefusals(t)
	conformBuffers(t)
	conformBodies(t)
	conformFailures(t)
	conformTransforms(t)
	conformPartitions(t)
	conformDocuments(t)
}

// statement is the test of a statement, or of a part of it, in virtual time.
func statement(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

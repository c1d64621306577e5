package main

import (
	"strings"
	"testing"
)

// TestConformance has the statements of docs/conformance.md that are about a
// configuration's words.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("F12", func(t *testing.T) {
		t.Parallel()
		r := checks(t, nil, checkedConfig+"  CompressionFormat: SNAPPY\n", "--offline")
		const says = "1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: " +
			"Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"
		if r.code != 2 || !strings.Contains(r.err, says) {
			t.Errorf("exit %d, stderr %s", r.code, r.err)
		}
	})
}

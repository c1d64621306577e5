package localaws_test

import "testing"

// What an example shows of a test needs a *testing.T to run.
func TestExample(t *testing.T) {
	t.Parallel()
	testSlowPut(t)
}

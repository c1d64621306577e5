package kcltest_test

import "testing"

// What examples show of tests needs a *testing.T to run.
func TestExamples(t *testing.T) {
	t.Parallel()
	t.Run("SlowDatabase", func(t *testing.T) {
		t.Parallel()
		testSlowDatabase(t)
	})
	t.Run("Alarm", func(t *testing.T) {
		t.Parallel()
		testAlarm(t)
	})
}

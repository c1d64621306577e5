package kcl

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What counts is how long a request was refused, not how long ago: while a
// process is stopped it makes none, and its next one may well succeed.
func TestOneOldErrorIsNoTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tr troubles
		tr.outcome(doingList, ErrAccessDenied)
		time.Sleep(time.Hour)
		if tell, last := tr.due(time.Now(), time.Second, time.Minute); len(tell) != 1 || last != nil {
			t.Errorf("after one refusal: told %v, ended with %v", tell, last)
		}
		tr.outcome(doingList, ErrAccessDenied)
		if _, last := tr.due(time.Now(), time.Second, time.Minute); !errors.Is(last, ErrAccessDenied) {
			t.Errorf("refused for an hour: %v", last)
		}
		tr.outcome(doingList, nil)
		if tell, last := tr.due(time.Now(), time.Second, time.Minute); len(tell) != 0 || last != nil {
			t.Errorf("after a success: told %v, ended with %v", tell, last)
		}
	})
}

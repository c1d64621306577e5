package kcl_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/shardmill/shardmill/kcl"
)

// What GiveUp wraps is told however deep it lies, and nothing else is.
func TestIsGiveUp(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"GiveUp's":      {kcl.GiveUp(fault), true},
		"wrapped":       {fmt.Errorf("writing: %w", kcl.GiveUp(fault)), true},
		"joined":        {errors.Join(fault, kcl.GiveUp(fault)), true},
		"another":       {fault, false},
		"GiveUp of nil": {kcl.GiveUp(nil), false},
	} {
		if got := kcl.IsGiveUp(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	if !errors.Is(kcl.GiveUp(fault), fault) {
		t.Error("it hides what it wraps")
	}
}

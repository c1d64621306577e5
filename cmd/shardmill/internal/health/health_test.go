package health

import (
	"testing"

	_ "github.com/prometheus/client_golang/prometheus/testutil"
)

func TestX(*testing.T) { _ = metrics }

package processors

import (
	"fmt"
	"time"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// ExampleKey returns the key that an object has whose oldest record arrived at at;
// but for the UUID, which is all zeros, and what is drawn at random. The error is
// that of [New].
func (c Config) ExampleKey(at time.Time) (string, error) {
	s, err := c.settle()
	if err != nil {
		return "", fmt.Errorf("archiver's configuration: %w", err)
	}
	return s.lanes[0].key(at, exactlyonce.UUID{}, s.lanes[0].format)
}

package localrun

import (
	"errors"
	"fmt"

	"github.com/shardmill/shardmill/localaws"
)

// DirError says why local services could not be opened with --dir, and what to
// do if another process has it.
func DirError(dir string, err error) error {
	if errors.Is(err, localaws.ErrDirInUse) {
		return fmt.Errorf("another process keeps its objects in %s; stop that one, or choose another directory with --dir", dir)
	}
	return fmt.Errorf("opening %s: %w", dir, err)
}

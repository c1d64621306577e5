//go:build !linux && !darwin

package lease

import "time"

// suspendedTime is not known here. On Windows time.Now's monotonic reading counts
// it by itself. Elsewhere trust may end late after a suspension, and the fence
// alone holds until the next write.
func suspendedTime() time.Duration { return 0 }

package lease

// Drop stops holding without a write: the lease runs out by itself.
func (h *Held) Drop(cause error) { h.end(cause) }

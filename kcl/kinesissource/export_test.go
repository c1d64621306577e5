package kinesissource

// KeepReleased lets a source of a benchmark not overwrite what was released.
func KeepReleased(s *Source) { s.decoder.Pool.Clean = true }

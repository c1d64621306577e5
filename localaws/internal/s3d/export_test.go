package s3d

import "io"

// WrapWrites has every file that a body is written to from now on written
// through wrap.
func (s *Server) WrapWrites(wrap func(io.Writer) io.Writer) {
	if d, ok := s.storage.(*disk); ok {
		d.wrap = wrap
	}
}

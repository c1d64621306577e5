package s3d

import (
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// WrapWrites has every file that a body is written to from now on written
// through wrap.
func (s *Server) WrapWrites(wrap func(io.Writer) io.Writer) {
	if d, ok := s.storage.(*disk); ok {
		d.wrap = wrap
	}
}

// IgnoreCase has the server see its directory, from now on, as a file system
// does that finds a name in whatever case; it reports whether the server then
// found that out.
func (s *Server) IgnoreCase() bool {
	d, ok := s.storage.(*disk)
	if !ok {
		return false
	}
	d.lstat = func(name string) (fs.FileInfo, error) {
		at := "."
		for segment := range strings.SplitSeq(filepath.ToSlash(name), "/") {
			entries, err := fs.ReadDir(d.root.FS(), filepath.ToSlash(at))
			if err != nil {
				return nil, err
			}
			found := segment
			for _, e := range entries {
				if strings.EqualFold(e.Name(), segment) {
					found = e.Name()
				}
			}
			at = filepath.Join(at, found)
		}
		return d.root.Lstat(at)
	}
	return d.probe() == nil && d.folds
}

package s3d

import "io"

// storage keeps the bytes of objects; which objects there are is the index's
// to know. Calls for one key come one at a time, others at once.
type storage interface {
	// spool opens a place for a body that is being received.
	spool() (spool, error)
	// join makes one spool of several, which stay as they are.
	join(parts []spool) (spool, error)
	// publish makes a spool the content of o, in the place of old, which is
	// nil if the key is new: readers see the one or the other. It takes the
	// spool over if it succeeds, and sets what o needs to be found.
	publish(bucket string, o, old *object, body spool) error
	open(bucket string, o *object) (io.ReadSeekCloser, error)
	remove(bucket string, o *object) error
	addBucket(name string) error
	removeBucket(name string) error
	close() error
}

// spool is a body in no one's sight yet. Its owner calls close after the last
// Write, and discard unless the spool was published.
type spool interface {
	io.Writer
	close() error
	discard()
}

// Package s3d is an S3 server inside this process, for running and testing
// programs that archive to S3.
//
// The wire protocol of the reading and listing operations comes from gofakes3.
// What an archiver's correctness hangs on is served by this package's own
// handlers in front of it: PutObject, UploadPart, CompleteMultipartUpload and
// CreateBucket, with conditional writes, checksums and part sizes checked as
// S3 checks them.
//
// # On disk
//
// With Options.Dir, an object is a plain file at <dir>/<bucket>/<key>:
//
//	<dir>/logs/2026/11/22/13/orders-1-….gz   the object, to ls and zcat
//	<dir>/.meta/logs/…                       headers, user metadata and ETag
//	<dir>/.hidden/logs/…                     objects whose key cannot be a file
//	<dir>/.tmp/                              bodies still being received
//
// A key cannot be a file if it has an empty segment, or one that is "." or
// "..", is longer than 255 bytes or contains NUL; if another object's key needs
// a directory where this one needs a file; if a symbolic link is in its way; or
// if the file system ignores case, or how a letter is composed, and has it in
// another spelling. Such an object is kept in .hidden under a hash of its key
// and behaves like any other through the API.
//
// A file becomes visible by a rename, its metadata before it, so that a crash of
// the process leaves the old object or the new one, each with its own metadata.
// Nothing is synced: a crash of the machine may lose what was written last. Who
// reads an object that is replaced or deleted meanwhile reads on in the old one,
// on Windows too: os.Root opens files so that they may be deleted, and renames
// and deletes them as POSIX does. NTFS can do so since Windows 10; on a file
// system that cannot, such as FAT, the put or the delete fails. One server at a
// time has a directory: it holds a lock on <dir>/.lock until Close or the end of
// its process, however that comes.
//
// New reads the directory, and what it finds are the objects. A file without
// metadata, or changed since by hand, is an object with the MD5 of its
// content as ETag and no metadata; names that begin with a dot or cannot be a
// key are left out. Metadata is believed only of the file that has the key's
// very name. What is changed by hand while the server runs is seen at the next
// start. Unfinished multipart uploads do not survive a restart.
//
// Whoever may write to the directory may change the objects, but not make the
// server touch a file outside of it, neither by a name nor by a symbolic link:
// it goes through os.Root. A bucket that is a symbolic link is refused.
package s3d

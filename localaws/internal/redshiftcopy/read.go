package redshiftcopy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Source is S3, with a COPY's own access to it.
type Source interface {
	// Get returns an object. Its error's text is that of Redshift; ErrNotFound in it says
	// that there is none.
	Get(ctx context.Context, bucket, key string) ([]byte, error)

	// List returns the keys that begin with a prefix, sorted.
	List(ctx context.Context, bucket, prefix string) ([]string, error)
}

// ErrNotFound means that S3 says that there is no such object.
var ErrNotFound = errors.New("NoSuchKey")

// Rows is what a COPY brings.
type Rows struct {
	Values [][]*string // of the columns that Read was given, in their order; nil for NULL
	Errors []LineError // of lines that are no rows
	Files  int
}

// maxObject is the largest object, decompressed.
const maxObject = 1 << 30

// Read returns the rows of a COPY into columns. Lines that are no rows are in Rows.Errors;
// once there are as many as MAXERROR says, and at least one, nothing more is read: the
// COPY has failed (Failed).
//
// Errors: *Error.
func Read(ctx context.Context, s Statement, columns []Column, from Source) (Rows, error) {
	r := rowReader{s: &s, columns: columns, source: from}
	files, err := r.files(ctx)
	if err != nil {
		return Rows{}, err
	}
	if s.JSONPaths != "" {
		if err = r.readPaths(ctx); err != nil {
			return Rows{}, err
		}
	}
	for _, f := range files {
		text, found, err := r.object(ctx, f)
		if err != nil {
			return Rows{}, err
		}
		if !found {
			continue
		}
		r.rows.Files++
		r.file = f.URL
		r.readObject(text)
		if s.Failed(r.rows) {
			break
		}
	}
	return r.rows, nil
}

// Failed reports whether there are too many errors for the COPY to go on.
// Source: Redshift "MAXERROR": "If the load returns the error_count number of errors or
// greater, the load fails".
func (s *Statement) Failed(r Rows) bool { return len(r.Errors) >= max(s.MaxError, 1) }

// FailedError is how a COPY ends that failed for its lines.
func (s *Statement) FailedError() *Error {
	return &Error{
		Code:    "XX000",
		Message: "Load into table '" + s.Table.Table + "' failed.  Check 'stl_load_errors' system table for details.",
	}
}

// file is an object to be loaded.
type file struct {
	URL       string `json:"url"`
	Mandatory bool   `json:"mandatory"`
}

// rowReader reads the objects of one COPY.
type rowReader struct {
	s       *Statement
	columns []Column
	source  Source
	paths   []path // of JSON paths; nil for 'auto'
	file    string
	rows    Rows
}

func splitURL(url string) (bucket, key string, ok bool) {
	rest, isS3 := strings.CutPrefix(url, "s3://")
	bucket, key, hasKey := strings.Cut(rest, "/")
	return bucket, key, isS3 && hasKey && bucket != ""
}

// files are those that a manifest lists, or those with a prefix.
func (r *rowReader) files(ctx context.Context) ([]file, error) {
	bucket, key, ok := splitURL(r.s.From)
	if !ok {
		return nil, broken(r.s.From, "Invalid S3 URI: %s", r.s.From)
	}
	if r.s.Manifest {
		return r.manifest(ctx, bucket, key)
	}
	keys, err := r.source.List(ctx, bucket, key)
	if err != nil {
		return nil, broken(r.s.From, "%s", err)
	}
	if len(keys) == 0 {
		return nil, broken(r.s.From, "The specified S3 prefix '%s' does not exist", key)
	}
	var list []file
	for _, k := range keys {
		list = append(list, file{URL: "s3://" + bucket + "/" + k, Mandatory: true})
	}
	return list, nil
}

func (r *rowReader) manifest(ctx context.Context, bucket, key string) ([]file, error) {
	text, err := r.source.Get(ctx, bucket, key)
	if err != nil {
		return nil, broken(r.s.From, "Problem reading manifest file - %s", err)
	}
	var m struct{ Entries []file }
	if err = json.Unmarshal(text, &m); err != nil || m.Entries == nil {
		return nil, broken(r.s.From, "Manifest file is not in correct json format: %s", r.s.From)
	}
	for _, f := range m.Entries {
		if _, key, ok := splitURL(f.URL); !ok || key == "" {
			return nil, broken(f.URL, "COPY with MANIFEST parameter requires full path of an S3 object.")
		}
	}
	return m.Entries, nil
}

// object returns the text of an object; found is false if it may be missing, and is.
func (r *rowReader) object(ctx context.Context, f file) (text []byte, found bool, err error) {
	bucket, key, _ := splitURL(f.URL)
	text, err = r.source.Get(ctx, bucket, key)
	switch {
	case errors.Is(err, ErrNotFound) && !f.Mandatory:
		return nil, false, nil
	case errors.Is(err, ErrNotFound) && r.s.Manifest:
		return nil, false, broken(f.URL, "The specified S3 prefix '%s' does not exist: Mandatory url is not present in manifest or not in S3", key)
	case err != nil:
		return nil, false, broken(f.URL, "%s", err)
	case !r.s.Gzip:
		return text, true, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(z, maxObject+1))
	}
	if err != nil {
		return nil, false, broken(f.URL, "Gzip/Bzip2/Zstd decompression failed: not in gzip format")
	}
	if len(text) > maxObject {
		return nil, false, broken(f.URL, "the object has more than %d bytes, which is the limit here", maxObject)
	}
	return text, true, nil
}

// readObject reads the rows of one object.
func (r *rowReader) readObject(text []byte) {
	switch r.s.Format {
	case JSON:
		r.readJSON(text)
	default:
		r.readLines(string(text))
	}
}

// line says where a row is.
type line struct {
	number int64
	text   string
}

// fail notes that a line is no row.
func (r *rowReader) fail(l line, e LineError) {
	e.File, e.Line = r.file, l.number
	e.Line1024 = l.text[:min(len(l.text), 1024)]
	e.Reason = e.Reason[:min(len(e.Reason), 100)]
	r.rows.Errors = append(r.rows.Errors, e)
}

// add converts the fields of a line, and keeps them as a row. A missing one is NULL.
func (r *rowReader) add(l line, fields []*string, positions []int) {
	row := make([]*string, len(r.columns))
	for i, c := range r.columns {
		var field *string
		if i < len(fields) {
			field = fields[i]
		}
		v, err := r.convert(c, field)
		if err != nil {
			e := LineError{Column: c.Name, Type: c.Type, Code: err.code, Reason: err.reason}
			if field != nil {
				e.Field = *field
			}
			if i < len(positions) {
				e.Position = positions[i]
			}
			r.fail(l, e)
			return
		}
		row[i] = v
	}
	r.rows.Values = append(r.rows.Values, row)
}

// convert returns the value of a field; nil is NULL.
func (r *rowReader) convert(c Column, field *string) (*string, *valueError) {
	if field == nil || r.isNull(c.Type, *field) {
		if c.NotNull {
			return nil, &valueError{CodeNull, "Missing data for not-null field"}
		}
		return nil, nil //nolint:nilnil // NULL, and no error
	}
	v, err := c.Type.value(*field, r.s)
	if err != nil && err.code == CodeDate && r.s.AcceptAnyDate {
		return nil, nil //nolint:nilnil // as ACCEPTANYDATE says
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// isNull reports whether a text stands for NULL.
func (r *rowReader) isNull(t Type, text string) bool {
	if t.Kind != Varchar && t.Kind != Char && t.Kind != Super {
		return text == r.s.NullAs || strings.TrimSpace(text) == ""
	}
	return text == r.s.NullAs && r.s.Format != JSON ||
		r.s.EmptyAsNull && text == "" || r.s.BlanksAsNull && text != "" && strings.TrimSpace(text) == ""
}

// Package unpack opens the bodies that package container makes, for tests: with
// readers that others wrote, as far as Go has them, and for the framings of
// Snappy with ones that follow their programs' sources.
package unpack

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Body returns what is in a body, by the object's Content-Encoding.
func Body(encoding string, body []byte) ([]byte, error) {
	switch encoding {
	case "":
		return body, nil
	case "gzip":
		return unzipMember(body)
	case "zip":
		content, _, err := Zip(body)
		return content, err
	case "snappy-java":
		return xerial(body)
	case "hadoop-snappy":
		return hadoop(body)
	case "zstd":
		z, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return z.DecodeAll(body, nil)
	default:
		return nil, fmt.Errorf("Content-Encoding %q is none of a container", encoding)
	}
}

// unzipMember reads a body of one gzip member: some readers stop after the first.
func unzipMember(body []byte) ([]byte, error) {
	rest := bytes.NewReader(body)
	z, err := gzip.NewReader(rest)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	content, err := io.ReadAll(z)
	if err == nil && rest.Len() > 0 {
		err = fmt.Errorf("%d bytes after the gzip member", rest.Len())
	}
	return content, err
}

// Zip returns the content of an archive of one entry, and the entry.
func Zip(body []byte) ([]byte, *zip.File, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, nil, err
	}
	if len(z.File) != 1 {
		return nil, nil, fmt.Errorf("an archive of %d entries", len(z.File))
	}
	r, err := z.File[0].Open()
	if err != nil {
		return nil, nil, err
	}
	content, err := io.ReadAll(r)
	return content, z.File[0], err
}

const (
	xerialHead  = "\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
	xerialBlock = 32 << 10
)

// errShort means that a body ends within a block or a length.
var errShort = errors.New("the body ends early")

func xerial(body []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(body, []byte(xerialHead))
	if !ok {
		return nil, errors.New("the body does not begin as a stream of snappy-java")
	}
	var content []byte
	for len(rest) > 0 {
		var block []byte
		var err error
		if block, rest, err = next(rest); err != nil {
			return nil, err
		}
		if len(block) > xerialBlock {
			return nil, fmt.Errorf("a block of %d bytes", len(block))
		}
		content = append(content, block...)
	}
	return content, nil
}

// hadoop reads as BlockDecompressorStream does: a block may have several parts.
func hadoop(body []byte) ([]byte, error) {
	var content []byte
	for len(body) > 0 {
		if len(body) < 4 {
			return nil, errShort
		}
		left := int(binary.BigEndian.Uint32(body))
		body = body[4:]
		if left == 0 && len(body) > 0 {
			return nil, fmt.Errorf("%d bytes behind the end", len(body))
		}
		for left > 0 {
			var part []byte
			var err error
			if part, body, err = next(body); err != nil {
				return nil, err
			}
			if len(part) > left || len(part) > 256<<10 {
				return nil, fmt.Errorf("a part of %d bytes, %d are left of its block", len(part), left)
			}
			content, left = append(content, part...), left-len(part)
		}
	}
	return content, nil
}

// next returns the block that follows its length, and what follows it.
func next(b []byte) (block, rest []byte, err error) {
	if len(b) < 4 || len(b)-4 < int(binary.BigEndian.Uint32(b)) {
		return nil, nil, errShort
	}
	n := int(binary.BigEndian.Uint32(b))
	block, err = snappy.Decode(nil, b[4:4+n])
	return block, b[4+n:], err
}

package s3d

import (
	"crypto/md5"  //nolint:gosec // S3's ETag and Content-MD5 are MD5
	"crypto/sha1" //nolint:gosec // one of S3's checksum algorithms
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// checksumHeader begins the header of each checksum algorithm.
const checksumHeader = "X-Amz-Checksum-"

// newChecksum returns the hash of an algorithm as S3 names it in a header, in
// lower case, or nil if this server does not have it.
func newChecksum(algorithm string) hash.Hash {
	switch algorithm {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	case "sha1":
		return sha1.New() //nolint:gosec // see the import
	case "sha256":
		return sha256.New()
	}
	return nil
}

// check is one digest of a body that a client announced.
type check struct {
	hash.Hash
	name   string // header that announced it, in canonical form
	want   string
	encode func([]byte) string
	code   string // S3's error code if it differs
}

func (c *check) ok() bool { return c.encode(c.Sum(nil)) == c.want }

// contentChecks are the digests that the headers of a request announce for its
// body.
func contentChecks(h http.Header) ([]*check, error) {
	var checks []*check
	switch want := h.Get("X-Amz-Content-Sha256"); {
	case len(want) == hex.EncodedLen(sha256.Size):
		checks = append(checks, &check{
			Hash: sha256.New(), name: "X-Amz-Content-Sha256", want: want,
			encode: hex.EncodeToString, code: "XAmzContentSHA256Mismatch",
		})
	case want != "" && want != "UNSIGNED-PAYLOAD" && !strings.HasPrefix(want, "STREAMING-"):
		return nil, refuse(http.StatusBadRequest, "InvalidArgument",
			"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- form, or a SHA-256 in hexadecimal digits: %q", want)
	}
	if values := h.Values("Content-MD5"); len(values) > 0 {
		sum, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil || len(sum) != md5.Size {
			return nil, refuse(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.")
		}
		checks = append(checks, &check{
			Hash: md5.New(), name: "Content-Md5", want: values[0], //nolint:gosec // see the import
			encode: base64.StdEncoding.EncodeToString, code: "BadDigest",
		})
	}
	sums, err := checksumChecks(h)
	return append(checks, sums...), err
}

// checksumChecks are the x-amz-checksum-… headers of a request or a trailer:
// at most one.
func checksumChecks(h http.Header) ([]*check, error) {
	var checks []*check
	for name, values := range h {
		algorithm, ok := strings.CutPrefix(name, checksumHeader)
		if !ok || algorithm == "Algorithm" || algorithm == "Type" || algorithm == "Mode" {
			continue
		}
		c, err := newCheck(name, values[0])
		if err != nil {
			return nil, err
		}
		checks = append(checks, c)
	}
	if len(checks) > 1 {
		return nil, refuse(http.StatusBadRequest, "InvalidRequest",
			"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	return checks, nil
}

// newCheck checks a body against the x-amz-checksum-… header given.
func newCheck(name, want string) (*check, error) {
	name = http.CanonicalHeaderKey(strings.TrimSpace(name))
	sum := newChecksum(strings.ToLower(strings.TrimPrefix(name, checksumHeader)))
	if sum == nil || !strings.HasPrefix(name, checksumHeader) {
		return nil, notImplemented("the checksum " + name)
	}
	return &check{Hash: sum, name: name, want: want, encode: base64.StdEncoding.EncodeToString, code: "BadDigest"}, nil
}

// checksums are the members of XML that are checksums.
type checksums struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
}

// member is that for the algorithm of a header; nil if there is none.
func (c *checksums) member(header string) *string {
	return map[string]*string{
		"Crc32": &c.ChecksumCRC32, "Crc32c": &c.ChecksumCRC32C, "Crc64nvme": &c.ChecksumCRC64NVME,
		"Sha1": &c.ChecksumSHA1, "Sha256": &c.ChecksumSHA256,
	}[strings.TrimPrefix(header, checksumHeader)]
}

func (c *checksums) set(header, value string) {
	if member := c.member(header); member != nil {
		*member = value
	}
}

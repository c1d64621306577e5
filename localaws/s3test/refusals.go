package s3test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func testWrongChecksum(t *testing.T, b bucket) {
	t.Helper()
	in := func() *s3.PutObjectInput {
		return &s3.PutObjectInput{Bucket: b.name, Key: aws.String("key"), Body: strings.NewReader("content")}
	}
	for _, row := range []struct {
		name string
		set  func(*s3.PutObjectInput)
	}{
		{"CRC32", func(p *s3.PutObjectInput) { p.ChecksumCRC32 = aws.String("AAAAAA==") }},
		{"CRC32C", func(p *s3.PutObjectInput) { p.ChecksumCRC32C = aws.String("AAAAAA==") }},
		{"CRC64NVME", func(p *s3.PutObjectInput) { p.ChecksumCRC64NVME = aws.String("AAAAAAAAAAA=") }},
		{"SHA1", func(p *s3.PutObjectInput) { p.ChecksumSHA1 = aws.String("AAAAAAAAAAAAAAAAAAAAAAAAAAA=") }},
		{"SHA256", func(p *s3.PutObjectInput) {
			p.ChecksumSHA256 = aws.String("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		}},
		{"MD5", func(p *s3.PutObjectInput) { p.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") }},
	} {
		put := in()
		row.set(put)
		_, err := b.PutObject(t.Context(), put)
		if err == nil {
			t.Errorf("a wrong %s was accepted", row.name)
			continue
		}
		wantCode(t, err, "BadDigest", "XAmzContentChecksumMismatch")
		wantStatus(t, err, 400)
		b.hasNot(t, "key")
	}
}

func testWrongPartChecksum(t *testing.T, b bucket) {
	t.Helper()
	u := b.begin(t, "key")
	_, err := b.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: b.name, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(1),
		Body: strings.NewReader("content"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	wantCode(t, err, "BadDigest")
	parts, err := b.ListParts(t.Context(), &s3.ListPartsInput{Bucket: b.name, Key: &u.key, UploadId: u.id})
	if err != nil || len(parts.Parts) > 0 {
		t.Errorf("the upload has parts %+v, %v; want none", parts.Parts, err)
	}
}

func testRightChecksums(t *testing.T, b bucket) {
	t.Helper()
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		key := string(algorithm)
		content := bytesOf(300_000, 'c')
		out, err := b.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: b.name, Key: &key, Body: bytes.NewReader(content), ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		sums := []*string{out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256}
		if len(strings.Join(aws.ToStringSlice(sums), "")) == 0 {
			t.Errorf("%s: the answer has no checksum", key)
		}
		b.has(t, key, string(content))
	}
}

// as is a client of the same server with other credentials. It shares no
// signer with the first, which remembers the key of the right secret.
func (b bucket) as(key, secret string) *s3.Client {
	o := b.Options()
	return s3.New(s3.Options{
		Region: o.Region, BaseEndpoint: o.BaseEndpoint, UsePathStyle: o.UsePathStyle, HTTPClient: o.HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	})
}

func testWrongSecret(t *testing.T, b bucket) {
	t.Helper()
	other := b.withWrongSecret(t)
	putRefused(t, other, b, 10)
	_, err := other.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b.name})
	wantCode(t, err, "SignatureDoesNotMatch")
}

func testLargeWrongSecret(t *testing.T, b bucket) {
	t.Helper()
	putRefused(t, b.withWrongSecret(t), b, 4<<20)
}

// putRefused puts an object as a client whose secret is wrong.
func putRefused(t *testing.T, client *s3.Client, b bucket, size int) {
	t.Helper()
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: b.name, Key: aws.String("key"), Body: bytes.NewReader(bytesOf(size, 's')),
	})
	wantCode(t, err, "SignatureDoesNotMatch")
	wantStatus(t, err, 403)
	b.hasNot(t, "key")
}

// withWrongSecret is a client with the right access key and a wrong secret.
func (b bucket) withWrongSecret(t *testing.T) *s3.Client {
	t.Helper()
	key, err := b.Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b.as(key.AccessKeyID, key.SecretAccessKey+"x")
}

func testUnknownKey(t *testing.T, b bucket) {
	t.Helper()
	_, err := b.as("nobody", "secret").GetObject(t.Context(), &s3.GetObjectInput{Bucket: b.name, Key: aws.String("key")})
	// The latter is versitygw's name for it.
	wantCode(t, err, "InvalidAccessKeyId", "XAdminUserNotFound")
}

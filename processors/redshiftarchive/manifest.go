package redshiftarchive

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// Where manifests are, below Prefix. Source: Firehose; that of manifests of COPYs is
// inferred.
const (
	manifests       = "manifests/"
	errorsManifests = "errors/manifests/"
)

// manifestJSON is a manifest. Source: Redshift "Using a manifest to specify data files".
type manifestJSON struct {
	Entries []entryJSON `json:"entries"`
}

type entryJSON struct {
	URL       string `json:"url"`
	Mandatory bool   `json:"mandatory"`
}

// manifestBody returns the manifest of these URLs. An object that is missing fails the COPY.
func manifestBody(urls []string) []byte {
	m := manifestJSON{Entries: make([]entryJSON, len(urls))}
	for i, url := range urls {
		m.Entries[i] = entryJSON{URL: url, Mandatory: true}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a URL is written as it is
	_ = e.Encode(m)        //nolint:errchkjson // texts
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// manifest is a manifest and its name.
type manifest struct {
	id   exactlyonce.UUID
	name string // below manifests/ and errors/manifests/
	urls []string
}

// newManifest makes a manifest whose name has the instant at, in UTC. Which one Firehose's
// have is not known; here it is when the manifest is made.
func (s *settings) newManifest(at time.Time, urls []string) manifest {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return s.named(at, exactlyonce.NewUUID(random), urls)
}

// named is newManifest with an id.
func (s *settings) named(at time.Time, id exactlyonce.UUID, urls []string) manifest {
	m := manifest{id: id, urls: urls}
	at = at.UTC()
	m.name = at.Format("2006/01/02/15/") + s.Staging.DeliveryStreamName + at.Format("-2006-01-02-15-04-05-") + m.id.String()
	return m
}

// manifestKey returns the key of a manifest: what stands before its name follows Prefix as
// it is, with nothing between.
func (s *settings) manifestKey(before string, m manifest) string {
	return s.Staging.Prefix + before + m.name
}

// url returns that of a key in the bucket.
func (s *settings) url(key string) string { return "s3://" + s.Staging.Bucket + "/" + key }

// manifestObject returns the object of a manifest.
func (s *settings) manifestObject(before string, m manifest) processors.Object {
	body := manifestBody(m.urls)
	return processors.Object{
		Bucket: s.Staging.Bucket, Key: s.manifestKey(before, m),
		Body:        io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))),
		ContentType: "application/octet-stream", AWSKMSKeyARN: s.Staging.AWSKMSKeyARN,
	}
}

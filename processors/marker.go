package processors

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// markerVersion is that of the markers that Encode makes.
const markerVersion = 1

// markerJSON is a marker as it is stored.
type markerJSON struct {
	Version            int          `json:"version"`
	DeliveryStreamName string       `json:"deliveryStreamName"`
	Application        string       `json:"application,omitempty"`
	Stream             string       `json:"stream,omitempty"`
	Objects            []markedJSON `json:"objects"`
}

type markedJSON struct {
	URL     string `json:"url"`
	Size    int64  `json:"size"`
	Digest  string `json:"xxh3"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	Oldest  string `json:"oldest,omitempty"` // RFC 3339, UTC
}

// URL returns the object's, "s3://BUCKET/KEY", as manifests have it.
func (o MarkedObject) URL() string { return "s3://" + o.Bucket + "/" + o.Key }

// Encode returns the marker as JSON that ParseMarker reads.
func (m Marker) Encode() []byte {
	out := markerJSON{Version: markerVersion, DeliveryStreamName: m.DeliveryStreamName, Application: m.Application, Stream: m.Stream}
	for _, o := range m.Objects {
		e := markedJSON{URL: o.URL(), Size: o.Size, Digest: hex.EncodeToString(o.Digest[:]), Records: o.Records, Bytes: o.Bytes}
		if !o.Oldest.IsZero() {
			e.Oldest = o.Oldest.UTC().Format(time.RFC3339Nano)
		}
		out.Objects = append(out.Objects, e)
	}
	b, _ := json.Marshal(out) //nolint:errchkjson // texts and numbers
	return append(b, '\n')
}

// CheckSource returns nil if the objects come from an application's archivers of a stream,
// else what they come from. Of the stream give the ARN, or the name; where one of both has no
// ARN the names are compared. "" is any. Two that share DeliveryStreamName and staging by
// mistake are told apart so.
func (m Marker) CheckSource(application, stream string) error {
	if application != "" && m.Application != application {
		return fmt.Errorf("it is of the application %q, not %q", m.Application, application)
	}
	mine, other := stream, m.Stream
	if !isARN(mine) || !isARN(other) {
		mine, other = nameOfStream(mine), nameOfStream(other)
	}
	if stream != "" && mine != other {
		return fmt.Errorf("it is of the stream %q, not %q", m.Stream, stream)
	}
	return nil
}

// streamPart stands before the name in a stream's ARN.
const streamPart = ":stream/"

func isARN(stream string) bool { return strings.Contains(stream, streamPart) }

func nameOfStream(stream string) string {
	if _, name, ok := strings.Cut(stream, streamPart); ok {
		return name
	}
	return stream
}

// ErrNewerMarker means that a marker is of a newer version: its objects must be left to a
// loader that knows it.
var ErrNewerMarker = errors.New("marker of a newer version")

// ParseMarker reads what Encode wrote.
//
// Errors: ErrNewerMarker; any other means that the object is no marker, or damaged.
func ParseMarker(b []byte) (Marker, error) {
	var in markerJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return Marker{}, fmt.Errorf("not a marker: %w", err)
	}
	switch {
	case in.Version > markerVersion:
		return Marker{}, fmt.Errorf("%w: %d, known %d", ErrNewerMarker, in.Version, markerVersion)
	case in.Version < 1 || in.DeliveryStreamName == "" || len(in.Objects) == 0:
		return Marker{}, fmt.Errorf("not a marker: version %d, delivery stream %q, %d objects", in.Version, in.DeliveryStreamName, len(in.Objects))
	}
	m := Marker{DeliveryStreamName: in.DeliveryStreamName, Application: in.Application, Stream: in.Stream}
	for i, e := range in.Objects {
		o, err := e.object()
		if err != nil {
			return Marker{}, fmt.Errorf("not a marker: object %d: %w", i, err)
		}
		m.Objects = append(m.Objects, o)
	}
	return m, nil
}

func (e markedJSON) object() (MarkedObject, error) {
	o := MarkedObject{Size: e.Size, Records: e.Records, Bytes: e.Bytes}
	rest, isS3 := strings.CutPrefix(e.URL, "s3://")
	bucket, key, hasKey := strings.Cut(rest, "/")
	if !isS3 || !hasKey || bucket == "" || key == "" {
		return o, fmt.Errorf("url is %q; it must be s3://BUCKET/KEY", e.URL)
	}
	o.Bucket, o.Key = bucket, key
	digest, err := hex.DecodeString(e.Digest)
	if err != nil || len(digest) != len(o.Digest) {
		return o, fmt.Errorf("xxh3 is %q; it must be 32 hexadecimal digits", e.Digest)
	}
	copy(o.Digest[:], digest)
	if e.Size < 0 || e.Records < 0 || e.Bytes < 0 {
		return o, fmt.Errorf("size %d, records %d, bytes %d; none may be negative", e.Size, e.Records, e.Bytes)
	}
	if e.Oldest != "" {
		if o.Oldest, err = time.Parse(time.RFC3339Nano, e.Oldest); err != nil {
			return o, fmt.Errorf("oldest: %w", err)
		}
	}
	return o, nil
}

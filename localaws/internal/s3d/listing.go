package s3d

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxListed is how many keys and common prefixes a page has at most.
const maxListed = 1000

type listResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []listedPrefix
}

type listedObject struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
	Owner        *listedOwner
}

type listedOwner struct{ ID string }

type listedPrefix struct{ Prefix string }

// listObjects serves ListObjectsV2.
func (s *Server) listObjects(a *answer, r *http.Request, call Call) error {
	q := r.URL.Query()
	result := listResult{
		Name: call.Bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), StartAfter: q.Get("start-after"),
		ContinuationToken: q.Get("continuation-token"), EncodingType: q.Get("encoding-type"),
	}
	after, err := result.parse(q)
	if err != nil {
		return err
	}
	s.mu.Lock()
	found := s.buckets[call.Bucket]
	if found == nil {
		s.mu.Unlock()
		return noSuchBucket(call.Bucket)
	}
	l := found.list(result.Prefix, result.Delimiter, after, result.MaxKeys)
	s.mu.Unlock()
	for _, o := range l.objects {
		listed := listedObject{Key: o.Key, LastModified: xmlTime(o.Modified), ETag: quote(o.ETag), Size: o.Size, StorageClass: "STANDARD"}
		if q.Get("fetch-owner") == "true" {
			listed.Owner = &listedOwner{s.options.Account}
		}
		result.Contents = append(result.Contents, listed)
	}
	for _, p := range l.prefixes {
		result.CommonPrefixes = append(result.CommonPrefixes, listedPrefix{p})
	}
	result.KeyCount, result.IsTruncated = len(l.objects)+len(l.prefixes), l.truncated
	if l.truncated {
		result.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(l.next))
	}
	if result.EncodingType == "url" {
		result.encode()
	}
	writeXML(a, http.StatusOK, result)
	return nil
}

// parse reads what is not text, and the place to start after.
func (l *listResult) parse(q url.Values) (after string, err error) {
	l.MaxKeys = maxListed
	if q.Has("max-keys") {
		n, err := strconv.Atoi(q.Get("max-keys"))
		if err != nil || n < 0 {
			return "", refuse(http.StatusBadRequest, "InvalidArgument", "Argument max-keys must be an integer between 0 and 2147483647")
		}
		l.MaxKeys = min(n, maxListed)
	}
	if l.EncodingType != "" && l.EncodingType != "url" {
		return "", refuse(http.StatusBadRequest, "InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	if !q.Has("continuation-token") {
		return l.StartAfter, nil
	}
	token, err := base64.URLEncoding.DecodeString(l.ContinuationToken)
	if err != nil || len(token) == 0 {
		return "", refuse(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
	}
	return string(token), nil
}

// encode writes names as in a URL: XML has not every character that they may.
func (l *listResult) encode() {
	for _, name := range []*string{&l.Prefix, &l.Delimiter, &l.StartAfter} {
		*name = encodeName(*name)
	}
	for i := range l.Contents {
		l.Contents[i].Key = encodeName(l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		l.CommonPrefixes[i].Prefix = encodeName(l.CommonPrefixes[i].Prefix)
	}
}

func encodeName(name string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(name))
}

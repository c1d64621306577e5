package esarchive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// LookStatus is what became of a look.
type LookStatus string

// The statuses.
const (
	LookOK         LookStatus = "ok"
	LookWrong      LookStatus = "wrong"
	LookNotChecked LookStatus = "not checked" // nothing can be learned without a write, it is not permitted, or something else is to be mended before
)

// Look is what one look at a cluster found.
type Look struct {
	What   string // it was at, such as "index orders-2026-11-29"
	Status LookStatus
	Text   string // what was found; of what is wrong, or was not permitted, also what to do
}

// Texts of Firehose.
const (
	typesDeprecated = "Firehose says: Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty."
	severalIndices  = "it is an alias of several indices, %s, none of which is the one to write to: set is_write_index for one. Firehose's code is " + codeSeveralIndices
)

// looks looks at the cluster, and at an index by its whole name, and changes nothing. Each
// look ends by itself. When the cluster cannot be reached no other look follows.
func (c *client) looks(ctx context.Context, index string) []Look {
	all := c.lookAtEndpoints(ctx)
	l := c.lookAtCluster(ctx)
	if all = append(all, l); l.Status == LookWrong {
		return all
	}
	all = append(all, c.lookAtType()...)
	found, exists := c.lookAtIndex(ctx, index)
	all = append(all, found...)
	if c.Service != Serverless {
		all = append(all, c.lookAtSettings(ctx, exists))
	}
	return append(all, c.lookAtBulk(ctx))
}

// check is the error of what is wrong, or nil. It changes nothing.
func (c *client) check(ctx context.Context, index string) error {
	var faults []error
	for _, l := range c.looks(ctx, index) {
		if l.Status == LookWrong {
			faults = append(faults, fmt.Errorf("%s: %s", l.What, l.Text))
		}
	}
	return errors.Join(faults...)
}

// lookAtEndpoints looks which of several endpoints answer, whatever they do. One that does
// not rests from then on.
func (c *client) lookAtEndpoints(ctx context.Context) (all []Look) {
	if len(c.endpoints.urls) == 1 {
		return nil // as the cluster does
	}
	for i, u := range c.endpoints.urls {
		r := asked{method: http.MethodGet, path: nodesPath, query: nodesQuery, limit: maxError, timeout: probeTimeout, endpoint: i + 1}
		l := Look{What: "endpoint " + u.Host, Status: LookOK, Text: "answers"}
		if f := c.do(ctx, r, func([]byte) *fault { return nil }); !isAnswer(f) {
			l.Status, l.Text = LookWrong, f.message
		}
		all = append(all, l)
	}
	return all
}

// lookAtCluster looks whether somebody answers, and what it is.
func (c *client) lookAtCluster(ctx context.Context) Look {
	l := Look{What: "cluster", Status: LookOK}
	if len(c.endpoints.urls) == 1 {
		l.What += " " + c.endpoints.urls[0].Host
	}
	if c.Service == Serverless {
		l.Status, l.Text = LookNotChecked, "a collection of OpenSearch Serverless has no version to ask for"
		return l
	}
	found := c.probe(ctx)
	if !found.answered {
		l.Status, l.Text = LookWrong, found.why
		return l
	}
	c.known.set(found.cluster, found.told, time.Now().Add(probeAgain))
	is := "it does not say what it is"
	if found.engine != "" {
		is = fmt.Sprintf("%s %d.%d, requests of at most %d bytes", found.engine, found.major, found.minor, found.maxContent)
	}
	l.Text = is
	if found.why != "" {
		l.Status, l.Text = LookNotChecked, is+": "+found.why
	}
	return l
}

// lookAtType looks whether TypeName fits what the cluster is.
func (c *client) lookAtType() []Look {
	is, _ := c.known.get(time.Time{})
	l := Look{What: "TypeName", Status: LookOK}
	switch {
	case c.TypeName == "" && !is.hasTypes():
		return nil
	case c.TypeName == "":
		l.Status, l.Text = LookWrong, fmt.Sprintf("is empty, and %s %d.%d wants a mapping type: set TypeName, such as to _doc", is.engine, is.major, is.minor)
	case is.major == 0:
		l.Status, l.Text = LookNotChecked, "it is not known whether the cluster has mapping types: set Engine, or TypeName to \"\""
	case !is.hasTypes():
		l.Status, l.Text = LookWrong, fmt.Sprintf("is %q, and %s %d.%d has no mapping types: set it to \"\". %s", c.TypeName, is.engine, is.major, is.minor, typesDeprecated)
	default:
		l.Text = fmt.Sprintf("is %q, and %s %d.%d has mapping types", c.TypeName, is.engine, is.major, is.minor)
	}
	return []Look{l}
}

// lookAtIndex looks what an index, alias or data stream is, and whether it exists; nil if
// that is not known.
func (c *client) lookAtIndex(ctx context.Context, index string) (found []Look, exists *bool) {
	path := "/" + url.PathEscape(index) + "/_mapping"
	mappings := map[string]struct {
		Mappings map[string]json.RawMessage `json:"mappings"`
	}{}
	l := Look{What: "index " + index, Status: LookOK}
	f := c.getJSON(ctx, path, "", &mappings)
	is, isNot := true, false
	switch {
	case f != nil && f.status == http.StatusNotFound && strings.Contains(f.message, "index_not_found"), f == nil && len(mappings) == 0:
		l.Text = "does not exist; the first document creates it"
		return []Look{l}, &isNot
	case f != nil:
		return []Look{c.refused(l.What, http.MethodGet, path, f)}, nil
	}
	if _, ok := mappings[index]; !ok {
		return []Look{c.lookAtName(ctx, l, index)}, &is
	}
	l.Text = "exists, and its mapping can be read"
	if cluster, _ := c.known.get(time.Time{}); cluster.hasTypes() && c.TypeName != "" {
		types := slices.Sorted(maps.Keys(mappings[index].Mappings))
		if len(types) > 0 && !slices.Contains(types, c.TypeName) {
			l.Status, l.Text = LookWrong, fmt.Sprintf("has the mapping type %s, and can have no second one: set TypeName to that", strings.Join(types, ", "))
		}
	}
	if c.Operation == OpIndex || c.Operation == "" || l.Status == LookWrong {
		return []Look{l}, &is
	}
	l.Text += "; create refuses a document whose id it has"
	return []Look{l}, &is
}

// lookAtName looks at a name that is not an index's own.
func (c *client) lookAtName(ctx context.Context, l Look, name string) Look {
	path := "/" + url.PathEscape(name) + "/_alias"
	var of map[string]struct {
		Aliases map[string]struct {
			IsWrite *bool `json:"is_write_index"` //nolint:tagliatelle // it is theirs
		} `json:"aliases"`
	}
	f := c.getJSON(ctx, path, "", &of)
	switch {
	case f != nil && f.status == http.StatusNotFound, f == nil && len(of) == 0:
		l.Text = "is a data stream"
		if c.Operation != OpCreate {
			l.Status, l.Text = LookWrong, "is a data stream, which takes no documents by index: set Operation to OpCreate"
		}
		return l
	case f != nil:
		return c.refused(l.What, http.MethodGet, path, f)
	}
	indices := slices.Sorted(maps.Keys(of))
	writable := slices.ContainsFunc(indices, func(i string) bool { return of[i].Aliases[name].IsWrite != nil && *of[i].Aliases[name].IsWrite })
	l.Text = "is an alias of " + strings.Join(indices, ", ")
	if len(indices) > 1 && !writable {
		l.Status, l.Text = LookWrong, fmt.Sprintf(severalIndices, strings.Join(indices, ", "))
	}
	return l
}

// settingsPath has the two settings that can keep a bulk request from being taken.
const settingsPath, settingsQuery = "/_cluster/settings", "include_defaults=true&filter_path=*.action.auto_create_index,*.rest.action.multi.allow_explicit_index"

// lookAtSettings looks whether indices are created, and may be named, by documents.
func (c *client) lookAtSettings(ctx context.Context, exists *bool) Look {
	l := Look{What: "settings of the cluster", Status: LookOK}
	type group struct {
		Action struct {
			AutoCreate string `json:"auto_create_index"` //nolint:tagliatelle // it is theirs
		} `json:"action"`
		REST struct {
			Action struct {
				Multi struct {
					Explicit string `json:"allow_explicit_index"` //nolint:tagliatelle // it is theirs
				} `json:"multi"`
			} `json:"action"`
		} `json:"rest"`
	}
	var of struct{ Transient, Persistent, Defaults group }
	if f := c.getJSON(ctx, settingsPath, settingsQuery, &of); f != nil {
		return c.refused(l.What, http.MethodGet, settingsPath, f)
	}
	first := func(get func(group) string) string {
		for _, g := range []group{of.Transient, of.Persistent, of.Defaults} {
			if v := get(g); v != "" {
				return v
			}
		}
		return "not told"
	}
	explicit := first(func(g group) string { return g.REST.Action.Multi.Explicit })
	create := first(func(g group) string { return g.Action.AutoCreate })
	l.Text = fmt.Sprintf("rest.action.multi.allow_explicit_index is %s, action.auto_create_index is %s", explicit, create)
	switch {
	case explicit == "false":
		l.Status, l.Text = LookWrong, l.Text+": each document names its index; set rest.action.multi.allow_explicit_index to true. Firehose's code is "+codeExplicitIndex
	case create == "false" && (exists == nil || !*exists || c.IndexRotationPeriod != NoRotation):
		l.Status, l.Text = LookWrong, l.Text+": no document creates an index; create them yourself, or set action.auto_create_index"
	}
	return l
}

// lookAtBulk looks whether bulk requests are permitted, with one that has no documents:
// it is refused before anything is written, as Elasticsearch 6.8 and OpenSearch 2.19 show.
// What a collection of OpenSearch Serverless makes of it is not known.
func (c *client) lookAtBulk(ctx context.Context) Look {
	l := Look{What: "POST /_bulk", Status: LookOK, Text: "is permitted; whether documents may be written needs a write"}
	if c.Service == Serverless {
		l.Status, l.Text = LookNotChecked, "aoss:APIAccessAll on the collection, and aoss:WriteDocument, UpdateIndex and CreateIndex in its data access policy: needs a write"
		return l
	}
	r := asked{method: http.MethodPost, path: "/_bulk", body: []byte("\n"), contentType: "application/x-ndjson", limit: maxError, timeout: probeTimeout}
	f := c.do(ctx, r, func([]byte) *fault { return nil })
	switch {
	case f == nil || f.status == http.StatusBadRequest:
		return l
	case f.auth:
		l.Status, l.Text = LookWrong, f.message+c.permit(http.MethodPost, r.path)
		return l
	}
	l.Status, l.Text = LookWrong, f.message
	return l
}

// getJSON asks for something that is small.
func (c *client) getJSON(ctx context.Context, path, query string, into any) (f *fault) {
	var err error
	f = c.get(ctx, path, query, func(body []byte) { err = json.Unmarshal(body, into) })
	if f == nil && err != nil {
		f = &fault{code: codeNotParsed, status: statusOK, message: "the answer is not what " + path + " answers"}
	}
	return f
}

// refused is a look that found nothing. What is not permitted need not be: delivery goes
// without.
func (c *client) refused(what, method, path string, f *fault) Look {
	switch {
	case f.auth && f.status != 0:
		return Look{What: what, Status: LookNotChecked, Text: f.message + c.permit(method, path) + "; delivery does not need it"}
	case f.auth || f.down:
		return Look{What: what, Status: LookWrong, Text: f.message}
	}
	return Look{What: what, Status: LookNotChecked, Text: f.message}
}

// permit says what somebody must permit, in words that follow an error's.
func (c *client) permit(method, path string) string {
	action := map[string]string{http.MethodGet: "es:ESHttpGet", http.MethodPost: "es:ESHttpPost"}[method]
	switch {
	case c.Service == Serverless && method == http.MethodGet:
		return "; permit aoss:APIAccessAll on the collection, and aoss:DescribeIndex in its data access policy"
	case c.Service == Serverless:
		return "; permit aoss:APIAccessAll on the collection, and aoss:WriteDocument in its data access policy"
	case isSigned(c.Auth):
		return "; permit " + action + " on " + path + ", and check the domain's access policy"
	}
	return "; permit " + method + " " + path
}

func isSigned(a Auth) bool {
	_, ok := a.(SigV4)
	return ok
}

package clusterd

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
)

// Item is one of a bulk request, before it takes effect.
type Item struct {
	Request   int64 // number of the bulk request, from 1
	Position  int   // in it, from 0
	Operation string
	Index, ID string // as given; ID is "" if the server is to choose it
	Source    []byte // valid during the call
}

// ItemFault is what becomes of an item instead of what would.
type ItemFault struct {
	Status       int    // of HTTP, in the item's answer; 0 leaves it as it is
	Type, Reason string // of its error
	Stored       bool   // it takes effect all the same
	Omit         bool   // the answer has no entry for it; it takes effect if Stored is set, or Status is 0
}

// bulk answers a bulk request. The body is copied.
func (s *Server) bulk(r *http.Request, body []byte, defaults action) (any, *apiError) {
	defaults.pipeline = r.URL.Query().Get("pipeline")
	defaults.routing = r.URL.Query().Get("routing")
	actions, err := s.parseBulk(bytes.Clone(body), defaults)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if err = s.refusedWhole(actions); err != nil {
		return nil, err
	}
	items := make([]any, 0, len(actions))
	errors := false
	for i := range actions {
		result, omit := s.item(i, &actions[i])
		if result.err != nil {
			errors = true
		}
		if !omit {
			items = append(items, object{{actions[i].operation, s.describe(&actions[i], result)}})
		}
	}
	return object{{"took", 1}, {"errors", errors}, {"items", items}}, nil
}

// refusedWhole says why none of the actions is tried. The caller holds mu.
func (s *Server) refusedWhole(actions []action) *apiError {
	if s.clusterSettings["cluster.blocks.read_only"] == "true" {
		return refuse(http.StatusForbidden, "cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)];")
	}
	if !s.engine.isOld() {
		return nil
	}
	for _, a := range actions { // Elasticsearch 6 looks at these before all others
		if holders := s.holders(a.index); len(holders) > 0 && writeIndex(holders, a.index) == nil {
			return noWriteIndex(a.index)
		}
	}
	return nil
}

func noWriteIndex(alias string) *apiError {
	return illegal("no write index is defined for alias [" + alias + "]. The write index may be explicitly disabled using " +
		"is_write_index=false or the alias points to multiple indices without one being designated as a write index")
}

// result is what became of an action.
type result struct {
	index   string // where it was done; "" if that was never found out
	version int64
	seqNo   int64
	what    string // created, updated, deleted or not_found
	status  int
	err     *apiError
}

// item does an action, less what the fault does to it. The caller holds mu.
func (s *Server) item(position int, a *action) (result, bool) {
	if s.itemFault == nil {
		return s.do(a), false
	}
	fault := s.itemFault(Item{
		Request: s.requests, Position: position, Operation: a.operation, Index: a.index, ID: a.id, Source: a.source,
	})
	var done result
	if fault.Status == 0 || fault.Stored {
		done = s.do(a)
	}
	if fault.Status != 0 {
		done.status = fault.Status
		done.err = nil
		if fault.Status >= http.StatusMultipleChoices {
			done.err = refuse(fault.Status, fault.Type, fault.Reason)
		}
	}
	return done, fault.Omit
}

// do does an action. The caller holds mu.
func (s *Server) do(a *action) result {
	x, err := s.target(a)
	if err != nil {
		return result{err: err, status: err.status}
	}
	done := result{index: x.name}
	if err = s.blocked(x); err == nil {
		if a.operation == "delete" {
			x.remove(a, &done)
		} else {
			err = s.write(x, a, &done)
		}
	}
	if err != nil {
		done.err, done.status = err, err.status
	}
	return done
}

// target finds, or makes, the index of an action. The caller holds mu.
func (s *Server) target(a *action) (*index, *apiError) {
	if a.hasID && a.id == "" {
		return nil, illegal("if _id is specified it must not be empty")
	}
	if a.pipeline != "" && a.pipeline != "_none" && !s.pipelines[a.pipeline] {
		return nil, illegal("pipeline with id [" + a.pipeline + "] does not exist")
	}
	if s.engine.timeSeries && a.hasID {
		return nil, illegal("Document ID is not supported in create/index operation request")
	}
	if x := s.indices[a.index]; x != nil && !a.requireAlias {
		return x, nil
	}
	if holders := s.holders(a.index); len(holders) > 0 {
		if x := writeIndex(holders, a.index); x != nil {
			return x, nil
		}
		return nil, noWriteIndex(a.index)
	}
	if a.requireAlias {
		err := s.noIndex(a.index)
		err.reason += " and [require_alias] request flag is [true] and [" + a.index + "] is not an alias"
		return nil, err
	}
	return s.missingTarget(a)
}

// missingTarget makes the index or the data stream of an action. The caller holds mu.
func (s *Server) missingTarget(a *action) (*index, *apiError) {
	d := s.streams[a.index]
	if d == nil {
		if s.noAutoCreate() || a.operation == "delete" {
			return nil, s.noIndex(a.index)
		}
		t := s.templateOf(a.index)
		if t == nil || !t.stream {
			return s.createIndex(a.index)
		}
		var err *apiError
		if d, err = s.createStream(a.index, t); err != nil {
			return nil, err
		}
	}
	if a.operation != "create" {
		return nil, illegal("only write ops with an op_type of create are allowed in data streams")
	}
	return s.indices[d.backing[len(d.backing)-1]], nil
}

func (s *Server) noAutoCreate() bool {
	if setting, ok := s.clusterSettings["action.auto_create_index"]; ok {
		return setting == "false"
	}
	return s.options.NoAutoCreate
}

// checkType says why an index does not take a document of the action's mapping type.
func (s *Server) checkType(x *index, a *action) *apiError {
	if s.engine.refusesTypes() {
		return nil
	}
	kind := a.kind
	if kind == "" {
		kind = "_doc"
	}
	if x.kind == "" {
		x.kind = kind
	}
	if x.kind != kind {
		return illegal("Rejecting mapping update to [" + x.name + "] as the final mapping would have more than 1 type: [" + x.kind + ", " + kind + "]")
	}
	return nil
}

// write indexes a document. The caller holds mu.
func (s *Server) write(x *index, a *action, done *result) *apiError {
	if err := s.checkType(x, a); err != nil {
		return err
	}
	if !a.hasID {
		s.ids++
		a.id = fmt.Sprintf("%020d", s.ids)
		if s.engine.serverless {
			a.id = "1%3A0%3A" + a.id
		}
	}
	if err := s.parse(x, a.id, a.source); err != nil {
		return err
	}
	old := x.byID[a.id]
	if err := x.conflict(s.engine, old, a); err != nil {
		return err
	}
	done.what, done.status = "created", http.StatusCreated
	if old == nil {
		old = &document{id: a.id}
		x.byID[a.id] = old
		x.order = append(x.order, old)
	} else if old.deleted {
		x.deleted--
	} else {
		done.what, done.status = "updated", http.StatusOK
	}
	old.version++
	if a.hasVersion && a.versionType != "internal" && a.versionType != "" {
		old.version = a.version
	}
	old.source, old.routing, old.deleted = a.source, a.routing, false
	old.writes++
	done.version, done.seqNo = old.version, x.next
	x.next++
	return nil
}

// conflict says why a document is not written over what there is.
func (x *index) conflict(e engine, old *document, a *action) *apiError {
	var why string
	switch {
	case old == nil:
		return nil
	case a.operation == "create" && !old.deleted:
		why = fmt.Sprintf("document already exists (current version [%d])", old.version)
	case a.versionType == "external" && a.version <= old.version:
		why = fmt.Sprintf("current version [%d] is higher or equal to the one provided [%d]", old.version, a.version)
	case a.versionType == "external_gte" && a.version < old.version:
		why = fmt.Sprintf("current version [%d] is higher than the one provided [%d]", old.version, a.version)
	case a.hasVersion && (a.versionType == "" || a.versionType == "internal") && a.version != old.version:
		why = fmt.Sprintf("current version [%d] is different than the one provided [%d]", old.version, a.version)
	default:
		return nil
	}
	reason := "[" + a.id + "]: version conflict, " + why
	if e.isOld() {
		reason = "[" + a.kind + "]" + reason
	}
	err := refuse(http.StatusConflict, "version_conflict_engine_exception", reason)
	err.extra = object{{"index", x.name}, {"shard", "0"}, {"index_uuid", x.uuid}}
	return err
}

// remove deletes a document.
func (x *index) remove(a *action, done *result) {
	done.what, done.status, done.version, done.seqNo = "not_found", http.StatusNotFound, 1, x.next
	x.next++
	if old := x.byID[a.id]; old != nil && !old.deleted {
		old.deleted, old.source = true, nil
		old.version++
		x.deleted++
		done.what, done.status, done.version = "deleted", http.StatusOK, old.version
	}
}

// describe is an item of the answer.
func (s *Server) describe(a *action, done result) object {
	name := a.index
	if done.index != "" {
		name = done.index
	}
	o := make(object, 0, 9)
	o = append(o, member{"_index", name})
	if !s.engine.refusesTypes() {
		kind := a.kind
		if kind == "" {
			kind = "_doc"
		}
		o = append(o, member{"_type", kind})
	}
	var id any = a.id
	if a.id == "" && !a.hasID {
		id = nil
	}
	o = append(o, member{"_id", id})
	if done.err != nil {
		return append(o, member{"status", done.err.status}, member{"error", done.err.fields()})
	}
	return append(o, member{"_version", done.version}, member{"result", done.what},
		member{"_shards", object{{"total", 2}, {"successful", 1}, {"failed", 0}}},
		member{"_seq_no", done.seqNo}, member{"_primary_term", 1}, member{"status", done.status})
}

// defaultsOf is what the path of a bulk request says of all its actions.
func defaultsOf(parts []string) action {
	a := action{}
	if len(parts) > 1 {
		a.index, a.hasIndex = unescaped(parts[0]), true
	}
	if len(parts) > 2 {
		a.kind = unescaped(parts[1])
	}
	return a
}

func unescaped(part string) string {
	if s, err := url.PathUnescape(part); err == nil {
		return s
	}
	return part
}

package localaws

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// controlPath begins the paths of Options.Control.
//
//	POST   /_localaws/faults               add a fault; answers it with its id
//	GET    /_localaws/faults               the faults, with their hits
//	POST   /_localaws/faults/<id>/release  ActiveFault.Release
//	DELETE /_localaws/faults/<id>          remove one; what it holds goes on
//	DELETE /_localaws/faults               remove all; what they hold goes on
//	GET    /_localaws/writes               Stack.Writes
//
// A fault is {"service": "S3", "operation": "PutObject", "userAgent": "app/a",
// "body": "text", "path": "errors/", "kind": "Stall", "duration": "5s", "status": 503, "code":
// "AccessDenied", "answer": "text", "bytes": 10, "after": 0, "times": 1}; answer is of an
// Answer, or the message of a SQLError, and bytes are of a Cut. Its answer has "hits" and "struck"
// besides: whether ActiveFault.Struck is closed. Removed ones are no longer
// listed. A POST has the content type application/json.
const controlPath = "/_localaws/"

// controlFault is a fault as JSON.
type controlFault struct {
	ID        int    `json:"id"`
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	UserAgent string `json:"userAgent,omitempty"`
	Body      string `json:"body,omitempty"`
	Path      string `json:"path,omitempty"`
	Kind      string `json:"kind"`
	Duration  string `json:"duration,omitempty"`
	Status    int    `json:"status,omitempty"`
	Code      string `json:"code,omitempty"`
	Answer    string `json:"answer,omitempty"`
	Bytes     int    `json:"bytes,omitempty"`
	After     int    `json:"after,omitempty"`
	Times     int    `json:"times,omitempty"`
	Hits      int    `json:"hits"`
	Struck    bool   `json:"struck"`
}

func (c controlFault) kind() (Kind, error) {
	var d time.Duration
	if c.Duration != "" {
		var err error
		if d, err = time.ParseDuration(c.Duration); err != nil {
			return Kind{}, fmt.Errorf("reading the fault's duration: %w", err)
		}
	}
	switch c.Kind {
	case "Throttle":
		return Throttle(), nil
	case "ServerError":
		if c.Status < 500 || c.Status > 599 {
			return Kind{}, fmt.Errorf("the status of a ServerError is %d, not 500 to 599", c.Status)
		}
		return ServerError(c.Status), nil
	case "Error":
		if c.Status < 400 || c.Status > 599 || c.Code == "" {
			return Kind{}, fmt.Errorf("an Error has the status %d and the code %q; it needs 400 to 599, and a code", c.Status, c.Code)
		}
		return Error(c.Status, c.Code), nil
	case "Latency":
		return Latency(d), nil
	case "LostAnswer":
		return LostAnswer(), nil
	case "Refuse":
		return Refuse(), nil
	case "Stall":
		return Stall(d), nil
	case "NoAnswer":
		return NoAnswer(), nil
	case "Swallow":
		return Swallow(), nil
	case "Drip":
		return Drip(d), nil
	case "Cut":
		return Cut(c.Bytes), nil
	case "SQLError":
		if len(c.Code) != 5 {
			return Kind{}, fmt.Errorf("the code of a SQLError is %q, not a SQLSTATE of 5 characters", c.Code)
		}
		return SQLError(c.Code, c.Answer), nil
	case "Answer":
		if c.Status < 200 || c.Status > 599 {
			return Kind{}, fmt.Errorf("the status of an Answer is %d, not 200 to 599", c.Status)
		}
		return Answer(c.Status, nil, c.Answer), nil
	}
	return Kind{}, fmt.Errorf("there is no kind of fault %q", c.Kind)
}

func (a *ActiveFault) control() controlFault {
	f := a.fault
	c := controlFault{
		ID: a.id, Service: f.Service, Operation: f.Operation, UserAgent: f.UserAgent, Body: f.Body, Path: f.Path, Kind: f.Kind.name,
		Status: f.Kind.status, Code: f.Kind.code, Answer: f.Kind.body, Bytes: f.Kind.after, After: f.After, Times: f.Times, Hits: a.Hits(),
	}
	select {
	case <-a.struck:
		c.Struck = true
	default:
	}
	if f.Kind.wait > 0 {
		c.Duration = f.Kind.wait.String()
	}
	return c
}

func (s *Stack) isControl(r *http.Request) bool {
	return s.options.Control && strings.HasPrefix(r.URL.Path, controlPath)
}

func writeControlError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, status, map[string]string{"error": message})
}

func (s *Stack) serveControl(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, controlPath), "/")
	switch {
	case r.Method == http.MethodPost && !isJSON(r):
		writeControlError(w, http.StatusUnsupportedMediaType,
			fmt.Sprintf("the content type is %q; a POST must have application/json", r.Header.Get("Content-Type")))
	case r.Method == http.MethodGet && parts[0] == "writes" && len(parts) == 1:
		writeJSON(w, http.StatusOK, append([]Write{}, s.Writes()...))
	case parts[0] != "faults":
		writeControlError(w, http.StatusNotFound, "there is no "+r.URL.Path)
	case len(parts) > 1:
		s.controlOne(w, r, parts[1:])
	case r.Method == http.MethodPost:
		s.controlAdd(w, r)
	case r.Method == http.MethodGet:
		list := []controlFault{}
		for _, a := range s.faults.all() {
			list = append(list, a.control())
		}
		writeJSON(w, http.StatusOK, list)
	case r.Method == http.MethodDelete:
		s.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Stack) controlAdd(w http.ResponseWriter, r *http.Request) {
	var c controlFault
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&c)
	kind, kindErr := c.kind()
	if err == nil {
		err = kindErr
	}
	if err != nil {
		writeControlError(w, http.StatusBadRequest, err.Error())
		return
	}
	a := s.faults.Add(Fault{
		Service: c.Service, Operation: c.Operation, UserAgent: c.UserAgent, Body: c.Body, Path: c.Path,
		After: c.After, Times: c.Times, Kind: kind,
	})
	writeJSON(w, http.StatusCreated, a.control())
}

// controlOne serves /_localaws/faults/<id> and what is below it.
func (s *Stack) controlOne(w http.ResponseWriter, r *http.Request, path []string) {
	id, err := strconv.Atoi(path[0])
	for _, a := range s.faults.all() {
		switch {
		case err != nil || a.id != id:
			continue
		case r.Method == http.MethodDelete && len(path) == 1:
			a.Remove()
			a.Release()
		case r.Method == http.MethodPost && len(path) == 2 && path[1] == "release":
			a.Release()
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeControlError(w, http.StatusNotFound, "there is no fault "+path[0])
}

//go:build search

package killtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// What a gate can be told to do with bulk requests: to hold all from then on, or something
// with the next one that has at least two documents.
const (
	holdsRequests = "holds requests"
	holdsAnswers  = "holds answers"

	losesAnswer  = "loses the answer"
	cutsAnswer   = "cuts the answer"
	cutsRequest  = "cuts the request"
	says413      = "says 413"
	says429      = "says 429"
	says503      = "says 503"
	refusesHalf  = "passes half on, and says 429 for the others"
	answersHalf  = "passes half on, and its answer back"
	answersOther = "answers with a page"
)

// mischiefs are the latter; some do as if the cluster answered, but not for all documents.
func mischiefs(ofSome bool) []string {
	all := []string{losesAnswer, cutsAnswer, cutsRequest, says413, says429, says503, answersOther}
	if ofSome {
		all = append(all, refusesHalf, answersHalf)
	}
	return all
}

// gate stands between the archivers of a slot and the cluster.
type gate struct {
	url     string // its own
	cluster string
	client  *http.Client

	mu    sync.Mutex // guards what follows
	order string     // "" for none
	held  int        // requests since it was told to hold them
	open  chan struct{}
	done  map[string]int // orders that were obeyed
	busy  int            // requests that did not end
}

func newGate(t *testing.T, cluster string) *gate {
	t.Helper()
	g := &gate{
		cluster: cluster, done: make(map[string]int), open: make(chan struct{}),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}},
	}
	server := httptest.NewServer(g)
	g.url = server.URL
	t.Cleanup(func() {
		g.release()
		server.CloseClientConnections()
		server.Close()
		g.client.CloseIdleConnections()
	})
	return g
}

// tell gives an order in place of the one before.
func (g *gate) tell(order string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.order, g.held = order, 0
}

// release lets go on what is held, and takes the order back.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.order = ""
	close(g.open)
	g.open = make(chan struct{})
}

// isHolding reports whether a request is held.
func (g *gate) isHolding() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held > 0
}

// isIdle reports whether no request is under way.
func (g *gate) isIdle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy == 0
}

// take returns what to do with a bulk request.
func (g *gate) take(documents, bytes int) (order string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch order = g.order; {
	case order == "", order == holdsRequests, order == holdsAnswers:
		return order
	case documents < 2, order == says413 && bytes < 64<<10:
		return ""
	}
	g.order = ""
	g.done[order]++
	return order
}

// hold waits until what is held may go on.
func (g *gate) hold() {
	g.mu.Lock()
	g.held++
	open := g.open
	g.mu.Unlock()
	<-open
}

func (g *gate) enter(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy += n
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.enter(1)
	defer g.enter(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who sent it is dead
	}
	if r.URL.Path != "/_bulk" {
		g.pass(w, r, body, nil)
		return
	}
	documents := bytes.Count(body, []byte{'\n'}) / 2
	switch order := g.take(documents, len(body)); order {
	case holdsRequests:
		g.hold()
		g.pass(w, r, body, nil)
	case holdsAnswers:
		g.pass(w, r, body, func(answer []byte) {
			g.hold()
			_, _ = w.Write(answer)
		})
	case losesAnswer:
		g.pass(w, r, body, func([]byte) { hangUp(w) })
	case cutsRequest:
		hangUp(w)
	case says413, says429, says503:
		status, _ := strconv.Atoi(order[len("says "):])
		w.WriteHeader(status)
	case answersOther:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>the proxy is being mended</html>")
	case cutsAnswer:
		g.pass(w, r, body, func(answer []byte) {
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
			_, _ = w.Write(answer[:len(answer)/2]) // and the connection ends
		})
	case refusesHalf, answersHalf:
		lines := bytes.SplitAfterN(body, []byte{'\n'}, 2*(documents/2)+1)
		rejected := 0
		if order == refusesHalf {
			rejected = documents - documents/2
		}
		g.pass(w, r, bytes.Join(lines[:len(lines)-1], nil), func(answer []byte) { writeItems(w, answer, rejected) })
	default:
		g.pass(w, r, body, nil)
	}
}

// pass passes a request on, even if who sent it is dead, and its answer back; instead, if
// there is one, does the latter.
func (g *gate) pass(w http.ResponseWriter, r *http.Request, body []byte, instead func(answer []byte)) {
	to, err := http.NewRequest(r.Method, g.cluster+r.URL.RequestURI(), bytes.NewReader(body)) //nolint:noctx // the client has a limit
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		to.Header.Set("Content-Type", kind)
	}
	answer, err := g.client.Do(to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway) // the cluster is down
		return
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	if instead != nil && answer.StatusCode == http.StatusOK {
		instead(text)
		return
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(text)
}

// writeItems answers with an answer's items, and others that were rejected.
func writeItems(w io.Writer, answer []byte, rejected int) {
	var all struct {
		Took   int               `json:"took"`
		Errors bool              `json:"errors"`
		Items  []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(answer, &all) != nil {
		return
	}
	all.Errors = all.Errors || rejected > 0
	for range rejected {
		all.Items = append(all.Items, json.RawMessage(`{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"the queue is full"}}}`))
	}
	text, err := json.Marshal(all)
	if err == nil {
		_, _ = w.Write(text)
	}
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// sum adds up what gates have done.
func sum(gates []*gate) map[string]int {
	all := make(map[string]int)
	for _, g := range gates {
		g.mu.Lock()
		for order, n := range g.done {
			all[order] += n
		}
		g.mu.Unlock()
	}
	return all
}

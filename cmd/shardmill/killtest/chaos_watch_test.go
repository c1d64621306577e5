//go:build kill

package killtest_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// How the holder of a lease was struck.
const (
	byKill = "killed"
	byStop = "stopped"
	byTerm = "told to end"
)

// watch times takeovers from what the lease table says, and looks how much
// memory the archivers have.
type watch struct {
	t         *testing.T
	losses    map[string]*loss // by shard
	taken     map[string][]time.Duration
	undisturb []time.Duration // of those killed or stopped, without a storm on the lease table
	committed []time.Duration // from the takeover
	memory    int64           // most resident memory of an archiver, bytes
	services  int64           // of `shardmill local`
	looked    time.Time       // when at the archivers

	client     http.Client // of the archivers' health
	goroutines int         // most of an archiver
	asked      int         // times that an archiver was asked whether it is alive
	dead       []string    // answers that it is not
}

// loss is a lease whose holder was struck.
type loss struct {
	lease

	how       string
	at        time.Time
	restarted bool // the same worker may take it
	disturbed bool // by a storm on the lease table
	taken     time.Time
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	return &watch{t: t, losses: make(map[string]*loss), taken: make(map[string][]time.Duration), client: http.Client{Timeout: time.Second}}
}

// struck is told of an archiver that is about to be struck.
func (w *watch) struck(s *services, a archiver, how string) {
	w.t.Helper()
	for shard, l := range ownedBy(s.leases(w.t), a.worker) {
		if before := w.losses[shard]; l.checkpoint != shardEnd && (before == nil || !before.taken.IsZero()) {
			w.losses[shard] = &loss{lease: l, how: how, at: time.Now()}
		}
	}
}

// restarted is told that a worker ID may come back.
func (w *watch) restarted(worker string) {
	for _, l := range w.losses {
		if l.owner == worker {
			l.restarted = true
		}
	}
}

// look looks at the lease table, and once a second at the archivers, but for
// those in trouble.
func (w *watch) look(s *services, archivers []archiver, troubled map[int]bool, disturbed bool) {
	w.t.Helper()
	leases := s.leases(w.t)
	for shard, l := range w.losses {
		l.disturbed = l.disturbed || disturbed
		row, there := leases[shard]
		if !there || row.checkpoint == shardEnd || !w.follow(l, row) {
			delete(w.losses, shard)
		}
	}
	if time.Since(w.looked) < time.Second {
		return
	}
	w.looked = time.Now()
	w.services = max(w.services, resident(s.local))
	for slot, a := range archivers {
		w.memory = max(w.memory, resident(a.process))
		if !troubled[slot] {
			w.ask(a)
		}
	}
}

// ask asks an archiver how it is. One that does not answer may just have been
// struck.
func (w *watch) ask(a archiver) {
	log, err := os.ReadFile(a.log)
	_, after, served := strings.Cut(string(log), `"msg":"serving health","address":"`)
	address, _, _ := strings.Cut(after, `"`)
	if err != nil || !served {
		return
	}
	if _, text := w.get("http://" + address + "/metrics"); text != "" {
		_, after, _ = strings.Cut(text, "\ngo_goroutines ")
		n := 0
		_, _ = fmt.Sscan(after, &n)
		w.goroutines = max(w.goroutines, n)
	}
	status, text := w.get("http://" + address + "/healthz")
	if status != 0 {
		w.asked++
	}
	if status != 0 && status != http.StatusOK {
		w.dead = append(w.dead, fmt.Sprintf("%v %s: %d %s", time.Now().Format(time.TimeOnly), a.name, status, strings.TrimSpace(text)))
	}
}

func (w *watch) get(url string) (status int, text string) {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, ""
	}
	return answer.StatusCode, string(data)
}

// follow sees how a lost lease fares; false means that it is no longer to be followed.
func (w *watch) follow(l *loss, row lease) bool {
	switch {
	case !l.taken.IsZero():
		if row.checkpoint == l.checkpoint {
			return true
		}
		w.committed = append(w.committed, time.Since(l.taken))
		return false
	case row.owner == "":
		return true // it was released
	case row.owner == l.owner && row.counter == l.counter:
		return true
	case row.owner == l.owner && !l.restarted:
		l.counter = row.counter
		return l.how != byStop // it goes on, else a renewal came late
	}
	l.taken = time.Now()
	w.taken[l.how] = append(w.taken[l.how], l.taken.Sub(l.at))
	if !l.disturbed && l.how != byTerm {
		w.undisturb = append(w.undisturb, l.taken.Sub(l.at))
	}
	l.lease = row
	return true
}

// resident is the most memory that a process has had; 0 if it has ended.
func resident(p *process) int64 {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	var kb int64
	_, _ = fmt.Sscanf(after, "%d kB", &kb)
	return kb * 1024
}

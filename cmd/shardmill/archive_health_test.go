package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/localaws"
)

// healthy is an archiver in a process of its own, and where it tells its
// health.
type healthy struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	ended   chan string // its log, when it has ended
}

// startHealthy starts an archiver and waits until it says its address.
func startHealthy(ctx context.Context, t *testing.T, env []string, configuration string) healthy {
	t.Helper()
	cmd, _, _ := program(ctx, t, env, "archive", "--config", write(t, "archiver.yaml", configuration))
	cmd.Stderr = nil
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := healthy{t: t, cmd: cmd, ended: make(chan string, 1)}
	address := make(chan string, 1)
	go func() { // ends with the process, for whose end every test waits
		var text strings.Builder
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			text.WriteString(lines.Text() + "\n")
			var l struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &l) == nil && l.Msg == "serving health" {
				address <- l.Address
			}
		}
		h.ended <- text.String()
	}()
	select {
	case h.address = <-address:
	case text := <-h.ended:
		t.Fatalf("it ended: %s", text)
	}
	return h
}

// get returns an answer; its code is 0 if there is none.
func (h healthy) get(path string) (code int, body string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://"+h.address+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// metric returns the sum of a metric's series.
func (h healthy) metric(name string) (sum float64) {
	h.t.Helper()
	code, text := h.get("/metrics")
	if code != http.StatusOK {
		h.t.Fatalf("/metrics: %d %s", code, text)
	}
	found := false
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if series, _, _ = strings.Cut(series, "{"); series != "shardmill_"+name {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			h.t.Fatalf("%s: %v", line, err)
		}
		sum, found = sum+n, true
	}
	if !found {
		h.t.Fatalf("there is no %s", name)
	}
	return sum
}

// until asks again until good, during all of which the archiver is alive.
func (h healthy) until(ctx context.Context, what string, good func() bool) {
	h.t.Helper()
	for !good() {
		if ctx.Err() != nil {
			_, text := h.get("/metrics")
			h.t.Fatalf("it never came to be that %s:\n%s", what, text)
		}
		if code, body := h.get("/healthz"); code != http.StatusOK {
			h.t.Fatalf("before it was that %s: /healthz: %d %s", what, code, body)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at another process
	}
}

func (h healthy) want(path string, code int, prefix string) {
	h.t.Helper()
	if c, body := h.get(path); c != code || !strings.HasPrefix(body, prefix) {
		h.t.Errorf("%s: %d %q, want %d and %q", path, c, body, code, prefix)
	}
}

func (h healthy) end() {
	h.t.Helper()
	text := <-h.ended
	_ = h.cmd.Wait()
	if code := h.cmd.ProcessState.ExitCode(); code != 143 {
		h.t.Errorf("exit %d\n%s", code, text)
	}
}

// Metrics say what was archived; a service that is down costs leases but no
// life; an archiver that shuts down is not ready, and alive until it exits.
func TestArchiveTellsItsHealth(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	t.Cleanup(stack.Faults().Clear) // the services end only when no request is held
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	put := func(records int) {
		t.Helper()
		in := write(t, "in", strings.Repeat("some line\n", records))
		if cmd, out, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "4", in); cmd.Run() != nil {
			t.Fatalf("put: %s%s", out, errs)
		}
	}
	put(5000)
	h := startHealthy(ctx, t, env, strings.NewReplacer("healthAddress: off", `healthAddress: "127.0.0.1:0"`, "IntervalInSeconds: 60", "IntervalInSeconds: 1",
		"failoverTimeSeconds: 2", "failoverTimeSeconds: 4",
	).Replace(goodConfig))
	h.until(ctx, "all is delivered", func() bool {
		return h.metric("DeliveryToS3_Records") == 5000 && h.metric("RecordsProcessed") >= 5000 && h.metric("MillisBehindLatest") == 0 && h.metric("CurrentLeases") == 4
	})
	h.want("/readyz", http.StatusOK, "ready: worker ")
	for name, want := range map[string]float64{
		"DeliveryToS3_Bytes": 50000, "TotalLeases": 4, "NumWorkers": 1, "CreateLease_Success": 4, "RecordsLost": 0, "PutFailed": 0,
	} {
		if got := h.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// On a busy machine a lease may be lost by itself; what it had is read again.
	for name, least := range map[string]float64{
		"RecordsProcessed": 5000, "DataBytesProcessed": 50000, "DataReadFromKinesisStream_Records": 5000, "DataReadFromKinesisStream_Bytes": 50000,
		"DeliveryToS3_Success": 4, "TakenLeases": 4,
	} {
		if got := h.metric(name); got < least || got > least && h.metric("LostLeases") == 0 {
			t.Errorf("%s is %v, want %v", name, got, least)
		}
	}
	if n := countLines(t, stack); n != 5000 {
		t.Errorf("%d records in the objects, want 5000", n)
	}

	stack.Faults().Add(localaws.Fault{Kind: localaws.ServerError(http.StatusServiceUnavailable)})
	h.until(ctx, "all leases are lost", func() bool { return h.metric("LostLeases") >= 4 && h.metric("CurrentLeases") == 0 })
	h.want("/readyz", http.StatusOK, "ready: ")
	stack.Faults().Clear()
	h.until(ctx, "they are taken again", func() bool { return h.metric("CurrentLeases") == 4 })

	stack.Faults().Add(localaws.Fault{Service: localaws.Kinesis, Operation: "GetRecords", Times: 3, Kind: localaws.Throttle()})
	h.until(ctx, "refused calls are counted", func() bool { return h.metric("ThrottledGetRecords") == 3 })

	held := stack.Faults().Add(localaws.Fault{Service: "S3", Operation: "CompleteMultipartUpload", Kind: localaws.Stall(0)})
	put(1) // so that all there is was read when it is told to end
	select {
	case <-held.Struck():
	case <-ctx.Done():
		t.Fatal("nothing is put")
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.until(ctx, "it is not ready", func() bool { code, _ := h.get("/readyz"); return code == http.StatusServiceUnavailable })
	h.want("/readyz", http.StatusServiceUnavailable, "not ready: shutting down\n")
	stack.Faults().Clear()
	h.end()
	if n := countLines(t, stack); n != 5001 {
		t.Errorf("%d records in the objects, want 5001", n)
	}
	if code, body := h.get("/healthz"); code != 0 {
		t.Errorf("after its end: %d %s", code, body)
	}
}

// taken returns an address that is in use.
func taken(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// An address that the file names must be had; the default's port may be
// another archiver's.
func TestArchiveWhoseHealthAddressIsTaken(t *testing.T) {
	t.Parallel()
	address := taken(t)
	_, env := serve(t)
	cmd, out, errs := program(t.Context(), t, env, "archive", "--config",
		write(t, "archiver.yaml", strings.Replace(goodConfig, "healthAddress: off", fmt.Sprintf("healthAddress: %q", address), 1)))
	_ = cmd.Run() // the exit code is looked at
	want := "shardmill: shardmill.healthAddress is \"" + address + "\", which is in use; stop the other program, or set it to another address or to off\n"
	if cmd.ProcessState.ExitCode() != 1 || out.Len() > 0 || !strings.HasSuffix(errs.String(), want) {
		t.Errorf("exit %d, stdout %q, stderr\n%s", cmd.ProcessState.ExitCode(), out, errs)
	}

	core, logs := observer.New(zap.WarnLevel)
	served, err := serveHealth(t.Context(), config.Config{HealthAddress: address}, http.NotFoundHandler(), zap.New(core))
	if served != nil || err != nil {
		t.Errorf("the default: %v, %v", served, err)
	}
	if n := logs.FilterMessage("health is not served; set shardmill.healthAddress to an address of its own, or to off").FilterField(zap.String("address", address)).Len(); n != 1 {
		t.Errorf("the default: %v was logged", logs.All())
	}
	served, err = serveHealth(t.Context(), config.Config{HealthAddress: "192.0.2.1:0", HealthGiven: true}, http.NotFoundHandler(), zap.NewNop())
	if served != nil || err == nil || !strings.Contains(err.Error(), `shardmill.healthAddress is "192.0.2.1:0", which cannot be used: `) {
		t.Errorf("an address of another machine: %v, %v", served, err)
	}
}

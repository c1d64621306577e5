package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listening returns the addresses at which a process accepts connections.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	sockets := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			sockets[strings.Trim(to, "socket:[]")] = true
		}
	}
	var out []string
	for _, family := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, family))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			if f := strings.Fields(line); f[3] == "0A" && sockets[f[9]] { // LISTEN
				out = append(out, address(t, f[1]))
			}
		}
	}
	return out
}

// address reads the kernel's "0100007F:251C"; each 4 bytes are little-endian.
func address(t *testing.T, s string) string {
	t.Helper()
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+4 <= len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	ip, _ := netip.AddrFromSlice(b)
	var n int
	if _, err := fmt.Sscanf(port, "%X", &n); err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(n))
}

// A local run listens where its own services are, on a port of this machine,
// and nowhere else; it has no health.
func TestArchiveLocalListensOnlyForItself(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, _, errs := program(ctx, t, nil, "archive", "--local", "--dir", t.TempDir(), "-")
	in, out := io.Pipe()
	cmd.Stdin = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, "a line\n"); err != nil { // it runs, and waits for more
		t.Fatal(err)
	}
	var got []string
	for len(got) == 0 && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond) // between two looks at another process
		got = listening(t, cmd.Process.Pid)
	}
	if len(got) != 1 || !strings.HasPrefix(got[0], "127.0.0.1:") || strings.HasSuffix(got[0], ":9500") {
		t.Errorf("it listens on %v", got)
	}
	_ = out.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, errs)
	}
}

// An archiver listens where its configuration says, and with off nowhere.
func TestArchiveListensOnlyForHealth(t *testing.T) {
	t.Parallel()
	_, env := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if cmd, _, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "1", write(t, "in", "a line\n")); cmd.Run() != nil {
		t.Fatal(errs)
	}
	h := startHealthy(ctx, t, env, strings.Replace(goodConfig, "healthAddress: off", `healthAddress: "127.0.0.1:0"`, 1))
	h.until(ctx, "it is ready", func() bool { code, _ := h.get("/readyz"); return code == 200 })
	if got := listening(t, h.cmd.Process.Pid); len(got) != 1 || got[0] != h.address {
		t.Errorf("it listens on %v, not on %s", got, h.address)
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.end()

	cmd, _, errs := program(ctx, t, env, "archive", "--worker-id", "without", "--config", write(t, "archiver.yaml", goodConfig))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if list, out, _ := program(ctx, t, env, "leases", "list", "--table", "orders"); list.Run() == nil && strings.Contains(out.String(), " without ") && ctx.Err() == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(errs)
		}
	}
	if got := listening(t, cmd.Process.Pid); len(got) != 0 {
		t.Errorf("it listens on %v, and health is off", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

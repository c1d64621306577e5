package bulkbench_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const cannedVariable = "BULKBENCH_CANNED"

func TestMain(m *testing.M) {
	if os.Getenv(cannedVariable) != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// canned starts a cluster that takes all, in a process of its own.
func canned(tb testing.TB) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), cannedVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close() // it ends then
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// serve is that process.
func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = l.Close()
	}()
	_ = http.Serve(l, http.HandlerFunc(answer))
	return nil
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	if r.Method != http.MethodPost {
		fmt.Fprint(w, `{"name":"n","cluster_name":"c","version":{"number":"8.19.0","build_flavor":"default"},"tagline":"You Know, for Search"}`)
		return
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	lines := 0
	for buf := make([]byte, 64<<10); ; {
		n, err := body.Read(buf)
		if lines += bytes.Count(buf[:n], []byte("\n")); err != nil {
			break
		}
	}
	item := func(i int) string {
		return fmt.Sprintf(`{"index":{"_index":"bulkbench","_id":"4957%052d.0","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":%d,"_primary_term":1,"status":201}}`, i, i)
	}
	if r.URL.Query().Has("filter_path") {
		item = func(int) string { return `{"index":{"status":201}}` }
	}
	var b bytes.Buffer
	b.WriteString(`{"took":30,"errors":false,"items":[`)
	for i := range lines / 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(item(i))
	}
	b.WriteString(`]}`)
	_, _ = w.Write(b.Bytes())
}

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is written for CloudWatch when an archiver ends has all that it did: on standard
// output, or behind what a file has. Nobody need read it.
func TestEMF(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"standard output", "a file", "no reader"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			stack, env := serve(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			put, _, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "1", write(t, "in", "one\ntwo\nthree\n"))
			if err := put.Run(); err != nil {
				t.Fatal(err, errs)
			}
			configuration := strings.ReplaceAll(goodConfig, "IntervalInSeconds: 60", "IntervalInSeconds: 1")
			ours := "emfNamespace: Archive"
			file := filepath.Join(t.TempDir(), "emf")
			if where == "a file" {
				ours += ", emfFile: " + file
				if err := os.WriteFile(file, []byte("before\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			archive, out, errs := program(ctx, t, env, "archive", "--config", write(t, "archiver.yaml", strings.Replace(configuration, "shardmill: {", "shardmill: {"+ours+", ", 1)))
			if where == "no reader" {
				archive.Stdout = closedPipe(t)
			}
			if err := archive.Start(); err != nil {
				t.Fatal(err)
			}
			for n := 0; n < 3 && ctx.Err() == nil; n = countLines(t, stack) {
				time.Sleep(50 * time.Millisecond) // between two looks at another process
			}
			if err := archive.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			_ = archive.Wait()
			text, told := out.String(), strings.Contains(errs.String(), "metrics in EMF could not be written")
			if where == "a file" {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				after, ok := strings.CutPrefix(string(data), "before\n")
				if text = after; !ok {
					t.Errorf("what was in the file is gone: %q", data)
				}
			}
			var line struct {
				Records float64 `json:"DeliveryToS3.Records"`
			}
			if err := json.Unmarshal([]byte(text), &line); where != "no reader" && (err != nil || line.Records != 3) {
				t.Errorf("%v, %q", err, text)
			}
			if code := archive.ProcessState.ExitCode(); code != 143 || told != (where == "no reader") {
				t.Errorf("exit %d, told that it could not be written: %v\n%s", code, told, errs)
			}
		})
	}
}

// closedPipe returns a pipe that nobody reads from.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close() })
	return w
}

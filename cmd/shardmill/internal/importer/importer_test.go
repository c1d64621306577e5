package importer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
)

// load returns what a file comes to.
func load(text string, o importer.Options) (config.Config, error) {
	return config.From(importer.Read("f", []byte(text), config.Must, o))
}

func file(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// summary has what the forms can say, one line a member.
func summary(c config.Config) string {
	d := c.Delivery
	return strings.Join([]string{
		d.DeliveryStreamName, c.Worker.StreamARN, c.BucketARN, d.Prefix, string(d.Compression),
		fmt.Sprint(d.Hints.SizeInMBs, d.Hints.IntervalInSeconds, d.Version),
		c.Worker.ApplicationName + " " + c.Worker.InitialPosition.String(),
	}, "\n") + "\n" + strings.Join(c.Warnings, "\n")
}

// row is a file and what comes of it: a summary, or the whole error.
type row struct {
	name string
	text string
	o    importer.Options
	want string
}

func checkRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			c, err := load(r.text, r.o)
			got := summary(c)
			if err != nil {
				got = "error\n" + err.Error()
			}
			if diff := cmp.Diff(strings.TrimSpace(r.want), strings.TrimSpace(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// set makes options of NAME=VALUE.
func set(all ...string) importer.Options {
	o := importer.Options{Set: map[string]string{}, Secrets: config.Secrets()}
	for _, each := range all {
		name, value, _ := strings.Cut(each, "=")
		o.Set[name] = value
	}
	return o
}

func edit(text string, oldnew ...string) string {
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			panic("nothing to edit: " + oldnew[i])
		}
	}
	return strings.NewReplacer(oldnew...).Replace(text)
}

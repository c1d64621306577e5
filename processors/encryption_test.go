package processors_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/processors"
)

const (
	ourKey, backupKey = "arn:aws:kms:us-east-1:123456789012:key/ours", "arn:aws:kms:us-east-1:123456789012:key/backup"

	formerKey = "arn:aws:kms:us-east-1:123456789012:key/former"
)

// hoard is a shelf from which nothing is deleted.
type hoard struct{ *shelf }

func (hoard) Delete(context.Context, string, string) error { return nil }

// TestKeysByRole: what is delivered, error objects and bundles have the
// destination's key, the backup its own, or none.
func TestKeysByRole(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"", backupKey} {
		synctest.Test(t, func(t *testing.T) {
			s := new(shelf)
			archiver, err := processors.New(with(backedUp(), func(c *processors.Config) {
				c.Decompression, c.AWSKMSKeyARN, c.Backup.AWSKMSKeyARN = true, ourKey, own
			}), hoard{s})
			if err != nil {
				t.Fatal(err)
			}
			deliverAll(t, archiver, logs(t))
			got := map[string]string{}
			for _, o := range s.objects {
				name, _, _ := strings.Cut(o.Bucket+"/"+o.Key, "/2016/")
				if isBundle(o.Key) {
					name = "bundle"
				}
				got[name] = o.AWSKMSKeyARN
			}
			want := map[string]string{"b": ourKey, "b/decompression-failed": ourKey, "backup/raw": own, "bundle": ourKey}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestKeysOfASuccessor: what an earlier holder prepared is put with the keys of who
// finishes it: the earlier ones may be gone.
func TestKeysOfASuccessor(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		cfg    processors.Config
		change func(*processors.Config)
		backup string
	}{
		{"one object", config(), func(c *processors.Config) { c.AWSKMSKeyARN = ourKey }, ""},
		{"several", backedUp(), func(c *processors.Config) { c.AWSKMSKeyARN, c.Backup.AWSKMSKeyARN = ourKey, backupKey }, backupKey},
		{"several, and no backup any more", backedUp(), func(c *processors.Config) {
			c.AWSKMSKeyARN, c.Backup, c.FormerBuckets = ourKey, nil, []string{"backup"}
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				former := with(row.cfg, func(c *processors.Config) {
					c.AWSKMSKeyARN = formerKey
					if c.Backup != nil {
						b := *c.Backup
						b.AWSKMSKeyARN = formerKey
						c.Backup = &b
					}
				})
				w := struck(t, "put", 0, crashBefore, former.WithSize(30))
				before := len(w.puts)
				if err := w.run(t.Context(), t, []int{4}, with(row.cfg, row.change).WithSize(30)); err != nil {
					t.Fatal(err)
				}
				if err := w.verdict(true); err != nil {
					t.Error(err)
				}
				for _, o := range w.puts[before:] {
					want := ourKey
					if o.Bucket == "backup" {
						want = row.backup
					}
					if o.AWSKMSKeyARN != want {
						t.Errorf("%s/%s has the key %q, want %q", o.Bucket, o.Key, o.AWSKMSKeyARN, want)
					}
				}
			})
		})
	}
}

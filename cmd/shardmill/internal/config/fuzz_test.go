package config_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/prefix"
)

var faultLine = regexp.MustCompile(`^a\.yaml:([1-9][0-9]*): \S.*$`)

func seed(f *testing.F) {
	f.Helper()
	for _, name := range []string{"archiver.yaml", "archiver.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"", "a: &a [*a]", "<<: 1", "? a\n: b", "a: !!x", "{a: {b: [c, ", "---\n...\n---", "a: |\n b\n", "\"\\ud800\": 1", "a: 1e9\n1: 2", base,
		inOurs("formerBuckets: [a, 'b', 3]"), inOurs("healthAddress: off"), inOurs("healthAddress: '[fe80::1%lo]:9'"), inOurs("healthAddress: 127.0.0.1:70000"), inOurs("healthAddress: ':1'"),
		inDestination("Prefix: $${a}${WORDS}${LINES}${BYTES}"), inDestination("BufferingHints: {SizeInMBs: '${SIZE}', IntervalInSeconds: \"${ZERO}\"}"), inOurs("maxLeases: |-\n  ${SIZE}\nformerBuckets: ['${NONE}', '${NAME}', '${']"),
		processing(parameters("Lambda", "LambdaArn", function, "NumberOfRetries", "0", "BufferSizeInMBs", "0.2", "BufferIntervalInSeconds", "0", "RoleArn", "r")),
		partitioned(byQuery, inList(queryOf("{a:.a}"), parameters("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "Cg=="))),
		inOurs("transform: {command: [a, ''], directory: b, environment: {C: d}, memoryMBs: 1, timeoutSeconds: 2, processes: 3, numberOfRetries: 4, bufferSizeInMBs: 0.5, bufferIntervalInSeconds: 6}"),
		toIndex, toCollection, localKeys("auth: none\nidField: a.b\nversionField: c\nweeks: iso"), withKeys("auth: basic\nusername: u\npassword: ${db_password}\nendpoints: ['http://h', https://i]"),
		inIndex("TypeName: log\nIndexRotationPeriod: OneWeek\nDocumentIdOptions: {DefaultDocumentIdFormat: NO_DOCUMENT_ID}\nS3BackupMode: AllDocuments") + "shardmill: {engine: OpenSearch_1.3}\n",
		toTable, inTable("RetryOptions: {DurationInSeconds: 0}\nS3BackupMode: Enabled\nS3BackupConfiguration: {BucketARN: 'arn:aws:s3:::raw'}"), toTable + bySecret, strings.Replace(toTable, "hidden", "${db_password}", 1),
		tableKeys("commitOn: load\nledger: a.b\ncopyTimeoutSeconds: 60\nclusterEndpoint: 'h:1'\nloaderTable: abc\nloaderBilling: {read: 1, write: 2}\ncaFile: f"), loggedIn("", "login: iam\ndbUser: u"), loggedIn("", "login: dataApi\nworkgroup: abc\ncopyCredentials: session"),
		partitioned("a!{timestamp:yyyy}/") + "shardmill: {activePartitions: 1, partitionOverflow: fail, eventTime: {jq: .t, formats: [yyyy]}}\n",
	} {
		f.Add([]byte(text))
	}
}

// FuzzLoad: whatever the file is, Load says either what is wrong with it, each
// fault on a line of its own and in order, or returns values within bounds.
func FuzzLoad(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Load("a.yaml", data, environment)
		again, errAgain := config.Load("a.yaml", data, environment)
		if diff := differ(c, again); diff != "" || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("a second time it is another: %s%v\n%v", diff, err, errAgain)
		}
		if err == nil {
			checkBounds(t, c)
			return
		}
		if strings.Contains(err.Error(), "hidden") && !bytes.Contains(data, []byte("hidden")) {
			t.Fatalf("it shows a secret: %v", err)
		}
		lines, last := bytes.Count(data, []byte("\n"))+1, 1
		for text := range strings.SplitSeq(err.Error(), "\n") {
			m := faultLine.FindStringSubmatch(text)
			if m == nil {
				t.Fatalf("%q does not say where and what", text)
			}
			line, _ := strconv.Atoi(m[1])
			if line < last || line > lines {
				t.Fatalf("line %d of %d comes after line %d:\n%v", line, lines, last, err)
			}
			last = line
		}
	})
}

func checkBounds(t *testing.T, c config.Config) {
	t.Helper()
	names := c.Delivery.DeliveryStreamName != "" && c.Worker.StreamARN != "" && c.Worker.StreamName != "" && c.Region != "" && c.Delivery.Bucket != "" && len(c.Worker.ApplicationName) >= 3
	size, interval := 128, 900
	if c.Delivery.Hints.BeyondFirehose {
		size, interval = processors.MaxSizeInMBs, processors.MaxIntervalInSeconds
	}
	hints := 1 <= c.Delivery.Hints.SizeInMBs && c.Delivery.Hints.SizeInMBs <= size && 0 <= c.Delivery.Hints.IntervalInSeconds && c.Delivery.Hints.IntervalInSeconds <= interval
	_, err := netip.ParseAddrPort(c.HealthAddress)
	if strings.HasPrefix(c.HealthAddress, ":") {
		_, err = strconv.ParseUint(c.HealthAddress[1:], 10, 16)
	}
	health := err == nil || c.HealthAddress == "" && c.HealthGiven
	buckets := regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,255}$`)
	for _, name := range c.Delivery.FormerBuckets {
		names = names && buckets.MatchString(name)
	}
	checkStages(t, c)
	checkWarehouse(t, c)
	times := c.Worker.FailoverTime > 0 && c.Worker.ScanInterval > 0 && c.Worker.ShardSyncInterval > 0 && c.Worker.MaxBytes > 0
	if !names || !hints || !times || !health || !isPrefix(c.Delivery.Prefix) {
		t.Errorf("accepted out of bounds: %+v", c)
	}
}

// FuzzJSON: JSON means the same without its spaces, as the standard library
// takes them away.
func FuzzJSON(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) || len(data) > 4096 {
			return
		}
		var small bytes.Buffer
		if err := json.Compact(&small, data); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load("a.yaml", data, nil)
		compact, compactErr := config.Load("a.yaml", small.Bytes(), nil)
		if (err == nil) != (compactErr == nil) {
			t.Fatalf("%s: %v\ncompact: %v", data, err, compactErr)
		}
		if err != nil {
			half := strings.Contains(err.Error(), "surrogate") // of a pair, which is no text
			if strings.Contains(err.Error(), "syntax error") && !half {
				t.Fatalf("JSON is refused: %s: %v", data, err)
			}
			return
		}
		c.Warnings, compact.Warnings = nil, nil
		if diff := differ(c, compact); diff != "" {
			t.Fatalf("%s means another: %s", data, diff)
		}
	})
}

// isPrefix reports whether objects can be named with a prefix.
func isPrefix(s string) bool {
	_, err := prefix.Parse(s, prefix.Objects)
	return err == nil
}

// checkWarehouse checks what Redshift is within.
func checkWarehouse(t *testing.T, c config.Config) {
	t.Helper()
	w, d := c.Warehouse, c.Delivery
	if (w != nil) != (d.Load != nil) {
		t.Errorf("one half is loaded: %+v of %+v", w, d)
	}
	if w == nil {
		return
	}
	in, url := w.Login, w.URL
	login := map[config.LoginKind]bool{
		config.LoginPassword: in.Username != "" && (in.Password.File != "" || len(in.Password.Reveal()) >= 6) && in.SecretARN == "",
		config.LoginSecret:   in.SecretARN != "", config.LoginIAM: (in.ClusterIdentifier == "") != (in.Workgroup == ""), config.LoginDataAPI: (in.ClusterIdentifier == "") != (in.Workgroup == ""),
	}[in.Kind]
	good := login && url.Host != "" && url.Database != "" && url.Port > 0 && url.Port < 65536 && w.Load.DataTableName != "" && (w.RoleARN != "") == (w.CopyCredentials == config.CopyByRole) &&
		w.Table.Name != c.Worker.ApplicationName && len(w.Table.Name) >= 3 && len(w.Table.Name) <= 255 && (w.Table.ReadCapacity > 0) == (w.Table.WriteCapacity > 0) && c.Documents == nil
	staged := (d.Compression == processors.GZIP || d.Compression == processors.Uncompressed) && !strings.Contains(d.Prefix, "!{") && d.ErrorOutputPrefix == "" &&
		d.DynamicPartitioning == nil && d.RecordDeAggregation == nil && (w.Load.Ledger == "" || d.Delivery == processors.ExactlyOnce)
	if !good || !staged {
		t.Errorf("accepted out of bounds: %+v of %+v", w, d)
	}
}

// checkStages checks what transforms and partitions are within.
func checkStages(t *testing.T, c config.Config) {
	t.Helper()
	if tr := c.Transform; tr != nil {
		h := tr.Hints
		good := (tr.Lambda == nil) != (tr.Command == nil) && 0 <= tr.NumberOfRetries && tr.NumberOfRetries <= 300 &&
			0.2 <= h.SizeInMBs && h.SizeInMBs <= 3 && 0 <= h.IntervalInSeconds && h.IntervalInSeconds <= 900
		if l := tr.Lambda; l != nil {
			good = good && strings.HasPrefix(l.ARN, "arn:") && l.Region != ""
		}
		if p := tr.Command; p != nil {
			good = good && len(p.Argv) > 0 && p.Argv[0] != "" && 1 <= p.TimeoutSeconds && p.TimeoutSeconds <= 300 && 0 <= p.Processes && p.Processes <= 256
		}
		if !good {
			t.Errorf("accepted out of bounds: %+v", tr)
		}
	}
	d := c.Delivery
	p := d.DynamicPartitioning
	if p == nil {
		if d.RecordDeAggregation != nil {
			t.Errorf("de-aggregation without partitions: %+v", d)
		}
		return
	}
	hints := d.Hints.BeyondFirehose || d.Hints.SizeInMBs >= 64 && d.Hints.IntervalInSeconds >= 60
	if !hints || d.ErrorOutputPrefix == "" || p.Overflow == "" || p.ActivePartitions < 0 || p.MetadataExtractionQuery == "" && p.EventTime == nil && c.Transform == nil {
		t.Errorf("accepted out of bounds: %+v of %+v", p, d)
	}
}

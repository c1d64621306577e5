package esarchive_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/esarchive"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := esarchive.Config{}.WithDefaults()
	if c.Service != esarchive.OpenSearchService || c.IndexRotationPeriod != esarchive.OneDay || c.Weeks != esarchive.USWeeks || c.Operation != esarchive.OpIndex ||
		*c.RetryDuration != 5*time.Minute || c.MaxRequestBytes != 5<<20 || c.MaxInFlightBytes != 32<<20 || c.Parallel != 4 || c.RequestTimeout != time.Minute || c.Logger == nil {
		t.Errorf("%+v", c)
	}
	if p := (esarchive.Config{Service: esarchive.Serverless}).WithDefaults().IndexRotationPeriod; p != esarchive.NoRotation {
		t.Errorf("Serverless rotates %s", p)
	}
	zero := time.Duration(0)
	if d := (esarchive.Config{RetryDuration: &zero}).WithDefaults().RetryDuration; *d != 0 {
		t.Errorf("no retries are %v", *d)
	}
}

// faultyConfig is a change of a valid Config, and what is said of it.
type faultyConfig struct {
	change func(*esarchive.Config)
	want   []string
}

// faultyConfigs are changes by name.
func faultyConfigs() map[string]faultyConfig {
	type C = *esarchive.Config
	name := func(name string, want ...string) faultyConfig {
		return faultyConfig{func(c C) { c.IndexName = name }, append(want, "IndexName ")}
	}
	second := 1500 * time.Millisecond
	long, before := 7201*time.Second, -time.Second
	return map[string]faultyConfig{
		"service":              {func(c C) { c.Service = "S3" }, []string{`Service "S3": must be AmazonOpenSearchService`}},
		"no name":              name("", "it has 0"),
		"81 characters":        name(strings.Repeat("ä", 81), "1-80 characters; it has 81"),
		"upper case":           name("Orders", "lower case"),
		"upper case, Greek":    name("Ω", "lower case"),
		"too many bytes":       name(strings.Repeat("😀", 61), "it can have 258 bytes"),
		"space":                name("a b", "spaces"),
		"comma":                name("a,b", "spaces"),
		"colon":                name("a:b", "spaces"),
		"hash":                 name("a#b", "spaces"),
		"slash":                name("a/b", "spaces"),
		"backslash":            name(`a\b`, "spaces"),
		"star":                 name("a*", "spaces"),
		"question":             name("a?", "spaces"),
		"quote":                name(`a"`, "spaces"),
		"angles":               name("<a>", "spaces"),
		"pipe":                 name("a|b", "spaces"),
		"control":              name("a\nb", "control"),
		"minus":                name("-a", "begin with"),
		"underscore":           name("_a", "begin with"),
		"plus":                 name("+a", "begin with"),
		"point":                name(".", "begin with"),
		"points":               name("..", "begin with"),
		"not UTF-8":            name("a\xff", "UTF-8"),
		"period":               {func(c C) { c.IndexRotationPeriod = "OneYear" }, []string{`IndexRotationPeriod "OneYear": must be NoRotation, OneHour`}},
		"weeks":                {func(c C) { c.Weeks = "de" }, []string{`Weeks "de": must be us or iso`}},
		"rotation":             {func(c C) { c.Service, c.IndexRotationPeriod = esarchive.Serverless, esarchive.OneDay }, []string{`IndexRotationPeriod "OneDay": must be NoRotation for AmazonOpenSearchServerless`}},
		"engine, Serverless":   {func(c C) { c.Service, c.Engine = esarchive.Serverless, "OpenSearch_2.19" }, []string{`Engine "OpenSearch_2.19": must be empty`}},
		"engine":               {func(c C) { c.Engine = "Solr_9" }, []string{`Engine "Solr_9": `}},
		"type, Serverless":     {func(c C) { c.Service, c.TypeName = esarchive.Serverless, "log" }, []string{`TypeName "log": Types are deprecated`}},
		"type, OpenSearch":     {func(c C) { c.Engine, c.TypeName = "OpenSearch_1.3", "log" }, []string{`TypeName "log": Types are deprecated`}},
		"type, too long":       {func(c C) { c.TypeName = strings.Repeat("a", 101) }, []string{`TypeName "aaa`, "at most 100"}},
		"operation":            {func(c C) { c.Operation = "update" }, []string{`Operation "update": must be index or create`}},
		"ids, none and field":  {func(c C) { c.IDs.None, c.IDs.Field, c.Operation = true, "id", esarchive.OpCreate }, []string{"IDs.None true: must be false"}},
		"ids, none, prefix":    {func(c C) { c.IDs.None, c.IDs.Prefix = true, true }, []string{"IDs.None true: must be false"}},
		"ids, field, prefix":   {func(c C) { c.IDs.Prefix, c.IDs.Field, c.Operation = true, "id", esarchive.OpCreate }, []string{"IDs.Prefix true: must be false"}},
		"ids, no version":      {func(c C) { c.IDs.Field = "id" }, []string{`IDs.VersionField "": must be set with IDs.Field`}},
		"ids, version alone":   {func(c C) { c.IDs.VersionField = "v" }, []string{`IDs.VersionField "v": must be empty without`}},
		"ids, version, create": {func(c C) { c.IDs.Field, c.IDs.VersionField, c.Operation = "id", "v", esarchive.OpCreate }, []string{`IDs.VersionField "v": must be empty with the Operation`}},
		"paths":                {func(c C) { c.IDs.Field, c.IDs.VersionField, c.RoutingField = ".a", "a..b", "a." }, []string{`IDs.Field ".a"`, `IDs.VersionField "a..b"`, `RoutingField "a."`}},
		"retry, fraction":      {func(c C) { c.RetryDuration = &second }, []string{`RetryDuration "1.5s": must be 0-7200 s`}},
		"retry, long":          {func(c C) { c.RetryDuration = &long }, []string{`RetryDuration "2h0m1s"`}},
		"retry, negative":      {func(c C) { c.RetryDuration = &before }, []string{`RetryDuration "-1s"`}},
		"request, small":       {func(c C) { c.MaxRequestBytes = 64<<10 - 1 }, []string{"MaxRequestBytes 65535: must be 64 KiB-100 MiB"}},
		"request, large":       {func(c C) { c.MaxRequestBytes = 100<<20 + 1 }, []string{"MaxRequestBytes 104857601"}},
		"in flight":            {func(c C) { c.MaxInFlightBytes = 1 }, []string{"MaxInFlightBytes 1: must be at least"}},
		"parallel, none":       {func(c C) { c.Parallel = -1 }, []string{"Parallel -1: must be 1-32"}},
		"parallel, many":       {func(c C) { c.Parallel = 33 }, []string{"Parallel 33"}},
		"timeout":              {func(c C) { c.RequestTimeout = time.Millisecond }, []string{`RequestTimeout "1ms": must be at least 1 s`}},
		"all at once":          {func(c C) { c.Service, c.IndexName, c.Parallel = "S3", "A", 50 }, []string{"Service", "IndexName", "Parallel"}},
	}
}

func TestFaultsOfConfig(t *testing.T) {
	t.Parallel()
	for name, row := range faultyConfigs() {
		c := esarchive.Config{IndexName: "orders", Endpoints: []string{"http://localhost"}}
		if err := esarchive.Settle(c); err != nil {
			t.Fatal(err)
		}
		row.change(&c)
		_, err := esarchive.New(c)
		if err == nil {
			t.Errorf("%s: not refused", name)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
}

func TestConfigsThatGo(t *testing.T) {
	t.Parallel()
	for _, c := range []esarchive.Config{
		{IndexName: strings.Repeat("a", 80)},
		{IndexName: strings.Repeat("ä", 80)},
		{IndexName: strings.Repeat("😀", 60)},
		{IndexName: "a.b-c_d+e"},
		{IndexName: ".a"},
		{IndexName: "名前"},
		{IndexName: "a", TypeName: "log"},
		{IndexName: "a", TypeName: "log", Engine: "Elasticsearch_6.8"},
		{IndexName: "a", Service: esarchive.Serverless},
		{IndexName: "a", Operation: esarchive.OpCreate},
		{IndexName: "a", IDs: esarchive.IDs{Field: "a.b"}, Operation: esarchive.OpCreate},
	} {
		if err := esarchive.Settle(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// An alias may have upper case, which an index may not.
func TestUpperCaseOfAlias(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	_, err := esarchive.NewWith(esarchive.Config{IndexName: "Orders", IndexRotationPeriod: esarchive.NoRotation, Logger: zap.New(core)}, nil)
	if err != nil || logs.Len() != 1 {
		t.Errorf("%v, %v", err, logs.All())
	}
}

func TestFailedType(t *testing.T) {
	t.Parallel()
	for service, want := range map[esarchive.Service]string{
		"": "AmazonOpenSearchService-failed", esarchive.Serverless: "AmazonOpenSearchService-failed", esarchive.Elasticsearch: "elasticsearch-failed",
	} {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", Service: service}, nil)
		if err != nil || x.FailedType() != want {
			t.Errorf("%s: %s, %v", service, x.FailedType(), err)
		}
	}
}

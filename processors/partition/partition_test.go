package partition_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition"
)

// extract returns the values that rules find in a record, joined, and the message if they fail.
func extract(t *testing.T, x *partition.Extraction, record string) (values string, at time.Time, message string) {
	t.Helper()
	found, at, err := x.Open().Extract(t.Context(), []byte(record))
	if f, ok := errors.AsType[*partition.Failure](err); ok {
		return "", time.Time{}, f.Message
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, v := range found {
		list = append(list, string(v))
	}
	return strings.Join(list, "|"), at, ""
}

func compiled(t *testing.T, r partition.Rules) *partition.Extraction {
	t.Helper()
	x, err := partition.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`{customer_id:.customer_id,device:.type.device,year:.event_timestamp|strftime("%Y")}`: "customer_id device year",
		`{b,a}`:                            "b a",
		`{"a b", "c":1}`:                   "a b c",
		`.x | {a}`:                         "a",
		`.x | (.y | {a})`:                  "a",
		`. as $x | {$x, y:$x.y}`:           "x y",
		`def f: .a; {v: f}`:                "v",
		`{if:.a}`:                          "if",
		`{a:.b|.c|tostring, d:-1}`:         "a d",
		``:                                 "",
		`{a:(if .b then .c else .d end)}`:  "a",
		"{a:.a, # a comment\n b:.b}":       "a b",
		`.type as [$a] ?// $a | {k:$a}`:    "k",
		`{a:.a // 1}`:                      "refused",
		`{k:.[0]["x"]."y z".z?}`:           "k",
		`{k:(.a|test("x";"ix"))}`:          "k",
		`{k:(.a|ltrimstr("x"))}`:           "k",
		`{k:(.a|_nwise(2))}`:               "k",
		`{"a":.b,"\u0062":.c}`:             "a b",
		`{k:"\(.a)-\(.b)"}`:                "k",
		`{k:(.a as {b:$c} | $c)}`:          "k",
		`{k:(reduce .a[] as $x (0;.+$x))}`: "k",
	} {
		x, err := partition.New(partition.Rules{Query: query})
		got := "refused"
		if err == nil {
			got = strings.Join(x.Keys(), " ")
		}
		if got != want {
			t.Errorf("%s has the keys %q, %v; want %q", query, got, err, want)
		}
	}
}

// What cannot be used is refused with the member, the reason and a remedy, and all of it at once.
func TestRefusals(t *testing.T) {
	t.Parallel()
	many := make([]string, 51)
	for i := range many {
		many[i] = "k" + strings.Repeat("i", i) + ":.a"
	}
	for _, row := range []struct {
		rules partition.Rules
		want  []string // field and a part of the text of each error
	}{
		{partition.Rules{Query: `.a`}, []string{"Query does not end in an object"}},
		{partition.Rules{Query: `{}`}, []string{"Query has 0 partition keys"}},
		{partition.Rules{Query: "{" + strings.Join(many, ",") + "}"}, []string{"Query has 51 partition keys"}},
		{partition.Rules{Query: `{(.a):1}`}, []string{"Query has a name that it computes"}},
		{partition.Rules{Query: `{"a\(1)":1}`}, []string{"Query has a name that it computes"}},
		{partition.Rules{Query: `{"":.a}`}, []string{"Query has a name that is empty"}},
		{partition.Rules{Query: `{a:.b,"a":.c}`}, []string{`Query has the name "a" twice`}},
		{partition.Rules{Query: `{a:.b} + {c:.d}`}, []string{"Query does not end in an object"}},
		{partition.Rules{Query: `{a:.b`}, []string{"Query is no jq program at its end"}},
		{partition.Rules{Query: `{a:.b}}`}, []string{"Query is no jq program at the token }"}},
		{partition.Rules{Query: `{a:(.b|abs)}`}, []string{"Query calls abs/0, which jq 1.6 does not have"}},
		{partition.Rules{Query: `{a:(.b|trim|toarray), c:(.d|@base32d)}`}, []string{"Query calls trim/0,", "Query calls toarray/0,", "Query has the format @base32d"}},
		{partition.Rules{Query: `{a:input, b:env.X, c:$ENV.X, d:(.|debug), e:input_line_number, f:halt}`}, []string{
			"Query calls input/0, which cannot", "Query calls env/0, which cannot", "Query uses $ENV, which cannot", "Query calls debug/0, which cannot",
			"Query calls input_line_number/0, which cannot", "Query calls halt/0, which cannot",
		}},
		{partition.Rules{Query: `import "a" as a; {b:a::c}`}, []string{"Query has modules"}},
		{partition.Rules{Query: `{a:$nowhere}`}, []string{"Query cannot be compiled: variable not defined: $nowhere"}},
		{partition.Rules{Query: `{a:(if .b then 1 end)}`}, []string{"Query has an if without an else"}},
		{partition.Rules{Query: `{a:if .b then 1 else 2 end}`}, []string{"Query has an object with a value that is more than a term"}},
		{partition.Rules{Query: `{a:.b + 1}`}, []string{"Query has an object with a value that is more than a term"}},
		{partition.Rules{Query: `{a:(_jq_call)}`}, []string{"Query calls _jq_call/0"}},
		{partition.Rules{Query: `def _jq_add(a;b): 1; {a:.b}`}, []string{"Query defines _jq_add"}},
		{partition.Rules{Query: `{a:(.b|limit(1))}`}, []string{"Query calls limit/1"}},
		{partition.Rules{Query: "{a:\"" + strings.Repeat("é", 5115) + "\"}"}, []string{"Query has 5121 characters: it may have at most 5120"}},
		{partition.Rules{Query: "{a:\"\xff\"}"}, []string{"Query is not UTF-8"}},
		{partition.Rules{Formats: []string{"rfc3339"}}, []string{"Formats is set without EventTime"}},
		{partition.Rules{Query: `{(.a):1,b:abs}`, EventTime: ".a | pick(.b)", Formats: []string{"epoch", "MM", "yyyy'x", "yyyy [MM]", "yyyy y", "yyyyMMM"}}, []string{
			"Query has a name that it computes", "Query calls abs/0", "EventTime calls pick/1", `Formats has "epoch", which`, `Formats has "MM", which has no year`,
			`Formats has "yyyy'x", which has an apostrophe`, `Formats has "yyyy [MM]", which has the character [`, `Formats has "yyyy y", which has y, which`,
			`Formats has "yyyyMMM", which has MMM`,
		}},
	} {
		_, err := partition.New(row.rules)
		var got []string
		for _, e := range leaves(err) {
			f, ok := errors.AsType[*partition.Error](e)
			if !ok || f.Field == "" || f.Reason == "" || f.Remedy == "" {
				t.Errorf("%+v: %#v", row.rules, e)
			}
			got = append(got, e.Error())
		}
		if !slices.EqualFunc(got, row.want, strings.HasPrefix) {
			t.Errorf("%+v:\n%s\nwant\n%s", row.rules, strings.Join(got, "\n"), strings.Join(row.want, "\n"))
		}
	}
}

func leaves(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, leaves(e)...)
		}
		return list
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

const (
	notJSON     = "Non JSON record provided"
	nullOrEmpty = "partitionKeys values must not be null or empty"
	notScalar   = "partitionKeys values must not be arrays or objects"
	failed      = "jq: the query fails on this record"
)

// Values are what they are with jq and without.
func TestValues(t *testing.T) {
	t.Parallel()
	const a, ab = `{k:.a}`, `{k:.a,l:.b.c}`
	for _, row := range []struct{ query, record, want string }{
		{a, `{"a":"x"}`, "x"},
		{a, ` { "a" : "x/ y" } ` + "\r\n", "x/ y"},
		{a, `{"a":1}`, "1"},
		{a, `{"a":1.0}`, "1"},
		{a, `{"a":-0}`, "-0"},
		{a, `{"a":0}`, "0"},
		{a, `{"a":1e17}`, "1e+17"},
		{a, `{"a":100000000000000000}`, "1e+17"},
		{a, `{"a":10000000000000000}`, "1e+16"},
		{a, `{"a":1000000000000000}`, "1000000000000000"},
		{a, `{"a":9007199254740993}`, "9007199254740992"},
		{a, `{"a":123456789012345678}`, "123456789012345680"},
		{a, `{"a":1e-7}`, "1e-07"},
		{a, `{"a":0.0001}`, "0.0001"},
		{a, `{"a":0.00001}`, "1e-05"},
		{a, `{"a":1.10}`, "1.1"},
		{a, `{"a":1e1000}`, "1.7976931348623157e+308"},
		{a, `{"a":-1E+2}`, "-100"},
		{a, `{"a":true}`, "true"},
		{a, `{"a":false}`, "false"},
		{a, `{"a":null}`, nullOrEmpty},
		{a, `{"a":""}`, nullOrEmpty},
		{a, `{}`, nullOrEmpty},
		{a, `null`, nullOrEmpty},
		{a, `{"a":[]}`, notScalar},
		{a, `{"a":{}}`, notScalar},
		{a, `{"a":"1","a":"2"}`, "2"},
		{a, `{"a":"1","\u0061":null}`, nullOrEmpty},
		{a, `{"a":"é\u00e9\ud83d\ude00\n\udc00"}`, "éé😀\n\ufffd"},
		{a, "{\"a\":\"\xe2\x82\xff\"}", "\ufffd\ufffd"},
		{a, `1`, failed},
		{a, `"x"`, failed},
		{a, `[1]`, failed},
		{`{k:.}`, `"x"`, "x"},
		{`{k:.}`, `17`, "17"},
		{`{k:.}`, `{}`, notScalar},
		{ab, `{"a":1,"b":{"c":2}}`, "1|2"},
		{ab, `{"b":{"c":2},"a":1}`, "1|2"},
		{ab, `{"a":1,"b":{"c":2},"b":{}}`, nullOrEmpty},
		{ab, `{"a":1,"b":{"c":2},"b":null}`, nullOrEmpty},
		{ab, `{"a":1,"b":"c"}`, failed},
		{ab, `{"a":null,"b":"c"}`, failed},
		{ab, `{"a":null,"b":{"c":[]}}`, nullOrEmpty},
		{ab, `{"a":[],"b":{"c":null}}`, notScalar},
		{`{k:.a[1].b}`, `{"a":[0,{"b":"x"}]}`, "x"},
		{`{k:.a[1].b}`, `{"a":[0]}`, nullOrEmpty},
		{`{k:.a[1].b}`, `{"a":{"1":0}}`, failed},
		{`{k:.a[1].b}`, `{"a":"xyz"}`, failed},
		{`{k:.a[0]}`, `{"a":"xyz"}`, failed},
		{`{k:."a b"["c d"]}`, `{"a b":{"c d":"x"}}`, "x"},
		{`{"a b"}`, `{"a b":"x"}`, "x"},
		{`{k:.a,l:.a.b}`, `{"a":{"b":1}}`, notScalar},
		{`{k:.a.b,l:.a.c}`, `{"a":{"c":1,"b":2}}`, "2|1"},
		{`{k:(.a|strftime("%Y-%m-%d"))}`, `{"a":1565382027}`, "2019-08-09"},
		{`{k:(.a,.b)}`, `{"a":1,"b":2}`, "jq: the query has more than one result for this record"},
		{`{k:(.a|empty)}`, `{}`, "jq: the query has no result for this record"},
		{`{k:(.a|error)}`, `{"a":"secret"}`, failed},
		{`{k:(.a|tonumber)}`, `{"a":"secret"}`, failed},
		{`{k:nan}`, `{}`, nullOrEmpty},
		{`{k:(.a|tojson)}`, `{"a":{"b":1,"a":[2]}}`, `{"b":1,"a":[2]}`},
		{`{k:(.a|join("-"))}`, `{"a":[1,null,"x",true]}`, "1--x-true"},
		{`{k:([limit(0;.a[])]|length)}`, `{"a":[1,2]}`, "1"},
		{`{k:(.a|gsub("[^a-z]";"_"))}`, `{"a":"ab c/d"}`, "ab_c_d"},
		{`{k:(.a|ascii_downcase|split(" ")|.[0])}`, `{"a":"Ab Cd"}`, "ab"},
		{`{k:(.a // "none")}`, `{}`, "none"},
	} {
		for name, compile := range map[string]func(partition.Rules) (*partition.Extraction, error){"": partition.New, "by jq alone ": partition.Slow} {
			x, err := compile(partition.Rules{Query: row.query})
			if err != nil {
				t.Fatal(err)
			}
			got, _, message := extract(t, x, row.record)
			if got+message != row.want {
				t.Errorf("%s%s of %s is %q, %q; want %q", name, row.query, row.record, got, message, row.want)
			}
		}
	}
}

// What is not one JSON text fails as that, whatever is asked for.
func TestNotJSON(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 128) + "1" + strings.Repeat("}", 128)
	for _, record := range []string{
		"", " ", "not json", `{"a":1}{"a":2}`, `{"a":1} x`, `{"a":1`, `{"a":1}}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":NaN}`, `{"a":nan}`,
		`{"a":Infinity}`, `{'a':1}`, `{a:1}`, `{"a":1,}`, `[1,]`, `{"a" 1}`, `{"a":"\x"}`, `{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\ud800\ud800"}`, "{\"a\":\"longer, with\ta tab in it\"}", `{"a":"\u12"}`, "{\"a\":\"\t\"}", "{\"a\":\"\x00\"}",
		"\ufeff{}", `{"a":tru}`, `{"a":1e}`, `{"a":-}`, "{\"a\":\v1}", `{"a":1}` + "\x00", `{"b":` + deep + `}`, `{"a":1}//`, `{"a":truefalse}`, `{"a"}`, `{1:2}`,
	} {
		for _, r := range []partition.Rules{{Query: `{k:.a}`}, {Query: `{k:"x"}`}, {EventTime: ".a"}, {EventTime: "(.a)"}} {
			if _, _, message := extract(t, compiled(t, r), record); message != notJSON {
				t.Errorf("%+v of %.60q: %q", r, record, message)
			}
		}
	}
	if got, _, message := extract(t, compiled(t, partition.Rules{Query: `{k:.x}`}), `{"x":1,"a":`+deep[5:len(deep)-1]+`}`); got != "1" {
		t.Errorf("as deep as jq allows: %q", message)
	}
}

// hostile are queries that would take for ever, or all memory.
func hostile() []string {
	return []string{
		`{k:last(range(1e12))}`,
		`{k:(try last(range(1e12)) catch 1)}`,
		`{k:(last(range(1e12))? // 1)}`,
		`{k:("abc"|gsub("";"-"))}`,
		`{k:("x"*1e9)}`,
		`{k:(try ("x"*1e9) catch 1)}`,
		`{k:(("x"*1e9) // 1)}`,
		`{k:(("x"*1e9)? // 1)}`,
		`{k:([limit(1e9;repeat(1))]|length)}`,
		`{k:([range(1e9)]|length)}`,
		`{k:last(repeat(1))}`,
		`{k:(def f: 1+f; f)}`,
		`{k:(def f(g): g|f(g); f(.))}`,
		`{k:(def f: "\(.)\(.)"|f; "x"|f)}`,
		`{k:(def f: .+.|f; [1]|f|length)}`,
		`{k:(def f: {a:.,b:.}|f; f|length)}`,
		`{k:(reduce range(1e9) as $i (null;[.])|length)}`,
		`{k:(reduce range(1e9) as $i ({};.["\($i)"]=$i)|length)}`,
		`{k:(null|setpath([1e9];1)|length)}`,
		`{k:([]|.[60000000]=1|length)}`,
		`{k:([range(30)|[range(30)]]|[combinations]|length)}`,
		`{k:(reduce range(60) as $i ("x";tojson)|length)}`,
		`{k:(reduce range(40) as $i ([1];[.,.])|tojson|length)}`,
		`{k:([range(100000)] as $a|($a-($a|map(.+0.5)))|length)}`,
		`{k:([range(100000)|0] as $a|($a|indices([range(50000)|0]+[1]))|length)}`,
		`{k:([range(100)|0]|.[[range(65)|0]]|length)}`,
		`{k:(reduce range(100000) as $i ("";.+"a")|[match("";"g")]|length)}`,
		`{k:("x"*1000000|explode|implode|explode|implode|explode|length)}`,
		`{k:("x"*100000|[range(1000) as $i|ascii_upcase]|length)}`,
		`{k:("a,"*30000000|split(",")|length)}`,
		`{k:("x"*1000000|[limit(1e6;repeat(@base64))]|length)}`,
		`{k:("x"*1000000|[limit(1e6;repeat(@json))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(tojson))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(keys_unsorted))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(keys))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(sort))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(group_by(.)))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(map(.)))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(.[1:]+[1]))]|length)}`,
		`{k:([range(200000)]|[limit(1e6;repeat(path(..)))]|length)}`,
		`{k:("x"*1000000|[limit(1e6;repeat(.[1:]))]|length)}`,
		`{k:(reduce range(20000) as $i (null;[.])|[path(..)]|length)}`,
		`{k:("%Y"*1000000|[range(1000) as $i|. as $f|0|try strftime($f) catch "x"]|length)}`,
	}
}

// No query and no record stops a shard or takes the memory of the process, and nothing of it is
// caught. What is allowed is what a program allocates; what it keeps of it, the garbage that is not
// collected yet, and gojq's own stacks come to several times that.
func TestBounds(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	const allowed, most = 32 << 20, 1 << 29
	for _, query := range hostile() {
		x := compiled(t, partition.Rules{Query: query}).Within(300*time.Millisecond, allowed)
		runtime.GC()
		done, peak := make(chan struct{}), make(chan uint64)
		go func() { peak <- highest(done) }()
		begin := time.Now()
		got, _, message := extract(t, x, `{}`)
		took := time.Since(begin)
		close(done)
		if n := <-peak; n > most {
			t.Errorf("%s: the heap had %d MiB", query, n>>20)
		}
		if message != "jq: the query takes too long on this record" && message != "jq: the query makes too much of this record" {
			t.Errorf("%s is %q, %q", query, got, message)
		}
		if took > 30*time.Second {
			t.Errorf("%s took %v", query, took)
		}
	}
}

// What grows is counted: with little memory allowed a query ends by that, long before its time is
// over.
func TestCounted(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		`{k:([range(1e9)]|length)}`,
		`{k:(def f: 1+f; f)}`,
		`{k:last(repeat(1))}`,
		`{k:last(recurse(.))}`,
		`{k:(def f: .+.|f; "x"|f)}`,
		`{k:(def f: .+.|f; [1]|f)}`,
		`{k:(def f: .*2|f; "x"|f)}`,
		`{k:("x"*1e8)}`,
		`{k:(reduce range(1e9) as $i ({};.["\($i)"]=$i)|length)}`,
		`{k:(reduce range(1e9) as $i ({};.+{"\($i)":$i})|length)}`,
		`{k:(reduce range(1e9) as $i ({};.*{"\($i)":$i})|length)}`,
		`{k:(reduce range(1e9) as $i ("x";"\(.)\(.)")|length)}`,
		`{k:(reduce range(1e9) as $i ("x";@json)|length)}`,
		`{k:(reduce range(1e9) as $i ("x";@base64)|length)}`,
		`{k:(reduce range(1e9) as $i ("x";@uri "%\(.)")|length)}`,
		`{k:(reduce range(1e9) as $i (["x"];[@csv,@csv])|length)}`,
		`{k:(reduce range(1e9) as $i (["'"];[@sh])|length)}`,
		`{k:(reduce range(1e9) as $i ("xy";gsub("x";"xx"))|length)}`,
		`{k:(reduce range(1e9) as $i ("x,";[splits(",")]|join(",,"))|length)}`,
		`{k:(reduce range(1e9) as $i ([];.[length]=.)|length)}`,
		`{k:(reduce range(1e9) as $i (null;setpath([$i];1))|length)}`,
		`{k:([range(1000)]|[limit(1e6;repeat(sort))]|length)}`,
		`{k:([range(1000)]|[limit(1e6;repeat(keys))]|length)}`,
		`{k:("x"*1000|[limit(1e6;repeat(.[1:]))]|length)}`,
		`{k:("x"*1000|[limit(1e6;repeat(ascii_upcase))]|length)}`,
		`{k:("x"*1000|[limit(1e6;repeat(explode|implode))]|length)}`,
		`{k:(reduce range(2000) as $i (null;[.])|[limit(1e6;repeat(path(..)))]|length)}`,
	} {
		x := compiled(t, partition.Rules{Query: query}).Within(time.Minute, 1<<20)
		if got, _, message := extract(t, x, `{}`); message != "jq: the query makes too much of this record" {
			t.Errorf("%s is %q, %q", query, got, message)
		}
	}
}

// highest is how large the heap and the stacks are at most until done is closed.
func highest(done <-chan struct{}) (most uint64) {
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-done:
			return most
		case <-ticks.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse+m.StackInuse)
		}
	}
}

// A record whose query took too long for once is tried again.
func TestStoodStill(t *testing.T) {
	t.Parallel()
	x := compiled(t, partition.Rules{Query: `{k:(. as $until|first(range(1e12)|select(now > $until)|"late"))}`}).Within(time.Second, 1<<20)
	until := strconv.FormatFloat(float64(time.Now().Add(1500*time.Millisecond).UnixMilli())/1000, 'f', 3, 64)
	if got, _, message := extract(t, x, until); got != "late" {
		t.Errorf("it fails: %s", message)
	}
}

// A context that is done ends a query, and is no failure of the record.
func TestCancelled(t *testing.T) {
	t.Parallel()
	x := compiled(t, partition.Rules{Query: `{k:last(range(1e12))}`})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, _, err := x.Open().Extract(ctx, []byte(`{}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("under way: %v", err)
	}
	if _, _, err := compiled(t, partition.Rules{Query: `{k:.a}`}).Open().Extract(ctx, []byte(`{"a":1}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
}

// An Extractor is used again, after whatever became of the record before; several are used at
// once.
func TestReuse(t *testing.T) {
	t.Parallel()
	for _, query := range []string{`{k:.a}`, `{k:(.a|tostring)}`} {
		x := compiled(t, partition.Rules{Query: query, EventTime: ".t"})
		for range 3 {
			t.Run(query, func(t *testing.T) {
				t.Parallel()
				e := x.Open()
				for i := range 200 {
					record, want := `{"a":"é\n","t":`+strings.Repeat("1", 1+i%9)+`}`, "é\n"
					if i%3 == 1 {
						record, want = `{"a":`, notJSON
					}
					values, _, err := e.Extract(t.Context(), []byte(record))
					var got string
					if err != nil {
						got = err.Error()
					} else {
						got = string(values[0])
					}
					if got != want {
						t.Fatalf("%d: %q", i, got)
					}
				}
			})
		}
	}
}

// Without rules nothing is looked at.
func TestNothing(t *testing.T) {
	t.Parallel()
	x := compiled(t, partition.Rules{})
	if got, at, message := extract(t, x, "not json"); got != "" || !at.IsZero() || message != "" || len(x.Keys()) != 0 {
		t.Errorf("%q, %v, %q", got, at, message)
	}
}

// A plain path takes no memory.
//
//nolint:paralleltest // it counts the allocations of the process
func TestAllocations(t *testing.T) {
	x := compiled(t, partition.Rules{Query: `{k:.a,l:.b.c,m:.n}`, EventTime: ".t"})
	if !x.Plain() {
		t.Fatal("it does not go around jq")
	}
	e, record := x.Open(), []byte(`{"a":"é\n","b":{"c":true},"n":1.50,"t":"2026-01-02T03:04:05.678Z","x":[1,2,{"y":null}]}`)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := e.Extract(ctx, record); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each record", n)
	}
}

package decode_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

const (
	oneRecord = `{"ApproximateArrivalTimestamp":1.700000000123E9,"Data":"aGVsbG8=","PartitionKey":"k","SequenceNumber":"495"}`
	around    = `{"MillisBehindLatest":7,"NextShardIterator":"AAAA+/=","Records":[%s]}`
)

// What servers of Kinesis write is decoded here, and means what the SDK says.
func TestOurs(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	for _, body := range []string{
		`{"MillisBehindLatest":0,"NextShardIterator":"i","Records":[]}`,
		`{"Records":[]}`,
		fmt.Sprintf(around, oneRecord),
		fmt.Sprintf(around, oneRecord+","+oneRecord),
		" \n" + strings.ReplaceAll(strings.ReplaceAll(fmt.Sprintf(around, oneRecord), ":", " :\t"), ",", "\r\n, ") + " \n",
		`{"Records":[` + oneRecord + `],"ChildShards":[{"ShardId":"shardId-000000000001","ParentShards":["shardId-000000000000"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"}}],"MillisBehindLatest":1}`,
		fmt.Sprintf(around, `{"SequenceNumber":"1"}`),
		fmt.Sprintf(around, `{}`),
		fmt.Sprintf(around, `{"Data":"","PartitionKey":"","SequenceNumber":"","EncryptionType":""}`),
		fmt.Sprintf(around, `{"Data":null,"PartitionKey":null,"SequenceNumber":null,"EncryptionType":null,"ApproximateArrivalTimestamp":null}`),
		fmt.Sprintf(around, `{"EncryptionType":"KMS","Data":"AA=="},{"EncryptionType":"NONE"},{"EncryptionType":"OTHER"}`),
		fmt.Sprintf(around, `{"New":{"a":[1,-2.5e3,true,false,null,"x",{}],"b":{}},"Data":"AAA=","Newer":[],"Newest":"text"}`),
		fmt.Sprintf(around, `{"PartitionKey":"a \"quoted\" \\ \u00e9\ud83d\ude00 \/ key","SequenceNumber":"1"}`),
		fmt.Sprintf(around, "{\"PartitionKey\":\"ключ \xf0\x9f\x98\x80\"}"),
		fmt.Sprintf(around, "{\"PartitionKey\":\"not UTF-8: \xff\xfe\"}"),
	} {
		if !s.compare(t, new(decode.Decoder), []byte(body)) {
			t.Errorf("it was left to the SDK:\n%s", body)
		}
	}
}

// What is unusual is the SDK's, and then says what the SDK says.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `"x"`, `{"Records":null}`, `{"Records":{}}`, `{"Records":"x"}`, `{"Records":[null]}`, `{"Records":[1]}`,
		fmt.Sprintf(around, oneRecord) + "x",
		fmt.Sprintf(around, oneRecord) + "{}",
		fmt.Sprintf(around, oneRecord)[:20],
		`{"Records":[` + oneRecord + `],"Records":[]}`,
		`{"Records":[],"Records":[` + oneRecord + `]}`,
		`{"\u0052ecords":[` + oneRecord + `]}`,
		`{"Records":[` + oneRecord + `],"\u0052ecords":[]}`,
		`{"Records":[` + oneRecord + `,]}`,
		`{"Records":[` + oneRecord + ` ` + oneRecord + `]}`,
		`{"Records":[` + oneRecord + `}`,
		`{"Records":[` + oneRecord + `]`,
		`{"Records":[{"PartitionKey":"a\`,
		`{"Records":[` + oneRecord + `],}`,
		fmt.Sprintf(around, `{"Data":"AAA=","Data":"BBBB"}`),
		fmt.Sprintf(around, `{"Data":"AAA=","Data":null}`),
		fmt.Sprintf(around, `{"PartitionKey":"a","PartitionKey":"b"}`),
		fmt.Sprintf(around, `{"D\u0061ta":"AAA="}`),
		fmt.Sprintf(around, `{"Data":"AA\u0041="}`),
		fmt.Sprintf(around, `{"Data":"\/\/\/\/"}`),
		fmt.Sprintf(around, `{"Data":"AAA\n="}`),
		fmt.Sprintf(around, `{"Data":"AAA`+"\n"+`="}`),
		fmt.Sprintf(around, `{"Data":"AA\"A"}`),
		fmt.Sprintf(around, "{\"Data\":\"QUJD\n\n\n\n\"}"),
		fmt.Sprintf(around, "{\"Data\":\"QU\n\nJD\r\n\"}"),
		fmt.Sprintf(around, `{"Data":"`+strings.Repeat("QUJD", 2047)+`QQ==QUJD"}`),
		fmt.Sprintf(around, `{"Data":7}`),
		fmt.Sprintf(around, `{"Data":["AAAA"]}`),
		fmt.Sprintf(around, `{"PartitionKey":7}`),
		fmt.Sprintf(around, `{"SequenceNumber":7}`),
		fmt.Sprintf(around, `{"PartitionKey":"\x"}`),
		fmt.Sprintf(around, `{"PartitionKey":"\u00"}`),
		fmt.Sprintf(around, "{\"PartitionKey\":\"\x01\"}"),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":"1700000000"}`),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":"NaN"}`),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":01}`),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":1.}`),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":1e}`),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":1e999}`),
		fmt.Sprintf(around, `{"ApproximateArrivalTimestamp":+1}`),
		fmt.Sprintf(around, `{"New":`+deep(100)+`}`),
		fmt.Sprintf(around, `{"New":`+deep(20_000)+`}`),
		fmt.Sprintf(around, `{"New":"\u0041"}`),
		fmt.Sprintf(around, `{"New":"\x"}`),
		fmt.Sprintf(around, `{"New":tru}`),
		// The fault is in the last record: what came before it was decoded in place.
		fmt.Sprintf(around, strings.Repeat(oneRecord+",", 50)+`{"Data":"AAA"}`),
		fmt.Sprintf(around, strings.Repeat(oneRecord+",", 50)+`{"Data":"\u0041AA="}`),
		fmt.Sprintf(around, strings.Repeat(oneRecord+",", 50)+`{"Data":"`+strings.Repeat("QUJD", 5000)+`\u0041AA="}`),
		fmt.Sprintf(around, `{"Data":"QR=="},{"Data":"\u0041AA="}`),
		fmt.Sprintf(around, `{"Data":""},{},{"Data":null},{"Data":"\u0041AA="}`),
	} {
		if s.compare(t, new(decode.Decoder), []byte(body)) {
			t.Errorf("it was not left to the SDK:\n%.300s", body)
		}
	}
}

// Numbers in every spelling are the time that the SDK reads.
func TestArrivals(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	for _, number := range []string{
		"0", "-0", "1", "-1", "1700000000", "1700000000.1", "1700000000.12", "1700000000.123", "1700000000.1234", "1700000000.12345678901234567890",
		"1.700000000123E9", "1.700000000123e9", "1.7E9", "17E8", "17e+8", "170000000000E-2", "1.700000000123E+9", "1.7000000001E9", "1700000000123E-3",
		"1073741823.999", "1073741824", "1073741824.001", "1099511627.775", "1099511627.776", "2147483647.999", "2147483648", "2147483648.001", "2147483648.123", "4102444800.123", "253402300800",
		"1e-400", "1e18", "1E5", "99999999999999999999", "150000000.0001", "15000000.00001", "1700000000.000", "1700000000.100E0",
	} {
		if !s.compare(t, new(decode.Decoder), fmt.Appendf(nil, around, `{"ApproximateArrivalTimestamp":`+number+`}`)) {
			t.Errorf("%s was left to the SDK", number)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.OneOf(rapid.Int64Range(1<<39, 1<<40), rapid.Int64Range(1<<40, 1000<<31), rapid.Int64Range(1000<<31, 1<<41)).Draw(t, "ms")
		for _, number := range []string{fmt.Sprintf("%d.%03d", ms/1000, ms%1000), fmt.Sprintf("%d.%012dE9", ms/1e12, ms%1e12)} {
			s.compare(t, new(decode.Decoder), fmt.Appendf(nil, around, `{"ApproximateArrivalTimestamp":`+number+`}`))
		}
	})
}

// draw makes a body that is more or less that of a server.
func draw(t *rapid.T) []byte {
	odd := rapid.SampledFrom([]int{0, 0, 30, 5}).Draw(t, "one in") // members are odd; 0: none is
	isOdd := func() bool { return odd > 0 && rapid.IntRange(1, odd).Draw(t, "odd") == 1 }
	oddValue := func() string {
		return rapid.SampledFrom([]string{`null`, `7`, `-1.5e3`, `"x"`, `"\u0041BCD"`, `"\/\/\/\/"`, `"AB\nCD"`, `[]`, `{}`, `{"a":[null]}`, `true`, `"` + "\x01" + `"`, `"` + "\xff" + `"`, `"AAAA`, `AAAA"`, ``, `nul`, `"\uD800"`, `"A==="`, `"AA=A"`, `"===="`}).Draw(t, "value")
	}
	space := func() string {
		return rapid.SampledFrom([]string{"", "", "", " ", "\n\t"}).Draw(t, "space")
	}
	member := func(name, value string) string {
		if isOdd() {
			value = oddValue()
		}
		if isOdd() {
			name = rapid.SampledFrom([]string{"Data", "PartitionKey", "Records", "data", `D\u0061ta`, "New", ""}).Draw(t, "name")
		}
		return space() + `"` + name + `"` + space() + ":" + space() + value + space()
	}
	record := func() string {
		var members []string
		for _, m := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "order") {
			if rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
				continue
			}
			switch m {
			case 0:
				members = append(members, member("ApproximateArrivalTimestamp", fmt.Sprintf("%d.%03dE%d", rapid.Int64Range(0, 3e9).Draw(t, "s"), rapid.IntRange(0, 999).Draw(t, "ms"), rapid.IntRange(-1, 1).Draw(t, "e"))))
			case 1:
				n := rapid.SampledFrom([]int{0, 1, 2, 3, 40, 44, 45, 46, 200, 6143, 6144, 6145, 20_000}).Draw(t, "bytes")
				data := make([]byte, n)
				r := rand.New(rand.NewPCG(uint64(n), rapid.Uint64().Draw(t, "seed")))
				for i := range data {
					data[i] = byte(r.Uint32())
				}
				members = append(members, member("Data", `"`+base64.StdEncoding.EncodeToString(data)+`"`))
			case 2:
				members = append(members, member("PartitionKey", rapid.SampledFrom([]string{`"k"`, `""`, `"кл"`, `"\""`, `"a\\b"`, `"\ud83d\ude00"`}).Draw(t, "key")))
			case 3:
				members = append(members, member("SequenceNumber", fmt.Sprintf("%q", rapid.StringMatching(`[0-9]{1,56}`).Draw(t, "number"))))
			case 4:
				members = append(members, member("EncryptionType", rapid.SampledFrom([]string{`"NONE"`, `"KMS"`, `"X"`, `null`}).Draw(t, "encryption")))
			case 5:
				members = append(members, member("New", rapid.SampledFrom([]string{`1`, `{"a":{"b":[1,2]}}`, `"x"`, `[[]]`, `null`}).Draw(t, "new")))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	var records []string
	for range rapid.IntRange(0, 4).Draw(t, "records") {
		records = append(records, record())
	}
	var members []string
	for _, m := range rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "outer") {
		members = append(members, []string{
			member("MillisBehindLatest", "7"), member("NextShardIterator", `"AAA+/="`),
			member("Records", "["+strings.Join(records, ",")+"]"), member("ChildShards", `[{"ShardId":"s","ParentShards":["p"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"}}]`),
		}[m])
	}
	body := []byte(space() + "{" + strings.Join(members, ",") + "}" + space())
	switch rapid.IntRange(0, 5).Draw(t, "spoil") {
	case 0:
		body = body[:rapid.IntRange(0, len(body)).Draw(t, "cut")]
	case 1:
		body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
	}
	return body
}

// Whatever comes, both decoders read the same, or both fail.
func TestSameAsTheSDK(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	var dec decode.Decoder // what a page leaves in a buffer does not reach the next
	ours, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if all++; s.compare(t, &dec, draw(t)) {
			ours++
		}
	})
	if ours < all/10 || ours > all*9/10 {
		t.Errorf("%d of %d were decoded here: the bodies are not those to compare with", ours, all)
	}
}

func FuzzSameAsTheSDK(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(around, oneRecord+","+oneRecord)))
	f.Add([]byte(fmt.Sprintf(around, oneRecord+`,{"New":{"a":[1,-2.5e3,true,false,null,"x",{}]},"Data":"AA=="}`)))
	f.Add([]byte(fmt.Sprintf(around, `{"PartitionKey":"\"\\\u00e9","SequenceNumber":"1","EncryptionType":"KMS","Data":"`+strings.Repeat("QUJD", 30)+`"}`)))
	f.Add([]byte(`{"ChildShards":[{"ShardId":"s","ParentShards":["p"]}],"Records":[` + oneRecord + `,{"Data":"\u0041AA="}]}`))
	s := newSDK(f)
	var dec decode.Decoder
	f.Fuzz(func(t *testing.T, body []byte) { s.compare(t, &dec, body) })
}

func FuzzBase64(f *testing.F) {
	f.Add([]byte(strings.Repeat("QUJD", 40)))
	f.Add([]byte(strings.Repeat("+/9z", 20) + "QQ=="))
	f.Add([]byte(strings.Repeat("QUJD", 2048) + "QUI="))
	f.Add([]byte(strings.Repeat("QUJD", 2047) + "QQ==QUJD"))
	f.Add([]byte("QUJD\n\n\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		want := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(want, text)
		if bytes.ContainsAny(text, "\r\n") {
			err = errors.New("line breaks")
		}
		in := bytes.Clone(text)
		got, ok := decode.InPlace(in)
		if ok != (err == nil) {
			t.Fatalf("%v, and the standard library says %v, of %q", ok, err, text)
		}
		if ok && !bytes.Equal(got, want[:n]) {
			t.Fatalf("%x, want %x, of %q", got, want[:n], text)
		}
		if !ok && !bytes.Equal(in, text) {
			t.Fatalf("it was %q, and is %q", text, in)
		}
	})
}

// try has a body decoded, as a try of a call.
func (s *sdk) try(ctx context.Context, c *decode.Call, dec *decode.Decoder, body io.Reader, length int) (kinesis.GetRecordsOutput, error) {
	var out kinesis.GetRecordsOutput
	err := dec.Wrap(s.ClientProtocol).DeserializeResponse(c.In(ctx), s.schema, s.types, answer(body, length), &out)
	return out, err
}

// call has a body decoded, as a call of one try, whose page it returns.
func (s *sdk) call(ctx context.Context, c *decode.Call, dec *decode.Decoder, body string, length int) (*decode.Page, error) {
	out, err := s.try(ctx, c, dec, strings.NewReader(body), length)
	if err != nil {
		return nil, err
	}
	return c.Take(&out)
}

// A record may have 10 MiB, and an answer need not tell its length.
func TestLarge(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	body := fmt.Sprintf(around, `{"Data":"`+base64.StdEncoding.EncodeToString(data)+`","SequenceNumber":"1"}`)
	for _, length := range []int{len(body), -1} {
		page, err := s.call(t.Context(), new(decode.Call), new(decode.Decoder), body, length)
		if err != nil {
			t.Fatal(err)
		}
		if !page.Ours || len(page.Records) != 1 || !bytes.Equal(page.Records[0].Data, data) || page.Size != 10<<20 {
			t.Errorf("%v, %d records of %d bytes", page.Ours, len(page.Records), page.Size)
		}
		if m := page.Memory; m < int64(len(body)) || m > int64(len(body))*9/8+1<<10 && length > 0 {
			t.Errorf("%d bytes are counted for a body of %d", m, len(body))
		}
	}
}

// broken is a body that ends with an error.
type broken struct {
	io.Reader

	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

// A page has what the last try read, or nothing.
func TestTries(t *testing.T) {
	t.Parallel()
	s, dec := newSDK(t), new(decode.Decoder)
	call := new(decode.Call)
	good := fmt.Sprintf(around, oneRecord)
	try := func(body string, end error) (out kinesis.GetRecordsOutput, err error) {
		return s.try(t.Context(), call, dec, broken{strings.NewReader(body), end}, len(body))
	}
	if _, err := try(good, io.EOF); err != nil || decode.Last(call) == nil {
		t.Fatal(err)
	}
	first := decode.Last(call).Records[0]
	if _, err := try(good[:30], io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) || decode.Last(call) != nil {
		t.Errorf("after a try that failed: %v, %+v", err, decode.Last(call))
	}
	if string(first.Data) == "hello" || first.PartitionKey != "k" || first.SequenceNumber != "495" {
		t.Errorf("after its page was released: %+v", first)
	}
	if _, err := try(`{"Records":[{"Data":7}]}`, io.EOF); err == nil || decode.Last(call) != nil {
		t.Errorf("a body that nobody can read: %v, %+v", err, decode.Last(call))
	}
	if _, err := try(`{"Records":[],"MillisBehindLatest":"x"}`, io.EOF); err == nil || decode.Last(call) != nil {
		t.Errorf("the SDK cannot read the rest: %v, %+v", err, decode.Last(call))
	}
	out, err := try(good, io.EOF)
	if err != nil {
		t.Fatal(err)
	}
	page, err := call.Take(&out)
	if err != nil || len(page.Records) != 1 || string(page.Records[0].Data) != "hello" {
		t.Fatalf("after others that failed: %v, %+v", err, page)
	}
	page.Release()
	page.Release()
	if page.Records != nil || page.Memory != 0 {
		t.Errorf("after it was released: %+v", page)
	}
	if decode.Idle(&dec.Pool) == 0 {
		t.Error("no buffer came back")
	}
}

// Before an answer is read there is room for it, or it is not read.
func TestRoom(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	full := errors.New("full")
	body := fmt.Sprintf(around, strings.Repeat(oneRecord+",", 5000)+oneRecord)
	for _, length := range []int{len(body), -1} {
		var asked int64
		r := strings.NewReader(body)
		call := &decode.Call{Limit: 10_000, Room: kcl.Room{Bytes: 1 << 10, More: func(_ context.Context, bytes int64) error {
			asked = bytes
			return nil
		}}}
		out, err := s.try(t.Context(), call, new(decode.Decoder), r, length)
		if err != nil {
			t.Fatal(err)
		}
		page, err := call.Take(&out)
		if err != nil {
			t.Fatal(err)
		}
		if page.Memory > asked || asked > 3*page.Memory {
			t.Errorf("%d bytes are taken, and room for %d was asked for", page.Memory, asked)
		}
		call = &decode.Call{Limit: 10_000, Room: kcl.Room{Bytes: 1 << 10, More: func(context.Context, int64) error { return full }}}
		r = strings.NewReader(body)
		if _, err := s.try(t.Context(), call, new(decode.Decoder), r, length); !errors.Is(err, full) || r.Len() != len(body) {
			t.Errorf("without room: %v, and %d bytes were read", err, len(body)-r.Len())
		}
	}
}

// Buffers are used again, and those that nobody uses are not kept without bound.
func TestPool(t *testing.T) { //nolint:paralleltest // it counts allocations
	s, dec := newSDK(t), new(decode.Decoder)
	body := fmt.Sprintf(around, strings.Repeat(oneRecord+",", 20_000)+oneRecord)
	pages := make([]*decode.Page, 40)
	for i := range pages {
		var err error
		if pages[i], err = s.call(t.Context(), new(decode.Call), dec, body, len(body)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range pages {
		pages[i].Release()
	}
	if idle := decode.Idle(&dec.Pool); idle < 36<<20 || idle > 72<<20 {
		t.Errorf("%d bytes are kept", idle)
	}
	small := fmt.Sprintf(around, oneRecord)
	page, err := s.call(t.Context(), new(decode.Call), dec, small, len(small))
	if err != nil || page.Memory > 1<<17 {
		t.Errorf("a page of %d bytes takes %d: %v", len(small), page.Memory, err)
	}
	allocs := testing.AllocsPerRun(10, func() {
		page, err := s.call(t.Context(), new(decode.Call), dec, body, len(body))
		if err != nil {
			t.Fatal(err)
		}
		page.Release()
	})
	if allocs > 60 {
		t.Errorf("%v allocations for a page of 20,001 records", allocs)
	}
}

// Buffers of a size that is not asked for any more make room for those in use.
func TestPoolMakesRoom(t *testing.T) {
	t.Parallel()
	s, dec := newSDK(t), new(decode.Decoder)
	take := func(records int) *decode.Page {
		body := fmt.Sprintf(around, strings.Repeat(oneRecord+",", records-1)+oneRecord)
		page, err := s.call(t.Context(), new(decode.Call), dec, body, len(body))
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	var small []*decode.Page
	for range 20 {
		small = append(small, take(10_000))
	}
	for _, p := range small {
		p.Release()
	}
	if decode.Idle(&dec.Pool) < 20<<20 {
		t.Fatalf("%d bytes are kept", decode.Idle(&dec.Pool))
	}
	for used := int64(0); used < 100<<20; {
		used += take(60_000).Memory
	}
	if idle := decode.Idle(&dec.Pool); idle != 0 {
		t.Errorf("%d bytes are kept beside all that are in use", idle)
	}
}

// A buffer that is larger than all that a pool keeps is not kept.
func TestPoolKeepsNoLargestBuffer(t *testing.T) {
	t.Parallel()
	s, dec := newSDK(t), new(decode.Decoder)
	body := fmt.Sprintf(around, oneRecord) + strings.Repeat(" ", 73<<20)
	page, err := s.call(t.Context(), new(decode.Call), dec, body, len(body))
	if err != nil {
		t.Fatal(err)
	}
	page.Release()
	if idle := decode.Idle(&dec.Pool); idle != 0 {
		t.Errorf("%d bytes are kept", idle)
	}
}

// A buffer that nobody has used for a while is not kept.
func TestPoolForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, dec := newSDK(t), new(decode.Decoder)
		release := func(records int) {
			body := fmt.Sprintf(around, strings.Repeat(oneRecord+",", records-1)+oneRecord)
			page, err := s.call(t.Context(), new(decode.Call), dec, body, len(body))
			if err != nil {
				t.Fatal(err)
			}
			page.Release()
		}
		for _, tt := range []struct {
			after time.Duration
			want  bool // the large one is kept
		}{{9 * time.Second, true}, {11 * time.Second, false}} {
			release(20_000)
			time.Sleep(tt.after)
			release(1)
			if kept := decode.Idle(&dec.Pool) > 1<<20; kept != tt.want {
				t.Errorf("after %v: %d bytes are kept", tt.after, decode.Idle(&dec.Pool))
			}
		}
	})
}

// Plain pages are told from others by their base64.
func TestPlain(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	for data, plain := range map[string]bool{
		"": true, "x": true, "hello, world": true, "\xf3\x89\x9a": true, "\xf3\x89\x9b\xc2 and so on": true,
		"\xf3\x89\x9a\xc2": false, "\xf3\x89\x9a\xc2 and so on": false,
	} {
		body := fmt.Sprintf(around, `{"Data":"eA=="},{"Data":"`+base64.StdEncoding.EncodeToString([]byte(data))+`"},{"Data":"eA=="}`)
		page, err := s.call(t.Context(), new(decode.Call), new(decode.Decoder), body, len(body))
		if err != nil {
			t.Fatal(err)
		}
		if page.Plain != plain {
			t.Errorf("%q: plain is %v", data, page.Plain)
		}
	}
}

// Of several requests of one call at once only the page of the one counts whose
// output is returned; the others' are given back whenever they come.
func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	answerWith := func(next string) string {
		return `{"NextShardIterator":"` + next + `","Records":[` + oneRecord + `]}`
	}
	for name, tt := range map[string]struct {
		do   func(try func(next string) kinesis.GetRecordsOutput) kinesis.GetRecordsOutput
		fail bool
	}{
		"one":             {func(try func(string) kinesis.GetRecordsOutput) kinesis.GetRecordsOutput { return try("a") }, false},
		"the last counts": {func(try func(string) kinesis.GetRecordsOutput) kinesis.GetRecordsOutput { try("a"); return try("b") }, false},
		"the first is returned": {func(try func(string) kinesis.GetRecordsOutput) kinesis.GetRecordsOutput {
			out := try("a")
			try("b")
			return out
		}, true},
		"another began": {func(try func(string) kinesis.GetRecordsOutput) kinesis.GetRecordsOutput {
			out := try("a")
			try("")
			return out
		}, true},
		"none": {func(func(string) kinesis.GetRecordsOutput) kinesis.GetRecordsOutput {
			return kinesis.GetRecordsOutput{}
		}, false},
	} {
		dec, call := new(decode.Decoder), new(decode.Call)
		try := func(next string) kinesis.GetRecordsOutput {
			body := answerWith(next)
			if next == "" {
				body = "broken"
			}
			out, err := s.try(t.Context(), call, dec, strings.NewReader(body), len(body))
			if (err != nil) != (next == "") {
				t.Fatal(err)
			}
			return out
		}
		out := tt.do(try)
		page, err := call.Take(&out)
		if (err != nil) != tt.fail {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			page.Release()
		}
		before := decode.Idle(&dec.Pool)
		try("late")
		if after := decode.Idle(&dec.Pool); decode.Last(call) != nil || after < before || after == 0 {
			t.Errorf("%s: the page of a late answer is kept, %d of %d bytes are back", name, after, before)
		}
		call.Drop()
	}
}

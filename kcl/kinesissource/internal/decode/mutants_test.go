package decode_test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

var cases = flag.Int("cases", 5_000, "how many spoilt answers of each kind TestMutants has decoded")

// TestMutants has answers decoded that are spoilt here and there, in the last
// record as well. Unlike the fuzz targets it begins at whole answers, and makes
// millions in minutes; unlike the properties it shrinks nothing.
func TestMutants(t *testing.T) {
	t.Parallel()
	for kind, run := range map[string]func(*testing.T, *sdk, []byte) bool{
		"JSON": func(t *testing.T, s *sdk, body []byte) bool {
			t.Helper()
			return s.compare(t, new(decode.Decoder), body)
		},
		"CBOR": func(t *testing.T, s *sdk, body []byte) bool {
			t.Helper()
			return s.sameAsJSON(t, &decode.Decoder{CBOR: true}, body)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not to be secret
			s := newSDK(t)
			ours := 0
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			for range *cases {
				body := answerOf(r, kind == "CBOR")
				spoil(r, &body)
				if run(t, s, body) {
					ours++
				}
			}
			if ours < *cases/10 || ours > *cases*9/10 {
				t.Errorf("%d of %d were decoded here: the answers are not those to compare with", ours, *cases)
			}
		})
	}
}

// answerOf makes an answer of a few records.
func answerOf(r *rand.Rand, inCBOR bool) []byte {
	var texts []string
	var values []cbor.Value
	for range r.IntN(4) {
		data := make([]byte, r.IntN(100))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		number := fmt.Sprintf("4959033827149025660855969253836157%022d", r.Uint64N(1e18))
		ms := 1_600_000_000_000 + r.Int64N(2e11)
		values = append(values, record(cbor.Map{
			"Data": cbor.Slice(data), "SequenceNumber": cbor.String(number), "ApproximateArrivalTimestamp": &cbor.Tag{ID: 1, Value: cbor.Uint(ms)},
		}))
		texts = append(texts, fmt.Sprintf(`{"ApproximateArrivalTimestamp":%d.%012dE9,"Data":%q,"EncryptionType":"KMS","PartitionKey":"key \"%d\"","SequenceNumber":%q}`,
			ms/1e12, ms%1e12, base64.StdEncoding.EncodeToString(data), r.IntN(100), number))
	}
	if inCBOR {
		return cbor.Encode(page(nil, values...))
	}
	return []byte(fmt.Sprintf(around, strings.Join(texts, ",")))
}

// spoil changes a body in up to three places, or cuts it off.
func spoil(r *rand.Rand, body *[]byte) {
	const likely = `"\{}[]:,.eE+-=/ 0AZaz` + "\x00\x80\xff\xa1\xbf\x9f\xf6\n"
	for range r.IntN(4) {
		b := *body
		i := r.IntN(len(b))
		if r.IntN(3) == 0 {
			i = max(0, len(b)-1-r.IntN(60))
		}
		with := likely[r.IntN(len(likely))]
		switch r.IntN(6) {
		case 0, 1:
			b[i] = with
		case 2:
			b[i] = byte(r.Uint32())
		case 3:
			*body = append(append(append([]byte{}, b[:i]...), with), b[i:]...)
		case 4:
			if len(b) > 1 {
				*body = append(append([]byte{}, b[:i]...), b[i+1:]...)
			}
		case 5:
			if r.IntN(4) == 0 && i > 0 {
				*body = b[:i]
			}
		}
	}
}

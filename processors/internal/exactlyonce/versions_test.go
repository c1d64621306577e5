package exactlyonce_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// frozen are plans as earlier and later versions wrote, or would write, them: by
// format, what is before the rule of the hash range, and the checksum that each
// rule gives.
var frozen = map[uint8]struct {
	digest exactlyonce.Digest
	head   string
	sums   []string
}{
	1: {
		exactlyonce.Digest{Rule: exactlyonce.SHA256, Sum: [32]byte{9, 8, 7}},
		"736d706c616e015201b24a7544c9c277af4de7f67fe7bea194e1ab1aacd80ff896420ed3f20bf0e11e0102030405064708890a0b0c0d0e0f10013849" +
			"590000000000000000000000000000000000000000000000000001070138495900000000000000000000000000000000000000000000000000020001" +
			"38495900000000000000000000000000000000000000000000000000090381f98ec4b12afcf98ec4b12a0bd209090807000000000000000000000000" +
			"000000000000000000000000000000000001010001273402823669209384634633746074317682114550",
		[]string{"86981dbf", "9e32cfdb", "b7cdb977", "af676b13", "e433542f"},
	},
	2: {
		exactlyonce.Digest{Rule: exactlyonce.XXH3, Sum: [32]byte{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}},
		"736d706c616e025201b24a7544c9c277af4de7f67fe7bea194e1ab1aacd80ff896420ed3f20bf0e11e0102030405064708890a0b0c0d0e0f10013849" +
			"590000000000000000000000000000000000000000000000000001070138495900000000000000000000000000000000000000000000000000020001" +
			"38495900000000000000000000000000000000000000000000000000090381f98ec4b12afcf98ec4b12a0bd209a0a1a2a3a4a5a6a7a8a9aaabacad" +
			"aeaf01010001273402823669209384634633746074317682114550",
		[]string{"7f238b24", "67895940", "4e762fec", "56dcfd88", "1d88c2b4"},
	},
}

// TestFrozenPlans: what is in a row outlives the worker that wrote it. Each version
// reads what earlier ones wrote, and refuses what later ones do.
func TestFrozenPlans(t *testing.T) {
	t.Parallel()
	const tail = "016231702f323031362f30322f32352f31332f6f72646572732d312d323031362d30322d32352d31332d30302d30302d782e677a01010a00"
	for format, f := range frozen {
		for rule, sum := range f.sums {
			state, err := hex.DecodeString(f.head + fmt.Sprintf("%02x", rule) + tail + sum)
			if err != nil {
				t.Fatal(err)
			}
			want := example()
			want.Digest, want.HashRange.Rule = f.digest, uint8(rule)
			if !bytes.Equal(state, want.Encode()) {
				t.Errorf("format %d, rule %d is written as %x", format, rule, want.Encode())
			}
			for newest := range uint8(15) { // a version that knows formats and rules up to these
				newestFormat, newestRule := newest/5, newest%5
				got, err := exactlyonce.DecodeWith(state, newestFormat, newestRule)
				switch known := format <= newestFormat && rule <= int(newestRule); {
				case !known && !errors.Is(err, exactlyonce.ErrNewer):
					t.Errorf("format %d, rule %d of a version that knows %d, %d: %v, %v", format, rule, newestFormat, newestRule, got, err)
				case known && (err != nil || cmp.Diff(want, got, cmp.Comparer(opaque)) != ""):
					t.Errorf("format %d, rule %d of a version that knows %d, %d: %v, %v", format, rule, newestFormat, newestRule, got, err)
				}
			}
			pending := checkpoint.Prepared{At: want.Last, State: state}
			verdict, _, _ := exactlyonce.Judge(&pending, want.After, want.Identity, []string{want.Bucket})
			if known := verdict == exactlyonce.Redo; known != (rule <= 3) || !known && verdict != exactlyonce.Newer {
				t.Errorf("format %d, rule %d is judged %v", format, rule, verdict)
			}
		}
	}
}

// TestFormat1RefusesWhatIsWrittenNow has what versions that knew format 1 alone did
// with a state first, word for word, so that it cannot change with what they
// became.
func TestFormat1RefusesWhatIsWrittenNow(t *testing.T) {
	t.Parallel()
	const magic, formatVersion = "smplan", 1
	decode := func(b []byte) error {
		if len(b) < len(magic)+1 || string(b[:len(magic)]) != magic {
			return exactlyonce.ErrForeign
		}
		if v := b[len(magic)]; v != formatVersion {
			if v == 0 {
				return fmt.Errorf("%w: format 0", exactlyonce.ErrBroken)
			}
			return fmt.Errorf("%w: format %d, known %d", exactlyonce.ErrNewer, v, formatVersion)
		}
		return nil // it went on
	}
	if err := decode(example().Encode()); !errors.Is(err, exactlyonce.ErrNewer) || err.Error() != "plan of a newer version: format 2, known 1" {
		t.Errorf("a plan as archivers write it: %v", err)
	}
	if err := decode(early().Encode()); err != nil {
		t.Errorf("a plan of format 1: %v", err)
	}
}

// TestFrozenSealedPlan is TestFrozenPlans for the plan of a sealed cut. Versions that
// knew format 2 before there were sealed cuts refuse it by its kind.
func TestFrozenSealedPlan(t *testing.T) {
	t.Parallel()
	const frozen = "736d706c616e025301b24a7544c9c277af4de7f67fe7bea194e1ab1aacd80ff896420ed3f20bf0e11e0102030405064708890a0b0c0d0e0f10013849" +
		"590000000000000000000000000000000000000000000000000001070138495900000000000000000000000000000000000000000000000000020001" +
		"38495900000000000000000000000000000000000000000000000000090381f98ec4b12afcf98ec4b12a0bd2090162485f73686172646d696c6c2f61" +
		"70702f736861726449642d3030303030303030303030302f30313032303330342d303530362d343730382d383930612d306230633064306530663130" +
		"f0a204ac02050607000000000000000000000000000202016206702f782e677a056f74686572086572726f72732f780eb93db4"
	want := sealed()
	if got := hex.EncodeToString(want.Encode()); got != frozen {
		t.Fatalf("it is written as %s", got)
	}
	got, err := exactlyonce.Decode(want.Encode())
	if err != nil || cmp.Diff(want, got, cmp.Comparer(opaque)) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := exactlyonce.DecodeWith(want.Encode(), 1, 3); !errors.Is(err, exactlyonce.ErrNewer) {
		t.Errorf("a version that knows format 1: %v", err)
	}
}

// TestFrozenAnnouncedPlan is TestFrozenPlans for a plan that is announced. Versions that
// knew sealed cuts alone refuse it by its kind: they would put what was loaded again.
func TestFrozenAnnouncedPlan(t *testing.T) {
	t.Parallel()
	const frozen = "736d706c616e024101b24a7544c9c277af4de7f67fe7bea194e1ab1aacd80ff896420ed3f20bf0e11e0102030405064708890a0b0c0d0e0f10013849" +
		"590000000000000000000000000000000000000000000000000001070138495900000000000000000000000000000000000000000000000000020001" +
		"38495900000000000000000000000000000000000000000000000000090381f98ec4b12afcf98ec4b12a0bd20901623b5f73686172646d696c6c2f6c" +
		"6f61642f6f72646572732f30313032303330342d303530362d343730382d383930612d306230633064306530663130"
	want := announced()
	if got := hex.EncodeToString(want.Encode()); !strings.HasPrefix(got, frozen) || len(got) != len(frozen)+8 {
		t.Fatalf("it is written as %s", got)
	}
	got, err := exactlyonce.Decode(want.Encode())
	if err != nil || cmp.Diff(want, got, cmp.Comparer(opaque)) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	for kind, b := range map[string][]byte{"announced": want.Encode(), "sealed": sealed().Encode()} {
		if err := decodeBeforeMarkers(b); (err == nil) != (kind == "sealed") || err != nil && !errors.Is(err, exactlyonce.ErrNewer) {
			t.Errorf("%s, to a version that knew no markers: %v", kind, err)
		}
	}
}

// decodeBeforeMarkers has what versions before there were markers did with a state of
// format 2, word for word.
func decodeBeforeMarkers(b []byte) error {
	const magic, sealedFormat, kindSealed, kindRedoable, pipeline = "smplan", 2, 'S', 'R', 1
	format := b[len(magic)]
	body := b[:max(len(b)-4, 0)]
	if len(body) < len(magic)+3 || crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(body):]) {
		return fmt.Errorf("%w: checksum differs", exactlyonce.ErrBroken)
	}
	kind, pipe := body[len(magic)+1], body[len(magic)+2]
	isSealed := kind == kindSealed && format >= sealedFormat
	if pipe != pipeline || !isSealed && kind != kindRedoable {
		return fmt.Errorf("%w: format %d, kind %q, pipeline %d", exactlyonce.ErrNewer, format, kind, pipe)
	}
	return nil // it went on
}

// TestNewCodecsAreNewer: a version that does not know a plan's codec leaves the
// plan to those that do.
func TestNewCodecsAreNewer(t *testing.T) {
	t.Parallel()
	for codec := range uint8(exactlyonce.MaxCodec + 2) {
		want := example()
		want.Codec = codec
		for newest := range uint8(exactlyonce.MaxCodec + 1) {
			got, err := exactlyonce.DecodeWithCodecs(want.Encode(), newest)
			switch known := codec <= newest; {
			case known && (err != nil || got.Codec != codec):
				t.Errorf("codec %d of a version that knows up to %d: %d, %v", codec, newest, got.Codec, err)
			case !known && !errors.Is(err, exactlyonce.ErrNewer):
				t.Errorf("codec %d of a version that knows up to %d: %v", codec, newest, err)
			}
		}
		_, err := exactlyonce.Decode(want.Encode())
		if known := err == nil; known != (codec <= exactlyonce.MaxCodec) || !known && !errors.Is(err, exactlyonce.ErrNewer) {
			t.Errorf("codec %d: %v", codec, err)
		}
	}
}

package exactlyonce_test

import (
	"encoding/hex"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

func digestOf(rule exactlyonce.DigestRule, records ...[]byte) exactlyonce.Digest {
	d := exactlyonce.NewDigester(rule)
	for _, r := range records {
		d.Add(r)
	}
	return d.Digest()
}

// TestFrozenDigests: a digest is compared by other versions, and on machines with
// other instructions, than made it. The lengths are where XXH3 changes its way. The
// sums are of the reference in C, xxHash 0.8.4, and of another SHA-256.
func TestFrozenDigests(t *testing.T) {
	t.Parallel()
	every := func(step, end int) (lengths []int) {
		for n := 0; n < end; n += step {
			lengths = append(lengths, n)
		}
		return lengths
	}
	for _, row := range []struct {
		name         string
		lengths      []int
		xxh3, sha256 string
	}{
		{"no record", nil, "99aa06d3014798d86001c324468d497f", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"an empty record", []int{0}, "88dffc9e4422ed4caabe9acf44c07a05", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"two empty records", []int{0, 0}, "590350119ab0222f04245739b8563505", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"1 byte", []int{1}, "de68429b8afe28ce97cda390d38d6d2b", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		{"3 bytes", []int{3}, "e8eef968dee299602b2dda1535bfc034", "b361d0f9a938a2bb4fbdc9c21dc5a859788041b0040919d8a811c1888184f4df"},
		{"4 bytes", []int{4}, "fa937528733f578eff0a3707ee6c73ae", "6e14590861815ebebb76e8ca460621bd0f60ea4f1550edbf32e664d30d7a04fd"},
		{"8 bytes", []int{8}, "fd8ccb7226174c9c74516dd3045e377c", "5fd8b294c3f896aa97b3479e20d5b807414731a70d06a97edfbc83e4d575f45c"},
		{"9 bytes", []int{9}, "e79c705dc861b29d1b9dbce3fcc496e5", "3852a0902c04a73392272f20d9a311e0fce5886b3bb2215ec83e5bf5d6307064"},
		{"16 bytes", []int{16}, "7454c445b385355e55971cde55cec88b", "f7bc6c13e813d37799484d9cd24d1570d3e943fe0fe6e8f64925faabce0af40d"},
		{"17 bytes", []int{17}, "b0bed4cfe6464589c87000b25e07fef8", "e060fc0bb46619525f8ec49b48b5a6d6ceaa3157a887381212af57296d355d20"},
		{"128 bytes", []int{128}, "73809dbb22dcd3884df56b7ff77c8e96", "54c9eb041badfd7064645067b107661fed6113197ce2dd066ba69618abd3732f"},
		{"129 bytes", []int{129}, "2b2aebfb7c182eb98e41bcb61530e0a8", "5b55715b51c54661ed0cbd75ba5b00cf1ffee3b7c113a636eca613d9425116a6"},
		{"240 bytes", []int{240}, "e559425d48d5ceaf68983101c83e5238", "92c8a7a10ebf0e7ef3c7a503ce47c589f9d7f3c8bd799d0142c52b9f0790d4e4"},
		{"241 bytes", []int{241}, "f2936ca530909050a30b7e8ccf87d276", "2b7ada0e4af1353b01d4f4d785ad4d003534e9d5868da526708117827a665c0c"},
		{"1024 bytes", []int{1024}, "618947774b5380a8458d6c9f217c01fc", "02fb5322ef73ac36022788d2fd5e36e5f9c9ab03311d5c83dab1d877cc6d09d2"},
		{"1025 bytes", []int{1025}, "26700875a78434924e38475e9b3126dd", "0c1d9a9a54273e71d7a559e37115f4aa8951f16f5c482f1e9c9d108441c13565"},
		{"1088 bytes", []int{1088}, "36ee48b928f1613e258ebe517d6db1af", "f6dd2221297c150cf32a727ce5df63b8a3c7a2108788b03ccbb01e866d94a6e7"},
		{"1089 bytes", []int{1089}, "581b22f20b99508c2f704a960e7b7e24", "c50cd1026be5195137b9520717f89077c5ee06284fc5e8732f8fb00a85f991e2"},
		{"100 of 660 bytes", slices.Repeat([]int{660}, 100), "3b3a6982668e367a27d5295b48821df2", "c638d874f9404dbc23129c371234bad8117c373bd2985cb6e88cd20692a0a492"},
		{"of many lengths", every(37, 3000), "5e48a25b8d2b78a249612e9b23d78493", "abf5fbec98f04a753658adcf489440d895812772fa7afe31263fd06cc69d5847"},
		{"1 MiB", []int{1 << 20}, "060706d7093234edecd43ef17fcabed7", "07f4465ef6fe98070beaf8d8d01454b5d11f6cd4ff86a139d92cd031b46ddfdc"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			records := make([][]byte, len(row.lengths))
			for i, n := range row.lengths {
				records[i] = make([]byte, n)
				for j := range n {
					records[i][j] = byte(i*31 + j*7 + j/251)
				}
			}
			for rule, want := range map[exactlyonce.DigestRule]string{exactlyonce.XXH3: row.xxh3, exactlyonce.SHA256: row.sha256} {
				got := digestOf(rule, records...)
				sum, err := hex.DecodeString(want)
				if err != nil {
					t.Fatal(err)
				}
				if got.Rule != rule || !slices.Equal(got.Sum[:], append(sum, make([]byte, 32-len(sum))...)) {
					t.Errorf("rule %d: got %x, want %s", rule, got, want)
				}
			}
		})
	}
}

// TestDigestIsOfRecords: other records have another digest, also if they are as
// many, of as many bytes in the same order.
func TestDigestIsOfRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 600), 1, 9).Draw(t, "records")
		whole := digestOf(exactlyonce.XXH3, records...)
		if whole != digestOf(exactlyonce.XXH3, records...) {
			t.Fatal("two digests of the same records")
		}
		i := rapid.IntRange(0, len(records)-1).Draw(t, "changed")
		other := slices.Clone(records)
		switch kind := rapid.SampledFrom([]string{"bit", "gone", "bound", "swapped"}).Draw(t, "kind"); {
		case kind == "bit" && len(records[i]) > 0:
			other[i] = slices.Clone(records[i])
			other[i][rapid.IntRange(0, len(records[i])-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case kind == "gone":
			other = slices.Delete(other, i, i+1)
		case kind == "bound" && i > 0 && len(records[i]) > 0:
			other[i-1], other[i] = append(slices.Clip(records[i-1]), records[i][0]), records[i][1:]
		case kind == "swapped" && !slices.Equal(records[0], records[i]):
			other[0], other[i] = records[i], records[0]
		default:
			return
		}
		if whole == digestOf(exactlyonce.XXH3, other...) {
			t.Fatalf("%x has the digest of %x", other, records)
		}
	})
}

// TestNoDigesterForUnknownRules: who asks for one has read a plan that Decode
// should have refused.
func TestNoDigesterForUnknownRules(t *testing.T) {
	t.Parallel()
	for rule := range exactlyonce.DigestRule(9) {
		known := rule == exactlyonce.SHA256 || rule == exactlyonce.XXH3
		if got := exactlyonce.NewDigester(rule); (got != nil) != known {
			t.Errorf("rule %d: %v", rule, got)
		}
	}
}

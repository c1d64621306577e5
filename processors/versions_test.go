package processors_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// asWritten returns a pending checkpoint as a version with another rule of the
// digest of its records would have written it.
func asWritten(tb testing.TB, p *checkpoint.Prepared, rule exactlyonce.DigestRule, records []kcl.Record) *checkpoint.Prepared {
	tb.Helper()
	return edited(tb, p, func(pl *exactlyonce.Plan) { pl.Digest = digestOf(rule, records) })
}

// frozenPlans are, by format, what stood in a row when the holder had crashed with
// the first five of nine records prepared for a GZIP object, with the UUID 7. The
// first one was written by a program that knew no other format.
func frozenPlans() map[byte]string {
	const (
		cut = "5201" + // kind, pipeline
			"b24a7544c9c277af4de7f67fe7bea194e1ab1aacd80ff896420ed3f20bf0e11e07000000000040008000000000000000020c5452494d5f484f52495a4f4e" +
			"000138495900000000000000000000000000000000000000000000000000000001384959000000000000000000000000000000000000000000000000" +
			"00030181f98ec4b12a85f98ec4b12a0519"
		object = "01010001273402823669209384634633746074317682114550030162523230" +
			"31362f30322f32352f31332f6f72646572732d312d323031362d30322d32352d31332d30302d30302d30373030303030302d303030302d343030302d" +
			"383030302d3030303030303030303030302e677a010000"
	)
	return map[byte]string{
		1: "736d706c616e01" + cut + "3935cce3df97b555057b53e2f556eab9704b4dc26d695b712e4c95c739ec5ec0" + object + "db1ab456",
		2: "736d706c616e02" + cut + "4608d90c23503be822363a95714bafe5" + object + "1d90d054",
	}
}

// TestArchiversWriteFormat2: a plan is what every later version must read.
func TestArchiversWriteFormat2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := with(config(), func(c *processors.Config) { c.Compression = processors.GZIP })
		w := prepared(t, 9, 5, cfg.WithUUID(func() exactlyonce.UUID { return exactlyonce.NewUUID([16]byte{7}) }), theShard())
		if got, want := hex.EncodeToString(w.row.pending.State), frozenPlans()[2]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestPlansOfEachVersionAreFinished: each record gets into one object, and those
// of the plan into the object that it names.
func TestPlansOfEachVersionAreFinished(t *testing.T) {
	t.Parallel()
	for format, state := range frozenPlans() {
		for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
			t.Run(fmt.Sprintf("format %d, %s", format, delivery), func(t *testing.T) {
				t.Parallel()
				b, err := hex.DecodeString(state)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(numbered(9))
					w.row.pending = &checkpoint.Prepared{At: w.records[4].Position().ExtendedSequenceNumber, State: b}
					const name = "b/2016/02/25/13/orders-1-2016-02-25-13-00-00-07000000-0000-4000-8000-000000000000.gz"
					w.prepared[name] = true
					cfg := with(config(), func(c *processors.Config) { c.Delivery = delivery }) // not GZIP, as the plan is
					if err := w.run(t.Context(), t, []int{3}, cfg); err != nil {
						t.Fatal(err)
					}
					if err := w.verdict(true); err != nil {
						t.Error(err)
					}
					if o := w.objects[name]; o.metadata[processors.MetadataPlan] != "07000000-0000-4000-8000-000000000000" || !o.condit || len(w.objects) < 2 {
						t.Errorf("objects %v, the plan's %+v", w.keys(), o)
					}
				})
			})
		}
	}
}

// TestAnotherDigestThanThePlans: whichever version wrote it, one bit of one record
// is enough.
func TestAnotherDigestThanThePlans(t *testing.T) {
	t.Parallel()
	for _, rule := range []exactlyonce.DigestRule{exactlyonce.SHA256, exactlyonce.XXH3} {
		for i := range 5 {
			synctest.Test(t, func(t *testing.T) {
				w := prepared(t, 9, 5, config(), theShard())
				w.row.pending = asWritten(t, w.row.pending, rule, w.records[:5])
				bad := w.row.pending
				w.records[i].Data = append([]byte(nil), w.records[i].Data...)
				w.records[i].Data[0] ^= 1
				h, p, ctx := w.take(t.Context(), t, config(), theShard())
				if err := h.initialize(ctx, p); !errors.Is(err, processors.ErrUnfinishable) || !kcl.IsGiveUp(err) {
					t.Errorf("record %d, rule %d: error %v", i, rule, err)
				}
				w.untouched(t, bad)
				w.records[i].Data[0] ^= 1
				if err := w.run(t.Context(), t, []int{3}, config()); err != nil {
					t.Error(err)
				}
				if err := w.verdict(true); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

package processors_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// FuzzPending lets a holder find any bytes as a pending checkpoint's state: a
// plan of this row that was damaged, or bytes behind a plan's head, under a
// checksum that is right. It delivers every record, or says that it cannot and
// then has touched nothing.
func FuzzPending(f *testing.F) {
	good := halfDone(f)
	f.Add([]byte(nil), 0, byte(0), false)
	f.Add(good, 0, byte(0), false)
	f.Add(good, 6, byte(1), false)
	f.Add(good, 7, byte(1), true)
	for at := 9; at < len(good); at += 7 {
		f.Add(good, at, byte(1), true)
	}
	f.Add([]byte("{\"java\": true}"), 0, byte(0), false)
	for _, change := range []func(*exactlyonce.Plan){
		func(p *exactlyonce.Plan) { p.Bucket = "evil" },
		func(p *exactlyonce.Plan) { p.Key = "../k" },
		func(p *exactlyonce.Plan) { p.Digest.Sum[0]++ },
		func(p *exactlyonce.Plan) { p.Records++ },
		func(p *exactlyonce.Plan) { p.Records-- },
		func(p *exactlyonce.Plan) { p.Bytes-- },
	} {
		pl, err := exactlyonce.Decode(good)
		if err != nil {
			f.Fatal(err)
		}
		change(&pl)
		f.Add(pl.Encode(), 0, byte(0), false)
	}
	f.Fuzz(func(t *testing.T, state []byte, flip int, with byte, seal bool) {
		state = bytes.Clone(state)
		if flip >= 0 && flip < len(state) {
			state[flip] ^= with
		}
		if seal && len(state) > 4 {
			binary.BigEndian.PutUint32(state[len(state)-4:], crc32.ChecksumIEEE(state[:len(state)-4]))
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(numbered(7))
			w.row.pending = &checkpoint.Prepared{At: w.records[2].Position().ExtendedSequenceNumber, State: state}
			verdict, pl, _ := exactlyonce.Judge(w.row.pending, w.row.checkpoint.ExtendedSequenceNumber, ours(), []string{"b"})
			if verdict == exactlyonce.Redo {
				w.prepared[objectName(pl.Bucket, pl.Key)] = true
			}
			err := w.run(t.Context(), t, []int{2}, config().WithSize(12))
			switch verdict {
			case exactlyonce.Newer, exactlyonce.Broken, exactlyonce.Forbidden:
				if !errors.Is(err, processors.ErrUnfinishable) || len(w.objects) > 0 || !bytes.Equal(w.row.pending.State, state) {
					t.Errorf("%v: %v, objects %v, pending %v", verdict, err, w.keys(), w.row.pending)
				}
			case exactlyonce.Redo:
				if errors.Is(err, processors.ErrUnfinishable) && (len(w.objects) > 0 || len(w.lost) > 0 || !bytes.Equal(w.row.pending.State, state)) {
					t.Errorf("%v, objects %v, lost %v, pending %v", err, w.keys(), w.lost, w.row.pending)
				}
				if _, ok := w.objects[objectName(pl.Bucket, pl.Key)]; !ok && err == nil && len(w.lost) == 0 {
					t.Errorf("%+v is not delivered: %v", pl, w.keys())
				}
				if err == nil && w.verdict(false) != nil && len(w.lost) == 0 && pl.First == w.records[0].Position().ExtendedSequenceNumber {
					t.Errorf("%+v: %v", pl, w.verdict(false))
				}
			default:
				if err != nil || w.verdict(true) != nil {
					t.Errorf("%v: %v, %v", verdict, err, w.verdict(true))
				}
			}
		})
	})
}

func ours() exactlyonce.Identity {
	s := theShard()
	return exactlyonce.NewIdentity(s.Table, s.StreamName, s.StreamARN, s.ShardID)
}

// halfDone is the state of a cut of the first three records that was prepared
// and not published.
func halfDone(f *testing.F) []byte {
	f.Helper()
	w := newWorld(numbered(7))
	cut := w.records[:3]
	pl := exactlyonce.Plan{
		Identity: ours(), UUID: exactlyonce.NewUUID([16]byte{1}),
		After: w.row.checkpoint.ExtendedSequenceNumber, First: cut[0].Position().ExtendedSequenceNumber, Last: cut[2].Position().ExtendedSequenceNumber,
		Records: 3, Digest: digestOf(exactlyonce.XXH3, cut), Bucket: "b", Key: "k",
	}
	for _, r := range cut {
		pl.Bytes += int64(len(r.Data))
	}
	return pl.Encode()
}

func digestOf(rule exactlyonce.DigestRule, records []kcl.Record) exactlyonce.Digest {
	d := exactlyonce.NewDigester(rule)
	for _, r := range records {
		d.Add(r.Data)
	}
	return d.Digest()
}

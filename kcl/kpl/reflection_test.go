package kpl_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/kcl/kpl"
)

// The messages, as a compiler of protobuf makes structs of them.
type (
	aggregatedMessage struct {
		PartitionKeys []string         `protobuf:"bytes,1,rep,name=partition_key_table"`
		HashKeys      []string         `protobuf:"bytes,2,rep,name=explicit_hash_key_table"`
		Records       []*recordMessage `protobuf:"bytes,3,rep,name=records"`
	}
	recordMessage struct {
		KeyIndex  *uint64       `protobuf:"varint,1,req,name=partition_key_index"`
		HashIndex *uint64       `protobuf:"varint,2,opt,name=explicit_hash_key_index"`
		Data      []byte        `protobuf:"bytes,3,req,name=data"`
		Tags      []*tagMessage `protobuf:"bytes,4,rep,name=tags"`
	}
	tagMessage struct {
		Key   *string `protobuf:"bytes,1,req,name=key"`
		Value *string `protobuf:"bytes,2,opt,name=value"`
	}
)

func (m *aggregatedMessage) Reset()         { *m = aggregatedMessage{} }
func (m *aggregatedMessage) String() string { return fmt.Sprint(m.Records) }
func (*aggregatedMessage) ProtoMessage()    {}

func (m *recordMessage) Reset()         { *m = recordMessage{} }
func (m *recordMessage) String() string { return string(m.Data) }
func (*recordMessage) ProtoMessage()    {}

func (m *tagMessage) Reset()         { *m = tagMessage{} }
func (m *tagMessage) String() string { return fmt.Sprint(m.Key, m.Value) }
func (*tagMessage) ProtoMessage()    {}

// sdkRecord is a record as the SDK has it.
type sdkRecord struct {
	ApproximateArrivalTimestamp  *time.Time
	Data                         []byte
	PartitionKey, SequenceNumber *string
}

// splitter takes records apart in the way of AWS' library for Go: it prints the
// magic and the digests to compare them, unmarshals the message, and makes a
// record of the SDK's of each user record.
type splitter struct {
	magic     string // printed
	unmarshal func(message []byte) (keys []string, records []recordMessage, err error)
}

func newSplitter(unmarshal func([]byte) ([]string, []recordMessage, error)) splitter {
	return splitter{fmt.Sprintf("%q", magic), unmarshal}
}

func (s splitter) split(dst []sdkRecord, r sdkRecord) ([]sdkRecord, error) {
	if len(r.Data) <= len(magic)+md5.Size || fmt.Sprintf("%q", r.Data[:len(magic)]) != s.magic {
		return append(dst, r), nil
	}
	message, digest := r.Data[len(magic):len(r.Data)-md5.Size], r.Data[len(r.Data)-md5.Size:]
	if fmt.Sprintf("%x", md5.Sum(message)) != fmt.Sprintf("%x", digest) { //nolint:perfsprint // that is how it does it
		return append(dst, r), nil
	}
	keys, records, err := s.unmarshal(message)
	if err != nil {
		return nil, err
	}
	for _, u := range records {
		dst = append(dst, sdkRecord{r.ApproximateArrivalTimestamp, u.Data, &keys[*u.KeyIndex], r.SequenceNumber})
	}
	return dst, nil
}

// byReflection unmarshals by reflection on the messages' descriptors.
func byReflection() splitter {
	message := protoadapt.MessageV2Of(new(aggregatedMessage)).ProtoReflect().Descriptor()
	keyTable, records := message.Fields().ByNumber(1), message.Fields().ByNumber(3)
	record := records.Message().Fields()
	return newSplitter(func(b []byte) (keys []string, users []recordMessage, err error) {
		m := dynamicpb.NewMessage(message)
		if err := proto.Unmarshal(b, m); err != nil {
			return nil, nil, err
		}
		for i, list := 0, m.Get(keyTable).List(); i < list.Len(); i++ {
			keys = append(keys, list.Get(i).String())
		}
		for i, list := 0, m.Get(records).List(); i < list.Len(); i++ {
			u := list.Get(i).Message()
			get := func(n protoreflect.FieldNumber) protoreflect.Value { return u.Get(record.ByNumber(n)) }
			users = append(users, recordMessage{KeyIndex: new(get(1).Uint()), Data: get(3).Bytes()})
		}
		return keys, users, nil
	})
}

// byStructs unmarshals into structs, which takes reflection only once.
func byStructs() splitter {
	return newSplitter(func(b []byte) (keys []string, users []recordMessage, err error) {
		var m aggregatedMessage
		if err := proto.Unmarshal(b, protoadapt.MessageV2Of(&m)); err != nil {
			return nil, nil, err
		}
		for _, u := range m.Records {
			users = append(users, *u)
		}
		return m.PartitionKeys, users, nil
	})
}

// What is measured beside a Splitter does the same work.
func TestOtherSplittersAreSplitters(t *testing.T) {
	t.Parallel()
	data := aggregate(t, benchUsers(100, 20, 7))
	want, err := kpl.Split(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]splitter{"reflection": byReflection(), "structs": byStructs()} {
		got, err := s.split(nil, sdkRecord{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		var users []kpl.UserRecord
		for _, r := range got {
			users = append(users, kpl.UserRecord{PartitionKey: *r.PartitionKey, Data: r.Data})
		}
		if diff := cmp.Diff(want, users); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		plain := sdkRecord{Data: []byte("some longer record that is plain")}
		if got, err := s.split(nil, plain); err != nil || len(got) != 1 || !bytes.Equal(got[0].Data, plain.Data) {
			t.Errorf("%s makes %v of a plain record, %v", name, got, err)
		}
		if got, err := s.split(nil, sdkRecord{Data: flip(data, 9)}); err != nil || len(got) != 1 {
			t.Errorf("%s makes %d records of one with a wrong digest, %v", name, len(got), err)
		}
	}
}

// BenchmarkSplitBeside measures side by side what user records cost in time
// of computing: how many times as fast a Splitter is as the others. The best of
// the turns of each counts. Most of what it takes itself is the digest.
func BenchmarkSplitBeside(b *testing.B) {
	for _, shape := range []struct {
		name                 string
		records, users, data int
		keys                 int
	}{
		{"100 of 500 B", 20, 100, 500, 100},
		{"20 of 100 B", 400, 20, 100, 20},
		{"plain", 100_000, 0, 1000, 0},
	} {
		b.Run(shape.name, func(b *testing.B) {
			data := bytes.Repeat([]byte("x"), shape.data)
			users := 1
			if shape.users > 0 {
				data, users = aggregate(b, benchUsers(shape.users, shape.data, shape.keys)), shape.users
			}
			others := []splitter{byReflection(), byStructs()}
			best := [3]time.Duration{time.Hour, time.Hour, time.Hour}
			turn := func(i int, f func()) {
				start := cputime.Used()
				f()
				best[i] = min(best[i], cputime.Used()-start)
			}
			var s kpl.Splitter
			now, number := time.Now(), "1"
			for b.Loop() {
				turn(0, func() {
					for range shape.records {
						if err := drain(&s, data); err != nil {
							b.Fatal(err)
						}
					}
				})
				b.StopTimer()
				for i, other := range others {
					turn(i+1, func() {
						var page []sdkRecord
						for range shape.records {
							var err error
							if page, err = other.split(page, sdkRecord{ApproximateArrivalTimestamp: &now, Data: data, SequenceNumber: &number}); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(best[0])/float64(shape.records*users), "ns/user")
			b.ReportMetric(float64(best[1])/float64(best[0]), "x-of-reflection")
			b.ReportMetric(float64(best[2])/float64(best[0]), "x-of-structs")
		})
	}
}

// drain takes a record apart, if it is aggregated.
func drain(s *kpl.Splitter, data []byte) error {
	if !kpl.IsAggregated(data) {
		return nil
	}
	if err := s.Reset(data); err != nil {
		return err
	}
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	return nil
}

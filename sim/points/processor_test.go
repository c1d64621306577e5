package points_test

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/lambdatransform"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// factory makes the processors of a machine. Every other one compresses, so
// that a cut is finished by a worker with another configuration.
func (w *world) factory(m *machine, sdk aws.Config, api s3archive.API, functions lambdatransform.API) (kcl.ProcessorFactory, *loader, error) {
	if w.plain {
		return func(s kcl.ShardInfo) kcl.RecordProcessor {
			return &watched{&plain{w: w, shard: s.ShardID}, m, s.ShardID}
		}, nil, nil
	}
	store, err := s3archive.New(api, s3archive.Options{PartBytes: 5 << 20})
	if err != nil {
		return nil, nil, err
	}
	cfg := processors.Config{
		Logger:             m.log,
		DeliveryStreamName: "d", Bucket: bucket, Compression: processors.Uncompressed,
		Hints: processors.BufferingHints{SizeInMBs: 128, IntervalInSeconds: w.interval, BeyondFirehose: true},
	}
	if w.loading {
		cfg.Load = &processors.Load{CommitOn: processors.CommitOnLoad}
	}
	if m.name[0]%2 == 0 && !w.large && !w.loading {
		cfg.Compression = processors.GZIP
	}
	if w.sealed {
		cfg.Backup = &processors.Backup{Bucket: copies, Hints: cfg.Hints}
		cfg.Hooks.BundleLost = func(e processors.BundleLostEvent) { w.fail("%s finds no bundle %s", m.name, e.Key) }
	}
	if w.transformed {
		f, err := lambdatransform.New(functions, lambdatransform.Options{FunctionARN: functionARN, Logger: m.log})
		if err != nil {
			return nil, nil, err
		}
		cfg.Transform = &processors.Transform{
			Function: f, NumberOfRetries: new(20), Timeout: 10 * time.Second,
			Hints: processors.TransformHints{SizeInMBs: 0.2, IntervalInSeconds: 1},
		}
	}
	if w.indexed {
		cfg.Hints = processors.BufferingHints{SizeInMBs: 100, IntervalInSeconds: w.interval, BeyondFirehose: true}
		if err := w.index(m, &cfg); err != nil {
			return nil, nil, err
		}
	}
	if w.large {
		cfg.SpoolMemory = 64 << 20
	}
	archivers, err := processors.New(cfg, store)
	if err != nil {
		return nil, nil, err
	}
	var load *loader
	if w.loading {
		load, err = w.newLoader(m, sdk, cfg, store)
	}
	return func(s kcl.ShardInfo) kcl.RecordProcessor { return &watched{archivers.Processor(s), m, s.ShardID} }, load, err
}

// watched checks that each call of a processor may begin.
type watched struct {
	kcl.RecordProcessor

	m     *machine
	shard string
}

func (p *watched) enter(what string) {
	w := p.m.w
	if p.m.isDead() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rows[p.shard]; r != nil && r.present && r.owner != p.m.name && !r.stolen {
		w.violate("%s begins %s for %s, whose lease %q has", p.m.name, what, p.shard, r.owner)
	}
	if what == "Initialize" {
		w.judgeBeginning(p.m.name, p.shard)
	}
}

func (p *watched) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.m.set(func() { p.m.trust[p.shard] = in.CheckTrust })
	p.enter("Initialize")
	return p.RecordProcessor.Initialize(ctx, in)
}

func (p *watched) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.enter("ProcessRecords")
	return p.RecordProcessor.ProcessRecords(ctx, in)
}

func (p *watched) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	p.enter("ShardEnded")
	return p.RecordProcessor.ShardEnded(ctx, in)
}

func (p *watched) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	p.enter("ShutdownRequested")
	p.m.set(func() { p.m.handing[p.shard] = in.Surplus })
	return p.RecordProcessor.ShutdownRequested(ctx, in)
}

// plain is a processor that checkpoints every few seconds.
type plain struct {
	kcl.Defaults

	w     *world
	shard string
	last  checkpoint.ExtendedSequenceNumber

	written time.Time // when it checkpointed last
}

func (p *plain) Initialize(_ context.Context, in kcl.InitializationInput) error {
	p.last, p.written = in.Checkpoint.ExtendedSequenceNumber, time.Now()
	return nil
}

func (p *plain) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if in.Attempt == 1 {
		p.deliver(in.Records)
	}
	if time.Since(p.written) < 5*time.Second {
		return nil
	}
	p.written = time.Now()
	return in.Checkpointer.Checkpoint(ctx)
}

// deliver checks that no record is left out and none comes out of order.
func (p *plain) deliver(records []kcl.Record) {
	p.w.putting <- struct{}{} // they are read as soon as they are put, which may be before they are noted
	<-p.w.putting
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for i := range records {
		at := records[i].Position().ExtendedSequenceNumber
		next := p.w.after(p.shard, p.last)
		if next == nil || next.at != at || next.data != string(records[i].Data) {
			p.w.violate("%s is delivered %v after %v, and %v follows", p.shard, at, p.last, next)
		}
		p.last = at
		if at.Compare(p.w.delivered[p.shard]) > 0 {
			p.w.delivered[p.shard] = at
		}
	}
}

// after returns the first record of a shard after a place. w.mu is held.
func (w *world) after(key string, at checkpoint.ExtendedSequenceNumber) *record {
	for i, r := range w.records[key] {
		if r.at.Compare(at) > 0 {
			return &w.records[key][i]
		}
	}
	return nil
}

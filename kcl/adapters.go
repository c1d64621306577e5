package kcl

import "context"

// Defaults implements every method of RecordProcessor but ProcessRecords:
// ShardEnded checkpoints, the others do nothing. Embed it.
type Defaults struct{}

// Initialize does nothing.
func (Defaults) Initialize(context.Context, InitializationInput) error { return nil }

// LeaseLost does nothing.
func (Defaults) LeaseLost(context.Context, LeaseLostInput) {}

// ShardEnded checkpoints, so that the shard's children are processed.
func (Defaults) ShardEnded(ctx context.Context, in ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// ShutdownRequested does nothing: what was not checkpointed is processed again.
func (Defaults) ShutdownRequested(context.Context, ShutdownRequestedInput) error { return nil }

// Handle returns a factory of processors that call f with each batch and
// checkpoint it when f returns nil: at least once, with the least code. See
// HandleEach for a function of one record.
func Handle(f func(ctx context.Context, shard ShardInfo, records []Record) error) ProcessorFactory {
	return func(s ShardInfo) RecordProcessor { return &handler{shard: s, f: f} }
}

type handler struct {
	Defaults

	shard ShardInfo
	f     func(context.Context, ShardInfo, []Record) error
}

func (h *handler) ProcessRecords(ctx context.Context, in ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		return nil
	}
	if err := h.f(ctx, h.shard, in.Records); err != nil {
		return err
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// ShutdownRequested checkpoints, since what was dead-lettered last is not yet.
func (h *handler) ShutdownRequested(ctx context.Context, in ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

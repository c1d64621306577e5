package dynamodbd

import (
	"slices"
	"time"
)

type updateTableInput struct {
	TableName                   string
	AttributeDefinitions        []attributeDefinition
	BillingMode                 string
	ProvisionedThroughput       *throughput
	DeletionProtectionEnabled   *bool
	GlobalSecondaryIndexUpdates []indexUpdate
}

type indexUpdate struct {
	Create *indexSpec
	Update *struct {
		IndexName             string
		ProvisionedThroughput *throughput
	}
	Delete *struct{ IndexName string }
}

func (in *updateTableInput) empty() bool {
	return in.BillingMode == "" && in.ProvisionedThroughput == nil && in.DeletionProtectionEnabled == nil &&
		len(in.GlobalSecondaryIndexUpdates) == 0
}

func (s *Server) updateTable(in *updateTableInput) (any, error) {
	if err := checkTableName("tableName", in.TableName); err != nil {
		return nil, err
	}
	if in.empty() {
		return nil, invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates " +
			"or SSESpecification or ReplicaUpdates is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if now.Before(t.activeAt) {
		return nil, refuse(codeInUse, "Attempt to change a resource which is still in use: Table is being created: %s", t.name)
	}
	changed := *t // so that a request that is refused half way changes nothing
	changed.indexes = slices.Clone(t.indexes)
	if err := in.apply(&changed, s.opts, now); err != nil {
		return nil, err
	}
	*t = changed
	return map[string]any{"TableDescription": t.describe(now)}, nil
}

func (in *updateTableInput) apply(t *table, opts Options, now time.Time) error {
	if in.DeletionProtectionEnabled != nil {
		t.protected = *in.DeletionProtectionEnabled
	}
	if err := in.applyBilling(t); err != nil {
		return err
	}
	moves := 0 // of indexes that are made or deleted
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Update == nil {
			moves++
		}
	}
	if moves > 1 || moves == 1 && t.building(now) != nil {
		return refuse(codeLimit, "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if err := in.applyIndex(t, u, opts, now); err != nil {
			return err
		}
	}
	return nil
}

func (in *updateTableInput) applyBilling(t *table) error {
	if in.BillingMode == "" && in.ProvisionedThroughput == nil {
		return nil
	}
	mode := in.BillingMode
	if mode == "" && !t.billing.onDemandAt.IsZero() {
		mode = onDemand
	}
	b, err := billingFor(mode, in.ProvisionedThroughput)
	if err != nil {
		return err
	}
	if mode != onDemand && t.billing.onDemandAt.IsZero() && b.throughput == t.billing.throughput && in.DeletionProtectionEnabled == nil &&
		len(in.GlobalSecondaryIndexUpdates) == 0 {
		return invalid("The provisioned throughput for the table will not change. The requested value equals the current value. "+
			"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %[1]d. "+
			"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %[2]d. "+
			"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
			b.throughput.ReadCapacityUnits, b.throughput.WriteCapacityUnits)
	}
	t.billing = b
	return nil
}

func (in *updateTableInput) applyIndex(t *table, u indexUpdate, opts Options, now time.Time) error {
	switch {
	case u.Create != nil && u.Update == nil && u.Delete == nil:
		return in.createIndex(t, *u.Create, opts, now)
	case u.Create == nil && u.Update != nil && u.Delete == nil:
		return updateIndex(t, u.Update.IndexName, u.Update.ProvisionedThroughput)
	case u.Create == nil && u.Update == nil && u.Delete != nil:
		return deleteIndex(t, u.Delete.IndexName)
	}
	return invalidParam("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete " +
		"must be specified, and only one")
}

func (in *updateTableInput) createIndex(t *table, spec indexSpec, opts Options, now time.Time) error {
	definitions := slices.Clone(t.definitions)
	for _, d := range in.AttributeDefinitions {
		if !slices.Contains(definitions, d) {
			definitions = append(definitions, d)
		}
	}
	defined, err := kinds(definitions)
	if err != nil {
		return err
	}
	ix, err := spec.build(defined, !t.billing.onDemandAt.IsZero())
	if err != nil {
		return err
	}
	if t.index(ix.name) != nil {
		return invalid("Attempting to create an index which already exists")
	}
	ix.activeAt = now.Add(opts.CreateDelay)
	ix.rows.lag = opts.ConsistencyLag
	ix.backfill(now, t)
	t.indexes = append(t.indexes, ix)
	t.definitions = definitions
	return checkAllUsed(defined, t.keys())
}

// keys are the keys of the table and its indexes.
func (t *table) keys() []keySchema {
	keys := []keySchema{t.key}
	for _, ix := range t.indexes {
		keys = append(keys, ix.key)
	}
	return keys
}

func updateIndex(t *table, name string, asked *throughput) error {
	i := slices.IndexFunc(t.indexes, func(ix *index) bool { return ix.name == name })
	if i < 0 {
		return errNoTable()
	}
	granted, err := throughputFor(!t.billing.onDemandAt.IsZero(), asked)
	if err != nil {
		return err
	}
	changed := *t.indexes[i]
	changed.throughput = granted
	t.indexes[i] = &changed
	return nil
}

func deleteIndex(t *table, name string) error {
	if t.index(name) == nil {
		return errNoTable()
	}
	t.indexes = slices.DeleteFunc(t.indexes, func(ix *index) bool { return ix.name == name })
	names := keyNames(t.keys())
	t.definitions = slices.DeleteFunc(slices.Clone(t.definitions), func(d attributeDefinition) bool {
		return !slices.Contains(names, d.AttributeName)
	})
	return nil
}

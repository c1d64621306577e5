package dynamodbd

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

type createTableInput struct {
	TableName                 string
	AttributeDefinitions      []attributeDefinition
	KeySchema                 []keyElement
	GlobalSecondaryIndexes    []indexSpec
	BillingMode               string
	ProvisionedThroughput     *throughput
	DeletionProtectionEnabled bool
	StreamSpecification       *struct{ StreamEnabled bool }
	TableClass                string
	Tags                      []struct{ Key, Value string }
}

func (s *Server) createTable(in *createTableInput) (any, error) {
	t, err := in.build()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables[t.name] != nil {
		return nil, refuse(codeInUse, "Table already exists: %s", t.name)
	}
	s.adopt(t)
	return map[string]any{"TableDescription": t.describe(t.created)}, nil
}

// build checks the request and gives the table, without what depends on the
// Server.
func (in *createTableInput) build() (*table, error) {
	if err := checkTableName("tableName", in.TableName); err != nil {
		return nil, err
	}
	if in.StreamSpecification != nil && in.StreamSpecification.StreamEnabled {
		return nil, notSupported("StreamSpecification with StreamEnabled")
	}
	if err := checkEnum("tableClass", in.TableClass, "STANDARD"); err != nil {
		return nil, err
	}
	defined, err := kinds(in.AttributeDefinitions)
	if err != nil {
		return nil, err
	}
	t := &table{name: tableName(in.TableName), definitions: in.AttributeDefinitions, protected: in.DeletionProtectionEnabled}
	if t.key, err = newKey(in.KeySchema, defined); err != nil {
		return nil, err
	}
	if t.billing, err = billingFor(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return nil, err
	}
	keys := []keySchema{t.key}
	for _, spec := range in.GlobalSecondaryIndexes {
		ix, err := spec.build(defined, !t.billing.onDemandAt.IsZero())
		if err != nil {
			return nil, err
		}
		if t.index(ix.name) != nil {
			return nil, invalidParam("Duplicate index name: %s", ix.name)
		}
		t.indexes = append(t.indexes, ix)
		keys = append(keys, ix.key)
	}
	return t, checkAllUsed(defined, keys)
}

func billingFor(mode string, asked *throughput) (billing, error) {
	if err := checkEnum("billingMode", mode, provisioned, onDemand); err != nil {
		return billing{}, err
	}
	var b billing
	if mode == onDemand {
		b.onDemandAt = time.Now()
	}
	var err error
	b.throughput, err = throughputFor(mode == onDemand, asked)
	return b, err
}

// adopt makes the table one of the Server's. It is called under the lock.
func (s *Server) adopt(t *table) {
	now := time.Now()
	s.requests++
	t.id = fmt.Sprintf("00000000-0000-4000-8000-%012x", s.requests)
	t.arn = "arn:aws:dynamodb:" + s.opts.Region + ":" + s.opts.Account + ":table/" + t.name
	t.created, t.activeAt = now, now.Add(s.opts.CreateDelay)
	t.rows.lag = s.opts.ConsistencyLag
	for _, ix := range t.indexes {
		ix.rows.lag = s.opts.ConsistencyLag
		ix.activeAt = t.activeAt
	}
	s.tables[t.name] = t
}

type tableInput struct {
	TableName string
}

// onTable is an operation whose request names only a table. It calls f under
// the lock.
func (s *Server) onTable(f func(t *table) (any, error)) operation {
	return decoded(func(in *tableInput) (any, error) {
		if err := checkTableName("tableName", in.TableName); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t, err := s.table(in.TableName)
		if err != nil {
			return nil, err
		}
		return f(t)
	})
}

func (s *Server) describeTable(t *table) (any, error) {
	return map[string]any{"Table": t.describe(time.Now())}, nil
}

func (s *Server) deleteTable(t *table) (any, error) {
	now := time.Now()
	if status := t.status(now); status != statusActive {
		return nil, refuse(codeInUse, "Attempt to change a resource which is still in use: Table is being %s: %s",
			map[string]string{statusCreating: "created", statusUpdating: "updated"}[status], t.name)
	}
	if t.protected {
		return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	delete(s.tables, t.name)
	d := t.describe(now)
	d.TableStatus = statusDeleting
	return map[string]any{"TableDescription": d}, nil
}

const maxListedTables = 100

type listTablesInput struct {
	ExclusiveStartTableName string
	Limit                   *int
}

func (s *Server) listTables(in *listTablesInput) (any, error) {
	limit, err := limitOf(in.Limit)
	if err != nil {
		return nil, err
	}
	if limit == 0 || limit > maxListedTables {
		limit = maxListedTables
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.tables))
	first, found := slices.BinarySearch(names, in.ExclusiveStartTableName)
	if found {
		first++
	}
	answer := map[string]any{}
	names = names[first:]
	if len(names) > limit {
		names = names[:limit]
		answer["LastEvaluatedTableName"] = names[limit-1]
	}
	answer["TableNames"] = append([]string{}, names...)
	return answer, nil
}

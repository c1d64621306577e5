package leasedynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/lease"
)

// Where KCL 3.x says which protocol its fleet speaks.
// Source: KCL MigrationState, CoordinatorState, LeaderLock.
const (
	migrationKey   = "Migration3.0"
	leaderKey      = "Leader"
	leaderType     = "LEADER"
	clientVersion  = "cv"
	modifiedBy     = "mb"
	coordinatorKey = "key" // the hash key of the coordinator's table
)

// ensureProtocol returns an error that is ErrInvalidState if the table belongs
// to a fleet whose protocol is not spoken here. KCL 3.0 to 3.4 keeps its state
// in a table beside, 3.5 among the leases, 2.x has none.
func (t *Table) ensureProtocol(ctx context.Context) error {
	// The lease table is read whatever the other one says: it may be gone.
	among, err := t.get(ctx, t.opts.TableName, item{leaseKey: text(migrationKey)})
	if err != nil {
		return fmt.Errorf("finding out which protocol is spoken: %w", err)
	}
	state, err := t.get(ctx, t.opts.CoordinatorTable, item{coordinatorKey: text(migrationKey)})
	if err != nil && !errors.Is(err, lease.ErrTableNotFound) {
		return fmt.Errorf("finding out which protocol is spoken: %w", err)
	}
	if len(state) == 0 {
		state = among
	}
	if len(state) > 0 {
		return t.checkVersion(state)
	}
	leader, err := t.get(ctx, t.opts.TableName, item{leaseKey: text(leaderKey)})
	if err != nil {
		return fmt.Errorf("finding out which protocol is spoken: %w", err)
	}
	if equal(leader[entityType], text(leaderType)) {
		return t.foreign("it has a " + leaderKey + " row")
	}
	return nil
}

// checkVersion judges the Migration3.0 row. A fleet that begins the upgrade or
// was rolled back speaks as 2.x does; one that upgrades expects every worker to
// report its load, and will change over once all do.
func (t *Table) checkVersion(state item) error {
	value, ok := state[clientVersion]
	if !ok {
		return nil
	}
	for _, fine := range []string{"CLIENT_VERSION_INIT", "CLIENT_VERSION_2X"} {
		if equal(value, text(fine)) {
			return nil
		}
	}
	found := migrationKey + " says " + plain(value)
	if by, ok := state[modifiedBy]; ok {
		found += ", modified by " + plain(by)
	}
	return t.foreign(found)
}

func (t *Table) foreign(found string) error {
	return fmt.Errorf("%w: lease table %s is used by a KCL 3.x fleet (%s): this version speaks the protocol of KCL 1.x and 2.x only; "+
		"roll the fleet back with KclMigrationTool, which is possible up to CLIENT_VERSION_3X_WITH_ROLLBACK, or use another lease table",
		lease.ErrInvalidState, t.opts.TableName, found)
}

// plain returns an attribute for a sentence.
func plain(value types.AttributeValue) string {
	if s, ok := value.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return describe(value)
}

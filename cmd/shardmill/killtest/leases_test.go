//go:build kill || search || redshift

package killtest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// lease is what a row of the lease table says.
type lease struct {
	owner      string
	counter    string
	checkpoint string // sequence and sub-sequence number
	pending    bool
}

const shardEnd = "SHARD_END/0"

// leases reads the lease table, by shard.
func (s *services) leases(t *testing.T) map[string]lease {
	t.Helper()
	out, err := s.dynamodb.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(application), ConsistentRead: aws.Bool(true)})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	leases := make(map[string]lease, len(out.Items))
	for _, row := range out.Items {
		_, pending := row["pendingCheckpoint"]
		leases[attribute(row, "leaseKey")] = lease{
			owner:      attribute(row, "leaseOwner"),
			counter:    attribute(row, "leaseCounter"),
			checkpoint: attribute(row, "checkpoint") + "/" + attribute(row, "checkpointSubSequenceNumber"),
			pending:    pending,
		}
	}
	return leases
}

// attribute is a string or number of a row; "" if there is none.
func attribute(row map[string]types.AttributeValue, name string) string {
	switch v := row[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// ownedBy is those of the leases that worker owns.
func ownedBy(leases map[string]lease, worker string) map[string]lease {
	owned := make(map[string]lease)
	for shard, l := range leases {
		if l.owner == worker {
			owned[shard] = l
		}
	}
	return owned
}

// owners is who owns each of the leases that are not finished.
func owners(leases map[string]lease) map[string]string {
	unfinished := make(map[string]string)
	for shard, l := range leases {
		if l.checkpoint != shardEnd {
			unfinished[shard] = l.owner
		}
	}
	return unfinished
}

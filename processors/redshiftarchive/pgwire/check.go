package pgwire

import (
	"context"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/ledger"
)

// Check implements redshiftarchive.Database.
func (d *Database) Check(ctx context.Context, t redshiftarchive.Tables) error {
	questions, err := ledger.Questions(t)
	if err != nil {
		return &redshiftarchive.Fault{Code: "Redshift.InvalidMessageFormat", Message: err.Error(), Undone: true}
	}
	s, fault := d.open(ctx, judge.Secrets{})
	if fault != nil {
		return fault
	}
	defer s.close(ctx)
	for _, q := range questions {
		answer, err := s.run(ctx, q.SQL)
		if err != nil {
			if f := s.undone("check of "+q.About, err); !q.Forgives(f) {
				return f
			}
			continue
		}
		if f := q.Judge(answer.rows); f != nil {
			return f
		}
	}
	return nil
}

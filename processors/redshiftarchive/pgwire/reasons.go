package pgwire

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/ledger"
)

// explainTimeout is for how long the reasons of a failed COPY are asked for.
const explainTimeout = 30 * time.Second

// explain reads which lines COPY could not load, as far as the database lets somebody see it.
func (s *session) explain(ctx context.Context, f *redshiftarchive.Fault) {
	if f.Code != "Redshift.DataLoadFailed" || s.conn.IsClosed() {
		return
	}
	ctx, call := deadline.StartWhole(ctx, explainTimeout)
	defer call.End()
	for _, ask := range s.questions(ctx) {
		answer, err := s.run(ctx, ask)
		if s.conn.IsClosed() {
			return
		}
		if f.Reasons = ledger.Reasons(answer.rows, s.secrets); err == nil && len(f.Reasons) > 0 {
			return
		}
	}
}

// questions are the ways to ask: not every release counts a failed COPY as the last query.
func (s *session) questions(ctx context.Context) []string {
	var out []string
	if answer, err := s.run(ctx, "SELECT pg_last_query_id()"); err == nil && len(answer.rows) == 1 {
		if id, err := strconv.ParseInt(strings.Join(answer.rows[0], ""), 10, 64); err == nil && id > 0 {
			out = ledger.ReasonsOfQuery(id)
		}
	}
	return append(out, ledger.ReasonsOfSession(s.conn.PID(), time.Since(s.opened))...)
}

package kcl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl/internal/rows"
	"github.com/shardmill/shardmill/lease"
)

// foreignError says why a table cannot be this application's.
type foreignError struct {
	table string
	texts []string // what each row says, the first ones
	rows  int      // how many rows there are of them
	anew  string   // the name of a stream that was deleted and created anew; "" if that is not why
}

func (e *foreignError) Error() string {
	why := strings.Join(e.texts, "; ")
	if more := e.rows - len(e.texts); more > 0 {
		why += fmt.Sprintf("; and %d more", more)
	}
	if e.anew != "" {
		return fmt.Sprintf("%v: table %s: stream %s was created anew; use a new application name, or `shardmill leases adopt`: %s",
			lease.ErrInvalidState, e.table, e.anew, why)
	}
	return fmt.Sprintf("%v: table %s belongs to another application or stream: %s; give each application a name of its own, or see `shardmill leases`",
		lease.ErrInvalidState, e.table, why)
}

// Is makes errors.Is(err, lease.ErrInvalidState) true.
func (e *foreignError) Is(target error) bool { return target == lease.ErrInvalidState }

// judgeRows judges what the table listed by the last listing of the shards, which
// began at now, and tells which rows contradict it. These are left alone, each with
// its shard. The error is a foreignError if the worker must not go on: at the start
// if one row proves that the table is another's, later if no row is left.
func (s *stream) judgeRows(ctx context.Context, loop string, now time.Time, list []lease.Lease, unreadable []*lease.UnreadableError) (map[string]rows.Judgement, error) {
	judged, lasting := s.kin.note(now, list, unreadable)
	wrong := make(map[string]string)
	for key, j := range judged {
		if j.Verdict == rows.Contradicts {
			wrong[key] = j.Text
		}
	}
	for _, key := range lasting {
		row, err := s.readRow(ctx, loop, key)
		if err != nil {
			s.cfg.Logger.Warn("row that may contradict the stream was not read", zap.String("lease_key", key), zap.Error(err))
			if !errors.Is(err, lease.ErrNotFound) && s.troubles.has(contradiction(key)) {
				wrong[key] = judged[key].Text // nothing says that it is mended
			}
		} else if j := s.kin.judge(row); j.MayBeLag() {
			wrong[key] = j.Text
			s.kin.confirm(row, j)
		}
	}
	s.tellRows(judged, wrong)
	if loop == loopStart {
		return judged, refuse(s.cfg, judged, refusedAtStart)
	}
	for key, j := range judged {
		if _, isWrong := wrong[key]; !isWrong && j.Verdict != rows.Alien && j.Verdict != rows.Unreadable {
			return judged, nil // a row is left
		}
	}
	return judged, refuse(s.cfg, judged, func(j rows.Judgement) bool { _, isWrong := wrong[j.Key]; return isWrong })
}

// refusedAtStart tells rows with which no worker starts.
func refusedAtStart(j rows.Judgement) bool {
	return j.Verdict == rows.Contradicts || lease.IsMultiStreamKey(j.Key)
}

// refuse returns a foreignError of the rows that count, nil if none does.
func refuse(cfg Config, judged map[string]rows.Judgement, counts func(rows.Judgement) bool) error {
	const most = 3
	e := &foreignError{table: cfg.ApplicationName}
	for _, key := range slices.Sorted(maps.Keys(judged)) {
		j := judged[key]
		if !counts(j) {
			continue
		}
		if e.rows++; e.rows <= most {
			e.texts = append(e.texts, j.Text)
		}
		if j.Anew {
			e.anew = cfg.StreamName
		}
	}
	if e.rows == 0 {
		return nil
	}
	return e
}

// tellRows makes what is wrong with rows the worker's troubles, and logs what is
// odd or not of this stream whenever that is something else than before.
func (s *stream) tellRows(judged map[string]rows.Judgement, wrong map[string]string) {
	unreadable, notes := make(map[string]bool), textsOf(judged, isOdd)
	for key, j := range judged {
		if j.Verdict == rows.Unreadable {
			unreadable[key] = true
			s.troubles.set(troubleKey{reason: TroubleUnreadable, shardID: key}, j.Text, nil)
		}
	}
	for key, text := range wrong {
		s.troubles.set(contradiction(key), text+"; its shard is not processed: see `shardmill leases`", nil)
	}
	s.troubles.clear(func(k troubleKey) bool {
		_, isWrong := wrong[k.shardID]
		return k.reason == TroubleUnreadable && !unreadable[k.shardID] || k.reason == TroubleContradiction && !isWrong
	})
	s.mu.Lock()
	same := slices.Equal(s.noted, notes)
	s.noted = notes
	s.mu.Unlock()
	if !same && len(notes) > 0 {
		s.cfg.Logger.Warn("rows of the lease table are odd, or not of this stream", zap.Strings("rows", notes))
	}
}

// isOdd tells rows that are odd, or of no shard of this stream.
func isOdd(j rows.Judgement) bool { return j.Verdict == rows.Alien || j.Warning != "" }

// textsOf returns what is said of the rows that count, by key.
func textsOf(judged map[string]rows.Judgement, counts func(rows.Judgement) bool) (texts []string) {
	for _, key := range slices.Sorted(maps.Keys(judged)) {
		if j := judged[key]; counts(j) {
			texts = append(texts, j.Text+j.Warning)
		}
	}
	return texts
}

// JudgeLeases judges what a lease table listed, by a whole listing of the shards
// that was begun after it, as a worker of cfg does that starts. It needs of cfg the
// ApplicationName, the StreamName and the StreamARN if there is one, and does no
// I/O.
//
// The error, which is lease.ErrInvalidState, is that of Run: the table is another
// stream's. doubtful are rows that contradict the stream unless the listing is
// behind; of those that do half a minute later too the shards are not processed.
// odd are those of no shard, which a worker leaves alone, and those that it takes
// and warns of. Each is a sentence that names its lease.
func JudgeLeases(cfg Config, shards []Shard, list []lease.Lease) (doubtful, odd []string, err error) {
	kin := kinship{stream: cfg.StreamName, arn: cfg.StreamARN}
	kin.saw(shards)
	judged, _ := kin.note(time.Now(), list, nil)
	return textsOf(judged, rows.Judgement.MayBeLag), textsOf(judged, isOdd), refuse(cfg, judged, refusedAtStart)
}

// asJudged returns the rows for whoever decides which leases a stream needs.
// What is not of this stream is not there. One that contradicts it is there, and
// nobody can tell what it means, as if it could not be read.
func asJudged(list []lease.Lease, judged map[string]rows.Judgement) (leases []lease.Lease, unreadable []string) {
	leases = make([]lease.Lease, 0, len(list))
	for _, l := range list {
		if v := judged[l.Key].Verdict; v != rows.Alien && v != rows.Contradicts {
			leases = append(leases, l)
		}
	}
	for key, j := range judged {
		if j.Verdict == rows.Unreadable || j.Verdict == rows.Contradicts {
			unreadable = append(unreadable, key)
		}
	}
	return leases, unreadable
}

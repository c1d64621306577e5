package leasedynamo

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
)

// How many rows a page of a scan has if whole ones, which are of 1 MB, come too
// slowly.
const (
	mostRows  = 500
	leastRows = 25
	growAfter = 100 // pages in a row that came well
)

// fewer returns the rows of the next smaller page, and false if there is none.
// 0 rows are a whole page.
func fewer(rows int32) (int32, bool) {
	if rows == 0 {
		return mostRows, true
	}
	return max(rows/2, leastRows), rows > leastRows
}

// more returns the rows of the next larger page.
func more(rows int32) int32 {
	if rows >= mostRows {
		return 0
	}
	return min(2*rows, mostRows)
}

// pageSize is how large a page is asked for. It is safe for concurrent use.
type pageSize struct {
	mu   sync.Mutex
	rows int32
	well int // pages that came in a row since rows changed
}

func (p *pageSize) now() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows
}

// came notes a page of so many rows that came, and reports whether whole pages
// are asked for again from now on.
func (p *pageSize) came(rows int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows == 0 || rows != p.rows {
		return false
	}
	if p.well++; p.well < growAfter {
		return false
	}
	p.rows, p.well = more(p.rows), 0
	return p.rows == 0
}

// stopped notes that a page of so many rows stopped coming, and reports whether
// that was the first one.
func (p *pageSize) stopped(rows int32) bool {
	next, _ := fewer(rows)
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.rows == 0
	if first || next < p.rows {
		p.rows = next
	}
	p.well = 0
	return first
}

// scan reads the page of the table that begins after from. One that stops
// coming is asked for again with fewer rows, until they are the fewest.
func (t *Table) scan(ctx context.Context, from item) (*dynamodb.ScanOutput, error) {
	rows := t.pages.now()
	for {
		in := &dynamodb.ScanInput{TableName: &t.opts.TableName, ExclusiveStartKey: from}
		if rows > 0 {
			in.Limit = aws.Int32(rows)
		}
		out, err := send(ctx, t, t.api.Scan, in)
		if err == nil {
			t.noteCame(rows)
			return out, nil
		}
		err = t.failed(ctx, err)
		if late, is := errors.AsType[*deadline.Error](err); !is || !late.Body || ctx.Err() != nil {
			return nil, err
		}
		t.noteStopped(rows, err)
		next, smaller := fewer(rows)
		if !smaller {
			return nil, err
		}
		rows = next
	}
}

// noteCame logs when pages are whole again.
func (t *Table) noteCame(rows int32) {
	if t.pages.came(rows) {
		t.logger.Info("whole pages of the lease table are asked for again", zap.String("table", t.opts.TableName))
	}
}

// noteStopped logs when pages are no longer whole.
func (t *Table) noteStopped(rows int32, err error) {
	if t.pages.stopped(rows) {
		t.logger.Warn("pages of the lease table come too slowly; smaller ones are asked for", zap.String("table", t.opts.TableName), zap.Error(err))
	}
}

package dataapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/ledger"
)

const (
	// readTimeout is for how long what is no COPY may take.
	readTimeout = 2 * time.Minute

	// explainTimeout is for how long the reasons of a failed COPY are asked for.
	explainTimeout = 30 * time.Second

	// readTries is how often a page is asked for, if it is not answered.
	readTries = 5
)

// known reads which objects the ledger has, after its guard found one.
func (d *Database) known(ctx context.Context, t redshiftarchive.Try, l ledger.Statements, secrets judge.Secrets) error {
	var there []string
	for i, ask := range l.Known {
		rows, fault := d.read(ctx, guarding, ask, fmt.Sprintf("%s-known-%d", t.Token, i), secrets)
		if fault != nil {
			return fault
		}
		there = append(there, slices.Concat(rows...)...)
	}
	objects, err := ledger.Known(t.Ledger.Objects, there)
	switch {
	case err != nil:
		return &redshiftarchive.Fault{Code: "Redshift.PSQLException", Message: "SELECT from the ledger: " + secrets.Redact(err.Error()), Undone: true}
	case len(objects) == 0:
		return &redshiftarchive.Fault{Code: "Redshift.PSQLException", Message: "the ledger had some of the objects, and has none: somebody deletes its rows, which must not be done for objects that have a marker", Undone: true}
	}
	return &redshiftarchive.KnownError{Objects: objects}
}

// explain reads which lines COPY could not load, as far as the database lets somebody see it.
func (d *Database) explain(ctx context.Context, t redshiftarchive.Try, f *redshiftarchive.Fault, query int64, secrets judge.Secrets) {
	if query <= 0 {
		return
	}
	ctx, call := deadline.StartWhole(ctx, explainTimeout)
	defer call.End()
	for i, ask := range ledger.ReasonsOfQuery(query) {
		rows, fault := d.read(ctx, "reasons", ask, fmt.Sprintf("%s-reasons-%d", t.Token, i), secrets)
		if f.Reasons = ledger.Reasons(rows, secrets); fault == nil && len(f.Reasons) > 0 {
			return
		}
	}
}

// Check implements redshiftarchive.Database.
func (d *Database) Check(ctx context.Context, t redshiftarchive.Tables) error {
	questions, err := ledger.Questions(t)
	if err != nil {
		return &redshiftarchive.Fault{Code: "Redshift.InvalidMessageFormat", Message: err.Error(), Undone: true}
	}
	once := rand.Text()
	for i, q := range questions {
		rows, f := d.read(ctx, "check of "+q.About, q.SQL, "check-"+once+"-"+strconv.Itoa(i), judge.Secrets{})
		switch {
		case f != nil && !q.Forgives(f):
			return f
		case f != nil:
			continue
		}
		if f := q.Judge(rows); f != nil {
			return f
		}
	}
	return nil
}

// read has a SELECT executed, and returns its rows. What fails changed nothing.
func (d *Database) read(ctx context.Context, doing, sql, token string, secrets judge.Secrets) ([][]string, *redshiftarchive.Fault) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	o, fault := d.execute(ctx, doing, []string{sql}, token, func(string, error) {}, secrets)
	if fault == nil {
		_, fault = o.fault(doing, nil, secrets)
	}
	if fault != nil {
		fault.Undone = true
		return nil, fault
	}
	if o.HasResultSet != nil && !*o.HasResultSet {
		return nil, nil // there is nothing to ask for
	}
	var rows [][]string
	input := &redshiftdata.GetStatementResultInput{Id: &o.id}
	for {
		page, err := d.page(ctx, input)
		if err != nil {
			f := judged(doing, err, secrets)
			f.Undone = true
			return nil, f
		}
		for _, record := range page.Records {
			rows = append(rows, texts(record))
		}
		if page.NextToken == nil {
			return rows, nil
		}
		input.NextToken = page.NextToken
	}
}

// page asks for one page until it is answered.
func (d *Database) page(ctx context.Context, in *redshiftdata.GetStatementResultInput) (*redshiftdata.GetStatementResultOutput, error) {
	pauses := pause.NewBackOff("GetStatementResult", time.Second, 5*time.Second, 0.25)
	for try := 1; ; try++ {
		limited, call := deadline.StartWhole(ctx, requestTimeout)
		out, err := d.client.GetStatementResult(limited, in)
		err = deadline.Explain(limited, err)
		call.End()
		if err == nil {
			return out, nil
		}
		if isRefusal(err) && !isPassing(err) || try == readTries || pauses.Wait(ctx) != nil {
			return nil, err
		}
	}
}

// texts returns the values of a row as texts; NULL is "".
func texts(record []types.Field) []string {
	out := make([]string, len(record))
	for i, field := range record {
		switch f := field.(type) {
		case *types.FieldMemberStringValue:
			out[i] = f.Value
		case *types.FieldMemberLongValue:
			out[i] = strconv.FormatInt(f.Value, 10)
		case *types.FieldMemberBooleanValue:
			out[i] = strconv.FormatBool(f.Value)
		case *types.FieldMemberDoubleValue:
			out[i] = strconv.FormatFloat(f.Value, 'g', -1, 64)
		}
	}
	return out
}

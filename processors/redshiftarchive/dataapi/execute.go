package dataapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

const (
	// requestTimeout ends a request that is not answered.
	requestTimeout = 30 * time.Second

	// executeTries is how often statements are handed in, if that is not answered.
	executeTries = 5

	// farewell is for how long a statement may take to be cancelled, and to tell how it ended.
	farewell = 5 * time.Second
)

// execute has statements executed, in one transaction, and waits for their end. doing is what
// they do, which tell is told, with what keeps their end from being known. The fault says that there is no outcome.
func (d *Database) execute(ctx context.Context, doing string, sqls []string, token string, tell func(string, error), secrets judge.Secrets) (outcome, *redshiftarchive.Fault) {
	if token == "" || len(token) > mostToken {
		return outcome{}, &redshiftarchive.Fault{Code: "Redshift.PSQLException", Message: fmt.Sprintf("%s: the token has %d bytes; it must have 1-%d", doing, len(token), mostToken), Undone: true}
	}
	tell(doing, nil)
	id, fault := d.handIn(ctx, doing, sqls, token, secrets)
	if fault != nil {
		return outcome{}, fault
	}
	return d.end(ctx, doing, id, tell, secrets)
}

// end waits for the end of statements. The outcome has their id also if it is not known.
func (d *Database) end(ctx context.Context, doing, id string, tell func(string, error), secrets judge.Secrets) (outcome, *redshiftarchive.Fault) {
	o, err := d.await(ctx, id, func(trouble error) {
		if trouble != nil {
			trouble = judged("DescribeStatement", trouble, secrets)
		}
		tell(doing, trouble)
	})
	if err != nil {
		f := judged(doing+", whose end is not known", err, secrets)
		f.Undone = false
		return outcome{id: id}, f
	}
	return o, nil
}

// handIn hands statements in until that is answered, and returns their id. Once an answer was
// lost, a refusal of a repetition does not say that they are not executed.
func (d *Database) handIn(ctx context.Context, doing string, sqls []string, token string, secrets judge.Secrets) (string, *redshiftarchive.Fault) {
	isLost := false
	pauses := pause.NewBackOff("ExecuteStatement", time.Second, 5*time.Second, 0.25)
	for try := 1; ; try++ {
		id, err := d.submit(ctx, sqls, token)
		if err == nil && id != "" {
			return id, nil
		}
		if err == nil {
			err = errors.New("the Data API answered without an id")
		}
		isRefused := isRefusal(err)
		isLost = isLost || !isRefused
		if isRefused && !isPassing(err) || try == executeTries || pauses.Wait(ctx) != nil {
			f := judged(doing, err, secrets)
			f.Undone = !isLost
			return "", f
		}
	}
}

// submit makes one request.
func (d *Database) submit(ctx context.Context, sqls []string, token string) (string, error) {
	ctx, call := deadline.StartWhole(ctx, requestTimeout)
	defer call.End()
	if len(sqls) == 1 {
		out, err := d.client.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{
			Sql: &sqls[0], ClientToken: &token, Database: &d.cfg.Database, StatementName: aws.String("shardmill"),
			ClusterIdentifier: optional(d.cfg.ClusterIdentifier), WorkgroupName: optional(d.cfg.WorkgroupName),
			DbUser: optional(d.cfg.DbUser), SecretArn: optional(d.cfg.SecretARN),
		})
		if err != nil {
			return "", deadline.Explain(ctx, err)
		}
		return aws.ToString(out.Id), nil
	}
	out, err := d.client.BatchExecuteStatement(ctx, &redshiftdata.BatchExecuteStatementInput{
		Sqls: sqls, ClientToken: &token, Database: &d.cfg.Database, StatementName: aws.String("shardmill"),
		ClusterIdentifier: optional(d.cfg.ClusterIdentifier), WorkgroupName: optional(d.cfg.WorkgroupName),
		DbUser: optional(d.cfg.DbUser), SecretArn: optional(d.cfg.SecretARN),
	})
	if err != nil {
		return "", deadline.Explain(ctx, err)
	}
	return aws.ToString(out.Id), nil
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// await asks about statements until they have ended, and tells what is in the way. When ctx ends,
// or nobody knows them, they are cancelled. Keys that expired, or a policy that was changed, are
// no reason to: the COPY is good, and somebody may mend them.
func (d *Database) await(ctx context.Context, id string, tell func(trouble error)) (outcome, error) {
	pauses := pause.NewBackOff("DescribeStatement", 500*time.Millisecond, 5*time.Second, 0.1)
	var last outcome
	for {
		o, err := d.describe(ctx, id)
		switch {
		case err == nil && o.isOver():
			return o, nil
		case err != nil && ctx.Err() == nil && isRefusal(err) && !isPassing(err) && !isDenial(err):
			return d.cancel(ctx, last, id, err)
		case err == nil:
			last = o
		}
		tell(err)
		if late := pauses.Wait(ctx); late != nil {
			return d.cancel(ctx, last, id, late)
		}
	}
}

// cancel has statements cancelled, which were as last says before, and returns how they ended, if they
// tell in time. Else it returns why.
func (d *Database) cancel(ctx context.Context, last outcome, id string, why error) (outcome, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer stop()
	_, _ = d.client.CancelStatement(ctx, &redshiftdata.CancelStatementInput{Id: &id}) // one that has ended is refused
	pauses := pause.NewBackOff("CancelStatement", 250*time.Millisecond, time.Second, 0.1)
	for {
		if o, err := d.describe(ctx, id); err == nil && o.isOver() {
			o.why, o.before = why, last.DescribeStatementOutput
			return o, nil
		}
		if pauses.Wait(ctx) != nil {
			return outcome{}, why
		}
	}
}

func (d *Database) describe(ctx context.Context, id string) (outcome, error) {
	ctx, call := deadline.StartWhole(ctx, requestTimeout)
	defer call.End()
	out, err := d.client.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &id})
	if err != nil {
		return outcome{}, deadline.Explain(ctx, err)
	}
	return outcome{id: id, DescribeStatementOutput: out}, nil
}

// outcome is what the Data API says of statements.
type outcome struct {
	*redshiftdata.DescribeStatementOutput

	id     string
	why    error                                 // they were cancelled here; nil if they were not
	before *redshiftdata.DescribeStatementOutput // what was said before that; nil if nothing was
}

// isBeforeLock reports whether a batch was cancelled here while its first statement, LOCK, was not
// over, as far as the service tells: once it is cancelled all its statements are.
func (o outcome) isBeforeLock() bool {
	if o.why == nil || o.before == nil || o.Status != types.StatusStringAborted || len(o.before.SubStatements) == 0 {
		return false
	}
	switch o.before.SubStatements[0].Status {
	case types.StatementStatusStringSubmitted, types.StatementStatusStringPicked, types.StatementStatusStringStarted:
		return len(o.SubStatements) == 0 || o.SubStatements[0].Status != types.StatementStatusStringFinished
	default:
		return false
	}
}

func (o outcome) isOver() bool {
	switch o.Status {
	case types.StatusStringFinished, types.StatusStringFailed, types.StatusStringAborted:
		return true
	default:
		return false
	}
}

// fault returns why statements failed, and which of a batch, counted from 0; nil if they did
// not. doing is what they do, and parts what each of a batch does.
func (o outcome) fault(doing string, parts []string, secrets judge.Secrets) (int, *redshiftarchive.Fault) {
	if o.Status == types.StatusStringFinished {
		return 0, nil
	}
	failed := o.failed()
	one := placeOf(parts, failed)
	text := o.text(failed)
	if o.Status == types.StatusStringAborted {
		text = strings.TrimSuffix("the query was cancelled: "+text, ": ")
		if o.why != nil {
			text += " by this program: " + o.why.Error()
		}
	}
	f := judge.Answer{Message: text}.Fault(cmp.Or(one, doing), secrets)
	if o.Status == types.StatusStringAborted {
		f.Code, f.Undone = "Redshift.QueryCancelled", true
		return failed, f
	}
	f.Undone = one != "" || isNamed(f.Code, text) // what fails in a batch, fails before its COMMIT
	return failed, f
}

// isNamed reports whether a text is that of a database that failed a statement, and so undid it. That a
// connection was lost, or something internal went wrong, says nothing about what was under way.
func isNamed(code, text string) bool {
	if code != "Redshift.PSQLException" && code != "Redshift.ConnectionFailed" {
		return true
	}
	small := strings.ToLower(text)
	unclear := slices.ContainsFunc([]string{"connection", "i/o", "internal", "communication", "socket", "timed out", "timeout"}, func(part string) bool { return strings.Contains(small, part) })
	return strings.Contains(text, "ERROR:") && !unclear
}

// failed returns the place of the statement that failed, and notTold if that is not told.
func (o outcome) failed() int {
	for i, s := range o.SubStatements {
		if s.Status == types.StatementStatusStringFailed {
			return i
		}
	}
	return notTold
}

// text is what the statement at a place said, or all of them.
func (o outcome) text(place int) string {
	if place >= 0 && place < len(o.SubStatements) {
		if text := aws.ToString(o.SubStatements[place].Error); text != "" {
			return text
		}
	}
	return aws.ToString(o.Error)
}

// query is Redshift's id of the statement at a place; 0 if it is not told.
func (o outcome) query(place int) int64 {
	if place >= 0 && place < len(o.SubStatements) {
		return o.SubStatements[place].RedshiftQueryId
	}
	return o.RedshiftQueryId
}

// isDivision reports whether a text is that of the guard.
func isDivision(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "divi") && strings.Contains(text, "by zero")
}

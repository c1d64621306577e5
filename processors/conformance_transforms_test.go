package processors_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

const functionARN = "arn:aws:lambda:us-west-2:123456789012:function:probe"

// lambda is a function that answers with a text of JSON, as Lambda does.
type lambda struct {
	answer func(ctx context.Context, records []transform.Record) (string, error)
	calls  int
}

func (*lambda) ARN() string { return functionARN }

func (f *lambda) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	f.calls++
	body, err := f.answer(ctx, b.Records)
	if err != nil {
		return nil, err
	}
	answer, _ := transform.ParseAnswer([]byte(body))
	return answer.Results, nil
}

// answering returns a function that says something of each record, with %s where its
// base64 is to be; of a record of which it says nothing it gives no ID.
func answering(says func(data string) string) *lambda {
	return &lambda{answer: func(_ context.Context, records []transform.Record) (string, error) {
		var all []string
		for _, r := range records {
			if s := says(string(r.Data)); s != "" {
				all = append(all, `{"recordId":"`+r.ID+`",`+strings.ReplaceAll(s, "%s", base64.StdEncoding.EncodeToString(r.Data))+`}`)
			}
		}
		return `{"records":[` + strings.Join(all, ",") + `]}`, nil
	}}
}

const unchanged = `"result":"Ok","data":"%s"`

// failedLine is a line of an error object, without its times.
type failedLine struct {
	RawData      []byte `json:"rawData"`
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
	AttemptsMade int    `json:"attemptsMade"`
	LambdaARN    string `json:"lambdaARN"`
}

func failedLines(t *testing.T, bodies ...string) (lines []failedLine) {
	t.Helper()
	for line := range strings.Lines(strings.Join(bodies, "")) {
		var l failedLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// through returns what is delivered of records in one cut, and the lines of those that
// failed.
func through(t *testing.T, f transform.Function, data []string, changes ...func(*processors.Config)) (string, []failedLine) {
	t.Helper()
	cfg := with(config(), func(c *processors.Config) { c.Transform = &processors.Transform{Function: f} })
	got, _ := put(t, with(cfg, changes...), recordsOf(data...))
	const folder = "2016/02/25/13/"
	return strings.Join(got[folder], ""), failedLines(t, got["processing-failed/"+folder]...)
}

// conformTransforms is about transforms.
func conformTransforms(t *testing.T) {
	t.Helper()
	conformAnswers(t)
	conformTries(t)
	statement(t, "L3", func(t *testing.T) {
		t.Helper()
		aLineOfAFailedRecord(t, false, `{"rawData":"RkFJTCB0aGlzIG9uZQo=","errorCode":"Lambda.ProcessingFailedStatus","errorMessage":"ProcessingFailed status set for record",`+
			`"attemptsMade":1,"arrivalTimestamp":1456405200000,"attemptEndingTimestamp":946684800000,"lambdaARN":"`+functionARN+`"}`+"\n")
	})
	statement(t, "L4", func(t *testing.T) {
		t.Helper()
		aLineOfAFailedRecord(t, true, `{"attemptsMade":1,"arrivalTimestamp":1456405200000,"errorCode":"Lambda.ProcessingFailedStatus",`+
			`"errorMessage":"ProcessingFailed status set for record","attemptEndingTimestamp":946684800000,"rawData":"RkFJTCB0aGlzIG9uZQo=","lambdaArn":"`+functionARN+`"}`+"\n")
	})
	statement(t, "L14", func(t *testing.T) {
		t.Helper()
		f := answering(func(data string) string {
			if data == "good" {
				return unchanged
			}
			return `"result":"ProcessingFailed"`
		})
		got, _ := put(t, with(config(), func(c *processors.Config) { c.Transform = &processors.Transform{Function: f} }), recordsOf("a", "good", "b"))
		if failed := got["processing-failed/2016/02/25/13/"]; len(failed) != 1 || strings.Count(failed[0], "\n") != 2 {
			t.Errorf("got %q", got)
		}
	})
	statement(t, "L15", func(t *testing.T) {
		t.Helper()
		f := answering(func(string) string { return `"result":"Ok","data":"QUJD"` })
		got, _ := put(t, with(backedUp().WithBackupSize(100), func(c *processors.Config) {
			c.Transform = &processors.Transform{Function: f}
		}), recordsOf("a", "b"))
		if bodies := got["raw/2016/02/25/13/"]; len(bodies) != 1 || bodies[0] != "ab" || got["2016/02/25/13/"][0] != "ABCABC" {
			t.Errorf("got %q", got)
		}
	})
	statement(t, "L17", theOrderOfStages)
	statement(t, "B14", theIntervalBeginsAfterTheTransform)
}

func aLineOfAFailedRecord(t *testing.T, older bool, want string) {
	t.Helper()
	f := answering(func(string) string { return `"result":"ProcessingFailed","data":"%s"` })
	got, _ := put(t, with(config(), func(c *processors.Config) {
		c.Transform, c.OlderErrorLines = &processors.Transform{Function: f}, older
	}), recordsOf("FAIL this one\n"))
	if line := strings.Join(got["processing-failed/2016/02/25/13/"], ""); line != want || len(got) != 1 {
		t.Errorf("got %q, want %q", got, want)
	}
}

// conformAnswers is about what a function answers.
func conformAnswers(t *testing.T) {
	t.Helper()
	failed := func(code, message string, data ...string) (lines []failedLine) {
		for _, d := range data {
			lines = append(lines, failedLine{[]byte(d), code, message, 1, functionARN})
		}
		return lines
	}
	const (
		missing    = "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids."
		duplicated = "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique record Id for each record."
		null       = "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing result is Ok. " +
			"The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok."
	)
	only := func(which, says string) func(string) string {
		return func(data string) string {
			if data == which {
				return says
			}
			return unchanged
		}
	}
	for number, row := range map[string]struct {
		f    *lambda
		want string
		bad  []failedLine
	}{
		"L1":  {answering(only("b", `"result":"Ok","data":"WA=="`)), "aXc", nil},
		"L2":  {answering(only("b", `"result":"Dropped"`)), "ac", nil},
		"L6":  {answering(only("b", "")), "ac", failed("Lambda.MissingRecordId", missing, "b")},
		"L7":  {&lambda{answer: func(context.Context, []transform.Record) (string, error) { return "{}", nil }}, "", failed("Lambda.MissingRecordId", missing, "a", "b", "c")},
		"L8":  {answering(only("b", unchanged+`},{"recordId":"%id",`+unchanged)), "ac", failed("Lambda.DuplicatedRecordId", duplicated, "b")},
		"L9":  {answering(only("b", unchanged+`},{"recordId":"another",`+unchanged)), "abc", nil},
		"L10": {answering(only("b", `"result":"Ok","data":null`)), "ac", failed("Lambda.InvalidReturnFormat", null, "b")},
	} {
		statement(t, number, func(t *testing.T) {
			t.Helper()
			f := row.f
			inner := f.answer
			f.answer = func(ctx context.Context, records []transform.Record) (string, error) {
				body, err := inner(ctx, records)
				return strings.ReplaceAll(body, "%id", records[min(1, len(records)-1)].ID), err
			}
			got, lines := through(t, f, []string{"a", "b", "c"})
			if got != row.want || f.calls != 1 || fmt.Sprint(lines) != fmt.Sprint(row.bad) {
				t.Errorf("delivered %q, failed %+v, in %d calls; want %q, %+v", got, lines, f.calls, row.want, row.bad)
			}
		})
	}
}

// conformTries is about what is tried again.
func conformTries(t *testing.T) {
	t.Helper()
	throws := func(context.Context, []transform.Record) (string, error) { return "", errors.New("thrown") }
	hangs := func(ctx context.Context, _ []transform.Record) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	retries := func(n int) func(*processors.Config) {
		return func(c *processors.Config) { c.Transform.NumberOfRetries = &n }
	}
	for _, row := range []struct {
		number, code string
		answer       func(context.Context, []transform.Record) (string, error)
		change       func(*processors.Config)
		calls        int
	}{
		{"L5", "Lambda.FunctionError", throws, plain, 4},
		{"L11", "Lambda.FunctionTimedOut", hangs, plain, 4},
		{"L12/0", "Lambda.FunctionError", throws, retries(0), 1},
		{"L12/300", "Lambda.FunctionError", throws, retries(300), 301},
	} {
		statement(t, row.number, func(t *testing.T) {
			t.Helper()
			f := &lambda{answer: row.answer}
			got, lines := through(t, f, []string{"a", "b"}, row.change)
			if f.calls != row.calls || got != "" || len(lines) != 2 {
				t.Errorf("%d calls, delivered %q, failed %+v", f.calls, got, lines)
			}
			for i, l := range lines {
				if l.ErrorCode != row.code || l.AttemptsMade != row.calls || string(l.RawData) != []string{"a", "b"}[i] {
					t.Errorf("failed %+v", l)
				}
			}
		})
	}
	statement(t, "L12", func(t *testing.T) {
		t.Helper()
		for _, n := range []int{-1, 301} {
			_, err := processors.New(with(config(), func(c *processors.Config) {
				c.Transform = &processors.Transform{Function: answering(nil), NumberOfRetries: &n}
			}), new(shelf))
			if err == nil || !strings.Contains(err.Error(), "Number of retries for lambda must be between 0 and 300.") {
				t.Errorf("%d: %v", n, err)
			}
		}
	})
}

// theOrderOfStages: the transform sees what de-aggregation finds, and keys are of what the
// transform says.
func theOrderOfStages(t *testing.T) {
	t.Helper()
	var seen []string
	f := answering(func(data string) string {
		seen = append(seen, data)
		return `"result":"Ok","data":"` + base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(data, "old", "new"))) + `"`
	})
	got, _ := put(t, with(config(), func(c *processors.Config) {
		c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.JSON}
		c.Transform = &processors.Transform{Function: f}
		byQuery(`{k:.k}`, "k=!{partitionKeyFromQuery:k}/")(c)
		c.AppendDelimiterToRecord = true
	}), recordsOf(`{"k":"old1"}{"k":"old2"}`))
	if !slices.Equal(seen, []string{`{"k":"old1"}`, `{"k":"old2"}`}) || fmt.Sprint(got) != "map[k=new1/:[{\"k\":\"new1\"}\n] k=new2/:[{\"k\":\"new2\"}\n]]" {
		t.Errorf("the function saw %q; delivered %q", seen, got)
	}
}

// byQuery turns dynamic partitioning on.
func byQuery(query, prefix string) func(*processors.Config) {
	return func(c *processors.Config) {
		c.DynamicPartitioning = &processors.DynamicPartitioning{MetadataExtractionQuery: query}
		c.Prefix, c.ErrorOutputPrefix = prefix, "errors/!{firehose:error-output-type}/"
		c.Hints = processors.BufferingHints{SizeInMBs: cmp.Or(c.Hints.SizeInMBs, 64), IntervalInSeconds: cmp.Or(c.Hints.IntervalInSeconds, 60)}
	}
}

// theIntervalBeginsAfterTheTransform: a record waits for its batch, and then for the
// interval.
func theIntervalBeginsAfterTheTransform(t *testing.T) {
	t.Helper()
	s := begin(t, with(config(), func(c *processors.Config) {
		c.Transform = &processors.Transform{Function: answering(func(string) string { return unchanged })}
	}), arrived([]string{"a"}))
	begun := time.Now()
	s.put(1)
	for len(s.objects) == 0 && time.Since(begun) < time.Hour {
		s.tick(time.Second)
		synctest.Wait()
	}
	if took := time.Since(begun); took < 359*time.Second || took > 362*time.Second {
		t.Errorf("it was delivered after %v", took)
	}
	s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
}

package dataapi

import (
	"errors"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

// isRefusal reports whether the Data API, or what stands before it, said that it does not do what was
// asked, or the request was never sent. An answer of its failure (5xx) says nothing.
func isRefusal(err error) bool {
	if access.Missing(err) {
		return true
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode() >= 400 && answer.HTTPStatusCode() < 500 && !isUnclear(err)
	}
	return false
}

// isUnclear reports whether a refusal comes from the execution.
func isUnclear(err error) bool {
	switch code(err) {
	case "ExecuteStatementException", "BatchExecuteStatementException":
		return true
	default:
		return false
	}
}

// isPassing reports whether the same request may be answered later.
func isPassing(err error) bool {
	switch c := code(err); c {
	case "ActiveStatementsExceededException", "ActiveSessionsExceededException", "DatabaseConnectionException", "RequestLimitExceeded", "RequestTimeout":
		return true
	default:
		return strings.Contains(c, "Throttl") || strings.HasPrefix(c, "TooManyRequests")
	}
}

// isDenial reports whether a refusal is about who asks.
func isDenial(err error) bool {
	return access.Missing(err) || access.Judge(code(err)) != access.None
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// judged returns what an error of a request means. Undone is left false.
func judged(doing string, err error, s judge.Secrets) *redshiftarchive.Fault {
	api, isAnswer := errors.AsType[smithy.APIError](err)
	if !isAnswer {
		return judge.Lost(doing+", by the Data API", err, s)
	}
	text := api.ErrorCode() + ": " + api.ErrorMessage()
	is, remedy := meaning(api.ErrorCode())
	if is == "" {
		return judge.Answer{Message: text}.Fault(doing, s)
	}
	return &redshiftarchive.Fault{Code: "Redshift." + is, Message: doing + ": " + s.Redact(text) + ": " + remedy}
}

// meaning returns which of Firehose's codes one of the Data API is, and what to do; "" if its
// text says it.
func meaning(code string) (is, remedy string) {
	switch code {
	case "ActiveStatementsExceededException", "ActiveSessionsExceededException":
		return "ConnectionsLimitExceeded", "too many statements are active in the Data API; the next try may find room"
	case "ResourceNotFoundException":
		return "ConnectionFailed", "is the cluster or workgroup in this account and region?"
	case "DatabaseConnectionException":
		return "ConnectionFailed", "is the cluster available, and not paused?"
	case "QueryTimeoutException":
		return "QueryCancelled", "statements of the Data API may take 24 hours"
	case "InternalServerException":
		return "InternalError", "the Data API failed; the next try may not"
	}
	if strings.Contains(code, "Throttl") || strings.HasPrefix(code, "TooManyRequests") {
		return "TooManyConnectionsException", "the Data API throttles; the next try comes later"
	}
	if remedy := access.Judge(code).Remedy("redshift-data:*"); remedy != "" {
		return "AccessDenied", remedy + ": ExecuteStatement, BatchExecuteStatement, DescribeStatement, CancelStatement, GetStatementResult, and what the login needs"
	}
	return "", ""
}

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
	is, remedy := "", ""
	switch c := api.ErrorCode(); c {
	case "ActiveStatementsExceededException", "ActiveSessionsExceededException":
		is, remedy = "ConnectionsLimitExceeded", "too many statements are active in the Data API; the next try may find room"
	case "ValidationException", "ExecuteStatementException", "BatchExecuteStatementException":
		return judge.Answer{Message: text}.Fault(doing, s)
	case "ResourceNotFoundException":
		is, remedy = "ConnectionFailed", "is the cluster or workgroup in this account and region?"
	case "DatabaseConnectionException":
		is, remedy = "ConnectionFailed", "is the cluster available, and not paused?"
	case "QueryTimeoutException":
		is, remedy = "QueryCancelled", "statements of the Data API may take 24 hours"
	case "InternalServerException":
		is, remedy = "InternalError", "the Data API failed; the next try may not"
	default:
		if is, remedy = "AccessDenied", access.Judge(c).Remedy("redshift-data:*Statement, :GetStatementResult and the login"); remedy == "" {
			is, remedy = "TooManyConnectionsException", "the Data API throttles; the next try comes later"
		}
		if !strings.Contains(c, "Throttl") && access.Judge(c) == access.None {
			is, remedy = "PSQLException", "the Data API's documentation knows this error"
		}
	}
	return &redshiftarchive.Fault{Code: "Redshift." + is, Message: doing + ": " + s.Redact(text) + ": " + remedy}
}

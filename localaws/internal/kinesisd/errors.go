package kinesisd

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// apiError is an answer that refuses a request. It is the caller's mistake or
// the stream's state: this server has no 5xx of its own.
type apiError struct {
	status  int
	code    string // "__type" on the wire
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// asAPIError gives the error to answer for err: what is no apiError is a defect
// of this server.
func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalFailureException", message: err.Error()}
}

func refuse(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

func invalidArgument(format string, args ...any) *apiError {
	return refuse("InvalidArgumentException", format, args...)
}

func notFound(format string, args ...any) *apiError {
	return refuse("ResourceNotFoundException", format, args...)
}

func inUse(format string, args ...any) *apiError {
	return refuse("ResourceInUseException", format, args...)
}

func limitExceeded(format string, args ...any) *apiError {
	return refuse("LimitExceededException", format, args...)
}

func malformed(format string, args ...any) *apiError {
	return refuse("SerializationException", format, args...)
}

// unknownOperation names what is absent. The Java KCL reads by enhanced fan-out
// unless told otherwise.
func unknownOperation(name string) *apiError {
	instead := ""
	if name == "SubscribeToShard" || strings.Contains(name, "StreamConsumer") {
		instead = " There is no enhanced fan-out here: read by polling, in the Java KCL with PollingConfig."
	}
	return refuse("UnknownOperationException", "The operation %q is not supported by this local Kinesis.%s", name, instead)
}

// dryRun is the answer to a request that would have been carried out had it not
// asked for DryRun.
func dryRun() *apiError {
	return refuse("DryRunOperationException", "Request would have succeeded, but the DryRun parameter was specified.")
}

func (s *Server) streamNotFound(name string) *apiError {
	return notFound("Stream %s under account %s not found.", name, s.options.Account)
}

func (s *Server) streamNotActive(name, status string) *apiError {
	return inUse("Stream %s under account %s not ACTIVE, instead in state %s", name, s.options.Account, status)
}

func (s *Server) couldNotFindShard(shard, stream string) *apiError {
	return notFound("Could not find shard %s in stream %s under account %s.", shard, stream, s.options.Account)
}

func (s *Server) shardNotFound(shard, stream string) *apiError {
	return notFound("Shard %s in stream %s under account %s does not exist", shard, stream, s.options.Account)
}

package judge_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

// internalError is an error of Redshift with the detail that its internal errors have.
func internalError(text, code, context string) judge.Answer {
	return judge.Answer{SQLState: "XX000", Message: text, Detail: "\n  -----------------------------------------------\n  error:  " + text + "\n  code:      " + code +
		"\n  context:   " + context + "\n  query:     15067689\n  location:  table_s3_scanner.cpp:352\n  process:   query1_555_15067689 [pid=42951]\n  -----------------------------------------------\n"}
}

// Texts of Redshift, as people have reported them, and of PostgreSQL.
func TestCodes(t *testing.T) {
	t.Parallel()
	state := func(state, message string) judge.Answer { return judge.Answer{SQLState: state, Message: message} }
	text := func(message string) judge.Answer { return judge.Answer{Message: message} } // of the Data API
	for _, tt := range []struct {
		answer judge.Answer
		want   string
	}{
		// conflicts
		{judge.Answer{SQLState: "XX000", Message: "1023", Detail: "Serializable isolation violation on table - 119371, transactions forming the cycle are: 1745830, 1745762 (pid:15021)"}, "PSQLException"},
		{text("ERROR: 1023 \n  Detail: Serializable isolation violation on table - 100167, transactions forming the cycle are: 55705701, 55705754 (pid:16606)"), "PSQLException"},
		{state("40001", "could not serialize access due to concurrent update"), "PSQLException"},
		{state("40P01", "deadlock detected"), "PSQLException"},
		// loads
		{state("XX000", "Load into table 'events' failed.  Check 'stl_load_errors' system table for details."), "DataLoadFailed"},
		{text("ERROR: Load into table 'events' failed. Check 'sys_load_error_detail' system table for details."), "DataLoadFailed"},
		{internalError("Invalid JSONPath format. Array index is out of range", "8001", ""), "InvalidCopyOptionJSONPathFormat"},
		{internalError("Invalid JSONPath format: Member is not an object.", "8001", ""), "InvalidJsonPathFormat"},
		{internalError("The number of jsonpaths and the number of columns should match. (jsonpath: 2, columns: 3)", "8001", ""), "ColumnMismatch"},
		{internalError("The provided jsonpaths file is not in a supported JSON format.", "8001", ""), "IncorrectJsonPathsFile"},
		{text("Cannot use RBAC acl framework while permission propagation is not enabled."), "InvalidCopyOptionRBACAclNotAllowed"},
		{state("22P02", `invalid input syntax for type integer: "Miller"`), "DataLoadFailed"},
		{state("22001", "value too long for type character varying(10)"), "DataLoadFailed"},
		// access to S3
		{internalError("Not authorized to get credentials of role arn:aws:iam::123456789012:role/loader", "30000", "Role ARN"), "AccessDenied"},
		{internalError("User arn:aws:redshift:us-east-1:123456789012:dbuser:c/loader is not authorized to assume IAM Role arn:aws:iam::123456789012:role/loader", "8001", "IAM Role=arn"), "AccessDenied"},
		{internalError("S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 7A2B,ExtRid x,CanRetry 1", "8001", "while the S3 key is read: s3://b/k"), "S3BucketAccessDenied"},
		{internalError("COPY with MANIFEST parameter requires full path of an S3 object.", "8001", ""), "S3BucketAccessDenied"},
		{internalError("S3ServiceException:The provided token has expired.,Status 400,Error ExpiredToken,Rid x", "8001", ""), "S3BucketAccessDenied"},
		{internalError("S3ServiceException:The AWS Access Key Id you provided does not exist in our records.,Status 403,Error InvalidAccessKeyId,Rid x", "8001", ""), "S3BucketAccessDenied"},
		{internalError("Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Rid x", "8001", "s3://b/m"), "MissingS3File"},
		{internalError("The specified S3 prefix 'logs/x.gz' does not exist", "8001", ""), "MissingS3File"},
		{internalError("S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket,Rid x", "8001", ""), "MissingS3File"},
		{internalError("S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.,Status 301,Error PermanentRedirect,Rid x", "8001", ""), "IncorrectOrMissingRegion"},
		{internalError("S3ServiceException:The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1',Status 400,Error AuthorizationHeaderMalformed", "8001", ""), "IncorrectOrMissingRegion"},
		{internalError("The S3 bucket addressed by the query is in a different region from this cluster.", "8001", ""), "IncorrectBucketRegion"},
		{internalError("S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown,Rid x", "8001", ""), "S3SlowDown"},
		// options
		{state("42601", "conflicting or redundant options"), "IncorrectCopyOptions"},
		{state("0A000", "COPY delimiter must be a single character"), "Delimiter"},
		{state("XX000", "The ENCRYPTED option requires credentials in the format: 'aws_iam_role=...;master_symmetric_key=...'"), "EncryptionCredentials"},
		{state("XX000", "Invalid JSON option"), "InvalidCopyOptionForJson"},
		{state("42701", `column "id" specified more than once`), "ColumnSpecifiedMoreThanOnce"},
		{state("22007", "Duplicate seconds specification"), "DuplicateSecondsSpecification"},
		{state("08P01", "invalid message format"), "InvalidMessageFormat"},
		{internalError("error code -3 while trying to uncompress data", "8001", ""), "CompressionMismatch"},
		{state("0A000", "option is not supported"), "ArgumentNotSupported"},
		// names
		{state("42P01", `relation "public.events" does not exist`), "TableNotFound"},
		{text(`ERROR: relation "public.events" does not exist`), "TableNotFound"},
		{state("42P01", "Cannot COPY into nonexistent table events"), "TableNotFound"},
		{state("3F000", `schema "nowhere" does not exist`), "SchemaNotFound"},
		{state("3D000", `database "dev" does not exist`), "DatabaseNotFound"},
		{state("42703", `column "idd" of relation "events" does not exist`), "ColumnNotFound"},
		{state("42601", "improper qualified name (too many dotted names): a.b.c.d"), "ImproperQualifiedName"},
		{state("XX000", "could not open relation with OID 4711"), "RelationCouldNotBeOpened"},
		{state("XX000", "NOT NULL column without DEFAULT must be included in column list"), "MissingColumn"},
		{state("23502", `null value in column "id" violates not-null constraint`), "ColumnNotNullWithoutDefault"},
		// rights
		{state("28000", `password authentication failed for user "loader"`), "AuthenticationFailed"},
		{text(`FATAL: password authentication failed for user "loader"`), "AuthenticationFailed"},
		{state("28000", `no pg_hba.conf entry for host "::ffff:10.0.0.1", user "loader", database "dev", SSL off`), "SslFailure"},
		{state("42501", "permission denied for relation events"), "InsufficientPrivilege"},
		{text("ERROR: permission denied for schema audit"), "InsufficientPrivilege"},
		{state("42501", `skipping "events" --- only table or database owner can analyze it`), "AnalyzeTableAccessDenied"},
		// capacity
		{state("XX000", "cannot execute query because system is in resize mode"), "ReadOnlyCluster"},
		{state("25006", "cannot execute COPY in a read-only transaction"), "ReadOnlyCluster"},
		{state("53100", "Disk Full"), "DiskFull"},
		{internalError("Disk Full", "1016", "node: 0"), "DiskFull"},
		{state("XX000", "Transaction 4711 is aborted due to exceeding the disk space quota in schema(s): x"), "DiskSpaceQuotaExceeded"},
		{state("53200", "out of memory"), "OutOfMemory"},
		{state("53300", `too many connections for user "loader"`), "TooManyConnectionsException"},
		{state("53300", "sorry, too many clients already"), "TooManyClients"},
		{state("53300", `connection limit "500" exceeded for non-superusers`), "ConnectionsLimitExceeded"},
		{state("57014", "Query (4711) cancelled on user's request"), "QueryCancelled"},
		{text("ERROR: Query (4711) cancelled on user's request"), "QueryCancelled"},
		{state("57014", "canceling statement due to statement timeout"), "QueryCancelled"},
		{state("57P01", "terminating connection due to administrator command"), "ConnectionFailed"},
		{state("57P03", "the database system is starting up"), "ConnectionFailed"},
		{state("42601", `syntax error at or near "gzipp"`), "SyntaxError"},
		{state("XX000", "something that nobody has seen"), "PSQLException"},
		{judge.Answer{}, "PSQLException"},
	} {
		f := tt.answer.Fault("COPY", judge.Secrets{})
		if f.Code != "Redshift."+tt.want || f.Undone || f.SQLState != tt.answer.SQLState {
			t.Errorf("%+v is %+v; want %s", tt.answer, f, tt.want)
		}
		if !strings.HasPrefix(f.Message, "COPY: ") || strings.Contains(f.Message, "\n") || strings.Contains(f.Message, "Miller") {
			t.Errorf("%q", f.Message)
		}
	}
}

// What people need is in the message.
func TestMessages(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]judge.Answer{
		"COPY: 1023 Serializable isolation violation on table - 1": {SQLState: "XX000", Message: "1023", Detail: "Serializable isolation violation on table - 1"},
		"the next try does not meet it":                            {SQLState: "XX000", Message: "1023", Detail: "Serializable isolation violation on table - 1"},
		"(code 30000)":                                             internalError("Not authorized to get credentials of role arn:aws:iam::1:role/x", "30000", "x"),
		"copyCredentials: session":                                 internalError("Not authorized to get credentials of role arn:aws:iam::1:role/x", "30000", "x"),
		`relation "e" does not exis`:                               {SQLState: "42P01", Message: `relation "e" does not exist`},
		`relation "public.e" does not exist`:                       {Message: `ERROR: relation "public.e" does not exist`},
		`failed for user "loader"`:                                 {Message: `FATAL: password authentication failed for user "loader"`},
		"(code 8001)":                                              {Message: "ERROR: S3ServiceException:Access Denied,Status 403\n  Detail: \n  ---\n  error:  x\n  code:      8001\n  context: Miller"},
	} {
		if f := a.Fault("COPY", judge.Secrets{}); !strings.Contains(f.Message, want) || strings.Contains(f.Message, "Miller") {
			t.Errorf("%q lacks %q", f.Message, want)
		}
	}
}

// Reasons have no data.
func TestReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Delimiter not found":                                                                          "Delimiter not found",
		"Invalid digit, Value 'M', Pos 0, Type: Integer":                                               "Invalid digit, Value …, Pos 0, Type: Integer",
		"Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]":                                    "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
		"String length exceeds DDL length":                                                             "String length exceeds DDL length",
		"Multibyte character not supported for CHAR (Hint: try using VARCHAR). Invalid char: e3 81 82": "Multibyte character not supported for CHAR (Hint: try using VARCHAR). Invalid char …",
		"Missing newline: Unexpected character 0x24 found at location 7":                               "Missing newline: Unexpected character …",
		`Overflow for NUMERIC(4,2), value: 123.45`:                                                     "Overflow for NUMERIC(4,2), value …",
	} {
		if got := judge.Reason(text, judge.Secrets{}); got != want {
			t.Errorf("%q became %q; want %q", text, got, want)
		}
	}
}

// The Data API tells no SQLSTATE: what could be data is not shown of its texts either.
func TestValuesWithoutSQLState(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`ERROR: invalid input syntax for type integer: "Miller"`:            "ERROR: invalid input syntax for type integer: …",
		`ERROR: invalid input syntax for type date: "column 'Miller'"`:      "date: …",
		`ERROR: date/time field value out of range: "Miller"`:               "out of range: …",
		`ERROR: Numeric data overflow, value: Miller`:                       "value …",
		`ERROR: something with 'Miller' in it`:                              "something with … in it",
		`ERROR: Load into table 'events' failed.`:                           "Load into table 'events' failed",
		`ERROR: The specified S3 prefix 'logs/x.gz' does not exist`:         "specified S3 prefix 'logs/x.gz' does not exist",
		`ERROR: invalid input syntax for type bool: "Miller" user "Miller"`: "bool: …",
	} {
		f := judge.Answer{Message: text}.Fault("COPY", judge.Secrets{})
		if strings.Contains(f.Message, "Miller") || !strings.Contains(f.Message, strings.TrimPrefix(want, "ERROR: ")) {
			t.Errorf("%q became %q; want %q", text, f.Message, want)
		}
	}
}

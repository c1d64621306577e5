package judge

import "slices"

// rules are all rules; the first that fits counts.
func rules() []rule {
	return slices.Concat(conflicts(), loads(), ofS3(), options(), names(), logins(), capacity(), kinds())
}

func all(parts ...string) []string { return parts }

// conflicts are those with other transactions.
func conflicts() []rule {
	return []rule{{
		states: []string{"40"},
		texts:  [][]string{all("serializable isolation violation"), all("could not serialize"), all("deadlock detected"), all("conflict with concurrent transaction")},
		code:   "PSQLException",
		remedy: "another transaction changed the same tables meanwhile, and this one was undone; the next try does not meet it",
	}}
}

// loads are about what is loaded.
func loads() []rule {
	const look = "look into STL_LOAD_ERRORS, or SYS_LOAD_ERROR_DETAIL, and change the table, COPY's options or the producers"
	return []rule{
		{texts: [][]string{all("cannot use rbac acl framework")}, code: "InvalidCopyOptionRBACAclNotAllowed", remedy: "permit permission propagation, or change CopyOptions"},
		{texts: [][]string{all("invalid jsonpath format", "array index")}, code: "InvalidCopyOptionJSONPathFormat", remedy: "mend the jsonpaths file"},
		{texts: [][]string{all("invalid jsonpath format"), all("invalid jsonpath")}, code: "InvalidJsonPathFormat", remedy: "mend the jsonpaths file"},
		{texts: [][]string{all("number of jsonpaths"), all("jsonpaths", "number of columns")}, code: "ColumnMismatch", remedy: "the jsonpaths file must have as many paths as COPY has columns"},
		{texts: [][]string{all("jsonpaths", "json format"), all("jsonpaths file", "not"), all("jsonpaths", "parse")}, code: "IncorrectJsonPathsFile", remedy: "the file that CopyOptions names must be JSON with \"jsonpaths\""},
		{texts: [][]string{all("stl_load_errors"), all("sys_load_error_detail")}, code: "DataLoadFailed", remedy: look},
	}
}

// ofS3 is access to S3, by whatever COPY is given.
func ofS3() []rule {
	return []rule{
		{
			texts: [][]string{all("not authorized to get credentials of role"), all("not authorized to assume"), all("unauthorized", "assume", "role"), all("assumerole")},
			code:  "AccessDenied",
			remedy: "attach the role to the cluster or workgroup and let its trust policy name redshift.amazonaws.com (serverless: redshift-serverless.amazonaws.com too); " +
				"or set copyCredentials: session, which gives COPY temporary keys of this program's own",
		},
		{texts: [][]string{all("in a different region"), all("different region from this cluster")}, code: "IncorrectBucketRegion", remedy: "add REGION 'the bucket's' to CopyOptions"},
		{
			texts:  [][]string{all("permanentredirect"), all("addressed using the specified endpoint"), all("authorizationheadermalformed"), all("authorization header is malformed"), all("illegallocationconstraint")},
			code:   "IncorrectOrMissingRegion",
			remedy: "add REGION 'the bucket's' to CopyOptions, or use a bucket in the database's region",
		},
		{texts: [][]string{all("slowdown"), all("slow down"), all("reduce your request rate")}, code: "S3SlowDown", remedy: "S3 throttles; the next try comes later"},
		{
			texts: [][]string{
				all("key does not exist"), all("nosuchkey"), all("s3 prefix", "does not exist"), all("mandatory", "manifest"), all("nosuchbucket"), all("bucket does not exist"),
				all("s3serviceexception", "status 404"),
			},
			code: "MissingS3File", remedy: "what was staged is not there; look for a lifecycle rule or a person that deletes it",
		},
		{
			texts:  [][]string{all("expiredtoken"), all("token has expired"), all("invalidaccesskeyid"), all("invalidtoken"), all("signaturedoesnotmatch")},
			code:   "S3BucketAccessDenied",
			remedy: "the keys that COPY was given are not good, or no longer; they are fetched anew before each try",
		},
		{
			texts:  [][]string{all("s3serviceexception", "status 403"), all("access denied", "s3"), all("requires full path of an s3 object"), all("accessdenied", "s3"), all("kms", "denied")},
			code:   "S3BucketAccessDenied",
			remedy: "COPY's role or keys need s3:GetObject on the staged objects and manifests, s3:ListBucket on the bucket, and kms:Decrypt if they are encrypted",
		},
	}
}

// options are COPY's.
func options() []rule {
	const mend = "mend CopyOptions"
	return []rule{
		{texts: [][]string{all("conflicting or redundant"), all("conflicting options")}, code: "IncorrectCopyOptions", remedy: mend},
		{texts: [][]string{all("delimiter must be"), all("delimiter cannot"), all("invalid delimiter"), all("copy delimiter")}, code: "Delimiter", remedy: "the delimiter of CopyOptions must be one character"},
		{texts: [][]string{all("master_symmetric_key"), all("encrypted option")}, code: "EncryptionCredentials", remedy: "ENCRYPTED needs a master_symmetric_key, which COPY is not given: take it out of CopyOptions"},
		{texts: [][]string{all("json", "must be", "auto"), all("invalid json option")}, code: "InvalidCopyOptionForJson", remedy: "json takes 'auto', 'auto ignorecase', 'noshred' or the URL of a jsonpaths file"},
		{texts: [][]string{all("duplicate seconds")}, code: "DuplicateSecondsSpecification", remedy: "mend TIMEFORMAT in CopyOptions"},
		{texts: [][]string{all("invalid credentials"), all("credentials argument"), all("invalid copy option"), all("copy option")}, code: "InvalidCopyOptions", remedy: mend},
		{texts: [][]string{all("specified more than once")}, states: []string{"42701"}, code: "ColumnSpecifiedMoreThanOnce", remedy: "mend DataTableColumns"},
		{texts: [][]string{all("invalid message format"), all("invalid byte sequence")}, states: []string{"08P01"}, code: "InvalidMessageFormat", remedy: "a name or option has a character that the database does not take"},
		{texts: [][]string{all("compression", "mismatch"), all("not in gzip format"), all("trying to uncompress"), all("zlib")}, code: "CompressionMismatch", remedy: "CompressionFormat and the gzip of CopyOptions must agree"},
	}
}

// names are those of what the statements use.
func names() []rule {
	return []rule{
		{texts: [][]string{all("improper qualified name"), all("improper relation name")}, code: "ImproperQualifiedName", remedy: "the table's name has too many dots; quote its parts"},
		{texts: [][]string{all("could not open relation"), all("relation could not be opened")}, code: "RelationCouldNotBeOpened", remedy: "the table was replaced meanwhile, or is damaged; the next try may find it"},
		{
			states: []string{"23502"},
			texts:  [][]string{all("null value in column")},
			code:   "ColumnNotNullWithoutDefault", remedy: "name the column in DataTableColumns and have the records bring it, or give it a default",
		},
		{texts: [][]string{all("must be included in column list"), all("not null", "without default")}, code: "MissingColumn", remedy: "a column that is NOT NULL and has no default is not among DataTableColumns"},
		{states: []string{"42703"}, texts: [][]string{all("column", "does not exist"), all("column", "of relation")}, code: "ColumnNotFound", remedy: "DataTableColumns and the table differ"},
		{states: []string{"3D000"}, texts: [][]string{all("database", "does not exist")}, code: "DatabaseNotFound", remedy: "the database at the end of ClusterJDBCURL does not exist"},
		{states: []string{"3F000"}, texts: [][]string{all("schema", "does not exist")}, code: "SchemaNotFound", remedy: "create the schema, or name the table's own in DataTableName"},
		{
			states: []string{"42P01"},
			texts:  [][]string{all("relation", "does not exist"), all("nonexistent table"), all("table", "does not exist")},
			code:   "TableNotFound", remedy: "create the table; it is not created by itself. The schema in front of its name must be its own",
		},
	}
}

// logins are about who may do what.
func logins() []rule {
	return []rule{
		{
			texts: [][]string{all("no pg_hba.conf entry", "ssl off")},
			code:  "SslFailure", remedy: "the server wants TLS, which is used for all but loopback addresses",
		},
		{
			states: []string{"28"},
			texts:  [][]string{all("password authentication failed"), all("authentication failed"), all("no pg_hba.conf entry"), all("role", "is not permitted to log in")},
			code:   "AuthenticationFailed", remedy: "check the user name and password; a secret is read again before the next try",
		},
		{texts: [][]string{all("analyze", "owner")}, code: "AnalyzeTableAccessDenied", remedy: "let the user own the table, or add STATUPDATE OFF to CopyOptions"},
		{states: []string{"42501"}, texts: [][]string{all("permission denied"), all("must be owner"), all("not authorized")}, code: "InsufficientPrivilege", remedy: "GRANT INSERT on the table to the user, and with a ledger SELECT, INSERT and UPDATE on it, and USAGE on their schemas"},
	}
}

// capacity is what the cluster lacks.
func capacity() []rule {
	const later = "the next try may find room"
	return []rule{
		{texts: [][]string{all("cluster is resizing"), all("resize", "progress")}, code: "Resize", remedy: "wait until the cluster has its size"},
		{states: []string{"25006"}, texts: [][]string{all("read-only"), all("read only"), all("readonly"), all("resize mode")}, code: "ReadOnlyCluster", remedy: "the cluster is being resized, or is read-only; " + later},
		{texts: [][]string{all("quota")}, code: "DiskSpaceQuotaExceeded", remedy: "raise the schema's quota, or delete rows"},
		{states: []string{"53100"}, texts: [][]string{all("disk full"), all("no space left")}, code: "DiskFull", remedy: "resize the cluster, or delete rows"},
		{states: []string{"53200"}, texts: [][]string{all("out of memory")}, code: "OutOfMemory", remedy: later},
		{texts: [][]string{all("could not fork"), all("cannot fork")}, code: "CannotForkProcess", remedy: later},
		{texts: [][]string{all("connection limit"), all("exceeded", "connections", "user")}, code: "ConnectionsLimitExceeded", remedy: "raise the user's CONNECTION LIMIT"},
		{texts: [][]string{all("too many clients")}, code: "TooManyClients", remedy: later},
		{states: []string{"53300"}, texts: [][]string{all("too many connections"), all("maximum", "connections")}, code: "TooManyConnectionsException", remedy: later},
		{texts: [][]string{all("transaction id", "limit"), all("wraparound")}, code: "TransactionIdLimitReached", remedy: "end long transactions, and VACUUM"},
	}
}

// kinds are those that a SQLSTATE or little text tells, after all others.
func kinds() []rule {
	return []rule{
		{
			states: []string{"57014"},
			texts:  [][]string{all("cancelled on user"), all("canceled on user"), all("canceling statement"), all("cancelled by"), all("query", "cancelled"), all("query", "aborted")},
			code:   "QueryCancelled", remedy: "somebody, a rule of the workload management, or statement_timeout ended it",
		},
		{states: []string{"42601"}, texts: [][]string{all("syntax error")}, code: "SyntaxError", remedy: "mend CopyOptions, DataTableName or DataTableColumns"},
		{states: []string{"0A000"}, texts: [][]string{all("not supported")}, code: "ArgumentNotSupported", remedy: "mend CopyOptions"},
		{states: []string{"22", "23"}, code: "DataLoadFailed", remedy: "the records do not fit the table"},
		{
			states: []string{"08", "57P"},
			texts:  [][]string{all("connection refused"), all("connection reset"), all("terminating connection"), all("shutting down"), all("starting up"), all("could not connect")},
			code:   "ConnectionFailed", remedy: "is the cluster available, and not paused?",
		},
	}
}

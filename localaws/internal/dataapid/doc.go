// Package dataapid is the Amazon Redshift Data API: ExecuteStatement,
// BatchExecuteStatement, DescribeStatement, GetStatementResult and CancelStatement, in
// AWS's JSON 1.1.
//
// A statement is run when its request was answered, beside others. Those of a batch are one
// transaction: the first that fails is FAILED, those before it stay FINISHED and are undone,
// those after it are ABORTED. A request with the ClientToken of another is answered with that
// one's id, if they are alike. A page of a result has up to 1,000 rows. A
// statement that has ended is known for 24 hours.
//
// Sources: the API's reference and its quotas; where they say nothing, such as of a token
// that comes back with another statement, the request is refused.
package dataapid

// Package redshiftcopy is what Amazon Redshift's COPY from S3 does before it has rows:
// it reads the statement, the manifest and the objects, and makes of their lines, or of
// their JSON, values of the table's types, or errors as STL_LOAD_ERRORS has them.
//
// Sources: Amazon Redshift Database Developer Guide, "COPY", "COPY from JSON format",
// "Data conversion parameters", "Load error reference"; texts of errors as users quote
// them. Where neither says, [Read] does what its documentation says.
package redshiftcopy

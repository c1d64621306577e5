// Package dataapi is the redshiftarchive.Database that uses the Amazon Redshift Data API.
package dataapi

import (
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
)

// Database loads by statements of the Data API. One goroutine uses it.
type Database struct {
	client *redshiftdata.Client
}

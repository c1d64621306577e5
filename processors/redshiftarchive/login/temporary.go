package login

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/awscall"
)

const (
	// validity is for how long credentials are asked for: the shortest that all three operations allow.
	validity = 15 * time.Minute

	// early is how long before their end credentials are made anew.
	early = 2 * time.Minute
)

// Temporary is a user name and a password that Amazon Redshift makes for an identity of IAM.
// They are good for 15 minutes, and made anew 2 minutes before their end, or after the
// database has refused them. It is safe for concurrent use.
type Temporary struct{ kept }

// ForUser names a user of a provisioned cluster.
type ForUser struct {
	ClusterIdentifier string   // required
	Database          string   // required
	DbUser            string   // required; it must exist: none is created
	DbGroups          []string // groups that it joins for the session, 0-10; default none
}

// NewForUser returns credentials of a user of the database, by redshift:GetClusterCredentials;
// with groups also redshift:JoinGroup. Of cfg it takes Region, Credentials, HTTPClient and an endpoint of
// one's own. It does no I/O.
func NewForUser(cfg aws.Config, u ForUser, logger *zap.Logger) (*Temporary, error) {
	form := url.Values{"DbUser": {u.DbUser}, "AutoCreate": {"false"}}
	for i, g := range u.DbGroups {
		form.Set("DbGroups.DbGroup."+strconv.Itoa(i+1), g)
	}
	err := needed(named{"ClusterIdentifier", u.ClusterIdentifier}, named{"Database", u.Database}, named{"DbUser", u.DbUser})
	return ofCluster(cfg, "GetClusterCredentials", u.ClusterIdentifier, u.Database, form, err, logger)
}

// NewForCluster returns credentials of the database user that is the caller's identity of
// IAM, by redshift:GetClusterCredentialsWithIAM. See NewForUser.
func NewForCluster(cfg aws.Config, clusterIdentifier, database string, logger *zap.Logger) (*Temporary, error) {
	err := needed(named{"ClusterIdentifier", clusterIdentifier}, named{"Database", database})
	return ofCluster(cfg, "GetClusterCredentialsWithIAM", clusterIdentifier, database, url.Values{}, err, logger)
}

// NewForWorkgroup returns credentials of the database user that is the caller's identity of
// IAM in a workgroup of Redshift Serverless, by redshift-serverless:GetCredentials. See
// NewForUser.
func NewForWorkgroup(cfg aws.Config, workgroup, database string, logger *zap.Logger) (*Temporary, error) {
	if err := errors.Join(needed(named{"WorkgroupName", workgroup}, named{"Database", database}), hasRegion(cfg)); err != nil {
		return nil, err
	}
	body, _ := json.Marshal(map[string]any{"workgroupName": workgroup, "dbName": database, "durationSeconds": int(validity.Seconds())}) //nolint:errchkjson // texts and a number
	return temporary(cfg, awscall.Operation{
		Service: awscall.Service{SDKID: "Redshift Serverless", Name: "redshift-serverless", Region: cfg.Region}, Action: "redshift-serverless:GetCredentials", Tries: tries,
		ContentType: "application/x-amz-json-1.1", Target: "RedshiftServerless.GetCredentials", Body: body,
	}, parseWorkgroup, workgroup, logger), nil
}

// ofCluster is for the operations of provisioned clusters; err is what is wrong already.
func ofCluster(cfg aws.Config, action, id, database string, form url.Values, err error, logger *zap.Logger) (*Temporary, error) {
	if err := errors.Join(err, hasRegion(cfg)); err != nil {
		return nil, err
	}
	form.Set("Action", action)
	form.Set("Version", "2012-12-01")
	form.Set("ClusterIdentifier", id)
	form.Set("DbName", database)
	form.Set("DurationSeconds", strconv.Itoa(int(validity.Seconds())))
	return temporary(cfg, awscall.Operation{
		Service: awscall.Service{SDKID: "Redshift", Name: "redshift", Region: cfg.Region}, Action: "redshift:" + action, Tries: tries,
		ContentType: "application/x-www-form-urlencoded", Body: []byte(form.Encode()),
	}, parseCluster, id, logger), nil
}

func temporary(cfg aws.Config, o awscall.Operation, parse func([]byte) (credentials, error), what string, logger *zap.Logger) *Temporary {
	return &Temporary{kept{
		read: func(ctx context.Context) (credentials, error) {
			answer, err := o.Call(ctx, cfg)
			if err != nil {
				return credentials{}, err
			}
			c, err := parse(answer)
			if err != nil || c.user == "" || c.password == "" || c.expires.IsZero() {
				return credentials{}, fmt.Errorf("%s was not answered by Amazon Redshift: no user name, password or end", o.Action)
			}
			return c, nil
		},
		until:  func(c credentials) time.Time { return c.expires.Add(-early) },
		logger: orNop(logger), what: what,
	}}
}

func parseCluster(answer []byte) (credentials, error) {
	type result struct {
		DbUser, DbPassword string
		Expiration         time.Time
	}
	var a struct {
		ByUser result `xml:"GetClusterCredentialsResult"`
		ByIAM  result `xml:"GetClusterCredentialsWithIAMResult"`
	}
	err := xml.Unmarshal(answer, &a)
	if a.ByUser.DbUser == "" {
		a.ByUser = a.ByIAM
	}
	return credentials{a.ByUser.DbUser, a.ByUser.DbPassword, a.ByUser.Expiration}, err //nolint:wrapcheck // it is not shown
}

func parseWorkgroup(answer []byte) (credentials, error) {
	var a struct {
		User       string  `json:"dbUser"`
		Password   string  `json:"dbPassword"`
		Expiration float64 `json:"expiration"` // seconds
	}
	if err := json.Unmarshal(answer, &a); err != nil || a.Expiration <= 0 {
		return credentials{}, err //nolint:wrapcheck // it is not shown
	}
	return credentials{a.User, a.Password, time.UnixMilli(int64(a.Expiration * 1000))}, nil
}

// named is a value of a Config.
type named struct{ name, value string }

// needed names those values that are missing.
func needed(values ...named) error {
	var faults []error
	for _, v := range values {
		if v.value == "" {
			faults = append(faults, fmt.Errorf("%s is missing", v.name))
		}
	}
	return errors.Join(faults...)
}

func hasRegion(cfg aws.Config) error {
	if cfg.Region == "" {
		return errors.New("the region is missing: set AWS_REGION")
	}
	return nil
}

package config

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
)

// effectiveWarehouse is a destination of Redshift.
type effectiveWarehouse struct {
	RoleARN        string `json:",omitempty"`
	ClusterJDBCURL string
	CopyCommand    effectiveCopy

	Username                    string           `json:",omitempty"`
	Password                    json.RawMessage  `json:",omitempty"` // null: given, and not shown
	SecretsManagerConfiguration *effectiveSecret `json:",omitempty"`

	RetryOptions            effectiveRetry
	S3Configuration         effectiveStaged
	ProcessingConfiguration effectiveProcessing
	S3BackupMode            string           `json:",omitempty"`
	S3BackupConfiguration   *effectiveBackup `json:",omitempty"`
}

type effectiveCopy struct {
	DataTableName    string
	DataTableColumns string `json:",omitempty"`
	CopyOptions      string `json:",omitempty"`
}

type effectiveSecret struct {
	Enabled   bool
	SecretARN string
}

// effectiveStaged is where records are staged.
type effectiveStaged struct {
	BucketARN               string
	Prefix                  string
	BufferingHints          *effectiveHints `json:",omitempty"` // nil if they are ours
	CompressionFormat       string
	EncryptionConfiguration effectiveEncryption
}

// effectiveWarehouseKeys are the members of the shardmill key that only Redshift has;
// what documents have too is theirs.
type effectiveWarehouseKeys struct {
	CommitOn           string `json:"commitOn,omitempty"`
	CopyCredentials    string `json:"copyCredentials,omitempty"`
	CopyTimeoutSeconds int64  `json:"copyTimeoutSeconds,omitempty"`
	Ledger             string `json:"ledger,omitempty"`
	Login              string `json:"login,omitempty"`
	ClusterIdentifier  string `json:"clusterIdentifier,omitempty"`
	Workgroup          string `json:"workgroup,omitempty"`
	DbUser             string `json:"dbUser,omitempty"`
	ClusterEndpoint    string `json:"clusterEndpoint,omitempty"`
	LoaderTable        string `json:"loaderTable,omitempty"`
	LoaderBilling      any    `json:"loaderBilling,omitempty"`
}

type effectiveUnits struct {
	Read  int64 `json:"read"`
	Write int64 `json:"write"`
}

// Defaults of what is loaded: Firehose's RetryOptions, and CopyTimeout.
const (
	defaultLoadRetry   = time.Hour
	defaultCopyTimeout = 4 * time.Hour
)

// warehouse puts a destination of Redshift into e.
func (c Config) warehouse(e *Effective) {
	w, d := c.Warehouse, c.Delivery
	retry := defaultLoadRetry
	if w.Load.RetryDuration != nil {
		retry = *w.Load.RetryDuration
	}
	shape := &effectiveWarehouse{
		RoleARN: document.Literally(w.RoleARN), ClusterJDBCURL: document.Literally(w.URL.Text),
		CopyCommand: effectiveCopy{document.Literally(w.Load.DataTableName), document.Literally(w.Load.DataTableColumns), document.Literally(w.Load.CopyOptions)},
		Username:    document.Literally(w.Login.Username), Password: w.Login.Password.shown(),
		RetryOptions: effectiveRetry{int64(retry.Seconds())},
		S3Configuration: effectiveStaged{
			BucketARN: c.BucketARN, Prefix: document.Literally(d.Prefix), BufferingHints: hintsOf(d.Hints, false),
			CompressionFormat: string(d.Compression), EncryptionConfiguration: encryptionOf(d.AWSKMSKeyARN),
		},
		ProcessingConfiguration: c.processing(),
	}
	if w.Login.SecretARN != "" {
		shape.SecretsManagerConfiguration = &effectiveSecret{true, document.Literally(w.Login.SecretARN)}
	}
	shape.S3BackupMode, shape.S3BackupConfiguration = c.backedUp()
	e.RedshiftDestinationConfiguration = shape
	e.Shardmill.effectiveWarehouseKeys = w.keys(d)
	e.Shardmill.PasswordFile, e.Shardmill.CAFile = document.Literally(w.Login.Password.File), document.Literally(w.CAFile)
}

// keys returns the members of the shardmill key.
func (w *Warehouse) keys(d processors.Config) effectiveWarehouseKeys {
	k := effectiveWarehouseKeys{
		CommitOn: string(d.Load.CommitOn), CopyCredentials: string(w.CopyCredentials), CopyTimeoutSeconds: int64(cmp.Or(w.Load.CopyTimeout, defaultCopyTimeout).Seconds()),
		Ledger: document.Literally(w.Load.Ledger), Login: string(w.Login.Kind), ClusterIdentifier: w.Login.ClusterIdentifier, Workgroup: w.Login.Workgroup,
		DbUser: document.Literally(w.Login.DbUser), ClusterEndpoint: document.Literally(w.ClusterEndpoint), LoaderTable: w.Table.Name, LoaderBilling: "PAY_PER_REQUEST",
	}
	if w.Table.ReadCapacity > 0 {
		k.LoaderBilling = effectiveUnits{w.Table.ReadCapacity, w.Table.WriteCapacity}
	}
	return k
}

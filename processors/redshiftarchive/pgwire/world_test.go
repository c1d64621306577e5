package pgwire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// account is a Login that counts.
type account struct {
	user, password string
	err            error

	mu      sync.Mutex // guards refused
	refused int
}

func (a *account) Credentials(context.Context) (user, password string, expires time.Time, err error) {
	return a.user, a.password, time.Time{}, a.err
}

func (a *account) Refused() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused++
}

func (a *account) refusals() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

const url = "jdbc:redshift://127.0.0.1:5439/dev"

// connectTo returns a Database that connects to d.
func connectTo(t *testing.T, d *database, change ...func(*pgwire.Config)) *pgwire.Database {
	t.Helper()
	c := pgwire.Config{URL: url, Login: &account{user: "loader", password: password}, Dial: d.dial}
	for _, f := range change {
		f(&c)
	}
	db, err := pgwire.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

const first = "s3://bucket/first.gz"

// try returns a try to load an object.
func try(hasLedger bool) redshiftarchive.Try {
	const sql = "COPY events FROM '" + first + "' CREDENTIALS '%s' MANIFEST json 'auto' gzip;"
	t := redshiftarchive.Try{
		Copy:  redshiftarchive.NewStatement(fmt.Sprintf(sql, "aws_access_key_id="+keyID+";aws_secret_access_key="+key+";token="+token), fmt.Sprintf(sql, "<redacted>")),
		Token: "1",
	}
	if hasLedger {
		t.Ledger = &redshiftarchive.LedgerTry{Table: "ledger", Objects: []string{first}, Manifest: "s3://bucket/manifests/1"}
	}
	return t
}

// faultOf returns the fault that an error is.
func faultOf(t *testing.T, err error) *redshiftarchive.Fault {
	t.Helper()
	f, ok := errors.AsType[*redshiftarchive.Fault](err)
	if !ok {
		t.Fatalf("%T is no fault: %v", err, err)
	}
	return f
}

// hasNoSecret fails for texts that have one, or a part of one.
func hasNoSecret(t *testing.T, v any) {
	t.Helper()
	for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v)} {
		for _, secret := range []string{password, keyID, key, token} {
			for i := 0; i+8 <= len(secret); i++ {
				if strings.Contains(text, secret[i:i+8]) {
					t.Fatalf("has a part of a secret: %s", text)
				}
			}
		}
	}
}

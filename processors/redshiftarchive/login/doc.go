// Package login has those who log in to a database: user names and passwords that are given,
// that AWS Secrets Manager keeps, or that Amazon Redshift makes for an identity of IAM.
//
// Each is a Login of package pgwire, asks AWS within limits, and has no secret in an error or
// a log. What AWS said last is kept while it is good, and while AWS does not answer.
//
// The three operations of AWS are requests of our own, signed by the SDK: the SDK's client of
// Redshift alone would add a third to the time in which a program is compiled that uses it.
package login

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Password is a user name and a password that somebody else knows.
type Password struct {
	// Read returns them. It is asked for each connection, so what it reads may be changed
	// meanwhile. It has to end with ctx; its error must have no secrets.
	Read func(ctx context.Context) (user, password string, err error)
}

// readTimeout is for how long Password.Read may take.
const readTimeout = 30 * time.Second

// Credentials returns what Read does.
func (p Password) Credentials(ctx context.Context) (user, password string, expires time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	user, password, err = p.Read(ctx)
	switch {
	case err != nil:
		return "", "", time.Time{}, fmt.Errorf("the user name and password could not be read: %w", err)
	case user == "" || password == "":
		return "", "", time.Time{}, errors.New("the user name or the password is empty: set Username and Password")
	}
	return user, password, time.Time{}, nil
}

// Refused does nothing: Read is asked each time.
func (p Password) Refused() {}

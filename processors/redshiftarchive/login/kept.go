package login

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// credentials are a user name and a password.
type credentials struct {
	user, password string
	expires        time.Time // zero for never
}

// kept keeps credentials for a time, and until they are refused. If they cannot be read then,
// those that were read last are returned again, as long as they are good.
type kept struct {
	read   func(ctx context.Context) (credentials, error)
	until  func(credentials) time.Time // when they are read again
	logger *zap.Logger
	what   string // such as an ARN

	mu      sync.Mutex // guards what follows, and lets one read at a time
	last    credentials
	again   time.Time // when to read
	refused bool
}

// Credentials implements Login of package pgwire.
func (k *kept) Credentials(ctx context.Context) (user, password string, expires time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if !k.refused && now.Before(k.again) {
		return k.last.user, k.last.password, k.last.expires, nil
	}
	fresh, err := k.read(ctx)
	switch {
	case err == nil:
		k.last, k.again, k.refused = fresh, k.until(fresh), false
	case k.last.password != "" && (k.last.expires.IsZero() || now.Before(k.last.expires)):
		k.logger.Warn("credentials could not be read again; those read last are used", zap.String("of", k.what), zap.Error(err))
	default:
		return "", "", time.Time{}, err
	}
	return k.last.user, k.last.password, k.last.expires, nil
}

// Refused has the next Credentials read them again.
func (k *kept) Refused() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused = true
}

// tries is how many requests are made for credentials at most.
const tries = 3

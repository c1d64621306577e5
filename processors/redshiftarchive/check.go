package redshiftarchive

import (
	"context"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// checkLimit is how long a look at the database may take: a serverless workgroup may have
// to wake up.
const checkLimit = 3 * time.Minute

// LookStatus is what became of a look.
type LookStatus string

// The statuses.
const (
	LookOK         LookStatus = "ok"
	LookWrong      LookStatus = "wrong"
	LookNotChecked LookStatus = "not checked" // nothing can be learned without a write
)

// Look is what one look at what a Loader uses found.
type Look struct {
	What   string // it was at, such as "table public.events"
	Status LookStatus
	Text   string // what was found; of what is wrong also what to do
}

// Looks looks at the bucket, at what COPY reads it with, and at the database, and changes
// nothing. Each look ends by itself.
func (l *Loader) Looks(ctx context.Context) []Look {
	return []Look{
		l.lookAtMarkers(ctx), l.lookAtAccess(ctx), l.lookAtTables(ctx),
		{
			What: "manifests in bucket " + l.settings.Staging.Bucket, Status: LookNotChecked,
			Text: fmt.Sprintf("whether manifests can be put below %s and %s needs a write", l.settings.Staging.Prefix+manifests, l.settings.Staging.Prefix+errorsManifests),
		},
	}
}

// lookAtMarkers lists markers, and reads one.
func (l *Loader) lookAtMarkers(ctx context.Context) Look {
	look := Look{What: fmt.Sprintf("markers in bucket %s below %s", l.settings.markerBucket, l.settings.markerPrefix), Status: LookOK}
	ctx, cancel := limited(ctx)
	defer cancel()
	keys, err := l.store.List(ctx, l.settings.markerBucket, l.settings.markerPrefix)
	keys = l.settings.markersOf(keys)
	if err == nil && len(keys) > 0 {
		var body []byte
		if body, err = l.store.Read(ctx, l.settings.markerBucket, keys[0], maxMarker); err == nil {
			if _, err := l.settings.parse(body); err != nil {
				look.Status, look.Text = LookWrong, fmt.Sprintf("%d markers wait, and %s cannot be loaded: %v", len(keys), keys[0], err)
				return look
			}
		}
	}
	if err != nil {
		look.Status, look.Text = LookWrong, deadline.Explain(ctx, err).Error()
		return look
	}
	look.Text = fmt.Sprintf("%d markers wait; whether they can be deleted needs a write", len(keys))
	return look
}

// lookAtAccess asks for what COPY reads the bucket with, and shows nothing of it.
func (l *Loader) lookAtAccess(ctx context.Context) Look {
	look := Look{What: "what COPY reads the bucket with", Status: LookOK}
	text, isSecret, err := l.settings.credentials(ctx)
	if err == nil {
		_, err = l.settings.statement("s3://"+l.settings.Staging.Bucket+"/m", text, isSecret)
	}
	switch {
	case err != nil:
		look.Status, look.Text = LookWrong, err.Error()
	case isSecret && !hasToken(text):
		look.Text = "keys without a token, which do not expire: temporary ones are safer, as the database sees them"
	case isSecret:
		look.Text = "temporary keys, anew for each COPY"
	default:
		look.Text = text + "; that it is attached to the cluster or workgroup is not checked"
	}
	return look
}

// lookAtTables has the database look.
func (l *Loader) lookAtTables(ctx context.Context) Look {
	t := l.settings.tables()
	look := Look{What: "table " + t.Table, Status: LookOK, Text: "it is there, and can be used"}
	if t.Ledger != "" {
		look.What, look.Text = look.What+" and ledger "+t.Ledger, "they are there, and can be used"
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, &deadline.Error{Limit: checkLimit})
	defer cancel()
	if err := l.db.Check(ctx, t); err != nil {
		look.Status, look.Text = LookWrong, deadline.Explain(ctx, err).Error()
	}
	return look
}

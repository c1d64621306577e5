package config

import (
	"regexp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

var (
	logGroup  = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]*$`)
	logStream = regexp.MustCompile(`^[^:*]*$`)
	tagText   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@%]*$`)
)

// logging checks CloudWatchLoggingOptions, which do nothing here: what Firehose
// writes there is in the log of this program.
func logging(p document.Place) {
	on := false
	given, ok := p.Read(document.Shape{Of: "Firehose's CloudWatchLoggingOptions", Members: map[string]func(document.Place){
		"Enabled":       func(at document.Place) { on, _ = at.Boolean() },
		"LogGroupName":  idleText(0, 512, logGroup, "of a-z A-Z 0-9 . - _ / #"),
		"LogStreamName": idleText(0, 512, logStream, "without : and *"),
	}})
	if !ok || !on {
		return
	}
	p.NoEffect("errors are in the log of this program")
	const both = "Firehose wants both names when Enabled is true; give it, or set Enabled to false"
	p.Need(given, "LogGroupName", both)
	p.Need(given, "LogStreamName", both)
}

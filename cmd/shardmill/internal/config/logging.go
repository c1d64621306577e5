package config

import "github.com/shardmill/shardmill/cmd/shardmill/internal/document"

// logging checks CloudWatchLoggingOptions, which do nothing here: what Firehose
// writes there is in the log of this program.
func logging(p document.Place) {
	on := false
	name := func(at document.Place) {
		if !at.IsOpen() {
			_, _ = at.Text()
		}
	}
	given, ok := p.Read(document.Shape{Of: "Firehose's CloudWatchLoggingOptions", Members: map[string]func(document.Place){
		"Enabled":       func(at document.Place) { on, _ = at.Boolean() },
		"LogGroupName":  name,
		"LogStreamName": name,
	}})
	if !ok || !on {
		return
	}
	p.NoEffect("errors are in the log of this program")
	const both = "Firehose wants both names when Enabled is true; give it, or set Enabled to false"
	p.Need(given, "LogGroupName", both)
	p.Need(given, "LogStreamName", both)
}

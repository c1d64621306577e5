package clusterd

import (
	"fmt"
	"strconv"
	"strings"
)

// The engines.
const (
	elasticsearch = "Elasticsearch"
	openSearch    = "OpenSearch"
)

// engine is what a cluster is, and how it differs from others.
type engine struct {
	name         string
	major, minor int
	serverless   bool
	timeSeries   bool // collection that refuses ids of the caller's
}

// parseEngine reads an engine as Amazon spells it, such as "OpenSearch_2.19".
func parseEngine(o Options) (engine, error) {
	if o.Collection != "" {
		if o.Engine != "" || (o.Collection != "SEARCH" && o.Collection != "TIMESERIES") {
			return engine{}, fmt.Errorf("the collection is %q and the engine %q; a collection is SEARCH or TIMESERIES, and has no engine", o.Collection, o.Engine)
		}
		return engine{name: openSearch, major: 2, minor: 11, serverless: true, timeSeries: o.Collection == "TIMESERIES"}, nil
	}
	if o.Engine == "" {
		return engine{name: openSearch, major: 2, minor: 19}, nil
	}
	name, version, _ := strings.Cut(o.Engine, "_")
	major, minor, _ := strings.Cut(version, ".")
	e := engine{name: name}
	var err, minorErr error
	e.major, err = strconv.Atoi(major)
	e.minor, minorErr = strconv.Atoi(minor)
	known := e.name == openSearch && e.major >= 1 && e.major <= 3 || e.name == elasticsearch && e.major >= 6 && e.major <= 8
	if err != nil || minorErr != nil || !known {
		return engine{}, fmt.Errorf("the engine is %q; known are Elasticsearch_6.0 to 8.x and OpenSearch_1.0 to 3.x", o.Engine)
	}
	return e, nil
}

// number is the version as the server says it.
func (e engine) number() string { return fmt.Sprintf("%d.%d.0", e.major, e.minor) }

// isOld reports whether it is Elasticsearch 6, which is the last to need types.
func (e engine) isOld() bool { return e.name == elasticsearch && e.major < 7 }

// refusesTypes reports whether an action with a type is one with an unknown member.
func (e engine) refusesTypes() bool {
	return e.name == elasticsearch && e.major > 7 || e.name == openSearch && e.major > 1
}

// hasDataStreams reports whether there are data streams.
func (e engine) hasDataStreams() bool {
	return e.name == openSearch || e.major > 7 || e.major == 7 && e.minor >= 9
}

// fullDisk is the status of a write to an index that is read-only because the disk is
// full.
func (e engine) fullDisk() int {
	if e.isOld() || e.name == elasticsearch && e.major == 7 && e.minor < 7 {
		return 403
	}
	return 429
}

// rejection is the error type of what a queue does not take.
func (e engine) rejection() string {
	if e.name == elasticsearch {
		return "es_rejected_execution_exception"
	}
	return "rejected_execution_exception"
}

// tellsProduct reports whether each answer has the header that Elasticsearch's own
// clients want.
func (e engine) tellsProduct() bool {
	return e.name == elasticsearch && (e.major > 7 || e.major == 7 && e.minor > 13)
}

// version is what GET / says.
func (e engine) version() object {
	v := object{}
	if e.name == openSearch {
		v = append(v, member{"distribution", "opensearch"})
	}
	v = append(v, member{"number", e.number()})
	if e.name == elasticsearch {
		v = append(v, member{"build_flavor", "default"})
	}
	return append(v, member{"build_type", "zip"}, member{"build_snapshot", false})
}

func (e engine) tagline() string {
	if e.name == openSearch {
		return "The OpenSearch Project: https://opensearch.org/"
	}
	return "You Know, for Search"
}

package esarchive

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
)

const (
	kib = int64(1) << 10
	mib = 1 << 20

	maxIndexName  = 80  // characters, Firehose's
	maxIndexBytes = 255 // of the whole name, the cluster's
	maxTypeName   = 100 // characters, Firehose's
	maxRetry      = 7200 * time.Second
	maxParallel   = 32
)

// settings is a Config that is complete and valid.
type settings struct {
	Config

	retry    time.Duration
	rotation rotation
	fields   fields
}

// WithDefaults returns c with the defaults of what is not set. It checks nothing; New
// does both.
func (c Config) WithDefaults() Config {
	c.Service = cmp.Or(c.Service, OpenSearchService)
	period := OneDay
	if c.Service == Serverless {
		period = NoRotation
	}
	c.IndexRotationPeriod = cmp.Or(c.IndexRotationPeriod, period)
	c.Weeks = cmp.Or(c.Weeks, USWeeks)
	c.Operation = cmp.Or(c.Operation, OpIndex)
	if c.RetryDuration == nil {
		d := 300 * time.Second
		c.RetryDuration = &d
	}
	c.MaxRequestBytes = cmp.Or(c.MaxRequestBytes, 5*mib)
	c.MaxInFlightBytes = cmp.Or(c.MaxInFlightBytes, 32*mib)
	c.Parallel = cmp.Or(c.Parallel, 4)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 60*time.Second)
	c.Logger = cmp.Or(c.Logger, zap.NewNop())
	return c
}

// settle fills in defaults and reports everything that is wrong, but for what only the
// client knows: endpoints, certificates and authentication.
func (c Config) settle() (settings, error) {
	c = c.WithDefaults()
	s := settings{Config: c, retry: *c.RetryDuration}
	var errRotation error
	s.rotation, errRotation = newRotation(c.IndexName, c.IndexRotationPeriod, c.Weeks)
	s.fields = fields{id: newPath(c.IDs.Field), version: newPath(c.IDs.VersionField), routing: newPath(c.RoutingField)}
	return s, errors.Join(c.checkService(), c.checkIndexName(), errRotation, c.checkType(), c.checkOperation(), c.checkIDs(), c.checkLimits())
}

// wrong says which field has a value that cannot be used, and what can.
func wrong(field string, value any, remedy string) error {
	return fmt.Errorf("%s %#v: %s", field, value, remedy)
}

func (c Config) checkService() error {
	switch c.Service {
	case OpenSearchService, Elasticsearch:
		return nil
	case Serverless:
	default:
		return wrong("Service", string(c.Service), "must be AmazonOpenSearchService, Elasticsearch or AmazonOpenSearchServerless")
	}
	var errs []error
	if c.IndexRotationPeriod != NoRotation {
		errs = append(errs, wrong("IndexRotationPeriod", string(c.IndexRotationPeriod), "must be NoRotation for AmazonOpenSearchServerless, or empty: Firehose rotates no index there"))
	}
	if c.Engine != "" {
		errs = append(errs, wrong("Engine", c.Engine, "must be empty for AmazonOpenSearchServerless"))
	}
	return errors.Join(errs...)
}

func (c Config) checkIndexName() error {
	name := c.IndexName
	bad := func(remedy string) error { return wrong("IndexName", name, remedy) }
	switch n := utf8.RuneCountInString(name); {
	case n < 1 || n > maxIndexName:
		return bad(fmt.Sprintf("must have 1-%d characters; it has %d", maxIndexName, n))
	case !utf8.ValidString(name):
		return bad("must be UTF-8")
	}
	var errs []error
	if i := strings.IndexAny(name, `\/*?"<>| ,#:`); i >= 0 || strings.ContainsFunc(name, unicode.IsControl) {
		errs = append(errs, bad(`must not have any of \ / * ? " < > | , # : nor spaces and control characters: the cluster refuses them`))
	}
	if strings.ContainsAny(name[:1], "-_+") || name == "." || name == ".." {
		errs = append(errs, bad(`must not begin with - _ + and not be . or ..: the cluster refuses it`))
	}
	if hasUpper(name) && c.IndexRotationPeriod != NoRotation {
		errs = append(errs, bad("must be in lower case: only an alias may have upper case, and an alias needs the IndexRotationPeriod NoRotation"))
	}
	if n := len(name) + longestSuffix; c.IndexRotationPeriod != NoRotation && n > maxIndexBytes {
		errs = append(errs, bad(fmt.Sprintf("must be shorter: with what the IndexRotationPeriod adds it can have %d bytes, and the cluster takes %d", n, maxIndexBytes)))
	} else if c.IndexRotationPeriod == NoRotation && len(name) > maxIndexBytes {
		errs = append(errs, bad(fmt.Sprintf("must be shorter: it has %d bytes, and the cluster takes %d", len(name), maxIndexBytes)))
	}
	return errors.Join(errs...)
}

// noTypes is Firehose's text.
const noTypes = "Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty."

func (c Config) checkType() error {
	engine, major, _, err := ParseEngine(c.Engine)
	var errs []error
	if c.Engine != "" && err != nil {
		errs = append(errs, wrong("Engine", c.Engine, err.Error()))
	}
	if n := utf8.RuneCountInString(c.TypeName); n > maxTypeName || !utf8.ValidString(c.TypeName) {
		errs = append(errs, wrong("TypeName", c.TypeName, fmt.Sprintf("must be UTF-8 of at most %d characters", maxTypeName)))
	}
	isKnown := c.Service == Serverless || c.Engine != "" && err == nil
	if c.TypeName != "" && isKnown && !(cluster{engine: engine, major: major}).hasTypes() {
		errs = append(errs, wrong("TypeName", c.TypeName, noTypes))
	}
	return errors.Join(errs...)
}

func (c Config) checkOperation() error {
	if c.Operation != OpIndex && c.Operation != OpCreate {
		return wrong("Operation", string(c.Operation), "must be index or create")
	}
	return nil
}

func (c Config) checkIDs() error {
	ids := c.IDs
	var errs []error
	if ids.None && (ids.Field != "" || ids.Prefix) {
		errs = append(errs, wrong("IDs.None", true, "must be false with IDs.Field or IDs.Prefix: they make ids"))
	}
	if ids.Field != "" && ids.Prefix {
		errs = append(errs, wrong("IDs.Prefix", true, "must be false with IDs.Field: it is for ids of sequence numbers"))
	}
	switch {
	case ids.VersionField != "" && ids.Field == "":
		errs = append(errs, wrong("IDs.VersionField", ids.VersionField, "must be empty without IDs.Field"))
	case ids.VersionField != "" && c.Operation == OpCreate:
		errs = append(errs, wrong("IDs.VersionField", ids.VersionField, `must be empty with the Operation "create", which refuses whatever has the id of another document`))
	case ids.Field != "" && ids.VersionField == "" && c.Operation == OpIndex:
		errs = append(errs, wrong("IDs.VersionField", "", `must be set with IDs.Field, or else the Operation be "create": a document that is delivered again would replace a later one of the same id`))
	}
	for _, f := range []struct{ field, path string }{{"IDs.Field", ids.Field}, {"IDs.VersionField", ids.VersionField}, {"RoutingField", c.RoutingField}} {
		if f.path != "" && !isPath(f.path) {
			errs = append(errs, wrong(f.field, f.path, `must be names of members with points between, such as "user.id", in UTF-8`))
		}
	}
	return errors.Join(errs...)
}

// isPath reports whether each of the names between the points of a path has a character.
func isPath(path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			return false
		}
	}
	return utf8.ValidString(path)
}

func (c Config) checkLimits() error {
	var errs []error
	if d := *c.RetryDuration; d < 0 || d > maxRetry || d%time.Second != 0 {
		errs = append(errs, wrong("RetryDuration", d.String(), "must be 0-7200 s, in whole seconds"))
	}
	if n := c.MaxRequestBytes; n < 64*kib || n > 100*mib {
		errs = append(errs, wrong("MaxRequestBytes", n, "must be 64 KiB-100 MiB"))
	}
	if n := c.MaxInFlightBytes; n < 64*kib {
		errs = append(errs, wrong("MaxInFlightBytes", n, "must be at least 64 KiB"))
	}
	if n := c.Parallel; n < 1 || n > maxParallel {
		errs = append(errs, wrong("Parallel", n, fmt.Sprintf("must be 1-%d", maxParallel)))
	}
	if d := c.RequestTimeout; d < time.Second {
		errs = append(errs, wrong("RequestTimeout", d.String(), "must be at least 1 s"))
	}
	if !utf8.ValidString(c.Pipeline) {
		errs = append(errs, wrong("Pipeline", c.Pipeline, "must be UTF-8"))
	}
	return errors.Join(errs...)
}

// ownIDs reports whether documents have the ids of their records.
func (s *settings) ownIDs() bool { return !s.IDs.None && s.IDs.Field == "" }

// hasUpper reports whether a name has upper case.
func hasUpper(name string) bool { return strings.ToLower(name) != name }

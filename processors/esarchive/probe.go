package esarchive

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// defaultMaxContent is how large a request may be if the cluster does not say: what
	// the smallest instances of Amazon OpenSearch Service take.
	defaultMaxContent = 10 << 20

	// probeTimeout ends each of the two requests of a probe.
	probeTimeout = 5 * time.Second

	// probeAgain is how long a cluster that did not say what it is is not asked again, as it
	// may not have been there, or not have permitted it yet; unless a request with documents
	// fails meanwhile.
	probeAgain = 30 * time.Second
)

// engineName are the names of Engine.
const (
	openSearch    = "OpenSearch"
	elasticsearch = "Elasticsearch"
)

var engineText = regexp.MustCompile(`^(OpenSearch|Elasticsearch)_([0-9]{1,3})\.([0-9]{1,3})$`)

// ParseEngine reads a version as Amazon spells it, such as "OpenSearch_2.19" or
// "Elasticsearch_6.8": DescribeDomain's EngineVersion.
func ParseEngine(text string) (engine string, major, minor int, err error) {
	parts := engineText.FindStringSubmatch(text)
	if parts == nil {
		return "", 0, 0, fmt.Errorf("must be like OpenSearch_2.19 or Elasticsearch_6.8, and is %q", text)
	}
	major, _ = strconv.Atoi(parts[2]) // they are digits
	minor, _ = strconv.Atoi(parts[3])
	return parts[1], major, minor, nil
}

// knowledge is what is known of the cluster.
type knowledge struct {
	configured cluster       // what holds until the cluster has answered
	busy       chan struct{} // of capacity 1: one probe is made at a time
	silence    string        // what the last one did not find, as it was logged; whoever probes has it

	mu    sync.Mutex // guards what follows
	said  cluster
	again time.Time // said holds until then
	final bool      // said holds for ever
	quiet time.Time // until then it is not told again that nobody answered
}

// newKnowledge returns what a valid Config says.
func newKnowledge(c Config) *knowledge {
	k := &knowledge{busy: make(chan struct{}, 1), configured: cluster{maxContent: defaultMaxContent}}
	if c.Service == Serverless {
		k.configured.engine = openSearch
		k.said, k.final = k.configured, true // a collection has no nodes to ask
		return k
	}
	if engine, major, minor, err := ParseEngine(cmp.Or(c.Engine, c.DomainEngine)); err == nil {
		k.configured.engine, k.configured.major, k.configured.minor = engine, major, minor
	}
	return k
}

// get returns what is known, and whether that is all to be known for the time being.
func (k *knowledge) get(now time.Time) (cluster, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.said, k.final || now.Before(k.again)
}

func (k *knowledge) set(said cluster, final bool, again time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.said, k.final, k.again = said, final, again
}

// doubt has a cluster that did not answer be asked before the next request. A request with
// documents has failed: because the cluster is down, and when it is back the first of them
// must be as it wants them, or because it is back, and they were not.
func (k *knowledge) doubt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.again = time.Time{}
}

// tells reports whether to tell that nobody answered, for the first time in a while.
func (k *knowledge) tells(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.quiet) {
		return false
	}
	k.quiet = now.Add(probeAgain)
	return true
}

// cluster implements requester.
func (c *client) cluster(ctx context.Context) cluster {
	k := c.known
	if said, ok := k.get(time.Now()); ok {
		return said
	}
	select {
	case k.busy <- struct{}{}:
	case <-ctx.Done():
		return k.configured
	}
	defer func() { <-k.busy }()
	if said, ok := k.get(time.Now()); ok {
		return said
	}
	found := c.probe(ctx)
	if ctx.Err() != nil {
		return k.configured
	}
	k.set(found.cluster, found.told, time.Now().Add(probeAgain))
	c.tellCluster(found)
	return found.cluster
}

// tellCluster logs what a probe has found.
func (c *client) tellCluster(found probed) {
	is := []zap.Field{
		zap.String("engine", cmp.Or(found.engine, "unknown")), zap.Int("major", found.major), zap.Int("minor", found.minor),
		zap.Int64("max_content_length", found.maxContent),
	}
	switch {
	case !found.answered && !c.known.tells(time.Now()):
	case !found.answered:
		c.log.Warn("cluster did not answer what it is", append(is, zap.String("error", found.why), zap.Duration("asked_again_within", probeAgain))...)
	case found.why != "":
		if c.known.silence != found.why {
			c.log.Info("cluster does not say all that it is", append(is, zap.String("error", found.why))...)
		}
	default:
		c.log.Info("cluster found", is...)
	}
	c.known.silence = found.why
	if found.told && c.Engine != "" && (found.engine != c.known.configured.engine || found.major != c.known.configured.major) {
		c.log.Warn("cluster is not what Engine says", append(is, zap.String("configured", c.Engine))...)
	}
}

// probed is what a probe has found.
type probed struct {
	cluster

	told     bool   // the cluster said which engine it is
	answered bool   // it answered something
	why      string // not all is known
}

// nodesPath is what Firehose's own policy permits to read, without a part of it in the
// path: es:ESHttpGet on /_nodes.
const nodesPath, nodesQuery = "/_nodes", "filter_path=nodes.*.version,nodes.*.build_flavor,nodes.*.http.max_content_length_in_bytes"

// probe asks the cluster what it is: its nodes, or if they may not be read itself.
func (c *client) probe(ctx context.Context) probed {
	found := probed{cluster: c.known.configured}
	f := c.get(ctx, nodesPath, nodesQuery, func(body []byte) { found.cluster, found.told = readNodes(body, found.cluster) })
	found.answered = isAnswer(f)
	if found.told || !found.answered {
		found.why = why(f)
		return found
	}
	found.why = fmt.Sprintf("GET %s: %s; permit es:ESHttpGet on it, to know how large requests may be", nodesPath, cmp.Or(why(f), "the answer has no versions of nodes"))
	if f := c.get(ctx, "/", "", func(body []byte) { found.cluster, found.told = readRoot(body, found.cluster) }); !found.told {
		found.why += fmt.Sprintf("; GET /: %s; permit es:ESHttpGet on it, or set Engine", cmp.Or(why(f), "the answer has no version"))
	}
	return found
}

func why(f *fault) string {
	if f == nil {
		return ""
	}
	return f.message
}

// isAnswer reports whether somebody answered for the cluster, if only with a refusal.
func isAnswer(f *fault) bool {
	return f == nil || f.status != 0 && f.status < 500 && f.status != http.StatusRequestTimeout && f.status != http.StatusTooManyRequests
}

// get asks for something that is small. read must keep nothing of the body.
func (c *client) get(ctx context.Context, path, query string, read func(body []byte)) *fault {
	return c.do(ctx, asked{method: http.MethodGet, path: path, query: query, limit: 4 << 20, timeout: probeTimeout}, func(body []byte) *fault {
		read(body)
		return nil
	})
}

// readNodes reads the answer of GET /_nodes: the least of all nodes. What it does not say
// is as before.
func readNodes(body []byte, before cluster) (is cluster, told bool) {
	var in struct {
		Nodes map[string]struct {
			Version string  `json:"version"`
			Flavor  *string `json:"build_flavor"` //nolint:tagliatelle // it is theirs
			HTTP    struct {
				Max int64 `json:"max_content_length_in_bytes"` //nolint:tagliatelle // it is theirs
			} `json:"http"`
		} `json:"nodes"`
	}
	if json.Unmarshal(body, &in) != nil {
		return before, false
	}
	var lowest, content cluster
	for _, node := range in.Nodes {
		if n, ok := ofVersion(node.Version, node.Flavor != nil, false); ok && (!told || isLower(n, lowest)) {
			lowest, told = n, true
		}
		if most := node.HTTP.Max; most > 0 && (content.maxContent == 0 || most < content.maxContent) {
			content.maxContent = most
		}
	}
	is = before
	if told {
		is = lowest
	}
	is.maxContent, is.isLimited = cmp.Or(content.maxContent, before.maxContent), content.maxContent > 0
	return is, told
}

// readRoot reads the answer of GET /.
func readRoot(body []byte, before cluster) (is cluster, told bool) {
	var in struct {
		Tagline string `json:"tagline"`
		Version struct {
			Number       string  `json:"number"`
			Distribution string  `json:"distribution"`
			Flavor       *string `json:"build_flavor"` //nolint:tagliatelle // it is theirs
		} `json:"version"`
	}
	if json.Unmarshal(body, &in) != nil {
		return before, false
	}
	isOpen := in.Version.Distribution == "opensearch" || strings.Contains(in.Tagline, openSearch)
	if is, told = ofVersion(in.Version.Number, in.Version.Flavor != nil, isOpen); !told {
		return before, false
	}
	is.maxContent, is.isLimited = before.maxContent, before.isLimited
	return is, true
}

// ofVersion tells which engine has a version. If it is not said the number tells:
// Elasticsearch that is not too old begins at 5, and OpenSearch ends before. OpenSearch in
// compatibility mode says 7.10.2, and its own version is not known then. Only
// Elasticsearch has ever had a flavor.
func ofVersion(version string, hasFlavor, isOpen bool) (cluster, bool) {
	var c cluster
	if n, err := fmt.Sscanf(version, "%d.%d", &c.major, &c.minor); n != 2 || err != nil || c.major < 1 || c.minor < 0 {
		return cluster{}, false
	}
	c.engine = elasticsearch
	if isOpen || !hasFlavor && c.major < 5 {
		c.engine = openSearch
	}
	if c.engine == openSearch && c.major >= 5 {
		c.major, c.minor = 0, 0
	}
	return c, true
}

// isLower reports whether a has what b has not any more: Elasticsearch was before
// OpenSearch.
func isLower(a, b cluster) bool {
	if a.engine != b.engine {
		return a.engine == elasticsearch
	}
	return cmp.Or(cmp.Compare(a.major, b.major), cmp.Compare(a.minor, b.minor)) < 0
}

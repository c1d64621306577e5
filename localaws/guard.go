package localaws

import (
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// foreign says why a request that came over a connection may be a web page's,
// which a browser was made to send; "" if it may not. The keys that sign
// requests are public unless Options.Credentials has others, so a page could
// have the signature right.
//
// A page of another site that had its own name resolve to this machine (DNS
// rebinding) gives itself away by Host, any other by Origin or Sec-Fetch-Site.
func (s *Stack) foreign(r *http.Request) string {
	if !s.isOwnHost(r.Host) {
		return fmt.Sprintf("The host %q is not known here. Call the local services by an IP address, by localhost or a name below it, "+
			"or by a name that they were told is theirs.", r.Host)
	}
	as := *r
	as.Method = http.MethodPost // a page is not to read, either
	if err := new(http.CrossOriginProtection).Check(&as); err != nil {
		return fmt.Sprintf("A web page of another origin (%q) may not call the local services.", r.Header.Get("Origin"))
	}
	return ""
}

// isOwnHost reports whether a Host header, with or without a port, is an IP
// address or one of the stack's names, or is below one of these.
func (s *Stack) isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(s.hosts, func(name string) bool {
		return host == name || strings.HasSuffix(host, "."+name)
	})
}

// refuseForeign answers in the form that the client of each path expects.
func (s *Stack) refuseForeign(w http.ResponseWriter, r *http.Request, why string) {
	if s.isControl(r) {
		writeControlError(w, http.StatusForbidden, why)
		return
	}
	c := s.identify(r)
	code := "AccessDeniedException"
	if c.service == S3 {
		code = "AccessDenied"
	}
	writeError(w, r, c.service, http.StatusForbidden, code, why)
}

// isJSON reports whether a request says that its body is JSON, which no page
// can have a browser say without asking the server first.
func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

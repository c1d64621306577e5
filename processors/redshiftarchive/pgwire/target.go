package pgwire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// target is what a Database connects to.
type target struct {
	host       string
	port       uint16
	database   string
	serverName string // that the certificate must name
	isLoopback bool
}

// Of Firehose's ClusterJDBCURL: jdbc:(redshift|postgresql)://HOST:PORT/DATABASE.
var (
	jdbcURL  = regexp.MustCompile(`^jdbc:(?:redshift|postgresql)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})/([A-Za-z0-9_$-]+)(?:[?;](.*))?$`)
	cluster  = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+redshift(?:-serverless)?\.[A-Za-z0-9.]+$`)
	endpoint = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$`)
)

// newTarget reads ClusterJDBCURL and clusterEndpoint. The error has no more of them than a host.
func newTarget(url, other string) (target, error) {
	parts := jdbcURL.FindStringSubmatch(url)
	if parts == nil { // it may have a password where nobody expects one
		return target{}, errors.New("ClusterJDBCURL is not like jdbc:redshift://HOST:PORT/DATABASE")
	}
	var faults []error
	if err := checkOptions(parts[4]); err != nil {
		faults = append(faults, err)
	}
	t := target{database: parts[3]}
	var err error
	if t.host, t.port, err = hostPort("ClusterJDBCURL", parts[1], parts[2]); err != nil {
		faults = append(faults, err)
	}
	t.serverName, t.isLoopback = t.host, isLoopback(t.host)
	if other == "" && !t.isLoopback && !cluster.MatchString(t.host) {
		faults = append(faults, fmt.Errorf("the host of ClusterJDBCURL is %q; it must be like NAME.ID.REGION.redshift.amazonaws.com or WORKGROUP.ACCOUNT.REGION.redshift-serverless.amazonaws.com, or a loopback address; for any other set clusterEndpoint to HOST:PORT", t.host))
	}
	if other != "" {
		if err := t.redirect(other); err != nil {
			faults = append(faults, err)
		}
	}
	return t, errors.Join(faults...)
}

// redirect has the target be at another address.
func (t *target) redirect(other string) error {
	parts := endpoint.FindStringSubmatch(other)
	if parts == nil {
		return errors.New("clusterEndpoint is not like HOST:PORT")
	}
	wasLoopback := t.isLoopback
	var err error
	if t.host, t.port, err = hostPort("clusterEndpoint", parts[1], parts[2]); err != nil {
		return err
	}
	if isLoopback(t.host) && !wasLoopback {
		return nil // a tunnel: the certificate is that of the far end
	}
	t.serverName, t.isLoopback = t.host, isLoopback(t.host)
	return nil
}

func hostPort(name, host, port string) (string, uint16, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the port of %s is %s; it must be 1-65535", name, port)
	}
	return strings.Trim(host, "[]"), uint16(n), nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// checkOptions refuses options of the driver, by their names. Their values may be secrets.
func checkOptions(options string) error {
	var faults []error
	for option := range strings.FieldsFuncSeq(options, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(option, "=")
		switch key := strings.ToLower(name); {
		case (key == "ssl" || key == "tcpkeepalive") && strings.EqualFold(value, "true"), key == "sslmode" && strings.EqualFold(value, "verify-full"):
		case key == "user" || key == "uid" || key == "password" || key == "pwd":
			faults = append(faults, fmt.Errorf("ClusterJDBCURL has the option %s; set Username and Password, or a secret", name))
		case key == "ssl" || key == "sslmode" || key == "tcpkeepalive":
			faults = append(faults, fmt.Errorf("ClusterJDBCURL has another %s than this program has: TLS is verified (verify-full), and connections are kept alive; take it out", name))
		default:
			faults = append(faults, fmt.Errorf("ClusterJDBCURL has the option %.40q, which is not known; take it out", name))
		}
	}
	return errors.Join(faults...)
}

func (t target) address() string { return net.JoinHostPort(t.host, strconv.Itoa(int(t.port))) }

package evidence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
)

// Check tries a resource.
type Check interface {
	// Check tries once, and ends with its context. The state is unknown when the check itself could not be made; the error
	// says why it is not up, for an operator.
	Check(ctx context.Context) (meter.State, error)
}

// CheckFunc is a function that is a [Check].
type CheckFunc func(ctx context.Context) (meter.State, error)

// Check implements [Check].
func (f CheckFunc) Check(ctx context.Context) (meter.State, error) { return f(ctx) }

// MaxBody is how much of an answer [HTTP] reads, in bytes.
const MaxBody = 1 << 20

// HTTP is a [Check] that asks a server. It is up when it answers, within the time-out, with a status that is expected and a
// body that can be read, up to [MaxBody]; degraded when it takes longer than Slow. A certificate that is not valid is down.
type HTTP struct {
	URL      string
	Method   string        // "" is GET
	Header   http.Header   // with "Host", if it is not that of the URL
	Statuses []int         // that are up; none: 200 to 299
	Contains string        // what the body must contain within its first MaxBody bytes
	Slow     time.Duration // 0: it does not matter how long it takes
	// Client asks. Nil is one that makes a new connection each time, as a new user would, without a proxy, and takes a
	// redirection for the answer that it is.
	Client *http.Client
}

// Validate checks the fields. [NewProber] calls it.
func (h *HTTP) Validate() error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return invalid("http: url: want http or https and a host")
	case h.Slow < 0:
		return invalid("http: slow: is negative")
	case slices.ContainsFunc(h.Statuses, func(s int) bool { return s < 100 || s > 599 }):
		return invalid("http: statuses: want 100 to 599")
	case len(h.Contains) > MaxBody:
		return invalid("http: contains: more than %d bytes", MaxBody)
	}
	if _, err := http.NewRequest(h.Method, h.URL, nil); err != nil {
		return invalid("http: method: is not one")
	}
	for name, values := range h.Header { // else nothing is ever sent, and it looks down
		if name == "" || strings.ContainsFunc(name, notToken) {
			return invalid("http: header: %.40q is not a name", name)
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, control) }) {
			return invalid("http: header: %s: has a control character", name)
		}
	}
	return nil
}

// notToken reports whether a character cannot be part of the name of a header: RFC 9110, section 5.6.2.
func notToken(c rune) bool {
	return c <= ' ' || c > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", c)
}

func control(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// Check implements [Check].
func (h *HTTP) Check(ctx context.Context) (meter.State, error) {
	req, err := http.NewRequestWithContext(ctx, h.Method, h.URL, nil)
	if err != nil {
		return meter.Unknown, invalid("http: is not a request")
	}
	if h.Header != nil {
		req.Header = h.Header.Clone()
		req.Host = cmp.Or(h.Header.Get("Host"), req.Host)
	}
	client := h.Client
	if client == nil {
		t := &http.Transport{DisableKeepAlives: true}
		defer t.CloseIdleConnections()
		client = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	begun := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return meter.Down, fmt.Errorf("evidence: http: %w", noAddress(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, MaxBody))
	took := time.Since(begun)
	up := res.StatusCode >= 200 && res.StatusCode < 300
	if len(h.Statuses) > 0 {
		up = slices.Contains(h.Statuses, res.StatusCode)
	}
	switch {
	case err != nil:
		return meter.Down, fmt.Errorf("evidence: http: body: %w", err)
	case !up:
		return meter.Down, fmt.Errorf("evidence: http: status %d", res.StatusCode)
	case !bytes.Contains(body, []byte(h.Contains)):
		return meter.Down, errors.New("evidence: http: the body lacks what it must contain")
	}
	return speed("http", took, h.Slow)
}

// TCP is a [Check] that connects, and hangs up. The resource is up when that works, degraded when it takes longer than Slow.
type TCP struct {
	Address string        // host:port
	Slow    time.Duration // 0: it does not matter how long it takes
}

// Validate checks the fields. [NewProber] calls it.
func (t *TCP) Validate() error {
	host, port, err := net.SplitHostPort(t.Address)
	if err != nil || host == "" || port == "" || t.Slow < 0 {
		return invalid("tcp: want an address host:port, and a slow that is not negative")
	}
	return nil
}

// Check implements [Check].
func (t *TCP) Check(ctx context.Context) (meter.State, error) {
	begun := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return meter.Down, fmt.Errorf("evidence: tcp: %w", err)
	}
	took := time.Since(begun)
	c.Close()
	return speed("tcp", took, t.Slow)
}

func speed(kind string, took, slow time.Duration) (meter.State, error) {
	if slow > 0 && took > slow {
		return meter.Degraded, fmt.Errorf("evidence: %s: took %v, more than %v", kind, took.Round(time.Millisecond), slow)
	}
	return meter.Up, nil
}

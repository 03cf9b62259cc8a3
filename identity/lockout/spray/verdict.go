package spray

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// Kind is what was found.
type Kind string

// The kinds.
const (
	Spraying     Kind = "spraying"      // one source, many accounts, few secrets or unknown ones
	Stuffing     Kind = "stuffing"      // one source, many accounts, about as many secrets
	Entered      Kind = "entered"       // a source of one of these has got into an account
	SharedSecret Kind = "shared-secret" // one secret, many accounts, any source
	Invented     Kind = "invented"      // one source, many names that do not exist
	Surge        Kind = "surge"         // the share of failures has jumped
)

// The actions of the events: "spray." and the kind.
const (
	ActionSpraying     = "spray.spraying"
	ActionStuffing     = "spray.stuffing"
	ActionEntered      = "spray.entered"
	ActionSharedSecret = "spray.shared-secret"
	ActionInvented     = "spray.invented"
	ActionSurge        = "spray.surge"
)

// Severity is how urgent a kind is.
func (k Kind) Severity() opsec.Severity {
	switch k {
	case Entered:
		return opsec.SeverityCritical
	case Spraying, Stuffing, SharedSecret:
		return opsec.SeverityHigh
	}
	return opsec.SeverityMedium
}

// Estimate is about how many different ones there were. In 19 of 20 cases the truth is no further from Count than Error.
type Estimate struct {
	Count uint64 `json:"count"`
	Error uint64 `json:"error"`
}

// about gives twice the standard error of 256 registers: 13 per cent.
func about(n uint64) Estimate { return Estimate{n, (n*13 + 99) / 100} }

func (e Estimate) String() string { return fmt.Sprintf("%d±%d", e.Count, e.Error) }

// Verdict is something that was found, with its evidence. Numbers are of one window, since the source or the secret is followed; a
// surge has its numbers of one twelfth of a window.
type Verdict struct {
	Kind     Kind           `json:"kind"`
	Severity opsec.Severity `json:"severity"`
	Tenant   opsec.TenantID `json:"tenant"`          // whose accounts; opsec.Provider when they are of several
	Source   netip.Prefix   `json:"source,omitzero"` // not of SharedSecret and Surge
	Tag      string         `json:"tag,omitempty"`   // of SharedSecret: 16 hexadecimal digits that stand for the secret in this window
	From     time.Time      `json:"from"`            // the window
	To       time.Time      `json:"to"`
	First    time.Time      `json:"first"` // the first and the last attempt
	Last     time.Time      `json:"last"`
	Attempts uint64         `json:"attempts"` // at least
	Failures uint64         `json:"failures"` // at least
	Accounts Estimate       `json:"accounts"` // that it failed at
	Entered  Estimate       `json:"entered"`  // accounts that it got into
	Names    Estimate       `json:"names"`    // that do not exist
	Secrets  Estimate       `json:"secrets"`  // that were wrong
	Sources  Estimate       `json:"sources"`  // of SharedSecret, of a /24 and of a /48: the sources with failures in it; of a /64: addresses
	Told     bool           `json:"told,omitempty"`
}

// id names what is told once in a window.
func (v Verdict) id() string {
	kind := v.Kind
	if kind == Stuffing {
		kind = Spraying // which of both it is may look different a minute later
	}
	return fmt.Sprint(kind, v.Source, v.Tag, v.From.UnixMilli())
}

// String says all of it in one line, for people to read.
func (v Verdict) String() string {
	what := v.Source.String()
	switch {
	case v.Tag != "":
		what = "secret " + v.Tag
	case v.Kind == Surge:
		what = "all sources"
	}
	return fmt.Sprintf("%s: %s: %d failures of %d attempts at %v accounts (entered %v, invented %v) with %v secrets from %v sources, %s to %s",
		v.Kind, what, v.Failures, v.Attempts, v.Accounts, v.Entered, v.Names, v.Secrets, v.Sources,
		v.First.Format(time.RFC3339), v.Last.Format(time.RFC3339))
}

// Event returns the verdict as an event at that time, in the name of the tenant concerned.
func (v Verdict) Event(now time.Time) *opsec.Event {
	e := opsec.NewEvent("spray."+string(v.Kind), now)
	e.Tenant, e.Outcome = v.Tenant, opsec.Success
	e.Actor = opsec.Actor{Tenant: opsec.Provider, Account: "identity/lockout/spray", Kind: opsec.System}
	add := func(key, value string, mark opsec.Sensitivity) {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: mark})
	}
	add("severity", string(v.Severity), opsec.Public)
	if v.Source.IsValid() {
		e.Resource = opsec.Resource{Tenant: v.Tenant, Type: "source", ID: v.Source.String()}
		add("source", v.Source.String(), opsec.Personal)
	}
	if v.Tag != "" {
		e.Resource = opsec.Resource{Tenant: v.Tenant, Type: "secret", ID: v.Tag}
		add("tag", v.Tag, opsec.Digest)
	}
	for _, t := range []struct {
		key string
		at  time.Time
	}{{"from", v.From}, {"to", v.To}, {"first", v.First}, {"last", v.Last}} {
		add(t.key, t.at.UTC().Format(time.RFC3339), opsec.Tenant)
	}
	add("attempts", strconv.FormatUint(v.Attempts, 10), opsec.Tenant)
	add("failures", strconv.FormatUint(v.Failures, 10), opsec.Tenant)
	for _, n := range []struct {
		key string
		is  Estimate
	}{{"accounts", v.Accounts}, {"entered", v.Entered}, {"names", v.Names}, {"secrets", v.Secrets}, {"sources", v.Sources}} {
		if n.is.Count > 0 {
			add(n.key, n.is.String(), opsec.Tenant)
		}
	}
	return e
}

package competence

import (
	"cmp"
	"slices"
	"time"
)

// MaxSurveillance bounds the audits of one certificate.
const MaxSurveillance = 32

// Certificate is what a body has attested to the provider, such as conformity with ISO/IEC 27001 (7.2.2.7).
type Certificate struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`  // of the standard
	Scope        string         `json:"scope"` // what of the provider it covers
	Body         string         `json:"body"`  // who issued it
	Issued       time.Time      `json:"issued"`
	Expires      time.Time      `json:"expires"`
	Surveillance []Surveillance `json:"surveillance,omitempty"` // the body's audits in between, by Due
	Replaces     string         `json:"replaces,omitempty"`     // id of the certificate that this one follows
	Evidence     string         `json:"evidence"`               // digest of the document, as in [Record]
	Withdrawn    time.Time      `json:"withdrawn,omitzero"`     // by the body: from then on it does not count
	Dropped      time.Time      `json:"dropped,omitzero"`       // by the provider: nothing warns of it from then on
}

// Surveillance is an audit by the certifying body between issue and expiry.
type Surveillance struct {
	Due      time.Time `json:"due"`
	Done     time.Time `json:"done,omitzero"`
	Evidence string    `json:"evidence,omitempty"` // digest of its report, when it is done
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (c Certificate) Validate() error {
	switch {
	case !line(c.ID, maxName):
		return invalid("certificate: id: want " + wantName)
	case !line(c.Name, maxName):
		return invalid("certificate: name: want " + wantName)
	case !line(c.Scope, maxText):
		return invalid("certificate: scope: want one line of 1 to %d bytes", maxText)
	case !line(c.Body, maxName):
		return invalid("certificate: body: want " + wantName)
	case !dated(c.Issued) || !dated(c.Expires) || !c.Expires.After(c.Issued):
		return invalid("certificate: issued, expires: want " + wantYear + ", the second later")
	case len(c.Surveillance) > MaxSurveillance:
		return invalid("certificate: %d surveillance audits, want up to %d", len(c.Surveillance), MaxSurveillance)
	case c.Replaces != "" && !line(c.Replaces, maxName):
		return invalid("certificate: replaces: want " + wantName)
	case !digest(c.Evidence):
		return invalid("certificate: evidence: want " + wantDigest)
	case !c.Withdrawn.IsZero() && (!dated(c.Withdrawn) || c.Withdrawn.Before(c.Issued)):
		return invalid("certificate: withdrawn: want not earlier than issued")
	case !c.Dropped.IsZero() && !dated(c.Dropped):
		return invalid("certificate: dropped: want " + wantYear)
	}
	for i, s := range c.Surveillance {
		switch {
		case !s.Due.After(c.Issued) || s.Due.After(c.Expires) || i > 0 && !s.Due.After(c.Surveillance[i-1].Due):
			return invalid("certificate: surveillance[%d]: due: want between issued and expires, and in order", i)
		case s.Done.IsZero() != (s.Evidence == "") || s.Evidence != "" && !digest(s.Evidence):
			return invalid("certificate: surveillance[%d]: evidence: want "+wantDigest+" when it is done", i)
		case !s.Done.IsZero() && (!dated(s.Done) || s.Done.Before(c.Issued)):
			return invalid("certificate: surveillance[%d]: done: want not earlier than issued", i)
		}
	}
	return nil
}

func (c *Certificate) end() time.Time { return earlier(c.Expires, c.Withdrawn) }

func (c *Certificate) inForce(at time.Time) bool { return !at.Before(c.Issued) && at.Before(c.end()) }

func (s *Surveillance) open(at time.Time) bool { return s.Done.IsZero() || s.Done.After(at) }

// Reason is why there is a [Warning].
type Reason string

// The reasons.
const (
	RenewalDue          Reason = "renewal due"          // it ends soon, and nothing follows it
	Lapsed              Reason = "lapsed"               // it has ended, and nothing has begun in its place
	Withdrawn           Reason = "withdrawn"            // the body has taken it back, and nothing has begun in its place
	Gap                 Reason = "gap"                  // what follows it begins after its end; this stays
	ScopeChanged        Reason = "scope changed"        // what follows it covers something else; this stays
	SurveillanceDue     Reason = "surveillance due"     // soon
	SurveillanceOverdue Reason = "surveillance overdue" // and not done
	NotHeld             Reason = "not held"             // the policy wants a certificate of a standard, and none is in force
)

// Warning says that something is to be done about a certificate, or was not done in time.
type Warning struct {
	Certificate string    `json:"certificate,omitempty"` // id
	Name        string    `json:"name,omitempty"`        // of the standard that is not held
	Reason      Reason    `json:"reason"`
	When        time.Time `json:"when,omitzero"`       // the end, or when the surveillance is due
	Until       time.Time `json:"until,omitzero"`      // of a gap: when the next one begins
	Successor   string    `json:"successor,omitempty"` // id
	Stage       Days      `json:"stage,omitempty"`     // of the warning that has been reached: the shortest
}

// Renewals returns all warnings: of standards that are not held, then by certificate. A certificate is replaced when the
// first that names it has begun: it is warned of no more, but for a gap or another scope. One that ends sooner than
// what it names replaces nothing. One that has not been issued yet is not warned of either. An id that stands twice, or a
// certificate that replaces one that is not there or was issued later, is [opsec.ErrInvalid].
func (p Policy) Renewals(certificates []Certificate, at time.Time) ([]Warning, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	followers, err := successors(certificates)
	if err != nil {
		return nil, err
	}
	var warnings []Warning
	for _, name := range p.Hold {
		if !slices.ContainsFunc(certificates, func(c Certificate) bool { return c.Name == name && c.inForce(at) }) {
			warnings = append(warnings, Warning{Name: name, Reason: NotHeld})
		}
	}
	for _, c := range slices.SortedFunc(slices.Values(certificates), byID) {
		if at.Before(c.Issued) || !c.Dropped.IsZero() && !at.Before(c.Dropped) {
			continue
		}
		warnings = append(warnings, p.follow(c, followers[c.ID], at)...)
	}
	return warnings, nil
}

func byID(a, b Certificate) int { return cmp.Compare(a.ID, b.ID) }

// follow returns the warnings of one certificate, given those that replace it, the earliest first.
func (p Policy) follow(c Certificate, next []Certificate, at time.Time) (list []Warning) {
	end := c.end()
	add := func(w Warning) { w.Certificate = c.ID; list = append(list, w) }
	replaced := false
	if len(next) > 0 {
		first := next[0]
		replaced = !at.Before(first.Issued)
		if first.Issued.After(end) {
			add(Warning{Reason: Gap, When: end, Until: first.Issued, Successor: first.ID})
		}
		if first.Scope != c.Scope {
			add(Warning{Reason: ScopeChanged, When: first.Issued, Successor: first.ID})
		}
	}
	switch {
	case replaced:
		return list
	case !at.Before(end) && end.Equal(c.Withdrawn):
		add(Warning{Reason: Withdrawn, When: end})
		return list
	case !at.Before(end):
		add(Warning{Reason: Lapsed, When: end})
		return list
	case len(next) == 0 && p.stage(end, at) > 0:
		add(Warning{Reason: RenewalDue, When: end, Stage: p.stage(end, at)})
	}
	for _, s := range c.Surveillance {
		switch stage := p.stage(s.Due, at); {
		case !s.open(at) || stage == 0:
		case !at.Before(s.Due):
			add(Warning{Reason: SurveillanceOverdue, When: s.Due})
		default:
			add(Warning{Reason: SurveillanceDue, When: s.Due, Stage: stage})
		}
	}
	return list
}

// successors returns by id those that replace a certificate, the earliest first. One that never was in force is none, nor
// one that ends sooner than what it names.
func successors(certificates []Certificate) (map[string][]Certificate, error) {
	all := map[string]Certificate{}
	for _, c := range certificates {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		if _, twice := all[c.ID]; twice {
			return nil, invalid("certificate %q: its id stands twice", c.ID)
		}
		all[c.ID] = c
	}
	followers := map[string][]Certificate{}
	for _, c := range certificates {
		if c.Replaces == "" {
			continue
		}
		before, there := all[c.Replaces]
		if !there || !c.Issued.After(before.Issued) {
			return nil, invalid("certificate %q: replaces: want one that was issued earlier", c.ID)
		}
		if c.end().After(c.Issued) && !c.end().Before(before.end()) {
			followers[c.Replaces] = append(followers[c.Replaces], c)
		}
	}
	for _, list := range followers {
		slices.SortFunc(list, func(a, b Certificate) int { return cmp.Or(a.Issued.Compare(b.Issued), byID(a, b)) })
	}
	return followers, nil
}

// NextWarning returns an instant after at until which Renewals keeps saying what it says at that time, or zero when it
// will for ever. By then, something may have changed.
func (p Policy) NextWarning(certificates []Certificate, at time.Time) (time.Time, error) {
	if err := p.Validate(); err != nil {
		return time.Time{}, err
	}
	if _, err := successors(certificates); err != nil {
		return time.Time{}, err
	}
	next := changes{after: at, warn: p.Warn}
	for _, c := range certificates {
		next.add(c.Issued)
		next.add(c.Dropped)
		next.end(c.end())
		for _, s := range c.Surveillance {
			next.end(s.Due)
			next.add(s.Done)
		}
	}
	return next.first, nil
}

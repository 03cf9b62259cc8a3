package dr

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Statement says how a site is protected. What is not given is not known, and never counts as equal.
type Statement struct {
	Site      string         `json:"site"`
	Taken     time.Time      `json:"taken"`
	AtRest    Encryption     `json:"at_rest,omitzero"`
	InTransit Encryption     `json:"in_transit,omitzero"`
	Access    Grade          `json:"access,omitzero"`   // the access policy
	Baseline  Grade          `json:"baseline,omitzero"` // the configuration baseline
	Patched   time.Time      `json:"patched,omitzero"`  // every fix that was published until then is installed
	Controls  map[string]int `json:"controls,omitempty"`
	// Controls are measures of the provider's own, each with a level: larger is stronger, 0 is absent.
}

// Encryption is how data is encrypted.
type Encryption struct {
	Algorithm string `json:"algorithm,omitempty"` // for people: "AES-256-GCM"; "none" with Strength 0 is known to be none
	Strength  int    `json:"strength,omitempty"`  // security strength in bits, as NIST SP 800-57 part 1, table 2 gives it: 112, 128, 192, 256
	Custody   int    `json:"custody,omitempty"`   // who could use the keys: 1 programs of the site, 2 a module of the site, 3 the customer; 0: not known
}

// Grade is a policy or a baseline.
type Grade struct {
	Digest string `json:"digest,omitempty"` // of its content: equal digests are equal
	Level  int    `json:"level,omitempty"`  // larger is stronger; 0: not known
}

// Relation is how the recovery site compares with the original.
type Relation string

// The relations. What is equal is no difference, and has none.
const (
	Weaker       Relation = "weaker"
	Stronger     Relation = "stronger"
	Incomparable Relation = "incomparable" // they differ, and neither is known to be the stronger
	Unknown      Relation = "unknown"      // one of them does not say
)

// Difference is one way in which two sites differ.
type Difference struct {
	Aspect   string         `json:"aspect"` // "at_rest.strength", "patched", "controls.<name>", ...
	Relation Relation       `json:"relation"`
	Original string         `json:"original"`
	Recovery string         `json:"recovery"`
	Severity opsec.Severity `json:"severity"` // info for Stronger
}

// Parity is a comparison of two sites.
type Parity struct {
	Same        bool         `json:"same"` // the recovery site is known to be protected at least as well in every respect
	Differences []Difference `json:"differences,omitempty"`
}

// Compare finds where the recovery site is not protected as the original is (X.1642, clause 8.4). Each aspect stands alone: a site
// that is stronger in one and weaker in another is not on the whole as good. A statement that was taken more than most before the
// other says nothing of the same time: that is a difference too, of aspect "taken". An error wraps [opsec.ErrInvalid].
func Compare(original, recovery Statement, most time.Duration) (Parity, error) {
	for _, s := range []*Statement{&original, &recovery} {
		if err := s.validate(); err != nil {
			return Parity{}, err
		}
	}
	if original.Site == recovery.Site || most <= 0 {
		return Parity{}, invalid("parity: sites %q and %q, most %v: want two sites, and more than 0", original.Site, recovery.Site, most)
	}
	var c comparison
	if d := original.Taken.Sub(recovery.Taken).Abs(); d > most {
		c.add("taken", Unknown, stamp(original.Taken), stamp(recovery.Taken), opsec.SeverityMedium)
	}
	c.encryption("at_rest", original.AtRest, recovery.AtRest)
	c.encryption("in_transit", original.InTransit, recovery.InTransit)
	c.grade("access", original.Access, recovery.Access)
	c.grade("baseline", original.Baseline, recovery.Baseline)
	switch a, b := original.Patched, recovery.Patched; {
	case a.IsZero() || b.IsZero():
		c.add("patched", Unknown, stamp(a), stamp(b), opsec.SeverityMedium)
	case !a.Equal(b):
		c.order("patched", b.Compare(a), stamp(a), stamp(b))
	}
	names := map[string]bool{}
	for _, s := range []*Statement{&original, &recovery} {
		for name := range s.Controls {
			names[name] = true
		}
	}
	for name := range names {
		a, inA := original.Controls[name]
		b, inB := recovery.Controls[name]
		c.level("controls."+name, a, b, inA, inB)
	}
	slices.SortFunc(c.found, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(a.Aspect, b.Aspect))
	})
	same := !slices.ContainsFunc(c.found, func(d Difference) bool { return d.Relation != Stronger })
	return Parity{Same: same, Differences: c.found}, nil
}

func (s *Statement) validate() error {
	switch {
	case s.Site == "" || s.Taken.IsZero():
		return invalid("parity: a statement of site %q, taken %s: want a site and a time", s.Site, stamp(s.Taken))
	case s.Patched.After(s.Taken):
		return invalid("parity: site %s: patched until %s, and it was taken at %s", s.Site, stamp(s.Patched), stamp(s.Taken))
	}
	for _, e := range []Encryption{s.AtRest, s.InTransit} {
		if e.Strength < 0 || e.Strength > 512 || e.Custody < 0 || e.Custody > 3 || e.Strength > 0 && e.Algorithm == "" {
			return invalid("parity: site %s: encryption %+v: want a strength of 0 to 512 of a named algorithm, and a custody of 0 to 3", s.Site, e)
		}
	}
	for name, level := range s.Controls {
		if name == "" || level < 0 {
			return invalid("parity: site %s: control %q has level %d", s.Site, name, level)
		}
	}
	if s.Access.Level < 0 || s.Baseline.Level < 0 {
		return invalid("parity: site %s: a level is less than 0", s.Site)
	}
	return nil
}

type comparison struct{ found []Difference }

func (c *comparison) add(aspect string, r Relation, a, b string, s opsec.Severity) {
	c.found = append(c.found, Difference{Aspect: aspect, Relation: r, Original: a, Recovery: b, Severity: s})
}

func (c *comparison) order(aspect string, sign int, a, b string) {
	switch {
	case sign < 0:
		c.add(aspect, Weaker, a, b, opsec.SeverityHigh)
	case sign > 0:
		c.add(aspect, Stronger, a, b, opsec.SeverityInfo)
	}
}

// level compares two levels of which either may be unknown.
func (c *comparison) level(aspect string, a, b int, knownA, knownB bool) {
	show := func(n int, known bool) string {
		if !known {
			return "not known"
		}
		return fmt.Sprint(n)
	}
	if !knownA || !knownB {
		c.add(aspect, Unknown, show(a, knownA), show(b, knownB), opsec.SeverityMedium)
		return
	}
	c.order(aspect, cmp.Compare(b, a), fmt.Sprint(a), fmt.Sprint(b))
}

func (c *comparison) encryption(aspect string, a, b Encryption) {
	if a.Algorithm == "" || b.Algorithm == "" {
		c.add(aspect+".strength", Unknown, a.text(), b.text(), opsec.SeverityMedium)
	} else {
		c.order(aspect+".strength", cmp.Compare(b.Strength, a.Strength), a.text(), b.text())
	}
	if a.Strength > 0 || b.Strength > 0 { // without encryption there are no keys
		c.level(aspect+".custody", a.Custody, b.Custody, a.Custody > 0, b.Custody > 0)
	}
}

func (e Encryption) text() string {
	if e.Algorithm == "" {
		return "not known"
	}
	return fmt.Sprintf("%s (%d bits)", e.Algorithm, e.Strength)
}

func (c *comparison) grade(aspect string, a, b Grade) {
	if a.Digest != "" && a.Digest == b.Digest {
		return
	}
	if a.Level > 0 && a.Level == b.Level {
		c.add(aspect, Incomparable, a.text(), b.text(), opsec.SeverityMedium)
		return
	}
	c.level(aspect, a.Level, b.Level, a.Level > 0, b.Level > 0)
}

func (g Grade) text() string {
	return fmt.Sprintf("level %d, %s", g.Level, cmp.Or(g.Digest, "digest not known"))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format(time.RFC3339)
}

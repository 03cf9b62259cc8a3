package sla

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// The conditions of a negotiation.
var (
	ErrOpen  = errors.New("a proposal waits for its answer")
	ErrNone  = errors.New("no proposal waits for an answer")
	ErrStale = errors.New("the agreement is not the one that was to change")
)

// Negotiation is a talk about the next version of an agreement. It is a value: each step returns the next one, and one that
// fails changes nothing.
type Negotiation struct {
	Agreement *Agreement `json:"agreement"`         // as it stands
	Open      *Proposal  `json:"open,omitempty"`    // waits for an answer
	Refused   []Change   `json:"refused,omitempty"` // or taken back, since; the next version's history has them
}

// Proposal is a change that a party asks for.
type Proposal struct {
	By     opsec.Party `json:"by"`
	Person string      `json:"person,omitempty"`
	Time   time.Time   `json:"time"`
	Text   string      `json:"text"` // why
	Paths  []string    `json:"paths"`
	From   string      `json:"from"`  // digest of the agreement that is to change
	To     string      `json:"to"`    // digest of Terms
	Terms  *Agreement  `json:"terms"` // what it is to become; of the version, and with the history, of the one that is to change
}

// Step is who does something in a negotiation, and when.
type Step struct {
	By     opsec.Party `json:"by"` // [opsec.CSP] or [opsec.CSC]
	Person string      `json:"person,omitempty"`
	Time   time.Time   `json:"time"`
	Text   string      `json:"text,omitempty"` // why; needed of a proposal and of a refusal
}

func (s Step) validate(reason bool) error {
	switch {
	case s.By != opsec.CSP && s.By != opsec.CSC:
		return fmt.Errorf("sla: by: want CSP or CSC: %w", opsec.ErrInvalid)
	case s.Time.IsZero():
		return fmt.Errorf("sla: time: nothing is said: %w", opsec.ErrInvalid)
	case reason && strings.TrimSpace(s.Text) == "":
		return fmt.Errorf("sla: text: nothing is said: %w", opsec.ErrInvalid)
	}
	return exactly(reflect.ValueOf(s)) // it goes into the history for good
}

// maxPaths is how many paths a change lists; of more it lists the fields of the agreement that hold them.
const maxPaths = 256

// Propose asks for terms: a changed copy of the agreement, with its id, version and history as they are. It refuses terms
// that are not valid, and such as change nothing. While a proposal waits the error is [ErrOpen]; a counter-proposal is a
// refusal and a proposal.
func (n Negotiation) Propose(step Step, terms *Agreement) (Negotiation, error) {
	if n.Agreement == nil || terms == nil {
		return n, fmt.Errorf("sla: no agreement: %w", opsec.ErrInvalid)
	}
	if n.Open != nil {
		return n, fmt.Errorf("sla: %w", ErrOpen)
	}
	if err := step.validate(true); err != nil {
		return n, err
	}
	if step.Time.Before(n.last()) {
		return n, fmt.Errorf("sla: time: before the last step: %w", opsec.ErrInvalid)
	}
	if err := terms.Validate(); err != nil {
		return n, err
	}
	paths, all, err := changes(n.Agreement, terms)
	if err != nil {
		return n, err
	}
	if len(paths) == 0 {
		return n, fmt.Errorf("sla: terms: nothing is changed: %w", opsec.ErrInvalid)
	}
	for _, p := range all {
		if field := top(p); field == "id" || field == "version" || field == "history" {
			return n, fmt.Errorf("sla: terms.%s: it is not for a proposal to change: %w", p, opsec.ErrInvalid)
		}
	}
	p := &Proposal{By: step.By, Person: step.Person, Time: step.Time, Text: step.Text, Paths: paths}
	if p.From, err = n.Agreement.Digest(); err != nil {
		return n, err
	}
	if p.To, err = terms.Digest(); err != nil {
		return n, err
	}
	if p.Terms, err = terms.clone(); err != nil {
		return n, err
	}
	n.Open = p
	return n, nil
}

// changes returns the paths that a change lists, and all at which two agreements differ.
func changes(a, b *Agreement) (paths, all []string, err error) {
	all, err = Changed(a, b)
	if err != nil || len(all) <= maxPaths {
		return all, all, err
	}
	for _, p := range all {
		paths = append(paths, top(p))
	}
	return slices.Compact(paths), all, nil
}

// top returns the first name of a path.
func top(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// last returns when the last step was taken.
func (n Negotiation) last() time.Time {
	var last time.Time
	for _, list := range [][]Change{n.Agreement.History, n.Refused} {
		if len(list) > 0 {
			last = list[len(list)-1].Answered
		}
	}
	return last
}

// Agree makes the next version of the agreement out of the open proposal. The other party than the one that asked agrees,
// and nobody agrees to terms below a minimum that applies to them: the error is then that of [Agreement.Check]. Hand in all
// minimums at hand. A profile that the agreement names cannot be negotiated away, nor can a minimum that applies to it by
// its laws, model and regions: who leaves these for less makes another agreement. A grade may be left for another.
func (n Negotiation) Agree(step Step, minimums ...Minimum) (Negotiation, error) {
	change, err := n.answer(step, false)
	if err != nil {
		return n, err
	}
	if step.By == n.Open.By {
		return n, fmt.Errorf("sla: by: the other party answers a proposal: %w", opsec.ErrDenied)
	}
	for i, p := range n.Agreement.Profiles {
		if !slices.Contains(n.Open.Terms.Profiles, p) {
			return n, &Fault{Path: fmt.Sprintf("profiles[%d]", i), Rule: RuleBelow, Minimum: p, Text: "a profile of minimums is not negotiated away"}
		}
	}
	from := *n.Agreement
	from.Grade = n.Open.Terms.Grade
	if err := n.Open.Terms.check(&from, minimums); err != nil {
		return n, err
	}
	next, err := n.Open.Terms.clone()
	if err != nil {
		return n, err
	}
	change.Agreed = true
	next.Version++
	next.History = append(slices.Concat(n.Agreement.History, n.Refused), change)
	if err := next.Validate(); err != nil {
		return n, err
	}
	if err := next.Follows(n.Agreement); err != nil { // the proposal may have been touched where it lay
		return n, err
	}
	return Negotiation{Agreement: next}, nil
}

// Refuse answers the open proposal with no, and why. Whoever asked takes it back by it.
func (n Negotiation) Refuse(step Step) (Negotiation, error) {
	change, err := n.answer(step, true)
	if err != nil {
		return n, err
	}
	n.Refused = append(slices.Clone(n.Refused), change)
	n.Open = nil
	return n, nil
}

// answer returns the change that an answer to the open proposal makes.
func (n Negotiation) answer(step Step, reason bool) (Change, error) {
	if n.Agreement == nil || n.Open == nil || n.Open.Terms == nil {
		return Change{}, fmt.Errorf("sla: %w", ErrNone)
	}
	if err := step.validate(reason); err != nil {
		return Change{}, err
	}
	p := n.Open
	if step.Time.Before(p.Time) {
		return Change{}, fmt.Errorf("sla: time: before the proposal: %w", opsec.ErrInvalid)
	}
	for _, d := range []struct {
		a    *Agreement
		want string
	}{{n.Agreement, p.From}, {p.Terms, p.To}} {
		got, err := d.a.Digest()
		if err != nil {
			return Change{}, err
		}
		if got != d.want {
			return Change{}, fmt.Errorf("sla: %w", ErrStale)
		}
	}
	return Change{
		Version: n.Agreement.Version + 1, By: p.By, Person: p.Person, Time: p.Time, Paths: p.Paths, Text: p.Text,
		Answered: step.Time, AnswerBy: step.By, Answerer: step.Person, Answer: step.Text, From: p.From, To: p.To,
	}, nil
}

// Follows returns nil if a is what its history says: the next version after another, by a proposal that the other party
// agreed to and that lists the paths that have changed, with nothing of the history before lost or changed. Otherwise the
// error wraps [opsec.ErrInvalid].
func (a *Agreement) Follows(before *Agreement) error {
	wrong := func(path, form string, args ...any) error {
		return &Fault{Path: path, Rule: RuleContradiction, Text: fmt.Sprintf(form, args...)}
	}
	if before == nil {
		return wrong("version", "there is no agreement before")
	}
	from, err := before.Digest()
	if err != nil {
		return err
	}
	switch {
	case a.ID != before.ID:
		return wrong("id", "another agreement")
	case a.Version != before.Version+1:
		return wrong("version", "%d does not follow %d", a.Version, before.Version)
	case len(a.History) <= len(before.History):
		return wrong("history", "nobody agreed to this version")
	}
	kept, err := Changed(&Agreement{History: before.History}, &Agreement{History: a.History[:len(before.History)]})
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		return wrong(kept[0], "the history before has changed")
	}
	added := a.History[len(before.History):]
	for i, c := range added {
		at := fmt.Sprintf("history[%d]", len(before.History)+i)
		if c.From != from {
			return wrong(at+".from", "of another agreement than the one before")
		}
		if c.Version != a.Version {
			return wrong(at+".version", "want %d", a.Version)
		}
		if c.Agreed != (i == len(added)-1) {
			return wrong(at+".agreed", "the last change, and no other, was agreed to")
		}
	}
	last, at := added[len(added)-1], fmt.Sprintf("history[%d]", len(a.History)-1)
	if last.By != opsec.CSP && last.By != opsec.CSC {
		return wrong(at+".by", "want CSP or CSC")
	}
	if last.AnswerBy != opsec.CSP && last.AnswerBy != opsec.CSC || last.AnswerBy == last.By {
		return wrong(at+".answerBy", "it was not the other party that agreed")
	}
	terms := *a
	terms.Version, terms.History = before.Version, before.History
	to, err := terms.Digest()
	if err != nil {
		return err
	}
	if to != last.To {
		return wrong(at+".to", "these are not the terms that were agreed to")
	}
	paths, _, err := changes(before, &terms)
	if err != nil {
		return err
	}
	if !slices.Equal(paths, last.Paths) {
		return wrong(at+".paths", "these are not the paths that have changed")
	}
	return nil
}

// history looks at the record of the negotiation.
func (c *checker) history() {
	version := 1
	var last time.Time
	for i, h := range c.a.History {
		at := fmt.Sprintf("history[%d]", i)
		for _, p := range []struct {
			name string
			who  opsec.Party
		}{{".by", h.By}, {".answerBy", h.AnswerBy}} {
			if p.who != opsec.CSP && p.who != opsec.CSC {
				c.fault(at+p.name, RuleInvalid, "want CSP or CSC")
			}
		}
		if h.Agreed && h.By == h.AnswerBy {
			c.fault(at+".answerBy", RuleContradiction, "nobody agrees to their own proposal")
		}
		c.text(at+".text", h.Text)
		if h.Version != version+1 {
			c.fault(at+".version", RuleContradiction, "want %d, the next after %d", version+1, version)
		}
		if h.Agreed {
			version = h.Version
		}
		if h.Time.Before(last) || h.Answered.Before(h.Time) {
			c.fault(at+".time", RuleContradiction, "before the step before")
		}
		last = h.Answered
		for _, d := range []struct{ name, digest string }{{".from", h.From}, {".to", h.To}} {
			if !digestForm.MatchString(d.digest) {
				c.fault(at+d.name, RuleInvalid, "want sha256: and 64 hexadecimal digits")
			}
		}
	}
	if version != c.a.Version && c.a.Version >= 1 {
		c.fault("history", RuleMissing, "it leads to version %d, and this is version %d", version, c.a.Version)
	}
}

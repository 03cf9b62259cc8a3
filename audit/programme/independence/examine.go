package independence

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

const (
	maxCandidates = 1000
	maxConflicts  = 64
	maxVerdicts   = 4096
)

// Examine reads what was done, and says what stands against each candidate, of whom there are 1 to 1,000. Acts come in any
// order; those from before the look-back, which begins at now less its length and includes that instant, are passed over;
// those without a time are not.
//
// A candidate is in conflict who did something within the scope, in person or through somebody who acted in their name;
// who approved it; who owned something of it at any time of the look-back; or who is above or below somebody, in lines of
// any time of the look-back, of whom one of these is true. Acts by provider accounts that nobody is behind are counted as
// Unattributed, except those of services and of the control plane itself.
//
// An error of acts, or of ctx, ends the reading, and there is no clearance. Others wrap [opsec.ErrInvalid].
//
// It takes memory for the candidates and those in their lines, however many acts there are.
func (p Policy) Examine(
	ctx context.Context, s Scope, candidates []string, o Organisation, acts iter.Seq2[Act, error], now time.Time,
) (Clearance, error) {
	e, err := p.newExamination(s, candidates, o, now)
	if err != nil {
		return Clearance{}, err
	}
	if acts == nil {
		return Clearance{}, invalid("no acts to read")
	}
	for a, err := range acts {
		if err != nil {
			return Clearance{}, fmt.Errorf("independence: act %d: %w", e.clearance.Read+1, err)
		}
		if e.clearance.Read%1024 == 0 && ctx.Err() != nil {
			return Clearance{}, fmt.Errorf("independence: %w", context.Cause(ctx))
		}
		e.take(&a)
	}
	return e.end(), nil
}

// examination is an Examine under way.
type examination struct {
	policy    Policy
	scope     *scope
	ignored   patterns
	approvals patterns
	accounts  func(opsec.TenantID, string) (string, bool)
	lines     reporting
	people    map[string]*record // candidates, and who is in line with them
	verdicts  map[string]verdict
	clearance Clearance
	unknown   tally
	nobodies  names
}

// verdict is what there is to say of an action.
type verdict struct{ ignored, approval, named bool }

func (p Policy) newExamination(s Scope, candidates []string, o Organisation, now time.Time) (*examination, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if now.IsZero() {
		return nil, invalid("now is zero")
	}
	if len(candidates) == 0 || len(candidates) > maxCandidates {
		return nil, invalid("%d candidates: want 1 to %d", len(candidates), maxCandidates)
	}
	candidates = slices.Sorted(slices.Values(candidates))
	p = p.withDefaults()
	from := now.Add(-p.LookBack)
	e := &examination{
		policy: p, scope: newScope(s), ignored: newPatterns(p.Ignore), approvals: newPatterns(p.Approvals),
		accounts: o.Accounts, lines: newReporting(o.Lines, from, now), people: map[string]*record{}, verdicts: map[string]verdict{},
		clearance: Clearance{Scope: s.Digest(), Policy: p.Digest(), From: utc(from), To: utc(now)},
	}
	for i, person := range candidates {
		if !valid(person) || i > 0 && candidates[i-1] == person {
			return nil, invalid("candidate of %d bytes: want 1 to %d of UTF-8, and each once", len(person), maxText)
		}
		e.clearance.Standings = append(e.clearance.Standings, Standing{Person: person})
		e.people[person] = &record{}
		for q := range e.lines.related(person, p.Levels) {
			e.people[q] = &record{}
		}
	}
	for i := range o.Owners {
		e.own(&o.Owners[i])
	}
	return e, nil
}

// own counts an ownership.
func (e *examination) own(o *Ownership) {
	r, ok := e.people[o.Person]
	if !ok || !within(o.From, o.Until, e.clearance.From, e.clearance.To) || !e.scope.ownedBy(o) {
		return
	}
	m := mention{time: o.From, action: o.Action, system: o.System, resource: o.Resource}
	until := r.owned.last
	if r.owned.count == 0 || o.Until.IsZero() || !until.IsZero() && o.Until.After(until) {
		until = o.Until
	}
	r.owned.add(&m)
	r.owned.last = until // zero: still
}

// judge looks at an action; that of most acts has been seen before.
func (e *examination) judge(action string) verdict {
	v, ok := e.verdicts[action]
	if !ok {
		v = verdict{e.ignored.match(action), e.approvals.match(action), e.scope.actions.match(action)}
		if len(e.verdicts) < maxVerdicts {
			e.verdicts[strings.Clone(action)] = v
		}
	}
	return v
}

// take counts an act.
func (e *examination) take(a *Act) {
	c := &e.clearance
	c.Read++
	if a.Outcome == opsec.Denied || a.Time.Before(c.From) && !a.Time.IsZero() {
		return
	}
	v := e.judge(a.Action)
	if v.ignored || !e.scope.touchedBy(a, v.named) {
		return
	}
	c.Touched++
	m := mention{a.Time, a.Ref, a.Action, a.System, a.Resource}
	person, class := e.behind(&a.Actor)
	e.lay(&m, person, v.approval)
	if a.OnBehalfOf != nil {
		other, also := e.behind(a.OnBehalfOf)
		if other != person {
			e.lay(&m, other, v.approval)
		}
		class = max(class, also)
	}
	switch class {
	case machine:
		c.Machine++
	case customer:
		c.Customers++
	case nobody:
		e.unknown.add(&m)
	}
}

// class is what is behind an account; of two that had a part in an act the larger counts.
type class int

const (
	customer class = iota // of another tenant than the provider, and none of the provider's people
	machine               // a service, or the control plane, that no person answers for
	someone               // a person of the provider
	nobody                // to be found
)

// behind says who is behind an account.
func (e *examination) behind(a *opsec.Actor) (person string, c class) {
	ours := a.Tenant == "" || a.Tenant == opsec.Provider
	if ours && a.Person != "" {
		return a.Person, someone
	}
	if e.accounts != nil && a.Account != "" {
		if person, ok := e.accounts(a.Tenant, a.Account); ok && person != "" {
			return person, someone
		}
	}
	switch {
	case !ours:
		return "", customer
	case a.Kind == opsec.Service || a.Kind == opsec.System:
		return "", machine
	}
	e.nobodies.add(string(a.Tenant) + "/" + a.Account)
	return "", nobody
}

// lay counts an act for a person, when it matters what that person does.
func (e *examination) lay(m *mention, person string, approval bool) {
	r, ok := e.people[person]
	switch {
	case !ok:
	case approval:
		r.approved.add(m)
	default:
		r.operated.add(m)
	}
}

// end says what stands against whom.
func (e *examination) end() Clearance {
	c := e.clearance
	c.Unattributed = Unattributed{
		Acts: e.unknown.count, Accounts: e.nobodies, Refs: e.unknown.refs(), Skipped: e.policy.SkipUnattributed && e.unknown.count > 0,
	}
	for i := range c.Standings {
		s := &c.Standings[i]
		for found := range e.people[s.Person].each {
			s.Conflicts = append(s.Conflicts, found)
		}
		related := e.lines.related(s.Person, e.policy.Levels)
		for _, q := range slices.Sorted(maps.Keys(related)) {
			for found := range e.people[q].each {
				if len(s.Conflicts) == maxConflicts {
					s.More++
					continue
				}
				found.Kind, found.With, found.Of = InLine, q, found.Kind
				s.Conflicts = append(s.Conflicts, found)
			}
		}
	}
	return c
}

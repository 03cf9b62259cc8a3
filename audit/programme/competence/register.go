package competence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// ErrSamePerson says that who enters or ends a record is not known to be another person than whose it is: the same, or
// an account with nobody known behind it. It wraps [opsec.ErrDenied].
var ErrSamePerson = fmt.Errorf("competence: not known to be another person than whose record it is: %w", opsec.ErrDenied)

// Options wires a [Register].
type Options struct {
	Now        func() time.Time // default: time.Now
	Authorizer opsec.Authorizer // must be there
}

// Register keeps who is qualified for what, and which certificates there are. It may be used by many goroutines. Every
// change has an event, of class Critical, and so has what was refused.
type Register struct {
	states States
	policy Policy
	now    func() time.Time
	auth   opsec.Authorizer
}

// New returns a register. The error wraps [opsec.ErrInvalid].
func New(states States, p Policy, o *Options) (*Register, error) {
	if states == nil || o == nil || o.Authorizer == nil {
		return nil, invalid("register: want States and an Authorizer")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p.Duties, p.Hold, p.Warn = maps.Clone(p.Duties), slices.Clone(p.Hold), slices.Clone(p.Warn)
	for duty, needs := range p.Duties {
		p.Duties[duty] = slices.Clone(needs)
	}
	r := &Register{states: states, policy: p, now: o.Now, auth: o.Authorizer}
	if r.now == nil {
		r.now = time.Now
	}
	return r, nil
}

const certificatesKey = "certificates"

func personKey(id string) string { return "person/" + id }

// Qualified says whether the person behind an account of the provider is qualified, as of an instant, for a duty of the
// policy, and by which records: their references, one for each need, joined by spaces. When not, or when nobody is known
// behind the account, the error is an [*UnqualifiedError]; a duty that the policy does not know is [opsec.ErrInvalid].
// It asks nobody's leave: it is for programs that decide by it.
func (r *Register) Qualified(ctx context.Context, who opsec.Actor, duty string, at time.Time) (ref string, err error) {
	needs, known := r.policy.Duties[duty]
	if !known {
		return "", invalid("duty: the policy does not know it")
	}
	if who.Tenant != opsec.Provider || who.Person == "" {
		return "", &UnqualifiedError{Person: who.Person, Missing: slices.Clone(needs)}
	}
	records, err := r.Of(ctx, who.Person)
	if err != nil {
		return "", err
	}
	basis, err := Qualified(records, who.Person, needs, at)
	if err != nil {
		return "", err
	}
	refs := make([]string, len(basis))
	for i, b := range basis {
		refs[i] = b.Ref()
	}
	return strings.Join(refs, " "), nil
}

// Of returns what is on record of a person, in the order in which it was entered. It asks nobody's leave, like Qualified.
func (r *Register) Of(ctx context.Context, person string) (records []Record, err error) {
	if !line(person, maxName) {
		return nil, invalid("person: want " + wantName)
	}
	state, err := r.read(ctx, personKey(person))
	return state.Records, err
}

func (r *Register) read(ctx context.Context, key string) (state State, err error) {
	err = r.states.Update(ctx, key, func(s State) (State, []opsec.Event, error) {
		state = s.clone()
		return s, nil, nil
	})
	return state, err
}

// Records returns what is on record of a person, in the order in which it was entered.
func (r *Register) Records(ctx context.Context, by opsec.Actor, who string) ([]Record, error) {
	if err := r.may(ctx, by, ActionRead, person(who), personKey(who)); err != nil {
		return nil, err
	}
	return r.Of(ctx, who)
}

// may asks the authorizer. What is refused has an event.
func (r *Register) may(ctx context.Context, by opsec.Actor, action string, on opsec.Resource, key string) error {
	if !line(on.ID, maxName) {
		return invalid("id: want " + wantName)
	}
	if err := r.auth.Authorize(ctx, by, action, on); err != nil {
		return r.refuse(ctx, by, action, on, key, err)
	}
	return nil
}

func (r *Register) refuse(
	ctx context.Context, by opsec.Actor, action string, on opsec.Resource, key string, err error,
) error {
	return errors.Join(err, r.states.Update(ctx, key, func(s State) (State, []opsec.Event, error) {
		return s, []opsec.Event{r.event(by, action, on, err)}, nil
	}))
}

// change is a new state, and what the event says of it. Without a change there is no event.
type change struct {
	to     State
	reason string
	attrs  []opsec.Attr
}

// do makes one authorised change.
func (r *Register) do(
	ctx context.Context, by opsec.Actor, action string, on opsec.Resource, key string, fn func(State) (*change, error),
) error {
	if err := r.may(ctx, by, action, on, key); err != nil {
		return err
	}
	return r.states.Update(ctx, key, func(s State) (State, []opsec.Event, error) {
		c, err := fn(s.clone())
		if err != nil || c == nil {
			return s, nil, err
		}
		if err := c.to.fits(); err != nil {
			return s, nil, err
		}
		e := r.event(by, action, on, nil)
		e.Reason, e.Attrs = c.reason, c.attrs
		return c.to, []opsec.Event{e}, nil
	})
}

// other refuses whoever is not known to be another person.
func (r *Register) other(ctx context.Context, by opsec.Actor, action, whose string) error {
	if by.Person == "" || by.Person == whose {
		return r.refuse(ctx, by, action, person(whose), personKey(whose), ErrSamePerson)
	}
	return nil
}

// Add enters a record, and returns its reference. The actor answers for it, and must be another person: [ErrSamePerson].
// What is on record already is not entered again; what was revoked cannot be.
func (r *Register) Add(ctx context.Context, by opsec.Actor, rec Record) (ref string, err error) {
	if err := rec.Validate(); err != nil {
		return "", err
	}
	if !rec.Revoked.IsZero() {
		return "", invalid("record: revoked: enter it, then revoke it")
	}
	rec.Issued, rec.Expires = rec.Issued.UTC(), rec.Expires.UTC()
	if err := r.other(ctx, by, ActionRecord, rec.Person); err != nil {
		return "", err
	}
	ref = rec.Ref()
	err = r.do(ctx, by, ActionRecord, person(rec.Person), personKey(rec.Person), func(s State) (*change, error) {
		if i := s.record(ref); i >= 0 {
			if !s.Records[i].Revoked.IsZero() {
				return nil, invalid("record: it was revoked")
			}
			return nil, nil
		}
		s.Records = append(s.Records, rec)
		return &change{s, "", []opsec.Attr{
			attr("record", ref), attr("subject", rec.Subject), attr("kind", string(rec.Kind)), attr("evidence", rec.Evidence),
		}}, nil
	})
	if err != nil {
		return "", err
	}
	return ref, nil
}

func (s *State) record(ref string) int {
	return slices.IndexFunc(s.Records, func(r Record) bool { return r.Ref() == ref })
}

// Revoke ends a record from an instant on, which may have passed: that of its issue when it never should have been. If
// it is revoked already, only an earlier instant changes it. The actor must be another person than whose it is.
func (r *Register) Revoke(ctx context.Context, by opsec.Actor, who, ref string, from time.Time, reason string) error {
	if !dated(from) || !line(reason, maxText) {
		return invalid("revocation: want "+wantYear+", and a reason of one line of up to %d bytes", maxText)
	}
	if err := r.other(ctx, by, ActionRevoke, who); err != nil {
		return err
	}
	return r.do(ctx, by, ActionRevoke, person(who), personKey(who), func(s State) (*change, error) {
		i := s.record(ref)
		if i < 0 {
			return nil, fmt.Errorf("competence: record: %w", opsec.ErrNotFound)
		}
		revoked := s.Records[i].revoke(from.UTC())
		if was := s.Records[i].Revoked; !was.IsZero() && !revoked.Revoked.Before(was) {
			return nil, nil
		}
		s.Records[i] = revoked
		return &change{s, reason, []opsec.Attr{attr("record", ref), attr("from", instant(revoked.Revoked))}}, nil
	})
}

// Examine is [Policy.Examine] over what is on record, now.
func (r *Register) Examine(ctx context.Context, by opsec.Actor, staff []Staff) ([]Finding, error) {
	if err := r.may(ctx, by, ActionRead, person("*"), personKey("*")); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var records []Record
	for _, s := range staff {
		if seen[s.Person] {
			continue
		}
		seen[s.Person] = true
		mine, err := r.Of(ctx, s.Person)
		if err != nil {
			return nil, err
		}
		records = append(records, mine...)
	}
	return r.policy.Examine(staff, records, r.now())
}

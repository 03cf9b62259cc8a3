package competence

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Acquire enters a certificate. One with an id that is on record must be the same, and is not entered again.
func (r *Register) Acquire(ctx context.Context, by opsec.Actor, c Certificate) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if !c.Withdrawn.IsZero() || !c.Dropped.IsZero() {
		return invalid("certificate: withdrawn, dropped: enter it, then withdraw or drop it")
	}
	c.normalise()
	return r.do(ctx, by, ActionAcquire, certificate(c.ID), certificatesKey, func(s State) (*change, error) {
		if i := s.certificate(c.ID); i >= 0 {
			if !s.Certificates[i].same(c) {
				return nil, invalid("certificate: another one has its id")
			}
			return nil, nil
		}
		s.Certificates = append(s.Certificates, c)
		if _, err := successors(s.Certificates); err != nil {
			return nil, err
		}
		return &change{s, "", []opsec.Attr{
			attr("name", c.Name), attr("expires", instant(c.Expires)), attr("replaces", c.Replaces), attr("evidence", c.Evidence),
		}}, nil
	})
}

// normalise brings all instants to UTC and copies what is shared.
func (c *Certificate) normalise() {
	c.Issued, c.Expires = c.Issued.UTC(), c.Expires.UTC()
	c.Surveillance = slices.Clone(c.Surveillance)
	for i, s := range c.Surveillance {
		c.Surveillance[i].Due, c.Surveillance[i].Done = s.Due.UTC(), s.Done.UTC()
	}
}

// same reports whether two certificates attest the same, whatever has become of them since.
func (c *Certificate) same(o Certificate) bool {
	return c.ID == o.ID && c.Name == o.Name && c.Scope == o.Scope && c.Body == o.Body && c.Replaces == o.Replaces &&
		c.Evidence == o.Evidence && c.Issued.Equal(o.Issued) && c.Expires.Equal(o.Expires) &&
		slices.EqualFunc(c.Surveillance, o.Surveillance, func(s, t Surveillance) bool { return s.Due.Equal(t.Due) })
}

func (s *State) certificate(id string) int {
	return slices.IndexFunc(s.Certificates, func(c Certificate) bool { return c.ID == id })
}

// on makes one change of a certificate that is on record. A function that returns no attributes changes nothing.
func (r *Register) on(
	ctx context.Context, by opsec.Actor, action, id, reason string, fn func(*Certificate) ([]opsec.Attr, error),
) error {
	return r.do(ctx, by, action, certificate(id), certificatesKey, func(s State) (*change, error) {
		i := s.certificate(id)
		if i < 0 {
			return nil, fmt.Errorf("competence: certificate: %w", opsec.ErrNotFound)
		}
		attrs, err := fn(&s.Certificates[i])
		if err != nil || len(attrs) == 0 {
			return nil, err
		}
		if err := s.Certificates[i].Validate(); err != nil {
			return nil, err
		}
		return &change{s, reason, attrs}, nil
	})
}

// Survey notes that the surveillance audit that is due at s.Due was done, with the digest of its report.
func (r *Register) Survey(ctx context.Context, by opsec.Actor, id string, s Surveillance) error {
	if !dated(s.Done) || s.Done.After(r.now()) {
		return invalid("surveillance: done: want an instant that has passed")
	}
	return r.on(ctx, by, ActionSurvey, id, "", func(c *Certificate) ([]opsec.Attr, error) {
		i := slices.IndexFunc(c.Surveillance, func(have Surveillance) bool { return have.Due.Equal(s.Due) })
		if i < 0 {
			return nil, fmt.Errorf("competence: surveillance: none is due then: %w", opsec.ErrNotFound)
		}
		have := &c.Surveillance[i]
		switch {
		case have.Done.Equal(s.Done) && have.Evidence == s.Evidence:
			return nil, nil
		case !have.Done.IsZero():
			return nil, invalid("surveillance: it is done already")
		}
		have.Done, have.Evidence = s.Done.UTC(), s.Evidence
		return []opsec.Attr{attr("due", instant(have.Due)), attr("evidence", s.Evidence)}, nil
	})
}

// Withdraw notes that the body has taken a certificate back, from an instant on. If that is on record already, only an
// earlier instant changes it.
func (r *Register) Withdraw(ctx context.Context, by opsec.Actor, id string, from time.Time, reason string) error {
	if !dated(from) || !line(reason, maxText) {
		return invalid("withdrawal: want "+wantYear+", and a reason of one line of up to %d bytes", maxText)
	}
	return r.on(ctx, by, ActionWithdraw, id, reason, func(c *Certificate) ([]opsec.Attr, error) {
		if !c.Withdrawn.IsZero() && !from.Before(c.Withdrawn) {
			return nil, nil
		}
		c.Withdrawn = from.UTC()
		return []opsec.Attr{attr("from", instant(from))}, nil
	})
}

// Drop notes that a certificate will not be renewed, so that nothing more warns of it.
func (r *Register) Drop(ctx context.Context, by opsec.Actor, id, reason string) error {
	if !line(reason, maxText) {
		return invalid("reason: want one line of up to %d bytes", maxText)
	}
	now := r.now().UTC()
	return r.on(ctx, by, ActionDrop, id, reason, func(c *Certificate) ([]opsec.Attr, error) {
		if !c.Dropped.IsZero() {
			return nil, nil
		}
		c.Dropped = now
		return []opsec.Attr{attr("from", instant(now))}, nil
	})
}

// Certificates returns all of them, in the order in which they were entered.
func (r *Register) Certificates(ctx context.Context, by opsec.Actor) ([]Certificate, error) {
	if err := r.may(ctx, by, ActionRead, certificate("*"), certificatesKey); err != nil {
		return nil, err
	}
	state, err := r.read(ctx, certificatesKey)
	return state.Certificates, err
}

// Renewals is [Policy.Renewals] over what is on record, now.
func (r *Register) Renewals(ctx context.Context, by opsec.Actor) ([]Warning, error) {
	certificates, err := r.Certificates(ctx, by)
	if err != nil {
		return nil, err
	}
	return r.policy.Renewals(certificates, r.now())
}

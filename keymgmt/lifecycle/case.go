package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
)

// proposal is the document of a case.
type proposal struct {
	Case   approval.Case `json:"case"`
	Order  Order         `json:"order"`
	Quorum string        `json:"quorum"` // the digest of what the policy asked for
	Roles  keymgmt.Roles `json:"roles"`  // of a keyset that does not exist yet
}

func caseName(id opsec.ID) string { return "case/" + string(id) }

// approved returns the action that a case is about: with every field of the order.
func (o Order) approved() (approval.Action, error) {
	o.Since, o.ProtectUntil, o.ProcessUntil = instant(o.Since), instant(o.ProtectUntil), instant(o.ProcessUntil)
	if o.Census != nil {
		c := *o.Census
		c.Time = instant(c.Time)
		o.Census = &c
	}
	b, err := json.Marshal(o)
	return approval.NewAction(o.action(), o.Resource(), b), err
}

func digestOf(q approval.Policy) (string, error) {
	b, err := json.Marshal(q)
	return digest(b), err
}

// authority knows the roles of a keyset, and the groups of Options. Nobody gets a role of the keyset by a group.
func (m *Manager) authority(roles keymgmt.Roles) approval.Authority {
	return approval.Authority{Keys: m.o.Keys, Roles: func(a opsec.Actor) (list []string, err error) {
		if m.o.Groups != nil {
			list, err = m.o.Groups(a)
		}
		own := []string{string(keymgmt.Administrator), string(keymgmt.CustodianRole), string(keymgmt.Operator), string(keymgmt.Auditor)}
		list = slices.DeleteFunc(slices.Clone(list), func(g string) bool { return slices.Contains(own, g) })
		if role := roles.Of(a); role != "" {
			list = append(list, string(role))
		}
		return list, err
	}}
}

// consent uses up the case that permits the order, if the policy asks for one.
func (s *step) consent() error {
	quorum, asked := s.set.Policy.Quorum[s.order.Verb]
	id := s.by.Approval
	switch {
	case !asked && id == "" || s.order.Verb == keymgmt.Create:
		return nil
	case !asked:
		return invalid("by: approval: the policy asks for none")
	case id == "":
		return fmt.Errorf("lifecycle: %s of %s: %w", s.order.Verb, s.order.Set, ErrConsent)
	}
	p, _, err := readCase(s.read, id)
	if err != nil {
		return err
	}
	action, err := s.order.approved()
	if err != nil {
		return err
	}
	is, err := digestOf(quorum)
	if err == nil && is != p.Quorum {
		err = denied("case %s: the policy asks for another consent now", id)
	}
	if err != nil {
		return err
	}
	c, e, err := p.Case.Use(action, s.by.Actor, s.m.authority(s.set.Roles), s.now)
	if err != nil {
		return err
	}
	p.Case, s.spent = c, &c
	s.put.Events = append(s.put.Events, e)
	return add(&s.put, caseName(id), p)
}

// Propose asks for the consent that the policy wants for an order: the fields of the order are those that the method of its
// verb is called with afterwards, by anybody who may, and with the case in [By].Approval. Who proposes has the role that the
// verb needs. A policy that asks for no consent is an error that wraps [opsec.ErrInvalid].
func (m *Manager) Propose(ctx context.Context, by By, o Order) (approval.Case, error) {
	return m.propose(ctx, by, o)
}

// ProposeRecovery is [Manager.Propose] of a [Manager.Recover] from this bundle, by the policy and the roles in it.
func (m *Manager) ProposeRecovery(ctx context.Context, by By, bundle []byte) (approval.Case, error) {
	b, err := m.open(ctx, bundle)
	if err != nil {
		return approval.Case{}, err
	}
	return m.propose(ctx, by, b.order())
}

func (m *Manager) propose(ctx context.Context, by By, o Order) (c approval.Case, err error) {
	err = m.guard(ctx, by, o, func() error {
		return m.repo.Update(ctx, o.Set.Tenant, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
			docs, err := read(setName(o.Set))
			if err != nil {
				return out, err
			}
			var set keymgmt.Keyset
			if o.fresh != nil && docs[0] == nil {
				set = *o.fresh
			} else if set, err = parseSet(o.Set, docs[0]); err != nil {
				return out, err
			}
			quorum, asked := set.Policy.Quorum[o.Verb]
			if !asked {
				return out, invalid("order: verb: the policy asks for no consent to %s", o.Verb)
			}
			if err := may(set.Roles, by.Actor, o.Verb); err != nil {
				return out, err
			}
			p := proposal{Order: o}
			if o.fresh != nil {
				p.Roles = set.Roles
			}
			action, err := o.approved()
			if err != nil {
				return out, err
			}
			if p.Quorum, err = digestOf(quorum); err != nil {
				return out, err
			}
			var e *opsec.Event
			p.Case, e, err = approval.New(approval.Request{Action: action, By: by.Actor, Reason: by.Reason, Policy: quorum}, instant(m.o.Now()))
			if err != nil {
				return out, err
			}
			c, out.Events = p.Case, []*opsec.Event{e}
			return out, add(&out, caseName(c.Request.ID), p)
		})
	})
	return c, err
}

// Decide takes the decision of an approver about a case. What the approver signs is [approval.Case.Message].
func (m *Manager) Decide(ctx context.Context, tenant opsec.TenantID, id opsec.ID, d approval.Decision) (approval.Case, error) {
	return m.onCase(ctx, tenant, id, func(p proposal, roles keymgmt.Roles) (approval.Case, *opsec.Event, error) {
		return p.Case.Decide(d, m.authority(roles), instant(m.o.Now()))
	})
}

// Withdraw takes a proposal back, by who made it.
func (m *Manager) Withdraw(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (approval.Case, error) {
	return m.onCase(ctx, tenant, id, func(p proposal, _ keymgmt.Roles) (approval.Case, *opsec.Event, error) {
		return p.Case.Withdraw(by.Actor, by.Reason, instant(m.o.Now()))
	})
}

func (m *Manager) onCase(ctx context.Context, tenant opsec.TenantID, id opsec.ID, fn func(proposal, keymgmt.Roles) (approval.Case, *opsec.Event, error)) (c approval.Case, err error) {
	var refusal *opsec.Event
	err = m.repo.Update(ctx, tenant, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		p, roles, err := readCase(read, id)
		if err != nil {
			return out, err
		}
		var e *opsec.Event
		c, e, err = fn(p, roles)
		if refusal = nil; err != nil {
			refusal = e
			return out, err
		}
		p.Case, out.Events = c, []*opsec.Event{e}
		return out, add(&out, caseName(id), p)
	})
	if refusal != nil {
		if unrecorded := m.note(ctx, tenant, refusal); unrecorded != nil {
			err = fmt.Errorf("%w (the attempt is not recorded: %w)", err, unrecorded)
		}
	}
	return c, err
}

func readCase(read keymgmt.Read, id opsec.ID) (p proposal, roles keymgmt.Roles, err error) {
	if err := id.Validate(); err != nil {
		return p, nil, err
	}
	docs, err := read(caseName(id))
	if err != nil {
		return p, nil, err
	}
	there, err := parse(docs[0], &p, caseName(id))
	if err == nil && !there {
		err = fmt.Errorf("lifecycle: case %s: %w", id, opsec.ErrNotFound)
	}
	if err != nil {
		return p, nil, err
	}
	if docs, err = read(setName(p.Order.Set)); err != nil {
		return p, nil, err
	}
	if docs[0] == nil && p.Roles != nil {
		return p, p.Roles, nil
	}
	set, err := parseSet(p.Order.Set, docs[0])
	return p, set.Roles, err
}

// Case returns a case, and the order that it is about.
func (m *Manager) Case(ctx context.Context, tenant opsec.TenantID, id opsec.ID) (approval.Case, Order, error) {
	var p proposal
	err := m.repo.Update(ctx, tenant, func(read keymgmt.Read) (_ keymgmt.Changes, err error) {
		p, _, err = readCase(read, id)
		return keymgmt.Changes{}, err
	})
	return p.Case, p.Order, err
}

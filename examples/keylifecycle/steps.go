package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

func by(person, reason string) lifecycle.By {
	return lifecycle.By{Actor: who(person), Reason: reason}
}

// refused says what came of something that must be refused, and is an error if it was not.
func (p *provider) refused(what string, err error) error {
	if err == nil {
		return fmt.Errorf("%s: was not refused", what)
	}
	p.say("%s: %v", what, err)
	return nil
}

// deal splits the root key among custodians, two of whom open it; each share is encrypted to its holder.
func (p *provider) deal(ctx context.Context, key []byte, holders ...string) (*ceremony.Roster, error) {
	return ceremony.Deal(ctx, who("ada"), key, p.plan(holders), p.ceremonies())
}

func (p *provider) plan(holders []string) ceremony.Plan {
	plan := ceremony.Plan{Label: "root of region 1", Threshold: 2}
	for _, person := range holders {
		plan.Custodians = append(plan.Custodians, ceremony.Custodian{
			Tenant: opsec.Provider, Person: person, Recipient: shares.HPKE(p.hold[person].PublicKey()),
		})
	}
	return plan
}

func (p *provider) ceremonies() *ceremony.Options {
	return &ceremony.Options{Now: p.clock, Recorder: p.trail, Authorizer: opsec.CallerAuthorized{}}
}

// gather has custodians open their shares and hand them in.
func (p *provider) gather(ctx context.Context, purpose ceremony.Purpose, people []string) (*ceremony.Ceremony, error) {
	c, err := ceremony.Open(ctx, who("ada"), p.roster, ceremony.Request{Purpose: purpose, Reason: "the plane restarts"}, p.ceremonies())
	if err != nil {
		return nil, err
	}
	for _, h := range p.roster.Holders {
		for _, person := range people {
			if h.Person != person {
				continue
			}
			share, err := h.Sealed.Open(shares.HPKEIdentity(p.hold[person]))
			if err != nil {
				return nil, err
			}
			if _, err = c.Submit(ctx, who(person), share); err != nil {
				return nil, err
			}
			share.Clear()
		}
	}
	return c, nil
}

// unseal opens the custodian by the shares of these people.
func (p *provider) unseal(ctx context.Context, people ...string) error {
	c, err := p.gather(ctx, ceremony.Recover, people)
	if err != nil {
		return err
	}
	return c.Recover(ctx, who("ada"), p.root.Unseal)
}

// renew deals the root key anew.
func (p *provider) renew(ctx context.Context, people []string, holders ...string) error {
	c, err := p.gather(ctx, ceremony.Renew, people)
	if err != nil {
		return err
	}
	p.roster, err = c.Renew(ctx, who("ada"), p.plan(holders))
	return err
}

// consent has a second person sign for what a case is about.
func (p *provider) consent(ctx context.Context, c approval.Case, person string) error {
	d := approval.Decision{Verb: approval.Approve, By: who(person), Reason: "checked", SignedAt: p.now}
	d.Signature = ed25519.Sign(p.sign[person], c.Message(d))
	_, err := p.manager.Decide(ctx, acme.Tenant, c.Request.ID, d)
	return err
}

// destroy counts what is left on a key, waits, and destroys it with the consent of a second administrator. It returns the
// receipt. Of a key that is destroyed it returns the one that there is.
func (p *provider) destroy(ctx context.Context, v volume, ref keymgmt.Ref) ([]byte, error) {
	if docs, err := p.ledger.Receipts(ctx, ref); err == nil {
		return docs[0], nil
	} else if !errors.Is(err, opsec.ErrNotFound) {
		return nil, err
	}
	p.wait(day) // when every node knows that the key protects no more
	part, err := rewrap.Count(ctx, "volume", v, rewrap.Envelope{}, p.clock)
	if err != nil {
		return nil, err
	}
	census, err := rewrap.Report{Set: acme, Parts: []rewrap.Part{part}}.Census(ref.Key, "volume")
	if err != nil {
		return nil, err
	}
	if _, err = p.manager.Count(ctx, by("node", "after the rewrap"), ref, census); err != nil {
		return nil, err
	}
	if _, err = p.manager.Schedule(ctx, by("ada", "nothing is left on it"), ref); err != nil {
		return nil, err
	}
	p.wait(31 * day)
	order := by("ada", "nothing is left on it")
	consent, err := p.manager.Propose(ctx, order, lifecycle.Order{Verb: keymgmt.Destroy, Set: ref.Set, Key: ref.Key})
	if err != nil {
		return nil, err
	}
	if err := p.consent(ctx, consent, "adil"); err != nil {
		return nil, err
	}
	order.Approval = consent.Request.ID
	for {
		_, err = p.manager.Destroy(ctx, order, ref)
		if _, waits := errors.AsType[*lifecycle.PendingError](err); !waits {
			break
		}
		if err = p.node.Refresh(ctx); err != nil { // the node looks, lets go of the key, and says so
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	docs, err := p.ledger.Receipts(ctx, ref)
	if err != nil {
		return nil, err
	}
	return docs[0], nil
}

// valid verifies a document as anybody can, offline.
func valid(doc []byte, trust erasure.Trust) string {
	if _, err := erasure.Verify(doc, trust); err != nil {
		return err.Error()
	}
	return "valid"
}

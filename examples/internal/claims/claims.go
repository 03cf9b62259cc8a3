// Package claims lets rooms state what an agreement says of them: keys, backups, deletions and audits as sources of package sla/claim. Rooms do not
// know each other, so this stands where they are wired.
package claims

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
	"github.com/cloudopsec/opsec/keymgmt/statement"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/claim"
)

// Keys is the census of package keymgmt/statement as a source of claims. Words are the agreement's, by the statement's.
type Keys struct {
	Statement statement.Statement
	Words     map[string]string
}

// Statements implements [claim.Source].
func (k Keys) Statements(context.Context, time.Time, time.Time) iter.Seq2[claim.Use, error] {
	return func(yield func(claim.Use, error) bool) {
		digest := k.Statement.Digest()
		for _, e := range k.Statement.Entries {
			u := claim.Use{Tenant: string(k.Statement.Tenant), Data: cmp.Or(k.Words[e.Data], e.Data), Phase: sla.AtRest, At: e.At,
				Algorithm: e.Algorithm, KeyOwner: "provider", Seen: k.Statement.Time, Evidence: digest}
			if e.Where == statement.Transit {
				u.Phase, u.Algorithm = sla.InMotion, cmp.Or(e.Protocol, e.Algorithm)
				if !e.Seen.IsZero() { // of a channel
					u.Seen = e.Seen
				}
			}
			if e.Set.Tenant == k.Statement.Tenant && e.Set.Tenant != opsec.Provider {
				u.KeyOwner = "customer"
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

// Backups is what a catalogue has observed of each source from a moment on: backup/catalogue.Catalogue.Observed.
type Backups struct {
	Sources func(ctx context.Context, from time.Time) iter.Seq2[plan.Observed, error]
	// Began and Ceased are of the sources that began or ceased to exist, by name: observations do not tell.
	Began, Ceased map[string]time.Time
}

// Statements implements [claim.Source]. A point whose parents are not there cannot be restored, and is left out.
func (b Backups) Statements(ctx context.Context, from, _ time.Time) iter.Seq2[claim.Backup, error] {
	return func(yield func(claim.Backup, error) bool) {
		for o, err := range b.Sources(ctx, from) {
			if err == nil && o.Since.After(from) {
				err = fmt.Errorf("claims: %s is observed from %s on, and is wanted from %s: %w", o.Source, o.Since.Format(time.RFC3339), from.Format(time.RFC3339), opsec.ErrInvalid)
			}
			var text []byte
			if err == nil {
				text, err = json.Marshal(o)
			}
			if err != nil {
				yield(claim.Backup{}, err)
				return
			}
			s := observed(o)
			s.Since, s.Until, s.Evidence = b.Began[o.Source], b.Ceased[o.Source], fmt.Sprintf("sha256:%x", sha256.Sum256(text))
			if !yield(s, nil) {
				return
			}
		}
	}
}

func observed(o plan.Observed) claim.Backup {
	b := claim.Backup{Tenant: string(o.Tenant), Source: o.Source, Seen: o.At}
	u := uses{o.At, map[string]plan.ObservedPoint{}, map[place]*claim.Copy{}}
	for _, p := range o.Points {
		u.points[p.ID] = p
	}
	for _, p := range o.Points {
		if p.Taken.After(o.At) {
			continue
		}
		one := claim.Point{ID: p.ID, Taken: p.Taken}
		for _, c := range p.Copies {
			if use := u.of(place{p.ID, c.Target}); use != nil {
				one.Copies = append(one.Copies, *use)
			}
		}
		b.Points = append(b.Points, one)
	}
	for _, t := range o.Tests {
		if !t.At.After(o.At) {
			b.Restores = append(b.Restores, claim.Restore{ID: t.ID, Ended: t.At, Took: t.Took, Passed: t.Passed})
		}
	}
	return b
}

// place is a point at a target.
type place struct{ point, target string }

// uses finds out from when until when points can be restored.
type uses struct {
	at     time.Time
	points map[string]plan.ObservedPoint
	known  map[place]*claim.Copy // nil: not at all, or in a loop
}

// of returns the copy at a place, with its parents at the same target, theirs, and so on; nil if it cannot be restored.
func (u uses) of(at place) *claim.Copy {
	if use, ok := u.known[at]; ok {
		return use
	}
	u.known[at] = nil // until it is known: a point that needs itself is none
	p := u.points[at.point]
	i := slices.IndexFunc(p.Copies, func(c plan.ObservedCopy) bool { return c.Target == at.target })
	if i < 0 || p.Copies[i].Broken || p.Copies[i].Durable.IsZero() {
		return nil
	}
	c := p.Copies[i]
	use := &claim.Copy{OffSite: c.Site == plan.OffSite, Durable: c.Durable, Gone: p.Deleted}
	for _, id := range p.Parents {
		parent := u.of(place{id, at.target})
		if parent == nil {
			return nil
		}
		if parent.Durable.After(use.Durable) {
			use.Durable = parent.Durable
		}
		if use.Gone.IsZero() || !parent.Gone.IsZero() && parent.Gone.Before(use.Gone) {
			use.Gone = parent.Gone
		}
	}
	if use.Gone.After(u.at) {
		use.Gone = time.Time{}
	}
	if use.Durable.After(u.at) || !use.Gone.IsZero() && !use.Gone.After(use.Durable) {
		return nil // not yet, or never
	}
	u.known[at] = use
	return use
}

// Erasures is a chain of receipts: keymgmt/erasure.Ledger.All. When a deletion was ordered the order says.
type Erasures struct {
	Receipts func(ctx context.Context) iter.Seq2[[]byte, error]
	Trust    erasure.Trust
	Ordered  map[opsec.Resource]time.Time
}

// Statements implements [claim.Source]. An order is answered by the first certificate after it; without one it is open. A chain
// with a receipt that was forged or taken out is an error.
func (e Erasures) Statements(ctx context.Context, _, _ time.Time) iter.Seq2[claim.Deletion, error] {
	return func(yield func(claim.Deletion, error) bool) {
		head, err := erasure.VerifyChain(e.Receipts(ctx), e.Trust)
		open := map[opsec.Resource]*claim.Deletion{}
		for at, ordered := range e.Ordered {
			open[at] = &claim.Deletion{Tenant: string(at.Tenant), Resource: at.String(), Ordered: ordered, Evidence: cmp.Or(head.Digest, "an empty chain of receipts")}
		}
		if err == nil {
			err = e.answer(ctx, open)
		}
		if err != nil {
			yield(claim.Deletion{}, err)
			return
		}
		for _, d := range open {
			if !yield(*d, nil) {
				return
			}
		}
	}
}

// answer enters what became of orders.
func (e Erasures) answer(ctx context.Context, open map[opsec.Resource]*claim.Deletion) error {
	for doc, err := range e.Receipts(ctx) {
		var r erasure.Receipt
		if err == nil {
			r, err = erasure.Verify(doc, e.Trust)
		}
		if err != nil {
			return err
		}
		switch {
		case r.Certificate != nil:
			if d := open[r.Certificate.Resource]; d != nil && d.Deleted.IsZero() && !r.Time.Before(d.Ordered) {
				d.Deleted, d.Method, d.Certificate, d.Evidence = r.Time, "crypto-erase", r.Digest(), r.Digest()
			}
		case r.Release != nil:
			if d := open[r.Release.Resource]; d != nil && d.Reused.IsZero() && !r.Time.Before(d.Ordered) {
				d.Reused = r.Time
			}
		}
	}
	return nil
}

// Wording says what audits of package audit/programme are of, in the words of the agreement with a customer.
type Wording struct {
	Tenant   opsec.TenantID
	Scope    map[string]string // of the agreement, by the systems of plans
	Measures map[string]string // paths in the agreement, by requirements
}

// Audits makes statements of audits that were issued, and proofs of their results: of those that are of all, or of the tenant. An
// audit of systems that are not in the wording is none that was promised, and is left out.
func Audits(list []programme.Audit, w Wording) (held []claim.Audit, proofs []claim.Proof) {
	for _, a := range list {
		of := a.Plan.Scope.Tenants
		if a.Stage != programme.Reported && a.Stage != programme.Closed || len(of) > 0 && !slices.Contains(of, w.Tenant) {
			continue
		}
		one := claim.Audit{ID: a.ID, By: "internal", Evidence: a.Digest()}
		for _, system := range a.Plan.Scope.Systems {
			if in := w.Scope[system]; in != "" {
				one.Scope = append(one.Scope, in)
			}
		}
		for _, h := range a.History {
			if h.Action == programme.ActionIssue {
				one.Closed = h.Time
				if slices.Contains(a.Plan.Customers, w.Tenant) {
					one.Published = h.Time
				}
			}
		}
		if len(one.Scope) > 0 {
			held = append(held, one)
		}
		requirements := map[string][]string{}
		for _, p := range a.Plan.Procedures {
			requirements[p.ID] = p.Requirements
		}
		for _, r := range a.Results {
			if r.Tenant != "" && r.Tenant != w.Tenant || r.Status != programme.Passed && r.Status != programme.Failed {
				continue
			}
			for _, id := range requirements[r.Procedure] {
				if path := w.Measures[id]; path != "" {
					proofs = append(proofs, claim.Proof{Measure: path, At: r.Time, Passed: r.Status == programme.Passed, Evidence: a.Digest()})
				}
			}
		}
	}
	return held, proofs
}

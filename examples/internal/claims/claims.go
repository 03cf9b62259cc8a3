// Package claims lets rooms state what an agreement says of them: keys, backups, deletions and audits as sources of package sla/claim. Rooms do not
// know each other, so this stands where they are wired.
package claims

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
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
		for _, e := range k.Statement.Entries {
			u := claim.Use{Data: k.Words[e.Data], Phase: sla.AtRest, At: e.At, Algorithm: e.Algorithm, KeyOwner: "provider",
				Seen: k.Statement.Time, Evidence: k.Statement.Digest()}
			if u.Data == "" {
				u.Data = e.Data
			}
			if e.Where == statement.Transit {
				u.Phase, u.Algorithm, u.Seen = sla.InMotion, e.Protocol, e.Seen
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

// Backups is what a catalogue has observed of each source: backup/catalogue.Catalogue.Observed.
type Backups struct {
	Sources func(ctx context.Context, from time.Time) iter.Seq2[plan.Observed, error]
}

// Statements implements [claim.Source]. A point whose parents are not there cannot be restored, and is left out.
func (b Backups) Statements(ctx context.Context, from, _ time.Time) iter.Seq2[claim.Backup, error] {
	return func(yield func(claim.Backup, error) bool) {
		for o, err := range b.Sources(ctx, from) {
			if err != nil {
				yield(claim.Backup{}, err)
				return
			}
			text, err := json.Marshal(o)
			if err != nil || !yield(observed(o, fmt.Sprintf("sha256:%x", sha256.Sum256(text))), err) {
				return
			}
		}
	}
}

func observed(o plan.Observed, evidence string) claim.Backup {
	b := claim.Backup{Source: o.Source, Since: o.Since, Evidence: evidence}
	byID := map[string]plan.ObservedPoint{}
	for _, p := range o.Points {
		byID[p.ID] = p
	}
	for _, p := range o.Points {
		one := claim.Point{ID: p.ID, Taken: p.Taken}
		for _, c := range p.Copies {
			if c.Broken || c.Durable.IsZero() {
				continue
			}
			durable, gone, whole := c.Durable, p.Deleted, true
			for _, id := range p.Parents { // at the same target
				parent, there := at(byID[id], c.Target)
				if whole = whole && there; !there {
					break
				}
				if parent.Durable.After(durable) {
					durable = parent.Durable
				}
				if d := byID[id].Deleted; !d.IsZero() && (gone.IsZero() || d.Before(gone)) {
					gone = d
				}
			}
			if whole {
				one.Copies = append(one.Copies, claim.Copy{OffSite: c.Site == plan.OffSite, Durable: durable, Gone: gone})
			}
		}
		b.Points = append(b.Points, one)
	}
	for _, t := range o.Tests {
		b.Restores = append(b.Restores, claim.Restore{ID: t.ID, Ended: t.At, Took: t.Took, Passed: t.Passed})
	}
	return b
}

func at(p plan.ObservedPoint, target string) (plan.ObservedCopy, bool) {
	for _, c := range p.Copies {
		if c.Target == target && !c.Broken && !c.Durable.IsZero() {
			return c, true
		}
	}
	return plan.ObservedCopy{}, false
}

// Erasures is a chain of receipts: keymgmt/erasure.Ledger.All. When a deletion was ordered the order says.
type Erasures struct {
	Receipts func(ctx context.Context) iter.Seq2[[]byte, error]
	Trust    erasure.Trust
	Ordered  map[opsec.Resource]time.Time
}

// Statements implements [claim.Source]: an order without a certificate is open.
func (e Erasures) Statements(ctx context.Context, _, _ time.Time) iter.Seq2[claim.Deletion, error] {
	return func(yield func(claim.Deletion, error) bool) {
		done := map[opsec.Resource]claim.Deletion{}
		for doc, err := range e.Receipts(ctx) {
			var r erasure.Receipt
			if err == nil {
				r, err = erasure.Verify(doc, e.Trust)
			}
			if err != nil {
				yield(claim.Deletion{}, err)
				return
			}
			switch {
			case r.Certificate != nil:
				at := r.Certificate.Resource
				done[at] = claim.Deletion{Resource: at.String(), Deleted: r.Time, Method: "crypto-erase", Certificate: r.Digest(), Evidence: r.Digest()}
			case r.Release != nil:
				d := done[r.Release.Resource]
				d.Reused = r.Time
				done[r.Release.Resource] = d
			}
		}
		for at, ordered := range e.Ordered {
			d, ok := done[at]
			if !ok {
				d = claim.Deletion{Resource: at.String(), Evidence: "no certificate in the chain"}
			}
			d.Ordered = ordered
			if !yield(d, nil) {
				return
			}
		}
	}
}

// Audits makes statements of an audit of package audit/programme, and proofs of its results; measures are paths in the
// agreement by requirements.
func Audits(list []programme.Audit, measures map[string]string) (held []claim.Audit, proofs []claim.Proof) {
	for _, a := range list {
		if a.Stage != programme.Reported && a.Stage != programme.Closed {
			continue
		}
		one := claim.Audit{ID: a.ID, By: "internal", Evidence: a.Digest()}
		for _, h := range a.History {
			if h.Action == programme.ActionIssue {
				one.Closed = h.Time
				if len(a.Plan.Customers) > 0 {
					one.Published = h.Time
				}
			}
		}
		held = append(held, one)
		of := map[string][]string{}
		for _, p := range a.Plan.Procedures {
			of[p.ID] = p.Requirements
		}
		for _, r := range a.Results {
			for _, id := range of[r.Procedure] {
				if path := measures[id]; path != "" && (r.Status == programme.Passed || r.Status == programme.Failed) {
					proofs = append(proofs, claim.Proof{Measure: path, At: r.Time, Passed: r.Status == programme.Passed, Evidence: a.Digest()})
				}
			}
		}
	}
	return held, proofs
}

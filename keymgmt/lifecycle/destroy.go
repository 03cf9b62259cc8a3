package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
)

// grave is the document of a key that is destroyed.
type grave struct {
	Destruction keymgmt.Destruction `json:"destruction"`
	Done        bool                `json:"done"`              // the checks have been made
	Receipt     string              `json:"receipt,omitempty"` // digest of the evidence
}

// Destroy destroys a key whose waiting time is over and on which, by a census, nothing is left. It goes in steps, and a process
// that dies in between leaves it to be called again:
//
// First it waits for the nodes, with a [*PendingError] as long as one may hold the key. The census must be younger than the
// longest fence since the key was deactivated: a node that had not looked might still have protected under it. Then, in one
// commit, the material leaves the record and a tombstone is set. Then it is tried whether the key still opens, and evidence is
// made (Options.Receipts). When a trial fails the key is [keymgmt.DestroyFailed], and Destroy can be called again.
//
// Of a key that is destroyed already it returns what is known, without an error.
func (m *Manager) Destroy(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Destruction, error) {
	return m.destroy(ctx, by, ref, keymgmt.Destroy)
}

// ForceDestroy is [Manager.Destroy] without a census, which the receipt says.
func (m *Manager) ForceDestroy(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Destruction, error) {
	return m.destroy(ctx, by, ref, keymgmt.ForceDestroy)
}

// Unlink is [Manager.Destroy] of a key whose material is with a third party, which keeps it.
func (m *Manager) Unlink(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Destruction, error) {
	return m.destroy(ctx, by, ref, keymgmt.Unlink)
}

func (m *Manager) destroy(ctx context.Context, by By, ref keymgmt.Ref, v keymgmt.Verb) (d keymgmt.Destruction, err error) {
	if err := ref.Validate(); err != nil {
		return d, err
	}
	o := Order{Verb: v, Set: ref.Set, Key: ref.Key}
	done, err := m.record(ctx, ref)
	if err != nil {
		return d, err
	}
	if !done.Key.State.Final() {
		err = m.guard(ctx, by, o, func() error {
			err := m.look(ctx, by, o, func(s *step) error {
				r, err := s.key(ref.Key)
				if err != nil {
					return err
				}
				return s.apply(r, s.ending(r))
			})
			if err != nil {
				return err
			}
			beats, err := m.noteBeats(ctx, ref)
			if err != nil {
				return err
			}
			waiting, copies, longest, err := m.fences(ctx, beats)
			if err != nil {
				return err
			}
			if len(waiting) > 0 {
				return &PendingError{Ref: ref, Nodes: waiting}
			}
			for _, c := range m.o.Copies {
				more, err := c.Copies(ctx, ref)
				if err != nil {
					return fmt.Errorf("lifecycle: copies of key %s: %w", ref, err)
				}
				copies = append(copies, more...)
			}
			_, err = m.commit(ctx, by, o, func(s *step) error { return s.bury(copies, longest) })
			return err
		})
		if err != nil {
			return d, err
		}
	}
	return m.finish(ctx, by, ref)
}

// ending is the event of a destruction: by force, where the policy wants no census.
func (s *step) ending(r *record) keymgmt.Event {
	if s.order.Verb == keymgmt.Destroy && s.set.Policy.InsecureSkipCensus {
		return keymgmt.Event{Verb: keymgmt.ForceDestroy}
	}
	return keymgmt.Event{Verb: s.order.Verb}
}

// bury takes the material out of the record, and sets the tombstone.
func (s *step) bury(copies []keymgmt.Copy, longest time.Duration) error {
	r, err := s.key(s.order.Key)
	if err != nil {
		return err
	}
	e := s.ending(r)
	if c := r.Key.Census; e.Verb == keymgmt.Destroy && !r.Key.Activated.IsZero() && c != nil && c.Time.Before(r.Key.Deactivated.Add(longest)) {
		return &keymgmt.EarlyError{Ref: r.Key.Ref, Verb: e.Verb, Why: fmt.Sprintf("its census is of %s, and until %s a node may have protected under it",
			c.Time.Format(time.RFC3339), r.Key.Deactivated.Add(longest).Format(time.RFC3339))}
	}
	if err := s.apply(r, e); err != nil {
		return err
	}
	ref := r.Key.Ref
	d := keymgmt.Destruction{
		Key: r.Key, Purpose: s.set.Purpose, Method: "wrapped material removed", By: keymgmt.Person(s.by.Actor), Reason: s.by.Reason,
		Forced: e.Verb == keymgmt.ForceDestroy, Event: s.event.ID, Checks: []keymgmt.Check{},
		Copies: []keymgmt.Copy{{Kind: keymgmt.InRecord, Name: keyName(ref), Fate: keymgmt.Erased, How: "taken out of the record", Time: r.Key.Destroyed}},
	}
	if e.Verb == keymgmt.Unlink {
		d.Method = "link to a third party removed"
		d.Copies[0] = keymgmt.Copy{Kind: keymgmt.InCustodian, Name: s.set.Custodian, Fate: keymgmt.Left, How: "is with a third party", Time: r.Key.Destroyed}
	}
	if first, last := r.Backups+1, s.set.Backups; first <= last && r.came() {
		name := backupName(ref.Set, first)
		if last > first {
			name += " to " + backupName(ref.Set, last)
		}
		d.Copies = append(d.Copies, keymgmt.Copy{Kind: keymgmt.InBackup, Name: name, Fate: keymgmt.Left, How: "was handed out", Time: r.Key.Destroyed})
	}
	d.Copies = append(d.Copies, copies...)
	if s.spent != nil {
		d.Approval, d.Approved = s.spent.Request.ID, s.spent.Digest()
		for _, one := range s.spent.History {
			if one.Verb == approval.Approve {
				d.Approvers = append(d.Approvers, keymgmt.Person(one.By))
			}
		}
	}
	r.Wrapped, r.Beats = nil, nil
	s.attr("method", d.Method)
	s.attr("copies", len(d.Copies))
	return add(&s.put, tombName(ref), grave{Destruction: d})
}

// finish tries whether a key that is destroyed still opens, and has evidence made.
func (m *Manager) finish(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Destruction, error) {
	g, err := m.grave(ctx, ref)
	if err != nil || g.Done {
		return g.Destruction, err
	}
	if g.Destruction.Checks, err = m.check(ctx, ref); err != nil {
		return g.Destruction, err
	}
	for _, c := range g.Destruction.Checks {
		if c.Passed {
			continue
		}
		by.Approval = "" // that was for the destruction
		_, err := m.take(ctx, by, Order{Verb: keymgmt.Fail, Set: ref.Set, Key: ref.Key}, func(s *step) error {
			r, err := s.key(ref.Key)
			if err != nil {
				return err
			}
			s.attr("check", c.What+": "+c.Result)
			s.event.Outcome = "failure"
			return s.apply(r, keymgmt.Event{Verb: keymgmt.Fail})
		})
		if err == nil {
			err = fmt.Errorf("lifecycle: destruction of key %s: %s: %s", ref, c.What, c.Result)
		}
		return g.Destruction, err
	}
	if m.o.Receipts != nil {
		if g.Receipt, err = m.o.Receipts.Issue(ctx, g.Destruction); err != nil {
			return g.Destruction, fmt.Errorf("lifecycle: receipt of key %s: %w", ref, err)
		}
	}
	g.Done = true
	return g.Destruction, m.repo.Update(ctx, ref.Set.Tenant, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		docs, err := read(tombName(ref))
		if err != nil {
			return out, err
		}
		var now grave
		if _, err := parse(docs[0], &now, tombName(ref)); err != nil {
			return out, err
		}
		if now.Done || now.Destruction.Event != g.Destruction.Event { // another was faster
			return out, nil
		}
		return out, add(&out, tombName(ref), g)
	})
}

// grave returns what is known of a key that is destroyed; of one that was recovered as such, what its record says.
func (m *Manager) grave(ctx context.Context, ref keymgmt.Ref) (g grave, err error) {
	docs, err := m.documents(ctx, ref.Set.Tenant, tombName(ref), keyName(ref), setName(ref.Set))
	if err != nil {
		return g, err
	}
	if there, err := parse(docs[0], &g, tombName(ref)); err != nil || there {
		return g, err
	}
	r, err := parseKey(ref, docs[1])
	if err != nil {
		return g, err
	}
	set, err := parseSet(ref.Set, docs[2])
	last := r.Events[len(r.Events)-1]
	g.Destruction = keymgmt.Destruction{
		Key: r.Key, Purpose: set.Purpose, Method: "not recovered", By: last.By, Reason: last.Reason, Forced: last.Verb == keymgmt.ForceDestroy,
		Copies: []keymgmt.Copy{{Kind: keymgmt.InRecord, Name: keyName(ref), Fate: keymgmt.Erased, How: "was not recovered", Time: r.Key.Destroyed}},
	}
	return g, err
}

// check tries every way in which this Manager gives a key out.
func (m *Manager) check(ctx context.Context, ref keymgmt.Ref) ([]keymgmt.Check, error) {
	r, err := m.record(ctx, ref)
	if err != nil {
		return nil, err
	}
	held, err := m.Held(ctx, ref)
	if err != nil {
		return nil, err
	}
	now := instant(m.o.Now())
	is := func(what string, passed bool, result string) keymgmt.Check {
		return keymgmt.Check{What: what, Passed: passed, Result: fmt.Sprintf("%s: %v", result, passed), Time: now}
	}
	return []keymgmt.Check{
		is("the record", r.Wrapped == nil && r.Key.State.Final(), "holds no material"),
		is("a node that asks for the key", held.Wrapped == nil, "gets no material"),
	}, nil
}

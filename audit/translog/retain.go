package translog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Hold keeps entries from being pruned, and the keys of a tenant's subjects from being erased, for as long as it
// stands: a legal hold.
type Hold struct {
	ID     string         `json:"id"`               // chosen by the caller, 1 to 128 bytes
	Tenant opsec.TenantID `json:"tenant,omitempty"` // whose entries; empty: everybody's
	From   time.Time      `json:"from,omitzero"`    // at or after
	To     time.Time      `json:"to,omitzero"`      // before
	Reason string         `json:"reason,omitempty"`
}

// covers reports whether h keeps all that x keeps.
func (h Hold) covers(x Hold) bool {
	return (h.Tenant == "" || h.Tenant == x.Tenant) && !h.From.After(x.From) &&
		(h.To.IsZero() || !x.To.IsZero() && !h.To.Before(x.To))
}

// holds is the holds that stand. The lock is held through what a hold could forbid.
type holds struct {
	mu   sync.Mutex
	list []Hold
}

func (h *holds) on(tenant opsec.TenantID) bool {
	return slices.ContainsFunc(h.list, func(h Hold) bool { return h.Tenant == "" || h.Tenant == tenant })
}

const maxHolds = 10_000

func readHolds(fsys fs.FS) (list []Hold, err error) {
	data, err := fs.ReadFile(fsys, ledger.HoldsFile)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	if err := strictjson.Decode(data, &list); err != nil {
		return nil, tampered("holds: %w", err)
	}
	return list, nil
}

// Holds returns the holds that stand.
func (l *Log) Holds() []Hold {
	l.holds.mu.Lock()
	defer l.holds.mu.Unlock()
	return slices.Clone(l.holds.list)
}

// Hold places a hold, in the place of one with the same id, of which it must keep all: otherwise lift that first. The
// authorizer is asked for [ActionHold] on the log, for the tenant.
func (l *Log) Hold(ctx context.Context, who opsec.Actor, h Hold) error {
	if h.ID == "" || len(h.ID) > 128 {
		return invalid("hold: an id of %d bytes, want 1 to 128", len(h.ID))
	}
	if len(h.Reason) > opsec.MaxValueLen {
		return invalid("hold: a reason of %d bytes, want at most %d", len(h.Reason), opsec.MaxValueLen)
	}
	return l.changeHolds(ctx, who, ActionHold, h, func(list []Hold) ([]Hold, error) {
		if slices.ContainsFunc(list, func(x Hold) bool { return x.ID == h.ID && !h.covers(x) }) {
			return nil, invalid("hold: %q stands, and keeps what this one does not", h.ID)
		}
		list = slices.DeleteFunc(list, func(x Hold) bool { return x.ID == h.ID })
		if len(list) == maxHolds {
			return nil, invalid("hold: %d stand already", maxHolds)
		}
		return append(list, h), nil
	})
}

// Lift ends a hold. The authorizer is asked for [ActionLift] on the log, for the hold's tenant.
func (l *Log) Lift(ctx context.Context, who opsec.Actor, id, reason string) error {
	list := l.Holds()
	i := slices.IndexFunc(list, func(h Hold) bool { return h.ID == id })
	if i < 0 {
		return fmt.Errorf("translog: hold %q: %w", id, opsec.ErrNotFound)
	}
	asked := list[i]
	h := asked
	h.Reason = reason
	return l.changeHolds(ctx, who, ActionLift, h, func(list []Hold) ([]Hold, error) {
		i := slices.Index(list, asked)
		if i < 0 {
			return nil, fmt.Errorf("translog: hold %q was changed meanwhile: %w", id, opsec.ErrNotFound)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

func (l *Log) changeHolds(ctx context.Context, who opsec.Actor, action string, h Hold, change func([]Hold) ([]Hold, error)) error {
	what := opsec.Resource{Tenant: cmp.Or(h.Tenant, opsec.Provider), Type: "log", ID: l.Origin()}
	e := l.event(action, who, what)
	e.Reason = h.Reason
	e.Attrs = []opsec.Attr{{Key: "hold", Value: h.ID, Mark: opsec.Tenant}}
	for key, at := range map[string]time.Time{"from": h.From, "to": h.To} {
		if !at.IsZero() {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: at.UTC().Format(time.RFC3339Nano), Mark: opsec.Tenant})
		}
	}
	return l.guarded(ctx, who, e, func() error {
		l.holds.mu.Lock()
		defer l.holds.mu.Unlock()
		list, err := change(slices.Clone(l.holds.list))
		if err != nil {
			return err
		}
		if err := l.write(ledger.HoldsFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(list) }); err != nil {
			return fmt.Errorf("translog: %w", err)
		}
		l.holds.list = list
		return nil
	})
}

// guarded asks the authorizer, records the intent, acts, and records the outcome.
func (l *Log) guarded(ctx context.Context, who opsec.Actor, e *opsec.Event, act func() error) error {
	if err := l.opts.Authorizer.Authorize(ctx, who, e.Action, e.Resource); err != nil {
		e.Outcome = opsec.OutcomeOf(err)
		_, recordErr := l.Append(ctx, e)
		return errors.Join(fmt.Errorf("translog: %w", err), recordErr)
	}
	op, err := opsec.Begin(ctx, l, e)
	if err != nil {
		return err
	}
	err = act()
	return errors.Join(err, op.End(ctx, opsec.OutcomeOf(err)))
}

// Prune removes what entries say that happened before a time, as far as the journal's files allow: files that hold such
// entries alone, none of them held, and none that recovery needs. Their hashes stay in the tiles, so that every proof
// still verifies; the entry [ActionPrune] says what is missing, and [verify.Log] accepts no other gap. It returns the first entry that
// is still there whole.
//
// The authorizer is asked for ActionPrune on the log, for the provider.
func (l *Log) Prune(ctx context.Context, who opsec.Actor, before time.Time) (first uint64, err error) {
	l.holds.mu.Lock()
	limit, err := l.prunable(ctx, before)
	l.holds.mu.Unlock()
	if err != nil {
		return 0, err
	}
	e := l.event(ActionPrune, who, opsec.Resource{Tenant: opsec.Provider, Type: "log", ID: l.Origin()})
	e.Attrs = []opsec.Attr{
		{Key: ledger.AttrBefore, Value: strconv.FormatUint(limit, 10), Mark: opsec.Public},
		{Key: "until", Value: before.UTC().Format(time.RFC3339Nano), Mark: opsec.Public},
	}
	err = l.guarded(ctx, who, e, func() error {
		// The intent stands in the journal now. What it allows must be signed before anything goes.
		if _, err := l.await(ctx, l.journal.Size()-1); err != nil {
			return err
		}
		l.holds.mu.Lock()
		defer l.holds.mu.Unlock()
		still, err := l.prunable(ctx, before) // a hold may have come
		if err != nil {
			return err
		}
		limit = min(limit, still)
		err = l.write(ledger.PrunedFile, func(w io.Writer) error { _, err := fmt.Fprintln(w, limit); return err })
		if err != nil {
			return fmt.Errorf("translog: %w", err)
		}
		kept, err := l.journal.Prune(limit)
		if err != nil {
			return fmt.Errorf("translog: %w", err)
		}
		return errors.Join(tile.Prune(l.root, kept), l.reader.spans.Drop(kept))
	})
	return l.journal.First(), err
}

// prunable returns the first entry that must stay.
func (l *Log) prunable(ctx context.Context, before time.Time) (uint64, error) {
	held := make([][]entry.Handle, len(l.holds.list))
	for i, h := range l.holds.list {
		if h.Tenant == "" {
			continue
		}
		var err error
		if held[i], err = l.opts.Keys.Find(ctx, entry.Subject{Tenant: h.Tenant}); err != nil {
			return 0, fmt.Errorf("translog: %w", err)
		}
	}
	limit := l.replayed(l.reader.saved.Load())
	for r, err := range l.journal.Replay(l.journal.First()) {
		if err != nil {
			return 0, fmt.Errorf("translog: %w", err)
		}
		if r.Index >= limit {
			break
		}
		leaf, err := entry.Parse(r.Leaf)
		if err != nil {
			return 0, tampered("entry %d: %w", r.Index, err)
		}
		if leaf.Kind != entry.Event {
			continue
		}
		if !leaf.Time.Before(before) {
			return r.Index, nil
		}
		for i, h := range l.holds.list {
			if (h.Tenant == "" || slices.Contains(held[i], leaf.Tenant)) &&
				!leaf.Time.Before(h.From) && (h.To.IsZero() || leaf.Time.Before(h.To)) {
				return r.Index, nil
			}
		}
	}
	return limit, nil
}

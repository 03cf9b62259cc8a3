package translog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
)

// Unfinished yields the intents ([opsec.Begin]) among the events that fit whose end is not on record: what a crash or a
// broken connection has interrupted, and what is still under way. An intent is seen from the next
// checkpoint on, as everything in a View is. Those of a tenant that was erased are left out: their ends cannot be told.
// Query.Outcomes must be empty.
func (v *View) Unfinished(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if len(q.Outcomes) > 0 {
			yield(Entry{}, invalid("query: Outcomes are not to be chosen"))
			return
		}
		q.Outcomes = []opsec.Outcome{opsec.Pending}
		s, err := v.begin(ctx, q, 0)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range s.entries(ctx) {
			ended := false
			if err == nil {
				ended, err = s.ended(ctx, e)
			}
			if (!ended || err != nil) && (!yield(e, err) || err != nil) {
				return
			}
		}
	}
}

// ended reports whether the end of an intent is on record.
func (s *search) ended(ctx context.Context, e Entry) (bool, error) {
	l := s.view.log
	key, err := l.opts.Keys.Key(ctx, e.leaf.Tenant)
	if errors.Is(err, entry.ErrErased) {
		return true, nil // nobody can tell any more
	}
	if err != nil {
		return false, fmt.Errorf("translog: entry %d: %w", e.Index, err)
	}
	term := entry.IntentTerm(key, e.Event.ID)
	q := index.Query{All: []index.AnyOf{{ledger.TermKey(term)}}}
	for i, err := range l.reader.spans.Find(q, e.Index, l.journal.First(), s.size) {
		if err != nil {
			return false, err
		}
		_, body, _, err := s.read(i)
		if err != nil {
			return false, err
		}
		if slices.Contains(body.Terms(), term) {
			return true, nil
		}
	}
	return false, nil
}

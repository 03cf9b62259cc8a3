// Package ledger is what the writer of a transparency log and its verifier have in common: the names in its directory,
// the chains of its tenants, and what an entry is found by.
package ledger

import (
	"fmt"
	"strconv"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/index"
)

// The names in a log's directory, beside the tiles.
const (
	CheckpointFile = "checkpoint"
	LatestFile     = "latest" // the checkpoint signed last, where witnesses decide which one is published
	SavepointFile  = "savepoint"
	HoldsFile      = "holds"
	JournalDir     = "journal"
	IndexDir       = "index"
)

// SpanFile is the name of the file of a span, in IndexDir.
func SpanFile(span uint64) string { return fmt.Sprintf("%012d", span) }

// The kinds of keys in the index, beside those of [entry.TermKind].
const (
	keyTenant  = 't'
	keyAction  = 'c'
	keyOutcome = 'o'
)

// TenantKey is what the index holds for a tenant's entries.
func TenantKey(h entry.Handle) []byte { return append([]byte{keyTenant}, h[:]...) }

// ActionKey is what the index holds for an action.
func ActionKey(action string) []byte { return append([]byte{keyAction}, action...) }

// OutcomeKey is what the index holds for an outcome.
func OutcomeKey(o opsec.Outcome) []byte { return append([]byte{keyOutcome}, o...) }

// TermKey is what the index holds for a term.
func TermKey(t entry.Term) []byte { return append([]byte{byte(t.Kind)}, t.Tag[:]...) }

// AddEntry enters an entry into the index of its span, with all that it can be found by.
func AddEntry(b *index.Builder, i uint64, leaf, body []byte) error {
	l, err := entry.Parse(leaf)
	if err != nil {
		return fmt.Errorf("entry %d: %w", i, err)
	}
	if l.Kind != entry.Event {
		return b.Add(uint16(i%index.Span), l.Time)
	}
	parsed, err := entry.ParseBody(body)
	if err != nil {
		return fmt.Errorf("entry %d: %w", i, err)
	}
	terms := parsed.Terms()
	keys := make([][]byte, 0, 3+len(terms))
	keys = append(keys, TenantKey(l.Tenant), ActionKey(l.Action), OutcomeKey(l.Outcome))
	for _, t := range terms {
		keys = append(keys, TermKey(t))
	}
	return b.Add(uint16(i%index.Span), l.Time, keys...)
}

// ActionPrune is the action of the entry that allows older ones to be missing, below the index in its public attribute
// AttrBefore.
const (
	ActionPrune = "translog.prune"
	AttrBefore  = "before"
)

// Pruned returns what a leaf allows to be missing: the entries below an index.
func Pruned(leaf entry.Leaf) (before uint64, ok bool) {
	if leaf.Kind != entry.Event || leaf.Action != ActionPrune || leaf.Outcome != opsec.Pending {
		return 0, false
	}
	for _, a := range leaf.Attrs {
		if a.Key == AttrBefore {
			n, err := strconv.ParseUint(a.Value, 10, 63)
			return n, err == nil
		}
	}
	return 0, false
}

// Package ledger is what the writer of a transparency log and its verifier have in common: the names in its directory,
// the chains of its tenants, and what an entry is found by.
package ledger

import (
	"fmt"
	"strconv"
	"time"

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
	PrunedFile     = "pruned" // the first entry that recovery may expect
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

// Keys is all that an entry can be found by. Those of an epoch have a time alone.
type Keys struct {
	Time    time.Time
	Tenant  entry.Handle
	Action  string // empty for an epoch
	Outcome opsec.Outcome
	Terms   []entry.Term
}

// KeysOf returns the keys of a leaf and its body. That of an epoch is empty. The terms are in the memory of room.
func KeysOf(leaf *entry.Leaf, body *entry.Body, room []entry.Term) Keys {
	if leaf.Kind != entry.Event {
		return Keys{Time: leaf.Time}
	}
	return Keys{leaf.Time, leaf.Tenant, leaf.Action, leaf.Outcome, body.AppendTerms(room[:0])}
}

// Parse reads an entry and its keys.
func Parse(leaf, body []byte) (entry.Leaf, Keys, error) {
	l, err := entry.Parse(leaf)
	var b entry.Body
	if err == nil && l.Kind == entry.Event {
		b, err = entry.ParseBody(body)
	}
	return l, KeysOf(&l, &b, nil), err
}

// Indexer enters entries into the index of their span. The zero value is ready; it is for one goroutine at a time.
type Indexer struct {
	text []byte
	ends []int
	keys [][]byte
}

// Add enters the entry at i of the log.
func (x *Indexer) Add(b *index.Builder, i uint64, k Keys) error {
	x.text, x.ends, x.keys = x.text[:0], x.ends[:0], x.keys[:0]
	if k.Action != "" {
		x.text = append(append(x.text, keyTenant), k.Tenant[:]...)
		x.ends = append(x.ends, len(x.text))
		x.text = append(append(x.text, keyAction), k.Action...)
		x.ends = append(x.ends, len(x.text))
		x.text = append(append(x.text, keyOutcome), k.Outcome...)
		x.ends = append(x.ends, len(x.text))
		for _, t := range k.Terms {
			x.text = append(append(x.text, byte(t.Kind)), t.Tag[:]...)
			x.ends = append(x.ends, len(x.text))
		}
	}
	from := 0
	for _, end := range x.ends {
		x.keys = append(x.keys, x.text[from:end])
		from = end
	}
	return b.Add(uint16(i%index.Span), k.Time, x.keys...)
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

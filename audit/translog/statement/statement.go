package statement

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/heads"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Statement proves where the chain of one tenant's events ended at an epoch: with the events, that none was withheld.
type Statement struct {
	Origin     string       `json:"origin"`
	Tenant     entry.Handle `json:"tenant"`     // the tenant's tag in its leaves
	Events     uint64       `json:"events"`     // how many there were
	Last       tlog.Hash    `json:"last"`       // the leaf hash of the last one
	Epoch      []byte       `json:"epoch"`      // the leaf of the epoch
	Index      uint64       `json:"index"`      // its place in the log
	Path       []byte       `json:"path"`       // from the tenant's end to the epoch's root: a heads.Proof
	Inclusion  []tlog.Hash  `json:"inclusion"`  // of the epoch under the checkpoint
	Checkpoint []byte       `json:"checkpoint"` // a signed note
}

// ErrUnproven says that a statement is not proved by its checkpoint, or that nobody who is trusted has signed that.
var ErrUnproven = errors.New("statement: unproven")

// ErrIncomplete says that events of a tenant are missing, changed, or not in their order.
var ErrIncomplete = errors.New("statement: incomplete")

// Verify returns nil when the statement is proved by a checkpoint that the policy believes. It returns what the
// checkpoint says, and the time of the epoch.
func (s *Statement) Verify(trust checkpoint.Policy, now time.Time) (checkpoint.Verified, time.Time, error) {
	fail := func(format string, args ...any) (checkpoint.Verified, time.Time, error) {
		return checkpoint.Verified{}, time.Time{}, fmt.Errorf("%w: "+format, append([]any{ErrUnproven}, args...)...)
	}
	proof := checkpoint.Proof{Index: s.Index, Hashes: s.Inclusion, Checkpoint: s.Checkpoint}
	under, err := proof.Verify(tlog.RecordHash(s.Epoch), trust, now)
	if err != nil {
		return fail("%w", err)
	}
	if under.Origin != s.Origin {
		return fail("its checkpoint is of the log %q", under.Origin)
	}
	leaf, err := entry.Parse(s.Epoch)
	if err != nil || leaf.Kind != entry.Epoch {
		return fail("its epoch is none: %v", err)
	}
	path, err := heads.ParseProof(s.Path)
	if err != nil {
		return fail("%w", err)
	}
	head, ok, err := path.Verify(leaf.Heads, s.Tenant)
	if err != nil {
		return fail("%w", err)
	}
	if !ok || head.Seq != s.Events || head.Leaf != s.Last {
		return fail("the epoch says otherwise")
	}
	return under, leaf.Time, nil
}

// Chain verifies that leaves are one tenant's, each the one after the one before. The zero Chain begins anywhere; what
// was pruned shows as a First above 1.
type Chain struct {
	Tenant entry.Handle
	First  uint64    // the number of the first leaf
	Seq    uint64    // of the last
	Last   tlog.Hash // its hash
}

// Add takes the next leaf and returns its hash, or an error that wraps [ErrIncomplete].
func (c *Chain) Add(leaf []byte) (tlog.Hash, error) {
	l, err := entry.Parse(leaf)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("%w: event after %d: %w", ErrIncomplete, c.Seq, err)
	}
	if c.First == 0 && l.Kind == entry.Event {
		c.First, c.Seq, c.Last, c.Tenant = l.Seq, l.Seq-1, l.Prev, l.Tenant
	}
	switch {
	case l.Kind != entry.Event || l.Tenant != c.Tenant:
		return tlog.Hash{}, fmt.Errorf("%w: after event %d comes another tenant's", ErrIncomplete, c.Seq)
	case l.Seq != c.Seq+1:
		return tlog.Hash{}, fmt.Errorf("%w: after event %d comes event %d", ErrIncomplete, c.Seq, l.Seq)
	case l.Prev != c.Last:
		return tlog.Hash{}, fmt.Errorf("%w: event %d does not follow from the one before it", ErrIncomplete, l.Seq)
	}
	c.Seq, c.Last = l.Seq, tlog.RecordHash(leaf)
	return c.Last, nil
}

// Complete returns nil when the chain ends where the statement says. The statement must have been verified.
func (c *Chain) Complete(s *Statement) error {
	if c.First == 0 || c.Tenant != s.Tenant || c.Seq != s.Events || c.Last != s.Last {
		return fmt.Errorf("%w: the events end at %d, and the epoch has %d", ErrIncomplete, c.Seq, s.Events)
	}
	return nil
}

// Head is the first line of an export.
type Head struct {
	Statement *Statement    `json:"translog_statement"`
	Policy    export.Policy `json:"policy"` // by which the lines are written
}

// Exported is what Read has found.
type Exported struct {
	Statement  *Statement          `json:"statement"` // what was proved
	Checkpoint checkpoint.Verified `json:"-"`
	Until      time.Time           `json:"until"`  // the time of the epoch
	First      uint64              `json:"first"`  // the number of the first event; above 1 where older ones were pruned
	Events     uint64              `json:"events"` // how many were read
}

// Options is whom to believe and what to expect. Trust must be there.
type Options struct {
	Trust checkpoint.Policy
	Now   func() time.Time // default time.Now: cosignatures from the future do not count

	// From is the number of the first event that must be there. Default: 1, all of them. Where a provider has pruned
	// older ones by agreement, say from where on none may be missing.
	From uint64
	// Tenant is the tag that the events must carry; zero is any. A tenant keeps the one of its first export: events that
	// were written under another tag would otherwise not be missed.
	Tenant entry.Handle
	// Each is handed every event, before it is known whether the rest is complete. An error of it ends the reading.
	Each func(*opsec.Event) error
}

// Read reads what translog.View.Export has written. The error is nil only when the statement is proved under
// Options.Trust, every event is what its leaf proves, and none is missing from Options.From to the epoch.
func Read(r io.Reader, o Options) (*Exported, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.From = max(o.From, 1)
	in := bufio.NewReaderSize(r, 1<<16)
	first, err := readLine(in, export.MaxLine)
	if err != nil {
		return nil, fmt.Errorf("statement: export: %w", err)
	}
	var head Head
	if err := strictjson.Decode(first, &head); err != nil || head.Statement == nil {
		return nil, fmt.Errorf("statement: the first line is none: %w: %w", opsec.ErrInvalid, cmp.Or(err, errNone))
	}
	s := head.Statement
	found := &Exported{Statement: s}
	if found.Checkpoint, found.Until, err = s.Verify(o.Trust, o.Now()); err != nil {
		return found, err
	}
	head.Policy.Origin = s.Origin
	x, err := export.New(head.Policy)
	if err != nil {
		return found, err
	}
	if o.Tenant != (entry.Handle{}) && s.Tenant != o.Tenant {
		return found, fmt.Errorf("%w: the events are under the tag %s, and %s was expected", ErrIncomplete, s.Tenant, o.Tenant)
	}
	var chain Chain
	for line, err := range export.Read(in) {
		if err != nil {
			return found, fmt.Errorf("statement: export: %w", err)
		}
		record, err := x.Verify(line, entry.VerifyEvidence)
		if err != nil {
			return found, fmt.Errorf("statement: export: line %d: %w", line.Number+1, err)
		}
		if _, err := chain.Add(line.Leaf); err != nil {
			return found, err
		}
		found.First = chain.First
		found.Events++
		if o.Each != nil {
			if err := o.Each(record.Event); err != nil {
				return found, err
			}
		}
	}
	if err := chain.Complete(s); err != nil {
		return found, err
	}
	if chain.First > o.From {
		return found, fmt.Errorf("%w: the events begin with number %d, and %d was expected", ErrIncomplete, chain.First, o.From)
	}
	return found, nil
}

var errNone = errors.New("no statement in it")

func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > most {
			return nil, fmt.Errorf("a line of more than %d bytes: %w", most, opsec.ErrInvalid)
		}
		if err != bufio.ErrBufferFull {
			return bytes.TrimSuffix(line, []byte{'\n'}), err
		}
	}
}

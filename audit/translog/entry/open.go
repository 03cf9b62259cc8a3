package entry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// maxEvidence is how long evidence may be, in bytes: a skeleton with all its values, and what frames them.
const maxEvidence = MaxBody + 64<<10

// The forms of a group in evidence.
const (
	groupWithheld byte = 0 // nothing of it is shown
	groupErased   byte = 1 // nor can be: so says whoever made the evidence
	groupShown    byte = 2 // each field by its digest, or by salt and value

	fieldDigest byte = 0
	fieldValue  byte = 1
)

const evidenceV1 byte = 0xe1

// Open reads the values that show asks for, and returns the event with the evidence for it: what [VerifyEvidence] makes
// the same event of, from the leaf alone. A nil show asks for nothing.
//
// In the place of a value that show did not ask for stands its mark in brackets, such as "[personal]", as
// opsec.Event.Redacted writes it; "[erased]" where its subject has been erased; "[omitted]" where the log keeps no
// values. Addresses and times are dropped. When the event's tenant is hidden it stands for tenant and kind of the actors
// too, and the hidden ID of a resource for its tenant and type.
//
// A body that is not the one of the leaf is an error wrapping [ErrMismatch]; a key that is missing without having been
// erased is an error wrapping [opsec.ErrNotFound].
func Open(ctx context.Context, keys Keys, leaf Leaf, body Body, show func(Field) bool) (*opsec.Event, []byte, error) {
	if leaf.Kind != Event {
		return nil, nil, fmt.Errorf("entry: not the leaf of an event: %w", opsec.ErrInvalid)
	}
	if sha256.Sum256(body.skeleton) != leaf.Body {
		return nil, nil, fmt.Errorf("entry: event %s: skeleton: %w", leaf.EventID(), ErrMismatch)
	}
	evidence := append(binary.AppendUvarint([]byte{evidenceV1}, uint64(len(body.skeleton))), body.skeleton...)
	for i := range body.groups {
		var err error
		if evidence, err = body.groups[i].disclose(ctx, keys, leaf.ID, show, evidence); err != nil {
			return nil, nil, fmt.Errorf("entry: event %s: %w", leaf.EventID(), err)
		}
	}
	e, err := verify(leaf, evidence)
	if err != nil {
		return nil, nil, err
	}
	return e, evidence, nil
}

// disclose appends the group's part of evidence.
func (g *group) disclose(ctx context.Context, keys Keys, id [16]byte, show func(Field) bool, b []byte) ([]byte, error) {
	var shown [maxFields]bool
	any := false
	for i := range g.slots {
		if show != nil && g.size > 0 {
			f := &g.slots[i]
			shown[i] = show(Field{g.kind, g.handle, f.name(g.kind), f.sensitivity(g.kind)})
			any = any || shown[i]
		}
	}
	if !any {
		return append(b, groupWithheld), nil
	}
	plain, err := g.open(ctx, keys, id)
	if errors.Is(err, ErrErased) {
		return append(b, groupErased), nil
	}
	if err != nil {
		return nil, err
	}
	b = append(b, groupShown)
	r := reader{rest: plain}
	for i := range g.slots {
		disclosure := r.disclosure()
		if shown[i] {
			b = appendDisclosure(append(b, fieldValue), disclosure)
		} else {
			digest := digestOf(disclosure)
			b = append(append(b, fieldDigest), digest[:]...)
		}
	}
	if !r.done() {
		return nil, fmt.Errorf("values of %s: %w", g.handle, ErrMismatch)
	}
	return b, nil
}

func (g *group) open(ctx context.Context, keys Keys, id [16]byte) ([]byte, error) {
	if sha256.Sum256(g.blob) != g.sum {
		return nil, fmt.Errorf("sealed values of %s: %w", g.handle, ErrMismatch)
	}
	key, err := keys.Key(ctx, g.handle)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", g.handle, err)
	}
	plain, err := key.Decrypt(g.blob, appendData(nil, id, g.kind, g.handle))
	if err != nil {
		return nil, fmt.Errorf("sealed values of %s: %w", g.handle, err)
	}
	return plain, nil
}

// VerifyEvidence returns the event that a leaf and the evidence from [Open] prove: every value in it is what was
// recorded. It needs no key and trusts nobody but for the leaf, which is to be proven by the log. What is not shown
// reads as Open says; that a value has been erased, rather than withheld, is the word of whoever made the evidence.
//
// Evidence with anything changed, added, left out or moved is an error wrapping [ErrMismatch] or [opsec.ErrInvalid].
func VerifyEvidence(leaf, evidence []byte) (*opsec.Event, error) {
	l, err := Parse(leaf)
	if err != nil {
		return nil, err
	}
	if l.Kind != Event {
		return nil, fmt.Errorf("entry: not the leaf of an event: %w", opsec.ErrInvalid)
	}
	return verify(l, evidence)
}

func verify(leaf Leaf, evidence []byte) (*opsec.Event, error) {
	if len(evidence) > maxEvidence {
		return nil, badEvidence("too long")
	}
	r := reader{rest: evidence}
	if r.byte() != evidenceV1 {
		return nil, badEvidence("of no known version")
	}
	skeleton := r.bytes(r.uvarint(MaxBody))
	if r.short {
		return nil, badEvidence("without a skeleton")
	}
	if sha256.Sum256(skeleton) != leaf.Body {
		return nil, fmt.Errorf("entry: evidence: skeleton: %w", ErrMismatch)
	}
	var body Body
	if inner := (reader{rest: skeleton}); !body.parse(&inner) || !inner.done() {
		return nil, badEvidence("skeleton malformed")
	}
	e, ok := body.event(leaf)
	if !ok {
		return nil, badEvidence("attributes do not fit together")
	}
	for i := range body.groups {
		if err := body.groups[i].verify(e, &r); err != nil {
			return nil, err
		}
	}
	if !r.done() {
		return nil, badEvidence("too long")
	}
	return e, nil
}

// event returns what the leaf says of the event, with room for what it does not.
func (b *Body) event(leaf Leaf) (*opsec.Event, bool) {
	e := &opsec.Event{
		ID: leaf.EventID(), Time: leaf.Time, Class: leaf.Class, Category: leaf.Category, Action: leaf.Action,
		Outcome: leaf.Outcome,
	}
	if b.behalf {
		e.OnBehalfOf = new(opsec.Actor)
	}
	var taken [opsec.MaxAttrs]*slot
	n := len(leaf.Attrs)
	for i := range b.groups {
		for k := range b.groups[i].slots {
			if f := &b.groups[i].slots[k]; f.code == codeAttr {
				taken[f.pos] = f
				n++
			}
		}
	}
	if n > opsec.MaxAttrs {
		return nil, false
	}
	if n > 0 {
		e.Attrs = make([]opsec.Attr, n)
	}
	public := leaf.Attrs
	for i := range e.Attrs {
		switch f := taken[i]; {
		case f != nil:
			e.Attrs[i] = opsec.Attr{Key: string(f.key), Mark: f.mark}
		case len(public) > 0:
			e.Attrs[i], public = public[0], public[1:]
		default:
			return nil, false // somewhere behind the end is one
		}
	}
	return e, true
}

// verify reads the group's part of evidence into e.
func (g *group) verify(e *opsec.Event, r *reader) error {
	why := ""
	switch form := r.byte(); {
	case r.short:
		return badEvidence("too short")
	case form == groupShown:
		return g.verifyShown(e, r)
	case form == groupErased && g.size > 0:
		why = "erased"
	case form != groupWithheld:
		return badEvidence("group in an unknown form")
	case g.size == 0:
		why = "omitted"
	}
	for i := range g.slots {
		g.slots[i].mask(e, g.kind, why)
	}
	return nil
}

func (g *group) verifyShown(e *opsec.Event, r *reader) error {
	digests := append(make([]byte, 0, 1+32*len(g.slots)), hashCommitment)
	shown := 0
	for i := range g.slots {
		f := &g.slots[i]
		switch form := r.byte(); {
		case form == fieldDigest:
			digests = append(digests, r.bytes(sha256.Size)...)
			f.mask(e, g.kind, "")
		case form == fieldValue:
			disclosure := r.disclosure()
			if r.short || !f.set(e, g.kind, disclosure[saltLen:]) {
				return badEvidence(f.name(g.kind) + ": malformed")
			}
			digest := digestOf(disclosure)
			digests = append(digests, digest[:]...)
			shown++
		default:
			return badEvidence("field in an unknown form")
		}
	}
	if r.short || shown == 0 {
		return badEvidence("too short")
	}
	if sha256.Sum256(digests) != g.commitment {
		return fmt.Errorf("entry: evidence: values of %s: %w", g.handle, ErrMismatch)
	}
	return nil
}

func digestOf(disclosure []byte) [32]byte {
	var room [256]byte
	return sha256.Sum256(append(append(room[:0], hashDisclosure), disclosure...))
}

// disclosure reads a salt and its value.
func (r *reader) disclosure() []byte {
	return r.bytes(saltLen + r.uvarint(MaxBody))
}

func badEvidence(what string) error {
	return fmt.Errorf("entry: evidence: %s: %w", what, opsec.ErrInvalid)
}

package sample

import (
	"fmt"
	"time"
)

// Seed is what samples are drawn by.
type Seed [32]byte

// Derive returns the seed that a signed checkpoint (C2SP tlog-checkpoint, signed-note) gives to a freeze which the log has
// recorded at the anchor. It believes the anchor; [Recompute] has it proven.
//
// The seed is the SHA-256 of parts, each behind its length (eight bytes, big-endian): "opsec/sample/seed/v1", the digest
// of the freeze, the text of the checkpoint, and, of one cosignature, the name of the witness and the bytes that its line
// has in base64. It is the first, by name and then by those bytes, of a known witness and of a time from NotBefore to
// NotAfter. Other lines do not count: if more did, whoever publishes the checkpoint could leave some out, or have a witness
// of its own sign again and again, and come to another seed each time without asking anybody.
//
// Errors: [ErrTooEarly], [ErrTooLate]; [ErrUnproven] when log or witnesses have not signed; else one that wraps
// [opsec.ErrInvalid].
func Derive(f Freeze, a Anchor, checkpoint []byte, v CheckpointVerifier) (Seed, error) {
	s, _, err := derive(f, a, checkpoint, v)
	return s, err
}

func derive(f Freeze, a Anchor, checkpoint []byte, v CheckpointVerifier) (Seed, head, error) {
	fail := func(err error) (Seed, head, error) { return Seed{}, head{}, err }
	digest, err := f.Digest()
	if err != nil {
		return fail(err)
	}
	h, err := v.open(checkpoint)
	if err != nil {
		return fail(err)
	}
	if h.origin != a.Log {
		return fail(invalid("checkpoint of the log %q: the freeze is in %q", h.origin, a.Log))
	}
	if h.size <= a.Index {
		return fail(fmt.Errorf("%w: it has %d entries, and the freeze is entry %d", ErrTooEarly, h.size, a.Index))
	}
	parts := []string{string(digest[:]), h.text}
	witnesses, early, late := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range h.cosignatures {
		switch {
		case c.time.Before(f.NotBefore):
			early[c.name] = true
		case c.time.After(f.until()):
			late[c.name] = true
		default:
			if len(witnesses) == 0 { // they come by name
				parts = append(parts, c.name, string(c.raw))
			}
			witnesses[c.name] = true
		}
	}
	if len(witnesses) < v.Quorum {
		seen := fmt.Sprintf("%d of %d witnesses have signed from %s to %s, %d before, %d after", len(witnesses), v.Quorum,
			f.NotBefore.UTC().Format(time.RFC3339), f.until().UTC().Format(time.RFC3339), len(early), len(late))
		switch {
		case len(early) > 0:
			return fail(fmt.Errorf("%w: %s", ErrTooEarly, seen))
		case len(late) > 0:
			return fail(fmt.Errorf("%w: %s", ErrTooLate, seen))
		}
		return fail(unproven("%s", seen))
	}
	return hashOf("opsec/sample/seed/v1", parts...), h, nil
}

package sample

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Freeze fixes what an audit samples from. Its digest is recorded in a transparency log; see [Derive] for what comes then.
type Freeze struct {
	Audit   string       `json:"audit"`
	Attempt int          `json:"attempt"` // from 1: how often this audit has been frozen
	Scope   Digest       `json:"scope"`   // of all else that is fixed: the plan, with how many are to be drawn
	Frames  []Commitment `json:"frames"`  // 1 to 1,024, in bytewise order of their procedures
	// NotBefore is when the deciding checkpoint may be signed by witnesses at the earliest: whole seconds.
	NotBefore time.Time `json:"not_before"`
	// NotAfter is when at the latest; zero: 24 hours after NotBefore. The nearer, the fewer checkpoints there are to choose
	// from.
	NotAfter time.Time `json:"not_after,omitzero"`
}

// Anchor is where a log has recorded a freeze.
type Anchor struct {
	Log   string `json:"log"`   // its origin
	Index uint64 `json:"index"` // of the entry, from 0
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (f Freeze) Validate() error {
	if !name(f.Audit, maxName) {
		return invalid("audit of %d bytes: want 1 to %d, UTF-8, no control characters", len(f.Audit), maxName)
	}
	if f.Attempt < 1 || f.Attempt > 1<<31-1 {
		return invalid("attempt %d: want from 1", f.Attempt)
	}
	if len(f.Frames) == 0 || len(f.Frames) > maxFrame {
		return invalid("%d frames: want 1 to %d", len(f.Frames), maxFrame)
	}
	for i, c := range f.Frames {
		if err := c.Validate(); err != nil {
			return err
		}
		if i > 0 && f.Frames[i-1].Procedure >= c.Procedure {
			return invalid("frame %q is not after the one before it", c.Procedure)
		}
	}
	if !writable(f.NotBefore) {
		return invalid("not before: want whole seconds, after 1970 and before 10000")
	}
	if !f.NotAfter.IsZero() && (!writable(f.NotAfter) || f.NotAfter.Before(f.NotBefore)) {
		return invalid("not after: want whole seconds, not before NotBefore, before 10000")
	}
	return nil
}

// writable reports whether a cosignature can have that time, and JSON has one way to write it.
func writable(t time.Time) bool { return t.Nanosecond() == 0 && t.Unix() > 0 && t.UTC().Year() <= 9999 }

// until is the last instant at which witnesses may have signed.
func (f Freeze) until() time.Time {
	if f.NotAfter.IsZero() {
		return f.NotBefore.Add(24 * time.Hour)
	}
	return f.NotAfter
}

// Digest returns what the log records, or the error of Validate: the SHA-256 of two parts, each behind its length (eight
// bytes, big-endian): "opsec/sample/freeze/v1", and the freeze in JSON as RFC 8785 (JCS) writes it, with times in UTC.
func (f Freeze) Digest() (Digest, error) {
	if err := f.Validate(); err != nil {
		return Digest{}, err
	}
	return hashOf("opsec/sample/freeze/v1", f.canonical()), nil
}

// canonical is the freeze in JSON, the names of fields in alphabetical order.
func (f Freeze) canonical() []byte {
	type frame struct {
		Digest    Digest `json:"digest"`
		Procedure string `json:"procedure"`
		Sample    int    `json:"sample,omitempty"`
		Size      int    `json:"size"`
	}
	text := struct {
		Attempt   int       `json:"attempt"`
		Audit     string    `json:"audit"`
		Frames    []frame   `json:"frames"`
		NotAfter  time.Time `json:"not_after,omitzero"`
		NotBefore time.Time `json:"not_before"`
		Scope     Digest    `json:"scope"`
	}{f.Attempt, f.Audit, nil, f.NotAfter.UTC(), f.NotBefore.UTC(), f.Scope}
	for _, c := range f.Frames {
		text.Frames = append(text.Frames, frame{c.Digest, c.Procedure, c.Sample, c.Size})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic("sample: a valid freeze has no JSON: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Frame returns the commitment of a procedure.
func (f Freeze) Frame(procedure string) (Commitment, bool) {
	i, ok := slices.BinarySearchFunc(f.Frames, procedure, func(c Commitment, p string) int { return strings.Compare(c.Procedure, p) })
	if !ok {
		return Commitment{}, false
	}
	return f.Frames[i], true
}

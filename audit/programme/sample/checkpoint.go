package sample

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	maxNote  = 128 << 10 // bytes of a signed note
	maxTree  = 1 << 62   // entries; beyond it the arithmetic of sumdb/tlog does not end
	maxLines = 3 + 16    // of a checkpoint's text: origin, size, root, extensions
	maxKeys  = 64        // of logs, and of witnesses
)

// CheckpointVerifier says whose checkpoints are good. The zero CheckpointVerifier trusts nobody. Who recomputes a sample
// needs the same first witness that it was derived with (see [Derive]): publish the keys with the plan.
type CheckpointVerifier struct {
	Logs      []note.Verifier // keys of the log; their name is its origin
	Witnesses []note.Verifier // of Ed25519 cosignatures (C2SP tlog-cosignature, type 4); those of one name are one witness
	Quorum    int             // how many witnesses must have signed, from 1

	// InsecureUnwitnessed takes the log's word alone: with no witnesses and a Quorum of 0. Whoever has the log's key can
	// then choose the sample, and NotBefore and NotAfter mean nothing.
	InsecureUnwitnessed bool
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (v CheckpointVerifier) Validate() error {
	if len(v.Logs) == 0 || len(v.Logs) > maxKeys || len(v.Witnesses) > maxKeys {
		return invalid("verifier: %d keys of logs, %d of witnesses: want 1 to %d, at most %[3]d", len(v.Logs), len(v.Witnesses), maxKeys)
	}
	type key struct {
		name string
		hash uint32
	}
	seen, names := map[key]bool{}, map[string]bool{}
	for i, k := range slices.Concat(v.Logs, v.Witnesses) {
		if k == nil {
			return invalid("verifier: key %d is missing", i)
		}
		id := key{k.Name(), k.KeyHash()}
		if seen[id] {
			return invalid("verifier: key of %q is there twice", id.name)
		}
		seen[id] = true
		if i >= len(v.Logs) {
			names[id.name] = true
		}
	}
	for _, k := range v.Logs {
		if names[k.Name()] {
			return invalid("verifier: %q is a log and its own witness", k.Name())
		}
	}
	if v.InsecureUnwitnessed {
		if v.Quorum != 0 || len(v.Witnesses) != 0 {
			return invalid("verifier: witnesses, or a quorum, and InsecureUnwitnessed")
		}
		return nil
	}
	if v.Quorum < 1 || v.Quorum > len(names) {
		return invalid("verifier: quorum of %d: want 1 to the number of witnesses, %d", v.Quorum, len(names))
	}
	return nil
}

// head is a checkpoint that the log has signed, and what witnesses say of it.
type head struct {
	text         string
	origin       string
	size         uint64
	root         tlog.Hash
	cosignatures []cosignature // verified, by name, key and signature
}

// cosignature is a witness's.
type cosignature struct {
	name string
	time time.Time
	raw  []byte // as on the line: hash of the key, time, signature
}

// open verifies the signatures of a checkpoint; not how many there are.
func (v CheckpointVerifier) open(checkpoint []byte) (head, error) {
	if err := v.Validate(); err != nil {
		return head{}, err
	}
	if len(checkpoint) > maxNote {
		return head{}, invalid("checkpoint of %d bytes: want at most %d", len(checkpoint), maxNote)
	}
	n, err := note.Open(checkpoint, note.VerifierList(slices.Concat(v.Logs, v.Witnesses)...))
	if wrong, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return head{}, unproven("signature of %s+%08x does not verify", wrong.Name, wrong.Hash)
	}
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return head{}, unproven("checkpoint without a signature of a known key")
	}
	if err != nil {
		return head{}, invalid("checkpoint: %w", err)
	}
	h, err := parse(n.Text)
	if err != nil {
		return head{}, err
	}
	signed := false
	for _, s := range n.Sigs {
		if slices.ContainsFunc(v.Logs, func(k note.Verifier) bool { return k.Name() == s.Name && k.KeyHash() == s.Hash }) {
			signed = signed || s.Name == h.origin
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || len(raw) != 4+8+64 {
			return head{}, invalid("verifier: signatures of %q are not cosignatures with a time", s.Name)
		}
		at := binary.BigEndian.Uint64(raw[4:])
		if at == 0 || at > math.MaxInt64 {
			return head{}, invalid("cosignature of %q at second %d", s.Name, at)
		}
		h.cosignatures = append(h.cosignatures, cosignature{s.Name, time.Unix(int64(at), 0).UTC(), raw})
	}
	if !signed {
		return head{}, unproven("no key of the log %q has signed the checkpoint", h.origin)
	}
	slices.SortFunc(h.cosignatures, func(a, b cosignature) int {
		return cmp.Or(strings.Compare(a.name, b.name), bytes.Compare(a.raw, b.raw))
	})
	return h, nil
}

// parse reads the text of a checkpoint (C2SP tlog-checkpoint), which has one written form.
func parse(text string) (head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || len(lines) > maxLines+1 || slices.Contains(lines[:len(lines)-1], "") {
		return head{}, invalid("checkpoint of %d lines: want 3 to %d, none of them empty", len(lines)-1, maxLines)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || size > maxTree || strconv.FormatUint(size, 10) != lines[1] {
		return head{}, invalid("checkpoint: size line: want a number up to %d", uint64(maxTree))
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize || base64.StdEncoding.EncodeToString(root) != lines[2] {
		return head{}, invalid("checkpoint: root line: want the base64 of %d bytes", tlog.HashSize)
	}
	if size == 0 && tlog.Hash(root) != sha256.Sum256(nil) {
		return head{}, invalid("checkpoint: root of an empty tree: want the hash of nothing")
	}
	return head{text: text, origin: lines[0], size: size, root: tlog.Hash(root)}, nil
}

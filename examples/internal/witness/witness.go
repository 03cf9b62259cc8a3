// Package witness signs checkpoints for the examples, as a witness does (C2SP tlog-cosignature). In earnest a witness is
// somebody else's server, and signs only what continues what it has seen: checkpoint.Gatherer asks those.
package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Witness has a name and a key.
type Witness struct {
	name, vkey string
	id         []byte
	key        ed25519.PrivateKey
}

// New returns a witness with a new key.
func New(name string) *Witness {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // not from the system's randomness
	}
	typed := append([]byte{4}, public...) // the algorithm: timestamped Ed25519
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	vkey := fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(typed))
	return &Witness{name, vkey, sum[:4], private}
}

// Key returns the key to verify its signatures with, for checkpoint.NewCosignatureVerifier.
func (w *Witness) Key() string { return w.vkey }

// Cosign returns a signed checkpoint with one more signature, which says when the witness has seen it.
func (w *Witness) Cosign(signed []byte) ([]byte, error) {
	_, err := note.Open(signed, nil)
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return nil, fmt.Errorf("no checkpoint yet, or none that is signed: %w", err)
	}
	now := time.Now().Unix()
	line := binary.BigEndian.AppendUint64(slices.Clone(w.id), uint64(now))
	line = append(line, ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", now, unverified.Note.Text))...)
	return fmt.Appendf(slices.Clone(signed), "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(line)), nil
}

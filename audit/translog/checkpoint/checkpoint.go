package checkpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

const (
	// MaxSize is the largest tree: 1<<62 entries. Beyond it the arithmetic of sumdb/tlog does not end.
	MaxSize = 1 << 62

	maxOrigin     = 255 // bytes; what an ML-DSA cosignature can hold
	maxExtensions = 16
	maxExtension  = 1024 // bytes
)

// Checkpoint is the head of a log's Merkle tree (RFC 6962, section 2.1) as its text says it (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin     string    // names the log, such as "audit.example/eu-1"; 1 to 255 bytes of UTF-8, no control characters
	Size       uint64    // number of entries, up to MaxSize
	Root       tlog.Hash // of the tree of that size
	Extensions []string  // further lines, at most 16 of 1 to 1,024 bytes; better none: no witness vouches for them
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds. The root of an empty
// tree has to be the hash of nothing.
func (c Checkpoint) Validate() error {
	if !printable(c.Origin, maxOrigin) {
		return invalid("origin of %d bytes: want 1 to %d, UTF-8, no control characters", len(c.Origin), maxOrigin)
	}
	if c.Size > MaxSize {
		return invalid("size %d: want at most %d", c.Size, uint64(MaxSize))
	}
	if c.Size == 0 && c.Root != sha256.Sum256(nil) {
		return invalid("root of an empty tree is %s, not the hash of nothing", c.Root)
	}
	if len(c.Extensions) > maxExtensions {
		return invalid("%d extension lines: want at most %d", len(c.Extensions), maxExtensions)
	}
	for i, x := range c.Extensions {
		if !printable(x, maxExtension) {
			return invalid("extension line %d of %d bytes: want 1 to %d, UTF-8, no control characters", i+1, len(x), maxExtension)
		}
	}
	return nil
}

// String returns the text that is signed: origin, size, root and extensions, a line each.
func (c Checkpoint) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	for _, x := range c.Extensions {
		b.WriteString(x + "\n")
	}
	return b.String()
}

// Sign returns the checkpoint as a signed note. At least one signer bears the origin as its name: that is the log's own
// key, the others may be its next key or cosigners. An error wraps [opsec.ErrInvalid], or is what a signer returned.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(signers, func(s note.Signer) bool { return s.Name() == c.Origin }) {
		return nil, invalid("no signer has the name of the origin, %q", c.Origin)
	}
	signed, err := note.Sign(&note.Note{Text: c.String()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: sign: %w", err)
	}
	if _, err := split(signed); err != nil { // a signer of ours has made what nobody would read
		return nil, err
	}
	return signed, nil
}

// Parse reads the text of a checkpoint, which is the part of a signed note before its last empty line. There is one way
// to write a checkpoint; anything else is an error wrapping [opsec.ErrInvalid]. Parse says nothing about signatures:
// see [Policy.Open].
func Parse(text string) (Checkpoint, error) {
	if len(text) > maxNote {
		return Checkpoint{}, invalid("text of %d bytes: want at most %d", len(text), maxNote)
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || len(lines) > 4+maxExtensions {
		return Checkpoint{}, invalid("text of %d lines: want 3 to %d", len(lines)-1, 3+maxExtensions)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, invalid("size line is not a number")
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, invalid("root line: %w", err)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root}
	if rest := lines[3 : len(lines)-1]; len(rest) > 0 {
		c.Extensions = rest
	}
	if err := c.Validate(); err != nil {
		return Checkpoint{}, err
	}
	if c.String() != text {
		return Checkpoint{}, invalid("text is not written as a checkpoint is")
	}
	return c, nil
}

// parseHash reads 32 bytes in base64. Whoever calls it compares with what it would write itself.
func parseHash(s string) (tlog.Hash, error) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("not the base64 of a hash")
	}
	return tlog.Hash(raw), nil
}

// printable reports whether s is 1 to most bytes of UTF-8 without control characters.
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })
}

// invalid returns an error of this package that wraps opsec.ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("checkpoint: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

package checkpoint

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	maxHashes   = 63
	maxExtra    = 2 << 20 // bytes
	maxProof    = 4 << 20 // bytes of a file
)

// Proof shows on any machine, without the log, that an entry is in it (C2SP tlog-proof); a file of it is named
// *.tlog-proof.
type Proof struct {
	Index      uint64      // of the entry, from 0
	Hashes     []tlog.Hash // inclusion proof (RFC 6962, section 2.1.1), from the leaf's sibling upwards; at most 63
	Extra      []byte      // what the reader may need to make the leaf hash; vouched for by nobody; at most 2 MiB
	Checkpoint []byte      // the signed checkpoint of the tree, with its cosignatures
}

// InclusionError says that the leaf is not the entry at that index of that tree.
type InclusionError struct{ Index, Size uint64 }

// Error names index and size.
func (e *InclusionError) Error() string {
	return fmt.Sprintf("checkpoint: leaf is not entry %d of the tree of size %d: %v", e.Index, e.Size, ErrUntrusted)
}

// Unwrap returns [ErrUntrusted].
func (e *InclusionError) Unwrap() error { return ErrUntrusted }

// Validate returns an error wrapping [opsec.ErrInvalid] for what no reader would take: too many hashes, too much extra
// data, an index past the size, a checkpoint that is malformed.
func (p Proof) Validate() error {
	if len(p.Hashes) > maxHashes {
		return invalid("proof of %d hashes: want at most %d", len(p.Hashes), maxHashes)
	}
	if len(p.Extra) > maxExtra {
		return invalid("proof with %d bytes of extra data: want at most %d", len(p.Extra), maxExtra)
	}
	n, err := split(p.Checkpoint)
	if err != nil {
		return err
	}
	c, err := Parse(n.text)
	if err != nil {
		return err
	}
	if p.Index >= c.Size {
		return invalid("proof of entry %d in a tree of size %d", p.Index, c.Size)
	}
	return nil
}

// MarshalText returns the text form, after Validate.
func (p Proof) MarshalText() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p.text(), nil
}

func (p Proof) text() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if p.Extra != nil {
		b.WriteString("extra " + base64.StdEncoding.EncodeToString(p.Extra) + "\n")
	}
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for _, h := range p.Hashes {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads the text form, which is the only way to write that proof. It verifies nothing: see [Proof.Verify]. An
// error wraps [opsec.ErrInvalid].
func ParseProof(text []byte) (Proof, error) {
	if len(text) > maxProof {
		return Proof{}, invalid("proof of %d bytes: want at most %d", len(text), maxProof)
	}
	head, signed, _ := bytes.Cut(text, []byte("\n\n"))
	lines := strings.SplitN(string(head), "\n", 3+maxHashes+1) // one more than there may be
	if lines[0] != proofHeader {
		return Proof{}, invalid("proof does not begin with %s", proofHeader)
	}
	lines = lines[1:]
	var p Proof
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		extra, err := base64.StdEncoding.DecodeString(lines[0][len("extra "):])
		if err != nil {
			return Proof{}, invalid("proof has extra data that is not base64")
		}
		p.Extra, lines = append([]byte{}, extra...), lines[1:]
	}
	if len(lines) == 0 {
		return Proof{}, invalid("proof has no index line")
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return Proof{}, invalid("proof has no index line")
	}
	p.Index = index
	for i, s := range lines[1:] {
		h, err := parseHash(s)
		if err != nil {
			return Proof{}, invalid("hash %d of the proof: %w", i+1, err)
		}
		p.Hashes = append(p.Hashes, h)
	}
	p.Checkpoint = bytes.Clone(signed)
	if err := p.Validate(); err != nil {
		return Proof{}, err
	}
	if !bytes.Equal(p.text(), text) {
		return Proof{}, invalid("proof is not written as a proof is")
	}
	return p, nil
}

// Verify shows that the entry with this leaf hash (RFC 6962: tlog.RecordHash) is at p.Index of a log that the policy
// trusts, in a tree that its quorum has seen. Errors are those of [Policy.Open], and [*InclusionError].
func (p Proof) Verify(leaf tlog.Hash, policy Policy, now time.Time) (Verified, error) {
	if err := p.Validate(); err != nil {
		return Verified{}, err
	}
	v, err := policy.Open(p.Checkpoint, now)
	if err != nil {
		return Verified{}, err
	}
	if tlog.CheckRecord(p.Hashes, int64(v.Size), v.Root, int64(p.Index), leaf) != nil {
		return Verified{}, &InclusionError{p.Index, v.Size}
	}
	return v, nil
}

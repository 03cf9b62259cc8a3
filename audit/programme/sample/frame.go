package sample

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"
)

// Frame is a population: the distinct ids of all that a procedure could look at, in bytewise order.
type Frame struct {
	Procedure string   `json:"procedure"` // names the frame; a stratum has one of its own: "backup-1/eu"
	Items     []string `json:"items"`
	// Blind, when it is set, keeps what was not drawn from being guessed by its digest in the proofs of what was. It is
	// secret: keep it with the papers of the audit. Take a new one for each freeze, since a proof shows the salt that it gives
	// to a position.
	Blind Blind `json:"-"`
}

// Commitment is what is published of a frame: it fixes every item and its position, and shows none.
type Commitment struct {
	Procedure string `json:"procedure"`
	Size      int    `json:"size"`             // items, up to MaxSize
	Digest    Digest `json:"digest"`           // Merkle root of the items in their order (RFC 6962, section 2.1)
	Sample    int    `json:"sample,omitempty"` // how many are to be drawn at least; 0: said elsewhere
}

// Proof shows that an item is the one at a position of a frame.
type Proof struct {
	Index  int         `json:"index"` // from 0
	Item   string      `json:"item"`
	Salt   Digest      `json:"salt,omitzero"` // of a frame with a Blind
	Hashes []tlog.Hash `json:"hashes"`        // audit path (RFC 6962, section 2.1.1)
}

// Validate returns an error wrapping [opsec.ErrInvalid] unless procedure and items are UTF-8 without control characters,
// of 1 to 512 and 1 to 1,024 bytes, and the items ascend.
func (f Frame) Validate() error {
	if !name(f.Procedure, maxName) {
		return invalid("procedure of %d bytes: want 1 to %d, UTF-8, no control characters", len(f.Procedure), maxName)
	}
	if len(f.Items) > MaxSize {
		return invalid("frame of %d items: want at most %d", len(f.Items), MaxSize)
	}
	for i, item := range f.Items {
		if !name(item, maxItem) {
			return invalid("item %d of %d bytes: want 1 to %d, UTF-8, no control characters", i, len(item), maxItem)
		}
		if i > 0 && f.Items[i-1] >= item {
			return invalid("item %d is not after the one before it", i)
		}
	}
	return nil
}

// Commit returns the commitment to the frame, or the error of Validate. An empty frame has one too. It costs two hashes
// an item, and memory for the logarithm of their number.
func (f Frame) Commit() (Commitment, error) {
	if err := f.Validate(); err != nil {
		return Commitment{}, err
	}
	c := Commitment{Procedure: f.Procedure, Size: len(f.Items), Digest: sha256.Sum256(nil)}
	var peaks []tlog.Hash // of the full subtrees so far, the largest first
	for i, item := range f.Items {
		peaks = append(peaks, leaf(f.salt(i), item))
		for n := i; n&1 == 1; n >>= 1 {
			last := len(peaks) - 1
			peaks = append(peaks[:last-1], tlog.NodeHash(peaks[last-1], peaks[last]))
		}
	}
	for i := len(peaks) - 1; i >= 0; i-- {
		if i == len(peaks)-1 {
			c.Digest = Digest(peaks[i])
		} else {
			c.Digest = Digest(tlog.NodeHash(peaks[i], tlog.Hash(c.Digest)))
		}
	}
	return c, nil
}

// Prove returns the proofs of the items at these positions. It hashes the whole frame once, and keeps the hashes: 64 bytes
// an item. An error wraps [opsec.ErrInvalid].
func (f Frame) Prove(positions ...int) ([]Proof, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	stored := make([]tlog.Hash, 0, tlog.StoredHashCount(int64(len(f.Items))))
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(at))
		for i, a := range at {
			hashes[i] = stored[a]
		}
		return hashes, nil
	})
	for i, item := range f.Items {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf(f.salt(i), item), read)
		if err != nil {
			return nil, invalid("frame: %w", err)
		}
		stored = append(stored, more...)
	}
	proofs := make([]Proof, len(positions))
	for i, at := range positions {
		if at < 0 || at >= len(f.Items) {
			return nil, invalid("position %d in a frame of %d items", at, len(f.Items))
		}
		hashes, err := tlog.ProveRecord(int64(len(f.Items)), int64(at), read)
		if err != nil {
			return nil, invalid("frame: %w", err)
		}
		proofs[i] = Proof{Index: at, Item: f.Items[at], Salt: f.salt(at), Hashes: hashes}
	}
	return proofs, nil
}

// Verify returns nil when the proof shows that its item stands at its position of the frame. Otherwise the error wraps
// [ErrMismatch], or [opsec.ErrInvalid] for what cannot be a proof.
func (c Commitment) Verify(p Proof) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if p.Index < 0 || p.Index >= c.Size || !name(p.Item, maxItem) {
		return invalid("proof of an item of %d bytes at position %d: want 1 to %d, below %d", len(p.Item), p.Index, maxItem, c.Size)
	}
	err := tlog.CheckRecord(p.Hashes, int64(c.Size), tlog.Hash(c.Digest), int64(p.Index), leaf(p.Salt, p.Item))
	if err != nil {
		return mismatch("%s: item at position %d is another", c.Procedure, p.Index)
	}
	return nil
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (c Commitment) Validate() error {
	if !name(c.Procedure, maxName) {
		return invalid("procedure of %d bytes: want 1 to %d, UTF-8, no control characters", len(c.Procedure), maxName)
	}
	if c.Size < 0 || c.Size > MaxSize || c.Sample < 0 || c.Sample > c.Size {
		return invalid("commitment: size %d, sample %d: want at most %d, and no more than the size", c.Size, c.Sample, MaxSize)
	}
	if c.Size == 0 && c.Digest != sha256.Sum256(nil) {
		return invalid("commitment: digest of an empty frame: want that of nothing")
	}
	return nil
}

// salt is what hides the item at a position; zero in a frame without a Blind.
func (f Frame) salt(i int) (s Digest) {
	if f.Blind != (Blind{}) {
		mac := hmac.New(sha256.New, f.Blind[:])
		mac.Write([]byte(f.Procedure))
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(i)))
		mac.Sum(s[:0])
	}
	return s
}

// leaf is the hash of an item. The first byte tells one with a salt from one without.
func leaf(salt Digest, item string) tlog.Hash {
	b := make([]byte, 0, 256)
	if salt == (Digest{}) {
		b = append(b, 0)
	} else {
		b = append(append(b, 1), salt[:]...)
	}
	return tlog.RecordHash(append(b, item...))
}

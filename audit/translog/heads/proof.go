package heads

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// ErrUnproven says that a proof does not show what it was verified for: it is of another root or tag, or forged.
var ErrUnproven = errors.New("unproven")

// MaxProof is the greatest length of an encoded proof, in bytes: one of 128 steps. One of a million tags has about 700.
const MaxProof = 3 + 127*stepSize + innerSize

// What a path ends at.
const (
	atNothing = iota // the tree is empty
	atHead           // the tag's own head
	atLeaf           // the leaf of another tag
	atInner          // an inner node whose label the tag's place does not have
)

// Proof shows what a tree holds under one tag: a head, or nothing. It tells who has it nothing of other tags, but that some
// are there.
type Proof struct {
	kind  uint8
	steps []step // from the root on

	seq  uint64       // atHead
	leaf tlog.Hash    // atHead
	at   place        // atLeaf: its place; atInner: its label
	bit  uint8        // atInner: the bits of the label
	hash [2]tlog.Hash // atLeaf: the value; atInner: the children
}

// step is an inner node whose label the place of the tag has: how many bits that is, and the hash of the other child.
type step struct {
	bit   uint8
	other tlog.Hash
}

// Prove returns the proof that the head with this tag is in the tree, or that none is. It brings [Tree.Root] up to date
// first.
func (t *Tree) Prove(tag [16]byte) Proof {
	t.Root()
	if t.Len() == 0 {
		return Proof{}
	}
	at := placeOf(tag)
	near := t.leafs.at(t.nearest(&at))
	nearAt := placeOf(near.Tag)
	parts := common(&at, &nearAt) // 128 if tag is there

	var p Proof
	n := t.root
	for n < 0 {
		in := t.inner.at(uint32(^n))
		if int(in.bit) > parts {
			p.kind, p.bit, p.at = atInner, in.bit, nearAt.prefix(in.bit)
			p.hash = [2]tlog.Hash{*t.hash(in.child[0]), *t.hash(in.child[1])}
			return p
		}
		b := at.bit(in.bit)
		p.steps = append(p.steps, step{in.bit, *t.hash(in.child[1-b])})
		n = in.child[b]
	}
	if near.Tag == tag {
		p.kind, p.seq, p.leaf = atHead, near.Seq, near.Leaf
	} else {
		p.kind, p.at, p.hash[0] = atLeaf, nearAt, hashValue(&near.Head)
	}
	return p
}

// Verify returns the head that p proves to be under tag in the tree of this root, or false if p proves that there is none.
// For one root and tag there is one answer: no two proofs of a head and of none, or of two heads, can be made, not even by
// who made the tree, unless SHA-256 is broken. All else is an error wrapping [ErrUnproven].
func (p Proof) Verify(root tlog.Hash, tag [16]byte) (head Head, present bool, err error) {
	at := placeOf(tag)
	if p.kind == atLeaf || p.kind == atInner { // what is there instead: it must branch off from the end of the path
		parts, from, to := common(&at, &p.at), 0, 128
		if p.kind == atInner {
			to = int(p.bit)
		}
		if len(p.steps) > 0 {
			from = int(p.steps[len(p.steps)-1].bit) + 1
		}
		if parts < from || parts >= to {
			return Head{}, false, fmt.Errorf("heads: what it shows is not in the way of the tag: %w", ErrUnproven)
		}
	}
	var hash tlog.Hash
	switch p.kind {
	case atNothing:
		hash = hashEmpty()
	case atHead:
		head, present = Head{tag, p.seq, p.leaf}, true
		value := hashValue(&head)
		hash = hashLeaf(&at, &value)
	case atLeaf:
		hash = hashLeaf(&p.at, &p.hash[0])
	case atInner:
		hash = hashInner(p.bit, &p.at, &p.hash[0], &p.hash[1])
	}
	for i := len(p.steps) - 1; i >= 0; i-- {
		s := &p.steps[i]
		label := at.prefix(s.bit)
		if at.bit(s.bit) == 0 {
			hash = hashInner(s.bit, &label, &hash, &s.other)
		} else {
			hash = hashInner(s.bit, &label, &s.other, &hash)
		}
	}
	if hash != root {
		return Head{}, false, fmt.Errorf("heads: the path does not lead to the root: %w", ErrUnproven)
	}
	return head, present, nil
}

// The lengths of the parts of an encoded proof: version, kind and number of steps (1 byte each), steps, end.
const (
	proofVersion = 1
	stepSize     = 1 + 32
	headSize     = 8 + 32
	leafSize     = 16 + 32
	innerSize    = 1 + 16 + 32 + 32
)

// AppendTo appends the form that [ParseProof] reads.
func (p Proof) AppendTo(b []byte) []byte {
	b = append(b, proofVersion, p.kind, uint8(len(p.steps)))
	for i := range p.steps {
		b = append(append(b, p.steps[i].bit), p.steps[i].other[:]...)
	}
	switch p.kind {
	case atHead:
		b = append(binary.BigEndian.AppendUint64(b, p.seq), p.leaf[:]...)
	case atLeaf:
		b = append(append(b, p.at[:]...), p.hash[0][:]...)
	case atInner:
		b = append(append(b, p.bit), p.at[:]...)
		b = append(append(b, p.hash[0][:]...), p.hash[1][:]...)
	}
	return b
}

// ParseProof reads what [Proof.AppendTo] writes, of at most [MaxProof] bytes, and refuses all else with an error that wraps
// opsec.ErrInvalid. A proof that it returns is well formed, and proves nothing until it is verified.
func ParseProof(b []byte) (Proof, error) {
	if len(b) < 3 || b[0] != proofVersion || b[1] > atInner {
		return Proof{}, invalid("not a proof of this version")
	}
	p := Proof{kind: b[1]}
	steps, rest := int(b[2]), b[3:]
	if p.kind == atNothing && steps > 0 {
		return Proof{}, invalid("%d steps in an empty tree", steps)
	}
	if want := steps*stepSize + [...]int{atNothing: 0, atHead: headSize, atLeaf: leafSize, atInner: innerSize}[p.kind]; len(rest) != want {
		return Proof{}, invalid("%d bytes: want %d", len(b), 3+want)
	}
	least := 0 // that the next node's bit may be
	for range steps {
		s := step{bit: rest[0], other: tlog.Hash(rest[1:stepSize])}
		if int(s.bit) < least || s.bit > 127 {
			return Proof{}, invalid("step %d: its bit is %d: want %d to 127", len(p.steps), s.bit, least)
		}
		least = int(s.bit) + 1
		p.steps, rest = append(p.steps, s), rest[stepSize:]
	}
	switch p.kind {
	case atHead:
		p.seq, p.leaf = binary.BigEndian.Uint64(rest), tlog.Hash(rest[8:])
	case atLeaf:
		p.at, p.hash[0] = place(rest[:16]), tlog.Hash(rest[16:])
	case atInner:
		p.bit, p.at = rest[0], place(rest[1:17])
		p.hash = [2]tlog.Hash{tlog.Hash(rest[17:49]), tlog.Hash(rest[49:])}
		if int(p.bit) < least || p.bit > 127 || p.at != p.at.prefix(p.bit) {
			return Proof{}, invalid("the last node's label has %d bits: want %d to 127, and no others", p.bit, least)
		}
	}
	return p, nil
}

func invalid(format string, a ...any) error {
	return fmt.Errorf("heads: proof: %s: %w", fmt.Sprintf(format, a...), opsec.ErrInvalid)
}

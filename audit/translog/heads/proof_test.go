package heads_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/heads"
)

// refused tells that b is no proof for tag under root: not of anything.
func refused(t require.TestingT, b []byte, root tlog.Hash, tag [16]byte, what string) {
	p, err := heads.ParseProof(b)
	if err != nil {
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		return
	}
	head, present, err := p.Verify(root, tag)
	require.ErrorIs(t, err, heads.ErrUnproven, what)
	require.False(t, present, what)
	require.Zero(t, head, what)
}

// drawTree is a tree of up to 40 heads, and a tag that may be in it.
func drawTree(t *rapid.T) (*heads.Tree, [16]byte) {
	tree := new(heads.Tree)
	for range rapid.IntRange(0, 40).Draw(t, "n") {
		tree.Set(drawHead(t))
	}
	return tree, drawHead(t).Tag
}

func TestProofComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, tag := drawTree(t)
		b := tree.Prove(tag).AppendTo([]byte("before"))
		require.LessOrEqual(t, len(b)-6, heads.MaxProof)
		p, err := heads.ParseProof(b[6:])
		require.NoError(t, err)
		require.Equal(t, tree.Prove(tag), p)
		want, there := tree.Get(tag)
		head, present, err := p.Verify(tree.Root(), tag)
		require.NoError(t, err)
		require.Equal(t, there, present)
		require.Equal(t, want, head)
	})
}

func TestForgedProofIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, tag := drawTree(t)
		root, proof := tree.Root(), tree.Prove(tag).AppendTo(nil)

		for i := range proof {
			forged := slices.Clone(proof)
			forged[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			refused(t, forged, root, tag, fmt.Sprint("byte ", i))
			refused(t, proof[:i], root, tag, fmt.Sprint("the first ", i))
		}
		refused(t, append(slices.Clone(proof), 0), root, tag, "one byte more")
		refused(t, proof, tlog.Hash{1}, tag, "another root")

		steps := int(proof[2])
		if steps > 0 { // one step less, one twice, two the other way round
			i := 3 + 33*rapid.IntRange(0, steps-1).Draw(t, "step")
			less := slices.Delete(slices.Clone(proof), i, i+33)
			less[2]--
			refused(t, less, root, tag, "one step less")
			more := slices.Insert(slices.Clone(proof), i, proof[i:i+33]...)
			more[2]++
			refused(t, more, root, tag, "one step twice")
		}
		for b := range 128 { // a step more at the top, with any bit
			more := slices.Insert(slices.Clone(proof), 3, append([]byte{byte(b)}, root[:]...)...)
			more[2]++
			refused(t, more, root, tag, "one step more")
		}

		other := drawHead(t)
		if other.Tag != tag {
			if _, there := tree.Get(tag); there {
				refused(t, proof, root, other.Tag, "another's tag")
			}
			if _, there := tree.Get(other.Tag); there {
				refused(t, tree.Prove(other.Tag).AppendTo(nil), root, tag, "another's proof")
			}
		}
		other.Tag = tag
		if was, _ := tree.Get(tag); was != other {
			tree.Set(other)
			refused(t, proof, tree.Root(), tag, "an old proof")
			refused(t, tree.Prove(tag).AppendTo(nil), root, tag, "a new proof")
		}
	})
}

// What a dishonest log may build: any labels, any leaf anywhere, a tag in several places.
type built struct {
	hash  [32]byte
	head  *heads.Head // of a leaf
	label string      // of an inner node
	child [2]*built
}

func drawBuilt(t *rapid.T, depth int) *built {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		h := drawFew(t)
		return &built{hash: leafHash(h), head: &h}
	}
	label := placeOf(drawFew(t).Tag)[:rapid.IntRange(0, 6).Draw(t, "bits")]
	n := &built{label: label, child: [2]*built{drawBuilt(t, depth-1), drawBuilt(t, depth-1)}}
	n.hash = innerHash(label, n.child[0].hash, n.child[1].hash)
	return n
}

func drawFew(t *rapid.T) heads.Head {
	return heads.Head{Tag: [16]byte{rapid.ByteMax(5).Draw(t, "tag")}, Seq: rapid.Uint64Range(1, 3).Draw(t, "seq")}
}

// proofs appends a proof for each node below n that may be the end of one, whoever's.
func (n *built) proofs(steps []byte, count byte, all [][]byte) [][]byte {
	begin := func(kind byte) []byte { return append([]byte{1, kind, count}, steps...) }
	if n.head != nil {
		present := binary.BigEndian.AppendUint64(begin(1), n.head.Seq)
		place, value := bytesOf(placeOf(n.head.Tag)), valueHash(*n.head)
		absent := append(begin(2), place[:]...)
		return append(all, append(present, n.head.Leaf[:]...), append(absent, value[:]...))
	}
	label := bytesOf(n.label)
	absent := append(append(begin(3), byte(len(n.label))), label[:]...)
	absent = append(append(absent, n.child[0].hash[:]...), n.child[1].hash[:]...)
	all = append(all, absent)
	for i := range n.child {
		other := n.child[1-i].hash
		step := append([]byte{byte(len(n.label))}, other[:]...)
		all = n.child[i].proofs(append(slices.Clip(steps), step...), count+1, all)
	}
	return all
}

func TestNoTreeHasTwoAnswers(t *testing.T) {
	proven := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		tree := drawBuilt(t, 5)
		proofs := tree.proofs(nil, 0, nil)
		for tag := range byte(6) {
			tag := [16]byte{tag}
			type answer struct {
				heads.Head
				present bool
			}
			answers := map[answer]bool{}
			for _, b := range proofs {
				p, err := heads.ParseProof(b)
				if err != nil {
					continue
				}
				if h, present, err := p.Verify(tree.hash, tag); err == nil {
					answers[answer{h, present}] = true
					proven[present]++
				}
			}
			require.LessOrEqual(t, len(answers), 1)
		}
	})
	require.NotZero(t, proven[true])
	require.NotZero(t, proven[false])
}

func TestTagAtASecondPlaceIsNotProven(t *testing.T) {
	mine := heads.Head{Tag: [16]byte{1}, Seq: 9}
	old := heads.Head{Tag: [16]byte{1}, Seq: 8}
	side := int(placeOf(mine.Tag)[0] - '0')
	child := [2]*built{}
	child[side] = &built{hash: leafHash(mine), head: &mine}
	child[1-side] = &built{hash: leafHash(old), head: &old} // in the half where the tag cannot be
	tree := &built{child: child, hash: innerHash("", child[0].hash, child[1].hash)}

	var shown []heads.Head
	for _, b := range tree.proofs(nil, 0, nil) {
		p, err := heads.ParseProof(b)
		require.NoError(t, err)
		if h, present, err := p.Verify(tree.hash, mine.Tag); err == nil {
			require.True(t, present)
			shown = append(shown, h)
		}
	}
	require.Equal(t, []heads.Head{mine}, shown)
}

func TestLeafOutOfItsPlaceProvesNoAbsence(t *testing.T) {
	absent, other := [16]byte{1}, heads.Head{Tag: [16]byte{2}, Seq: 1}
	for placeOf(other.Tag)[0] == placeOf(absent)[0] {
		other.Tag[1]++
	}
	stray := &built{hash: leafHash(other), head: &other}
	tree := &built{child: [2]*built{stray, stray}, hash: innerHash("", stray.hash, stray.hash)}
	for _, b := range tree.proofs(nil, 0, nil) {
		refused(t, b, tree.hash, absent, "a stray leaf")
	}
}

func TestProofNamesNoOtherTag(t *testing.T) {
	var tree heads.Tree
	all := map[[16]byte]bool{}
	for i := range uint64(50) {
		tree.Set(head(i))
		all[head(i).Tag] = true
	}
	for i := range uint64(100) { // half of them absent
		b := tree.Prove(head(i).Tag).AppendTo(nil)
		for j := range len(b) - 15 {
			require.False(t, all[[16]byte(b[j:])])
		}
	}
}

func TestMalformedProofIsRefused(t *testing.T) {
	step := func(bit byte) []byte { return append([]byte{bit}, make([]byte, 32)...) }
	inner := func(bits byte, label ...byte) []byte {
		return append(append([]byte{bits}, label...), make([]byte, 16-len(label)+64)...)
	}
	for name, c := range map[string]struct {
		b  [][]byte
		ok bool
	}{
		"nothing at all":           {b: nil},
		"another version":          {b: [][]byte{{0, 0, 0}}},
		"an unknown kind":          {b: [][]byte{{1, 4, 0}}},
		"empty tree":               {b: [][]byte{{1, 0, 0}}, ok: true},
		"empty tree with a step":   {b: [][]byte{{1, 0, 1}, step(0)}},
		"two steps":                {b: [][]byte{{1, 1, 2}, step(0), step(127), make([]byte, 40)}, ok: true},
		"more steps than there":    {b: [][]byte{{1, 1, 3}, step(0), step(1), make([]byte, 40)}},
		"a bit twice":              {b: [][]byte{{1, 1, 2}, step(5), step(5), make([]byte, 40)}},
		"bits descend":             {b: [][]byte{{1, 1, 2}, step(5), step(4), make([]byte, 40)}},
		"bit 128":                  {b: [][]byte{{1, 1, 1}, step(128), make([]byte, 40)}},
		"label":                    {b: [][]byte{{1, 3, 1}, step(2), inner(3, 0xe0)}, ok: true},
		"label above its parent's": {b: [][]byte{{1, 3, 1}, step(3), inner(3, 0xe0)}},
		"label of 128 bits":        {b: [][]byte{{1, 3, 1}, step(2), inner(128, 0xe0)}},
		"label longer than said":   {b: [][]byte{{1, 3, 1}, step(2), inner(3, 0xf0)}},
		"long label":               {b: [][]byte{{1, 3, 0}, inner(65, 0, 0, 0, 0, 0, 0, 0, 0, 0x80)}, ok: true},
		"long label, longer yet":   {b: [][]byte{{1, 3, 0}, inner(64, 0, 0, 0, 0, 0, 0, 0, 0, 0x80)}},
	} {
		_, err := heads.ParseProof(slices.Concat(c.b...))
		if c.ok {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, opsec.ErrInvalid, name)
		}
	}
}

func TestLongestProofIsOfTheGreatestLength(t *testing.T) {
	b := []byte{1, 3, 127}
	for bit := range byte(127) {
		b = append(append(b, bit), make([]byte, 32)...)
	}
	b = append(append(b, 127), make([]byte, 16+64)...)
	require.Len(t, b, heads.MaxProof)
	p, err := heads.ParseProof(b)
	require.NoError(t, err)
	require.Equal(t, b, p.AppendTo(nil))
}

// FuzzParseProof: what is accepted is written as it was read, and proves nothing of a root that it is not of.
func FuzzParseProof(f *testing.F) {
	var tree heads.Tree
	f.Add(tree.Prove([16]byte{}).AppendTo(nil))
	for i := range uint64(20) {
		tree.Set(head(i))
		f.Add(tree.Prove(head(i).Tag).AppendTo(nil))
		f.Add(tree.Prove(head(i + 100).Tag).AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := heads.ParseProof(b)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.LessOrEqual(t, len(b), heads.MaxProof)
		require.Equal(t, b, p.AppendTo(nil))
		_, _, err = p.Verify(tlog.Hash{1}, [16]byte{})
		require.ErrorIs(t, err, heads.ErrUnproven)
	})
}

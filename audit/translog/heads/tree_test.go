package heads_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/heads"
)

// The definition of the package's documentation, done anew on strings of '0' and '1'.

func hash(parts ...any) (h [32]byte) {
	var b bytes.Buffer
	for _, p := range parts {
		if err := binary.Write(&b, binary.BigEndian, p); err != nil {
			panic(err)
		}
	}
	return sha256.Sum256(b.Bytes())
}

func placeOf(tag [16]byte) string {
	h := hash(byte(0x10), tag)
	var s strings.Builder
	for _, b := range h[:16] {
		fmt.Fprintf(&s, "%08b", b)
	}
	return s.String()
}

func bytesOf(place string) (b [16]byte) {
	for i, c := range place {
		if c == '1' {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return b
}

func valueHash(h heads.Head) [32]byte { return hash(byte(0x11), h.Tag, h.Seq, h.Leaf) }

func leafHash(h heads.Head) [32]byte { return hash(byte(0x12), bytesOf(placeOf(h.Tag)), valueHash(h)) }

func innerHash(label string, zero, one [32]byte) [32]byte {
	return hash(byte(0x13), byte(len(label)), bytesOf(label), zero, one)
}

// rootOf is the root of the tree of set, whose places all begin with label.
func rootOf(set []heads.Head, label string) [32]byte {
	if len(set) == 0 {
		return hash(byte(0x14))
	}
	if len(set) == 1 {
		return leafHash(set[0])
	}
	var sides [2][]heads.Head
	for _, h := range set {
		side := placeOf(h.Tag)[len(label)] - '0'
		sides[side] = append(sides[side], h)
	}
	for i, side := range sides {
		if len(side) == len(set) {
			return rootOf(set, label+string(rune('0'+i)))
		}
	}
	return innerHash(label, rootOf(sides[0], label+"0"), rootOf(sides[1], label+"1"))
}

func sorted(set map[[16]byte]heads.Head) []heads.Head {
	all := []heads.Head{}
	for _, h := range set {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b heads.Head) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	return all
}

func drawHead(t *rapid.T) heads.Head {
	h := heads.Head{Seq: rapid.Uint64().Draw(t, "seq"), Leaf: tlog.Hash{rapid.Byte().Draw(t, "leaf")}}
	binary.LittleEndian.PutUint16(h.Tag[:], rapid.Uint16Max(99).Draw(t, "tag"))
	return h
}

func TestTreeIsTheSetOfItsHeads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tree heads.Tree
		model := map[[16]byte]heads.Head{}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				h := drawHead(t)
				tree.Set(h)
				model[h.Tag] = h
			},
			"prove": func(t *rapid.T) {
				tag := drawHead(t).Tag
				want, there := model[tag]
				head, present, err := tree.Prove(tag).Verify(tree.Root(), tag)
				require.NoError(t, err)
				require.Equal(t, there, present)
				require.Equal(t, want, head)
			},
			"root": func(t *rapid.T) {
				require.Equal(t, tlog.Hash(rootOf(sorted(model), "")), tree.Root())
			},
			"come back": func(t *rapid.T) {
				again, err := heads.FromSnapshot(tree.Snapshot())
				require.NoError(t, err)
				tree = *again
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(model), tree.Len())
				tag := drawHead(t).Tag
				want, there := model[tag]
				head, present := tree.Get(tag)
				require.Equal(t, there, present)
				require.Equal(t, want, head)
			},
		})
		require.Equal(t, sorted(model), tree.Snapshot())
		require.Equal(t, tlog.Hash(rootOf(sorted(model), "")), tree.Root())
	})
}

func TestRootDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := map[[16]byte]heads.Head{}
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			h := drawHead(t)
			set[h.Tag] = h
		}
		all := sorted(set)
		want := tlog.Hash(rootOf(all, ""))
		var tree heads.Tree
		for _, h := range rapid.Permutation(all).Draw(t, "order") {
			if rapid.Bool().Draw(t, "twice") {
				tree.Set(heads.Head{Tag: h.Tag, Seq: h.Seq - 1})
			}
			if rapid.Bool().Draw(t, "hash") {
				tree.Root()
			}
			tree.Set(h)
		}
		require.Equal(t, want, tree.Root())
	})
}

func TestRootsOfFewHeads(t *testing.T) {
	var tree heads.Tree
	require.Equal(t, tlog.Hash(hash(byte(0x14))), tree.Root())
	require.Empty(t, tree.Snapshot())

	first := heads.Head{Tag: [16]byte{1}, Seq: 1, Leaf: tlog.Hash{2}}
	tree.Set(first)
	require.Equal(t, tlog.Hash(leafHash(first)), tree.Root())

	again, err := heads.FromSnapshot(nil)
	require.NoError(t, err)
	require.Zero(t, again.Len())
	again.Set(first)
	require.Equal(t, tree.Root(), again.Root())
}

func TestMoreHeadsThanOneChunk(t *testing.T) {
	var tree heads.Tree
	var all []heads.Head
	for i := range uint64(10_000) {
		all = append(all, head(i))
		tree.Set(all[i])
	}
	require.Equal(t, tlog.Hash(rootOf(all, "")), tree.Root())
	again, err := heads.FromSnapshot(tree.Snapshot())
	require.NoError(t, err)
	require.Equal(t, tree.Root(), again.Root())
	for _, h := range all {
		got, ok := again.Get(h.Tag)
		require.True(t, ok)
		require.Equal(t, h, got)
	}
}

func TestSnapshotOutOfOrderIsRefused(t *testing.T) {
	a, b, c := heads.Head{Tag: [16]byte{1}}, heads.Head{Tag: [16]byte{2}}, heads.Head{Tag: [16]byte{2, 1}}
	for name, snapshot := range map[string][]heads.Head{
		"descends":       {b, a},
		"descends later": {a, c, b},
		"twice":          {a, a},
		"two heads":      {a, {Tag: a.Tag, Seq: 2}},
	} {
		tree, err := heads.FromSnapshot(snapshot)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Nil(t, tree, name)
	}
	_, err := heads.FromSnapshot([]heads.Head{a, b, c})
	require.NoError(t, err)
}

package translog_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// directory is a tlog.TileReader of a log's files, by the C2SP layout.
type directory struct{ fs.FS }

func (directory) Height() int                     { return 8 }
func (directory) SaveTiles([]tlog.Tile, [][]byte) {}
func (d directory) ReadTiles(ts []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range ts {
		data, err := fs.ReadFile(d, strings.Replace(strings.Replace(t.Path(), "tile/8/", "tile/", 1), "/data/", "/entries/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// treeOf reads a signed checkpoint.
func treeOf(t *testing.T, signed []byte) tlog.Tree {
	t.Helper()
	n, err := note.Open(signed, note.VerifierList(theirVerifier(t)))
	require.NoError(t, err)
	var tree tlog.Tree
	var name, root string
	_, err = fmt.Sscanf(n.Text, "%s\n%d\n%s\n", &name, &tree.N, &root)
	require.NoError(t, err)
	require.Equal(t, origin, name)
	tree.Hash, err = tlog.ParseHash(root)
	require.NoError(t, err)
	return tree
}

// tlogReads verifies a log with x/mod alone: checkpoint, every entry, that it continues an older checkpoint, and, with
// nothing but JSON, that every tenant's events are a chain without a gap.
func tlogReads(t *testing.T, fsys fs.FS, before []byte, events int) {
	t.Helper()
	signed, err := fs.ReadFile(fsys, "checkpoint")
	require.NoError(t, err)
	tree, old := treeOf(t, signed), treeOf(t, before)
	hashes := tlog.TileHashReader(tree, directory{fsys})
	consistency, err := tlog.ProveTree(tree.N, old.N, hashes)
	require.NoError(t, err)
	require.NoError(t, tlog.CheckTree(consistency, tree.N, tree.Hash, old.N, old.Hash))

	type chain struct {
		seq  int
		leaf tlog.Hash
	}
	chains, ids := map[string]chain{}, map[string]bool{}
	for first := int64(0); first < tree.N; first += 256 {
		width := min(256, tree.N-first)
		bundles, err := directory{fsys}.ReadTiles([]tlog.Tile{{H: 8, L: -1, N: first / 256, W: int(width)}})
		require.NoError(t, err)
		var places []int64
		for i := range width {
			places = append(places, tlog.StoredHashIndex(0, first+i))
		}
		want, err := hashes.ReadHashes(places)
		require.NoError(t, err)
		rest := bundles[0]
		for i := range width {
			n := binary.BigEndian.Uint16(rest)
			leaf := rest[2 : 2+n]
			rest = rest[2+n:]
			require.Equal(t, want[i], tlog.RecordHash(leaf))
			var said struct {
				ID, Tenant, Prev string
				Seq              int
			}
			require.NoError(t, json.Unmarshal(leaf, &said))
			if said.ID == "" {
				continue // an epoch
			}
			last := chains[said.Tenant]
			require.Equal(t, last.seq+1, said.Seq)
			if last.seq > 0 {
				require.Equal(t, base64.RawURLEncoding.EncodeToString(last.leaf[:]), said.Prev)
			}
			chains[said.Tenant] = chain{said.Seq, want[i]}
			require.False(t, ids[said.ID], "an event that stands there twice")
			ids[said.ID] = true
		}
		require.Empty(t, rest)
	}
	require.Len(t, ids, events)
	require.Len(t, chains, min(events, 6))
}

// proofsOf has torchwood verify proof files of some entries.
func proofsOf(t *testing.T, k *kit, l *running, events int) {
	t.Helper()
	text, err := k.policy.Trust.MarshalText()
	require.NoError(t, err)
	policy, err := torchwood.ParsePolicy(text)
	require.NoError(t, err)
	for _, i := range []int{0, rand.IntN(events), rand.IntN(events), events - 1} {
		r, err := l.Append(t.Context(), event(i)) // it is there already: the first one's receipt
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		proof, err := l.Prove(ctx, r.Index)
		cancel()
		require.NoError(t, err)
		file, err := proof.MarshalText()
		require.NoError(t, err)
		require.NoError(t, torchwood.VerifyProof(policy, r.Leaf, file))
		require.Error(t, torchwood.VerifyProof(policy, tlog.RecordHash([]byte("another")), file))
		index := bytes.Replace(file, fmt.Appendf(nil, "index %d\n", r.Index), fmt.Appendf(nil, "index %d\n", r.Index+1), 1)
		require.NotEqual(t, file, index)
		require.Error(t, torchwood.VerifyProof(policy, r.Leaf, index))
	}
}

package tile_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// entryBytes is what the leaf of an event has.
const entryBytes = 330

// BenchmarkWriter appends entries whose leaf hashes are known, in batches of 1,000, and flushes every 100,000.
func BenchmarkWriter(b *testing.B) {
	root := openRoot(b)
	entries, hashes := make([][]byte, 1000), make([]tlog.Hash, 1000)
	for i := range entries {
		entries[i] = binary.LittleEndian.AppendUint32(make([]byte, 0, entryBytes), uint32(i))[:entryBytes]
		hashes[i] = tlog.RecordHash(entries[i])
	}
	w, err := tile.NewWriter(root, 0)
	require.NoError(b, err)
	b.SetBytes(entryBytes)
	b.ReportAllocs()
	for i := 0; i < b.N; i += len(entries) {
		k := min(len(entries), b.N-i)
		if err := w.Append(entries[:k], hashes[:k]); err != nil {
			b.Fatal(err)
		}
		if i%100_000 == 0 {
			if _, err := w.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkVerifier compares the files of a log with entries whose leaf hashes are known, and hashes them too.
func BenchmarkVerifier(b *testing.B) {
	root := openRoot(b)
	const size = 1 << 17
	entries, _, _ := fill(b, root, 0, size, entryBytes)
	hashes := make([]tlog.Hash, size)
	for i, entry := range entries {
		hashes[i] = tlog.RecordHash(entry)
	}
	for name, hash := range map[string]func(i int) tlog.Hash{
		"hashed":  func(i int) tlog.Hash { return hashes[i] },
		"hashing": func(i int) tlog.Hash { return tlog.RecordHash(entries[i]) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(entryBytes)
			for i := 0; i < b.N; i += size {
				v, err := tile.NewVerifier(root.FS(), size, 0, func(d *tile.DamageError) { b.Error(d) })
				require.NoError(b, err)
				for k := range min(size, b.N-i) {
					if err := v.Add(entries[k], hash(k)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkProve makes inclusion proofs of random entries of a tree.
func BenchmarkProve(b *testing.B) {
	root := openRoot(b)
	const size = 1<<17 + 12_345
	_, _, head := fill(b, root, 0, size, 8)
	for name, stride := range map[string]uint64{"near": 1, "far": 7_919} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			tree, err := tile.NewTree(root.FS(), size, head)
			require.NoError(b, err)
			for i := range uint64(b.N) {
				if _, err := tree.Prove(i * stride % size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

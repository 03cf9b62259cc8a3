package journal_test

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/journal"
)

// FuzzScan reads any bytes as segments: with checksums made right, so that what they hold is looked at.
func FuzzScan(f *testing.F) {
	dir := f.TempDir()
	j, _, err := journal.Open(dir, 0, 0, small)
	require.NoError(f, err)
	for n := range 20 {
		commit(f, j, n)
	}
	require.NoError(f, j.Close())
	all := segments(f, dir)
	a, b := must(os.ReadFile(all[0])), must(os.ReadFile(all[1]))
	f.Add(a, b, false)
	f.Add(a[:1000], b, true)
	f.Add(append(a[:64:64], b[64:]...), a, true)
	f.Add(append(make([]byte, 64), 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1), []byte{}, true)
	f.Fuzz(func(t *testing.T, first, second []byte, repair bool) {
		if len(first)+len(second) > 1<<18 {
			t.Skip()
		}
		first, second = append([]byte{}, first...), append([]byte{}, second...)
		if repair {
			mend(first)
			mend(second)
		}
		fsys := fstest.MapFS{
			"00000000000000000000.seg": {Data: first},
			"00000000000000000023.seg": {Data: second},
		}
		next, steps := uint64(0), 0
		for r, err := range journal.Scan(fsys, 0) {
			steps++
			if err != nil {
				require.ErrorIs(t, err, journal.ErrTampered)
				continue
			}
			require.GreaterOrEqual(t, r.Index, next, "in order, each once")
			require.NotEmpty(t, r.Leaf)
			require.LessOrEqual(t, len(r.Leaf), journal.MaxLeaf)
			require.LessOrEqual(t, len(r.Body), journal.MaxBody)
			next = r.Index + 1
		}
		require.LessOrEqual(t, steps, 10+(len(first)+len(second))/12, "a record and an error for every 24 bytes")
	})
}

// mend puts right checksums into a segment's header, and into its records as far as they follow each other.
func mend(b []byte) {
	if len(b) < 64 {
		return
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	copy(b, "opsecjnl\x01\x00\x00\x00")
	binary.LittleEndian.PutUint64(b[32:], uint64(len(b)))
	clear(b[56:64])
	binary.LittleEndian.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], table), table, b[16:64]))
	seed := crc32.Checksum(b[40:56], table)
	for at := 64; at+24 <= len(b); {
		size := 24 + uint64(binary.LittleEndian.Uint32(b[at+4:])) + uint64(binary.LittleEndian.Uint32(b[at+8:]))
		if size > uint64(len(b)-at) || binary.LittleEndian.Uint32(b[at+4:]) == 0 {
			return
		}
		end := at + int(size)
		binary.LittleEndian.PutUint32(b[at:], crc32.Update(seed, table, b[at+4:end]))
		for at = end; at%8 != 0; at++ {
			if at < len(b) {
				b[at] = 0
			}
		}
	}
}

// FuzzOpen lets any bytes stand in the last segment: Open finds an end, and goes on from there, or refuses.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j, _, err := journal.Open(dir, 0, 0, small)
	require.NoError(f, err)
	for n := range 10 {
		commit(f, j, n)
	}
	require.NoError(f, j.Close())
	a := must(os.ReadFile(segments(f, dir)[0]))
	f.Add(a, false)
	f.Add(append([]byte{}, a[:1200]...), false)
	f.Add(append(append([]byte{}, a[:1200]...), 7), true)
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		if len(b) > segmentBytes {
			t.Skip()
		}
		b = append([]byte{}, b...)
		if repair {
			mend(b)
		}
		dir := t.TempDir()
		name := dir + "/00000000000000000000.seg"
		require.NoError(t, os.WriteFile(name, b, 0o600))
		j, r, err := journal.Open(dir, 0, 0, small)
		if err != nil {
			require.ErrorIs(t, err, journal.ErrTampered)
			require.Equal(t, b, must(os.ReadFile(name)), "nothing was changed")
			return
		}
		require.Less(t, r.Size, uint64(math.MaxUint32))
		batch := j.Batch()
		_, err = batch.Add([]byte("leaf"), nil)
		require.NoError(t, err)
		require.NoError(t, j.Commit(batch))
		require.NoError(t, j.Close())
		next := uint64(0)
		for record, err := range journal.Scan(os.DirFS(dir), 0) {
			require.NoError(t, err)
			require.Equal(t, next, record.Index)
			next++
		}
		require.Equal(t, r.Size+1, next)
	})
}

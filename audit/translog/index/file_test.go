package index_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/index"
)

func refused(t *testing.T, file []byte, span uint64, what ...any) {
	t.Helper()
	x, err := index.Open(file, span)
	require.ErrorIs(t, err, opsec.ErrInvalid, what...)
	require.Nil(t, x, what...)
}

func TestChangedFileIsRefused(t *testing.T) {
	_, b := fill(t, 300, 6, 9)
	file := b.Encode()
	_, err := index.Open(file, 9)
	require.NoError(t, err)
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			refused(t, file, 9, "byte %d, bit %d", i, bit)
			file[i] ^= 1 << bit
		}
		refused(t, file[:i], 9, "the first %d bytes", i)
	}
	refused(t, append(slices.Clip(file), 0), 9, "a byte more")
	refused(t, file, 8, "another span")
}

// sealed is body with the digest that fits.
func sealed(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(slices.Clip(body), sum[:]...)
}

// TestHostileFileIsRefused changes files and seals them again, as who can write them may.
func TestHostileFileIsRefused(t *testing.T) {
	le := binary.LittleEndian
	few := index.NewBuilder(0) // 257 entries: two blocks, of which the second has one
	for pos := range 257 {
		keys := [][]byte{[]byte("every")}
		if pos%2 == 0 {
			keys = append(keys, []byte("even"))
		}
		require.NoError(t, few.Add(uint16(pos), start, keys...))
	}
	many := index.NewBuilder(0) // 4,991 entries: bits, all but one of the last word that has any
	for pos := range 4991 {
		require.NoError(t, many.Add(uint16(pos), start, []byte("every")))
	}
	const header, fewKeys, fewCounts, fewPositions = 24, 24 + 2*16, 24 + 2*16 + 2*8, 24 + 2*16 + 2*8 + 2*2
	const manyCounts, manyPositions = 24 + 20*16 + 8, 24 + 20*16 + 8 + 2
	swap := func(b []byte, size int) { copy(b, append(slices.Clone(b[size:2*size]), b[:size]...)) }
	for name, c := range map[string]struct {
		of     *index.Builder
		change func(b []byte) []byte
	}{
		"another magic":             {few, func(b []byte) []byte { b[7]++; return b }},
		"entries of a third block":  {few, func(b []byte) []byte { le.PutUint32(b[16:], 513); return b }},
		"fewer entries":             {few, func(b []byte) []byte { le.PutUint32(b[16:], 256); return b }},
		"no entries":                {few, func(b []byte) []byte { le.PutUint32(b[16:], 0); return b }},
		"more entries than a span":  {few, func(b []byte) []byte { le.PutUint32(b[16:], index.Span+1); return b }},
		"all entries there are":     {few, func(b []byte) []byte { le.PutUint32(b[16:], 1<<32-1); return b }},
		"a key less":                {few, func(b []byte) []byte { le.PutUint32(b[20:], 1); return b }},
		"a key more":                {few, func(b []byte) []byte { le.PutUint32(b[20:], 3); return b }},
		"as many keys as may be":    {few, func(b []byte) []byte { le.PutUint32(b[20:], 257*index.MaxKeys); return b }},
		"all keys there are":        {few, func(b []byte) []byte { le.PutUint32(b[20:], 1<<32-1); return b }},
		"times the wrong way round": {few, func(b []byte) []byte { b[header]++; return b }},
		"two times of one entry":    {few, func(b []byte) []byte { b[header+16+8]++; return b }},
		"a time before year 1":      {few, func(b []byte) []byte { le.PutUint64(b[header:], 1<<63); return b }},
		"a time after year 9999":    {few, func(b []byte) []byte { le.PutUint64(b[header+8:], 1<<62); return b }},
		"keys that descend":         {few, func(b []byte) []byte { swap(b[fewKeys:], 8); return b }},
		"a key twice":               {few, func(b []byte) []byte { copy(b[fewKeys+8:], b[fewKeys:fewKeys+8]); return b }},
		"one position more":         {few, func(b []byte) []byte { b[fewCounts]++; return b }},
		"one position less":         {few, func(b []byte) []byte { b[fewCounts]--; return b }},
		"as many as may be":         {few, func(b []byte) []byte { le.PutUint16(b[fewCounts:], 1<<16-1); return b }},
		"positions that descend":    {few, func(b []byte) []byte { swap(b[fewPositions:], 2); return b }},
		"a position twice":          {few, func(b []byte) []byte { copy(b[fewPositions+2:], b[fewPositions:fewPositions+2]); return b }},
		"a position beyond":         {few, func(b []byte) []byte { le.PutUint16(b[len(b)-2:], 257); return b }},
		"a byte more":               {few, func(b []byte) []byte { return append(b, 0) }},
		"a position more at the end": {few, func(b []byte) []byte {
			return le.AppendUint16(b, 256)
		}},
		"a byte less":                     {few, func(b []byte) []byte { return b[:len(b)-1] }},
		"the header alone":                {few, func(b []byte) []byte { return b[:header] }},
		"less than a header":              {few, func(b []byte) []byte { return b[:header-1] }},
		"bits, one less than said":        {many, func(b []byte) []byte { b[manyPositions] &^= 1; return b }},
		"bits, one beyond":                {many, func(b []byte) []byte { b[manyPositions] &^= 1; b[manyPositions+4991/8] |= 128; return b }},
		"bits, the last one":              {many, func(b []byte) []byte { b[manyPositions] &^= 1; b[manyPositions+8191] |= 128; return b }},
		"bits that could be a list":       {many, func(b []byte) []byte { le.PutUint16(b[manyCounts:], 4095); return b }},
		"bits, one more said than is":     {many, func(b []byte) []byte { le.PutUint16(b[manyCounts:], 5000); return b }},
		"bits that end early":             {many, func(b []byte) []byte { return b[:len(b)-1] }},
		"bits that go on for a byte more": {many, func(b []byte) []byte { return append(b, 0) }},
	} {
		body := c.of.Encode()
		body = body[:len(body)-sha256.Size]
		_, err := index.Open(sealed(body), 0)
		require.NoError(t, err)
		refused(t, sealed(c.change(body)), 0, name)
	}
}

// bare is the header of span 0, and times that are all 0.
func bare(entries, keys int) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("opsecix1\x00\x00\x00\x00\x00\x00\x00\x00"), uint32(entries))
	b = binary.LittleEndian.AppendUint32(b, uint32(keys))
	return append(b, make([]byte, (entries+255)/256*16)...)
}

func TestFileOfTooMuchIsRefused(t *testing.T) {
	_, err := index.Open(sealed(bare(index.Span, 0)), 0)
	require.NoError(t, err)
	refused(t, sealed(bare(index.Span+1, 0)), 0, "entries")

	for positions, keys := range map[int]int{1: index.MaxKeys + 1, 2: index.MaxKeys + 1} { // of as many entries
		body := bare(positions, keys)
		for i := range keys {
			body = binary.LittleEndian.AppendUint64(body, uint64(i))
		}
		for range keys {
			body = binary.LittleEndian.AppendUint16(body, uint16(positions-1))
		}
		for range keys {
			for pos := range positions {
				body = binary.LittleEndian.AppendUint16(body, uint16(pos))
			}
		}
		refused(t, sealed(body), 0, "keys of %d entries", positions)
	}
}

func TestFormatStaysAsItIs(t *testing.T) {
	b := index.NewBuilder(5)
	require.NoError(t, b.Add(0, start, []byte("tacme"), []byte("rsixteen bytes it"), []byte("neight b")))
	require.NoError(t, b.Add(1, start.Add(time.Second), []byte("tacme")))
	file := b.Encode()
	require.Equal(t, "6f7073656369783105000000000000000200000003000000004013820e610600408222820e610600"+ // header, times
		"74da0847353680c7def63e66d8e185e02f38c28e774426e8"+"010000000000"+"0000010000000000", // keys, counts, positions
		hex.EncodeToString(file[:len(file)-sha256.Size]))
}

// FuzzOpen: what is accepted is what a Builder encodes, and can be searched.
func FuzzOpen(f *testing.F) {
	for _, n := range []int{0, 1, 20, 257} {
		_, b := fill(f, n, 8, 0)
		file := b.Encode()
		f.Add(file[:len(file)-sha256.Size], []byte("ok"))
	}
	every := index.NewBuilder(0)
	for pos := range 4100 {
		require.NoError(f, every.Add(uint16(pos), start, []byte("every")))
	}
	file := every.Encode()
	f.Add(file[:len(file)-sha256.Size], []byte("every"))
	f.Fuzz(func(t *testing.T, body, key []byte) {
		file := sealed(body)
		x, err := index.Open(file, 0)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.Equal(t, file, x.Again(0))
		first, last := x.Times()
		for _, q := range []index.Query{
			{All: []index.AnyOf{{key}}},
			{All: []index.AnyOf{{key, []byte("ok")}}, From: first, To: last, Descending: true},
		} {
			for pos := range x.Find(q, 10) {
				require.Less(t, int(pos), x.Len())
			}
		}
	})
}

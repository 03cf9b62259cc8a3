package index

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

const (
	Span    = 1 << 16 // entries of a log that one index covers
	MaxKeys = 80      // keys of an entry: more than an event can have
)

// Builder is the index of a span that is still growing. One goroutine adds; any number may find meanwhile, and each sees
// the entries that were there when it began, none of them in part.
type Builder struct {
	span uint64

	mu    sync.RWMutex
	table []row // by number, open addressing; half of it is free at least
	keys  int   // rows taken
	// chunks hold the positions of keys. What a list holds is not changed, nor its place given to another: who has taken
	// the slice under the lock reads on without it.
	chunks [][]byte
	free   []byte // the rest of the last one
	blocks blocks
}

// chunk is how many bytes are taken at a time: the longest list fits.
const chunk = 2 * Span

// row is a key of a Builder, by its number. One position lies in at, more from there on in chunks, where there is room
// for the next power of two.
type row struct {
	number uint64
	at     uint32
	n      uint32 // positions; 0: the row is free
}

// NewBuilder returns the empty index of span, which is the number of its first entry divided by [Span].
func NewBuilder(span uint64) *Builder { return &Builder{span: span, table: make([]row, 1<<10)} }

// Add enters the entry at pos, which must be [Builder.Len], with its time, of the years 1 to 9999, and up to [MaxKeys]
// keys. A key given twice counts once. Nothing of the arguments is kept. An error wraps opsec.ErrInvalid, and then nothing
// has changed.
func (b *Builder) Add(pos uint16, at time.Time, keys ...[]byte) error {
	if sec := at.Unix(); sec < firstSecond || sec > lastSecond {
		return fmt.Errorf("index: time is outside of the years 1 to 9999: %w", opsec.ErrInvalid)
	}
	if len(keys) > MaxKeys {
		return fmt.Errorf("index: %d keys: want at most %d: %w", len(keys), MaxKeys, opsec.ErrInvalid)
	}
	var numbers [MaxKeys]uint64
	for i, key := range keys {
		numbers[i] = number(key)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if int(pos) != b.blocks.n {
		return fmt.Errorf("index: position %d: want %d, of at most %d: %w", pos, b.blocks.n, Span-1, opsec.ErrInvalid)
	}
	for _, n := range numbers[:len(keys)] {
		b.add(n, pos)
	}
	b.blocks.add(at.UnixMicro())
	return nil
}

func (b *Builder) add(number uint64, pos uint16) {
	r := b.row(number)
	if r.n == 0 {
		*r = row{number: number, at: uint32(pos), n: 1}
		if b.keys++; 2*b.keys > len(b.table) {
			b.grow()
		}
		return
	}
	if b.last(r) == pos {
		return
	}
	if r.n&(r.n-1) == 0 { // full: it moves to where it has room to double
		list := b.posting(r).data
		r.at = b.take(2 * len(list))
		copy(b.list(r.at), list)
	}
	binary.LittleEndian.PutUint16(b.list(r.at)[2*r.n:], pos)
	r.n++
}

// take returns where n bytes are that were free.
func (b *Builder) take(n int) uint32 {
	if len(b.free) < n {
		b.free = make([]byte, chunk)
		b.chunks = append(b.chunks, b.free)
	}
	at := len(b.chunks)*chunk - len(b.free)
	b.free = b.free[n:]
	return uint32(at)
}

// list returns the list at a place, and what is behind it.
func (b *Builder) list(at uint32) []byte { return b.chunks[at/chunk][at%chunk:] }

// row returns the row of a number, or the free one where it belongs.
func (b *Builder) row(number uint64) *row {
	mask := uint64(len(b.table) - 1)
	for i := number & mask; ; i = (i + 1) & mask {
		if r := &b.table[i]; r.n == 0 || r.number == number {
			return r
		}
	}
}

func (b *Builder) grow() {
	old := b.table
	b.table = make([]row, 2*len(old))
	for _, r := range old {
		if r.n > 0 {
			*b.row(r.number) = r
		}
	}
}

func (b *Builder) last(r *row) uint16 {
	if r.n == 1 {
		return uint16(r.at)
	}
	return binary.LittleEndian.Uint16(b.list(r.at)[2*r.n-2:])
}

func (b *Builder) posting(r *row) posting {
	if r.n == 1 {
		return posting{n: 1, data: binary.LittleEndian.AppendUint16(nil, uint16(r.at))}
	}
	return posting{n: int(r.n), data: b.list(r.at)[:2*r.n]}
}

// Len is the number of entries.
func (b *Builder) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.blocks.n
}

// Times is [Index.Times].
func (b *Builder) Times() (first, last time.Time) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.blocks.bounds()
}

// Find is [Index.Find] on the entries that are there when the iteration begins.
func (b *Builder) Find(q Query, from uint16) iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		b.mu.RLock()
		clauses, ok := q.clauses(func(number uint64) (posting, bool) {
			r := b.row(number)
			if r.n == 0 {
				return posting{}, false
			}
			return b.posting(r), true
		})
		var times blocks
		if ok {
			times = b.blocks.snapshot()
		}
		b.mu.RUnlock()
		if ok {
			q.find(clauses, times, from, yield)
		}
	}
}

// Encode returns the file of what was added so far. It depends on nothing else.
func (b *Builder) Encode() []byte {
	b.mu.RLock()
	defer b.mu.RUnlock()
	rows := make([]row, 0, b.keys)
	size := headerSize + len(b.blocks.times)*blockSize + b.keys*keySize + sha256.Size
	for _, r := range b.table {
		if r.n > 0 {
			rows = append(rows, r)
			size += postingSize(int(r.n))
		}
	}
	slices.SortFunc(rows, func(r, s row) int { return cmp.Compare(r.number, s.number) })

	file := make([]byte, 0, size)
	file = append(file, magic...)
	file = binary.LittleEndian.AppendUint64(file, b.span)
	file = binary.LittleEndian.AppendUint32(file, uint32(b.blocks.n))
	file = binary.LittleEndian.AppendUint32(file, uint32(b.keys))
	for _, t := range b.blocks.times {
		file = binary.LittleEndian.AppendUint64(file, uint64(t.min))
		file = binary.LittleEndian.AppendUint64(file, uint64(t.max))
	}
	for _, r := range rows {
		file = binary.LittleEndian.AppendUint64(file, r.number)
	}
	for _, r := range rows {
		file = binary.LittleEndian.AppendUint16(file, uint16(r.n-1))
	}
	for _, r := range rows {
		if r.n == 1 {
			file = binary.LittleEndian.AppendUint16(file, uint16(r.at))
		} else {
			file = b.posting(&r).appendTo(file)
		}
	}
	sum := sha256.Sum256(file)
	return append(file, sum[:]...)
}

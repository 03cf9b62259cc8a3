package index

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"sort"
	"time"

	"github.com/cloudopsec/opsec"
)

// A file, of integers that are little-endian:
//
//	magic, span (8 bytes), entries (4), keys (4)
//	the earliest and the latest time of each block (8 and 8)
//	the number of each key, ascending (8)
//	how many positions each has, less one (2)
//	these, a posting after the other
//	the SHA-256 of all before (32)
//
// There are no offsets to get wrong, and no two ways to say the same.
const (
	magic      = "opsecix1"
	headerSize = len(magic) + 8 + 4 + 4
	blockSize  = 8 + 8
	keySize    = 8 + 2
)

// Index is the index of a span, read from a file. Any number of goroutines may use it.
type Index struct {
	times    blocks
	numbers  []byte   // 8 for each key
	postings []byte   // all of them
	ends     []uint32 // where in postings each ends
	counts   []byte   // 2 for each key
}

// Open reads the file of span, and keeps it: it must not be changed afterwards. It accepts what a [Builder] of this span
// encodes, and no other way to write the same; all else is an error wrapping opsec.ErrInvalid. It takes no more memory
// than the file does, whatever the file says.
func Open(file []byte, span uint64) (*Index, error) {
	if len(file) < headerSize+sha256.Size || string(file[:len(magic)]) != magic {
		return nil, invalid("not an index of this version")
	}
	body, digest := file[:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], digest) {
		return nil, invalid("the digest differs")
	}
	header, rest := body[len(magic):headerSize], body[headerSize:]
	if is := binary.LittleEndian.Uint64(header); is != span {
		return nil, invalid("span is %d: want %d", is, span)
	}
	entries, numbers := binary.LittleEndian.Uint32(header[8:]), binary.LittleEndian.Uint32(header[12:])
	if entries > Span {
		return nil, invalid("%d entries: want at most %d", entries, Span)
	}
	if numbers > entries*MaxKeys {
		return nil, invalid("%d keys: %d entries have at most %d", numbers, entries, entries*MaxKeys)
	}
	n, keys := int(entries), int(numbers)
	count := (n + blockLen - 1) / blockLen
	if len(rest) < count*blockSize+keys*keySize {
		return nil, invalid("%d bytes are too few for %d entries and %d keys", len(file), n, keys)
	}
	x := new(Index)
	times, rest := rest[:count*blockSize], rest[count*blockSize:]
	x.numbers, rest = rest[:8*keys], rest[8*keys:]
	x.counts, x.postings = rest[:2*keys], rest[2*keys:]
	var err error
	if x.times, err = readBlocks(times, n); err == nil {
		err = x.readKeys(keys)
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// readKeys looks at all keys and their positions.
func (x *Index) readKeys(keys int) error {
	x.ends = make([]uint32, keys)
	end, total := 0, 0
	for i := range keys {
		if i > 0 && x.number(i-1) >= x.number(i) {
			return invalid("key %d: keys do not ascend", i)
		}
		n := x.count(i)
		if end, total = end+postingSize(n), total+n; end > len(x.postings) || total > x.times.n*MaxKeys {
			return invalid("key %d: more positions than there is room for", i)
		}
		x.ends[i] = uint32(end)
		if fault := x.posting(i).fault(x.times.n); fault != "" {
			return invalid("key %d: %s", i, fault)
		}
	}
	if end != len(x.postings) {
		return invalid("%d bytes behind the positions", len(x.postings)-end)
	}
	return nil
}

func invalid(format string, a ...any) error {
	return fmt.Errorf("index: %s: %w", fmt.Sprintf(format, a...), opsec.ErrInvalid)
}

// Len is the number of entries.
func (x *Index) Len() int { return x.times.n }

// Times returns the earliest and the latest time of the entries, rounded down to the microsecond; the zero time if there
// are none.
func (x *Index) Times() (first, last time.Time) { return x.times.bounds() }

func (x *Index) number(i int) uint64 { return binary.LittleEndian.Uint64(x.numbers[8*i:]) }

func (x *Index) count(i int) int { return int(binary.LittleEndian.Uint16(x.counts[2*i:])) + 1 }

// posting is the positions of key i.
func (x *Index) posting(i int) posting {
	n, end := x.count(i), int(x.ends[i])
	return posting{n: n, bits: n > maxList, data: x.postings[end-postingSize(n) : end]}
}

// Find yields the positions of the entries that meet q, beginning at from (included): 0 for the first page upwards,
// Span-1 for the first page downwards. Of the entries within the bounds of time it misses none, but it yields others of
// their blocks too; and a key is known by 64 bits. Compare what is found with the entries.
func (x *Index) Find(q Query, from uint16) iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		clauses, ok := q.clauses(func(number uint64) (posting, bool) {
			i, found := sort.Find(len(x.ends), func(i int) int { return cmp.Compare(number, x.number(i)) })
			if !found {
				return posting{}, false
			}
			return x.posting(i), true
		})
		if ok {
			q.find(clauses, x.times, from, yield)
		}
	}
}

package sample

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Draw returns k positions of the frame, ascending, from 0: a subset in which each of that size is as likely as any other.
// It takes memory for k, whatever the size of the frame. An error wraps [opsec.ErrInvalid].
//
// The positions are the first k of a shuffle (Fisher and Yates, as Durstenfeld has it): in step i the position i changes
// places with i + w mod (size - i), and is drawn. Words w of eight bytes, big-endian, come from blocks, four from each: the
// SHA-256 of a key and the number of the block (eight bytes, big-endian, from 0). Words below 2^64 mod (size - i) are
// passed over, so that no position is favoured. The key is the SHA-256 of parts, each behind its length (eight bytes,
// big-endian): "opsec/sample/draw/v1", the seed, the procedure, the size (eight bytes, big-endian), the digest of the frame.
func (s Seed) Draw(c Commitment, k int) ([]int, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if k < 0 || k > c.Size {
		return nil, invalid("draw of %d from %d items", k, c.Size)
	}
	w := newWords(s, c)
	moved := make(map[int]int, min(k, 1<<16)) // what stands where it did not at first
	at := func(i int) int {
		if there, ok := moved[i]; ok {
			return there
		}
		return i
	}
	drawn := make([]int, k)
	for i := range k {
		j := i + int(w.below(uint64(c.Size-i)))
		drawn[i] = at(j)
		moved[j] = at(i)
		delete(moved, i)
	}
	slices.Sort(drawn)
	return drawn, nil
}

// DrawStrata draws k positions from several frames together, as [Allocate] has it, and returns those of each. The frames
// have different procedures. An error wraps [opsec.ErrInvalid]. Freeze the shares that Allocate gives as the Sample of each
// commitment, or k and least in the plan: who may choose them once the seed is known chooses among samples.
func (s Seed) DrawStrata(strata []Commitment, k, least int) ([][]int, error) {
	sizes, seen := make([]int, len(strata)), map[string]bool{}
	for i, c := range strata {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		if seen[c.Procedure] {
			return nil, invalid("stratum %q is there twice", c.Procedure)
		}
		seen[c.Procedure], sizes[i] = true, c.Size
	}
	shares, err := Allocate(sizes, k, least)
	if err != nil {
		return nil, err
	}
	drawn := make([][]int, len(strata))
	for i, c := range strata {
		if drawn[i], err = s.Draw(c, shares[i]); err != nil {
			return nil, err
		}
	}
	return drawn, nil
}

// Allocate says how many of k fall to each stratum: at least so many, or all that it has, and the others in proportion to
// what is left of the sizes, by largest remainder (of equal ones, the first). An error wraps [opsec.ErrInvalid]: a size
// that is negative or beyond [MaxSize], more strata than 1,024, k beyond their sum or below what the least asks for.
func Allocate(sizes []int, k, least int) ([]int, error) {
	if len(sizes) > maxFrame || least < 0 {
		return nil, invalid("%d strata, at least %d of each: want at most %d, from 0", len(sizes), least, maxFrame)
	}
	shares, left, rest := make([]int, len(sizes)), 0, k
	for i, n := range sizes {
		if n < 0 || n > MaxSize {
			return nil, invalid("stratum %d of %d items: want 0 to %d", i, n, MaxSize)
		}
		shares[i] = min(least, n)
		left += n - shares[i]
		rest -= shares[i]
	}
	if rest < 0 || rest > left {
		return nil, invalid("draw of %d: want %d to %d", k, k-rest, k-rest+left)
	}
	if left == 0 {
		return shares, nil
	}
	remainders, order, whole := make([]uint64, len(sizes)), make([]int, len(sizes)), rest
	for i, n := range sizes {
		hi, lo := bits.Mul64(uint64(whole), uint64(n-min(least, n)))
		share, remainder := bits.Div64(hi, lo, uint64(left))
		shares[i] += int(share)
		rest -= int(share)
		remainders[i], order[i] = remainder, i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case remainders[a] > remainders[b]:
			return -1
		case remainders[a] < remainders[b]:
			return 1
		}
		return 0
	})
	for _, i := range order[:rest] {
		shares[i]++
	}
	return shares, nil
}

// words is the stream that a draw takes its chances from.
type words struct {
	message [40]byte // key and number of the next block
	block   [32]byte
	unused  []byte // of block
}

func newWords(s Seed, c Commitment) *words {
	size := binary.BigEndian.AppendUint64(nil, uint64(c.Size))
	key := hashOf("opsec/sample/draw/v1", string(s[:]), c.Procedure, string(size), string(c.Digest[:]))
	w := &words{}
	copy(w.message[:], key[:])
	return w
}

// below returns a number from 0 to n-1, all of them equally likely.
func (w *words) below(n uint64) uint64 {
	for most := -n % n; ; { // 2^64 mod n
		if word := w.next(); word >= most {
			return word % n
		}
	}
}

func (w *words) next() uint64 {
	if len(w.unused) == 0 {
		w.block = sha256.Sum256(w.message[:])
		w.unused = w.block[:]
		count := w.message[32:]
		binary.BigEndian.PutUint64(count, binary.BigEndian.Uint64(count)+1)
	}
	word := binary.BigEndian.Uint64(w.unused)
	w.unused = w.unused[8:]
	return word
}

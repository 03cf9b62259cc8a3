package index

import (
	"encoding/binary"
	"slices"
	"time"
)

// blockLen is how many entries share one pair of times.
const blockLen = 256

// The bounds of the years 1 to 9999, in seconds and in microseconds since 1970.
const (
	firstSecond, lastSecond = -62135596800, 253402300799
	firstMicro, lastMicro   = firstSecond * 1_000_000, lastSecond*1_000_000 + 999_999
)

// block is the earliest and the latest time of its entries, in microseconds since 1970, rounded down.
type block struct{ min, max int64 }

// blocks is the times of n entries.
type blocks struct {
	n     int
	times []block
}

// readBlocks reads the times of n entries from a file.
func readBlocks(b []byte, n int) (blocks, error) {
	times := make([]block, 0, len(b)/blockSize)
	for i := 0; i < n; i += blockLen {
		t := block{int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))}
		if t.min > t.max || t.min < firstMicro || t.max > lastMicro || n-i == 1 && t.min != t.max {
			return blocks{}, invalid("block %d: times that no entries have", len(times))
		}
		times, b = append(times, t), b[blockSize:]
	}
	return blocks{n, times}, nil
}

func (b *blocks) add(t int64) {
	if b.n%blockLen == 0 {
		b.times = append(b.times, block{t, t})
	} else {
		last := &b.times[len(b.times)-1]
		last.min, last.max = min(last.min, t), max(last.max, t)
	}
	b.n++
}

// snapshot returns a copy: the last block changes with every entry.
func (b *blocks) snapshot() blocks { return blocks{b.n, slices.Clone(b.times)} }

// restrict removes from s the blocks of which no entry can be at or after from and before to.
func (b *blocks) restrict(s *set, from, to time.Time) {
	if from.IsZero() && to.IsZero() {
		return
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		clear(s[:])
		return
	}
	first, last := int64(firstMicro), int64(lastMicro)
	if !from.IsZero() {
		first = micros(from)
	}
	if !to.IsZero() {
		last = micros(to.Add(-1))
	}
	for i, t := range b.times {
		if t.max < first || t.min > last {
			clear(s[i*blockLen/64 : (i+1)*blockLen/64])
		}
	}
}

// bounds returns the earliest and the latest time, to the microsecond; the zero time if there are no entries.
func (b *blocks) bounds() (first, last time.Time) {
	if b.n == 0 {
		return
	}
	all := b.times[0]
	for _, t := range b.times[1:] {
		all.min, all.max = min(all.min, t.min), max(all.max, t.max)
	}
	return time.UnixMicro(all.min).UTC(), time.UnixMicro(all.max).UTC()
}

// micros is t, rounded down, or where it is out of bounds the nearest that is not: times beyond are all the same to
// entries.
func micros(t time.Time) int64 {
	switch sec := t.Unix(); {
	case sec < firstSecond:
		return firstMicro - 1
	case sec > lastSecond:
		return lastMicro + 1
	}
	return t.UnixMicro()
}

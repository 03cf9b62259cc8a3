package timeline

import (
	"cmp"
	"math/bits"
	"slices"
)

// Union returns the time that is in any of the spans. It uses the list up: what it returns is a part of it, and the rest is
// spans in no order. A list in order of its starts is read once; of another a copy is made, and sorted by digits: O(n) either
// way.
func Union(list []Span) Line {
	if list == nil {
		return Line{}
	}
	n, read := join(list)
	if read < len(list) { // what was read is a line now, and the rest is as it was
		list = list[:n+copy(list[n:], list[read:])]
		sortByStart(list)
		n, _ = join(list)
	}
	return Line(list[:n:n])
}

// join makes spans that are in order of their starts a line, in place. It stops at a span that starts too early, and returns
// how long the line is, and of how many spans.
func join(list []Span) (n, read int) {
	for read < len(list) && list[read].Start >= list[read].End {
		read++
	}
	if read == len(list) {
		return 0, read
	}
	list[0] = list[read]
	for way := joinEven; read < len(list); {
		part := list[read:min(read+stretch, len(list))]
		last, done := way(list, n, part)
		read += done
		gaps := last - n
		n = last
		if done < len(part) {
			break
		}
		way = joinEven
		if gaps > stretch/16 && gaps < stretch-stretch/16 {
			way = joinUneven
		}
	}
	return n + 1, read
}

// stretch is how many spans are joined in one way: where they nearly all overlap, or nearly all leave gaps, a processor
// foresees which they do; where it cannot, a branch takes three times as long as none.
const stretch = 1 << 10

// joinEven joins part to the line that ends with list[n]. It returns where the line ends then, and how much of part it joined.
func joinEven(list []Span, n int, part []Span) (end, done int) {
	last := list[n]
	for i, s := range part {
		if s.Start >= s.End {
			continue
		}
		if s.Start < last.Start {
			list[n] = last
			return n, i
		}
		if s.Start > last.End {
			list[n] = last
			n++
			last = s
		} else {
			last.End = max(last.End, s.End)
		}
	}
	list[n] = last
	return n, len(part)
}

// joinUneven is joinEven without a branch for a gap: the ends of a line are a running maximum.
func joinUneven(list []Span, n int, part []Span) (end, done int) {
	last := list[n]
	for i, s := range part {
		if s.Start >= s.End {
			continue
		}
		if s.Start < last.Start {
			return n, i
		}
		next := n
		if s.Start > last.End {
			last.Start = s.Start
			next++
		}
		n = next
		last.End = max(last.End, s.End)
		list[n] = last
	}
	return n, len(part)
}

const (
	few   = 24      // spans that are sorted by insertion
	small = 1 << 7  // fewer are sorted by comparison
	large = 1 << 14 // so many are dealt out to buckets first
	room  = 11      // the bits of how many a bucket shall have, so that it and its copy fit into a cache
	most  = 11      // bits of the number of a bucket
)

// sortByStart sorts spans by their starts.
func sortByStart(list []Span) {
	if len(list) < small {
		byComparison(list)
		return
	}
	low, wide := extent(list)
	spare := make([]Span, len(list))
	deal := min(bits.Len(uint(len(list)))-room, most, wide)
	if len(list) < large {
		put(list, byDigits(list, spare, low, wide))
		return
	}
	shift := wide - deal
	var end [1 << most]int // of the buckets
	for i := range list {
		end[(uint64(list[i].Start)-low)>>shift]++
	}
	add(end[:])
	for _, s := range list {
		b := &end[(uint64(s.Start)-low)>>shift]
		spare[*b] = s
		*b++
	}
	from := 0
	for i, to := range end[:1<<deal] {
		bucket := spare[from:to]
		if len(bucket) < small {
			byComparison(bucket)
		} else {
			bucket = byDigits(bucket, list[from:to], low+uint64(i)<<shift, shift)
		}
		put(list[from:to], bucket)
		from = to
	}
}

// put copies a list, unless it is there.
func put(to, from []Span) {
	if len(to) > 0 && &to[0] != &from[0] {
		copy(to, from)
	}
}

// add makes numbers the sums of those before each.
func add(list []int) {
	sum := 0
	for i, n := range list {
		list[i] = sum
		sum += n
	}
}

// extent returns the earliest start, and how many bits the distance to the latest has.
func extent(list []Span) (low uint64, wide int) {
	first, last := list[0].Start, list[0].Start
	for _, s := range list {
		first, last = min(first, s.Start), max(last, s.Start)
	}
	return uint64(first), bits.Len64(uint64(last) - uint64(first))
}

// byComparison sorts a short list.
func byComparison(list []Span) {
	if len(list) > few {
		slices.SortFunc(list, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
		return
	}
	for i := 1; i < len(list); i++ {
		s, j := list[i], i
		for ; j > 0 && list[j-1].Start > s.Start; j-- {
			list[j] = list[j-1]
		}
		list[j] = s
	}
}

// byDigits sorts by the digits of the starts above low, the last first. It moves the spans to and fro between two lists of the
// same length, and returns that in which they are in the end.
func byDigits(from, to []Span, low uint64, wide int) []Span {
	const digit, mask = 8, 1<<8 - 1
	for shift := 0; shift < wide; shift += digit {
		var at [1 << digit]int
		for i := range from {
			at[(uint64(from[i].Start)-low)>>shift&mask]++
		}
		if at[(uint64(from[0].Start)-low)>>shift&mask] == len(from) {
			continue // all have the same digit
		}
		add(at[:])
		for _, s := range from {
			p := &at[(uint64(s.Start)-low)>>shift&mask]
			to[*p] = s
			*p++
		}
		from, to = to, from
	}
	return from
}

package meter

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"slices"
	"sort"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// Digest returns the digest of the evidence of a period that counts: "sha256:" and 64 hexadecimal digits. It does not depend
// on the order in which the evidence came. It is the SHA-256 of
//
//	"opsec sla evidence 1\n", the start and the end of the period, and of each resource
//	  its name, and the number of its sources, and of each source
//	    its name, and the number of its pieces, and of each piece
//	      its kind: 0 unknown, 1 up, 2 degraded, 3 down, 4 requests
//	      its number, less that of the piece before
//	      its start, less the end of the piece before, or the start if that is open
//	      its length, or 0 if it is open
//	      of requests, how many were good, and how many were not
//
// in order of resource, source (bytes) and number, where there is none before the first of a source, which is as if it ended
// at 0; with names as their length and bytes, moments and differences of moments as signed, all else as unsigned variable
// length integers of package binary.
func (m *Meter) Digest(period timeline.Span) string {
	v := m.now()
	return v.digest(period)
}

func (v *view) digest(period timeline.Span) string {
	return v.digests([]timeline.Span{period})[period]
}

// digests returns those of several periods. It takes time by the periods that each piece is in, not by all.
func (v *view) digests(periods []timeline.Span) map[timeline.Span]string {
	sums := newSums(periods)
	for resource, list := range v.all() {
		for r, end := range v.within(list, sums.hull()) {
			sums.take(r, end)
		}
		for _, s := range sums.touched {
			if s.buf = v.append(s.buf, resource, s.records); len(s.buf) >= 1<<12 {
				s.hash.Write(s.buf)
				s.buf = s.buf[:0]
			}
			s.records = s.records[:0]
		}
		sums.touched = sums.touched[:0]
	}
	out := map[timeline.Span]string{}
	for _, s := range sums.list {
		s.hash.Write(s.buf)
		out[s.period] = digestText(s.hash.Sum(nil))
	}
	return out
}

func digestText(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// sum is a digest that is being made.
type sum struct {
	period  timeline.Span
	reach   int64 // the latest end of this period and of those before it
	hash    hash.Hash
	buf     []byte   // not hashed yet
	records []record // of the resource that is looked at
}

// sums are of periods in order of their starts.
type sums struct {
	list    []*sum
	touched []*sum // that have records
}

func newSums(periods []timeline.Span) *sums {
	periods = slices.Clone(periods)
	slices.SortFunc(periods, func(a, b timeline.Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var all sums
	reach := int64(math.MinInt64)
	for _, p := range slices.Compact(periods) {
		reach = max(reach, p.End)
		buf := []byte("opsec sla evidence 1\n")
		buf = binary.AppendVarint(binary.AppendVarint(buf, p.Start), p.End)
		all.list = append(all.list, &sum{period: p, reach: reach, hash: sha256.New(), buf: buf})
	}
	return &all
}

// hull is the time in which all periods are.
func (s *sums) hull() (p timeline.Span) {
	if len(s.list) > 0 {
		p = timeline.Span{Start: s.list[0].period.Start, End: s.list[len(s.list)-1].reach}
	}
	return p
}

// take gives a record to the periods in which it is.
func (s *sums) take(r *record, end int64) {
	for i := sort.Search(len(s.list), func(i int) bool { return s.list[i].period.Start >= end }) - 1; i >= 0 && s.list[i].reach > r.start; i-- {
		if one := s.list[i]; one.period.End > r.start {
			if len(one.records) == 0 {
				s.touched = append(s.touched, one)
			}
			one.records = append(one.records, *r)
		}
	}
}

// append appends the form of a resource and its records, which are in order of the sources' names.
func (v *view) append(buf []byte, resource uint32, list []record) []byte {
	buf = appendName(buf, v.resources[resource])
	sources := 0
	for i := range list {
		if i == 0 || list[i-1].source() != list[i].source() {
			sources++
		}
	}
	buf = binary.AppendUvarint(buf, uint64(sources))
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].source() == list[0].source() {
			n++
		}
		buf = appendName(buf, v.sources[list[0].source()])
		buf = binary.AppendUvarint(buf, uint64(n))
		var seq uint64
		var before int64
		for i := range list[:n] {
			r := &list[i]
			t := v.tally(r)
			buf = append(buf, byte(r.kind()))
			buf = binary.AppendUvarint(buf, r.seq-seq)
			buf = binary.AppendVarint(buf, r.start-before)
			seq, before = r.seq, t.end
			if t.end == Open {
				before, t.end = r.start, r.start
			}
			buf = binary.AppendUvarint(buf, uint64(t.end-r.start))
			if r.kind() == requests {
				buf = binary.AppendUvarint(binary.AppendUvarint(buf, t.good), t.total-t.good)
			}
		}
		list = list[n:]
	}
	return buf
}

func appendName(buf []byte, name string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(name))), name...)
}

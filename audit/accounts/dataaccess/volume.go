package dataaccess

import (
	"math/bits"
	"slices"
	"time"
)

// volume is how much was taken.
type volume struct{ records, bytes uint64 }

func (v *volume) add(a *Access) {
	v.records = plus(v.records, max(a.Records, 1))
	v.bytes = plus(v.bytes, a.Bytes)
}

// above reports whether v has more records, or as many and more bytes.
func (v volume) above(w volume) bool {
	return v.records > w.records || v.records == w.records && v.bytes > w.bytes
}

// plus adds, and stays at the most that there is.
func plus(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return 1<<64 - 1
	}
	return sum
}

// times multiplies, and stays at the most that there is.
func times(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return 1<<64 - 1
	}
	return low
}

// dayOf counts the days of UTC since 1970.
func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// history is what an operator took on the days before, the latest last.
type history struct {
	days    []int64
	volumes []volume
	scratch []uint64
}

func (h *history) clear() { h.days, h.volumes = h.days[:0], h.volumes[:0] }

// forget drops the days that lie more than span before a day.
func (h *history) forget(day int64, span int) {
	old := 0
	for old < len(h.days) && h.days[old] < day-int64(span) {
		old++
	}
	h.days = slices.Delete(h.days, 0, old)
	h.volumes = slices.Delete(h.volumes, 0, old)
}

func (h *history) append(day int64, v volume) {
	h.days, h.volumes = append(h.days, day), append(h.volumes, v)
}

// bound returns the most that is usual by the history, which has a day at least: the median, and so many median absolute
// deviations.
func (h *history) bound(of func(volume) uint64, deviations int) uint64 {
	list := h.scratch[:0]
	for _, v := range h.volumes {
		list = append(list, of(v))
	}
	h.scratch = list
	m := median(list)
	for i, v := range list {
		list[i] = max(v, m) - min(v, m)
	}
	spread := max(median(list), m/8, 1)
	return plus(m, times(uint64(deviations), spread))
}

// median sorts the list, and of two values in the middle returns the lower one.
func median(list []uint64) uint64 {
	slices.Sort(list)
	return list[(len(list)-1)/2]
}

func recordsOf(v volume) uint64 { return v.records }
func bytesOf(v volume) uint64   { return v.bytes }

// largest keeps the references of the largest accesses, by records and then by bytes, the largest first. Of equal ones
// the earlier stays.
type largest struct {
	refs    []string
	volumes []volume
	omitted uint64
}

func (l *largest) clear() { l.refs, l.volumes, l.omitted = l.refs[:0], l.volumes[:0], 0 }

func (l *largest) add(a *Access, listed int) {
	if a.Ref == "" {
		return
	}
	v := volume{max(a.Records, 1), a.Bytes}
	at := len(l.refs)
	for at > 0 && v.above(l.volumes[at-1]) {
		at--
	}
	if len(l.refs) == listed {
		l.omitted++
		if at == listed {
			return
		}
		l.refs, l.volumes = l.refs[:listed-1], l.volumes[:listed-1]
	}
	l.refs, l.volumes = slices.Insert(l.refs, at, a.Ref), slices.Insert(l.volumes, at, v)
}

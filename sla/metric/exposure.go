package metric

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// Point is a recovery point: data as it was at one moment, that can be restored from another on.
type Point struct {
	Taken  int64 `json:"taken"`          // of what moment the data is, in milliseconds since 1970
	Usable int64 `json:"usable"`         // from when it could be restored, such as the end of the copy; not before Taken
	Lost   int64 `json:"lost,omitempty"` // from when it could not any more; not before Usable; 0: it still can
}

// Exposure is how much would have been lost if a disaster had come.
type Exposure struct {
	// Kept is for how long no more than the objective would have been lost (good), and for how long more (bad).
	Kept Tally `json:"kept"`
	// Most is the greatest age of the newest point in the period, in milliseconds, while there was one.
	Most uint64 `json:"most"`
	// None is for how long there was no point to go back to, in milliseconds. It is bad.
	None uint64 `json:"none,omitempty"`
}

// Expose reckons the exposure of a period to the loss of data: at each moment, the age of the newest recovery point that is
// usable then, beside the recovery point objective in milliseconds. As old as the objective is kept. Points come in any
// order, and points before the period count. The error wraps [opsec.ErrInvalid].
//
// See X.1642, clause 7.2.2.2, item 7: backups have terms of a recovery point objective.
func Expose(points []Point, rpo uint64, period timeline.Span) (Exposure, error) {
	if period.Start >= period.End || uint64(period.End)-uint64(period.Start) > longest {
		return Exposure{}, fault("period", "from %d to %d: want 1 ms to 100 years", period.Start, period.End)
	}
	for i, p := range points {
		if p.Usable < p.Taken || p.Lost != 0 && p.Lost < p.Usable {
			return Exposure{}, fault(fmt.Sprintf("points[%d]", i), "usable before it was taken, or lost before it was usable")
		}
	}
	coming := slices.SortedFunc(slices.Values(points), func(a, b Point) int { return cmp.Compare(a.Usable, b.Usable) })
	var x Exposure
	var there newest
	for at := period.Start; at < period.End; {
		for len(coming) > 0 && coming[0].Usable <= at {
			heap.Push(&there, coming[0])
			coming = coming[1:]
		}
		for len(there) > 0 && there[0].Lost != 0 && there[0].Lost <= at {
			heap.Pop(&there)
		}
		until := period.End
		if len(coming) > 0 {
			until = min(until, coming[0].Usable)
		}
		if len(there) == 0 {
			x.None += uint64(until - at)
			x.Kept.Bad += uint64(until - at)
			at = until
			continue
		}
		if there[0].Lost != 0 {
			until = min(until, there[0].Lost)
		}
		length, age := uint64(until-at), uint64(at)-uint64(there[0].Taken)
		kept := uint64(0)
		if age < rpo {
			kept = min(length, rpo-age)
		}
		x.Kept.Good += kept
		x.Kept.Bad += length - kept
		x.Most = max(x.Most, age+length)
		at = until
	}
	return x, nil
}

// newest is a heap of points, with the one that was taken last on top.
type newest []Point

func (n newest) Len() int           { return len(n) }
func (n newest) Less(i, j int) bool { return n[i].Taken > n[j].Taken }
func (n newest) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }
func (n *newest) Push(p any)        { *n = append(*n, p.(Point)) }
func (n *newest) Pop() any {
	last := len(*n) - 1
	p := (*n)[last]
	*n = (*n)[:last]
	return p
}

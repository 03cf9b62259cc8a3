package catalogue

import (
	"slices"
	"time"
)

// longest returns the longest span between two of the times taken, in nanoseconds of Unix time, that reaches into from..to, and when it
// began. The last before from begins the first span, or from itself; the last span ends at to.
func longest(taken []int64, from, to time.Time) (span time.Duration, at time.Time) {
	slices.Sort(taken)
	begin, _ := slices.BinarySearch(taken, from.UnixNano())
	last := from.UnixNano()
	if begin > 0 {
		last = taken[begin-1]
	}
	for _, t := range append(slices.Clip(taken[begin:]), to.UnixNano()) {
		t = min(t, to.UnixNano())
		if d := time.Duration(t - last); d > span {
			span, at = d, time.Unix(0, last).UTC()
		}
		last = max(last, t)
	}
	return span, at
}

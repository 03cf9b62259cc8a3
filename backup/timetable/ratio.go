package timetable

import (
	"fmt"
	"math/bits"
)

// Ratio is a part of a whole, exactly: what is used of what there is. Den is more than 0.
type Ratio struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// Compare returns -1, 0 or 1 when r is less than, equal to or more than s. It compares 128-bit products.
func (r Ratio) Compare(s Ratio) int {
	ah, al := bits.Mul64(uint64(r.Num), uint64(s.Den))
	bh, bl := bits.Mul64(uint64(s.Num), uint64(r.Den))
	switch {
	case ah < bh || ah == bh && al < bl:
		return -1
	case ah == bh && al == bl:
		return 0
	}
	return 1
}

// of returns the whole part of r times n: what r of n is, rounded down.
func (r Ratio) of(n int64) int64 {
	h, l := bits.Mul64(uint64(r.Num), uint64(n))
	if h >= uint64(r.Den) {
		return MaxBytes
	}
	q, _ := bits.Div64(h, l, uint64(r.Den))
	return int64(min(q, MaxBytes))
}

// Float returns the ratio as a number, for people.
func (r Ratio) Float() float64 { return float64(r.Num) / float64(r.Den) }

// String returns it as a percentage.
func (r Ratio) String() string { return fmt.Sprintf("%.1f %%", 100*r.Float()) }

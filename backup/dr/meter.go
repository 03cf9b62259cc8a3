package dr

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Meter measures exposure over time, from [Status] samples in the order of their time: how long it was how large, in a histogram of
// fixed size, and when it was beyond the recovery point objective. Meters of different times, or of different mirrors, are added by
// [Meter.Merge]. It is plain data, to be kept as JSON.
//
// What happens between two samples is not seen: the time between them counts for the larger of their exposures. When they are more
// than Stale apart, or one of them does not know its exposure, it counts as unknown.
type Meter struct {
	Objective Duration         `json:"objective"`          // the recovery point objective: exposure beyond it is a breach
	Stale     Duration         `json:"stale"`              // two samples that are further apart say nothing of the time between them
	Buckets   map[uint16]int64 `json:"buckets,omitempty"`  // time in ns by bucket of exposure, 1,920 of them at most
	Known     Duration         `json:"known"`              // time for which the exposure is known
	Unknown   Duration         `json:"unknown"`            // time for which it is not
	Over      Duration         `json:"over"`               // the sum of all breaches
	Worst     Duration         `json:"worst"`              // the largest exposure seen
	Breaches  []Breach         `json:"breaches,omitempty"` // the last MaxBreaches, by their beginnings
	Dropped   int64            `json:"dropped,omitempty"`  // how many more there were
	Last      Status           `json:"last,omitzero"`      // the newest sample
	Merged    bool             `json:"merged,omitempty"`   // it is the sum of several
}

// MaxBreaches is how many breaches a [Meter] keeps.
const MaxBreaches = 1024

// Breach is a time in which the exposure was beyond the objective.
type Breach struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`             // the sample at which it was over, or, while it is open, the newest
	Peak Duration  `json:"peak"`           // the largest exposure seen in it
	Open bool      `json:"open,omitempty"` // it has not been seen to end
}

// NewMeter returns an empty Meter. Both have to be more than 0; an error wraps [opsec.ErrInvalid].
func NewMeter(objective, stale time.Duration) (*Meter, error) {
	if objective <= 0 || stale <= 0 {
		return nil, invalid("meter: objective %v, stale %v: want more than 0", objective, stale)
	}
	return &Meter{Objective: Duration(objective), Stale: Duration(stale)}, nil
}

// Add takes a sample in. One that is not newer than the last is refused with an error that wraps [opsec.ErrInvalid].
func (m *Meter) Add(s Status) error {
	if s.At.IsZero() || !s.At.After(m.Last.At) {
		return invalid("meter: a status at %s, after one at %s", s.At.Format(time.RFC3339Nano), m.Last.At.Format(time.RFC3339Nano))
	}
	if m.Merged {
		return invalid("meter: it is a sum, and takes no samples")
	}
	last := m.Last
	m.Last = s
	now, known := s.Exposure()
	before, within := last.Exposure()
	if !last.At.IsZero() {
		span := s.At.Sub(last.At)
		if known && within && span <= time.Duration(m.Stale) {
			if m.Buckets == nil {
				m.Buckets = map[uint16]int64{}
			}
			m.Buckets[bucket(max(now, before))] += int64(span)
			m.Known += Duration(span)
		} else {
			m.Unknown = plus(m.Unknown, span)
		}
	}
	if known {
		m.Worst = max(m.Worst, Duration(now))
	}
	m.breach(s, now, known, last.At, within)
	return nil
}

// breach extends, ends or begins one. It begins where the exposure passed the objective, which the sample tells: but not before
// the last sample, when that was within it, nor before the end of another. What is not known begins no breach, and ends none.
func (m *Meter) breach(s Status, now time.Duration, known bool, last time.Time, within bool) {
	open := len(m.Breaches) > 0 && m.Breaches[len(m.Breaches)-1].Open
	switch over := known && now > time.Duration(m.Objective); {
	case open:
		b := &m.Breaches[len(m.Breaches)-1]
		if !known {
			return
		}
		m.Over = plus(m.Over, s.At.Sub(b.To))
		b.To, b.Peak, b.Open = s.At, max(b.Peak, Duration(now)), over
	case over:
		from := s.At.Add(time.Duration(m.Objective) - now)
		if within && from.Before(last) {
			from = last
		}
		if n := len(m.Breaches); n > 0 && from.Before(m.Breaches[n-1].To) {
			from = m.Breaches[n-1].To
		}
		m.Breaches = append(m.Breaches, Breach{From: from, To: s.At, Peak: Duration(now), Open: true})
		m.Over = plus(m.Over, s.At.Sub(from))
		m.trim()
	}
}

// plus adds, and stays at the largest number: times that nobody has seen may be any.
func plus(d Duration, more time.Duration) Duration {
	return d + min(Duration(more), math.MaxInt64-d)
}

func (m *Meter) trim() {
	if n := len(m.Breaches) - MaxBreaches; n > 0 {
		m.Breaches, m.Dropped = slices.Clone(m.Breaches[n:]), m.Dropped+int64(n)
	}
}

// Quantile returns an exposure that was not exceeded for num/den of the known time: at least the true value and at most 1/32 more.
// It is false when nothing is known, or num/den is not from 0 to 1.
func (m *Meter) Quantile(num, den int64) (time.Duration, bool) {
	if num < 0 || den <= 0 || num > den || m.Known <= 0 {
		return 0, false
	}
	// the least sum of time that is at least known*num/den, in whole ns, without overflow
	hi, lo := bits.Mul64(uint64(m.Known), uint64(num))
	want, rest := bits.Div64(hi, lo, uint64(den)) // num <= den: hi < den
	if rest > 0 {
		want++
	}
	sum := uint64(0)
	keys := slices.Sorted(maps.Keys(m.Buckets))
	for _, k := range keys {
		if sum += uint64(m.Buckets[k]); sum >= want {
			return min(ceiling(k), time.Duration(m.Worst)), true
		}
	}
	return time.Duration(m.Worst), true
}

// Merge adds what o has measured. Both keep to one objective and one Stale, or the error wraps [opsec.ErrInvalid]. The order in
// which meters are merged makes no difference, as long as no more than [MaxBreaches] breaches come together. The time between the
// last sample of the one and the first of the other is in neither. What was merged takes no more samples.
func (m *Meter) Merge(o *Meter) error {
	if m.Objective != o.Objective || m.Stale != o.Stale {
		return invalid("meter: merge: objectives %v and %v, stale %v and %v", time.Duration(m.Objective), time.Duration(o.Objective),
			time.Duration(m.Stale), time.Duration(o.Stale))
	}
	if m.Buckets == nil && len(o.Buckets) > 0 {
		m.Buckets = map[uint16]int64{}
	}
	for k, v := range o.Buckets {
		m.Buckets[k] += v
	}
	m.Known, m.Unknown, m.Over, m.Worst = m.Known+o.Known, plus(m.Unknown, time.Duration(o.Unknown)), plus(m.Over, time.Duration(o.Over)), max(m.Worst, o.Worst)
	m.Breaches = slices.Concat(m.Breaches, o.Breaches)
	slices.SortStableFunc(m.Breaches, func(a, b Breach) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To), cmp.Compare(a.Peak, b.Peak))
	})
	m.Dropped, m.Merged = m.Dropped+o.Dropped, true
	m.trim()
	if o.Last.At.After(m.Last.At) {
		m.Last = o.Last
	}
	return nil
}

// A bucket is an exposure to six bits: 0 to 63 ns exactly, and then 32 buckets for each doubling.
func bucket(d time.Duration) uint16 {
	n := bits.Len64(uint64(max(d, 0)))
	if n <= 6 {
		return uint16(max(d, 0))
	}
	return uint16(n-6)<<5 + uint16(uint64(d)>>(n-6))
}

// ceiling is the largest exposure of a bucket.
func ceiling(b uint16) time.Duration {
	if b < 64 {
		return time.Duration(b)
	}
	shift := b>>5 - 1
	return time.Duration((uint64(b&31)+33)<<shift - 1)
}

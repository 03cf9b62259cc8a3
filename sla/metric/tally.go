package metric

import (
	"math"
	"math/bits"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Tally is how much of a window was what, in units of the method: milliseconds, slices or requests; of MeanRate,
// [SliceUnits] to a slice. Tallies of resources add up.
type Tally struct {
	Good     uint64 `json:"good"`
	Bad      uint64 `json:"bad"`
	Unknown  uint64 `json:"unknown"`
	Excluded uint64 `json:"excluded"` // bad, and excluded: it is left out of the figure
	// ExcludedUnknown is unknown, and excluded: it is left out of the lower bound, because it may have been bad, and good
	// in the upper, because it may have been good.
	ExcludedUnknown uint64 `json:"excludedUnknown,omitempty"`
	// MaybeExcluded is bad slices of which all that is known to be bad is excluded, and not all that is unknown: they are bad
	// in the lower bound, and left out of the upper.
	MaybeExcluded uint64 `json:"maybeExcluded,omitempty"`
	// Blur is by how much Good may be too small, because rates of MeanRate were rounded down.
	Blur uint64 `json:"blur,omitempty"`
}

// Add adds another tally of the same objective. If a tally cannot hold the sum it stays as it was, and the error wraps
// [opsec.ErrInvalid]: 2^64 ms are 580 million years of resources, but counts come from others.
func (t *Tally) Add(o Tally) error {
	_, over := total(t.Good, t.Bad, t.Unknown, t.Excluded, t.ExcludedUnknown, t.MaybeExcluded,
		o.Good, o.Bad, o.Unknown, o.Excluded, o.ExcludedUnknown, o.MaybeExcluded)
	_, blurs := bits.Add64(t.Blur, o.Blur, 0)
	if over || blurs > 0 {
		return fault("tally", "more than 2^64 in all")
	}
	t.plus(o)
	return nil
}

func (t *Tally) plus(o Tally) {
	t.Good += o.Good
	t.Bad += o.Bad
	t.Unknown += o.Unknown
	t.Excluded += o.Excluded
	t.ExcludedUnknown += o.ExcludedUnknown
	t.MaybeExcluded += o.MaybeExcluded
	t.Blur += o.Blur
}

// total returns a sum, or the greatest uint64 if it is more.
func total(list ...uint64) (sum uint64, over bool) {
	for _, n := range list {
		var carry uint64
		if sum, carry = bits.Add64(sum, n, 0); carry > 0 {
			return math.MaxUint64, true
		}
	}
	return sum, false
}

func ratioOf(num, den uint64) ratio.Ratio {
	if den == 0 {
		return ratio.One()
	}
	r, _ := ratio.New(num, den) // fails for 0 alone
	return r
}

// counted returns how much is not left out, in the worst case and in the best.
func (t Tally) counted() (worst, best uint64) {
	worst, _ = total(t.Good, t.Bad, t.Unknown, t.MaybeExcluded)
	best, _ = total(t.Good, t.Bad, t.Unknown, t.ExcludedUnknown)
	return worst, best
}

// Range returns the bounds between which the share of what was good lies: the lower takes what is unknown for bad, the
// upper for good. Where nothing counts, nothing was bad: 100 %.
func (t Tally) Range() ratio.Range {
	low, high := t.counted()
	best, _ := total(t.Good, t.Unknown, t.ExcludedUnknown, t.Blur)
	return ratio.Range{Low: ratioOf(t.Good, low), High: ratioOf(min(best, high), high)}
}

// Budget returns how much may be bad for a target, and how much was. Of MeanRate it may be too much by Blur.
func (t Tally) Budget(target ratio.Ratio) Budget {
	all, _ := t.counted()
	may, _ := target.Complement().Of(all)
	open, _ := total(t.Unknown, t.MaybeExcluded)
	return Budget{All: may, Used: t.Bad, Open: open}
}

// Budget is how much of what may be bad in a window has been used, in the units of the tally. Used may be more than All.
type Budget struct {
	All  uint64 `json:"all"`  // rounded down: bad time that leaves the target reached
	Used uint64 `json:"used"` // bad
	Open uint64 `json:"open"` // unknown: may turn out to be used
}

// Result is a tally without the exclusions and one with them; both are shown.
type Result struct {
	Raw     Tally `json:"raw"`
	Counted Tally `json:"counted"`
}

// Add adds the result of another resource, as [Tally.Add] does.
func (r *Result) Add(o Result) error {
	sum := *r
	if err := sum.Raw.Add(o.Raw); err != nil {
		return err
	}
	if err := sum.Counted.Add(o.Counted); err != nil {
		return err
	}
	*r = sum
	return nil
}

// Figure is what a report says of an objective.
type Figure struct {
	Availability ratio.Range   `json:"availability"` // with the exclusions
	Raw          ratio.Range   `json:"raw"`          // without
	Verdict      ratio.Verdict `json:"verdict"`
}

// Figure judges a result: exactly at the target is met. Where [Result.Blurred] it is undecided although all is known, and
// [Objective.Judge] decides.
func (r Result) Figure(target ratio.Ratio) Figure {
	f := Figure{Availability: r.Counted.Range(), Raw: r.Raw.Range()}
	f.Verdict = f.Availability.AtLeast(target)
	return f
}

// Blurred reports whether the rounding of rates is what keeps a figure from being decided.
func (r Result) Blurred(target ratio.Ratio) bool {
	t := r.Counted
	if t.Blur == 0 || t.Range().AtLeast(target) != ratio.Undecided {
		return false
	}
	low, high := t.counted()
	mayReach, _ := total(t.Good, t.Blur)
	mayMiss, _ := total(t.Good, t.Unknown, t.ExcludedUnknown)
	return ratioOf(mayReach, low).Cmp(target) >= 0 || ratioOf(mayMiss, high).Cmp(target) < 0
}

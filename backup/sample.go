package backup

import (
	"math"
	"math/rand/v2"
)

// Sample states what a verification that reads only some files can say. Everything else (missing and extra files,
// types, sizes) was looked at for all of them.
type Sample struct {
	Files    int64  `json:"files"`    // the population: all files of the manifest
	Size     int64  `json:"size"`     // the files whose content was read, drawn without replacement
	Seed     Digest `json:"seed"`     // of the draw (ChaCha8): the same seed draws the same files
	OneFile  Chance `json:"oneFile"`  // the chance to find damage, if a single file is damaged
	Percent1 Chance `json:"percent1"` // the same if one file in a hundred is, rounded up
	// Fewer95 is the smallest number of damaged files that the sample would have met with a chance of 95 % at least:
	// when it met none, there are fewer than these by that confidence.
	Fewer95 int64 `json:"fewer95"`
}

// Chance is a probability from 0 to 1.
type Chance float64

// DetectionProbability returns the chance that a sample of sampled files, drawn without replacement from files, meets
// at least one of the damaged ones: 1 - C(files-damaged, sampled) / C(files, sampled), the hypergeometric
// distribution's. Numbers out of range are cut to it.
func DetectionProbability(files, damaged, sampled int64) Chance {
	files = max(files, 0)
	damaged, sampled = min(max(damaged, 0), files), min(max(sampled, 0), files)
	switch {
	case damaged == 0 || sampled == 0:
		return 0
	case damaged > files-sampled:
		return 1
	}
	if damaged > sampled {
		damaged, sampled = sampled, damaged // the formula is symmetric in them
	}
	// The product of the chances to miss, one damaged file after the other, in logarithms.
	term := func(i float64) float64 { return math.Log1p(-float64(sampled) / (float64(files) - i)) }
	const exact = 1 << 16
	var miss float64
	for i := range min(damaged, exact) {
		miss += term(float64(i))
	}
	if damaged > exact {
		miss += sum(term, exact, float64(damaged))
	}
	return Chance(-math.Expm1(miss))
}

// sum approximates the sum of f over the whole numbers from first to before end, for a smooth f and a long range: the
// integral from first-1/2 to end-1/2, by Simpson's rule.
func sum(f func(float64) float64, first, end float64) float64 {
	const panels = 4096
	first, end = first-0.5, end-0.5
	width := (end - first) / panels
	total := f(first) + f(end)
	for i := range panels {
		total += 4 * f(first+width*(float64(i)+0.5))
		if i > 0 {
			total += 2 * f(first+width*float64(i))
		}
	}
	return total * width / 6
}

// newSample states the odds of a sample.
func newSample(files, size int64, seed Digest) *Sample {
	size = min(size, files)
	s := &Sample{
		Files: files, Size: size, Seed: seed,
		OneFile:  DetectionProbability(files, 1, size),
		Percent1: DetectionProbability(files, (files+99)/100, size),
	}
	low, high := int64(1), max(files, 1)
	for low < high {
		if mid := low + (high-low)/2; DetectionProbability(files, mid, size) >= 0.95 {
			high = mid
		} else {
			low = mid + 1
		}
	}
	s.Fewer95 = low
	return s
}

// draw picks sampled of files as they pass, each set with the same chance (Knuth, The Art of Computer Programming,
// volume 2, section 3.4.2, algorithm S).
type draw struct {
	rng        *rand.Rand
	left, want int64
}

func newDraw(s *Sample) *draw {
	return &draw{rand.New(rand.NewChaCha8(s.Seed)), s.Files, s.Size}
}

// next reports whether the next file is in the sample.
func (d *draw) next() bool {
	if d.left <= 0 {
		return false
	}
	take := d.rng.Int64N(d.left) < d.want
	d.left--
	if take {
		d.want--
	}
	return take
}

package recovery

import (
	"fmt"
	"math"
)

// Odds is how likely a recovery is to succeed, as far as tests show: each a trial of its own, all with the same chance.
type Odds struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	// Mean is that of the posterior Beta(1+passed, 1+failed), from a uniform prior: Laplace's rule of succession. It is also the chance that
	// the next one succeeds.
	Mean float64 `json:"mean"`
	// Low and High are the exact interval of Clopper and Pearson (1934): whatever the true chance is, at least 95 of 100 intervals that are found in
	// this way hold it. Without a test they are 0 and 1.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// CredibleLow and CredibleHigh hold 95 % of the posterior, with 2.5 % on either side.
	CredibleLow  float64 `json:"credible_low"`
	CredibleHigh float64 `json:"credible_high"`
}

const outside = 0.05 // of the intervals of Odds

// OddsOf returns the odds after so many tests. Without a failure in n tests, Low is the n-th root of 0.025; the rule of three (1-3/n) is its one-sided
// form. Counts below 0 are taken for 0.
func OddsOf(passed, failed int) Odds {
	o := Odds{Passed: max(passed, 0), Failed: max(failed, 0), High: 1}
	s, f := float64(o.Passed), float64(o.Failed)
	o.Mean = (s + 1) / (s + f + 2)
	if o.Passed > 0 {
		o.Low = betaQuantile(outside/2, s, f+1)
	}
	if o.Failed > 0 {
		o.High = betaQuantile(1-outside/2, s+1, f)
	}
	o.CredibleLow, o.CredibleHigh = betaQuantile(outside/2, s+1, f+1), betaQuantile(1-outside/2, s+1, f+1)
	return o
}

// Needed returns how many tests in a row must pass for the chance to be at least p with that confidence, both between 0 and 1: the least n with
// p^n <= 1-confidence. Errors wrap [opsec.ErrInvalid].
func Needed(p, confidence float64) (int, error) {
	if !(p > 0 && p < 1 && confidence > 0 && confidence < 1) {
		return 0, invalid("p and confidence: want more than 0 and less than 1")
	}
	n := math.Ceil(math.Log1p(-confidence)/math.Log(p) - 1e-9)
	if n > math.MaxInt32 {
		return 0, invalid("p: so near to 1 that more than %d tests are needed", math.MaxInt32)
	}
	return max(int(n), 1), nil
}

// String returns the odds in words.
func (o Odds) String() string {
	return fmt.Sprintf("%d of %d passed: %.1f %% (95 %%: %.1f to %.1f %%)", o.Passed, o.Passed+o.Failed, 100*o.Mean, 100*o.Low, 100*o.High)
}

// betaQuantile returns where Beta(a, b) has the share p below it, by bisection of the distribution function.
func betaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for range 200 {
		mid := low + (high-low)/2
		if mid == low || mid == high {
			break
		}
		if betaCDF(mid, a, b) < p {
			low = mid
		} else {
			high = mid
		}
	}
	return low + (high-low)/2
}

// betaCDF is the regularised incomplete beta function I_x(a, b), by its continued fraction (NIST Digital Library of Mathematical Functions, 8.17.22),
// which converges fast on the side of the mean where x is taken.
func betaCDF(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - betaCDF(1-x, b, a)
	}
	lgamma := func(v float64) float64 { r, _ := math.Lgamma(v); return r }
	front := math.Exp(lgamma(a+b)-lgamma(a)-lgamma(b)+a*math.Log(x)+b*math.Log1p(-x)) / a
	// Lentz's method: c and d are the ratios of successive numerators and denominators.
	const tiny = 1e-300
	not0 := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/not0(1-(a+b)*x/(a+1))
	value := d
	for m := 1.0; m < 100_000; m++ {
		for _, k := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			d = 1 / not0(1+k*d)
			c = not0(1 + k/c)
			value *= c * d
		}
		if math.Abs(c*d-1) < 1e-16 {
			break
		}
	}
	return front * value
}

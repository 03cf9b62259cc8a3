package budget

import (
	"math"
	"math/big"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// maxSample is how large a sample is at most: a test of one takes a tenth of a second.
const maxSample = 1 << 20

// Unlikely reports whether so many bad ones, or more, come in a sample with a probability of at most chance, when each goes
// bad on its own with a probability of share: the exact binomial test, one-sided. It is for low traffic, where one failure in
// three requests is a share of 33 % and no news. Integers and proven bounds decide, at ties too.
//
// The error wraps [opsec.ErrInvalid]: more bad than all, more than 2^20 in all, a share or a chance of more than 1, or a tie
// that only numbers of more than 2^16 bits would tell.
func Unlikely(bad, all uint64, share, chance ratio.Ratio) (bool, error) {
	if bad > all || all > maxSample || share.Cmp(ratio.One()) > 0 || chance.Cmp(ratio.One()) > 0 {
		return false, fault("sample", "want bad <= all <= %d, share and chance of 1 at most", maxSample)
	}
	b := newBinomial(bad, all)
	sign, told := b.cmp(share, chance.Rat())
	if !told {
		return false, fault("sample", "the probability is too near the chance to tell")
	}
	return sign <= 0, nil
}

// ClopperPearson returns bounds of the share that is good, of which a sample shows so many: whatever the share is, they
// contain it with a probability of confidence (such as "95%") at least, if each is good on its own. They are the exact
// binomial ones (Clopper and Pearson 1934), proven, and rounded outward to a billionth. A sample has 2^20 at most; the error
// wraps [opsec.ErrInvalid].
//
// The minutes of an outage are not independent, so that of time they promise too much: see [Clustered].
func ClopperPearson(good, all uint64, confidence ratio.Ratio) (ratio.Range, error) {
	if err := sample(good, all, confidence); err != nil {
		return ratio.Range{}, err
	}
	beyond := confidence.Complement().Rat()
	beyond.Quo(beyond, big.NewRat(2, 1)) // on each side
	low := lower(good, all, beyond)
	high := billion - lower(all-good, all, beyond)
	return billionths(low, high), nil
}

func sample(good, all uint64, confidence ratio.Ratio) error {
	if good > all || all == 0 || all > maxSample || confidence.Num() == 0 || confidence.Cmp(ratio.One()) >= 0 {
		return fault("sample", "want good <= all, 1 to %d in all, a confidence between 0 and 1", maxSample)
	}
	return nil
}

const billion = 1_000_000_000

func billionths(low, high uint64) ratio.Range {
	l, _ := ratio.New(low, billion) // fails for 0 alone
	h, _ := ratio.New(high, billion)
	return ratio.Range{Low: l, High: h}
}

// lower returns the greatest share, in billionths, of which so many or more come with a probability of at most beyond.
func lower(k, n uint64, beyond *big.Rat) uint64 {
	if k == 0 {
		return 0
	}
	b := newBinomial(k, n)
	low, high := uint64(0), uint64(billion) // it is not less than low, and less than high
	for high-low > 1 {
		mid := (low + high) / 2
		share, _ := ratio.New(mid, billion)
		if sign, told := b.cmp(share, beyond); told && sign <= 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// Wilson returns bounds of the share that is good by Wilson's score (1927): closer than [ClopperPearson], but with the
// confidence only on average. They are reckoned with floats, for charts and not for verdicts; samples have 2^53 at most.
func Wilson(good, all uint64, confidence ratio.Ratio) (ratio.Range, error) {
	if good > all || all == 0 || all > 1<<53 || confidence.Num() == 0 || confidence.Cmp(ratio.One()) >= 0 {
		return ratio.Range{}, fault("sample", "want good <= all, 1 to 2^53 in all, a confidence between 0 and 1")
	}
	low, high := wilson(float64(good)/float64(all), float64(all), confidence)
	return outward(low, high), nil
}

func wilson(p, n float64, confidence ratio.Ratio) (low, high float64) {
	c, _ := confidence.Rat().Float64()
	z := math.Sqrt2 * math.Erfinv(min(c, 1-0x1p-53))
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return mid - half, mid + half
}

func outward(low, high float64) ratio.Range {
	l := math.Floor(max(0, low) * billion)
	h := math.Ceil(min(1, high) * billion)
	return billionths(uint64(l), uint64(h))
}

// Clustered returns bounds of the share that is good where failures come together, such as bad minutes in outages: each
// count is a cluster, such as a day, and clusters are independent, not what is in them. They are Wilson's with the size of
// the sample divided by the design effect, which is how much more the shares of clusters differ than they would by chance
// (Kish 1965), never less than 1; where nothing differs, because all is good or all is bad, a cluster is one. What is unknown
// is left out. They are reckoned with floats, for charts and not for verdicts, and want ten clusters or more to mean anything;
// the error wraps [opsec.ErrInvalid] for less than two.
func Clustered(clusters []Counts, confidence ratio.Ratio) (ratio.Range, error) {
	var good, all, n float64
	for _, c := range clusters {
		if m := float64(c.Good) + float64(c.Bad); m > 0 {
			good, all, n = good+float64(c.Good), all+m, n+1
		}
	}
	if n < 2 || confidence.Num() == 0 || confidence.Cmp(ratio.One()) >= 0 {
		return ratio.Range{}, fault("clusters", "want two or more that are not empty, and a confidence between 0 and 1")
	}
	p := good / all
	var squares float64 // of what clusters have beyond their part
	for _, c := range clusters {
		d := float64(c.Good) - p*(float64(c.Good)+float64(c.Bad))
		squares += d * d
	}
	effect := all / n // without a failure, or without a success, clusters are all that is known
	if p > 0 && p < 1 {
		effect = max(1, squares*n/(n-1)/(all*p*(1-p)))
	}
	low, high := wilson(p, all/effect, confidence)
	return outward(low, high), nil
}

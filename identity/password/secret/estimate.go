package secret

import (
	"fmt"
	"math"
	"math/bits"
)

// Estimate is how long a secret holds.
type Estimate struct {
	Guesses uint64 // after about so many an attacker who begins with what people choose has it; at most Space
	Space   uint64 // how many secrets the scheme can tell apart; the most that a uint64 holds if there are more
}

// Bits is the binary logarithm of Guesses, to show it: nothing is decided by it.
func (e Estimate) Bits() float64 { return math.Log2(float64(max(e.Guesses, 1))) }

// least is the number of guesses that an enrolled secret takes at least: the 100 wrong ones in a row that NIST SP 800-63B-4
// lets an account have must not be enough.
const least = 100

// Advice is how a secret may be used. It tells nearly as much of it as the estimate: show it to whoever enrolls, and to nobody else.
type Advice struct {
	MaxAAL       int    // the highest assurance level of SP 800-63B that it may be a part of by itself: 1, or 0 for not at all
	SecondFactor bool   // whether another factor should stand beside it
	Attempts     int    // wrong ones in a row after which to lock
	Why          string // in a sentence
}

// Advice follows from the secret's estimate and from what was measured for its kind. A second factor is advised for each
// kind: none reaches what SP 800-63B-4 asks of a password that stands alone (15 characters), and where people's choices were
// measured, each fell short of its numbers.
//
// Attempts is a thousandth of the guesses that the secret withstands; 3 at least, because people err, and 10 at most.
func (s Secret) Advice() Advice {
	if s.in == nil {
		return Advice{SecondFactor: true, Why: "no secret"}
	}
	e := s.in.estimate
	a := Advice{SecondFactor: true, Attempts: int(min(max(e.Guesses/1000, 3), 10))}
	if e.Guesses > least {
		a.MaxAAL = 1
	}
	a.Why = fmt.Sprintf("about %d bits of the %d that the scheme has; %s", bits.Len64(e.Guesses)-1, bits.Len64(e.Space)-1,
		s.in.kind.Measured())
	return a
}

// Measured says what is known of the secrets that people choose of this kind, with the source.
func (k Kind) Measured() string {
	switch k {
	case KindPIN:
		return "six digits resist 10 to 100 guesses no better than four, and refusing a tenth of all PINs helps most " +
			"(Markert et al., IEEE S&P 2020); a birthday opens one wallet in 11 to 18 (Bonneau, Preibusch, Anderson, FC 2012)"
	case KindPattern:
		return "389,112 patterns of 3 x 3 are 18.6 bits, for a fifth of the users 9.1 (Uellenbeck et al., CCS 2013), a " +
			"tenth falls in 16 guesses (Song et al., CHI 2015); 4 x 4 is no better for that fifth (Aviv et al., ACSAC 2015)"
	case KindClicks:
		return "of five clicks in a space of 43 bits, 4 to 10 % fall in 100 guesses by hot spots, 36 % of one picture's in " +
			"2^31 (van Oorschot, Thorpe, J. Computer Security 2011)"
	case KindImages:
		return "choices are far from even and follow who chooses (Davis, Monrose, Reiter, USENIX Security 2004): counted " +
			"with half the bits"
	case KindMelody:
		return "nobody has measured what people choose; well-known tunes come first, and whoever is near hears it"
	}
	return "unknown"
}

// times multiplies, and stays at the most that a uint64 holds.
func times(a, b uint64) uint64 {
	if high, low := bits.Mul64(a, b); high == 0 {
		return low
	}
	return math.MaxUint64
}

// plus adds, and stays there too.
func plus(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return math.MaxUint64
}

// power is a to the n.
func power(a uint64, n int) uint64 {
	p := uint64(1)
	for range n {
		p = times(p, a)
	}
	return p
}

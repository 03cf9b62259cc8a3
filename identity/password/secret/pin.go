package secret

// PIN is a number of some digits. The zero PIN is refused.
type PIN struct {
	Min int `json:"min"` // digits, 4 to 12
	Max int `json:"max"` // from Min to 12
}

const (
	minDigits = 4
	maxDigits = 12
	refusePIN = 100_000 // of the first to be guessed, at most
)

// Kind returns [KindPIN].
func (PIN) Kind() Kind { return KindPIN }

// Validate implements [Scheme].
func (p PIN) Validate() error {
	if p.Min < minDigits || p.Max < p.Min || p.Max > maxDigits {
		return invalid("pin: min is %d, max %d, want %d <= min <= max <= %d", p.Min, p.Max, minDigits, maxDigits)
	}
	return nil
}

// Enroll refuses the first tenth of the PINs of its length, and 100,000 at most: one digit again and again, runs, lines on
// the pad, both in threes, repetitions, palindromes, years, dates.
func (p PIN) Enroll(e Entry) (Scheme, Secret, error) {
	s, err := p.Read(e)
	if err != nil {
		return nil, Secret{}, err
	}
	if bound := min(s.in.estimate.Space/10, refusePIN); s.in.estimate.Guesses <= bound {
		s.Clear()
		return nil, Secret{}, &WeakError{KindPIN, bound}
	}
	return p, s, nil
}

// Read implements [Scheme].
func (p PIN) Read(e Entry) (Secret, error) {
	if err := p.Validate(); err != nil {
		return Secret{}, err
	}
	if !e.alone(len(e.PIN), p.Min, p.Max) {
		return Secret{}, misfit("a PIN of as many digits as the scheme says")
	}
	for _, c := range e.PIN {
		if c < '0' || c > '9' {
			return Secret{}, misfit("digits alone")
		}
	}
	return newSecret(KindPIN, nil, append([]byte(nil), e.PIN...), estimatePIN(e.PIN)), nil
}

// estimatePIN asks which of the sets that an attacker tries one after the other has the PIN first: the guesses are all of the
// sets before, and half of that one.
func estimatePIN(pin []byte) Estimate {
	n := len(pin)
	space := power(10, n)
	before := uint64(0)
	for _, set := range []struct {
		size uint64
		has  bool
	}{
		{10, step(pin, 0)},
		{20, step(pin, 1) || step(pin, 9)},
		{20, line(pin)},
		{60, steps(pin)},
		{power(10, n/2), repeats(pin)},
		{power(10, (n+1)/2), palindrome(pin)},
		{triples(n), threes(pin)},
		{dates(n), date(pin)},
		{times(45, power(2, n)), distinct(pin) <= 2},
	} {
		if set.has {
			return Estimate{min(plus(before, (set.size+1)/2), space), space}
		}
		before = plus(before, set.size)
	}
	return Estimate{min(plus(before, (space-min(before, space))/2), space), space}
}

// step says whether each digit is the one before and by more, round the ten.
func step(pin []byte, by byte) bool {
	for i := range pin[1:] {
		if (pin[i]-'0'+by)%10 != pin[i+1]-'0' {
			return false
		}
	}
	return true
}

// steps says whether each digit is the one before and any number more, as in 2468.
func steps(pin []byte) bool { return step(pin, (pin[1]+10-pin[0])%10) }

// triples is how many PINs of n digits are runs of three or lines of three on the pad, one after the other, as 147258 and 789456:
// there are about 40 of each three.
func triples(n int) uint64 {
	if n%3 != 0 {
		return 0
	}
	return power(40, n/3)
}

func threes(pin []byte) bool {
	for ; len(pin) >= 3; pin = pin[3:] {
		if three := pin[:3]; !line(three) && !step(three, 1) && !step(three, 9) {
			return false
		}
	}
	return len(pin) == 0
}

// line says whether the digits lie on the pad of a telephone in one line, as 2580 and 0852 do.
func line(pin []byte) bool {
	at := func(c byte) (x, y int) {
		if c == '0' {
			return 1, 3
		}
		return int(c-'1') % 3, int(c-'1') / 3
	}
	x0, y0 := at(pin[0])
	x1, y1 := at(pin[1])
	for i := 1; i < len(pin); i++ {
		ax, ay := at(pin[i-1])
		bx, by := at(pin[i])
		if bx-ax != x1-x0 || by-ay != y1-y0 {
			return false
		}
	}
	return true
}

// repeats says whether the PIN is a shorter one again and again, or each digit stands twice.
func repeats(pin []byte) bool {
	n := len(pin)
	for size := 2; size <= n/2; size++ {
		same := n%size == 0
		for i := size; i < n && same; i++ {
			same = pin[i] == pin[i-size]
		}
		if same {
			return true
		}
	}
	twice := n%2 == 0
	for i := 0; i+1 < n; i += 2 {
		twice = twice && pin[i] == pin[i+1]
	}
	return twice
}

func palindrome(pin []byte) bool {
	for i := range pin {
		if pin[i] != pin[len(pin)-1-i] {
			return false
		}
	}
	return true
}

func distinct(pin []byte) (n int) {
	var seen [10]bool
	for _, c := range pin {
		if !seen[c-'0'] {
			seen[c-'0'] = true
			n++
		}
	}
	return n
}

// The years that people have to do with.
const firstYear, lastYear = 1900, 2039

// dates is how many PINs of n digits are dates, roughly: a day and a month in both orders, years, and what is made of them.
func dates(n int) uint64 {
	const days, years = 366, lastYear - firstYear + 1
	switch n {
	case 4:
		return 2*days + years
	case 6:
		return 3*days*100 + 2*years*12
	case 8:
		return 3 * days * years
	}
	return 0
}

func date(pin []byte) bool {
	two := func(i int) int { return int(pin[i]-'0')*10 + int(pin[i+1]-'0') }
	year := func(i int) bool { y := two(i)*100 + two(i+2); return firstYear <= y && y <= lastYear }
	month := func(m int) bool { return 1 <= m && m <= 12 }
	day := func(i int) bool { // with a month, in either order
		a, b := two(i), two(i+2)
		return month(a) && 1 <= b && b <= 31 || month(b) && 1 <= a && a <= 31
	}
	switch len(pin) {
	case 4:
		return year(0) || day(0)
	case 6:
		return day(0) || day(2) || year(0) && month(two(4)) || year(2) && month(two(0))
	case 8:
		return day(0) && year(4) || year(0) && day(4)
	}
	return false
}

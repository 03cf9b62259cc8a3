package name

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name is what is kept of a name that a policy accepts. Show the canonical form, not what was typed: PAYPAI is as good as
// paypai, but does not look it.
type Name struct {
	Canonical string // unique within the trust zone
	Skeleton  string // unique too: what the canonical form looks like
}

// Check returns the name that s gives an account of a kind, or a *[Refused] with the first reason against it. It does not
// know which names are taken, and costs a skeleton for each reserved name. An invalid policy refuses everything, with the
// error of [Policy.Validate].
func (p Policy) Check(s, kind string) (Name, error) {
	if err := p.Validate(); err != nil {
		return Name{}, err
	}
	form, err := p.form(kind)
	if err != nil {
		return Name{}, err
	}
	if len(s) > MaxBytes {
		return Name{}, refuse(TooLong)
	}
	if err := seen(s); err != nil {
		return Name{}, err
	}
	canonical, err := Canonical(s)
	if err != nil {
		return Name{}, err
	}
	n := Name{canonical, Skeleton(canonical)}
	for _, rule := range []func() error{
		func() error { return p.length(canonical) },
		func() error { return p.characters(canonical) },
		func() error { return p.marks(canonical) },
		func() error { return digits(canonical) },
		func() error { return p.level(n) },
		func() error { return p.formed(n, form) },
		func() error { return p.reserved(n) },
	} {
		if err := rule(); err != nil {
			return Name{}, err
		}
	}
	return n, nil
}

// seen refuses what has no picture, in the text as it was given: PRECIS would say less of it, or let a joiner pass.
func seen(s string) error {
	at := 0
	for _, r := range s {
		if invisible(r) {
			return refuseAt(Invisible, r, at)
		}
		at++
	}
	return nil
}

func (p Policy) length(canonical string) error {
	n := utf8.RuneCountInString(canonical)
	switch {
	case n < p.Min:
		return refuse(TooShort)
	case n > p.Max:
		return refuse(TooLong)
	}
	return nil
}

// characters looks at each character by itself, and at what stands beside a mark of punctuation.
func (p Policy) characters(canonical string) error {
	allowed := p.scripts()
	at, punctuated := 0, true // as if one stood before the name
	var last rune
	for _, r := range canonical {
		in, recommended := scriptsOf(r)
		letter := unicode.In(r, unicode.L, unicode.M, unicode.Nd)
		switch {
		case !letter && (!strings.ContainsRune(p.Punctuation, r) || punctuated):
			return refuseAt(Punctuation, r, at)
		case letter && !recommended:
			return refuseAt(Uncommon, r, at)
		case letter && in.and(allowed).empty():
			return refuseAt(Foreign, r, at)
		case at == 0 && unicode.IsDigit(r) && !p.DigitFirst:
			return refuseAt(Start, r, at)
		}
		punctuated, last = !letter, r
		at++
	}
	if punctuated {
		return refuseAt(Punctuation, last, at-1)
	}
	return nil
}

// marks counts combining marks on one letter, without those that have a width of their own, as Burmese writes many. One that
// begins a name, or a part of it, or that a letter hides, is too many; so is a dot that makes a letter an i.
func (p Policy) marks(canonical string) error {
	at, row := 0, MaxLength
	var base, last rune
	for _, r := range canonical {
		switch {
		case unicode.In(r, unicode.L, unicode.Nd):
			row, base = 0, r
		case !unicode.Is(unicode.M, r):
			row = MaxLength
		default:
			if !unicode.Is(unicode.Mc, r) || row == MaxLength || p.Marks == 0 {
				row++
			}
			if row > p.Marks || r == last || r == dotAbove && (unicode.Is(unicode.Soft_Dotted, base) || strings.ContainsRune("lı\u0237", base)) {
				return refuseAt(Marks, r, at)
			}
		}
		last = r
		at++
	}
	return nil
}

// digits refuses a second system of decimal digits.
func digits(canonical string) error {
	at, first := 0, rune(-1)
	for _, r := range canonical {
		if nought, ok := noughtOf(r); ok {
			if first >= 0 && first != nought {
				return refuseAt(Digits, r, at)
			}
			first = nought
		}
		at++
	}
	return nil
}

// noughtOf returns the digit nought of the system that r is a digit of. The ranges of digits are tens of tens.
func noughtOf(r rune) (rune, bool) {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return r - (r-rune(t.Lo))%10, true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return r - (r-rune(t.Lo))%10, true
		}
	}
	return 0, false
}

// level refuses a mixture, and what is all of another script and reads as Latin.
func (p Policy) level(n Name) error {
	switch level := LevelOf(n.Canonical); {
	case !p.levelOrASCII().allows(level):
		return refuseMixture(n.Canonical)
	case level == ASCII || p.InsecureAllowLookalikes:
		return nil
	case readsAsLatin(n):
		return refuse(Lookalike)
	case level == HighlyRestrictive:
		return strokes(n.Canonical)
	}
	return nil
}

// simple are characters that are read as an l, a hyphen, a slash or the like where Latin letters stand around them. What Unicode's
// table knows of them is how they resemble one another.
const simple = "一丨丶丿乀乁乙乚亅〆々ノソゾンーヽヾんゝゞㄧ"

// strokes refuses, in a name that is partly Latin, simple characters without any other of their own writing beside them.
func strokes(canonical string) error {
	latin := scriptOf("Latn")
	at, from, alone := 0, 0, rune(0)
	for _, r := range canonical + "a" { // as if a letter stood behind the name
		in, _ := scriptsOf(r)
		switch own := in.and(latin).empty(); {
		case !own && alone > 0:
			return refuseAt(Lookalike, alone, from)
		case !own:
			alone = 0
		case !strings.ContainsRune(simple, r):
			alone = -1
		case alone == 0:
			from, alone = at, r
		}
		at++
	}
	return nil
}

func (p Policy) levelOrASCII() Level {
	if p.Level == "" {
		return ASCII
	}
	return p.Level
}

// refuseMixture names the first character that shares no script with those before it, or is beyond ASCII.
func refuseMixture(canonical string) error {
	shared := set{1<<64 - 1, 1<<64 - 1, 1<<64 - 1}
	at := 0
	for _, r := range canonical {
		in, _ := scriptsOf(r)
		if shared = shared.and(in); shared.empty() {
			return refuseAt(Mixed, r, at)
		}
		at++
	}
	at = 0
	for _, r := range canonical {
		if r > unicode.MaxASCII {
			return refuseAt(Mixed, r, at)
		}
		at++
	}
	return refuse(Mixed)
}

// readsAsLatin says whether a name looks like letters and digits of ASCII, and the punctuation that it has, without a letter
// of Latin in it. What looks like other punctuation does not read as Latin: a yod is no apostrophe to anybody.
func readsAsLatin(n Name) bool {
	for _, r := range n.Canonical {
		if in, _ := scriptsOf(r); unicode.IsLetter(r) && !in.and(scriptOf("Latn")).empty() {
			return false
		}
	}
	letters := false
	for _, r := range n.Skeleton {
		if r > unicode.MaxASCII || !unicode.In(r, unicode.L, unicode.Nd) && !strings.ContainsRune(n.Canonical, r) {
			return false
		}
		letters = letters || unicode.IsLetter(r)
	}
	return letters
}

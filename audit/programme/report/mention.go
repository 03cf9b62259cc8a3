package report

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// leastPart is how many characters a term has, at least, that is found in the midst of a word.
const leastPart = 4

// terms finds mentions of others in a text; the package says what a mention is.
type terms struct {
	others   dictionary // ids of other customers, folded
	items    dictionary // of other customers, folded
	own      string     // the id of the customer who reads
	ownItems dictionary // as they are
}

func newTerms(own string) *terms {
	return &terms{own: own, others: dictionary{}, items: dictionary{}, ownItems: dictionary{}}
}

// maxResolved is how often references to characters are resolved before a text counts as a mention.
const maxResolved = 8

// mentioned says whether a text mentions another customer.
func (t *terms) mentioned(text string) bool {
	for range maxResolved {
		if t.within(text) {
			return true
		}
		plain := html.UnescapeString(text)
		if plain == text {
			return false
		}
		text = plain
	}
	return true
}

func (t *terms) within(text string) bool {
	f := fold(text)
	var self, things []span // where the reader's own terms stand
	for i := 0; t.own != ""; {
		at := strings.Index(text[i:], t.own)
		if at < 0 {
			break
		}
		self = append(self, span{i + at, i + at + len(t.own)})
		i += at + 1
	}
	t.ownItems.find(text, func(s span) bool { things = append(things, s); return false })
	return t.others.find(f.text, func(s span) bool { return f.counts(s) && !f.raw(s).in(self) }) ||
		t.items.find(f.text, func(s span) bool { return f.counts(s) && !f.raw(s).in(self) && !f.raw(s).in(things) })
}

// span is a part of a text, in bytes.
type span struct{ from, until int }

func (s span) in(list []span) bool {
	for _, o := range list {
		if o.from <= s.from && s.until <= o.until {
			return true
		}
	}
	return false
}

// folded is a text without what makes no difference: the case of letters, the width of spaces, marks and characters that
// do not show.
type folded struct {
	text        string
	from, until []int // by byte of text: where it comes from
}

func fold(s string) folded {
	var b strings.Builder
	var f folded
	for i, r := range s {
		size := utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(s[i:])
		}
		switch {
		case unicode.IsSpace(r):
			if strings.HasSuffix(b.String(), " ") {
				continue
			}
			r = ' '
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Cc):
			continue
		default:
			r = lowest(r)
		}
		b.WriteRune(r)
		for len(f.from) < b.Len() {
			f.from, f.until = append(f.from, i), append(f.until, i+size)
		}
	}
	f.text = b.String()
	return f
}

// lowest returns the one letter that stands for all that differ in case alone.
func lowest(r rune) rune {
	least := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		least = min(least, o)
	}
	return least
}

func (f *folded) raw(s span) span { return span{f.from[s.from], f.until[s.until-1]} }

// counts says whether a term that stands there is found: a short one has to stand alone.
func (f *folded) counts(s span) bool {
	if utf8.RuneCountInString(f.text[s.from:s.until]) >= leastPart {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(f.text[:s.from])
	after, _ := utf8.DecodeRuneInString(f.text[s.until:])
	first, _ := utf8.DecodeRuneInString(f.text[s.from:])
	last, _ := utf8.DecodeLastRuneInString(f.text[:s.until])
	return !(wordy(before) && wordy(first)) && !(wordy(last) && wordy(after))
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// dictionary holds terms by their first bytes, and then by length: a text is searched in time that grows with how many
// lengths there are, not with how many terms.
type dictionary map[string]*bucket

type bucket struct {
	lengths []int
	terms   map[string]bool
}

// headLength is how many bytes terms are sorted by; those that are shorter, by all they have.
const headLength = 3

func (d dictionary) add(term string) {
	if term == "" {
		return
	}
	head := term[:min(headLength, len(term))]
	b := d[head]
	if b == nil {
		b = &bucket{terms: map[string]bool{}}
		d[head] = b
	}
	if b.terms[term] {
		return
	}
	known := false
	for _, n := range b.lengths {
		known = known || n == len(term)
	}
	if !known {
		b.lengths = append(b.lengths, len(term))
	}
	b.terms[term] = true
}

// find calls each for every place where a term stands, until it returns true, and returns whether it did.
func (d dictionary) find(text string, each func(span) bool) bool {
	for i := range len(text) {
		for head := 1; head <= headLength && i+head <= len(text); head++ {
			b := d[text[i:i+head]]
			if b == nil {
				continue
			}
			for _, n := range b.lengths {
				if i+n <= len(text) && b.terms[text[i:i+n]] && each(span{i, i + n}) {
					return true
				}
			}
		}
	}
	return false
}

func (d dictionary) has(term string) bool {
	b := d[term[:min(headLength, len(term))]]
	return b != nil && b.terms[term]
}

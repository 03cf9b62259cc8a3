package name

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// rounds bounds the repetitions of [Skeleton]. Two change something, the third sees that nothing changes.
const rounds = 8

// Skeleton returns what a canonical name looks like: two names look alike when their skeletons are equal. Keep it in an index
// beside the canonical name, show it to nobody, and make it again when [Unicode] changes.
//
// It is the skeleton of Unicode UTS #39, section 4, with invisible characters left out, in lower case, and repeated until
// nothing changes, so that it sees the digit nought in a small o too. It says less than a person with a bad screen, and more
// than a font that tells l from 1.
func Skeleton(canonical string) string {
	if plain(canonical) {
		return plainLooks(canonical)
	}
	s := canonical
	for range rounds {
		next := once(s)
		if next == s {
			break
		}
		s = next
	}
	return s
}

// plain says whether s is of what most names are of. PRECIS leaves it as it is, and a test compares the short way with the long.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// plainLooks is what the table and lower case make of plain text.
func plainLooks(s string) string {
	if !strings.ContainsAny(s, "m01") {
		return s
	}
	out := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		switch c := s[i]; c {
		case 'm':
			out = append(out, "rn"...)
		case '0':
			out = append(out, 'o')
		case '1':
			out = append(out, 'l')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func once(s string) string {
	var out strings.Builder
	out.Grow(len(s) + 8)
	base := rune(-1) // what a dot above would stand on
	for _, r := range norm.NFD.String(s) {
		switch {
		case 'a' <= r && r <= 'z' && r != 'm': // of these the table has m alone
			base = r
			out.WriteByte(byte(r))
			continue
		case invisible(r) || r == dotAbove && unicode.Is(unicode.Soft_Dotted, base):
			continue
		case !unicode.Is(unicode.M, r) || above(r):
			base = r
		}
		if to, ok := prototype(r); ok {
			out.WriteString(to)
		} else {
			out.WriteRune(r)
		}
	}
	return norm.NFD.String(strings.ToLower(out.String()))
}

// dotAbove cannot be seen over a letter that has a dot.
const dotAbove = '\u0307'

// above says whether a mark stands above its letter.
func above(r rune) bool {
	const ccc = 230
	return norm.NFD.PropertiesString(string(r)).CCC() == ccc
}

// invisible says whether r has no picture of its own: it changes what is beside it, or nothing at all.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == '\u2800' // an empty cell of Braille
}

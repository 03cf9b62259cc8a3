package strength

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// The bounds of context words.
const (
	maxContext = 256 // words and parts of them
	maxWord    = 64  // bytes
)

// dictionary is words in the order of their bytes, with their ranks. Where a text leaves all words is seen after the few
// letters that they have in common, so most parts of a text are never looked up.
type dictionary struct {
	words []string
	ranks []uint32
	first []uint32 // for each two bytes: how many words are before them
}

// index makes first, for a dictionary that is large.
func (d *dictionary) index() {
	d.first = make([]uint32, 1<<16+1)
	for i, w := range d.words { // of two bytes at least
		d.first[int(w[0])<<8|int(w[1])+1] = uint32(i + 1)
	}
	for k := 1; k < len(d.first); k++ {
		d.first[k] = max(d.first[k], d.first[k-1])
	}
}

// from calls found for every word that the text has at at[0], with how many runes it has. The runes of the text begin at the
// places in at, and end at the last.
func (d *dictionary) from(text string, at []int, found func(length int, rank float64)) {
	lo, hi, depth := 0, len(d.words), at[0]
	if d.first != nil {
		if len(text)-depth < 2 {
			return
		}
		key := int(text[depth])<<8 | int(text[depth+1])
		lo, hi, depth = int(d.first[key]), int(d.first[key+1]), depth+2
	}
	for length := 1; length < len(at) && lo < hi; length++ {
		for ; depth < at[length] && lo < hi; depth++ {
			lo, hi = d.narrow(lo, hi, depth-at[0], text[depth])
		}
		if lo < hi && depth == at[length] && len(d.words[lo]) == depth-at[0] {
			found(length, float64(d.ranks[lo]))
		}
	}
}

// narrow keeps of the words from lo to before hi, which agree up to depth, those that have c there.
func (d *dictionary) narrow(lo, hi, depth int, c byte) (int, int) {
	search := func(least int) int { // the first word whose byte at depth is not below least; none is below all
		a, b := lo, hi
		for a < b {
			m := (a + b) / 2
			if w := d.words[m]; len(w) <= depth || int(w[depth]) < least {
				a = m + 1
			} else {
				b = m
			}
		}
		return a
	}
	lo = search(int(c))
	return lo, search(int(c) + 1)
}

// contextOf gives the n-th word the rank n, and its parts with it.
func contextOf(list []string) *dictionary {
	ranks := map[string]uint32{}
	for i, w := range list {
		w = strings.ToLower(w)
		for _, part := range append(strings.FieldsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), w) {
			if _, there := ranks[part]; !there && part != "" && len(part) <= maxWord && len(ranks) < maxContext {
				ranks[part] = uint32(i + 1)
			}
		}
	}
	d := &dictionary{}
	for _, w := range slices.Sorted(maps.Keys(ranks)) {
		d.words, d.ranks = append(d.words, w), append(d.ranks, ranks[w])
	}
	return d
}

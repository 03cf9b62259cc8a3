package strength

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What the words are, and how they came here: generate.go and LICENSE-WORDS.
//
//go:generate go run generate.go -passwords 10_million_password_list_top_1M.txt -names lib/names.js -scowl usr/share/dict/scowl
//go:embed words.gz
var packed []byte

// New reads the words that come with the library: 162,000 common passwords, names and English words. It takes some 20 ms; keep
// what it returns. It fails only when the program's own bytes are damaged.
func New() (*Estimator, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("strength: words: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("strength: words: %w", err)
	}
	d := &dictionary{words: make([]string, 0, 165_000), ranks: make([]uint32, 0, 165_000)}
	for line := range strings.Lines(string(text)) { // the words are parts of one text
		word, number, _ := strings.Cut(line[:len(line)-1], "\t")
		rank, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("strength: words: %w", err)
		}
		d.words, d.ranks = append(d.words, word), append(d.ranks, uint32(rank))
	}
	d.index()
	return &Estimator{known: d, boards: boards()}, nil
}

// words finds every part of the text that is a word of d: as it stands, from its end, or with figures for letters.
func (s *subject) words(all []match, d *dictionary) []match {
	n := len(s.runes)
	for i := range n {
		d.from(s.text, s.at[i:], func(length int, rank float64) {
			all = append(all, match{Word, i, i + length, rank * s.capitals(i, i+length)})
		})
	}
	for i := range n {
		d.from(s.back.text, s.back.at[i:], func(length int, rank float64) {
			from, to := n-i-length, n-i
			all = append(all, match{Reversed, from, to, 2 * rank * s.capitals(from, to)})
		})
	}
	for _, read := range s.letters {
		for i := range n {
			d.from(read.text, read.at[i:], func(length int, rank float64) {
				if j := i + length; length > 1 && !slices.Equal(read.lower[i:j], s.lower[i:j]) {
					all = append(all, match{Leet, i, j, rank * s.capitals(i, j) * s.figures(read.lower, i, j)})
				}
			})
		}
	}
	return all
}

// meant is what people mean by figures and signs; some mean two letters.
func meant(r rune) string {
	switch r {
	case '4', '@':
		return "a"
	case '8':
		return "b"
	case '(', '{', '[', '<':
		return "c"
	case '3':
		return "e"
	case '6', '9':
		return "g"
	case '1', '|':
		return "il"
	case '!':
		return "i"
	case '0':
		return "o"
	case '$', '5':
		return "s"
	case '7':
		return "tl"
	case '+':
		return "t"
	case '%':
		return "x"
	case '2':
		return "z"
	}
	return ""
}

// readings returns the text read as letters: once for each choice where a sign stands for two of them.
func (s *subject) readings() (list []reading) {
	signs, double := false, []rune(nil)
	for _, r := range s.lower {
		m := meant(r)
		signs = signs || m != ""
		if len(m) == 2 && !slices.Contains(double, r) {
			double = append(double, r)
		}
	}
	if !signs {
		return nil
	}
	for choice := range 1 << len(double) {
		runes := slices.Clone(s.lower)
		for i, r := range runes {
			if m := meant(r); m != "" {
				k := 0
				if d := slices.Index(double, r); d >= 0 {
					k = choice >> d & 1
				}
				runes[i] = rune(m[k])
			}
		}
		list = append(list, newReading(runes))
	}
	return list
}

// capitals is in how many ways capital letters like these would be tried.
func (s *subject) capitals(i, j int) float64 {
	upper, lower := 0, 0
	for _, r := range s.runes[i:j] {
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		}
	}
	switch {
	case upper == 0:
		return 1
	case lower == 0, upper == 1 && (unicode.IsUpper(s.runes[i]) || unicode.IsUpper(s.runes[j-1])):
		return 2 // the first, the last, or all
	}
	return choices(upper, lower)
}

// figures is in how many ways letters would be exchanged for figures, those in read for those in s.
func (s *subject) figures(read []rune, i, j int) float64 {
	ways := 1.0
	var done []rune
	for k := i; k < j; k++ {
		sign, letter := s.lower[k], read[k]
		if sign == letter || slices.Contains(done, sign) {
			continue
		}
		done = append(done, sign)
		exchanged, left := 0, 0
		for _, r := range s.lower[i:j] {
			switch r {
			case sign:
				exchanged++
			case letter:
				left++
			}
		}
		if left == 0 {
			ways *= 2
		} else {
			ways *= choices(exchanged, left)
		}
	}
	return ways
}

// choices is the sum of the ways to choose 1, 2, ... of a+b things, up to the smaller of a and b.
func choices(a, b int) (sum float64) {
	for i := 1; i <= min(a, b); i++ {
		sum += binomial(a+b, i)
	}
	return sum
}

func binomial(n, k int) float64 {
	if k > n {
		return 0
	}
	c := 1.0
	for i := range min(k, n-k) {
		c = math.Round(c * float64(n-i) / float64(i+1))
	}
	return c
}

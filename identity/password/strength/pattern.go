package strength

import (
	"slices"
	"unicode"
)

// repeats finds what stands twice or more in a row: its guesses are those of the shortest such part, once for each time.
func (s *subject) repeats(all []match, e *Estimator, context *dictionary) []match {
	n := len(s.runes)
	for i := 0; i < n; {
		longest, shortest := 0, 0 // what the longest and the shortest repeated part make out of the text from i
		part := 0
		for length := 1; i+2*length <= n; length++ {
			if end := s.times(i, length); end > 0 {
				longest = end
				if shortest == 0 {
					shortest, part = end, length
				}
			}
		}
		if shortest == 0 {
			i++
			continue
		}
		j := shortest
		if longest > shortest {
			j = longest
			for part = 1; (j-i)%part != 0 || s.times(i, part) < j; part++ {
			}
		}
		base, _ := subjectOf(s.runes[i:i+part]).estimate(e, context)
		all = append(all, match{Repeat, i, j, base * float64((j-i)/part)})
		i = j
	}
	return all
}

// times returns where the part of that length, from i, ends to repeat, or 0 when it stands only once.
func (s *subject) times(i, length int) int {
	j := i + length
	for j+length <= len(s.runes) && slices.Equal(s.runes[i:i+length], s.runes[j:j+length]) {
		j += length
	}
	if j == i+length {
		return 0
	}
	return j
}

const widestStep = 5 // of a sequence

// sequences finds characters at even steps: abcd, 7531.
func (s *subject) sequences(all []match) []match {
	n := len(s.runes)
	end := func(i, j int, step rune) { // from i to before j
		if wide := max(step, -step); wide == 0 || wide > widestStep || (j-i < 3 && wide != 1) {
			return
		}
		space := 26.
		switch first := s.runes[i]; {
		case slices.Contains([]rune("aAzZ019"), first):
			space = 4
		case unicode.IsDigit(first):
			space = 10
		}
		if step < 0 {
			space *= 2
		}
		all = append(all, match{Sequence, i, j, space * float64(j-i)})
	}
	if n < 2 {
		return all
	}
	i, step := 0, s.runes[1]-s.runes[0]
	for k := 2; k < n; k++ {
		if next := s.runes[k] - s.runes[k-1]; next != step {
			end(i, k, step)
			i, step = k-1, next
		}
	}
	end(i, n, step)
	return all
}

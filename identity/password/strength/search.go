package strength

import "slices"

// match is a part of the text that can be guessed in one of the ways, from i to before j.
type match struct {
	kind    Kind
	i, j    int
	guesses float64
}

const (
	mostPieces = 24  // more are guessed later than 10^40 guesses, and no verdict asks so far
	perPiece   = 1e4 // guesses at shorter compositions that come before: the paper's D
	perChar    = 10. // a character that fits nothing costs ten guesses, as the paper has it
)

// step is the best way to guess a prefix of the text with a number of pieces.
type step struct {
	last    match
	product float64 // of the guesses of the pieces
	total   float64
	known   bool
}

// search returns the fewest guesses that lead to the text of n code points, over all ways to cut it into matches and what
// is guessed by brute force (Wheeler, USENIX Security 2016, section 3.3): the least of l! * product + D^(l-1), where l counts
// the pieces. For each prefix and each number of pieces the best is kept.
func search(n int, all []match) (float64, []Piece) {
	for k := range all {
		all[k].guesses = max(all[k].guesses, least(n, all[k].i, all[k].j))
	}
	slices.SortStableFunc(all, func(a, b match) int { return a.j - b.j })
	best := make([][]step, n+1) // by where the prefix ends, and the pieces less one
	factorial, shorter := [mostPieces + 1]float64{1}, [mostPieces + 1]float64{0, 0, perPiece}
	for l := 1; l <= mostPieces; l++ {
		factorial[l] = factorial[l-1] * float64(l)
		if l > 2 {
			shorter[l] = shorter[l-1] * perPiece
		}
	}
	take := func(m match, pieces int) {
		product := m.guesses
		if pieces > 1 {
			product *= best[m.i][pieces-2].product
		}
		total := factorial[pieces]*product + shorter[pieces]
		list := best[m.j]
		for l := range min(pieces, len(list)) {
			if list[l].known && list[l].total <= total {
				return
			}
		}
		for len(list) < pieces {
			list = append(list, step{})
		}
		list[pieces-1] = step{m, product, total, true}
		best[m.j] = list
	}
	next := 0
	for j := 1; j <= n; j++ {
		for ; next < len(all) && all[next].j == j; next++ {
			m := all[next]
			if m.i == 0 {
				take(m, 1)
			}
			for l := 1; l <= min(len(best[m.i]), mostPieces-1); l++ {
				if best[m.i][l-1].known {
					take(m, l+1)
				}
			}
		}
		guesses := 1.
		for i := j - 1; i >= 0; i-- {
			guesses *= perChar
			m := match{Bruteforce, i, j, max(guesses, bruteforceLeast(j-i))}
			if i == 0 {
				take(m, 1)
			}
			for l := 1; l <= min(len(best[i]), mostPieces-1); l++ {
				if s := &best[i][l-1]; s.known && s.last.kind != Bruteforce { // two such pieces are one
					take(m, l+1)
				}
			}
		}
	}
	pieces := 0
	for l, s := range best[n] {
		if s.known && (pieces == 0 || s.total < best[n][pieces-1].total) {
			pieces = l + 1
		}
	}
	total := best[n][pieces-1].total
	list := make([]Piece, 0, pieces)
	for j := n; j > 0; pieces-- {
		m := best[j][pieces-1].last
		list = append(list, Piece{m.kind, m.i, m.j})
		j = m.i
	}
	slices.Reverse(list)
	return total, list
}

// least is the fewest guesses that a match can have: a short word among others is not found at once.
func least(n, i, j int) float64 {
	switch j - i {
	case n:
		return 1
	case 1:
		return 10
	}
	return 50
}

// bruteforceLeast makes a match that costs the least win over brute force.
func bruteforceLeast(length int) float64 {
	if length == 1 {
		return 11
	}
	return 51
}

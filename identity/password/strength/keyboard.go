package strength

import "math"

// board is a keyboard: which keys are next to which, in directions that are numbered.
type board struct {
	keys   map[rune]spot
	at     map[spot]struct{}
	steps  []spot
	starts float64 // how many characters a walk can begin with
	degree float64 // how many neighbours a key has, on average
	shifts bool
}

type spot struct{ x, y int }

// newBoard lays out rows of keys; a key is "aA", or "7" where there is no shift. A row begins so many keys to the right.
func newBoard(rows [][]string, indent []int, steps []spot) *board {
	b := &board{keys: map[rune]spot{}, at: map[spot]struct{}{}, steps: steps}
	for y, row := range rows {
		for x, key := range row {
			if key == "" {
				continue
			}
			place := spot{x + indent[y], y}
			b.at[place] = struct{}{}
			runes := []rune(key)
			b.keys[runes[0]] = place
			b.starts++
			if len(runes) == 2 {
				b.keys[runes[1]] = spot{place.x, place.y + shifted}
				b.starts++
				b.shifts = true
			}
		}
	}
	neighbours := 0
	for place := range b.at {
		for _, s := range steps {
			if _, ok := b.at[spot{place.x + s.x, place.y + s.y}]; ok {
				neighbours++
			}
		}
	}
	b.degree = float64(neighbours) / float64(len(b.at))
	return b
}

const shifted = 100 // added to the row of a shifted character

// find returns the key of a character and whether it is shifted.
func (b *board) find(r rune) (at spot, shift, ok bool) {
	at, ok = b.keys[r]
	if at.y >= shifted {
		return spot{at.x, at.y - shifted}, true, ok
	}
	return at, false, ok
}

// direction returns which step leads from one key to another, or -1.
func (b *board) direction(from, to spot) int {
	for d, s := range b.steps {
		if to.x-from.x == s.x && to.y-from.y == s.y {
			return d
		}
	}
	return -1
}

// Each row of a typewriter is half a key to the right of the one above it: six neighbours. A keypad has eight.
var (
	slanted = []spot{{-1, 0}, {0, -1}, {1, -1}, {1, 0}, {0, 1}, {-1, 1}}
	square  = []spot{{-1, 0}, {-1, -1}, {0, -1}, {1, -1}, {1, 0}, {1, 1}, {0, 1}, {-1, 1}}
)

// boards are a typewriter of the usual kind and Dvorak's, and the keypads of two kinds of computers.
func boards() []*board {
	row := func(plain, shift string) (keys []string) {
		p, s := []rune(plain), []rune(shift)
		for i := range p {
			keys = append(keys, string(p[i])+string(s[i]))
		}
		return keys
	}
	indent := []int{0, 1, 1, 1}
	return []*board{
		newBoard([][]string{
			row("`1234567890-=", "~!@#$%^&*()_+"), row(`qwertyuiop[]\`, "QWERTYUIOP{}|"), row("asdfghjkl;'", `ASDFGHJKL:"`), row("zxcvbnm,./", "ZXCVBNM<>?"),
		}, indent, slanted),
		newBoard([][]string{
			row("`1234567890[]", "~!@#$%^&*(){}"), row(`',.pyfgcrl/=\`, `"<>PYFGCRL?+|`), row("aoeuidhtns-", "AOEUIDHTNS_"), row(";qjkxbmwvz", ":QJKXBMWVZ"),
		}, indent, slanted),
		newBoard([][]string{{"", "/", "*", "-"}, {"7", "8", "9", "+"}, {"4", "5", "6"}, {"1", "2", "3"}, {"", "0", "."}}, make([]int, 5), square),
		newBoard([][]string{{"", "=", "/", "*"}, {"7", "8", "9", "-"}, {"4", "5", "6", "+"}, {"1", "2", "3"}, {"", "0", "."}}, make([]int, 5), square),
	}
}

// walks finds three and more characters each of which is next to the one before it.
func (s *subject) walks(all []match, boards []*board) []match {
	n := len(s.runes)
	for _, b := range boards {
		for i := 0; i < n-1; {
			at, shift, ok := b.find(s.runes[i])
			turns, shifts, last, j := 0, 0, -1, i+1
			if shift {
				shifts++
			}
			for ok && j < n {
				next, shift, found := b.find(s.runes[j])
				d := b.direction(at, next)
				if !found || d < 0 {
					break
				}
				if shift {
					shifts++
				}
				if d != last {
					turns++
					last = d
				}
				at = next
				j++
			}
			if j-i > 2 {
				all = append(all, match{Walk, i, j, b.guesses(j-i, turns, shifts)})
			}
			i = j
		}
	}
	return all
}

// guesses counts the walks of up to length keys with up to so many turns, times the ways to hold shift.
func (b *board) guesses(length, turns, shifts int) float64 {
	var sum float64
	for l := 2; l <= length; l++ {
		for t := 1; t <= min(turns, l-1); t++ {
			sum += binomial(l-1, t-1) * b.starts * math.Pow(b.degree, float64(t))
		}
	}
	switch {
	case shifts == 0:
		return sum
	case shifts == length:
		return 2 * sum
	}
	return sum * choices(shifts, length-shifts)
}

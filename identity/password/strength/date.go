package strength

// People choose years near their own, at least as many as yearSpan. The present is the year in which this was written: a
// clock would make the same password weaker or stronger without anybody's doing.
const (
	present   = 2026
	yearSpan  = 20
	firstYear = 1000
	lastYear  = 2050
)

func yearGuesses(year int) float64 { return float64(max(year-present, present-year, yearSpan)) }

// years finds 1900 to 2029.
func (s *subject) years(all []match) []match {
	for i := 0; i+4 <= len(s.runes); i++ {
		if y, ok := s.number(i, i+4); ok && y >= 1900 && y <= 2029 {
			all = append(all, match{Year, i, i + 4, yearGuesses(y)})
		}
	}
	return all
}

// number reads the decimal figures from i to before j.
func (s *subject) number(i, j int) (n int, ok bool) {
	for _, r := range s.runes[i:j] {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = 10*n + int(r-'0')
	}
	return n, true
}

// cuts says where six figures and the like can be cut into three numbers.
var cuts = map[int][][2]int{
	4: {{1, 2}, {2, 3}},
	5: {{1, 3}, {2, 3}},
	6: {{1, 2}, {2, 4}, {4, 5}},
	7: {{1, 3}, {2, 3}, {4, 5}, {4, 6}},
	8: {{2, 4}, {4, 6}},
}

// dates finds days with month and year, in the orders of the world, with or without signs between them.
func (s *subject) dates(all []match) []match {
	n := len(s.runes)
	var found []match
	for i := range n {
		for length := 4; length <= 10 && i+length <= n; length++ {
			year, signs := s.plainDate(i, i+length), 1.
			if year == 0 {
				year, signs = s.signedDate(i, i+length), 4
			}
			if year != 0 {
				found = append(found, match{Date, i, i + length, 365 * yearGuesses(year) * signs})
			}
		}
	}
next:
	for _, m := range found {
		for _, o := range found {
			if o != m && o.i <= m.i && o.j >= m.j {
				continue next // part of a longer one
			}
		}
		all = append(all, m)
	}
	return all
}

// plainDate returns the year of a date without signs, the one nearest to the present, or 0.
func (s *subject) plainDate(i, j int) (year int) {
	if _, ok := s.number(i, j); !ok || j-i > 8 {
		return 0
	}
	for _, c := range cuts[j-i] {
		a, _ := s.number(i, i+c[0])
		b, _ := s.number(i+c[0], i+c[1])
		d, _ := s.number(i+c[1], j)
		if y := yearOf(a, b, d); y != 0 && (year == 0 || max(y-present, present-y) < max(year-present, present-year)) {
			year = y
		}
	}
	return year
}

// signedDate returns the year of a date such as 1/2/2026, or 0.
func (s *subject) signedDate(i, j int) int {
	if j-i < 6 {
		return 0
	}
	var at []int
	for k := i; k < j; k++ {
		switch r := s.runes[k]; r {
		case '/', '\\', '_', '.', '-', ' ', '\t':
			at = append(at, k)
		}
	}
	if len(at) != 2 || s.runes[at[0]] != s.runes[at[1]] {
		return 0
	}
	a, b, d := at[0]-i, at[1]-at[0]-1, j-at[1]-1 // figures of the three
	if a < 1 || a > 4 || b < 1 || b > 2 || d < 1 || d > 4 {
		return 0
	}
	first, ok1 := s.number(i, at[0])
	second, ok2 := s.number(at[0]+1, at[1])
	third, ok3 := s.number(at[1]+1, j)
	if !ok1 || !ok2 || !ok3 {
		return 0
	}
	return yearOf(first, second, third)
}

// yearOf returns the year when three numbers can be day, month and year, whose year is not in the middle; or 0.
func yearOf(a, b, c int) int {
	if b > 31 || b <= 0 {
		return 0
	}
	above12, above31, below1 := 0, 0, 0
	for _, n := range []int{a, b, c} {
		if (n > 99 && n < firstYear) || n > lastYear {
			return 0
		}
		if n > 31 {
			above31++
		}
		if n > 12 {
			above12++
		}
		if n <= 0 {
			below1++
		}
	}
	if above31 >= 2 || above12 == 3 || below1 >= 2 {
		return 0
	}
	choices := [2]struct{ year, x, y int }{{c, a, b}, {a, b, c}}
	for _, o := range choices {
		if o.year >= firstYear {
			if dayAndMonth(o.x, o.y) {
				return o.year
			}
			return 0 // four figures are a year, or this is no date
		}
	}
	for _, o := range choices {
		if dayAndMonth(o.x, o.y) {
			switch {
			case o.year > 50:
				return 1900 + o.year
			default:
				return 2000 + o.year
			}
		}
	}
	return 0
}

func dayAndMonth(x, y int) bool {
	return (x >= 1 && x <= 31 && y >= 1 && y <= 12) || (y >= 1 && y <= 31 && x >= 1 && x <= 12)
}

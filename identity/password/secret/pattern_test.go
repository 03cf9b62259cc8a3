package secret_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/secret"
)

// TestPatternsOf3x3AreAllThere tries every sequence of four to nine nodes: 389,112 are patterns, and all have other bytes.
func TestPatternsOf3x3AreAllThere(t *testing.T) {
	var byLength [10]int
	seen := make(map[string]bool, 389_112)
	var walk func(nodes []int, used int)
	walk = func(nodes []int, used int) {
		if len(nodes) >= 4 {
			s, err := grid.Read(secret.Entry{Nodes: nodes})
			if err != nil {
				return // nor is anything that goes on from here
			}
			byLength[len(nodes)]++
			seen[string(s.Bytes())] = true
		}
		for next := range 9 {
			if used>>next&1 == 0 {
				walk(append(nodes, next), used|1<<next)
			}
		}
	}
	walk(make([]int, 0, 9), 0)
	require.Equal(t, [10]int{4: 1624, 5: 7152, 6: 26_016, 7: 72_912, 8: 140_704, 9: 140_704}, byLength)
	require.Len(t, seen, 389_112)
	require.Equal(t, uint64(389_112), read(t, grid, line(1, 5, 6, 4)).Estimate().Space)
}

// TestSpacesAreCounted counts lines in another way: by the set of nodes that are visited, and the last of them.
func TestSpacesAreCounted(t *testing.T) {
	for _, side := range []int{3, 4} {
		n := side * side
		over := make([][]int, n) // nodes that lie between two, as bits
		for a := range n {
			over[a] = make([]int, n)
			for b := range n {
				for c := range n {
					ax, ay, bx, by, cx, cy := a%side, a/side, b%side, b/side, c%side, c/side
					inside := (cx-ax)*(cx-bx) <= 0 && (cy-ay)*(cy-by) <= 0
					if c != a && c != b && inside && (bx-ax)*(cy-ay) == (by-ay)*(cx-ax) {
						over[a][b] |= 1 << c
					}
				}
			}
		}
		ends := make([]uint64, n<<n)
		for a := range n {
			ends[1<<a*n+a] = 1
		}
		byLength := make([]uint64, n+1)
		for visited := 1; visited < 1<<n; visited++ {
			length := 0
			for v := visited; v > 0; v &= v - 1 {
				length++
			}
			for a := range n {
				count := ends[visited*n+a]
				if count == 0 {
					continue
				}
				byLength[length] += count
				for b := range n {
					if visited>>b&1 == 0 && over[a][b]&^visited == 0 {
						ends[(visited|1<<b)*n+b] += count
					}
				}
			}
		}
		for least := 4; least <= n; least++ {
			want := uint64(0)
			for _, count := range byLength[least:] {
				want += count
			}
			all := make([]int, n) // a line through all nodes, row by row, there and back
			for i := range all {
				all[i] = i
				if i/side%2 == 1 {
					all[i] = i/side*side + side - 1 - i%side
				}
			}
			require.Equal(t, want, read(t, secret.Pattern{Side: side, Min: least}, line(all...)).Estimate().Space, "%d %d", side, least)
		}
	}
}

func TestLinesThatPassOverAreRefused(t *testing.T) {
	for _, c := range []struct {
		side  int
		nodes []int
		ok    bool
	}{
		{3, []int{0, 2, 1, 4}, false}, // over 1
		{3, []int{1, 0, 2, 4}, true},  // 1 is visited
		{3, []int{0, 8, 7, 6}, false}, // over 4
		{3, []int{4, 0, 8, 7}, true},
		{3, []int{0, 5, 6, 1}, true}, // the knight passes between
		{3, []int{0, 1, 0, 3}, false},
		{3, []int{0, 1, 2, 9}, false},
		{3, []int{0, 1, 2, -1}, false},
		{3, []int{0, 1, 2}, false},
		{4, []int{1, 0, 3, 7}, false}, // over 2, which is not
		{4, []int{1, 2, 0, 3}, true},
		{5, []int{0, 12, 6, 7}, false},
		{5, []int{0, 7, 14, 13}, true},
		{5, []int{0, 14, 13, 12}, false}, // 4 and 2 have the divisor 2: over 7
		{5, []int{7, 0, 14, 13}, true},
	} {
		_, err := secret.Pattern{Side: c.side, Min: 4}.Read(line(c.nodes...))
		require.Equal(t, c.ok, err == nil, "%d %v %v", c.side, c.nodes, err)
	}
}

func TestLettersFallFirst(t *testing.T) {
	for letter, nodes := range map[string][]int{
		"L": {0, 3, 6, 7, 8}, "Z": {0, 1, 2, 4, 6, 7, 8}, "U": {0, 3, 6, 7, 8, 5, 2}, "S": {2, 1, 0, 3, 4, 5, 8, 7, 6},
		"N": {6, 3, 0, 4, 8, 5, 2}, "row": {0, 1, 2, 5}, "7": {0, 1, 2, 5, 8},
	} {
		s := read(t, grid, line(nodes...))
		require.LessOrEqual(t, s.Estimate().Guesses, uint64(100), letter)
		_, _, err := grid.Enroll(line(nodes...))
		require.Equal(t, uint64(100), weak(t, err).Least, letter)
	}
	knots := read(t, grid, line(1, 5, 6, 4, 2, 0)).Estimate().Guesses
	require.Greater(t, knots, uint64(1000))
	require.Equal(t, uint64(50_000), read(t, grid, line(4, 2, 3, 8, 1, 6, 5, 0, 7)).Estimate().Guesses, "no more is known of 3 x 3")
}

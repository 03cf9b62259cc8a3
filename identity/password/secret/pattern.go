package secret

import "math"

// Pattern is a line through the nodes of a square grid, as telephones have it: it visits no node twice, and does not pass over
// a node that it has not visited. The zero Pattern is refused.
type Pattern struct {
	Side int `json:"side"` // nodes, 3 to 5
	Min  int `json:"min"`  // nodes of the line, 4 to all
}

const (
	minSide = 3
	maxSide = 5
	minLine = 4
)

// Kind returns [KindPattern].
func (Pattern) Kind() Kind { return KindPattern }

// Validate implements [Scheme].
func (p Pattern) Validate() error {
	switch {
	case p.Side < minSide || p.Side > maxSide:
		return invalid("pattern: side is %d, want %d to %d", p.Side, minSide, maxSide)
	case p.Min < minLine || p.Min > p.Side*p.Side:
		return invalid("pattern: min is %d, want %d to %d", p.Min, minLine, p.Side*p.Side)
	}
	return nil
}

// Enroll refuses the first hundred: straight lines, and the letters that most people draw.
func (p Pattern) Enroll(e Entry) (Scheme, Secret, error) {
	s, err := p.Read(e)
	if err != nil {
		return nil, Secret{}, err
	}
	return enrolled(p, s)
}

// enrolled refuses what falls in the first guesses.
func enrolled(as Scheme, s Secret) (Scheme, Secret, error) {
	if s.in.estimate.Guesses <= least {
		s.Clear()
		return nil, Secret{}, &WeakError{as.Kind(), least}
	}
	return as, s, nil
}

// Read implements [Scheme].
func (p Pattern) Read(e Entry) (Secret, error) {
	if err := p.Validate(); err != nil {
		return Secret{}, err
	}
	if !e.alone(len(e.Nodes), p.Min, p.Side*p.Side) {
		return Secret{}, misfit("a line of as many nodes as the scheme says")
	}
	var visited [maxSide * maxSide]bool
	symbols := make([]byte, 0, len(e.Nodes))
	for i, node := range e.Nodes {
		switch {
		case node < 0 || node >= p.Side*p.Side:
			return Secret{}, misfit("nodes of the grid")
		case visited[node]:
			return Secret{}, misfit("each node once")
		case i > 0 && !p.free(e.Nodes[i-1], node, visited[:]):
			return Secret{}, misfit("a line that passes over no node that it has not visited")
		}
		visited[node] = true
		symbols = append(symbols, byte(node))
	}
	return newSecret(KindPattern, number(nil, p.Side), symbols, p.estimate(e.Nodes)), nil
}

// free says whether every node between two is visited.
func (p Pattern) free(from, to int, visited []bool) bool {
	dx, dy := to%p.Side-from%p.Side, to/p.Side-from/p.Side
	pieces := divisor(dx, dy)
	for i := 1; i < pieces; i++ {
		if !visited[from+i*(dy/pieces*p.Side+dx/pieces)] {
			return false
		}
	}
	return true
}

// divisor is the greatest that two numbers have in common.
func divisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

// lines has how many valid lines of so many nodes there are, for grids of 3 x 3 and 4 x 4; a test counts them.
var lines = [2][]uint64{
	{0, 9, 56, 320, 1624, 7152, 26016, 72912, 140704, 140704},
	{
		0, 16, 172, 1744, 16880, 154680, 1331944, 10690096, 79137824, 533427944, 3221413136, 17068504632, 77129797424,
		285415667080, 811404606344, 1577602537520, 1577602537520,
	},
}

// space counts the patterns of the scheme; those of 5 x 5 are more than a uint64 holds.
func (p Pattern) space() uint64 {
	if p.Side == maxSide {
		return math.MaxUint64
	}
	total := uint64(0)
	for _, n := range lines[p.Side-minSide][p.Min:] {
		total += n
	}
	return total
}

// common3x3 bounds what a pattern of 3 x 3 is worth: after 50,000 guesses 95.9 % had fallen (Aviv et al., ACSAC 2015).
const common3x3 = 50_000

// estimate multiplies the ranks of what people do first: where they begin (the upper left corner, a corner, an edge), and at
// each node how they go on (straight, to a neighbour in the row or column, diagonally, further away). The order is that of
// Uellenbeck et al.; the ranks are ours. The letters L, Z and U come out below 16.
func (p Pattern) estimate(nodes []int) Estimate {
	last := p.Side - 1
	edge := func(v int) bool { return v == 0 || v == last }
	x, y := nodes[0]%p.Side, nodes[0]/p.Side
	guesses := uint64(p.Side * p.Side)
	switch {
	case nodes[0] == 0:
		guesses = 1
	case edge(x) && edge(y):
		guesses = 3
	case edge(x) || edge(y):
		guesses = uint64(2 * p.Side)
	}
	beforeX, beforeY := 0, 0
	for i := 1; i < len(nodes); i++ {
		dx, dy := nodes[i]%p.Side-nodes[i-1]%p.Side, nodes[i]/p.Side-nodes[i-1]/p.Side
		rank := uint64(6)
		switch {
		case dx == beforeX && dy == beforeY:
			rank = 1
		case dx*dx+dy*dy == 1:
			rank = 2
		case dx*dx+dy*dy == 2:
			rank = 4
		}
		guesses = times(guesses, rank)
		beforeX, beforeY = dx, dy
	}
	space := p.space()
	if p.Side == minSide {
		guesses = min(guesses, common3x3)
	}
	return Estimate{min(guesses, space), space}
}

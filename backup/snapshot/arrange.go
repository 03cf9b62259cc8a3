package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

// arrange numbers the nodes anew so that needs come first: Tarjan's strongly connected components, which come out in that
// order (SIAM J. Comput. 1 (1972) 146), without recursion. Members of a circle get numbers in a row, and are marked.
func (g *Graph) arrange(list *findings) {
	n := int32(g.Len())
	var (
		renamed = make([]int32, n)    // the new number + 1; 0: none yet
		seen    = make([]int32, n)    // when it was met, from 1; 0: not yet
		low     = make([]int32, n)    // the earliest that it leads back to
		next    = make([]int32, n)    // the need to look at
		path    = make([]int32, 0, 8) // where we are
		open    = make([]int32, 0, 8) // met, in no component yet
		clock   int32
		done    int32
		circles []span
	)
	for start := range n {
		if seen[start] != 0 {
			continue
		}
		path = append(path, start)
		for len(path) > 0 {
			v := path[len(path)-1]
			if seen[v] == 0 {
				clock++
				seen[v], low[v], next[v] = clock, clock, g.off[v]
				open = append(open, v)
			}
			if next[v] < g.off[v+1] {
				to := g.to[next[v]]
				next[v]++
				switch {
				case seen[to] == 0:
					path = append(path, to)
				case renamed[to] == 0:
					low[v] = min(low[v], seen[to])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				above := path[len(path)-1]
				low[above] = min(low[above], low[v])
			}
			if low[v] != seen[v] {
				continue
			}
			first := len(open) - 1
			for open[first] != v {
				first--
			}
			loop := len(open)-first > 1 || slices.Contains(g.needs(v), v)
			if loop {
				circles = append(circles, span{done, done + int32(len(open)-first)})
			}
			for _, w := range open[first:] {
				done++
				renamed[w] = done
				if loop {
					g.flags[w] |= flagCycle
				}
			}
			open = open[:first]
		}
	}
	for i := range renamed {
		renamed[i]--
	}
	g.permute(renamed)
	for _, c := range circles {
		list.add(RuleCycle, opsec.SeverityHigh, func() (string, string) { return g.ID(int(c.begin)), g.circle(c) })
	}
}

// span is a row of nodes, from begin to before end.
type span struct{ begin, end int32 }

// circle shows a way round among the nodes of c, each of which leads to all others.
func (g *Graph) circle(c span) string {
	met := map[int32]int{}
	var way []int32
	v := c.begin
	for {
		if _, again := met[v]; again {
			break
		}
		met[v] = len(way)
		way = append(way, v)
		for _, to := range g.needs(v) {
			if c.begin <= to && to < c.end {
				v = to
				break
			}
		}
	}
	way = way[met[v]:]
	const most = 16
	var text strings.Builder
	for i, w := range way {
		if i == most {
			fmt.Fprintf(&text, "%d more, ", len(way)-most)
			break
		}
		fmt.Fprintf(&text, "%s needs ", Quote(g.ID(int(w))))
	}
	text.WriteString(Quote(g.ID(int(way[0]))))
	if others := int(c.end-c.begin) - len(way); others > 0 {
		fmt.Fprintf(&text, "; %d more need each other and these", others)
	}
	return text.String()
}

// permute gives node v the number renamed[v].
func (g *Graph) permute(renamed []int32) {
	n := int32(g.Len())
	old := make([]int32, n)
	for v, to := range renamed {
		old[to] = int32(v)
	}
	off, to := make([]int32, 1, n+1), make([]int32, 0, len(g.to))
	var as []uint16
	for _, v := range old {
		for j := g.off[v]; j < g.off[v+1]; j++ {
			set(&as, len(to), len(g.to), get(g.as, j))
			to = append(to, renamed[g.to[j]])
		}
		off = append(off, int32(len(to)))
	}
	g.off, g.to, g.as = off, to, as
	if g.numbered && g.number == nil {
		g.number = make([]int32, n)
		for i := range g.number {
			g.number[i] = int32(i)
		}
	}
	g.flags = permuted(g.flags, renamed)
	g.created, g.verified = permuted(g.created, renamed), permuted(g.verified, renamed)
	g.size, g.virtual = permuted(g.size, renamed), permuted(g.virtual, renamed)
	g.replicas, g.format = permuted(g.replicas, renamed), permuted(g.format, renamed)
	g.names, g.number = permuted(g.names, renamed), permuted(g.number, renamed)
	if g.broken != nil {
		broken := make(map[int32]string, len(g.broken))
		for v, why := range g.broken {
			broken[renamed[v]] = why
		}
		g.broken = broken
	}
}

func permuted[T any](column []T, renamed []int32) []T {
	if column == nil {
		return nil
	}
	list := make([]T, len(renamed))
	for i, value := range column {
		list[renamed[i]] = value
	}
	return list
}

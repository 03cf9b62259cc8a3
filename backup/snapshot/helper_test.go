package snapshot_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/snapshot"
)

// chain returns a graph of n restore points, each of which needs the one before: "s1" is the first.
func chain(t testing.TB, n int) *snapshot.Graph {
	t.Helper()
	var b snapshot.Builder
	for i := 1; i <= n; i++ {
		node := snapshot.Node{ID: fmt.Sprint("s", i), Restore: true}
		if i > 1 {
			node.Needs = []snapshot.Need{{ID: fmt.Sprint("s", i-1), As: snapshot.AsBacking}}
		}
		require.NoError(t, b.Add(node))
	}
	g, found := b.Build()
	require.Empty(t, found)
	return g
}

// drawn is a random list of nodes whose needs come earlier in the list, and their order of adding.
type drawn struct {
	nodes []snapshot.Node
	order []int
}

// drawDAG draws a graph without circles of at most most nodes, named "n0", "n1", ...
func drawDAG(t *rapid.T, most, maxNeeds int) drawn {
	n := rapid.IntRange(1, most).Draw(t, "nodes")
	var d drawn
	near := rapid.Bool().Draw(t, "near")
	for i := range n {
		node := snapshot.Node{ID: fmt.Sprint("n", i), Restore: rapid.Bool().Draw(t, "restore"), Replicas: rapid.IntRange(0, 3).Draw(t, "replicas")}
		if rapid.IntRange(0, 19).Draw(t, "broken") == 0 {
			node.Broken = "torn"
		}
		for range rapid.IntRange(0, min(maxNeeds, i)).Draw(t, "needs") {
			from := 0
			if near {
				from = max(0, i-4)
			}
			to := rapid.IntRange(from, i-1).Draw(t, "to")
			as := rapid.SampledFrom([]string{"", snapshot.AsBacking, snapshot.AsDataFile, snapshot.AsContains, "chunk"}).Draw(t, "as")
			node.Needs = append(node.Needs, snapshot.Need{ID: fmt.Sprint("n", to), As: as})
		}
		d.nodes = append(d.nodes, node)
	}
	d.order = rapid.Permutation(upTo(n)).Draw(t, "order")
	return d
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func (d drawn) build(t require.TestingT) *snapshot.Graph {
	var b snapshot.Builder
	for _, i := range d.order {
		require.NoError(t, b.Add(d.nodes[i]))
	}
	g, found := b.Build()
	require.Empty(t, found)
	return g
}

// closures are computed the plain way: sets of node numbers.
func (d drawn) closures() [][]int {
	number := map[string]int{}
	sets := make([]map[int]bool, len(d.nodes))
	lists := make([][]int, len(d.nodes))
	for i, node := range d.nodes {
		number[node.ID] = i
		sets[i] = map[int]bool{i: true}
		for _, need := range node.Needs {
			for j := range sets[number[need.ID]] {
				sets[i][j] = true
			}
		}
		for j := range sets[i] {
			lists[i] = append(lists[i], j)
		}
		slices.Sort(lists[i])
	}
	return lists
}

// exactChance multiplies rational numbers: the chance that all of the closure are sound.
func exactChance(m snapshot.FailureModel, nodes []snapshot.Node, closure []int) float64 {
	product := big.NewRat(1, 1)
	for _, j := range closure {
		p := new(big.Rat).SetFloat64(m.Of(nodes[j]))
		product.Mul(product, p.Sub(big.NewRat(1, 1), p))
	}
	f, _ := product.Float64()
	return f
}

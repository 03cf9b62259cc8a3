package snapshot_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/snapshot"
)

// ownChance is what the model says of one node, reckoned from what it says of copies: either all share one fate, or each has its own.
func ownChance(m snapshot.FailureModel, n snapshot.Node) float64 {
	if n.Broken != "" {
		return 1
	}
	all := 1.0
	for range max(n.Replicas, 1) {
		all *= m.P
	}
	return (1-m.Independence)*m.P + m.Independence*all
}

// unreadable says which nodes cannot be read when some have failed: these, and, again and again, what needs one that cannot.
func unreadable(nodes []snapshot.Node, failed func(i int) bool) map[string]bool {
	bad := map[string]bool{}
	for i, n := range nodes {
		bad[n.ID] = failed(i)
	}
	for range nodes {
		for _, n := range nodes {
			for _, need := range n.Needs {
				bad[n.ID] = bad[n.ID] || bad[need.ID]
			}
		}
	}
	return bad
}

// worlds calls f for each set of nodes that may have failed, with its chance and what cannot be read then.
func worlds(m snapshot.FailureModel, nodes []snapshot.Node, f func(chance float64, bad map[string]bool)) {
	for set := range 1 << len(nodes) {
		chance := 1.0
		for i, n := range nodes {
			if p := ownChance(m, n); set>>i&1 == 1 {
				chance *= p
			} else {
				chance *= 1 - p
			}
		}
		if chance > 0 {
			f(chance, unreadable(nodes, func(i int) bool { return set>>i&1 == 1 }))
		}
	}
}

// expectedLost is the sum over all sets of nodes that may fail.
func expectedLost(m snapshot.FailureModel, nodes []snapshot.Node) float64 {
	lost := 0.0
	worlds(m, nodes, func(chance float64, bad map[string]bool) {
		for _, n := range nodes {
			if n.Restore && bad[n.ID] {
				lost += chance
			}
		}
	})
	return lost
}

func TestReportEqualsTheSumOverAllSetsOfFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 8, rapid.IntRange(1, 4).Draw(t, "most needs"))
		m := snapshot.FailureModel{P: rapid.Float64Range(0.001, 1).Draw(t, "p"), Independence: rapid.Float64Range(0, 1).Draw(t, "independence")}
		g := d.build(t)
		r, err := g.Analyze(m, nil)
		require.NoError(t, err)
		usable := map[string]float64{}
		lost := 0.0
		worlds(m, d.nodes, func(chance float64, bad map[string]bool) {
			for _, n := range d.nodes {
				if !bad[n.ID] {
					usable[n.ID] += chance
				} else if n.Restore {
					lost += chance
				}
			}
		})
		require.InDelta(t, lost, r.ExpectedLost, 1e-9)
		require.Equal(t, r.ExpectedLost, r.ExpectedLostLow)
		for i, n := range d.nodes {
			v, _ := g.Find(n.ID)
			low, _ := r.Usable(v)
			require.InDelta(t, usable[n.ID], low, 1e-9, n.ID)
			blast := 0
			alone := unreadable(d.nodes, func(j int) bool { return i == j })
			for _, other := range d.nodes {
				if other.Restore && alone[other.ID] {
					blast++
				}
			}
			require.Equal(t, blast, r.Blast(v), n.ID)
		}
	})
}

// Of sizes some are not known, so that copies cannot be priced, or only by the size of the disk; and images have extents, which stay.
func TestFlattenPlanIsAsGoodAsTryingAllWithExtentsAndSizesThatAreNotKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trees := drawTree(t, 6)
		nodes := append([]snapshot.Node(nil), trees...)
		sums, vague := make([]int64, len(trees)), make([]bool, len(trees)) // of what each is read through
		number := map[string]int{}
		for i := range trees {
			n := &nodes[i]
			number[n.ID] = i
			n.Size = rapid.Int64Range(0, 4).Draw(t, "size")
			if len(n.Needs) > 0 {
				below := number[n.Needs[0].ID]
				sums[i], vague[i] = sums[below], vague[below]
			}
			sums[i], vague[i] = sums[i]+n.Size, vague[i] || n.Size == 0
			if rapid.IntRange(0, 2).Draw(t, "extent") == 0 {
				e := snapshot.Node{ID: n.ID + ".ext", Size: rapid.Int64Range(0, 4).Draw(t, "extent's size"), Restore: rapid.Bool().Draw(t, "extent's restore")}
				sums[i], vague[i] = sums[i]+e.Size, vague[i] || e.Size == 0
				n.Needs = append(n.Needs[:len(n.Needs):len(n.Needs)], snapshot.Need{ID: e.ID, As: snapshot.AsExtent})
				nodes = append(nodes, e)
			}
		}
		m := snapshot.FailureModel{P: rapid.Float64Range(0.01, 0.6).Draw(t, "p"), Independence: 0.5}
		b := snapshot.Budget{Bytes: rapid.Int64Range(0, 40).Draw(t, "budget")}
		broken := unreadable(nodes, func(i int) bool { return nodes[i].Broken != "" })
		cost := map[int]int64{} // of what can be priced
		unpriced := 0
		for i, n := range trees {
			switch {
			case broken[n.ID] || len(n.Needs) == 0:
			case n.Virtual > 0 && (vague[i] || n.Virtual < sums[i]):
				cost[i] = n.Virtual
			case vague[i]:
				unpriced++
			default:
				cost[i] = sums[i]
			}
		}
		best := math.Inf(1)
	all:
		for set := range 1 << len(trees) {
			bytes, copied := int64(0), append([]snapshot.Node(nil), nodes...)
			for i := range trees {
				if set>>i&1 == 0 {
					continue
				}
				c, ok := cost[i]
				if !ok {
					continue all
				}
				bytes += c
				copied[i].Needs = nodes[i].Needs[len(trees[i].Needs):]
			}
			if bytes <= b.Bytes {
				best = min(best, expectedLost(m, copied))
			}
		}
		p, err := drawn{nodes: nodes, order: upTo(len(nodes))}.build(t).Flatten(m, b)
		require.NoError(t, err)
		require.True(t, p.Exact)
		require.Equal(t, unpriced, p.Unpriced)
		require.Zero(t, p.Beside)
		require.InDelta(t, best, p.After, 1e-9)
		require.LessOrEqual(t, p.Bytes, b.Bytes)
	})
}

// A plan that was free to copy anything is the best of all, whatever the graph.
func TestFlattenPlanThatLeftNothingBesideIsTheBest(t *testing.T) {
	looked := 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 7, 2)
		for i := range d.nodes {
			d.nodes[i].Size = rapid.Int64Range(1, 5).Draw(t, "size")
			for j := range d.nodes[i].Needs {
				d.nodes[i].Needs[j].As = snapshot.AsParent // no parts, which stay
			}
		}
		m := snapshot.FailureModel{P: rapid.Float64Range(0.01, 0.6).Draw(t, "p"), Independence: 0.5}
		b := snapshot.Budget{Bytes: rapid.Int64Range(0, 40).Draw(t, "budget")}
		p, err := d.build(t).Flatten(m, b)
		require.NoError(t, err)
		sets, best := d.closures(), math.Inf(1)
	all:
		for set := range 1 << len(d.nodes) {
			bytes, copied := int64(0), append([]snapshot.Node(nil), d.nodes...)
			for i := range d.nodes {
				if set>>i&1 == 0 {
					continue
				}
				if len(d.nodes[i].Needs) == 0 {
					continue all
				}
				copied[i].Needs = nil
				for _, j := range sets[i] {
					bytes += d.nodes[j].Size
					if d.nodes[j].Broken != "" {
						continue all // there is nothing to copy from
					}
				}
			}
			if bytes <= b.Bytes {
				best = min(best, expectedLost(m, copied))
			}
		}
		require.GreaterOrEqual(t, p.After, best-1e-9)
		if p.Beside == 0 {
			looked++
			require.InDelta(t, best, p.After, 1e-9)
		}
	})
	require.NotZero(t, looked)
}

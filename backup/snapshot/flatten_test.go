package snapshot_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

// drawTree draws a forest with sizes, at most most nodes, "n0", "n1", ...
func drawTree(t *rapid.T, most int) []snapshot.Node {
	var nodes []snapshot.Node
	for i := range rapid.IntRange(1, most).Draw(t, "nodes") {
		n := snapshot.Node{
			ID: fmt.Sprint("n", i), Restore: rapid.IntRange(0, 3).Draw(t, "restore") > 0, Size: rapid.Int64Range(1, 9).Draw(t, "size"),
			Virtual: rapid.SampledFrom([]int64{0, 0, 12}).Draw(t, "virtual"), Replicas: rapid.IntRange(0, 2).Draw(t, "replicas"),
		}
		if rapid.IntRange(0, 29).Draw(t, "broken") == 0 {
			n.Broken = "torn"
		}
		if i > 0 && rapid.IntRange(0, 7).Draw(t, "root") > 0 {
			n.Needs = []snapshot.Need{{ID: fmt.Sprint("n", rapid.IntRange(max(0, i-3), i-1).Draw(t, "parent")), As: snapshot.AsParent}}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// after returns what is expected to be lost once some nodes need nothing, and what copying them takes.
func after(t require.TestingT, nodes []snapshot.Node, m snapshot.FailureModel, cut func(id string) bool) (lost float64, bytes int64) {
	list := append([]snapshot.Node(nil), nodes...)
	sizes := map[string]int64{}
	for i, n := range nodes {
		sizes[n.ID] = n.Size
		if len(n.Needs) > 0 {
			sizes[n.ID] += sizes[n.Needs[0].ID]
		}
		if cut(n.ID) {
			list[i].Needs = nil
			if n.Virtual > 0 {
				bytes += min(n.Virtual, sizes[n.ID])
			} else {
				bytes += sizes[n.ID]
			}
		}
	}
	r, err := drawn{nodes: list, order: upTo(len(list))}.build(t).Analyze(m, nil)
	require.NoError(t, err)
	return r.ExpectedLost, bytes
}

func TestFlattenPlanIsAsGoodAsTryingAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawTree(t, 9)
		m := snapshot.FailureModel{P: rapid.Float64Range(0.01, 0.6).Draw(t, "p"), Independence: 0.5}
		b := snapshot.Budget{Bytes: rapid.Int64Range(0, 60).Draw(t, "budget")}
		g := drawn{nodes: nodes, order: upTo(len(nodes))}.build(t)
		before, err := g.Analyze(m, nil)
		require.NoError(t, err)

		best := math.Inf(1)
	all:
		for set := range 1 << len(nodes) {
			cut := map[string]bool{}
			for i, n := range nodes {
				if set>>i&1 == 0 {
					continue
				}
				v, _ := g.Find(n.ID)
				if low, _ := before.Usable(v); len(n.Needs) == 0 || low == 0 {
					continue all // nothing to copy, or nothing to copy from
				}
				cut[n.ID] = true
			}
			if lost, bytes := after(t, nodes, m, func(id string) bool { return cut[id] }); bytes <= b.Bytes {
				best = min(best, lost)
			}
		}
		for _, options := range []int{1 << 20, 0} {
			p, err := g.FlattenWithin(m, b, options)
			require.NoError(t, err)
			cut := map[string]bool{}
			for _, s := range p.Steps {
				cut[s.ID] = true
			}
			lost, bytes := after(t, nodes, m, func(id string) bool { return cut[id] })
			require.Equal(t, bytes, p.Bytes)
			require.LessOrEqual(t, p.Bytes, b.Bytes)
			require.InDelta(t, before.ExpectedLost, p.Before, 1e-9)
			require.InDelta(t, lost, p.After, 1e-9)
			require.LessOrEqual(t, p.Bound, best+1e-9)
			require.GreaterOrEqual(t, p.After, best-1e-9)
			require.True(t, p.Exact || options == 0)
			if p.Exact {
				require.InDelta(t, best, p.After, 1e-9)
			}
			if n := len(p.Steps); n > 0 {
				require.Equal(t, p.After, p.Steps[n-1].After)
			}
		}
	})
}

// On any graph: what a plan says is left is what is left.
func TestFlattenPlanKeepsItsWordOnAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 14, 3)
		for i := range d.nodes {
			d.nodes[i].Size = rapid.Int64Range(0, 5).Draw(t, "size")
			for j := range d.nodes[i].Needs {
				d.nodes[i].Needs[j].As = snapshot.AsParent // no parts, which stay
			}
		}
		g := d.build(t)
		m := snapshot.FailureModel{P: 0.1}
		p, err := g.Flatten(m, snapshot.Budget{Bytes: 30})
		require.NoError(t, err)
		for _, s := range p.Steps {
			for i := range d.nodes {
				if d.nodes[i].ID == s.ID {
					d.nodes[i].Needs = nil
				}
			}
			r, err := d.build(t).Analyze(m, nil)
			require.NoError(t, err)
			require.InDelta(t, r.ExpectedLost, s.After, 1e-9)
		}
		require.LessOrEqual(t, p.After, p.Before)
	})
}

func TestFlattenCutsAChainInTheMiddle(t *testing.T) {
	var b snapshot.Builder
	for i := range 9 {
		n := snapshot.Indexed{Restore: true, Size: 1 << 20, Virtual: 1 << 20}
		if i > 0 {
			n.Needs = []int{i - 1}
		}
		require.NoError(t, b.AddIndexed(n))
	}
	g, _ := b.Build()
	p, err := g.Flatten(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 2 << 20})
	require.NoError(t, err)
	require.True(t, p.Exact)
	require.Len(t, p.Steps, 2)
	require.Equal(t, []string{"#3", "#6"}, []string{p.Steps[0].ID, p.Steps[1].ID})
	var text strings.Builder
	require.NoError(t, p.WriteText(&text))
	require.Contains(t, text.String(), "flatten #6: 1.0 MiB, then 0.1788")
	relaxed, err := g.FlattenWithin(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 2 << 20}, 0)
	require.NoError(t, err)
	require.Equal(t, p.Steps, relaxed.Steps, "where costs are equal, a price finds the best too")
	require.InDelta(t, p.After, relaxed.Bound, 1e-6)

	p, err = g.Flatten(snapshot.FailureModel{P: 0.01}, snapshot.Budget{})
	require.NoError(t, err)
	require.Empty(t, p.Steps)
	require.Equal(t, p.Before, p.After)
	_, err = g.Flatten(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: -1})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = g.Flatten(snapshot.FailureModel{}, snapshot.Budget{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestNoPlanOverspends(t *testing.T) {
	g := graph(t, map[string][]string{"a2": {"a1"}, "b2": {"b1"}}, "a1", "a2", "b1", "b2") // two copies of two bytes
	for budget, steps := range map[int64]int{1: 0, 2: 1, 3: 1, 4: 2} {
		for _, options := range []int{0, 1000} {
			p, err := g.FlattenWithin(snapshot.FailureModel{P: 0.1}, snapshot.Budget{Bytes: budget}, options)
			require.NoError(t, err)
			require.LessOrEqual(t, p.Bytes, budget)
			if p.Exact {
				require.Len(t, p.Steps, steps)
			}
		}
	}
}

func TestFlattenLeavesAloneWhatNobodyKnowsTheSizeOf(t *testing.T) {
	p, err := chain(t, 5).Flatten(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 1 << 40})
	require.NoError(t, err)
	require.Empty(t, p.Steps)
	require.Equal(t, 4, p.Unpriced)
}

// A machine of two disks rests on two chains: what the plan was not free to copy is said, and so is what lies inside of a step.
func TestFlattenSaysWhatItCouldNotLookAt(t *testing.T) {
	var b snapshot.Builder
	for _, n := range []snapshot.Node{
		{ID: "a1"}, {ID: "a2", Needs: []snapshot.Need{{ID: "a1"}}}, {ID: "a2#in", Needs: []snapshot.Need{{ID: "a2", As: snapshot.AsContains}}},
		{ID: "b1"}, {ID: "b2", Needs: []snapshot.Need{{ID: "b1"}}}, {ID: "b3", Needs: []snapshot.Need{{ID: "b2"}}},
		{ID: "vm", Needs: []snapshot.Need{{ID: "a2"}, {ID: "b3"}}},
	} {
		n.Size, n.Restore = 1, true
		require.NoError(t, b.Add(n))
	}
	g, _ := b.Build()
	p, err := g.Flatten(snapshot.FailureModel{P: 0.1}, snapshot.Budget{Bytes: 2})
	require.NoError(t, err)
	require.Equal(t, 2, p.Beside, "b2 and b3")
	require.Equal(t, []string{"a2"}, []string{p.Steps[0].ID})
	require.Equal(t, 1, p.Steps[0].Inside)
	var text strings.Builder
	require.NoError(t, p.WriteText(&text))
	require.Contains(t, text.String(), "    1 point inside: copied too, or damaged\n")
	require.Contains(t, text.String(), "not looked at, since something needs them beside others: 2 images\n")
}

// A point is no part of the file that holds it, and the file none of the point: a copy of the point needs the file no more.
func TestFlattenTakesAPointOutOfItsFile(t *testing.T) {
	var b snapshot.Builder
	require.NoError(t, b.Add(snapshot.Node{ID: "f", Size: 5}))
	require.NoError(t, b.Add(snapshot.Node{ID: "f#in", Restore: true, Size: 1, Needs: []snapshot.Need{{ID: "f", As: snapshot.AsContains}}}))
	g, _ := b.Build()
	p, err := g.Flatten(snapshot.FailureModel{P: 0.1}, snapshot.Budget{Bytes: 6})
	require.NoError(t, err)
	require.Equal(t, []snapshot.Step{{ID: "f#in", Bytes: 6, After: p.After}}, p.Steps)
	require.InDelta(t, 0.1, p.After, 1e-12)
}

// Costs of all kinds leave too many options for an exact plan of a long chain: the gap to the bound stays small.
func TestRelaxedPlanIsNearItsBound(t *testing.T) {
	var b snapshot.Builder
	for i := range 300 {
		n := snapshot.Indexed{Restore: true, Size: int64(1_000_000 + i*i*7919%999_983)}
		if i%100 > 0 {
			n.Needs = []int{i - 1}
		}
		require.NoError(t, b.AddIndexed(n))
	}
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Restore: true, Needs: []int{1 << 20}})) // lost already
	g, _ := b.Build()
	p, err := g.FlattenWithin(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 1_000_000_000}, 1000)
	require.NoError(t, err)
	require.False(t, p.Exact)
	require.Less(t, p.After, p.Before/2)
	require.InEpsilon(t, p.Bound, p.After, 0.02)
	require.Less(t, p.Bound, p.After)

	// What is lost and no restore point makes no bound higher.
	for i := range 300 {
		n := snapshot.Indexed{Restore: true, Size: int64(1_000_000 + i*i*7919%999_983)}
		if i%100 > 0 {
			n.Needs = []int{i - 1}
		}
		require.NoError(t, b.AddIndexed(n))
	}
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Restore: true, Needs: []int{1 << 20}}))
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Needs: []int{1 << 20}}))
	g, _ = b.Build()
	again, err := g.FlattenWithin(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 1_000_000_000}, 1000)
	require.NoError(t, err)
	require.Equal(t, p.Bound, again.Bound)
}

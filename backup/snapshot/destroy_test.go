package snapshot_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

func TestDestroyingTheFirstTakesAllAndAnInnerOneWhatFollows(t *testing.T) {
	g := chain(t, 7)
	for id, want := range map[string]int{"s1": 7, "s4": 4, "s7": 1} {
		l, err := g.Destroy(id)
		require.NoError(t, err)
		require.Equal(t, want, l.Points)
		require.Equal(t, want, l.Images)
	}
	l, err := g.Destroy("s5", "s3", "s5")
	require.NoError(t, err)
	require.Equal(t, 5, l.Points)
	require.Len(t, l.Destroyed, 2)
	var path []string
	tip, _ := g.Find("s7")
	for _, v := range l.Path(tip) {
		path = append(path, g.ID(v))
	}
	require.Equal(t, []string{"s7", "s6", "s5"}, path)
	first, _ := g.Find("s1")
	require.Nil(t, l.Path(first))
	_, err = g.Destroy("s8")
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestDestroyEqualsPlainReachability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 20, 3)
		g := d.build(t)
		gone := map[int]bool{}
		var ids []string
		for i := range d.nodes {
			if rapid.IntRange(0, 6).Draw(t, "destroy") == 0 {
				gone[i] = true
				ids = append(ids, d.nodes[i].ID)
			}
		}
		l, err := g.Destroy(ids...)
		require.NoError(t, err)
		var want, got []string
		images := 0
		for i, set := range d.closures() {
			hit := slices.ContainsFunc(set, func(j int) bool { return gone[j] })
			was := slices.ContainsFunc(set, func(j int) bool { return d.nodes[j].Broken != "" })
			v, _ := g.Find(d.nodes[i].ID)
			require.Equal(t, hit && !was, l.Lost(v))
			if hit && !was {
				images++
				if d.nodes[i].Restore {
					want = append(want, d.nodes[i].ID)
				}
			}
			path := l.Path(v)
			require.Equal(t, hit, path != nil)
			if path != nil {
				require.Equal(t, v, path[0])
				require.Contains(t, ids, g.ID(path[len(path)-1]))
				for k, w := range path[1:] {
					needed := slices.ContainsFunc(g.Node(path[k]).Needs, func(n snapshot.Need) bool { return n.ID == g.ID(w) })
					require.True(t, needed)
				}
			}
		}
		for v := range l.All() {
			got = append(got, g.ID(v))
		}
		require.ElementsMatch(t, want, got)
		require.Equal(t, []int{len(want), images}, []int{l.Points, l.Images})
	})
}

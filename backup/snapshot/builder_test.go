package snapshot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

func rules(list []snapshot.Finding) (rules []string) {
	for _, f := range list {
		rules = append(rules, f.Rule)
	}
	return rules
}

func TestNodesComeBackAsTheyWereAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 20, 4)
		when := time.Date(2026, 3, 1, 0, 0, 0, 1000, time.UTC)
		for i := range d.nodes {
			n := &d.nodes[i]
			n.Format = rapid.SampledFrom([]string{"", "qcow2", "vmdk"}).Draw(t, "format")
			n.Size, n.Virtual = rapid.Int64Range(0, 3).Draw(t, "size"), rapid.Int64Range(0, 3).Draw(t, "virtual")
			if rapid.Bool().Draw(t, "created") {
				n.Created = when.Add(time.Duration(i) * time.Hour)
			}
			if rapid.Bool().Draw(t, "verified") {
				n.Verified = time.Unix(0, 0).UTC() // which is not the zero time
			}
		}
		g := d.build(t)
		require.Equal(t, len(d.nodes), g.Len())
		needs := 0
		for _, n := range d.nodes {
			v, ok := g.Find(n.ID)
			require.True(t, ok)
			got := g.Node(v)
			if n.Verified.Equal(time.Unix(0, 0)) {
				require.Equal(t, time.UnixMicro(1).UTC(), got.Verified)
				got.Verified = n.Verified
			}
			require.Equal(t, n, got)
			needs += len(n.Needs)
			for w := range g.Needs(v) {
				require.Less(t, w, v)
			}
		}
		r, err := g.Analyze(snapshot.FailureModel{P: 0.5}, nil)
		require.NoError(t, err)
		require.Equal(t, needs, r.Edges)
	})
}

func TestTimesBeyondReckoningAreNotKnown(t *testing.T) {
	for _, at := range []time.Time{time.Unix(1<<60, 0), time.Unix(-1<<60, 0), {}} {
		var b snapshot.Builder
		require.NoError(t, b.Add(snapshot.Node{ID: "a", Created: at, Verified: time.Date(-200_000, 1, 1, 0, 0, 0, 0, time.UTC)}))
		g, _ := b.Build()
		require.True(t, g.Node(0).Created.IsZero())
		require.Equal(t, -200_000, g.Node(0).Verified.Year())
	}
}

func TestMissingNeedsAreNodesThatAreBroken(t *testing.T) {
	var b snapshot.Builder
	require.NoError(t, b.Add(snapshot.Node{ID: "a", Restore: true, Needs: []snapshot.Need{{ID: "gone", As: snapshot.AsBacking}}}))
	require.NoError(t, b.Add(snapshot.Node{ID: "b", Restore: true, Needs: []snapshot.Need{{ID: "a"}}}))
	require.NoError(t, b.Add(snapshot.Node{ID: "c", Restore: true}))
	require.NoError(t, b.Add(snapshot.Node{ID: "d", Needs: []snapshot.Need{{ID: "b"}}}))
	require.NoError(t, b.Add(snapshot.Node{ID: "e", Needs: []snapshot.Need{{ID: "a"}}}))
	g, found := b.Build()
	require.Equal(t, []snapshot.Finding{{Path: "a", Rule: snapshot.RuleMissing, Severity: opsec.SeverityHigh, Text: "needs gone, which is not there"}}, found)
	require.Equal(t, found, g.Findings())
	v, ok := g.Find("gone")
	require.True(t, ok)
	require.True(t, g.Missing(v))
	require.Equal(t, "missing", g.Broken(v))
	r, err := g.Analyze(snapshot.FailureModel{P: 0.5}, nil)
	require.NoError(t, err)
	require.Equal(t, []int{2, 1, 5, 3}, []int{r.Lost, r.Missing, r.Images, r.Points})
	var tips []string
	for _, c := range r.Chains {
		tips = append(tips, c.Tip)
	}
	require.Equal(t, []string{"d", "e", "c"}, tips, "the lost ones first, of these the deeper one")
	require.InDelta(t, 2.5, r.ExpectedLost, 1e-12)
	require.Equal(t, []string{snapshot.RuleUnusable, snapshot.RuleUnusable, snapshot.RuleMissing}, rules(r.Findings))
	require.Equal(t, "this restore point cannot be read: it needs gone (missing)", r.Findings[1].Text)
}

func TestCirclesAreFoundAndReadByNobody(t *testing.T) {
	var b snapshot.Builder
	for id, need := range map[string]string{"a": "b", "b": "c", "c": "a", "self": "self", "above": "b", "free": ""} {
		n := snapshot.Node{ID: id, Restore: true}
		if need != "" {
			n.Needs = []snapshot.Need{{ID: need, As: snapshot.AsBacking}}
		}
		require.NoError(t, b.Add(n))
	}
	g, found := b.Build()
	require.Equal(t, []string{snapshot.RuleCycle, snapshot.RuleCycle}, rules(found))
	text := found[0].Text + "\n" + found[1].Text
	require.Contains(t, text, "self needs self")
	require.Equal(t, 4, strings.Count(text, " needs "))
	for _, f := range found {
		words := strings.Split(f.Text, " needs ")
		require.Equal(t, words[0], words[len(words)-1])
	}
	r, err := g.Analyze(snapshot.FailureModel{P: 0.25}, nil)
	require.NoError(t, err)
	require.Equal(t, 5, r.Lost)
	require.InDelta(t, 5.25, r.ExpectedLost, 1e-12)
	l, err := g.Destroy("b")
	require.NoError(t, err)
	require.Zero(t, l.Points, "they were lost before")
	p, err := g.Flatten(snapshot.FailureModel{P: 0.25}, snapshot.Budget{Bytes: 100})
	require.NoError(t, err)
	require.Empty(t, p.Steps)
}

func TestCirclesAreToldAsAWayRound(t *testing.T) {
	told := func(n int, needs func(i int) []int) string {
		var b snapshot.Builder
		for i := range n {
			require.NoError(t, b.AddIndexed(snapshot.Indexed{Needs: needs(i)}))
		}
		_, found := b.Build()
		require.Len(t, found, 1)
		return found[0].Text
	}
	ring := func(n int) string { return told(n, func(i int) []int { return []int{(i + 1) % n} }) }
	require.Equal(t, "#0 needs #1 needs #2 needs #0", ring(3))
	require.True(t, strings.HasSuffix(ring(16), " needs #15 needs #0"))
	require.True(t, strings.HasSuffix(ring(18), " needs #15 needs 2 more, #0"))
	// From 0 the way leads into a circle of 1 and 2, from where it also leads back.
	require.Equal(t, "#1 needs #2 needs #1; 1 more need each other and these", told(3, func(i int) []int { return [][]int{{1}, {2}, {1, 0}}[i] }))
}

func TestMoreWordsThanAreKeptAreParents(t *testing.T) {
	var b snapshot.Builder
	const n = snapshot.MaxWords + 10
	for i := range n {
		require.NoError(t, b.Add(snapshot.Node{ID: fmt.Sprint(i), Needs: []snapshot.Need{{ID: "root", As: fmt.Sprint("word ", i)}}}))
	}
	g, _ := b.Build()
	for i := range n {
		v, _ := g.Find(fmt.Sprint(i))
		want := fmt.Sprint("word ", i)
		if i >= snapshot.MaxWords-1 {
			want = ""
		}
		require.Equal(t, want, g.Node(v).Needs[0].As)
	}
}

// Whatever is added, also with circles, duplicates and what is missing: it is a graph, and one in a circle is what leads back to itself.
func TestNoContentMakesBuildFail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "nodes")
		var b snapshot.Builder
		reach := map[string]map[string]bool{}
		for range n {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "id")
			if reach[id] == nil {
				reach[id] = map[string]bool{}
			}
			node := snapshot.Node{ID: id, Restore: true}
			for range rapid.IntRange(0, 2).Draw(t, "needs") {
				to := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(t, "to")
				node.Needs = append(node.Needs, snapshot.Need{ID: to})
				reach[id][to] = true
			}
			require.NoError(t, b.Add(node))
		}
		for range 8 {
			for _, set := range reach {
				for mid := range set {
					for to := range reach[mid] {
						set[to] = true
					}
				}
			}
		}
		g, _ := b.Build()
		r, err := g.Analyze(snapshot.FailureModel{P: 0.5}, nil)
		require.NoError(t, err)
		for v := range g.Len() {
			id := g.ID(v)
			require.Equal(t, reach[id] == nil, g.Missing(v), id)
			dead := reach[id] == nil || reach[id][id]
			require.Equal(t, dead, g.Broken(v) != "", id)
			for to := range reach[id] {
				dead = dead || reach[to] == nil || reach[to][to]
			}
			low, high := r.Usable(v)
			require.Equal(t, dead, low == 0, id)
			require.Equal(t, low, high)
		}
		for _, write := range writers(r) {
			require.NoError(t, write(&strings.Builder{}))
		}
		_, err = g.Flatten(snapshot.FailureModel{P: 0.5}, snapshot.Budget{Bytes: 10})
		require.NoError(t, err)
	})
}

func TestTwoNodesOfOneNameAreOneWithTheNeedsOfBoth(t *testing.T) {
	var b snapshot.Builder
	require.NoError(t, b.Add(snapshot.Node{ID: "a", Format: "raw", Size: 7}))
	require.NoError(t, b.Add(snapshot.Node{ID: "b", Format: "raw"}))
	require.NoError(t, b.Add(snapshot.Node{ID: "a", Restore: true, Broken: "torn", Size: 9, Needs: []snapshot.Need{{ID: "b", As: "chunk"}}}))
	g, found := b.Build()
	require.Equal(t, []string{snapshot.RuleDuplicate}, rules(found))
	require.NoError(t, b.Add(snapshot.Node{ID: "c", Broken: "first"}))
	require.NoError(t, b.Add(snapshot.Node{ID: "c", Broken: "second"}))
	two, _ := b.Build()
	require.Equal(t, "first", two.Broken(0))
	v, _ := g.Find("a")
	require.Equal(t, snapshot.Node{ID: "a", Format: "raw", Size: 7, Restore: true, Broken: "torn", Needs: []snapshot.Need{{ID: "b", As: "chunk"}}}, g.Node(v))
}

func TestNumbersStandForNames(t *testing.T) {
	var b snapshot.Builder
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Needs: []int{2}}))
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Needs: []int{0, 9}, Restore: true}))
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Size: 5}))
	g, found := b.Build()
	require.Equal(t, []string{snapshot.RuleMissing}, rules(found))
	require.Equal(t, "#1", found[0].Path)
	for _, id := range []string{"#0", "#1", "#2", "#9"} {
		v, ok := g.Find(id)
		require.True(t, ok, id)
		require.Equal(t, id, g.ID(v))
		require.Equal(t, id == "#9", g.Missing(v))
	}
	for _, id := range []string{"", "#", "#3", "#-1", "1", "#01", "#+1", "#99999999999"} {
		_, ok := g.Find(id)
		require.False(t, ok, id)
	}
	v, _ := g.Find("#2")
	require.Equal(t, int64(5), g.Node(v).Size)
}

func TestBuilderRefusesWhatIsNoNode(t *testing.T) {
	var b snapshot.Builder
	for want, n := range map[string]snapshot.Node{
		"id of 0 bytes":            {},
		"id of 32769 bytes":        {ID: strings.Repeat("x", snapshot.MaxIDLen+1)},
		"needs[1]: an id of 0":     {ID: "a", Needs: []snapshot.Need{{ID: "b"}, {}}},
		"needs[0]: an id of 32769": {ID: "a", Needs: []snapshot.Need{{ID: strings.Repeat("x", snapshot.MaxIDLen+1)}}},
		"size -1":                  {ID: "a", Size: -1},
		"virtual -1":               {ID: "a", Virtual: -1},
		"replicas 65536":           {ID: "a", Replicas: 65536},
	} {
		err := b.Add(n)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, "snapshot: "+want)
	}
	require.NoError(t, b.Add(snapshot.Node{ID: "a"}))
	require.ErrorIs(t, b.AddIndexed(snapshot.Indexed{}), opsec.ErrInvalid)
	g, found := b.Build()
	require.Empty(t, found)
	require.Equal(t, 1, g.Len(), "what was refused was not added")
	require.NoError(t, b.AddIndexed(snapshot.Indexed{}), "the builder is empty after Build")
	require.ErrorIs(t, b.Add(snapshot.Node{ID: "a"}), opsec.ErrInvalid)
	require.ErrorIs(t, b.AddIndexed(snapshot.Indexed{Needs: []int{-1}}), opsec.ErrInvalid)
	require.ErrorIs(t, b.AddIndexed(snapshot.Indexed{Needs: []int{snapshot.MaxNodes}}), opsec.ErrInvalid)

	var empty snapshot.Builder
	g, _ = empty.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.5}, nil)
	require.NoError(t, err)
	require.Zero(t, r.ExpectedLost)
	for _, write := range writers(r) {
		require.NoError(t, write(&strings.Builder{}))
	}
	_, ok := g.Find("a")
	require.False(t, ok)
}

func TestFindingsOfARuleAreCounted(t *testing.T) {
	var b snapshot.Builder
	for i := range 2500 {
		require.NoError(t, b.Add(snapshot.Node{ID: fmt.Sprint(i), Needs: []snapshot.Need{{ID: "gone"}}}))
	}
	_, found := b.Build()
	require.Len(t, found, 1001)
	require.Equal(t, snapshot.Finding{Rule: snapshot.RuleMissing, Severity: opsec.SeverityHigh, Text: "1500 more of these are left out"}, found[1000])
}

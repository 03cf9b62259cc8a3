package composition_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	c "github.com/cloudopsec/opsec/sla/composition"
	"github.com/cloudopsec/opsec/sla/ratio"
)

func of(t require.TestingT, text string) ratio.Ratio {
	r, err := ratio.Parse(text)
	require.NoError(t, err)
	return r
}

// known are parts whose availability is known exactly.
func known(t require.TestingT, of map[string]string) map[string]ratio.Range {
	parts := map[string]ratio.Range{}
	for id, text := range of {
		r, err := ratio.Parse(text)
		require.NoError(t, err)
		parts[id] = ratio.Range{Low: r, High: r}
	}
	return parts
}

func list(ids string) (nodes []c.Node) {
	for _, id := range strings.Fields(ids) {
		nodes = append(nodes, c.Part(id))
	}
	return nodes
}

func exactly(t require.TestingT, s c.System) *big.Rat {
	f, err := s.Availability()
	require.NoError(t, err)
	require.Zero(t, f.Low.Cmp(f.High))
	return f.Low
}

// works is what a node says, by its definition.
func works(n c.Node, up map[string]bool) bool {
	if n.Part != "" {
		return up[n.Part]
	}
	count := 0
	for _, child := range n.Of {
		if works(child, up) {
			count++
		}
	}
	return count >= n.Need
}

// plain sums the probabilities of all states of all parts.
func plain(s c.System, p map[string]*big.Rat) *big.Rat {
	ids := slices.Sorted(maps.Keys(s.Parts))
	sum := new(big.Rat)
	for bits := range 1 << len(ids) {
		up, chance := map[string]bool{}, big.NewRat(1, 1)
		for i, id := range ids {
			up[id] = bits>>i&1 > 0
			if up[id] {
				chance.Mul(chance, p[id])
			} else {
				chance.Mul(chance, new(big.Rat).Sub(big.NewRat(1, 1), p[id]))
			}
		}
		if works(s.Top, up) {
			sum.Add(sum, chance)
		}
	}
	return sum
}

func lows(s c.System) map[string]*big.Rat {
	p := map[string]*big.Rat{}
	for id, r := range s.Parts {
		p[id] = r.Low.Rat()
	}
	return p
}

func highs(s c.System) map[string]*big.Rat {
	p := map[string]*big.Rat{}
	for id, r := range s.Parts {
		p[id] = r.High.Rat()
	}
	return p
}

// draw draws a system of a few parts, shared in any way.
func draw(t *rapid.T) c.System {
	const most = 7
	var node func(depth int) c.Node
	used := map[string]bool{}
	node = func(depth int) c.Node {
		if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
			id := string(rune('a' + rapid.IntRange(0, most-1).Draw(t, "part")))
			used[id] = true
			return c.Part(id)
		}
		var children []c.Node
		for range rapid.IntRange(1, 4).Draw(t, "children") {
			children = append(children, node(depth-1))
		}
		return c.AtLeast(rapid.IntRange(1, len(children)).Draw(t, "need"), children...)
	}
	s := c.System{Top: node(3), Parts: map[string]ratio.Range{}}
	den := rapid.OneOf(rapid.Uint64Range(1, 100), rapid.Uint64Min(1))
	for _, id := range slices.Sorted(maps.Keys(used)) {
		n := den.Draw(t, "den")
		a, _ := ratio.New(rapid.Uint64Max(n).Draw(t, "num"), n)
		b := a
		if rapid.Bool().Draw(t, "bounds") {
			b, _ = ratio.New(rapid.Uint64Max(n).Draw(t, "num"), n)
		}
		if a.Cmp(b) > 0 {
			a, b = b, a
		}
		s.Parts[id] = ratio.Range{Low: a, High: b}
	}
	return s
}

func TestAvailabilityIsTheSumOverAllStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		f, err := s.Availability()
		require.NoError(t, err)
		require.Zero(t, f.Low.Cmp(plain(s, lows(s))))
		require.Zero(t, f.High.Cmp(plain(s, highs(s))))
		require.LessOrEqual(t, f.Low.Cmp(f.High), 0)
		r := f.Range()
		require.LessOrEqual(t, r.Low.Rat().Cmp(f.Low), 0)
		require.GreaterOrEqual(t, r.High.Rat().Cmp(f.High), 0)
		fine := big.NewRat(1, 1_000_000_000_000_000_000)
		require.Negative(t, new(big.Rat).Sub(f.Low, r.Low.Rat()).Cmp(fine))
		require.Negative(t, new(big.Rat).Sub(r.High.Rat(), f.High).Cmp(fine))
	})
}

// TestTwelvePartsSharedInAnyWay sums over all 4096 states in whole numbers: parts work with so many tenths.
func TestTwelvePartsSharedInAnyWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const parts = 12
		var tenths [parts]uint64
		s := c.System{Parts: map[string]ratio.Range{}}
		ids := make([]string, parts)
		var tiers []c.Node
		for i := range parts {
			tenths[i] = rapid.Uint64Max(10).Draw(t, "tenths")
			r, _ := ratio.New(tenths[i], 10)
			ids[i] = string(rune('a' + i))
			s.Parts[ids[i]] = ratio.Range{Low: r, High: r}
		}
		any := func(size int) (nodes []c.Node) {
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, parts-1), 1, size).Draw(t, "of") {
				nodes = append(nodes, c.Part(ids[i]))
			}
			return nodes
		}
		tiers = append(tiers, c.AtLeast(rapid.IntRange(1, parts).Draw(t, "need"), list(strings.Join(ids, " "))...)) // all stand somewhere
		for range rapid.IntRange(1, 5).Draw(t, "tiers") {
			nodes := append(any(5), c.Serial(any(4)...), c.Parallel(any(4)...))
			tiers = append(tiers, c.AtLeast(rapid.IntRange(1, len(nodes)).Draw(t, "need"), nodes...))
		}
		s.Top = c.AtLeast(rapid.IntRange(1, len(tiers)).Draw(t, "need"), tiers...)
		var sum, most uint64
		for bits := range 1 << parts {
			up, weight := map[string]bool{}, uint64(1)
			for i, id := range ids {
				if up[id] = bits>>i&1 > 0; up[id] {
					weight *= tenths[i]
				} else {
					weight *= 10 - tenths[i]
				}
			}
			if most += weight; weight > 0 && works(s.Top, up) {
				sum += weight
			}
		}
		want, err := ratio.New(sum, most)
		require.NoError(t, err)
		require.Zero(t, exactly(t, s).Cmp(want.Rat()))
	})
}

func TestKnownSystems(t *testing.T) {
	for name, k := range map[string]struct {
		parts map[string]string
		top   c.Node
		want  string
	}{
		"three in a row":       {map[string]string{"a": "99.9%", "b": "99.9%", "c": "99.9%"}, c.Serial(list("a b c")...), "997002999/1000000000"},
		"two beside":           {map[string]string{"a": "99%", "b": "99%"}, c.Parallel(list("a b")...), "9999/10000"},
		"two of three":         {map[string]string{"a": "0.9", "b": "0.9", "c": "0.9"}, c.AtLeast(2, list("a b c")...), "972/1000"}, // 3p^2 - 2p^3
		"a part with itself":   {map[string]string{"a": "0.9"}, c.Serial(list("a a a")...), "9/10"},
		"a part beside itself": {map[string]string{"a": "0.9"}, c.Parallel(list("a a")...), "9/10"},
		// two zones behind one load balancer and one database: a product of the zones' availabilities is wrong
		"a shared database": {map[string]string{"z1": "99%", "z2": "99%", "db": "99.9%"},
			c.Parallel(c.Serial(list("z1 db")...), c.Serial(list("z2 db")...)), "9989001/10000000"},
		// the bridge, by its minimal paths: 2p^2 + 2p^3 - 5p^4 + 2p^5
		"the bridge": {map[string]string{"1": "0.9", "2": "0.9", "3": "0.9", "4": "0.9", "5": "0.9"},
			c.Parallel(c.Serial(list("1 4")...), c.Serial(list("2 5")...), c.Serial(list("1 3 5")...), c.Serial(list("2 3 4")...)), "97848/100000"},
		"never": {map[string]string{"a": "0", "b": "1"}, c.Serial(list("a b")...), "0"},
		"ever":  {map[string]string{"a": "0", "b": "1"}, c.Parallel(list("a b")...), "1"},
		"one":   {map[string]string{"a": "99.95%"}, c.Part("a"), "1999/2000"},
	} {
		want, ok := new(big.Rat).SetString(k.want)
		require.True(t, ok)
		require.Zero(t, exactly(t, c.System{Parts: known(t, k.parts), Top: k.top}).Cmp(want), name)
	}
}

func TestNodesKeepNothingOfTheirArguments(t *testing.T) {
	for _, of := range []func(...c.Node) c.Node{c.Serial, c.Parallel, func(n ...c.Node) c.Node { return c.AtLeast(1, n...) }} {
		nodes := list("a b")
		n := of(nodes...)
		nodes[0] = c.Part("ghost")
		require.NoError(t, c.System{Parts: known(t, map[string]string{"a": "0.9", "b": "0.9"}), Top: n}.Validate())
	}
}

func TestExactlyAtTheTargetIsMet(t *testing.T) {
	s := c.System{Parts: known(t, map[string]string{"a": "99.9%", "b": "99.9%"}), Top: c.Serial(list("a b")...)}
	f, err := s.Availability()
	require.NoError(t, err)
	require.Equal(t, ratio.Met, f.AtLeast(of(t, "99.8001%")))
	require.Equal(t, ratio.Breach, f.AtLeast(of(t, "99.80010001%")))
	s.Parts["a"] = ratio.Range{Low: of(t, "99%"), High: of(t, "99.9%")}
	f, err = s.Availability()
	require.NoError(t, err)
	require.Equal(t, ratio.Undecided, f.AtLeast(of(t, "99.8001%")))
	require.Equal(t, ratio.Met, f.AtLeast(of(t, "98.901%")))
}

func TestWeightsAndNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		weights, err := s.Weights()
		require.NoError(t, err)
		require.Len(t, weights, len(s.Parts))
		for i, id := range slices.Sorted(maps.Keys(s.Parts)) {
			w := weights[i]
			require.Equal(t, id, w.Part)
			sure := func(p map[string]*big.Rat, n int64) *big.Rat {
				p[id] = big.NewRat(n, 1)
				return plain(s, p)
			}
			require.Zero(t, w.Up.Low.Cmp(sure(lows(s), 1)))
			require.Zero(t, w.Up.High.Cmp(sure(highs(s), 1)))
			require.Zero(t, w.Down.Low.Cmp(sure(lows(s), 0)))
			require.Zero(t, w.Down.High.Cmp(sure(highs(s), 0)))
			up := map[string]bool{}
			for other := range s.Parts {
				up[other] = other != id
			}
			require.Equal(t, !works(s.Top, up), w.Single)
		}
		id := weights[0].Part
		goal := rapid.SampledFrom([]string{"0", "10%", "50%", "90%", "1"}).Draw(t, "goal")
		need, reaches, err := s.Needed(id, of(t, goal))
		require.NoError(t, err)
		at := func(p *big.Rat) *big.Rat {
			all := lows(s)
			all[id] = p
			return plain(s, all)
		}
		switch target := of(t, goal).Rat(); {
		case !reaches:
			require.Negative(t, at(big.NewRat(1, 1)).Cmp(target))
		case need.Sign() == 0:
			require.GreaterOrEqual(t, at(need).Cmp(target), 0)
		default:
			require.Zero(t, at(need).Cmp(target), "exactly at the target")
			require.LessOrEqual(t, need.Cmp(big.NewRat(1, 1)), 0)
		}
	})
	s := c.System{Parts: known(t, map[string]string{"a": "99%"}), Top: c.Part("a")}
	_, _, err := s.Needed("b", of(t, "99%"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestValidateFindsAll(t *testing.T) {
	bad := c.System{
		Parts: map[string]ratio.Range{
			"a": {Low: of(t, "2"), High: of(t, "2")}, "b": {Low: of(t, "1"), High: of(t, "0.5")}, "unused": {}, "": {}, strings.Repeat("n", 101): {},
		},
		Top: c.AtLeast(3, c.Part("a"), c.Part("ghost"), c.Node{}, c.Node{Part: "b", Need: 1}, c.AtLeast(0, c.Part("b")), c.AtLeast(2, c.Part("b")), c.AtLeast(-1)),
	}
	err := bad.Validate()
	require.ErrorIs(t, err, opsec.ErrInvalid)
	var paths []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *c.Fault
		require.ErrorAs(t, e, &f)
		paths = append(paths, f.Path)
	}
	require.Equal(t, []string{"top.of[1].part", "top.of[2]", "top.of[3]", "top.of[4].need", "top.of[5].need", "top.of[6]",
		"parts", `parts[""]`, `parts["a"]`, `parts["b"]`, "parts", fmt.Sprintf("parts[%q]", strings.Repeat("n", 100)), `parts["unused"]`}, paths)
	for _, call := range []func() error{
		func() error { _, err := bad.Availability(); return err },
		func() error { _, err := bad.Weights(); return err },
		func() error { _, _, err := bad.Needed("a", of(t, "1")); return err },
		func() error { _, err := bad.Whatever(); return err },
		c.System{}.Validate,
	} {
		require.ErrorIs(t, call(), opsec.ErrInvalid)
	}
}

func TestValidateCaps(t *testing.T) {
	parts := known(t, map[string]string{"a": "0.9"})
	name := strings.Repeat("é", 50)
	require.NoError(t, c.System{Parts: known(t, map[string]string{name: "1"}), Top: c.Part(name)}.Validate(), "100 bytes")
	deep := c.Part("a")
	for range 63 {
		deep = c.Serial(deep)
	}
	require.NoError(t, c.System{Parts: parts, Top: deep}.Validate())
	require.ErrorIs(t, c.System{Parts: parts, Top: c.Serial(deep)}.Validate(), opsec.ErrInvalid)
	for range 1_000_000 {
		deep = c.Serial(deep)
	}
	require.EqualError(t, c.System{Parts: parts, Top: deep}.Validate(), "composition: top: more than 4096 nodes, or deeper than 64", "and not what was not seen")
	many := c.System{Parts: parts, Top: c.Serial(slices.Repeat(list("a"), 4095)...)}
	require.NoError(t, many.Validate())
	many.Top = c.Serial(slices.Repeat(list("a"), 4096)...)
	require.ErrorIs(t, many.Validate(), opsec.ErrInvalid)
	bomb := c.Part("a") // 10^30 nodes in a few bytes of memory
	for range 30 {
		bomb = c.Serial(slices.Repeat([]c.Node{bomb}, 10)...)
	}
	require.ErrorIs(t, c.System{Parts: parts, Top: bomb}.Validate(), opsec.ErrInvalid)
	ring := make([]c.Node, 1) // it is made of itself
	ring[0] = c.Node{Need: 1, Of: ring}
	require.ErrorContains(t, c.System{Parts: parts, Top: ring[0]}.Validate(), "deeper than 64")
	for _, n := range []int{256, 257} {
		s := row(t, n)
		if n == 256 {
			require.NoError(t, s.Validate())
		} else {
			require.ErrorIs(t, s.Validate(), opsec.ErrInvalid)
		}
	}
}

// row is a serial system of so many parts of 99.99 %.
func row(t require.TestingT, n int) c.System {
	parts := map[string]string{}
	var nodes []c.Node
	for i := range n {
		id := fmt.Sprint("part ", i)
		parts[id] = "99.99%"
		nodes = append(nodes, c.Part(id))
	}
	return c.System{Parts: known(t, parts), Top: c.Serial(nodes...)}
}

func TestGreatSystems(t *testing.T) {
	p := new(big.Rat).SetFrac64(9999, 10000)
	want := big.NewRat(1, 1)
	for range 256 {
		want.Mul(want, p)
	}
	s := row(t, 256)
	require.Zero(t, exactly(t, s).Cmp(want))
	// 200 of 256, beside the sum of the binomial distribution
	s.Top.Need = 200
	sum := new(big.Int)
	for k := int64(200); k <= 256; k++ {
		sum.Add(sum, new(big.Int).Mul(new(big.Int).Binomial(256, k), new(big.Int).Exp(big.NewInt(9999), big.NewInt(k), nil)))
	}
	require.Zero(t, exactly(t, s).Cmp(new(big.Rat).SetFrac(sum, new(big.Int).Exp(big.NewInt(10000), big.NewInt(256), nil))))
}

// TestALongRowIsNotIntricate: a few shared parts stay simple, however many others stand in a row with them.
func TestALongRowIsNotIntricate(t *testing.T) {
	for _, need := range []int{1, 241} {
		s := row(t, 240)
		var first, pairs []c.Node
		for i := range 8 {
			a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
			maps.Copy(s.Parts, known(t, map[string]string{a: "99%", b: "98%"}))
			first, pairs = append(first, c.Part(a)), append(pairs, c.Serial(list(a+" "+b)...))
		}
		shared := c.Parallel(c.Serial(first...), c.Parallel(pairs...))
		small := c.System{Parts: maps.Clone(s.Parts), Top: shared}
		maps.DeleteFunc(small.Parts, func(id string, _ ratio.Range) bool { return strings.HasPrefix(id, "part ") })
		s.Top = c.AtLeast(need, append([]c.Node{shared}, s.Top.Of...)...)

		row := exactly(t, row(t, 240))
		want := exactly(t, small)
		if need == 1 { // all fail together
			one := big.NewRat(1, 1)
			bad := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10_000), big.NewInt(240), nil))
			want = bad.Sub(one, bad.Mul(bad, new(big.Rat).Sub(one, want)))
		} else {
			want.Mul(want, row)
		}
		require.Zero(t, exactly(t, s).Cmp(want), need)
	}
}

// TestPartsWithManyVotes: 255 parts of two votes each are those of one vote, wherever the second stands.
func TestPartsWithManyVotes(t *testing.T) {
	s := row(t, 255)
	s.Top.Need = 128
	want := exactly(t, s)
	s.Top = c.AtLeast(256, append(s.Top.Of, s.Top.Of...)...)
	require.Zero(t, exactly(t, s).Cmp(want))
}

// TestDiagramsOfManyNodes: pairs that are asked one half after the other take 2^n nodes and more, and are refused from 2^17 on.
func TestDiagramsOfManyNodes(t *testing.T) {
	for n, want := range map[int]error{14: nil, 17: c.ErrIntricate} {
		parts := map[string]string{}
		var first, pairs []c.Node
		for i := range n {
			a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
			parts[a], parts[b] = "0.9", "0.9"
			first, pairs = append(first, c.Part(a)), append(pairs, c.Serial(list(a+" "+b)...))
		}
		s := c.System{Parts: known(t, parts), Top: c.Parallel(c.Serial(first...), c.Parallel(pairs...))}
		f, err := s.Availability()
		require.ErrorIs(t, err, want)
		if want == nil { // it fails when every pair does and some first part does: 0.19^n - (0.9 * 0.1)^n
			of := func(x int64) *big.Rat {
				return new(big.Rat).SetFrac(new(big.Int).Exp(big.NewInt(x), big.NewInt(int64(n)), nil), new(big.Int).Exp(big.NewInt(100), big.NewInt(int64(n)), nil))
			}
			fails := new(big.Rat).Sub(of(19), of(9))
			require.Zero(t, f.Low.Cmp(fails.Sub(big.NewRat(1, 1), fails)))
		}
	}
}

// TestSharedInTooManyWays: pairs that are asked one half after the other need a diagram of 2^n nodes.
func TestSharedInTooManyWays(t *testing.T) {
	parts := map[string]string{}
	var first, pairs []c.Node
	for i := range 40 {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		parts[a], parts[b] = "0.9", "0.9"
		first = append(first, c.Part(a))
		pairs = append(pairs, c.Serial(list(a+" "+b)...))
	}
	s := c.System{Parts: known(t, parts), Top: c.Parallel(c.Serial(first...), c.AtLeast(20, pairs...))}
	_, err := s.Availability()
	require.ErrorIs(t, err, c.ErrIntricate)
	_, err = s.Weights()
	require.ErrorIs(t, err, c.ErrIntricate)
	_, _, err = s.Needed("a1", of(t, "0.5"))
	require.ErrorIs(t, err, c.ErrIntricate)
	f, err := s.Whatever()
	require.NoError(t, err)
	require.LessOrEqual(t, f.Low.Cmp(f.High), 0)
}

func TestSystemIsData(t *testing.T) {
	s := c.System{Parts: known(t, map[string]string{"web": "99.9%", "db": "99.95%"}), Top: c.Serial(list("web db")...)}
	doc, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"parts":{"db":{"low":"99.95%","high":"99.95%"},"web":{"low":"99.9%","high":"99.9%"}},
		"top":{"need":2,"of":[{"part":"web"},{"part":"db"}]}}`, string(doc))
	var back c.System
	require.NoError(t, json.Unmarshal(doc, &back))
	require.Zero(t, exactly(t, back).Cmp(exactly(t, s)))
	s.Parts["db"] = ratio.Range{Low: of(t, "1/2"), High: ratio.One()}
	weights, err := s.Weights()
	require.NoError(t, err)
	doc, err = json.Marshal(weights[:1])
	require.NoError(t, err)
	require.JSONEq(t, `[{"part":"db","single":true,"up":{"low":"999/1000","high":"999/1000"},"down":{"low":"0","high":"0"}}]`, string(doc))
}

// FuzzSystem looks for systems from elsewhere that are neither refused nor reckoned.
func FuzzSystem(f *testing.F) {
	f.Add([]byte(`{"parts":{"a":{"low":"99%","high":"1"},"b":{"low":"1/3","high":"1/2"}},"top":{"need":1,"of":[{"part":"a"},{"need":2,"of":[{"part":"a"},{"part":"b"}]}]}}`))
	f.Add([]byte(`{"parts":{"a":{"low":"0","high":"0"}},"top":{"part":"a"}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s c.System
		if json.Unmarshal(doc, &s) != nil {
			return
		}
		valid := s.Validate()
		figure, err := s.Availability()
		bounds, err2 := s.Whatever()
		require.Equal(t, valid == nil, err2 == nil)
		if err != nil {
			require.True(t, errors.Is(err, opsec.ErrInvalid) || valid == nil && errors.Is(err, c.ErrIntricate))
			return
		}
		require.NoError(t, valid)
		order := []*big.Rat{new(big.Rat), bounds.Low, figure.Low, figure.High, bounds.High, big.NewRat(1, 1)}
		require.True(t, slices.IsSortedFunc(order, (*big.Rat).Cmp))
		weights, err := s.Weights()
		require.NoError(t, err)
		require.Len(t, weights, len(s.Parts))
	})
}

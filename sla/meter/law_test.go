package meter_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

const end = 100 // of the small world, in which evidence often meets

func draw(t *rapid.T) Evidence {
	e := Evidence{
		Source:   rapid.SampledFrom([]string{"q", "p", "csv"}).Draw(t, "source"),
		Seq:      rapid.Uint64Range(0, 6).Draw(t, "seq"),
		Resource: rapid.SampledFrom([]string{"vm-2", "vm-1", "a", "é"}).Draw(t, "resource"),
	}
	e.Span.Start = rapid.Int64Range(-5, end).Draw(t, "start")
	e.Span.End = e.Span.Start + rapid.Int64Range(1, 40).Draw(t, "length")
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case kind == 4:
		e.Total = rapid.Uint64Range(1, 4).Draw(t, "total")
		e.Good = rapid.Uint64Range(0, e.Total).Draw(t, "good")
	case kind == 5:
		e.Span.End, e.State = meter.Open, meter.State(rapid.IntRange(0, 3).Draw(t, "open"))
	default:
		e.State = meter.State(kind)
	}
	return e
}

var periods = []Span{span(0, 20), span(20, 50), span(0, 50), span(50, 100), span(-10, 200)}

var somePeriod = rapid.OneOf(rapid.SampledFrom(periods), rapid.Custom(func(t *rapid.T) Span {
	from := rapid.Int64Range(-10, end).Draw(t, "from")
	return span(from, from+rapid.Int64Range(1, 60).Draw(t, "length"))
}))

func span(from, to int64) Span { return Span{Start: from, End: to} }

// same compares a meter with its model in all that can be asked.
func same(t require.TestingT, want *model, m *meter.Meter) {
	require.Equal(t, append([]meter.Seal{}, want.seals...), append([]meter.Seal{}, m.Seals()...))
	require.Equal(t, sorted(want.late), slices.Collect(m.Late()))
	require.Equal(t, want.conflicts(), slices.Collect(m.Conflicts()))
	marks := map[string]int64{}
	for _, set := range []map[Evidence]bool{want.kept, want.late} {
		for e := range set {
			mark, ok := marks[e.Source]
			if e.Span.End == meter.Open {
				e.Span.End = e.Span.Start
			}
			if marks[e.Source] = e.Span.End; ok {
				marks[e.Source] = max(mark, e.Span.End)
			}
		}
	}
	var behind []string
	for _, source := range slices.Sorted(maps.Keys(marks)) {
		mark, ok := m.Mark(source)
		require.True(t, ok)
		require.Equal(t, marks[source], mark)
		require.NotContains(t, m.Behind(mark), source)
		require.Contains(t, m.Behind(mark+1), source)
		if mark < 60 {
			behind = append(behind, source)
		}
	}
	require.Equal(t, behind, m.Behind(60))
	for _, p := range periods {
		list, _ := want.of(p)
		require.Equal(t, list, slices.Collect(m.Evidence(p)))
		require.Equal(t, want.digest(p), m.Digest(p))
		in, names := want.inputs(p), []string(nil)
		m.Resources(p, func(name string, got metric.Input) bool {
			names = append(names, name)
			w := in[name]
			for i, lines := range [][2]timeline.Line{{w.States.Up, got.States.Up}, {w.States.Degraded, got.States.Degraded}, {w.States.Down, got.States.Down}} {
				require.True(t, slices.Equal(lines[0], lines[1]), "%s %d %v", name, i, lines)
			}
			require.True(t, slices.Equal(w.Counts, got.Counts), "%s %v %v", name, w.Counts, got.Counts)
			return true
		})
		require.Equal(t, slices.Sorted(maps.Keys(in)), names)
	}
}

func save(t require.TestingT, m *meter.Meter) []byte {
	var b bytes.Buffer
	require.NoError(t, m.Save(&b))
	return b.Bytes()
}

// TestMetersAreAsTheirModels does all that can be done with a few meters, in any order.
func TestMetersAreAsTheirModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		meters, models := make([]*meter.Meter, 3), make([]*model, 3)
		for i := range meters {
			meters[i], models[i] = meter.New(), newModel()
		}
		pick := func(t *rapid.T) (*meter.Meter, *model) {
			i := rapid.IntRange(0, 2).Draw(t, "meter")
			return meters[i], models[i]
		}
		add := func(t *rapid.T) {
			m, w := pick(t)
			e := draw(t)
			require.NoError(t, m.Add(e))
			w.add(e)
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": add, "add more": add, "add again": add,
			"seal": func(t *rapid.T) {
				m, w := pick(t)
				p := somePeriod.Draw(t, "period")
				s, err := m.Seal(p)
				require.NoError(t, err)
				w.seal(p)
				require.Equal(t, w.last(p), s.Digest)
			},
			"restate": func(t *rapid.T) {
				m, w := pick(t)
				p := somePeriod.Draw(t, "period")
				if len(w.seals) > 0 && rapid.Bool().Draw(t, "sealed") {
					p = rapid.SampledFrom(w.seals).Draw(t, "seal").Period
				}
				n := len(w.seals)
				got, err := m.Restate(p, w.last(p), "late logs")
				require.Equal(t, w.restate(p, "late logs") == nil, err == nil, "%v", err)
				require.True(t, slices.Equal(w.seals[n:], got))
			},
			"merge": func(t *rapid.T) {
				m, w := pick(t)
				o, wo := pick(t)
				if err := w.merge(wo); err != nil {
					require.ErrorIs(t, m.Merge(o), err)
				} else {
					require.NoError(t, m.Merge(o))
				}
			},
			"load": func(t *rapid.T) {
				i := rapid.IntRange(0, 2).Draw(t, "meter")
				text := save(t, meters[i])
				m, err := meter.Load(bytes.NewReader(text))
				require.NoError(t, err)
				require.Equal(t, text, save(t, m))
				meters[i] = m
			},
			"compare": func(t *rapid.T) {
				m, w := pick(t)
				same(t, w, m)
			},
		})
		for i := range meters {
			same(t, models[i], meters[i])
		}
	})
}

var evidence = rapid.SliceOfN(rapid.Custom(draw), 0, 40)

func TestAnyOrderAndAnySplitIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := evidence.Draw(t, "evidence")
		one, parts := meter.New(), []*meter.Meter{meter.New(), meter.New(), meter.New()}
		for _, e := range list {
			require.NoError(t, one.Add(e))
		}
		for _, e := range rapid.Permutation(append(list, list[:len(list)/2]...)).Draw(t, "order") {
			require.NoError(t, parts[rapid.IntRange(0, 2).Draw(t, "part")].Add(e))
		}
		want := save(t, one)
		left := load(t, save(t, parts[0]))
		require.NoError(t, left.Merge(parts[1]))
		require.NoError(t, left.Merge(parts[2]))
		right := load(t, save(t, parts[2]))
		require.NoError(t, right.Merge(parts[1]))
		require.NoError(t, right.Merge(parts[0]))
		require.Equal(t, want, save(t, left))
		require.Equal(t, want, save(t, right))
		require.NoError(t, left.Merge(left))
		require.NoError(t, left.Merge(right))
		require.Equal(t, want, save(t, left), "once more changes nothing")
	})
}

func load(t require.TestingT, text []byte) *meter.Meter {
	m, err := meter.Load(bytes.NewReader(text))
	require.NoError(t, err)
	return m
}

// TestMergeOfSealedMetersIsAssociative merges three that have something sealed.
func TestMergeOfSealedMetersIsAssociative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := meter.New()
		for _, e := range evidence.Draw(t, "base") {
			require.NoError(t, base.Add(e))
		}
		var texts [3][]byte
		for i := range texts {
			m := meter.New()
			if rapid.IntRange(0, 2).Draw(t, "derived") > 0 {
				m = load(t, save(t, base))
			}
			for range rapid.IntRange(0, 4).Draw(t, "rounds") {
				for _, e := range evidence.Draw(t, "more") {
					require.NoError(t, m.Add(e))
				}
				if rapid.Bool().Draw(t, "seal") {
					_, err := m.Seal(rapid.SampledFrom(periods).Draw(t, "period"))
					require.NoError(t, err)
				}
			}
			texts[i] = save(t, m)
			if rapid.Bool().Draw(t, "goes on") {
				base = m
			}
		}
		merged := func(order ...int) (string, error) {
			m := load(t, texts[order[0]])
			for _, i := range order[1:] {
				if err := m.Merge(load(t, texts[i])); err != nil {
					return "", err
				}
			}
			return string(save(t, m)), nil
		}
		want, err := merged(0, 1, 2)
		for _, order := range [][]int{{1, 0, 2}, {2, 1, 0}, {0, 2, 1}, {2, 0, 1}, {1, 2, 0}} {
			got, other := merged(order...)
			require.Equal(t, err == nil, other == nil, fmt.Sprint(order))
			require.Equal(t, want, got)
		}
		bc := load(t, texts[1])
		if err == nil {
			require.NoError(t, bc.Merge(load(t, texts[2])))
			a := load(t, texts[0])
			require.NoError(t, a.Merge(bc))
			require.Equal(t, want, string(save(t, a)))
		}
	})
}

// TestSealedPeriodsStayAsTheyAre checks what seals promise, whatever comes.
func TestSealedPeriodsStayAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, o := meter.New(), meter.New()
		for _, e := range evidence.Draw(t, "before") {
			require.NoError(t, m.Add(e))
		}
		var seals []meter.Seal
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(periods), 1, 3).Draw(t, "periods") {
			s, err := m.Seal(p)
			require.NoError(t, err)
			seals = append(seals, s)
			for _, e := range evidence.Draw(t, "after") {
				require.NoError(t, m.Add(e))
				require.NoError(t, o.Add(e))
			}
		}
		require.NoError(t, m.Merge(o))
		for _, s := range seals {
			require.Equal(t, s.Digest, m.Digest(s.Period))
		}
	})
}

// TestEvidenceOfAPeriodIsAllOfIt gives another party what a report of a period cites.
func TestEvidenceOfAPeriodIsAllOfIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, other := meter.New(), meter.New()
		for _, e := range evidence.Draw(t, "evidence") {
			require.NoError(t, m.Add(e))
		}
		p := rapid.SampledFrom(periods).Draw(t, "period")
		for e := range m.Evidence(p) {
			require.NoError(t, other.Add(e))
		}
		require.Equal(t, m.Digest(p), other.Digest(p))
		require.Equal(t, slices.Collect(m.Evidence(p)), slices.Collect(other.Evidence(p)))
	})
}

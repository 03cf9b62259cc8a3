package meter_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// lines returns what a meter has of the only resource that it has.
func lines(t *testing.T, p Span, list ...Evidence) (in metric.Input) {
	m := meter.New()
	for i, e := range list {
		if e.Source == "" {
			e.Source, e.Seq = "s", uint64(i)
		}
		e.Resource = "vm"
		require.NoError(t, m.Add(e))
	}
	m.Resources(p, func(_ string, got metric.Input) bool {
		in = got
		return true
	})
	return in
}

func state(from, to int64, s meter.State) Evidence { return Evidence{Span: span(from, to), State: s} }

func at(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

func TestOpenStates(t *testing.T) {
	p := span(0, 100)
	open := func(from int64, s meter.State) Evidence { return state(from, meter.Open, s) }
	line := func(ends ...int64) (l timeline.Line) {
		for i := 0; i < len(ends); i += 2 {
			l = append(l, span(ends[i], ends[i+1]))
		}
		return l
	}
	for name, c := range map[string]struct {
		list     []Evidence
		up, down timeline.Line
	}{
		"until the end of the period": {[]Evidence{open(10, meter.Down)}, nil, line(10, 100)},
		"until more is said":          {[]Evidence{open(10, meter.Down), open(30, meter.Up), open(50, meter.Down)}, line(30, 50), line(10, 30, 50, 100)},
		"until that it is unknown":    {[]Evidence{open(10, meter.Down), open(30, meter.Unknown)}, nil, line(10, 30)},
		"said at once":                {[]Evidence{open(10, meter.Down), open(10, meter.Up)}, line(10, 100), line(10, 100)},
		"what began before":           {[]Evidence{open(10, meter.Down), state(0, 40, meter.Up)}, line(0, 40), line(10, 100)},
		"another source":              {[]Evidence{open(10, meter.Down), {Source: "o", Span: span(40, 50), State: meter.Up}}, line(40, 50), line(10, 100)},
		"requests":                    {[]Evidence{open(10, meter.Down), {Span: span(20, 30), Total: 1}}, nil, line(10, 100)},
		"before the period":           {[]Evidence{open(-50, meter.Down), open(-20, meter.Up)}, line(0, 100), nil},
		"ended before the period":     {[]Evidence{open(-50, meter.Down), state(-20, -10, meter.Up)}, nil, nil},
		"its end is said later":       {[]Evidence{{Source: "s", Span: span(10, meter.Open), State: meter.Down}, {Source: "s", Span: span(10, 20), State: meter.Down}}, nil, line(10, 20)},
	} {
		for range 2 {
			in := lines(t, p, c.list...)
			require.True(t, slices.Equal(c.up, in.States.Up), "%s: %v", name, in.States)
			require.True(t, slices.Equal(c.down, in.States.Down), "%s: %v", name, in.States)
		}
	}
}

func TestEdgesOfAPeriod(t *testing.T) {
	p := span(100, 200)
	in := lines(t, p, state(0, 100, meter.Down), state(200, 300, meter.Down), state(99, 101, meter.Up), state(199, 201, meter.Degraded))
	require.True(t, slices.Equal(timeline.Line{span(100, 101)}, in.States.Up))
	require.True(t, slices.Equal(timeline.Line{span(199, 200)}, in.States.Degraded))
	require.Empty(t, in.States.Down)
	request := func(from, to int64) Evidence { return Evidence{Span: span(from, to), Total: 3, Good: 2} }
	in = lines(t, p, request(199, 300), request(200, 201), request(100, 101), request(99, 150))
	require.Equal(t, []metric.Count{{Start: 100, Good: 2, Total: 3}, {Start: 199, Good: 2, Total: 3}}, in.Counts)
	for _, none := range []Span{span(100, 100), span(200, 100), span(math.MaxInt64, math.MinInt64)} {
		require.Zero(t, lines(t, none, state(0, 300, meter.Up)))
	}
	leap := lines(t, span(at("2024-02-29T00:00:00Z"), at("2024-03-01T00:00:00Z")), state(at("2024-02-28T12:00:00Z"), at("2024-03-01T12:00:00Z"), meter.Up))
	require.Equal(t, uint64(86_400_000), leap.States.Up.Length())
	ever := span(math.MinInt64, math.MaxInt64)
	all := lines(t, ever, state(at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999Z")+1, meter.Up))
	require.Equal(t, uint64(at("9999-12-31T23:59:59Z")+1000-at("0001-01-01T00:00:00Z")), all.States.Up.Length())
	require.Equal(t, timeline.Line{span(5, math.MaxInt64)}, lines(t, ever, state(5, meter.Open, meter.Up)).States.Up)
}

func TestWhatIsNoEvidenceIsRefused(t *testing.T) {
	good := Evidence{Source: "s", Resource: "vm", Span: span(0, 10), State: meter.Up}
	m := meter.New()
	empty := save(t, m)
	for name, spoil := range map[string]func(*Evidence){
		"empty":                func(e *Evidence) { e.Span = span(5, 5) },
		"reversed":             func(e *Evidence) { e.Span = span(10, 0) },
		"reversed, open":       func(e *Evidence) { e.Span = span(meter.Open, 5) },
		"empty, open":          func(e *Evidence) { e.Span = span(meter.Open, meter.Open) },
		"before year 1":        func(e *Evidence) { e.Span.Start = at("0001-01-01T00:00:00Z") - 1 },
		"after year 9999":      func(e *Evidence) { e.Span.End = at("9999-12-31T23:59:59.999Z") + 2 },
		"open after year 9999": func(e *Evidence) { e.Span = span(at("9999-12-31T23:59:59.999Z")+1, meter.Open) },
		"no state":             func(e *Evidence) { e.State = meter.Down + 1 },
		"more good than all":   func(e *Evidence) { e.State, e.Good = meter.Unknown, 1 },
		"a state and requests": func(e *Evidence) { e.Total = 1 },
		"open requests":        func(e *Evidence) { e.State, e.Total, e.Span.End = meter.Unknown, 1, meter.Open },
		"no source":            func(e *Evidence) { e.Source = "" },
		"no resource":          func(e *Evidence) { e.Resource = "" },
		"a long source":        func(e *Evidence) { e.Source = strings.Repeat("x", meter.MaxName+1) },
		"a long resource":      func(e *Evidence) { e.Resource = strings.Repeat("x", meter.MaxName+1) },
		"no UTF-8":             func(e *Evidence) { e.Resource = "\xff" },
	} {
		e := good
		spoil(&e)
		require.ErrorIs(t, m.Add(e), opsec.ErrInvalid, name)
		if e.Source == good.Source && e.Resource == good.Resource {
			require.ErrorContains(t, m.Add(e), `, in piece 0 of "s" on "vm"`, name)
		}
	}
	require.Equal(t, empty, save(t, m), "nothing is changed")
	require.Equal(t, "[unknown up degraded down state 4]", fmt.Sprint([]any{meter.Unknown, meter.Up, meter.Degraded, meter.Down, meter.Down + 1}))
	_, ok := m.Mark("s")
	require.False(t, ok)
	good.Source, good.Seq = strings.Repeat("x", meter.MaxName), math.MaxUint64
	require.NoError(t, m.Add(good))
	require.NoError(t, load(t, save(t, m)).Add(good))
}

func TestSealsAreRefused(t *testing.T) {
	m, p := meter.New(), span(0, 100)
	for _, bad := range []Span{{}, span(5, 4), span(math.MinInt64, 0), span(0, math.MaxInt64)} {
		_, err := m.Seal(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := m.Restate(p, "", "why")
	require.ErrorIs(t, err, opsec.ErrInvalid, "it is not sealed")
	s, err := m.Seal(p)
	require.NoError(t, err)
	_, err = m.Restate(p, s.Digest, "why")
	require.ErrorIs(t, err, opsec.ErrInvalid, "nothing came late")
	require.NoError(t, m.Add(Evidence{Source: "s", Resource: "vm", Span: span(50, 60), State: meter.Up}))
	for _, c := range [][2]string{{"", "why"}, {s.Digest[:70], "why"}, {s.Digest, ""}, {s.Digest, " \n"}, {s.Digest, "\xff"}, {s.Digest, strings.Repeat("x", meter.MaxName+1)}} {
		_, err = m.Restate(p, c[0], c[1])
		require.ErrorIs(t, err, opsec.ErrInvalid, c)
	}
	require.Equal(t, s.Digest, m.Digest(p))
	require.Len(t, m.Seals(), 1)
	_, err = m.Restate(p, s.Digest, "why")
	require.NoError(t, err)
	_, err = m.Restate(p, s.Digest, "why")
	require.ErrorIs(t, err, opsec.ErrInvalid, "another is the last")
	m.Seals()[0].Digest = "changed"
	require.Equal(t, s.Digest, m.Seals()[0].Digest)
}

func TestRestatingAMonthRestatesTheQuarter(t *testing.T) {
	m := meter.New()
	month, next, quarter := span(0, 30), span(30, 60), span(0, 90)
	require.NoError(t, m.Add(Evidence{Source: "s", Resource: "vm", Span: span(5, meter.Open), State: meter.Up}))
	var seals []meter.Seal
	for _, p := range []Span{month, next, quarter} {
		s, err := m.Seal(p)
		require.NoError(t, err)
		seals = append(seals, s)
	}
	require.NoError(t, m.Add(Evidence{Source: "s", Seq: 1, Resource: "vm", Span: span(20, 25), State: meter.Down}))
	_, err := m.Restate(next, seals[1].Digest, "why")
	require.ErrorIs(t, err, opsec.ErrInvalid, "what came late is of the month, though it changes the next")
	got, err := m.Restate(month, seals[0].Digest, "why")
	require.NoError(t, err)
	require.Len(t, got, 3, "the open state ends in the month, and is no more in the next")
	for i, s := range got {
		require.Equal(t, seals[i].Period, s.Period)
		require.Equal(t, seals[i].Digest, s.Cites)
		require.Equal(t, m.Digest(s.Period), s.Digest)
	}
	require.Equal(t, meter.New().Digest(next), m.Digest(next))
}

func TestMetersThatAreSealedApartAreNotMerged(t *testing.T) {
	a, b := meter.New(), meter.New()
	require.NoError(t, a.Add(Evidence{Source: "s", Resource: "vm", Span: span(5, 6), State: meter.Up}))
	for _, m := range []*meter.Meter{a, b} {
		_, err := m.Seal(span(0, 10))
		require.NoError(t, err)
	}
	before := save(t, a)
	require.ErrorIs(t, a.Merge(b), meter.ErrSealed)
	require.ErrorContains(t, a.Merge(b), "seal 1 is "+a.Seals()[0].Digest)
	require.Equal(t, before, save(t, a))
}

// TestEdgesOfWhatIsSealed has pieces that start or end at the edges of a sealed period, and one millisecond beside.
func TestEdgesOfWhatIsSealed(t *testing.T) {
	p := span(100, 200)
	piece := func(seq uint64, from, to int64) Evidence {
		return Evidence{Source: "s", Seq: seq, Resource: "vm", Span: span(from, to), State: meter.Up}
	}
	slice := func(seq uint64, from, to int64) Evidence {
		return Evidence{Source: "s", Seq: seq, Resource: "vm", Span: span(from, to), Total: 1}
	}
	m := meter.New()
	seal, err := m.Seal(p)
	require.NoError(t, err)
	in := []Evidence{piece(0, 50, 101), piece(1, 100, 101), piece(2, 199, 200), piece(3, 199, 300), piece(4, 99, meter.Open), slice(5, 100, 101), slice(6, 199, 300)}
	before := []Evidence{piece(7, 50, 100), slice(8, 99, 150), slice(9, 99, 100)}
	after := []Evidence{piece(10, 200, 201), piece(11, 201, 300), slice(12, 200, 201), piece(13, 200, meter.Open)}
	for _, e := range slices.Concat(in, before, after) {
		require.NoError(t, m.Add(e))
	}
	ever := span(-1000, 1000)
	require.Equal(t, slices.Concat(in, before), slices.Collect(m.Late()))
	require.Equal(t, after, slices.Collect(m.Evidence(ever)))
	require.Equal(t, seal.Digest, m.Digest(p))
	m = load(t, save(t, m))
	_, err = m.Restate(p, seal.Digest, "why")
	require.NoError(t, err)
	require.Equal(t, before, slices.Collect(m.Late()))
	require.Equal(t, slices.Concat(in, after), slices.Collect(m.Evidence(ever)))
	earlier, err := m.Seal(span(0, 100))
	require.NoError(t, err)
	next := []Evidence{piece(14, 100, 110), piece(15, 150, 160)}
	for _, e := range next {
		require.NoError(t, m.Add(e))
	}
	require.Equal(t, slices.Concat(before, next), slices.Collect(m.Late()), "a period that is sealed later, and ends earlier, unseals nothing")
	_, err = m.Restate(earlier.Period, earlier.Digest, "why")
	require.NoError(t, err)
	require.Equal(t, next, slices.Collect(m.Late()))
}

// TestMergedMetersAreSealedAtTheSameMoment merges one that is sealed and one that is not, with pieces at the end of the time.
func TestMergedMetersAreSealedAtTheSameMoment(t *testing.T) {
	m, sealed := meter.New(), meter.New()
	before := Evidence{Source: "s", Seq: 1, Resource: "vm", Span: span(99, 200), State: meter.Up}
	at := Evidence{Source: "s", Seq: 2, Resource: "vm", Span: span(100, 200), State: meter.Up}
	require.NoError(t, m.Add(before))
	require.NoError(t, m.Add(at))
	_, err := sealed.Seal(span(0, 100))
	require.NoError(t, err)
	other := load(t, save(t, sealed))
	require.NoError(t, other.Merge(m))
	require.NoError(t, m.Merge(sealed))
	for _, m := range []*meter.Meter{m, other} {
		require.Equal(t, []Evidence{before}, slices.Collect(m.Late()))
		require.Equal(t, []Evidence{at}, slices.Collect(m.Evidence(span(-1000, 1000))))
	}
}

// TestMetersOfTheSameSealsAreMerged has evidence of a time that is sealed, though no period of it is.
func TestMetersOfTheSameSealsAreMerged(t *testing.T) {
	var both []*meter.Meter
	var list []Evidence
	for i := range int64(2) {
		e := Evidence{Source: "s", Seq: uint64(i), Resource: "vm", Span: span(10*i, 10*i+10), State: meter.Up}
		m := meter.New()
		require.NoError(t, m.Add(e))
		_, err := m.Seal(span(50, 100))
		require.NoError(t, err)
		both, list = append(both, m), append(list, e)
	}
	require.NoError(t, both[0].Merge(both[1]))
	require.NoError(t, both[1].Merge(both[0]))
	for _, m := range both {
		require.Equal(t, list, slices.Collect(m.Evidence(span(-1000, 1000))))
		require.Empty(t, slices.Collect(m.Late()))
	}
}

// TestMetersRestatedForOtherReasonsAreNotMerged restates the same for two reasons.
func TestMetersRestatedForOtherReasonsAreNotMerged(t *testing.T) {
	var both []*meter.Meter
	for _, why := range []string{"a log", "another log"} {
		m := meter.New()
		s, err := m.Seal(span(0, 100))
		require.NoError(t, err)
		require.NoError(t, m.Add(Evidence{Source: "s", Resource: "vm", Span: span(0, 10), State: meter.Up}))
		_, err = m.Restate(s.Period, s.Digest, why)
		require.NoError(t, err)
		both = append(both, m)
	}
	require.Equal(t, both[0].Digest(span(0, 100)), both[1].Digest(span(0, 100)))
	require.ErrorIs(t, both[0].Merge(both[1]), meter.ErrSealed)
}

// TestAMeterNeedsNoConstructor adds to the zero value what is older than 1970.
func TestAMeterNeedsNoConstructor(t *testing.T) {
	var m, other meter.Meter
	e := Evidence{Source: "s", Resource: "vm", Span: span(at("0001-01-01T00:00:00Z"), at("0001-01-01T00:00:00Z")+1), State: meter.Up}
	require.NoError(t, m.Add(e))
	require.NoError(t, other.Merge(&m))
	for _, m := range []*meter.Meter{&m, &other, load(t, save(t, &m))} {
		require.Equal(t, []Evidence{e}, slices.Collect(m.Evidence(span(math.MinInt64, math.MaxInt64))))
		require.Empty(t, slices.Collect(m.Late()))
	}
	var late meter.Meter
	_, err := late.Seal(span(e.Span.Start, e.Span.End))
	require.NoError(t, err)
	require.NoError(t, late.Add(e))
	require.Equal(t, []Evidence{e}, slices.Collect(late.Late()))
}

// TestSealsAreForSeveralGoroutines adds, while others seal, restate, save and ask.
func TestSealsAreForSeveralGoroutines(t *testing.T) {
	m, p := meter.New(), span(0, 100)
	for i := range int64(100) {
		require.NoError(t, m.Add(Evidence{Source: "s", Seq: uint64(i), Resource: "vm", Span: span(i, i+1), State: meter.Up}))
	}
	seal, err := m.Seal(p)
	require.NoError(t, err)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range int64(100) {
				if m.Add(Evidence{Source: "late", Seq: uint64(i), Resource: string(rune('a' + g)), Span: span(i, i+1), State: meter.Down}) != nil {
					t.Error("not added")
				}
				switch i % 10 {
				case 1:
					seals := m.Seals()
					if _, err := m.Restate(p, seals[len(seals)-1].Digest, "why"); err != nil && !errors.Is(err, opsec.ErrInvalid) {
						t.Error(err)
					}
				case 3:
					var file bytes.Buffer
					if m.Save(&file) != nil {
						t.Error("not saved")
					} else if _, err := meter.Load(&file); err != nil {
						t.Error(err)
					}
				case 5:
					if s, err := m.Seal(p); err != nil || s.Cites == "" && s != seal {
						t.Error(s, err)
					}
				case 7:
					for range m.Late() {
						m.Behind(i)
					}
				case 9:
					for range m.Conflicts() {
						t.Error("there is none")
					}
				}
			}
		})
	}
	all.Wait()
	seals := m.Seals()
	require.Equal(t, seal, seals[0])
	for i, s := range seals[1:] {
		require.Equal(t, seals[i].Digest, s.Cites)
	}
	require.Equal(t, seals[len(seals)-1].Digest, m.Digest(p))
	require.Equal(t, 500, len(slices.Collect(m.Evidence(p)))+len(slices.Collect(m.Late())))
}

// TestMeterIsForSeveralGoroutines is for the race detector, and for readers that add and merge.
func TestMeterIsForSeveralGoroutines(t *testing.T) {
	a, b := meter.New(), meter.New()
	p := span(0, 1000)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 200 {
				e := Evidence{Source: string(rune('a' + g)), Seq: uint64(i), Resource: string(rune('A' + i%7)), Span: span(int64(i), int64(i+2)), State: meter.State(i % 4)}
				if i%5 == 0 {
					e.State, e.Total = meter.Unknown, 1
				}
				if a.Add(e) != nil {
					t.Error("not added")
				}
				switch i % 50 {
				case 7:
					if b.Merge(a) != nil || a.Merge(b) != nil {
						t.Error("not merged")
					}
				case 17:
					b.Digest(p)
				case 27:
					a.Resources(p, func(string, metric.Input) bool { return a.Add(e) == nil })
				case 37:
					for e := range b.Evidence(p) {
						_ = b.Add(e)
					}
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, b.Merge(a))
	require.Equal(t, a.Digest(p), b.Digest(p))
	require.Len(t, slices.Collect(a.Evidence(p)), 800)
}

// TestWhichOfSeveralCounts has pieces of one number, of which the first counts, in whatever order they come.
func TestWhichOfSeveralCounts(t *testing.T) {
	requests := func(to int64, good, total uint64) Evidence {
		return Evidence{Span: span(5, to), Good: good, Total: total}
	}
	for name, c := range map[string][2]Evidence{
		"the earlier":           {state(4, 6, meter.Up), state(5, 90, meter.Down)},
		"requests":              {requests(6, 1, 1), state(5, 90, meter.Down)},
		"down":                  {state(5, 6, meter.Down), state(5, 90, meter.Degraded)},
		"degraded":              {state(5, 6, meter.Degraded), state(5, 90, meter.Up)},
		"up":                    {state(5, 6, meter.Up), state(5, 90, meter.Unknown)},
		"the longer":            {state(5, 7, meter.Up), state(5, 6, meter.Up)},
		"with an end":           {state(5, 6, meter.Down), state(5, meter.Open, meter.Down)},
		"more bad requests":     {requests(6, 1, 3), requests(9, 3, 4)},
		"more requests":         {requests(6, 3, 4), requests(9, 0, 1)},
		"of the longer slice":   {requests(7, 3, 4), requests(6, 3, 4)},
		"worse, though open":    {state(5, meter.Open, meter.Down), state(5, 9, meter.Up)},
		"earlier, though open":  {state(4, meter.Open, meter.Up), state(5, 9, meter.Up)},
		"open, and begins late": {state(4, 9, meter.Up), state(5, meter.Open, meter.Up)},
	} {
		c[0].Source, c[0].Resource, c[1].Source, c[1].Resource = "s", "vm", "s", "vm"
		for i := range c {
			m := meter.New()
			require.NoError(t, m.Add(c[i]))
			if i == 0 {
				m.Digest(span(0, 100)) // what comes after it is put in order by itself
			}
			require.NoError(t, m.Add(c[1-i]))
			require.Equal(t, c[:1], slices.Collect(m.Evidence(span(0, 100))), name)
			if name == "with an end" {
				require.Empty(t, slices.Collect(m.Conflicts()))
			} else {
				require.Equal(t, c[1:], slices.Collect(m.Conflicts()), name)
			}
		}
	}
}

// TestLateThatDiffersLittleIsLate has pieces that differ from what counts in nothing but their end or their requests.
func TestLateThatDiffersLittleIsLate(t *testing.T) {
	requests := func(seq uint64, to int64, good uint64) Evidence {
		return Evidence{Source: "s", Seq: seq, Resource: "vm", Span: span(5, to), Good: good, Total: 9}
	}
	up := func(to int64) Evidence {
		return Evidence{Source: "s", Seq: 1, Resource: "vm", Span: span(5, to), State: meter.Up}
	}
	m := meter.New()
	known := []Evidence{up(50), requests(2, 50, 5), requests(3, 50, 5)}
	for _, e := range known {
		require.NoError(t, m.Add(e))
	}
	_, err := m.Seal(span(0, 90))
	require.NoError(t, err)
	late := []Evidence{up(60), up(40), requests(2, 50, 4), requests(2, 50, 6), requests(3, 60, 5), requests(3, 40, 5)}
	for _, e := range slices.Concat(late, known) {
		require.NoError(t, m.Add(e))
	}
	require.Equal(t, late, slices.Collect(m.Late()))
}

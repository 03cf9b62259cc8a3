package catalogue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// machine is what the test knows by itself of a catalogue: which persons have approved which order, and when.
type machine struct {
	*bench
	rt       *rapid.T
	ids      []string
	points   map[string]catalogue.Point // as they were before the last step
	orders   []opsec.ID
	asked    map[opsec.ID]string               // by whom
	approved map[opsec.ID]map[string]time.Time // by whom and when
	over     map[opsec.ID]bool                 // cancelled, withdrawn
	lastToo  map[opsec.ID]bool
}

// read returns all points.
func (m *machine) read() map[string]catalogue.Point {
	all := map[string]catalogue.Point{}
	for _, id := range m.ids {
		all[id] = m.point(id)
	}
	return all
}

// sound reports whether a point and all that it needs are there and whole, as far as is known.
func sound(all map[string]catalogue.Point, id string) bool {
	p := all[id]
	if p.State != catalogue.Present || p.Verified().IsZero() {
		return false
	}
	var whole func(id string) bool
	whole = func(id string) bool {
		p := all[id]
		return p.State == catalogue.Present && !p.Broken() && !slices.ContainsFunc(p.Parents, func(q string) bool { return !whole(q) })
	}
	return whole(id)
}

func count(all map[string]catalogue.Point, is func(id string) bool) (n int) {
	for id := range all {
		if is(id) {
			n++
		}
	}
	return n
}

// look holds what has become of the points against what may.
func (m *machine) look() {
	t, all := m.rt, m.read()
	careless := false
	for id, p := range all {
		before, known := m.points[id]
		if p.State == catalogue.Present {
			for _, parent := range p.Parents {
				require.Equal(t, catalogue.Present, all[parent].State, "%s lost %s", id, parent)
			}
			require.True(t, !known || before.State == catalogue.Present, "%s came back", id)
			continue
		}
		if before.State == catalogue.Present { // it went in this step
			require.Empty(t, before.Holds, "%s was held", id)
			require.False(t, m.now.Before(before.LockedUntil()), "%s was locked", id)
			o := p.Order
			require.False(t, m.over[o], "%s: its order had ended", id)
			careless = careless || m.lastToo[o]
			var persons []string
			var last time.Time
			for person, at := range m.approved[o] {
				if person != m.asked[o] {
					persons = append(persons, person)
				}
				if at.After(last) {
					last = at
				}
			}
			require.GreaterOrEqual(t, len(persons), 2, "%s went with the approval of %v", id, persons)
			require.False(t, m.now.Before(last.Add(catalogue.DefaultDelay)), "%s went too early", id)
		}
	}
	if !careless && len(m.points) > 0 {
		here := func(of map[string]catalogue.Point) func(string) bool {
			return func(id string) bool { return of[id].State == catalogue.Present }
		}
		if count(m.points, func(id string) bool { return sound(m.points, id) }) > 0 && count(all, here(all)) < count(m.points, here(m.points)) {
			require.Positive(t, count(all, func(id string) bool { return sound(all, id) }), "the last verified point went")
		}
		if count(m.points, here(m.points)) > 0 {
			require.Positive(t, count(all, here(all)), "the last point went")
		}
	}
	m.points = all
}

func (m *machine) step() {
	rt := m.rt
	pick := func(name string) string { return rapid.SampledFrom(m.ids).Draw(rt, name) }
	pickOrder := func() opsec.ID { return rapid.SampledFrom(m.orders).Draw(rt, "order") }
	actions := []string{"add", "add", "verify", "verify", "wait", "propose", "propose"}
	if len(m.orders) > 0 {
		actions = append(actions, "decide", "decide", "carry on", "carry on", "carry on", "carry on", "execute", "execute", "cancel", "hold", "hold source", "retract")
	}
	m.now = m.now.Add(time.Minute)
	switch rapid.SampledFrom(actions).Draw(rt, "action") {
	case "add":
		var parents []string
		for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.ids), 0, 2, rapid.ID).Draw(rt, "parents") {
			if m.points[id].State == catalogue.Present {
				parents = append(parents, id)
			}
		}
		id := fmt.Sprint(len(m.ids))
		m.add(id, parents...)
		if m.ids = append(m.ids, id); rapid.Bool().Draw(rt, "verified") {
			m.verify(id, true)
		}
	case "verify":
		if id := pick("id"); m.points[id].State == catalogue.Present {
			m.verify(id, rapid.Bool().Draw(rt, "whole"))
		}
	case "wait":
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 8*24).Draw(rt, "hours")) * time.Hour)
	case "propose":
		here := m.present()
		ids := rapid.SliceOfNDistinct(rapid.SampledFrom(here), 1, min(4, len(here)), rapid.ID).Draw(rt, "ids")
		by, lastToo := m.somebody(), rapid.IntRange(0, 9).Draw(rt, "last") == 7
		if o, err := m.ProposeDeletion(bg, by, "acme", "vol-7", ids, lastToo); err == nil {
			m.orders, m.asked[o.ID], m.lastToo[o.ID], m.approved[o.ID] = append(m.orders, o.ID), by.Actor.Person, lastToo, map[string]time.Time{}
		}
	case "decide":
		m.decide(pickOrder(), m.somebody())
	case "carry on": // as it is meant to be, or nearly
		id := m.orders[len(m.orders)-1]
		for range 3 {
			m.decide(id, m.somebody())
		}
		m.now = m.now.Add(catalogue.DefaultDelay + time.Duration(rapid.IntRange(-2, 5).Draw(rt, "minutes"))*time.Minute)
		_, _ = m.Execute(bg, m.somebody(), "acme", id)
	case "retract":
		id, d := pickOrder(), approve(m.somebody())
		d.Verb = approval.Retract
		if _, err := m.Decide(bg, "acme", id, d); err == nil {
			m.over[id] = true
		}
	case "cancel":
		id := pickOrder()
		if _, err := m.Cancel(bg, m.somebody(), "acme", id); err == nil {
			m.over[id] = true
		}
	case "execute":
		_, _ = m.Execute(bg, m.somebody(), "acme", pickOrder())
	case "hold":
		if id := pick("id"); rapid.IntRange(0, 3).Draw(rt, "hold") == 3 {
			_, _ = m.HoldPoint(bg, alice, "acme", "vol-7", id)
		}
	case "hold source":
		if rapid.IntRange(0, 9).Draw(rt, "hold") == 7 {
			_, err := m.HoldSource(bg, alice, "acme", "vol-7")
			require.NoError(rt, err)
		}
	}
	m.look()
}

func (m *machine) decide(id opsec.ID, by catalogue.By) {
	if _, err := m.Decide(bg, "acme", id, approve(by)); err == nil {
		require.NotContains(m.rt, m.approved[id], by.Actor.Person)
		m.approved[id][by.Actor.Person] = m.now
	}
}

// somebody is one of four persons, with one of two accounts, or nobody known.
func (m *machine) somebody() catalogue.By {
	by := person(rapid.SampledFrom([]string{"pa", "pb", "pc", "pb", "pc", "pd"}).Draw(m.rt, "person"))
	if rapid.Bool().Draw(m.rt, "other account") {
		by.Actor.Account += "-other"
	}
	if rapid.IntRange(0, 9).Draw(m.rt, "known") == 7 {
		by.Actor.Person = ""
	}
	return by
}

func newMachine(t *testing.T, rt *rapid.T, b *bench) *machine {
	b.roles["pd"] = []string{"other"}
	m := &machine{bench: b, rt: rt, asked: map[opsec.ID]string{}, approved: map[opsec.ID]map[string]time.Time{}, over: map[opsec.ID]bool{}, lastToo: map[opsec.ID]bool{}}
	m.add("first")
	m.add("second")
	m.verify("first", true)
	m.verify("second", true)
	m.ids = []string{"first", "second"}
	m.look()
	return m
}

// Whatever is asked, decided and done in whatever order: no chain is broken, the last verified point stays, holds hold, nobody
// approves alone, and no delay is cut short.
func TestWhateverHappensTheGuardsHold(t *testing.T) {
	gone := 0
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t, rt, standard(t))
		for range rapid.IntRange(race.Fewer(30), race.Fewer(90)).Draw(rt, "steps") {
			m.step()
		}
		gone += len(m.shred.gone)
		m.sound()
	})
	t.Logf("%d copies deleted", gone)
	if !race.Enabled {
		require.Positive(t, gone, "nothing was ever deleted: the test has shown nothing")
	}
}

// A store that fails, loses answers and dies at any commit: the deletion is done in the end, once it is asked for again, and no copy is
// forgotten.
func TestADeletionSurvivesWhateverTheStoreDoes(t *testing.T) {
	for _, how := range []storetest.Fault{storetest.CrashBefore, storetest.CrashAfter} {
		for n := 1; ; n++ {
			inner := memory.New()
			b := newBench(t, inner, nil)
			b.add("a")
			b.add("b", "a")
			b.add("c")
			o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a", "b"}, false)
			require.NoError(t, err)
			b.now = b.agree(o).Ready

			flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{})
			flaky.CrashAt(n, how)
			dying := b.over(flaky)
			_, first := dying.Execute(bg, alice, "acme", o.ID)
			again := b.over(inner)
			done, err := again.Execute(bg, alice, "acme", o.ID)
			if first != nil && err != nil { // it was done, and the answer lost
				require.ErrorIs(t, err, catalogue.ErrEnded)
			}
			if first == nil {
				require.Greater(t, n, 3, "the crash came at no commit")
				break
			}
			if err == nil {
				require.Equal(t, 2, done.Gone, "crash at commit %d", n)
			}
			require.Equal(t, []string{"c"}, again.present())
			copies := slices.Compact(slices.Sorted(slices.Values(b.shred.gone)))
			require.Equal(t, []string{"a@rack-1", "b@rack-1"}, copies)
			again.sound()
		}
	}
}

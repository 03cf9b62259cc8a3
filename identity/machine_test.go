package identity_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store/memory"
)

// model is what somebody with a sheet of paper would note: for each account its own state, and what it holds, as sets.
type model struct {
	main  *line
	subs  []*line
	grant map[string]bool
}

type line struct {
	id    opsec.ID
	state string
	holds map[string]bool
}

var letters = []string{"a", "b", "c", "d"}

func set(list []string) map[string]bool {
	m := map[string]bool{}
	for _, one := range list {
		m[one] = true
	}
	return m
}

func covers(of, all map[string]bool) bool {
	for one := range of {
		if !all[one] {
			return false
		}
	}
	return true
}

// step says whether a step is possible, and notes it. It is written without looking at the code.
func (m *model) step(v identity.Verb, l *line, sub bool, holds, grant []string, changes string) bool {
	is := func(states ...string) bool { return slices.Contains(states, l.state) }
	live := !sub || m.main.state == "active"
	switch v {
	case identity.Approve:
		if !is("registered") || !live {
			return false
		}
		l.state = "active"
	case identity.Refuse:
		if !is("registered") {
			return false
		}
		l.state, l.holds = "deleted", nil
		if !sub {
			m.grant = nil
		}
	case identity.Suspend:
		if !is("active") {
			return false
		}
		l.state = "suspended"
	case identity.Resume:
		if !is("suspended") || !live {
			return false
		}
		l.state = "active"
	case identity.Disable:
		if !is("active", "suspended") {
			return false
		}
		l.state = "disabled"
	case identity.Enable:
		if !is("disabled") || !live {
			return false
		}
		l.state = "active"
	case identity.Delete:
		if !is("active", "suspended", "disabled") {
			return false
		}
		l.state, l.holds = "deleted", nil
		if !sub {
			m.grant = nil
			for _, s := range m.subs {
				s.state, s.holds = "deleted", nil
			}
		}
	case identity.Modify:
		if !is("active", "suspended", "disabled") || sub && changes != "holds" || sub && !covers(set(holds), m.grant) {
			return false
		}
		if changes != "grant" {
			l.holds = set(holds)
		}
		if changes != "holds" {
			m.grant = set(grant)
			for _, s := range m.subs {
				for one := range s.holds {
					if !m.grant[one] {
						delete(s.holds, one)
					}
				}
			}
		}
	}
	return true
}

// shown is the state that others see.
func (m *model) shown(l *line) string {
	switch {
	case l == m.main || l.state != "active" && l.state != "suspended":
		return l.state
	case m.main.state == "disabled":
		return "disabled"
	case m.main.state == "suspended":
		return "suspended"
	}
	return l.state
}

var verbs = []identity.Verb{identity.Approve, identity.Refuse, identity.Suspend, identity.Resume, identity.Disable, identity.Enable,
	identity.Delete, identity.Modify}

// Whatever happens, the family is what an independent model says, no sub-account holds what its main account may not grant, and
// the steps, replayed, are the family, also when it has been written and read in between.
func TestAFamilyIsWhatItsHistorySays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		var history []identity.Step
		var f identity.Family
		m := &model{}
		pick := func(name string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(letters), 0, 4, rapid.ID).Draw(t, name)
		}
		apply := func(s identity.Step, want bool) {
			now = now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "minutes")) * time.Minute)
			s.Time = now
			before, err := json.Marshal(f)
			require.NoError(t, err)
			next, err := f.Apply(s)
			after, _ := json.Marshal(f)
			require.Equal(t, string(before), string(after), "the old one is untouched")
			require.Equal(t, want, err == nil, "%s: %v", s.Verb, err)
			if err != nil {
				return
			}
			require.False(t, next.Last.Before(f.Last), "its clock never goes back")
			var read identity.Family
			b, err := json.Marshal(next)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(b, &read))
			require.Equal(t, next, read)
			f, history = read, append(history, s)
		}
		account := func(n int) *identity.Account {
			return &identity.Account{ID: opsec.ID(fmt.Sprintf("01a224ca-e84d-718d-8e2f-%012x", n)), Tenant: "acme", Name: fmt.Sprint("n", n),
				Canonical: fmt.Sprint("n", n), Kind: opsec.Human, Person: "p"}
		}
		main := account(0)
		grant := pick("grant")
		main.MayGrant = rights(grant...)
		apply(identity.Step{Verb: identity.Register, Account: main.ID, New: main}, true)
		m.main, m.grant = &line{main.ID, "registered", nil}, set(grant)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				a := account(1 + len(m.subs))
				holds := pick("holds")
				a.Main, a.System, a.Holds = main.ID, "app/1", rights(holds...)
				want := m.main.state == "active" && covers(set(holds), m.grant)
				apply(identity.Step{Verb: identity.Register, Account: a.ID, New: a}, want)
				if want {
					m.subs = append(m.subs, &line{a.ID, "registered", set(holds)})
				}
			} else {
				l, sub := m.main, false
				if n := rapid.IntRange(0, len(m.subs)).Draw(t, "account"); n > 0 {
					l, sub = m.subs[n-1], true
				}
				v := rapid.SampledFrom(verbs).Draw(t, "verb")
				s := identity.Step{Verb: v, Account: l.id}
				holds, grant := pick("holds"), pick("grant")
				changes := rapid.SampledFrom([]string{"holds", "grant", "both"}).Draw(t, "changes")
				if v == identity.Modify && changes != "grant" {
					r := rights(holds...)
					s.Holds = &r
				}
				if v == identity.Modify && changes != "holds" {
					r := rights(grant...)
					s.MayGrant = &r
				}
				if v == identity.Modify && sub && changes != "holds" && len(grant) == 0 {
					continue // to grant nothing is what it does
				}
				apply(s, m.step(v, l, sub, holds, grant, changes))
			}
			for _, l := range append([]*line{m.main}, m.subs...) {
				a := f.Account(l.id)
				require.Equal(t, m.shown(l), string(a.State))
				require.True(t, covers(set(a.Holds.Privileges), l.holds) && covers(l.holds, set(a.Holds.Privileges)))
				require.True(t, a.IsMain() || a.Holds.Within(f.Main.MayGrant))
				require.Equal(t, a.State != identity.Suspended && a.State != identity.Disabled, a.Cause == "")
			}
		}
		replay, err := identity.Replay(func(yield func(identity.Step, error) bool) {
			for _, s := range history {
				if !yield(s, nil) {
					return
				}
			}
		})
		require.NoError(t, err)
		require.Equal(t, f, replay)
	})
}

// The same through a Directory: whatever is asked for and approved, the store agrees with the history, and with itself.
func TestADirectoryIsWhatItsHistorySays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
		main := b.add(identity.Registration{Name: "carol", Person: "pc", MayGrant: rights(letters...)})
		ids := []opsec.ID{main.ID}
		pick := func(name string) identity.Rights {
			return rights(rapid.SliceOfNDistinct(rapid.SampledFrom(letters), 0, 4, rapid.ID).Draw(rt, name)...)
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			b.now = b.now.Add(time.Hour)
			id := rapid.SampledFrom(ids).Draw(rt, "account")
			var r identity.Request
			var err error
			switch v := rapid.SampledFrom(append(verbs[2:], identity.Register)).Draw(rt, "verb"); v {
			case identity.Register:
				a, _, err := b.Register(bg, by(main), "acme", identity.Registration{
					Name: "sub" + string(rune('a'+len(ids))), Main: main.ID, System: "app/1", Holds: pick("holds")})
				if err == nil {
					ids = append(ids, a.ID)
				}
			case identity.Suspend:
				_, _ = b.Suspend(bg, b.alice, "acme", id)
			case identity.Resume:
				_, _ = b.Resume(bg, b.alice, "acme", id)
			case identity.Disable:
				_, _ = b.Disable(bg, b.alice, "acme", id)
			case identity.Delete:
				_, _ = b.Delete(bg, b.alice, "acme", id)
			case identity.Enable:
				r, err = b.Enable(bg, b.alice, "acme", id)
			case identity.Modify:
				holds, grant := pick("holds"), pick("grant")
				if id == main.ID {
					r, err = b.Modify(bg, b.alice, "acme", id, &holds, &grant, nil)
				} else {
					r, err = b.Modify(bg, b.alice, "acme", id, &holds, nil, nil)
				}
			}
			if err == nil && r.ID != "" {
				_, err := b.Decide(bg, "acme", r.ID, approve(b.bob))
				require.NoError(rt, err)
			}
		}
		record, replay := b.replayed(main.ID)
		require.Equal(rt, record, replay)
		require.Len(rt, record.All(), len(ids))
		for _, s := range []identity.State{identity.Active, identity.Suspended, identity.Disabled, identity.Deleted} {
			n := 0
			for _, a := range record.All() {
				if a.State == s {
					n++
				}
			}
			if s == identity.Active {
				n += 2
			}
			require.Len(rt, b.list(identity.Query{State: s}), n)
		}
	})
}

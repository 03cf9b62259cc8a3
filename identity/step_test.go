package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity"
)

var states = []identity.State{"", identity.Registered, identity.Active, identity.Suspended, identity.Disabled, identity.Deleted}

// The table, as the Recommendation's life cycle reads: a line each state, a column each verb.
func TestTheTableOfStatesAndVerbs(t *testing.T) {
	columns := []identity.Verb{identity.Register, identity.Approve, identity.Refuse, identity.Suspend, identity.Resume, identity.Disable,
		identity.Enable, identity.Delete, identity.Modify, identity.Review, identity.Set, identity.Plan, identity.Cancel, identity.Settle, identity.Forget}
	for line, want := range strings.Split(strings.TrimSpace(`
R . . . . . . . . . . . . . .
. A X . . . . . . . . . . . .
. . . S . D . X A A A A A A .
. . . . A D . X S S S . S . .
. . . . . . A X D D D . D . .
. . . . . . . . . . . . . . X
`), "\n") {
		for i, letter := range strings.Fields(want) {
			to := map[string]identity.State{"R": identity.Registered, "A": identity.Active, "S": identity.Suspended, "D": identity.Disabled, "X": identity.Deleted}[letter]
			got, ok := states[line].After(columns[i])
			require.Equal(t, letter != ".", ok, "%s %s", columns[i], states[line])
			if ok {
				require.Equal(t, to, got, "%s %s", columns[i], states[line])
			}
		}
	}
	_, ok := identity.Active.After("promote")
	require.False(t, ok)
	require.EqualError(t, &identity.StateError{Verb: identity.Resume, State: identity.Deleted}, "identity: cannot resume what is deleted")
}

func carol() identity.Account {
	return identity.Account{ID: "01a224ca-e84d-718d-8e2f-000000000001", Tenant: "acme", Name: "carol", Canonical: "carol", Kind: opsec.Human, Person: "pc"}
}

func TestWhatNoAccountCanBe(t *testing.T) {
	for what, change := range map[string]func(*identity.Account){
		"id":           func(a *identity.Account) { a.ID = "1" },
		"tenant":       func(a *identity.Account) { a.Tenant = "" },
		"no name":      func(a *identity.Account) { a.Canonical = "" },
		"an id":        func(a *identity.Account) { a.Canonical = "01A224CA-e84d-718d-8e2f-000000000009" },
		"control":      func(a *identity.Account) { a.Name = "carol\x1b" },
		"no person":    func(a *identity.Account) { a.Person = "" },
		"space behind": func(a *identity.Account) { a.Person = "pc " },
		"unseen":       func(a *identity.Account) { a.Person = "p\u200bc" },
		"composed":     func(a *identity.Account) { a.Person = "jose\u0301" },
		"wide":         func(a *identity.Account) { a.Person = "ｐｃ" },
		"long person":  func(a *identity.Account) { a.Person = strings.Repeat("p", 129) },
		"machine":      func(a *identity.Account) { a.Kind = opsec.Service },
		"system":       func(a *identity.Account) { a.System = "app/1" },
		"rights twice": func(a *identity.Account) { a.Holds = identity.Rights{Roles: []string{"x", "x"}} },
		"unsorted":     func(a *identity.Account) { a.MayGrant = identity.Rights{Privileges: []string{"y", "x"}} },
		"no right":     func(a *identity.Account) { a.Holds = identity.Rights{Roles: []string{""}} },
		"long right":   func(a *identity.Account) { a.Holds = identity.Rights{Roles: []string{strings.Repeat("x", 97)}} },
		"empty value":  func(a *identity.Account) { a.Properties = map[string]string{"a": ""} },
		"long value":   func(a *identity.Account) { a.Properties = map[string]string{"a": strings.Repeat("x", 513)} },
		"properties": func(a *identity.Account) {
			a.Properties = map[string]string{}
			for i := range 33 {
				a.Properties[fmt.Sprint(i)] = "x"
			}
		},
		"rights": func(a *identity.Account) {
			for i := range 65 {
				a.Holds.Privileges = append(a.Holds.Privileges, fmt.Sprintf("%03d", i))
			}
		},
		"a sub-account of nobody": func(a *identity.Account) { a.Main, a.System = "01a224ca-e84d-718d-8e2f-000000000002", "x" },
	} {
		a := carol()
		change(&a)
		_, err := identity.Family{}.Apply(identity.Step{Verb: identity.Register, Account: a.ID, Time: noon, New: &a})
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
}

func TestStepsThatAreNone(t *testing.T) {
	a := carol()
	f, err := identity.Family{}.Apply(identity.Step{Verb: identity.Register, Account: a.ID, Time: noon, New: &a})
	require.NoError(t, err)
	f, err = f.Apply(identity.Step{Verb: identity.Approve, Account: a.ID, Time: noon})
	require.NoError(t, err)
	for _, s := range []identity.Step{
		{Verb: identity.Suspend, Account: a.ID},
		{Verb: identity.Suspend, Account: a.ID, Time: noon, Reason: strings.Repeat("x", 1025)},
		{Verb: identity.Register, Account: a.ID, Time: noon},
		{Verb: identity.Disable, Account: a.ID, Time: noon, Cause: identity.ByMain},
		{Verb: identity.Modify, Account: a.ID, Time: noon},
		{Verb: identity.Set, Account: a.ID, Time: noon},
		{Verb: identity.Plan, Account: a.ID, Time: noon, Property: "x", Value: "y", Due: noon},
	} {
		_, err := f.Apply(s)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%+v", s)
	}
	_, err = f.Apply(identity.Step{Verb: identity.Suspend, Account: "other", Time: noon})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = f.Apply(identity.Step{Verb: identity.Register, Account: a.ID, Time: noon, New: &a})
	require.ErrorIs(t, err, identity.ErrState)
}

func TestRightsAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) identity.Rights {
			r := rights(rapid.SliceOfNDistinct(rapid.SampledFrom(letters), 0, 4, rapid.ID).Draw(t, name)...)
			r.Roles = rights(rapid.SliceOfNDistinct(rapid.SampledFrom(letters), 0, 4, rapid.ID).Draw(t, name)...).Privileges
			return r
		}
		a, b := draw("a"), draw("b")
		require.NoError(t, a.Validate())
		require.True(t, a.Minus(b).Common(b).IsZero())
		require.True(t, a.Common(b).Equal(b.Common(a)))
		require.Equal(t, a.Within(b), a.Common(b).Equal(a))
		require.Equal(t, len(a.Roles)+len(a.Privileges), len(a.Minus(b).Roles)+len(a.Common(b).Roles)+len(a.Minus(b).Privileges)+len(a.Common(b).Privileges))
		require.Equal(t, a.Equal(b), a.Within(b) && b.Within(a))
	})
}

// Over sweeps at any times, with use at any times: no account is disabled that was used later than Dormancy.After ago, none
// without its last warning that long before, and every warning of one spell of silence is given once.
func TestDormancyWarnsBeforeItDisables(t *testing.T) {
	d := identity.Dormancy{After: 90 * day, Warnings: []time.Duration{14 * day, 3 * day}}
	rapid.Check(t, func(t *rapid.T) {
		f := identity.Family{Main: carol()}
		a := &f.Main
		a.State, a.Own, a.Since, a.Created = identity.Active, identity.Active, noon, noon
		now, used := noon, noon
		given := map[int]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "sweeps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "hours")) * time.Hour)
			if rapid.IntRange(0, 8).Draw(t, "used") == 0 {
				a.LastUsed, used = now, now
				clear(given)
				continue
			}
			v := d.Judge(&f, a, now)
			if v.Disable {
				require.False(t, now.Before(used.Add(d.After)))
				require.Contains(t, given, 2)
				require.False(t, now.Before(given[2].Add(3*day)))
				return
			}
			require.True(t, now.Before(v.Until))
			if v.Warning > 0 {
				require.NotContains(t, given, v.Warning)
				given[v.Warning] = now
				a.Warned = identity.Warned{Base: v.Base, Count: v.Warning, At: now}
				require.False(t, now.Before(used.Add(d.After-d.Warnings[v.Warning-1])))
			} else {
				_, told := given[2]
				require.True(t, told || now.Before(used.Add(d.After-3*day)), "what is due is given")
			}
		}
	})
}

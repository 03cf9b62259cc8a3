package identity_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// An account that is suspended, or whose time is over, does nothing, whatever the authorizer says.
func TestWhoIsNotActiveDoesNothing(t *testing.T) {
	b := standard(t)
	c := b.add(identity.Registration{Name: "carol", Person: "pc", Holds: admin, Expires: noon.Add(day)})
	_, r, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "dave", Person: "pd"})
	require.NoError(t, err)
	b.now = noon.Add(day) // and no sweep yet
	_, err = b.Decide(bg, "acme", r.ID, approve(by(c)))
	require.ErrorIs(t, err, identity.ErrUnknownActor)
	require.ErrorIs(t, b.Touch(bg, timer, "acme", c.ID), opsec.ErrDenied)

	_, err = b.Suspend(bg, b.alice, "acme", opsec.ID(b.bob.Actor.Account))
	require.NoError(t, err)
	_, err = b.Resume(bg, b.bob, "acme", opsec.ID(b.bob.Actor.Account))
	require.ErrorIs(t, err, identity.ErrUnknownActor)
	_, err = b.SetProperty(bg, b.bob, "acme", c.ID, "language", "de")
	require.ErrorIs(t, err, identity.ErrUnknownActor)
}

// One person with an account on each side is one approver.
func TestOnePersonApprovesOnceForAllTenants(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.Register.Stages = []approval.Stage{{Rule: approval.Rule{All: []approval.Rule{
			{Role: "account-administrator", Side: approval.OwnerSide}, {Role: "account-administrator", Side: approval.ProviderSide},
		}}}}
	})
	first, err := b.Bootstrap(bg, timer, opsec.Provider, identity.Registration{Name: "bob-p", Person: "pb", Holds: admin},
		identity.Registration{Name: "dave", Person: "pd", Holds: admin})
	require.NoError(t, err)
	a, r, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "carol", Person: "pc"})
	require.NoError(t, err)
	b.decide(r)
	_, err = b.Decide(bg, "acme", r.ID, approve(by(first[0])))
	require.ErrorIs(t, err, approval.ErrDecided)
	_, err = b.Decide(bg, "acme", r.ID, approve(by(first[1])))
	require.NoError(t, err)
	require.Equal(t, identity.Active, b.get(a.ID).State)
}

// The rows that are carried out are those that were approved, also when the source gives others the second time.
func TestRowsThatChangeBetweenTheReadings(t *testing.T) {
	for what, second := range map[string]func([]identity.Row) []identity.Row{
		"other": func(rows []identity.Row) []identity.Row { rows[13].Holds = admin; return rows },
		"more": func(rows []identity.Row) []identity.Row {
			return append(rows, identity.Row{ID: "x", Registration: identity.Registration{Name: "mallory", Person: "pm", Holds: admin}})
		},
		"fewer": func(rows []identity.Row) []identity.Row { return rows[:13] },
		"none":  func([]identity.Row) []identity.Row { return nil },
	} {
		b := standard(t)
		id := b.approved(staff(25))
		pass := 0
		_, err := b.Import(bg, b.alice, "acme", id, func(yield func(identity.Row, error) bool) {
			var rows []identity.Row
			for r := range staff(25) {
				rows = append(rows, r)
			}
			if pass++; pass == 2 {
				rows = second(rows)
			}
			seq(rows)(yield)
		}, nil)
		require.ErrorIs(t, err, approval.ErrOtherAction, what)
		for a, err := range b.List(bg, b.alice.Actor, "acme", identity.Query{}) {
			require.NoError(t, err)
			require.True(t, a.Holds.Roles == nil || a.Person == "pa" || a.Person == "pb", "%s: %s", what, a.Canonical)
		}
	}
}

func TestWhoApprovesAnImportIsNotInIt(t *testing.T) {
	b := standard(t)
	first, err := b.Bootstrap(bg, timer, opsec.Provider, identity.Registration{Name: "erin", Person: "pe", Holds: admin},
		identity.Registration{Name: "dave", Person: "pd", Holds: admin})
	require.NoError(t, err)
	rows := seq([]identity.Row{
		{ID: "1", Registration: identity.Registration{Name: "carol", Person: "pc"}},
		{ID: "2", Registration: identity.Registration{Name: "erin-a", Person: "pe", Holds: admin}},
	})
	r, err := b.ProposeImport(bg, b.alice, "acme", rows)
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", r.ID, approve(by(first[0])))
	require.NoError(t, err)
	var refused []identity.Refusal
	out, err := b.Import(bg, b.alice, "acme", r.ID, rows, func(r identity.Refusal) { refused = append(refused, r) })
	require.NoError(t, err)
	require.Equal(t, identity.Imported{New: 1, Refused: 1}, out)
	require.ErrorIs(t, refused[0].Err, approval.ErrSamePerson)
}

// An approval of an import is not for ever: what was deleted or refused since does not come back by it.
func TestAnImportGoesOnForATime(t *testing.T) {
	b := standard(t)
	id := b.approved(staff(3))
	_, err := b.Import(bg, b.alice, "acme", id, staff(3), nil)
	require.NoError(t, err)
	b.now = noon.Add(14*day - 1)
	_, err = b.Import(bg, b.alice, "acme", id, staff(3), nil)
	require.NoError(t, err)
	b.now = noon.Add(14 * day)
	_, err = b.Import(bg, b.alice, "acme", id, staff(3), nil)
	require.ErrorIs(t, err, approval.StatusError{Status: approval.Expired})
}

// However large a family its owner makes, it can be suspended, disabled and deleted.
func TestNobodyGrowsOutOfReach(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
	main := b.add(identity.Registration{Name: "carol", Person: "pc"})
	accounts := []opsec.ID{main.ID}
	for n := 512; n > 0; n /= 2 {
		properties := map[string]string{}
		for _, name := range []string{"display-name", "language", "telephone", "mail", "recovery-mail"} {
			properties[name] = strings.Repeat("<", n) // six bytes in JSON
		}
		for i := len(accounts); i <= identity.MaxSubs; i++ {
			a, _, err := b.Register(bg, by(main), "acme", identity.Registration{
				Name: "sub" + string(rune('a'+i/26)) + string(rune('a'+i%26)), Main: main.ID, System: "app/1", Properties: properties})
			if err != nil {
				break
			}
			accounts = append(accounts, a.ID)
		}
	}
	require.Less(t, len(accounts), 1+identity.MaxSubs, "it is full before it has all")
	for n := 512; n > 0; n /= 2 { // to the byte
		_, _ = b.SetProperty(bg, by(main), "acme", main.ID, "language", strings.Repeat("x", n))
		_, _ = b.SetProperty(bg, by(main), "acme", main.ID, "mail", strings.Repeat("x", n))
	}
	b.now = b.now.Add(day)
	for _, id := range accounts {
		require.NoError(t, b.Touch(bg, timer, "acme", id))
	}
	_, err := b.Suspend(bg, b.alice, "acme", main.ID)
	require.NoError(t, err)
	_, err = b.Disable(bg, b.alice, "acme", main.ID)
	require.NoError(t, err)
	_, err = b.Delete(bg, b.alice, "acme", main.ID)
	require.NoError(t, err)
}

func TestASubAccountBringsNoPropertiesThatAreForAdministrators(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.SkipApprovalOfSubs = true
		p.Properties = append(p.Properties, identity.Property{Name: "cost-centre"})
	})
	main := b.add(identity.Registration{Name: "carol", Person: "pc"})
	r := identity.Registration{Name: "robot", Main: main.ID, System: "app/1", Properties: map[string]string{"cost-centre": "1"}}
	_, _, err := b.Register(bg, by(main), "acme", r)
	require.ErrorIs(t, err, opsec.ErrDenied)
	r.Properties = map[string]string{"language": "de"}
	_, _, err = b.Register(bg, by(main), "acme", r)
	require.NoError(t, err)
}

func TestAnotherAccountOfThePersonSetsNothing(t *testing.T) {
	b := standard(t)
	first, err := b.Bootstrap(bg, timer, opsec.Provider, identity.Registration{Name: "alice-p", Person: "pa", Holds: admin},
		identity.Registration{Name: "dave", Person: "pd", Holds: admin})
	require.NoError(t, err)
	_, err = b.SetProperty(bg, by(first[0]), "acme", opsec.ID(b.alice.Actor.Account), "mail", "x@example.org")
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.SetProperty(bg, by(first[1]), "acme", opsec.ID(b.alice.Actor.Account), "mail", "x@example.org")
	require.NoError(t, err)
}

// An address that takes nothing does not keep the old one from being told.
func TestEachAddressIsToldByItself(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc", Properties: map[string]string{"mail": "old@example.org"}})
	b.post.bad = "new@example.org"
	_, err := b.SetProperty(bg, by(a), "acme", a.ID, "mail", b.post.bad)
	require.NoError(t, err)
	sent := b.post.take()
	require.Len(t, sent, 1)
	require.Equal(t, []string{"old@example.org"}, sent[0].To)

	b.post.bad = ""
	_, err = b.SetProperty(bg, b.alice, "acme", opsec.ID(b.bob.Actor.Account), "mail", "bob@example.org")
	require.NoError(t, err)
	for _, m := range b.post.take() {
		require.NotContains(t, m.To, "new@example.org", "what waits is for the sweep")
	}
	require.Equal(t, int64(1), b.sweep(b.now).Delivered)
}

// A clock that has been ahead neither keeps a change from being planned nor shortens its delay.
func TestADelayCountsFromTheLaterClock(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	b.now = noon.Add(10 * day)
	_, err := b.SetProperty(bg, by(a), "acme", a.ID, "language", "de")
	require.NoError(t, err)
	b.now = noon
	got, err := b.SetProperty(bg, by(a), "acme", a.ID, "mail", "new@example.org")
	require.NoError(t, err)
	require.Equal(t, noon.Add(13*day), got.Planned[0].Due)
}

// An approval is for one disabling, also when the clock stands still.
func TestAnApprovalIsForOneDisabling(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	_, err := b.Disable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	r1, err := b.Enable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	r2, err := b.Enable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	b.now = noon.Add(-time.Hour)
	b.decide(r1)
	_, err = b.Disable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", r2.ID, approve(b.bob))
	require.ErrorIs(t, err, identity.ErrChanged)
}

func TestWhatIsDeniedIsRecorded(t *testing.T) {
	b := standard(t)
	b.gate.refuse = []string{identity.ActionSweep, identity.ActionTouch}
	_, err := b.Sweep(bg, timer, "acme")
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorIs(t, b.Touch(bg, timer, "acme", opsec.ID(b.alice.Actor.Account)), opsec.ErrDenied)
	for _, action := range b.gate.refuse {
		require.Len(t, b.events(action), 1)
		require.Equal(t, opsec.Denied, b.events(action)[0].Outcome)
	}
}

// Two nodes, each with a handle of its own on one engine, do what one would.
func TestTwoNodesOnOneEngine(t *testing.T) {
	drivers(t, func(t *testing.T, driver store.Driver) {
		b := newBench(t, driver, func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
		db, err := store.New(driver, nil)
		require.NoError(t, err)
		second, err := identity.New(db, b.policy, &identity.Options{Now: func() time.Time { return noon }, Authorizer: b.gate, Notifier: b.post})
		require.NoError(t, err)
		nodes := []*identity.Directory{b.Directory, second}
		main := b.add(identity.Registration{Name: "carol", Person: "pc", MayGrant: rights("read", "write")})
		less := rights("read")
		r, err := b.Modify(bg, b.alice, "acme", main.ID, nil, &less, nil)
		require.NoError(t, err)
		var all sync.WaitGroup
		var one sync.Mutex
		won := map[string]int{}
		for i := range 8 {
			all.Go(func() {
				if i == 4 {
					_, err := second.Decide(bg, "acme", r.ID, approve(b.bob))
					require.NoError(t, err)
					return
				}
				name := []string{"paypal", "paypa1", "subs"}[i%3]
				_, _, err := nodes[i%2].Register(bg, by(main), "acme", identity.Registration{Name: name, Main: main.ID, System: "app/1", Holds: rights("read", "write")})
				if err == nil {
					one.Lock()
					won[strings.Replace(name, "1", "l", 1)]++
					one.Unlock()
				}
				require.True(t, err == nil || errors.Is(err, identity.ErrBeyondMain) || errors.Is(err, identity.ErrTaken), "%v", err)
			})
		}
		all.Wait()
		require.LessOrEqual(t, won["paypal"], 1)
		require.LessOrEqual(t, won["subs"], 1)
		record, replay := b.replayed(main.ID)
		require.Equal(t, record, replay)
		for _, a := range record.Subs {
			require.True(t, a.Holds.Within(less))
		}
		_, err = db.Deliver(bg, db.Node(), b.log)
		require.NoError(t, err)
		b.sound()
	})
}

// The most that time can bring to a family at once fits into a transaction.
func TestMuchIsDueAtOnce(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.SkipApprovalOfSubs, p.InsecureReadableNames, p.Quarantine = true, true, day
	})
	main := b.add(identity.Registration{Name: "carol", Person: "pc", Expires: noon.Add(3 * day)})
	for i := range identity.MaxSubs + 8 {
		a, _, err := b.Register(bg, by(main), "acme", identity.Registration{Name: "sub" + string(rune('a'+i/26)) + string(rune('a'+i%26)), Main: main.ID, System: "app/1"})
		require.NoError(t, err)
		if i < 8 {
			_, err = b.Delete(bg, b.alice, "acme", a.ID)
			require.NoError(t, err)
		}
	}
	out := b.sweep(noon.Add(3 * day))
	require.Equal(t, identity.Swept{Accounts: 2 + 1 + 40, Disabled: 1, Forgotten: 8}, out)
	b.sound()
}

// Who suspends an account that somebody is taking over need not hurry to cancel what is planned.
func TestNothingPlannedHappensToASuspendedAccount(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
	a := b.add(identity.Registration{Name: "carol", Person: "pc", Expires: noon.Add(9 * day)})
	sub, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "robot", Main: a.ID, System: "app/1"})
	require.NoError(t, err)
	for _, id := range []opsec.ID{a.ID, sub.ID} {
		_, err = b.SetProperty(bg, by(a), "acme", id, "recovery-mail", "thief@example.org")
		require.NoError(t, err)
	}
	_, err = b.Suspend(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	require.Zero(t, b.sweep(noon.Add(4*day)).Settled)
	_, err = b.CancelProperty(bg, b.alice, "acme", a.ID, "recovery-mail")
	require.NoError(t, err)
	_, err = b.Resume(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	b.now = noon.Add(9 * day) // what was planned of the sub-account is due, and its main account's time is over
	require.Equal(t, int64(1), b.sweep(b.now).Disabled)
	require.Empty(t, b.get(a.ID).Properties)
	require.Empty(t, b.get(sub.ID).Properties)
}

// A program that asks for accounts, and takes that back, does not use up the places of its main account.
func TestRefusedSubAccountsAreNotKept(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc"})
	for i := range identity.MaxSubs + identity.MaxDeleted {
		_, r, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "robot", Main: a.ID, System: "app/1"})
		require.NoError(t, err, i)
		_, err = b.Withdraw(bg, by(a), "acme", r.ID)
		require.NoError(t, err)
	}
	require.Equal(t, int64(identity.MaxSubs+identity.MaxDeleted), b.sweep(b.now).Forgotten)
	_, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: "robot", Main: a.ID, System: "app/1"})
	require.NoError(t, err)
	b.sound()
}

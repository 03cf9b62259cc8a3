package identity_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestNewRefusesWhatIsMissing(t *testing.T) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	for _, o := range []*identity.Options{nil, {Notifier: &post{}}, {Authorizer: opsec.CallerAuthorized{}}} {
		_, err := identity.New(db, policy(t), o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err = identity.New(db, identity.Policy{}, &identity.Options{Authorizer: opsec.CallerAuthorized{}, Notifier: &post{}})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = identity.New(nil, policy(t), &identity.Options{Authorizer: opsec.CallerAuthorized{}, Notifier: &post{}})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestAnAccountLives(t *testing.T) {
	b := standard(t)
	a, r, err := b.Register(bg, b.alice, "acme", identity.Registration{
		Name: "Carol", Person: "pc", Holds: rights("read", "write", "read"), Properties: map[string]string{"mail": "carol@example.org"},
	})
	require.NoError(t, err)
	require.Equal(t, "carol", a.Canonical)
	require.Equal(t, rights("read", "write"), a.Holds)
	require.False(t, a.Usable(b.now))
	b.decide(r)

	got, err := b.Lookup(bg, timer.Actor, "acme", "CAROL")
	require.NoError(t, err)
	require.Equal(t, identity.Active, got.State)
	require.True(t, got.Usable(b.now))
	require.Equal(t, noon, got.Approved)

	b.now = b.now.Add(time.Hour)
	got, err = b.Suspend(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	require.Equal(t, identity.Suspended, got.State)
	require.Equal(t, b.now, got.Since)
	_, err = b.Suspend(bg, b.alice, "acme", a.ID)
	require.ErrorIs(t, err, identity.ErrState)
	_, err = b.Resume(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	_, err = b.Disable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	_, err = b.Resume(bg, b.alice, "acme", a.ID)
	require.ErrorIs(t, err, identity.ErrState)
	r, err = b.Enable(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	require.Equal(t, identity.Disabled, b.get(a.ID).State, "until somebody approves")
	b.decide(r)
	require.Equal(t, identity.Active, b.get(a.ID).State)

	holds, end := rights("read"), b.now.Add(48*time.Hour)
	r, err = b.Modify(bg, b.alice, "acme", a.ID, &holds, nil, &end)
	require.NoError(t, err)
	b.decide(r)
	require.Equal(t, holds, b.get(a.ID).Holds)
	require.Equal(t, end, b.get(a.ID).Expires)
	_, err = b.Review(bg, b.bob, "acme", a.ID)
	require.NoError(t, err)
	_, err = b.Review(bg, by(a), "acme", a.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	got, err = b.Delete(bg, b.alice, "acme", a.ID)
	require.NoError(t, err)
	require.Equal(t, identity.Deleted, got.State)
	require.True(t, got.Holds.IsZero())
	require.Empty(t, got.Properties)

	record, replay := b.replayed(a.ID)
	require.Equal(t, record, replay)

	e := b.events(identity.ActionModify)[0]
	require.Equal(t, opsec.Authorization, e.Category)
	require.Equal(t, []string{"privilege:write"}, e.Cancelled)
	require.Equal(t, "pb", e.Actor.Person)
	require.Equal(t, []string{"privilege:read"}, b.events(identity.ActionDelete)[0].Cancelled)
	for _, e := range b.events(identity.ActionRegister) {
		if e.Resource.ID == string(a.ID) {
			require.Empty(t, e.Granted, "what is asked for is not granted yet")
		}
	}
	for _, e := range b.events(identity.ActionApprove) {
		if e.Resource.ID == string(a.ID) {
			require.Equal(t, []string{"privilege:read", "privilege:write"}, e.Granted)
			require.Equal(t, opsec.Authorization, e.Category)
		}
	}
	for _, action := range []string{identity.ActionApprove, identity.ActionSuspend, identity.ActionResume, identity.ActionDisable,
		identity.ActionEnable, identity.ActionReview, identity.ActionDelete, identity.ActionBootstrap} {
		require.NotEmpty(t, b.events(action), action)
	}
	b.sound()
}

func TestWhoAsksOrGetsItDoesNotApprove(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
	r, err := b.Modify(bg, b.alice, "acme", opsec.ID(b.alice.Actor.Account), nil, &identity.Rights{Roles: admin.Roles}, nil)
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", r.ID, approve(b.alice))
	require.ErrorIs(t, err, approval.ErrSamePerson)
	b.decide(r)

	// alice makes an account for a program of hers, with the role, and has it approve in another name
	sub, _, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "robot", Main: opsec.ID(b.alice.Actor.Account), System: "app/1", Holds: admin})
	require.NoError(t, err)
	require.Equal(t, identity.Active, sub.State)
	a, r, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "carol", Person: "pc", Holds: admin})
	require.NoError(t, err)
	robot := by(sub)
	robot.Actor.Person = "somebody-else"
	_, err = b.Decide(bg, "acme", r.ID, approve(robot))
	require.ErrorIs(t, err, approval.ErrSamePerson)

	// alice at the provider is alice
	first, err := b.Bootstrap(bg, timer, opsec.Provider, identity.Registration{Name: "alice-p", Person: "pa", Holds: admin},
		identity.Registration{Name: "dave", Person: "pd", Holds: admin})
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", r.ID, approve(by(first[0])))
	require.ErrorIs(t, err, approval.ErrSamePerson)

	// who is nobody's account decides nothing, whatever it says
	_, err = b.Decide(bg, "acme", r.ID, approve(identity.By{Actor: opsec.Actor{Tenant: "acme", Account: "ghost", Person: "pz", Kind: opsec.Human}}))
	require.ErrorIs(t, err, identity.ErrUnknownActor)
	_, _, err = b.Register(bg, timer, "acme", identity.Registration{Name: "eve", Person: "pe"})
	require.ErrorIs(t, err, identity.ErrUnknownActor)

	// who lost the role, too
	_, err = b.Suspend(bg, b.alice, "acme", opsec.ID(b.bob.Actor.Account))
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", r.ID, approve(b.bob))
	require.ErrorIs(t, err, identity.ErrUnknownActor)
	require.Equal(t, identity.Registered, b.get(a.ID).State)

	// the provider's other administrator may, by the policy
	_, err = b.Decide(bg, "acme", r.ID, approve(by(first[1])))
	require.NoError(t, err)
	require.Equal(t, identity.Active, b.get(a.ID).State)
	denied := 0
	for _, e := range b.events() {
		if e.Outcome == opsec.Denied {
			denied++
		}
	}
	require.Equal(t, 6, denied, "each attempt is on record")
}

func TestRejectionAndWithdrawalLetGoOfTheName(t *testing.T) {
	b := standard(t)
	for i := range 3 {
		a, r, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "carol", Person: "pc"})
		require.NoError(t, err)
		switch i {
		case 0:
			d := approve(b.bob)
			d.Verb = approval.Reject
			_, err = b.Decide(bg, "acme", r.ID, d)
		case 1:
			_, err = b.Withdraw(bg, b.alice, "acme", r.ID)
		case 2:
			b.now = b.now.Add(15 * day)
			var out identity.Swept
			out, err = b.Sweep(bg, timer, "acme")
			require.Equal(t, int64(1), out.Expired)
		}
		require.NoError(t, err)
		require.Equal(t, identity.Deleted, b.get(a.ID).State)
		_, err = b.Decide(bg, "acme", r.ID, approve(b.bob))
		require.ErrorIs(t, err, opsec.ErrDenied)
		for range b.Requests(bg, b.bob.Actor, "acme") {
			t.Fatal("an open request")
		}
	}
	b.add(identity.Registration{Name: "carol", Person: "pc"})
	require.Len(t, b.events(identity.ActionRefuse), 3)
}

func TestAnApprovalIsForTheAccountAsItWas(t *testing.T) {
	b := standard(t)
	a := b.add(identity.Registration{Name: "carol", Person: "pc", Holds: rights("read")})
	more, other := rights("read", "write"), rights("list")
	r1, err := b.Modify(bg, b.alice, "acme", a.ID, &more, nil, nil)
	require.NoError(t, err)
	r2, err := b.Modify(bg, b.alice, "acme", a.ID, &other, nil, nil)
	require.NoError(t, err)
	b.decide(r2)
	_, err = b.Decide(bg, "acme", r1.ID, approve(b.bob))
	require.ErrorIs(t, err, identity.ErrChanged)
	require.Equal(t, other, b.get(a.ID).Holds)
}

func TestSignaturesBindThePersonOnRecord(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	b := standard(t)
	p := b.policy
	p.Register.SkipSignatures = false
	d, err := identity.New(b.db, p, &identity.Options{
		Now: func() time.Time { return b.now }, Authorizer: b.gate, Notifier: b.post,
		Keys: approval.Keys{{Tenant: "acme", Person: "pb", Public: public}},
	})
	require.NoError(t, err)
	a, r, err := d.Register(bg, b.alice, "acme", identity.Registration{Name: "carol", Person: "pc"})
	require.NoError(t, err)
	decision := approve(b.bob)
	decision.By.Person, decision.By.Account = "", "bob" // by name, and without a person
	_, err = d.Decide(bg, "acme", r.ID, decision)
	require.ErrorIs(t, err, approval.ErrSignature)
	decision.SignedAt = b.now
	message, err := d.Message(bg, "acme", r.ID, decision)
	require.NoError(t, err)
	decision.Signature = ed25519.Sign(private, message)
	_, err = d.Decide(bg, "acme", r.ID, decision)
	require.NoError(t, err)
	require.Equal(t, identity.Active, b.get(a.ID).State)
}

func TestBootstrapIsOnce(t *testing.T) {
	b := standard(t)
	_, err := b.Bootstrap(bg, timer, "acme", identity.Registration{Name: "xavier", Person: "px"}, identity.Registration{Name: "yvonne", Person: "py"})
	require.ErrorIs(t, err, identity.ErrFounded)
	_, err = b.Bootstrap(bg, timer, "emca", identity.Registration{Name: "xavier", Person: "px"})
	require.ErrorIs(t, err, opsec.ErrInvalid, "one alone could approve nothing")
	_, err = b.Bootstrap(bg, timer, "emca", identity.Registration{Name: "xavier", Person: "px"}, identity.Registration{Name: "yvonne", Person: "px"})
	require.ErrorIs(t, err, identity.ErrSecondMain)
	require.Len(t, b.list(identity.Query{}), 2)
}

// drivers are the engines for what must hold when many register at once.
func drivers(t *testing.T, test func(*testing.T, store.Driver)) {
	t.Run("memory", func(t *testing.T) { test(t, memory.New()) })
	t.Run("bolt", func(t *testing.T) {
		d, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), nil)
		require.NoError(t, err)
		defer d.Close()
		test(t, d)
	})
}

func TestOneNameInTheZoneWhoeverIsFirst(t *testing.T) {
	drivers(t, func(t *testing.T, driver store.Driver) {
		b := newBench(t, driver, nil)
		other, err := b.Bootstrap(bg, timer, "emca", identity.Registration{Name: "xavier", Person: "px", Holds: admin},
			identity.Registration{Name: "yvonne", Person: "py", Holds: admin})
		require.NoError(t, err)
		// paypal and paypa1 look alike, and PAYPAL is paypal
		var all sync.WaitGroup
		errs := make(chan error, 12)
		for i := range 12 {
			all.Go(func() {
				who, tenant := b.alice, opsec.TenantID("acme")
				if i%2 == 1 {
					who, tenant = by(other[0]), "emca"
				}
				_, _, err := b.Register(bg, who, tenant, identity.Registration{Name: []string{"paypal", "paypa1", "PAYPAL"}[i%3], Person: fmt.Sprint("n", i)})
				errs <- err
			})
		}
		all.Wait()
		close(errs)
		won := 0
		for err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, identity.ErrTaken)
		}
		require.Equal(t, 1, won)
		b.sound()
	})
}

func TestOneMainAccountForAPerson(t *testing.T) {
	drivers(t, func(t *testing.T, driver store.Driver) {
		b := newBench(t, driver, nil)
		var all sync.WaitGroup
		errs := make(chan error, 10)
		for i := range 10 {
			all.Go(func() {
				_, _, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "user" + string(rune('a'+i)), Person: "pc"})
				errs <- err
			})
		}
		all.Wait()
		close(errs)
		won := 0
		for err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, identity.ErrSecondMain)
		}
		require.Equal(t, 1, won)
		require.Len(t, b.list(identity.Query{Person: "pc"}), 1)
	})
}

// Of a main account that shrinks and a sub-account that is registered at the same time one gives way.
func TestShrinkingAndRegisteringAtOnce(t *testing.T) {
	drivers(t, func(t *testing.T, driver store.Driver) {
		b := newBench(t, driver, func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
		main := b.add(identity.Registration{Name: "carol", Person: "pc", MayGrant: rights("read", "write")})
		less := rights("read")
		r, err := b.Modify(bg, b.alice, "acme", main.ID, nil, &less, nil)
		require.NoError(t, err)
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				if i == 3 {
					_, err := b.Decide(bg, "acme", r.ID, approve(b.bob))
					require.NoError(t, err)
					return
				}
				_, _, err := b.Register(bg, by(main), "acme", identity.Registration{
					Name: "sub" + string(rune('a'+i)), Main: main.ID, System: "app/1", Kind: opsec.Service, Holds: rights("read", "write"),
				})
				require.True(t, err == nil || errors.Is(err, identity.ErrBeyondMain), "%v", err)
			})
		}
		all.Wait()
		f, err := b.Family(bg, b.alice.Actor, "acme", main.ID)
		require.NoError(t, err)
		for _, a := range f.Subs {
			require.Equal(t, less, a.Holds)
		}
		record, replay := b.replayed(main.ID)
		require.Equal(t, record, replay)
	})
}

// The largest cascade there is fits into one transaction, with an event for each account.
func TestTheLargestCascade(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs = true })
	var all identity.Rights
	for i := range identity.MaxPrivileges {
		all.Privileges = append(all.Privileges, fmt.Sprintf("system.of.the.customer/database-%03d/administer", i))
	}
	for i := range identity.MaxRoles {
		all.Roles = append(all.Roles, fmt.Sprintf("role-of-the-customer-%03d", i))
	}
	main := b.add(identity.Registration{Name: "carol", Person: "pc", Holds: all, MayGrant: all})
	for i := range identity.MaxSubs {
		_, _, err := b.Register(bg, by(main), "acme", identity.Registration{Name: "sub" + string(rune('a'+i/26)) + string(rune('a'+i%26)), Main: main.ID, System: "app/1", Holds: all})
		require.NoError(t, err)
	}
	_, _, err := b.Register(bg, by(main), "acme", identity.Registration{Name: "one-more", Main: main.ID, System: "app/1"})
	require.ErrorIs(t, err, opsec.ErrInvalid)

	_, err = b.Disable(bg, b.alice, "acme", main.ID)
	require.NoError(t, err)
	require.Len(t, b.list(identity.Query{State: identity.Disabled}), 1+identity.MaxSubs)
	r, err := b.Enable(bg, b.alice, "acme", main.ID)
	require.NoError(t, err)
	b.decide(r)
	require.Len(t, b.list(identity.Query{State: identity.Disabled}), 0)
	require.Len(t, b.events(identity.ActionFollow), 2*identity.MaxSubs)

	r, err = b.Modify(bg, b.alice, "acme", main.ID, &identity.Rights{}, &identity.Rights{}, nil)
	require.NoError(t, err)
	b.decide(r)
	cancelled := 0
	for _, e := range b.events(identity.ActionFollow) {
		cancelled += len(e.Cancelled)
	}
	require.Equal(t, identity.MaxSubs*(identity.MaxRoles+identity.MaxPrivileges), cancelled, "each right of each account is named")
	_, err = b.Delete(bg, b.alice, "acme", main.ID)
	require.NoError(t, err)
	record, replay := b.replayed(main.ID)
	require.Equal(t, record, replay)
	b.sound()
}

// Of two who must approve, one has been suspended before the other does: that is one.
func TestAnApproverWhoIsSuspendedNoLongerCounts(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) {
		p.Register.Stages = []approval.Stage{{Rule: approval.Rule{Role: "account-administrator", Min: 2}}}
	})
	third, err := b.Bootstrap(bg, timer, opsec.Provider, identity.Registration{Name: "dave", Person: "pd", Holds: admin},
		identity.Registration{Name: "erin", Person: "pe", Holds: admin})
	require.NoError(t, err)
	dave, erin := by(third[0]), by(third[1])
	a, r, err := b.Register(bg, by(third[0]), opsec.Provider, identity.Registration{Name: "frank", Person: "pf", Holds: admin})
	require.NoError(t, err)
	_, err = b.Decide(bg, opsec.Provider, r.ID, approve(erin))
	require.NoError(t, err)
	for _, who := range []identity.By{dave, erin} {
		_, err = b.Decide(bg, opsec.Provider, r.ID, approve(who))
		require.ErrorIs(t, err, opsec.ErrDenied, "a second person is wanted")
	}
	require.Equal(t, identity.Registered, a.State)

	p := b.policy
	p.Register.Stages = []approval.Stage{{Rule: approval.Rule{Role: "account-administrator"}}}
	d, err := identity.New(b.db, p, &identity.Options{Now: func() time.Time { return b.now }, Authorizer: b.gate, Notifier: b.post})
	require.NoError(t, err)
	grace, r2, err := d.Register(bg, dave, opsec.Provider, identity.Registration{Name: "grace", Person: "pg", Holds: admin})
	require.NoError(t, err)
	_, err = d.Decide(bg, opsec.Provider, r2.ID, approve(erin))
	require.NoError(t, err)

	_, err = b.Suspend(bg, dave, opsec.Provider, third[1].ID)
	require.NoError(t, err)
	_, err = b.Decide(bg, opsec.Provider, r.ID, approve(by(grace)))
	require.ErrorIs(t, err, approval.ErrLapsed)
	_, err = b.Resume(bg, dave, opsec.Provider, third[1].ID)
	require.NoError(t, err)
	_, err = b.Decide(bg, opsec.Provider, r.ID, approve(by(grace)))
	require.NoError(t, err)
}

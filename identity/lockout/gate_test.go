package lockout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

var (
	bg       = context.Background()
	operator = opsec.Actor{Tenant: "acme", Account: "root", Person: "p-1", Kind: opsec.Human}
	three    = lockout.Policy{Failures: 3, Lock: time.Minute, Temporary: -1, Reserve: 10 * time.Second}
)

// journal is a recorder that can fail.
type journal struct {
	mu     sync.Mutex
	events []opsec.Event
	fail   error
}

func (j *journal) Record(ctx context.Context, e *opsec.Event) (opsec.Receipt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := errors.Join(j.fail, ctx.Err(), e.Validate()); err != nil {
		return opsec.Receipt{}, err
	}
	j.events = append(j.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

func (j *journal) actions() (list []string) {
	for _, e := range j.events {
		list = append(list, e.Action)
	}
	return list
}

// classes has a counter for each class, with the same policy, for passwords and for one-time codes.
func classes(p lockout.Policy) lockout.Profile {
	profile := lockout.Profile{Name: "test"}
	for _, f := range []lockout.Factor{lockout.Password, lockout.OTP} {
		for _, c := range []lockout.Class{lockout.Unknown, lockout.Familiar, lockout.Trusted} {
			profile.Rules = append(profile.Rules, lockout.Rule{Factor: f, Class: c, Policy: p})
		}
	}
	return profile
}

func newGate(t testing.TB, states lockout.States, p lockout.Policy, change func(*lockout.Options)) *lockout.Gate {
	t.Helper()
	o := &lockout.Options{Authorizer: opsec.CallerAuthorized{}}
	if change != nil {
		change(o)
	}
	g, err := lockout.New(states, classes(p), o)
	require.NoError(t, err)
	return g
}

func begin(t testing.TB, g *lockout.Gate, a lockout.Attempt) lockout.Reservation {
	t.Helper()
	r, err := g.Begin(bg, a)
	require.NoError(t, err)
	return r
}

func wrong(t testing.TB, g *lockout.Gate, a lockout.Attempt, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		_, err := g.Commit(bg, begin(t, g, a), lockout.Wrong([]byte(s)))
		require.ErrorIs(t, err, lockout.ErrWrong)
	}
}

func standing(t testing.TB, g *lockout.Gate, a lockout.Attempt) lockout.Standing {
	t.Helper()
	r, err := g.Begin(bg, a)
	if locked, ok := errors.AsType[*lockout.LockedError](err); ok {
		require.ErrorIs(t, err, opsec.ErrDenied)
		return locked.Standing
	}
	require.NoError(t, err)
	_, err = g.Commit(bg, r, lockout.Undecided())
	require.ErrorIs(t, err, lockout.ErrUndecided)
	return lockout.Open
}

func with(a lockout.Attempt, f lockout.Factor, c lockout.Class, device string) lockout.Attempt {
	a.Factor, a.Class, a.Device = f, c, device
	return a
}

func TestProofSaysWhoWhatAndWhen(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	g := newGate(t, lockout.NewMemory(10, nil), three, func(o *lockout.Options) { o.Now = func() time.Time { return now } })
	a := with(attempt("ada"), lockout.OTP, lockout.Trusted, "phone")
	proof, err := g.Commit(bg, begin(t, g, a), lockout.Correct())
	require.NoError(t, err)
	require.Equal(t, opsec.TenantID("acme"), proof.Tenant())
	require.Equal(t, "ada", proof.Account())
	require.Equal(t, "otp", proof.Factor())
	require.Equal(t, now, proof.At())
	var none lockout.Proof
	require.Zero(t, fmt.Sprint(none.Tenant(), none.Account(), none.Factor()))
	require.True(t, none.At().IsZero())
}

func TestThreeWrongSecretsLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		g := newGate(t, lockout.NewMemory(10, j), three, nil)
		wrong(t, g, attempt("ada"), "a", "b")
		_, err := g.Commit(bg, begin(t, g, attempt("ada")), lockout.Wrong([]byte("c")))
		require.ErrorIs(t, err, lockout.ErrWrong)
		locked, ok := errors.AsType[*lockout.LockedError](err)
		require.True(t, ok)
		require.Equal(t, &lockout.LockedError{Standing: lockout.Locked, Until: time.Now().Add(time.Minute).UTC()}, locked)
		require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
		require.Equal(t, lockout.Open, standing(t, g, attempt("bob")))
		time.Sleep(time.Minute)
		require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
		require.Equal(t, []string{lockout.ActionLocked}, j.actions())
		require.NotContains(t, fmt.Sprint(j.events, err), "[]byte")
	})
}

// An account that does not exist is counted, locked and refused as one that does: nothing in the gate knows accounts. And the
// verification that belongs to an attempt is admitted before the secret is known, so there is nothing to tell by the time it takes.
func TestAnInventedAccountLocksToo(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	wrong(t, g, attempt("no such account"), "a", "b", "c")
	require.Equal(t, lockout.Locked, standing(t, g, attempt("no such account")))
}

func TestBeginWaitsForGuessesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, lockout.NewMemory(10, nil), three, nil)
		under := []lockout.Reservation{begin(t, g, attempt("ada")), begin(t, g, attempt("ada")), begin(t, g, attempt("ada"))}
		start := time.Now()
		var admitted time.Duration
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				r := begin(t, g, attempt("ada"))
				admitted = max(admitted, time.Since(start))
				_, err := g.Commit(bg, r, lockout.Correct())
				require.NoError(t, err)
			})
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.Zero(t, admitted)
		_, err := g.Commit(bg, under[0], lockout.Correct())
		require.NoError(t, err)
		all.Wait()
		require.Equal(t, 100*time.Millisecond, admitted, "a commit of this node wakes them, no timer")
		for _, r := range under[1:] {
			_, err := g.Commit(bg, r, lockout.Correct())
			require.NoError(t, err)
		}
	})
}

// Whose context ends at the moment of waking passes the turn on: the last of thousands needs no timer either.
func TestNoWaiterMissesItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := three
		one.Failures = 1
		g := newGate(t, lockout.NewMemory(10, nil), one, nil)
		first := begin(t, g, attempt("ada"))
		leaving, leave := context.WithCancel(bg)
		var all sync.WaitGroup
		var in, gone atomic.Int32
		for i := range 10_000 {
			ctx := bg
			if i%3 == 0 {
				ctx = leaving
			}
			all.Go(func() {
				r, err := g.Begin(ctx, attempt("ada"))
				if errors.Is(err, context.Canceled) {
					gone.Add(1)
					return
				}
				require.NoError(t, err)
				_, err = g.Commit(bg, r, lockout.Correct())
				require.NoError(t, err)
				in.Add(1)
			})
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		start := time.Now()
		go leave()
		_, err := g.Commit(bg, first, lockout.Correct())
		require.NoError(t, err)
		all.Wait()
		require.Equal(t, start, time.Now())
		require.EqualValues(t, 10_000, in.Load()+gone.Load())
		require.GreaterOrEqual(t, in.Load(), int32(6666))
		wrong(t, g, attempt("ada"), "a")
		require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
	})
}

// What ends the waiting of one ends that of all, at once.
func TestWaitersLearnOfALockAtOnce(t *testing.T) {
	one := lockout.Policy{Failures: 1, Reserve: time.Minute}
	who := lockout.Who{Tenant: "acme", Account: "ada"}
	for want, end := range map[lockout.Standing]func(*lockout.Gate, lockout.Reservation) error{
		lockout.Permanent: func(g *lockout.Gate, r lockout.Reservation) error {
			_, err := g.Commit(bg, r, lockout.Wrong(nil))
			return err
		},
		lockout.Held: func(g *lockout.Gate, _ lockout.Reservation) error {
			return errors.Join(lockout.ErrWrong, g.Hold(bg, who, operator, "suspected"))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(t, lockout.NewMemory(10, nil), one, nil)
			under := begin(t, g, attempt("ada"))
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { require.Equal(t, want, standing(t, g, attempt("ada"))) })
			}
			synctest.Wait()
			start := time.Now()
			require.ErrorIs(t, end(g, under), lockout.ErrWrong)
			all.Wait()
			require.Equal(t, start, time.Now())
		})
	}
}

func TestBeginHearsOfOtherNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := lockout.NewMemory(10, nil)
		one := three
		one.Failures = 1
		a, b := newGate(t, states, one, nil), newGate(t, states, one, nil)
		r, start := begin(t, a, attempt("ada")), time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				_, err := b.Commit(bg, begin(t, b, attempt("ada")), lockout.Correct())
				require.NoError(t, err)
			})
		}
		time.Sleep(time.Second)
		_, err := a.Commit(bg, r, lockout.Correct())
		require.NoError(t, err)
		all.Wait()
		require.Less(t, time.Since(start), 3*time.Second)
	})
}

func TestPatienceEndsInBusyWhichIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, lockout.NewMemory(10, nil), three, nil)
		under := []lockout.Reservation{begin(t, g, attempt("ada")), begin(t, g, attempt("ada")), begin(t, g, attempt("ada"))}
		start := time.Now()
		_, err := g.Begin(bg, attempt("ada"))
		require.ErrorIs(t, err, lockout.ErrBusy)
		require.Equal(t, 5*time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = g.Begin(ctx, attempt("ada"))
		require.ErrorIs(t, err, lockout.ErrBusy)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 6*time.Second, time.Since(start))
		for _, r := range under {
			_, err := g.Commit(bg, r, lockout.Undecided())
			require.ErrorIs(t, err, lockout.ErrUndecided)
		}
		wrong(t, g, attempt("ada"), "a", "b")
		require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
	})
}

func TestAbandonedGuessesCountAsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		g := newGate(t, lockout.NewMemory(10, j), three, nil)
		last := begin(t, g, attempt("ada"))
		begin(t, g, attempt("ada"))
		begin(t, g, attempt("ada"))
		time.Sleep(20 * time.Second)
		_, err := g.Commit(bg, last, lockout.Correct())
		require.ErrorIs(t, err, lockout.ErrExpired, "too late, right as it may be")
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
		require.Equal(t, []string{lockout.ActionLocked}, j.actions())
	})
}

func TestAReservationIsSettledOnce(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	begin(t, g, attempt("ada")) // whose place in the batch could be taken
	r := begin(t, g, attempt("ada"))
	_, err := g.Commit(bg, r, lockout.Undecided())
	require.ErrorIs(t, err, lockout.ErrUndecided)
	for _, o := range []lockout.Outcome{lockout.Correct(), lockout.Undecided(), lockout.Wrong(nil)} {
		_, err := g.Commit(bg, r, o)
		require.ErrorIs(t, err, lockout.ErrExpired)
	}
	var other lockout.Reservation
	for range 100 { // also when the memory of the first is used again
		other = begin(t, g, attempt("ada"))
		_, err = g.Commit(bg, r, lockout.Correct())
		require.ErrorIs(t, err, lockout.ErrExpired)
		_, err = g.Commit(bg, other, lockout.Undecided())
		require.ErrorIs(t, err, lockout.ErrUndecided)
	}
	_, err = g.Commit(bg, lockout.Reservation{}, lockout.Correct())
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = newGate(t, lockout.NewMemory(10, nil), three, nil).Commit(bg, r, lockout.Correct())
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestTheZeroOutcomeIsWrong(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	for range 3 {
		_, err := g.Commit(bg, begin(t, g, attempt("ada")), lockout.Outcome{})
		require.ErrorIs(t, err, lockout.ErrWrong)
	}
	require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
}

// A client that hangs up after its guess was verified has guessed all the same, and an owner who does has logged in.
func TestCommitOutlivesItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	j := new(journal)
	for _, states := range []lockout.States{lockout.NewMemory(10, j), slow{lockout.NewMemory(10, j)}} {
		g := newGate(t, states, three, nil)
		for i := range 3 {
			_, err := g.Commit(ctx, begin(t, g, attempt("ada")), lockout.Wrong([]byte{byte(i), 1}))
			require.ErrorIs(t, err, lockout.ErrWrong)
		}
		require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
	}
	require.Len(t, j.actions(), 2)
}

// slow is a repository that fails once its context has ended.
type slow struct{ lockout.States }

func (s slow) Update(ctx context.Context, k lockout.Key, c lockout.Change) (lockout.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return lockout.Verdict{}, err
	}
	return s.States.Update(ctx, k, c)
}

func TestTheSameWrongSecretCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, lockout.NewMemory(10, nil), three, nil)
		for range 50 {
			wrong(t, g, attempt("ada"), "old password", "other")
		}
		require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
		wrong(t, g, attempt("bob"), "old password", "other", "third")
		require.Equal(t, lockout.Locked, standing(t, g, attempt("bob")), "it is his first time")

		wrong(t, g, attempt("cat"), "a")
		time.Sleep(time.Hour + time.Minute)
		wrong(t, g, attempt("cat"), "a", "b")
		require.Equal(t, lockout.Open, standing(t, g, attempt("cat")), "the key of the last hour is good")
		time.Sleep(3 * time.Hour)
		wrong(t, g, attempt("cat"), "a")
		require.Equal(t, lockout.Locked, standing(t, g, attempt("cat")), "that of the one before is gone")

		wrong(t, g, attempt("dan"), "a", "b")
		_, err := g.Commit(bg, begin(t, g, attempt("dan")), lockout.Correct())
		require.NoError(t, err)
		wrong(t, g, attempt("dan"), "a", "b", "c")
		require.Equal(t, lockout.Locked, standing(t, g, attempt("dan")), "a success forgets them")

		none := newGate(t, lockout.NewMemory(10, nil), three, func(o *lockout.Options) { o.Tags = -1 })
		wrong(t, none, attempt("ada"), "a", "a", "a")
		require.Equal(t, lockout.Locked, standing(t, none, attempt("ada")))
		empty := newGate(t, lockout.NewMemory(10, nil), three, nil)
		wrong(t, empty, attempt("ada"), "", "", "")
		require.Equal(t, lockout.Locked, standing(t, empty, attempt("ada")), "an empty secret always counts")
	})
}

// The same digits are another guess when the code is another: who tries 000000 all night has a thousand chances.
func TestTheSameWrongCodeCountsEachTime(t *testing.T) {
	for _, f := range []lockout.Factor{lockout.OTP, lockout.Recovery, lockout.Reset, "pin"} {
		profile := lockout.Profile{Name: "test", Rules: []lockout.Rule{{Factor: f, Class: lockout.Every, Policy: three}}}
		g, err := lockout.New(lockout.NewMemory(10, nil), profile, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
		require.NoError(t, err)
		code := with(attempt("ada"), f, lockout.Unknown, "")
		wrong(t, g, code, "000000", "000000", "000000")
		require.Equal(t, lockout.Locked, standing(t, g, code), f)
	}
}

func TestAWrongPasswordIsKnownForTwoHoursAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, lockout.NewMemory(10, nil), three, nil)
		time.Sleep(30 * time.Minute)
		wrong(t, g, attempt("ada"), "a")
		time.Sleep(89 * time.Minute)
		wrong(t, g, attempt("ada"), "b") // nobody has asked for a new key before
		time.Sleep(31 * time.Minute)
		wrong(t, g, attempt("ada"), "a")
		require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
	})
}

// keycloak#46164: who can spoil passwords spoils nothing that comes after them; nor the owner's own device.
func TestBudgetsAreApart(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	ada := attempt("ada")
	wrong(t, g, ada, "a", "b", "c")
	require.Equal(t, lockout.Locked, standing(t, g, ada))
	for _, a := range []lockout.Attempt{
		with(ada, lockout.OTP, lockout.Unknown, ""), with(ada, lockout.Password, lockout.Familiar, ""),
		with(ada, lockout.Password, lockout.Trusted, "phone"),
	} {
		require.Equal(t, lockout.Open, standing(t, g, a), a.Key)
	}
	phone := with(ada, lockout.Password, lockout.Trusted, "phone")
	wrong(t, g, phone, "a", "b", "c")
	require.Equal(t, lockout.Locked, standing(t, g, phone))
	require.Equal(t, lockout.Open, standing(t, g, with(ada, lockout.Password, lockout.Trusted, "laptop")))
}

func TestHoldHoldsForDevicesThatNobodyListed(t *testing.T) {
	j := new(journal)
	g := newGate(t, lockout.NewMemory(10, j), three, nil)
	phone := with(attempt("ada"), lockout.Password, lockout.Trusted, "phone")
	open, strange := begin(t, g, phone), begin(t, g, attempt("ada"))
	require.NoError(t, g.Hold(bg, lockout.Who{Tenant: "acme", Account: "ada"}, operator, "suspected"))
	for _, r := range []lockout.Reservation{open, strange} {
		_, err := g.Commit(bg, r, lockout.Correct())
		locked, ok := errors.AsType[*lockout.LockedError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, lockout.Held, locked.Standing)
	}
	for _, f := range []lockout.Factor{lockout.Password, lockout.OTP} {
		for _, a := range []lockout.Attempt{
			with(phone, f, lockout.Trusted, "phone"), with(phone, f, lockout.Familiar, ""), with(phone, f, lockout.Unknown, ""),
		} {
			require.Equal(t, lockout.Held, standing(t, g, a), a.Key)
		}
	}
	for _, e := range j.events {
		require.Equal(t, lockout.ActionHeld, e.Action)
		require.Equal(t, opsec.Critical, e.Class)
		require.Equal(t, "root", e.Actor.Account)
		require.Equal(t, "suspected", e.Reason)
	}
	who := lockout.Who{Tenant: "acme", Account: "ada", Devices: []string{"phone"}}
	err := g.Recovered(bg, who, lockout.Password, operator, "reset by mail")
	require.ErrorIs(t, err, opsec.ErrDenied, "its owner cannot open what an administrator holds")
	require.Equal(t, lockout.Held, standing(t, g, phone))
	require.NoError(t, g.Unlock(bg, who, operator, "cleared"))
	require.Equal(t, lockout.Open, standing(t, g, phone))
	require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
	require.Contains(t, j.actions(), lockout.ActionUnlocked)
}

// keycloak#45388.
func TestRecoveryOpensWhatFailuresHaveLocked(t *testing.T) {
	j := new(journal)
	permanent := lockout.Policy{Failures: 2, Reserve: time.Minute}
	g := newGate(t, lockout.NewMemory(10, j), permanent, nil)
	phone := with(attempt("ada"), lockout.Password, lockout.Trusted, "phone")
	wrong(t, g, attempt("ada"), "a", "b")
	wrong(t, g, phone, "a", "b")
	require.Equal(t, lockout.Permanent, standing(t, g, phone))
	require.NoError(t, g.Recovered(bg, lockout.Who{Tenant: "acme", Account: "ada", Devices: []string{"phone"}}, lockout.Password, operator, "reset by mail"))
	require.Equal(t, lockout.Open, standing(t, g, phone))
	wrong(t, g, attempt("ada"), "a", "b")
	require.Equal(t, lockout.Permanent, standing(t, g, attempt("ada")), "what was wrong before counts again")
	require.Equal(t, []string{lockout.ActionPermanent, lockout.ActionPermanent, lockout.ActionRecovered, lockout.ActionRecovered,
		lockout.ActionPermanent}, j.actions())
}

// keycloak#44474: what fails after the secret was right is no failure.
func TestWhatFailsAfterTheProofDoesNotCount(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	for range 10 {
		_, err := g.Commit(bg, begin(t, g, attempt("ada")), lockout.Correct())
		require.NoError(t, err) // and then there is no room for a session
		_, err = g.Commit(bg, begin(t, g, attempt("ada")), lockout.Undecided())
		require.ErrorIs(t, err, lockout.ErrUndecided)
	}
	require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
}

// nobody is an Authorizer that knows one account.
type nobody struct{}

func (nobody) Authorize(_ context.Context, who opsec.Actor, action string, what opsec.Resource) error {
	return fmt.Errorf("%s may not %s %v: %w", who.Account, action, what, opsec.ErrDenied)
}

func TestOnlyWhoMayUnlocks(t *testing.T) {
	m := lockout.NewMemory(10, nil)
	g := newGate(t, m, three, func(o *lockout.Options) { o.Authorizer = nobody{} })
	who := lockout.Who{Tenant: "acme", Account: "ada"}
	require.EqualError(t, g.Hold(bg, who, operator, ""), "root may not lockout.held acme/account/ada: denied")
	require.EqualError(t, g.Unlock(bg, who, operator, ""), "root may not lockout.unlocked acme/account/ada: denied")
	require.EqualError(t, g.Recovered(bg, who, lockout.Password, operator, ""), "root may not lockout.recovered acme/account/ada: denied")
	require.ErrorIs(t, g.Unlock(bg, lockout.Who{Tenant: "acme"}, operator, ""), opsec.ErrInvalid)
	require.Zero(t, m.Rows())
}

func TestWhatCannotBeRecordedIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{fail: errors.New("disk full")}
		g := newGate(t, lockout.NewMemory(10, j), three, nil)
		require.ErrorIs(t, g.Hold(bg, lockout.Who{Tenant: "acme", Account: "ada"}, operator, ""), j.fail)
		require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
		wrong(t, g, attempt("ada"), "a", "b")
		_, err := g.Commit(bg, begin(t, g, attempt("ada")), lockout.Wrong([]byte("c")))
		require.ErrorIs(t, err, j.fail)
		_, err = g.Begin(bg, attempt("ada"))
		require.ErrorIs(t, err, lockout.ErrBusy, "the third is under way for ever")
		time.Sleep(time.Minute)
		_, err = g.Begin(bg, attempt("ada"))
		require.ErrorIs(t, err, j.fail, "it would lock, and cannot be recorded: nobody comes in")
		j.fail = nil
		require.Equal(t, lockout.Open, standing(t, g, attempt("cat")))
		require.NotEqual(t, lockout.Permanent, standing(t, g, attempt("ada")))
	})
}

func TestAGateKeepsTheRulesThatItWasMadeWith(t *testing.T) {
	profile := classes(three)
	g, err := lockout.New(lockout.NewMemory(10, nil), profile, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	profile.Rules[0].Policy.Failures = 1000
	wrong(t, g, attempt("ada"), "a", "b", "c")
	require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
}

func TestNewWantsWhatItNeeds(t *testing.T) {
	states, profile := lockout.NewMemory(1, nil), classes(three)
	for name, try := range map[string]func() error{
		"no states":     func() error { _, err := lockout.New(nil, profile, &lockout.Options{Authorizer: nobody{}}); return err },
		"no authorizer": func() error { _, err := lockout.New(states, profile, nil); return err },
		"no profile": func() error {
			_, err := lockout.New(states, lockout.Profile{}, &lockout.Options{Authorizer: nobody{}})
			return err
		},
		"patience": func() error {
			_, err := lockout.New(states, profile, &lockout.Options{Authorizer: nobody{}, Patience: -1})
			return err
		},
	} {
		require.ErrorIs(t, try(), opsec.ErrInvalid, name)
	}
}

func TestAttemptsThatNameNoCounterAreRefused(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	for _, change := range []func(*lockout.Attempt){
		func(a *lockout.Attempt) { a.Tenant = "" },
		func(a *lockout.Attempt) { a.Account = "" },
		func(a *lockout.Attempt) { a.Account = strings.Repeat("x", lockout.MaxName+1) },
		func(a *lockout.Attempt) { a.Factor = "" },
		func(a *lockout.Attempt) { a.Factor = "Password" },
		func(a *lockout.Attempt) { a.Factor = lockout.Reset }, // no rule
		func(a *lockout.Attempt) { a.Class = lockout.Every },
		func(a *lockout.Attempt) { a.Class = "other" },
		func(a *lockout.Attempt) { a.Device = "phone" },
		func(a *lockout.Attempt) { a.Class = lockout.Trusted },
		func(a *lockout.Attempt) { a.Class, a.Device = lockout.Trusted, strings.Repeat("x", lockout.MaxName+1) },
	} {
		a := attempt("ada")
		change(&a)
		_, err := g.Begin(bg, a)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%+v", a.Key)
		require.NotContains(t, err.Error(), "xxx")
	}
}

func TestOutcomesDoNotShowSecrets(t *testing.T) {
	for want, o := range map[string]lockout.Outcome{
		"wrong": lockout.Wrong([]byte("hunter2")), "correct": lockout.Correct(), "undecided": lockout.Undecided(),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			require.Equal(t, want, fmt.Sprintf(verb, o))
		}
	}
}

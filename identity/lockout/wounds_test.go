package lockout_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

// What others have got wrong, each with the number that it has there. Those of the rules alone are in keycloak_test.go: #30939,
// #30969, #46634.

// keycloak#48272, #37315, #34302: log-ins of one account at the same time were refused, though all of them were right. The
// budget of guesses under way is three here; and one after a lock has ended.
func TestRightLogInsAtTheSameTimeAllSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, lockout.NewMemory(10, nil), three, nil)
		all := func(name string, verification time.Duration) {
			var done sync.WaitGroup
			var in atomic.Int32
			for range 40 {
				done.Go(func() {
					r, err := g.Begin(bg, attempt(name))
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(verification)
					if _, err := g.Commit(bg, r, lockout.Correct()); err != nil {
						t.Error(err)
						return
					}
					in.Add(1)
				})
			}
			done.Wait()
			require.EqualValues(t, 40, in.Load())
		}
		all("ada", 50*time.Millisecond)
		wrong(t, g, attempt("bob"), "a", "b", "c")
		time.Sleep(time.Minute)
		all("bob", 50*time.Millisecond)
		require.Equal(t, lockout.Open, standing(t, g, attempt("bob")))
	})
}

// DefaultLockingBruteForceProtector says of itself that as many guesses may come through beside the limit as there are nodes; smart
// lockout (Entra) counts apart in each data centre. Here eight nodes and two hundred guessers share three.
func TestNodesTogetherVerifyNoMoreThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := lockout.NewMemory(10, nil)
		var done sync.WaitGroup
		var verified atomic.Int32
		for node := range 8 {
			g := newGate(t, states, three, nil)
			for guess := range 25 {
				done.Go(func() {
					r, err := g.Begin(bg, attempt("ada"))
					if err != nil {
						return
					}
					verified.Add(1)
					time.Sleep(time.Duration(guess) * time.Millisecond)
					_, err = g.Commit(bg, r, lockout.Wrong([]byte{byte(node), byte(guess)}))
					if !errors.Is(err, lockout.ErrWrong) {
						t.Error(err)
					}
				})
			}
		}
		done.Wait()
		require.EqualValues(t, 3, verified.Load())
	})
}

// keycloak#49960: what an authenticated session did took the lock away, and guessing went on. No call of the gate clears
// failures but a right secret on that very counter, an administrator, and a recovery: a session has nothing to call.
func TestNothingThatASessionDoesClearsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, lockout.NewMemory(10, nil), three, nil)
		ada := attempt("ada")
		wrong(t, g, ada, "a", "b")
		for _, a := range []lockout.Attempt{
			with(ada, lockout.Password, lockout.Trusted, "laptop"), with(ada, lockout.Password, lockout.Familiar, ""), with(ada, lockout.OTP, lockout.Unknown, ""),
		} {
			_, err := g.Commit(bg, begin(t, g, a), lockout.Correct())
			require.NoError(t, err)
		}
		_, err := g.Commit(bg, begin(t, g, ada), lockout.Undecided())
		require.ErrorIs(t, err, lockout.ErrUndecided)
		wrong(t, g, ada, "c")
		require.Equal(t, lockout.Locked, standing(t, g, ada), "it was the third")
		_, err = g.Commit(bg, begin(t, g, with(ada, lockout.Password, lockout.Trusted, "laptop")), lockout.Correct())
		require.NoError(t, err, "the owner works on")
		require.Equal(t, lockout.Locked, standing(t, g, ada))
	})
}

// CVE-2026-9798, CVE-2026-88770: two flows that ask on another device, CIBA and the device grant, did not look whether the account
// was locked. A flow without the gate has no proof, whatever it tries.
func TestNoFlowHasAProofBesideTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permanent := lockout.Policy{Failures: 3, Reserve: 10 * time.Second}
		states := lockout.NewMemory(10, nil)
		g, other := newGate(t, states, permanent, nil), newGate(t, states, permanent, nil)
		ada := attempt("ada")
		wrong(t, g, ada, "a", "b")
		asked := begin(t, g, ada) // the telephone rings
		time.Sleep(21 * time.Second)
		_, err := g.Commit(bg, asked, lockout.Correct())
		require.ErrorIs(t, err, lockout.ErrExpired, "it was answered too late, and has counted")
		require.Equal(t, lockout.Permanent, standing(t, g, ada))

		_, err = g.Begin(bg, ada)
		_, locked := errors.AsType[*lockout.LockedError](err)
		require.True(t, locked)
		bob := begin(t, g, attempt("bob"))
		for _, r := range []lockout.Reservation{{}, asked} {
			proof, err := g.Commit(bg, r, lockout.Correct())
			require.Error(t, err)
			require.Zero(t, proof)
		}
		proof, err := other.Commit(bg, bob, lockout.Correct())
		require.Error(t, err, "another gate does not know what was asked of this one")
		require.Zero(t, proof)
		proof, err = g.Commit(bg, bob, lockout.Correct())
		require.NoError(t, err)
		require.Equal(t, "bob", proof.Account(), "and a proof is of the account that was asked about")

		ciba := ada
		ciba.Factor = "ciba"
		_, err = g.Begin(bg, ciba)
		require.Error(t, err, "nor is there a factor that no rule counts")
		require.NoError(t, g.Hold(bg, lockout.Who{Tenant: "acme", Account: "cat"}, operator, "test"))
		for _, f := range []lockout.Factor{lockout.Password, lockout.OTP} {
			require.Equal(t, lockout.Held, standing(t, g, with(attempt("cat"), f, lockout.Unknown, "")), "what is held is so for every factor")
		}
	})
}

// keycloak#46164: outsiders, who can spoil passwords, locked people out of what comes after them; and one limit for both let
// more codes be guessed than there should be.
func TestPasswordsAndCodesAreCountedApart(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	ada := attempt("ada")
	code := with(ada, lockout.OTP, lockout.Unknown, "")
	for _, digits := range []string{"123456", "000000"} {
		wrong(t, g, code, digits)
		_, err := g.Commit(bg, begin(t, g, ada), lockout.Correct())
		require.NoError(t, err)
	}
	wrong(t, g, code, "the third")
	require.Equal(t, lockout.Locked, standing(t, g, code), "right passwords in between have cleared nothing")
	require.Equal(t, lockout.Open, standing(t, g, ada))
	wrong(t, g, attempt("bob"), "a", "b", "c")
	require.Equal(t, lockout.Open, standing(t, g, with(attempt("bob"), lockout.OTP, lockout.Unknown, "")))
}

// keycloak#45388: a reset of the password left the lock, so that the new password was of no use.
func TestRecoveryLetsTheOwnerIn(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	wrong(t, g, attempt("ada"), "a", "b", "c")
	require.Equal(t, lockout.Locked, standing(t, g, attempt("ada")))
	code := with(attempt("ada"), lockout.OTP, lockout.Unknown, "")
	wrong(t, g, code, "1", "2", "3")
	require.NoError(t, g.Recovered(bg, lockout.Who{Tenant: "acme", Account: "ada"}, lockout.Password, operator, "reset"))
	require.Equal(t, lockout.Locked, standing(t, g, code), "who reads the owner's mail has no more codes for it")
	_, err := g.Commit(bg, begin(t, g, attempt("ada")), lockout.Correct())
	require.NoError(t, err)
}

// keycloak#44474: a log-in that was denied for too many sessions counted as a wrong password. What is denied after the proof is
// nothing that the gate hears of.
func TestDenialAfterTheProofIsNoFailure(t *testing.T) {
	g := newGate(t, lockout.NewMemory(10, nil), three, nil)
	wrong(t, g, attempt("ada"), "a", "b")
	for range 20 {
		proof, err := g.Commit(bg, begin(t, g, attempt("ada")), lockout.Correct())
		require.NoError(t, err)
		require.NotZero(t, proof.At()) // session.Create refuses
	}
	wrong(t, g, attempt("ada"), "c", "d")
	require.Equal(t, lockout.Open, standing(t, g, attempt("ada")))
}

// keycloak#26177, #26180: after a lock for wrong codes the half-finished log-in went on where it was. Who leads a log-in
// learns of a lock from the very guess that locked, and from each after it, so that it can begin anew with the password; when a
// guess was under way at that time, too.
func TestWhoLeadsALogInLearnsOfTheLock(t *testing.T) {
	for _, f := range []lockout.Factor{lockout.OTP, lockout.Recovery} {
		p := lockout.Profile{Name: "test", Rules: []lockout.Rule{{Factor: f, Class: lockout.Every, Policy: three}}}
		synctest.Test(t, func(t *testing.T) {
			g, err := lockout.New(lockout.NewMemory(10, nil), p, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
			require.NoError(t, err)
			code := with(attempt("ada"), f, lockout.Unknown, "")
			wrong(t, g, code, "1", "2")
			_, err = g.Commit(bg, begin(t, g, code), lockout.Wrong([]byte("3")))
			require.ErrorIs(t, err, lockout.ErrWrong)
			_, locked := errors.AsType[*lockout.LockedError](err)
			require.True(t, locked)
			_, err = g.Begin(bg, code)
			_, locked = errors.AsType[*lockout.LockedError](err)
			require.True(t, locked)
			time.Sleep(time.Minute)
			open := begin(t, g, code)
			require.NoError(t, g.Hold(bg, lockout.Who{Tenant: "acme", Account: "ada"}, operator, "test"))
			_, err = g.Commit(bg, open, lockout.Correct())
			_, locked = errors.AsType[*lockout.LockedError](err)
			require.True(t, locked)
		})
	}
}

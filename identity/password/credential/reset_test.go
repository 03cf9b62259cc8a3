package credential_test

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
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/credential"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

var stranger = opsec.Actor{Terminal: "browser"}

func TestATokenSetsAnotherPasswordOnce(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		token := k.token(t)
		require.Len(t, token, 43)
		require.True(t, k.verify(t, first).Match, "asking changes nothing")
		require.ErrorIs(t, k.FinishReset(bg, eve, strings.Repeat("A", 43), fresh(1), stranger), credential.ErrToken)
		require.ErrorIs(t, k.FinishReset(bg, eve, "", fresh(1), stranger), credential.ErrToken)
		require.ErrorIs(t, k.FinishReset(bg, credential.Subject{Tenant: "acme", Account: "mallory"}, token, fresh(1), stranger), credential.ErrToken)
		require.Equal(t, password.RuleLength, rule(t, k.FinishReset(bg, eve, token, []byte("short"), stranger)))
		require.Equal(t, password.RuleHistory, rule(t, k.FinishReset(bg, eve, token, first, stranger)))
		require.NoError(t, k.FinishReset(bg, eve, token, fresh(1), stranger), "what was refused has not used it up")
		require.ErrorIs(t, k.FinishReset(bg, eve, token, fresh(2), stranger), credential.ErrToken)
		require.True(t, k.verify(t, fresh(1)).Match)
		require.Equal(t, []string{"password reset"}, k.revoked)
		require.Equal(t, 1, k.world.recovered, "the lock is cleared: keycloak#45388")
		require.Equal(t, []string{credential.ActionResetBegun, credential.ActionResetFinished, credential.ActionSet}, k.recorded(t))
	})
}

func TestOfSixtyFourWithOneTokenOneWins(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		token := k.token(t)
		var won atomic.Int64
		var winner atomic.Int64
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				err := k.FinishReset(bg, eve, token, fresh(i), stranger)
				switch {
				case err == nil:
					won.Add(1)
					winner.Store(int64(i))
				case !errors.Is(err, credential.ErrToken):
					panic(err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
		require.True(t, k.verify(t, fresh(int(winner.Load()))).Match)
		require.EqualValues(t, 2, k.record(t).Passwords)
	})
}

func TestATokenEndsWithItsTimeWithTheNextAndWithAChange(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		late := k.token(t)
		k.pass(30 * time.Minute)
		require.ErrorIs(t, k.FinishReset(bg, eve, late, fresh(1), stranger), credential.ErrToken)

		require.NoError(t, k.AskReset(bg, eve, stranger))
		replaced := k.token(t)
		require.NoError(t, k.BeginReset(bg, eve, admin))
		require.ErrorIs(t, k.FinishReset(bg, eve, replaced, fresh(1), stranger), credential.ErrToken)
		require.NoError(t, k.Change(bg, eve, first, fresh(1), owner))
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(2), stranger), credential.ErrToken)
		require.True(t, k.verify(t, fresh(1)).Match)
	})
}

func TestATokenThatIsReplacedWhileItIsUsedLoses(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		peppers, err := hash.NewKeys("k", map[string][]byte{"k": make([]byte, 32)})
		require.NoError(t, err)
		require.NoError(t, k.BeginReset(bg, eve, admin))
		token := k.token(t)
		meddling := &meddler{Peppers: peppers, times: 1, do: func() { require.NoError(t, k.BeginReset(bg, eve, admin)) }}
		late := keeper(t, k, pool(t, hash.Options{Peppers: meddling}), profile(), credential.Default())
		require.ErrorIs(t, late.FinishReset(bg, eve, token, fresh(1), stranger), credential.ErrToken)
		require.Zero(t, k.record(t).Passwords)
		require.NoError(t, k.FinishReset(bg, eve, k.token(t), fresh(2), stranger))
	})
}

func TestResetsOfOneAccountAreBounded(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		for range 5 {
			require.NoError(t, k.AskReset(bg, eve, stranger), "who asks is not told")
		}
		require.Len(t, k.tokens, 3)
		require.ErrorIs(t, k.BeginReset(bg, eve, admin), credential.ErrTooMany)
		k.pass(24 * time.Hour)
		require.NoError(t, k.BeginReset(bg, eve, admin))
		require.Len(t, k.record(t).Asked, 1)
	})
}

func TestATokenThatDoesNotLeaveIsNotCounted(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		k.lost = errors.New("no mail")
		for range 5 {
			require.ErrorIs(t, k.BeginReset(bg, eve, admin), k.lost)
			require.NoError(t, k.AskReset(bg, eve, stranger))
		}
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger), credential.ErrToken, "replaced all the same")
		k.lost = nil
		for range 5 {
			require.NoError(t, k.AskReset(bg, eve, stranger))
		}
		require.Len(t, k.tokens, 3)
		require.NoError(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger))
	})
}

func TestAskingForAResetTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, inMemory, profile(), credential.Default())
		require.NoError(t, k.Set(bg, eve, first, owner))
		for _, s := range []credential.Subject{eve, {Tenant: "acme", Account: "nobody"}} {
			began := time.Now()
			require.NoError(t, k.AskReset(bg, s, stranger))
			require.Equal(t, time.Millisecond, time.Since(began))
		}
		require.Len(t, k.tokens, 1)
	})
}

func TestAnAdministratorStartsAResetAndChoosesNothing(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.ErrorIs(t, k.BeginReset(bg, eve, owner), opsec.ErrDenied, "as an administrator does")
		require.Empty(t, k.tokens)
		require.NoError(t, k.BeginReset(bg, eve, admin), "also for an account that has no password yet")
		require.NoError(t, k.FinishReset(bg, eve, k.token(t), first, stranger))
		require.Equal(t, credential.Verdict{Match: true}, k.verify(t, first))
	})
}

// The process dies between the new password and the end of the sessions: the next log-in makes up for it, or fails.
func TestWhatAResetOwesIsDoneBeforeTheNextLogIn(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		k.fail = errors.New("away")
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger), k.fail)
		_, err := k.Verify(bg, eve, fresh(1))
		require.ErrorIs(t, err, k.fail)
		require.False(t, k.verify(t, first).Match, "the password is the new one all the same")
		k.fail = nil
		require.True(t, k.verify(t, fresh(1)).Match)
		require.True(t, k.verify(t, fresh(1)).Match)
		require.Equal(t, []string{"password reset"}, k.revoked)
		require.Equal(t, 1, k.world.recovered)
	})
}

// An account that is locked does not get as far as a log-in, and so not to what its reset owes.
func TestWhatAResetOwesIsDoneWhenItsTokenIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		k.fail = errors.New("away")
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger), k.fail)
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger), credential.ErrToken)
		k.fail = nil
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(2), stranger), credential.ErrToken)
		require.Equal(t, 1, k.world.recovered)
		require.True(t, k.verify(t, fresh(1)).Match)
		require.Equal(t, []string{"password reset"}, k.revoked)
	})
}

func TestWhatAResetOwesIsDoneAfterAnotherPasswordToo(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, stranger))
		k.fail = errors.New("away")
		require.ErrorIs(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger), k.fail)
		k.fail = nil
		_, err := k.Issue(bg, eve, admin)
		require.NoError(t, err)
		require.Equal(t, 1, k.world.recovered)
		require.Equal(t, []string{"password issued"}, k.revoked)
	})
}

func TestAPolicyMayLeaveSessionsAndLocks(t *testing.T) {
	policy := credential.Default()
	policy.SkipSessions, policy.SkipLocks = true, true
	k := newKit(t, inMemory, profile(), policy)
	require.NoError(t, k.BeginReset(bg, eve, admin))
	require.NoError(t, k.FinishReset(bg, eve, k.token(t), first, stranger))
	require.Empty(t, k.revoked)
	require.Zero(t, k.world.recovered)
}

// The engine loses requests and answers: a token that has won has set its password, and no other has.
func TestATokenOverABadConnection(t *testing.T) {
	for seed := range uint64(8) {
		flaky := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{Seed: seed, Commit: map[storetest.Fault]float64{
			storetest.LostRequest: 0.1, storetest.LostAnswer: 0.1, storetest.Conflict: 0.1, storetest.Ghost: 0.05,
		}})
		k := newKit(t, func(w *world) (credential.Records, *store.DB) {
			db, err := store.New(flaky, nil)
			require.NoError(t, err)
			return credential.Stored(db, nil), db
		}, profile(), credential.Default())
		require.NoError(t, k.BeginReset(bg, eve, admin))
		won := 0
		var all sync.WaitGroup
		var mu sync.Mutex
		for i := range 8 {
			all.Go(func() {
				if k.FinishReset(bg, eve, k.token(t), fresh(i), stranger) == nil {
					mu.Lock()
					defer mu.Unlock()
					won++
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, won, 1)
		require.EqualValues(t, 1, k.record(t).Passwords)
	}
}

func TestTheStoreTellsOfEveryNewHash(t *testing.T) {
	var told []uint64
	no := errors.New("no")
	var fail error
	k := newKit(t, func(w *world) (credential.Records, *store.DB) {
		db, err := store.New(memory.New(), nil)
		require.NoError(t, err)
		return credential.Stored(db, &credential.StoredOptions{Changed: func(s *store.Sub, account string, r credential.Record) error {
			require.Equal(t, []string{"acme", "eve"}, []string{string(s.Tenant()), account})
			if fail == nil {
				told = append(told, r.Version)
			}
			return fail
		}}), db
	}, profile(), credential.Default())
	require.NoError(t, k.Set(bg, eve, first, owner))
	require.NoError(t, k.AskReset(bg, eve, stranger))
	require.NoError(t, k.Require(bg, eve, admin, ""))
	require.NoError(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger))
	require.Equal(t, []uint64{1, 2}, told)
	fail = no
	require.ErrorIs(t, k.Change(bg, eve, fresh(1), fresh(2), owner), no)
	require.True(t, k.verify(t, fresh(1)).Match, "what was not told has not happened")
	k.recorded(t)
	for p, err := range k.db.Check(bg, nil, credential.Parts()...) {
		require.NoError(t, err)
		t.Error(p)
	}
}

// silent is a service whose parts the example does not show.
type silent struct{}

func (silent) RevokeAll(context.Context, opsec.TenantID, string, string) error { return nil }
func (silent) Recovered(context.Context, opsec.TenantID, string, string) error { return nil }
func (silent) Deliver(_ context.Context, _ opsec.TenantID, _ string, t credential.Token, _ time.Time) error {
	link = t.Reveal()
	return nil
}

var link string // what the mail brought

func ExampleNew() {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	profile, err := password.Preset(password.Recommendation)
	must(err)
	profile.Name, profile.SkipBlocklist, profile.Strength = "example", true, 0
	checker, err := password.New(profile, nil)
	must(err)
	pool, err := hash.New(hash.OWASP, nil)
	must(err)
	db, err := store.New(memory.New(), nil)
	must(err)
	keeper, err := credential.New(credential.Stored(db, nil), pool, checker, credential.Default(), &credential.Options{
		Authorizer: opsec.CallerAuthorized{}, Courier: silent{}, Sessions: silent{}, Locks: silent{}, Pace: time.Millisecond,
	})
	must(err)

	ctx := context.Background()
	eve := credential.Subject{Tenant: "acme", Account: "a-17", Words: []string{"eve"}}
	browser := opsec.Actor{Tenant: "acme", Account: "a-17", Terminal: "browser"}
	must(keeper.Set(ctx, eve, []byte("7 Purple monkeys, dishwasher"), browser))
	must(keeper.AskReset(ctx, eve, browser))
	must(keeper.FinishReset(ctx, eve, link, []byte("8 Green elephants, toaster"), browser))
	fmt.Println(keeper.FinishReset(ctx, eve, link, []byte("9 Yellow herons, kettle"), browser))
	v, err := keeper.Verify(ctx, eve, []byte("8 Green elephants, toaster"))
	fmt.Println(v.Match, v.MustChange, err)
	// Output:
	// credential: no such token: denied
	// true false <nil>
}

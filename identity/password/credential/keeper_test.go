package credential_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/credential"
	"github.com/cloudopsec/opsec/identity/password/hash"
)

func TestTheRightPasswordMatches(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.Equal(t, credential.Verdict{Match: true}, k.verify(t, first))
		require.Equal(t, credential.Verdict{}, k.verify(t, fresh(1)))
		require.Equal(t, credential.Verdict{Match: true}, k.verify(t, []byte("correct\u3000horse battery staple")), "as it is prepared")
		require.ErrorIs(t, k.Set(bg, eve, fresh(1), owner), opsec.ErrDenied, "there is one already")
		require.Equal(t, []string{credential.ActionSet}, k.recorded(t))
	})
}

func TestAnAccountCostsOneCallWhateverItsState(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		cost := func(s credential.Subject, secret string) uint64 {
			before := k.pool.Calls()
			_, err := k.Verify(bg, s, []byte(secret))
			require.NoError(t, err)
			c := k.pool.Calls()
			require.Equal(t, before.Hash, c.Hash)
			require.Equal(t, before.Compare, c.Compare)
			return c.Verify + c.Dummy - before.Verify - before.Dummy
		}
		require.NoError(t, k.Set(bg, eve, first, owner))
		issued := credential.Subject{Tenant: "acme", Account: "new"}
		secret, err := k.Issue(bg, issued, admin)
		require.NoError(t, err)
		require.EqualValues(t, 1, cost(eve, string(first)))
		require.EqualValues(t, 1, cost(eve, "wrong"))
		require.EqualValues(t, 1, cost(eve, ""))
		require.EqualValues(t, 1, cost(eve, "\x00\x07"))
		require.EqualValues(t, 1, cost(credential.Subject{Tenant: "acme", Account: "nobody"}, "wrong"))
		require.EqualValues(t, 1, cost(credential.Subject{Tenant: "globex", Account: "eve"}, string(first)))
		require.EqualValues(t, 1, cost(issued, string(secret)))
		k.pass(25 * time.Hour)
		require.EqualValues(t, 1, cost(issued, string(secret)), "it has run out")
		before := k.pool.Calls()
		require.NoError(t, k.Dummy(bg, first))
		require.Equal(t, before.Dummy+1, k.pool.Calls().Dummy)
	})
}

func TestAChangeNeedsThePresentPasswordAndTheProfile(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.ErrorIs(t, k.Change(bg, eve, fresh(1), fresh(2), owner), credential.ErrWrong)
		require.ErrorIs(t, k.Change(bg, eve, first, fresh(2), admin), opsec.ErrDenied, "nobody chooses the password of somebody else")
		require.ErrorIs(t, k.Set(bg, credential.Subject{Tenant: "acme", Account: "x"}, fresh(1), admin), opsec.ErrDenied)
		err := k.Change(bg, eve, first, []byte("short"), owner)
		require.Equal(t, password.RuleLength, password.Violations(err)[0].Rule)
		require.NoError(t, k.Change(bg, eve, first, fresh(1), owner))
		require.False(t, k.verify(t, first).Match)
		require.True(t, k.verify(t, fresh(1)).Match)
		require.Equal(t, []string{"password changed"}, k.revoked)
		require.Zero(t, k.world.recovered)
		require.Equal(t, []string{credential.ActionChanged, credential.ActionSet}, k.recorded(t))
	})
}

func rule(t testing.TB, err error) password.Rule {
	t.Helper()
	var v *password.Violation
	require.ErrorAs(t, err, &v)
	return v.Rule
}

func TestThePasswordsUsedLastDoNotComeAgain(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, fresh(0), owner))
		require.Equal(t, password.RuleHistory, rule(t, k.Change(bg, eve, fresh(0), fresh(0), owner)))
		for i := range 3 {
			before := k.pool.Calls()
			require.NoError(t, k.Change(bg, eve, fresh(i), fresh(i+1), owner))
			require.EqualValues(t, min(i, 2), k.pool.Calls().Compare-before.Compare, "those before, and the present one is known")
		}
		require.Len(t, k.record(t).History, 2)
		require.Equal(t, password.RuleHistory, rule(t, k.Change(bg, eve, fresh(3), fresh(1), owner)))
		require.Equal(t, password.RuleHistory, rule(t, k.Change(bg, eve, fresh(3), fresh(2), owner)))
		before := k.pool.Calls()
		require.Equal(t, password.RuleLength, rule(t, k.Change(bg, eve, fresh(3), []byte("short"), owner)))
		require.Equal(t, before.Compare, k.pool.Calls().Compare, "the history is asked last")
		require.NoError(t, k.Change(bg, eve, fresh(3), fresh(0), owner), "the fourth before")
	})
}

func TestAYoungPasswordIsNotChangedAgain(t *testing.T) {
	p := profile()
	p.MinimumAge = 24 * time.Hour
	k := newKit(t, inMemory, p, credential.Default())
	require.NoError(t, k.Set(bg, eve, fresh(0), owner))
	require.Equal(t, password.RuleMinimumAge, rule(t, k.Change(bg, eve, fresh(0), fresh(1), owner)))
	require.ErrorIs(t, k.Change(bg, eve, fresh(9), fresh(1), owner), credential.ErrWrong, "its age is for who knows it")
	require.NoError(t, k.Require(bg, eve, admin, "seen on a list"))
	require.True(t, k.verify(t, fresh(0)).MustChange)
	require.NoError(t, k.Change(bg, eve, fresh(0), fresh(1), owner), "who must change may")
	require.False(t, k.verify(t, fresh(1)).MustChange)
	k.pass(24 * time.Hour)
	require.NoError(t, k.Change(bg, eve, fresh(1), fresh(2), owner))
	require.Contains(t, k.recorded(t), credential.ActionRequired)
	require.ErrorIs(t, k.Require(bg, credential.Subject{Tenant: "acme", Account: "nobody"}, admin, ""), opsec.ErrNotFound)
}

func TestTheUpdateCycleIsToldOnceAndThenForced(t *testing.T) {
	p := profile()
	p.Cycle = 90 * 24 * time.Hour
	k := newKit(t, inStore, p, credential.Default())
	require.NoError(t, k.Set(bg, eve, first, owner))
	due := k.Now().Add(p.Cycle)
	require.Equal(t, credential.Verdict{Match: true, Due: due}, k.verify(t, first))
	ask := func() bool {
		at, tell, err := k.Due(bg, eve)
		require.NoError(t, err)
		require.True(t, due.Equal(at))
		return tell
	}
	require.False(t, ask())
	k.pass(76 * 24 * time.Hour)
	require.True(t, ask())
	require.False(t, ask(), "once")
	require.False(t, k.verify(t, first).MustChange)
	k.pass(14 * 24 * time.Hour)
	require.True(t, k.verify(t, first).MustChange)
	require.NoError(t, k.Change(bg, eve, first, fresh(1), owner))
	due = k.Now().Add(p.Cycle)
	require.False(t, k.verify(t, fresh(1)).MustChange)
	k.pass(80 * 24 * time.Hour)
	require.True(t, ask(), "and once for the next")
	_, _, err := k.Due(bg, credential.Subject{Tenant: "acme", Account: "nobody"})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.Contains(t, k.recorded(t), credential.ActionReminded)
}

func TestAnIssuedPasswordIsForAWhileAndToBeChanged(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		_, err := k.Issue(bg, eve, owner)
		require.ErrorIs(t, err, opsec.ErrDenied)
		secret, err := k.Issue(bg, eve, admin)
		require.NoError(t, err)
		require.Len(t, secret, 32)
		require.Equal(t, credential.Verdict{Match: true, MustChange: true}, k.verify(t, secret))
		require.NoError(t, k.Change(bg, eve, secret, first, owner))
		require.Equal(t, credential.Verdict{Match: true}, k.verify(t, first))
		secret, err = k.Issue(bg, eve, admin)
		require.NoError(t, err)
		require.False(t, k.verify(t, first).Match)
		k.pass(24 * time.Hour)
		require.False(t, k.verify(t, secret).Match, "it has run out")
		require.ErrorIs(t, k.Change(bg, eve, secret, fresh(1), owner), credential.ErrWrong)
	})
}

func TestAHashOfAnotherSystemIsReplacedAtTheFirstLogIn(t *testing.T) {
	const django = "pbkdf2_sha256$1000$seasalt0$DJuZRFa0eojgmZyuoPtClaYgcLMDwqZGgCwiDNjREzc="
	each(t, func(t *testing.T, k *kit) {
		require.ErrorIs(t, k.Import(bg, eve, django, time.Time{}, owner), opsec.ErrDenied)
		require.ErrorIs(t, k.Import(bg, eve, "plain text", time.Time{}, admin), hash.ErrForm)
		require.NoError(t, k.Import(bg, eve, django, k.Now(), admin))
		require.ErrorIs(t, k.Import(bg, eve, django, k.Now(), admin), opsec.ErrDenied)
		require.False(t, k.verify(t, fresh(1)).Match)
		require.Equal(t, django, k.record(t).Present.Text)
		before := k.record(t)
		require.True(t, k.verify(t, first).Match)
		after := k.record(t)
		form, err := hash.Parse(after.Present.Text)
		require.NoError(t, err)
		require.Equal(t, hash.Argon2id, form.Scheme)
		require.False(t, after.Present.Raw)
		require.Equal(t, before.Version+1, after.Version)
		require.Equal(t, before.Passwords, after.Passwords)
		require.True(t, before.Changed.Equal(after.Changed), "it is the same password")
		require.True(t, k.verify(t, first).Match)
		require.Equal(t, []string{credential.ActionImported, credential.ActionRehashed}, k.recorded(t))
	})
}

func TestAnImportIsOfThePastAndNobodyLogsInWithoutAPassword(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		empty, err := k.pool.Hash(bg, nil)
		require.NoError(t, err)
		require.ErrorIs(t, k.Import(bg, eve, empty, k.Now().Add(time.Second), admin), opsec.ErrInvalid)
		require.NoError(t, k.Import(bg, eve, empty, k.Now(), admin))
		require.False(t, k.verify(t, nil).Match, "there were systems that let people have no password")
	})
}

// A profile without a history does not let the present password take its own place.
func TestWhatHasToBeChangedIsChanged(t *testing.T) {
	plain := profile()
	plain.History = 0
	k := newKit(t, inMemory, plain, credential.Default())
	isUsed := func(err error) {
		t.Helper()
		var v *password.Violation
		require.ErrorAs(t, err, &v)
		require.Equal(t, password.RuleHistory, v.Rule)
	}
	issued, err := k.Issue(bg, eve, admin)
	require.NoError(t, err)
	isUsed(k.Change(bg, eve, issued, issued, owner))
	require.NoError(t, k.Change(bg, eve, issued, first, owner))
	require.NoError(t, k.Require(bg, eve, admin, "seen on a screen"))
	require.NoError(t, k.AskReset(bg, eve, stranger))
	isUsed(k.FinishReset(bg, eve, k.token(t), first, stranger))
	require.NoError(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger))
	require.NoError(t, k.AskReset(bg, eve, stranger))
	require.NoError(t, k.FinishReset(bg, eve, k.token(t), fresh(1), stranger), "forgotten, and remembered")
}

// A hash made anew for a password that was changed meanwhile is dropped.
func TestANewHashDoesNotUndoAChange(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		other, err := hash.NewKeys("k", map[string][]byte{"k": make([]byte, 32)})
		require.NoError(t, err)
		meddling := &meddler{Peppers: other, times: 2} // the first is the question whether to hash again, the second is of the hash
		late := keeper(t, k, pool(t, hash.Options{Peppers: meddling}), profile(), credential.Default())
		meddling.do = func() { require.NoError(t, k.Change(bg, eve, first, fresh(1), owner)) }
		v, err := late.Verify(bg, eve, first)
		require.NoError(t, err)
		require.True(t, v.Match, "it was right when it was looked at")
		require.Zero(t, meddling.times)
		require.True(t, k.verify(t, fresh(1)).Match)
		require.False(t, k.verify(t, first).Match)
		require.NotContains(t, k.recorded(t), credential.ActionRehashed)
	})
}

// meddler does something at one of the questions for the current pepper.
type meddler struct {
	hash.Peppers
	times int
	do    func()
}

func (m *meddler) Current(ctx context.Context) (string, error) {
	if m.times--; m.times == 0 {
		m.do()
	}
	return m.Peppers.Current(ctx)
}

func TestAChangeThatIsOvertakenIsNotMade(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		peppers, err := hash.NewKeys("k", map[string][]byte{"k": make([]byte, 32)})
		require.NoError(t, err)
		k.Keeper = keeper(t, k, pool(t, hash.Options{Peppers: peppers}), profile(), credential.Default())
		meddling := &meddler{Peppers: peppers, times: 2} // the first is whether to hash again, the second of the new hash
		late := keeper(t, k, pool(t, hash.Options{Peppers: meddling}), profile(), credential.Default())
		require.NoError(t, k.Set(bg, eve, first, owner))
		meddling.do = func() { require.NoError(t, k.Change(bg, eve, first, fresh(1), owner)) }
		require.ErrorIs(t, late.Change(bg, eve, first, fresh(2), owner), credential.ErrOvertaken)
		require.Zero(t, meddling.times)
		require.True(t, k.verify(t, fresh(1)).Match)
		require.False(t, k.verify(t, fresh(2)).Match)
	})
}

func TestOfChangesAtOnceOneWins(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		var won, lost atomic.Int64
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				switch err := k.Change(bg, eve, first, fresh(i), owner); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, credential.ErrOvertaken), errors.Is(err, credential.ErrWrong):
					lost.Add(1)
				default:
					panic(err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 15, lost.Load())
		require.EqualValues(t, 2, k.record(t).Passwords)
	})
}

func TestAKeeperWithoutItsWiringIsRefused(t *testing.T) {
	k := newKit(t, inMemory, profile(), credential.Default())
	checker, err := password.New(profile(), nil)
	require.NoError(t, err)
	for name, f := range map[string]func(p *credential.Policy, o *credential.Options){
		"authorizer":  func(_ *credential.Policy, o *credential.Options) { o.Authorizer = nil },
		"sessions":    func(_ *credential.Policy, o *credential.Options) { o.Sessions = nil },
		"locks":       func(_ *credential.Policy, o *credential.Options) { o.Locks = nil },
		"pace":        func(_ *credential.Policy, o *credential.Options) { o.Pace = -1 },
		"zero policy": func(p *credential.Policy, _ *credential.Options) { *p = credential.Policy{} },
		"resets":      func(p *credential.Policy, _ *credential.Options) { p.Resets = 0 },
		"valid":       func(p *credential.Policy, _ *credential.Options) { p.ResetValid = 48 * time.Hour },
	} {
		policy, o := credential.Default(), credential.Options{Authorizer: k.world, Sessions: k.world, Locks: k.world}
		f(&policy, &o)
		_, err := credential.New(k.records, k.pool, checker, policy, &o)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	_, err = k.Verify(bg, credential.Subject{Tenant: "acme"}, first)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = k.Verify(bg, credential.Subject{Tenant: "acme", Account: "\xff"}, first)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = k.Verify(bg, credential.Subject{Account: "eve"}, first)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestAPolicyIsStrictJSON(t *testing.T) {
	b, err := json.Marshal(credential.Default())
	require.NoError(t, err)
	require.JSONEq(t, `{"reset_valid":"30m0s","resets":3,"reset_each":"24h0m0s","issue_valid":"24h0m0s","notice":"336h0m0s"}`, string(b))
	var p credential.Policy
	require.NoError(t, json.Unmarshal(b, &p))
	require.Equal(t, credential.Default(), p)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"resets":3,"unlimited":true}`), &p), opsec.ErrInvalid)
}

func TestNothingPrintsASecret(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		require.NoError(t, k.Set(bg, eve, first, owner))
		require.NoError(t, k.AskReset(bg, eve, owner))
		r := k.record(t)
		k.recorded(t)
		text := fmt.Sprintf("%v %+v %#v %s", r, r, r, r) + fmt.Sprintf("%+v", k.events)
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("all", "record", r, "hash", r.Present)
		text += log.String()
		require.NotContains(t, text, r.Present.Text[len(r.Present.Text)-20:])
		require.NotContains(t, text, k.token(t))
		require.NotContains(t, text, string(first))
	})
}

package login_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/login"
	"github.com/cloudopsec/opsec/identity/session"
)

var bg = context.Background()

// limits are those of sessions in these tests.
var limits = session.Policy{
	Maximum: 8 * time.Hour, Idle: time.Hour, Grain: time.Minute, Fresh: time.Hour, Factors: 1, Concurrent: 5,
}

// counted is states of a gate, and how often they were asked. They may break down.
type counted struct {
	lockout.States
	asked  int
	broken error
}

func (c *counted) Update(ctx context.Context, k lockout.Key, change lockout.Change) (lockout.Verdict, error) {
	c.asked++
	if c.broken != nil {
		return lockout.Verdict{}, c.broken
	}
	return c.States.Update(ctx, k, change)
}

// counting gives the house a gate whose states are counted.
func (h *house) counting() *counted {
	c := &counted{States: lockout.NewMemory(1000, h)}
	rules := []lockout.Rule{{Factor: lockout.Password, Class: lockout.Every, Policy: policy}, {Factor: lockout.OTP, Class: lockout.Every, Policy: policy}}
	var err error
	h.gate, err = lockout.New(c, lockout.Profile{Name: "test", Rules: rules}, &lockout.Options{Authorizer: opsec.CallerAuthorized{}, Patience: time.Nanosecond})
	require.NoError(h.t, err)
	h.desk, err = login.New(h, h, h.gate, &login.Options{Recorder: h})
	require.NoError(h.t, err)
	return c
}

func (h *house) sessions(now func() time.Time) *session.Manager {
	m, err := session.New(session.NewMemory(h), limits, &session.Options{Now: now, Authorizer: opsec.CallerAuthorized{}})
	require.NoError(h.t, err)
	return m
}

// keycloak#49960: the refresh of a session cleared the count of wrong passwords, so that who had one session could guess for ever.
func TestARefreshDoesNotTouchTheCountOfWrongSecrets(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	states := h.counting()
	var later time.Duration
	m := h.sessions(func() time.Time { return time.Now().Add(later) })
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	_, token, err := m.Create(bg, v.Request(), v.Proofs()...)
	require.NoError(t, err)
	refresh := func() {
		before := states.asked
		for range 5 {
			later += 2 * limits.Grain
			_, err := m.Validate(bg, token, session.Use{})
			require.NoError(t, err)
			_, token, err = m.Renew(bg, token, session.Use{})
			require.NoError(t, err)
			_, _, err = m.Join(bg, token, session.Use{}, "wiki", true)
			require.NoError(t, err)
		}
		require.Equal(t, before, states.asked)
	}
	for i := range policy.Failures {
		refresh()
		_, _, err := h.enter("ada", fmt.Sprint("wrong ", i))
		requireReason(t, err, login.ErrWrong)
		require.Equal(t, i == policy.Failures-1, strings.Contains(h.events[len(h.events)-1].Reason, "locked until"), "the one that locks says so")
	}
	refresh()
	_, _, err = h.enter("ada", "ada's password")
	var refusal *login.Refusal
	require.ErrorAs(t, err, &refusal)
	var locked *lockout.LockedError
	require.ErrorAs(t, refusal.Reason(), &locked, "so many wrong ones lock, however often a session is refreshed between them")

	// Nor does a step-up by another factor.
	_, proofs, err := h.other("ada", "ada's otp")
	require.NoError(t, err)
	_, _, err = m.Raise(bg, token, session.Use{}, proofs...)
	require.NoError(t, err)
	_, _, err = h.enter("ada", "ada's password")
	require.ErrorAs(t, err, &refusal)
	require.ErrorAs(t, refusal.Reason(), &locked)
}

// other enters with the second factor alone.
func (h *house) other(name, secret string) (login.Visit, []session.Proof, error) {
	a := attempt(name, secret)
	a.Factor = lockout.OTP
	v, err := h.desk.Enter(bg, a)
	return v, v.Proofs(), err
}

// An account that is disabled, or a password that is changed, while a secret is being looked at: what was right then is not now.
func TestWhatIsRevokedWhileASecretIsLookedAtOpensNoSession(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	m := h.sessions(nil)
	h.during = func() {
		h.during = nil
		require.NoError(t, m.RevokeAll(bg, "acme", "id-ada", opsec.Actor{Account: "root"}, "disabled"))
	}
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	_, _, err = m.Create(bg, v.Request(), v.Proofs()...)
	require.ErrorIs(t, err, session.ErrProof)
	v, _, err = h.enter("ada", "ada's password")
	require.NoError(t, err)
	_, _, err = m.Create(bg, v.Request(), v.Proofs()...)
	require.NoError(t, err)
}

// Where nothing has been compared nothing has been guessed.
func TestAVisitThatIsOverCostsNoGuess(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	for i := range 3 {
		h.enter("ada", fmt.Sprint(i)) // locks the password
	}
	before := h.pool.Calls().Dummy
	for range policy.Failures {
		_, err = h.desk.Continue(bg, v, second("ada's otp"))
		requireReason(t, err, login.ErrStale)
		var refusal *login.Refusal
		require.ErrorAs(t, err, &refusal)
		var locked *lockout.LockedError
		require.ErrorAs(t, refusal.Reason(), &locked)
	}
	require.EqualValues(t, policy.Failures, h.pool.Calls().Dummy-before, "it costs a derivation each all the same")
	_, _, err = h.other("ada", "ada's otp")
	require.NoError(t, err, "the second factor is as it was")
}

// That the first factor cannot be asked about now is no failure of the second.
func TestASecondFactorIsNotTriedWhileTheGateIsBusy(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	states := h.counting()
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	states.broken = errors.New("no route to host db-3")
	for range policy.Failures {
		_, err = h.desk.Continue(bg, v, second("ada's otp"))
		require.Equal(t, login.ErrBusy, err)
	}
	states.broken = nil
	var under []lockout.Reservation
	for range policy.Failures { // others are guessing at the password just now
		r, err := h.gate.Begin(bg, lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: "id-ada", Factor: lockout.Password}})
		require.NoError(t, err)
		under = append(under, r)
	}
	for range policy.Failures {
		_, err = h.desk.Continue(bg, v, second("ada's otp"))
		require.Equal(t, login.ErrBusy, err)
	}
	for _, r := range under {
		_, err := h.gate.Commit(bg, r, lockout.Undecided())
		require.ErrorIs(t, err, lockout.ErrUndecided)
	}
	v, err = h.desk.Continue(bg, v, second("ada's otp"))
	require.NoError(t, err)
	require.Len(t, v.Proofs(), 2)
}

// Otherwise guesses at the same time, in several spellings, wait for each other where there is an account, and not where there is none.
func TestAllSpellingsOfANameThatIsNobodysCountTogether(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	for i, name := range []string{"nobody", "Nobody", "NOBODY"} {
		h.enter(name, fmt.Sprint(i))
	}
	_, _, err := h.enter("nObOdY", "x")
	requireReason(t, err, login.ErrUnknown)
	var refusal *login.Refusal
	require.ErrorAs(t, err, &refusal)
	var locked *lockout.LockedError
	require.ErrorAs(t, refusal.Reason(), &locked)
}

func TestAnAttemptDoesNotShowWhatWasTyped(t *testing.T) {
	a := attempt("Passw0rd", "Passw0rd")
	a.Device = "Passw0rd"
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "attempt", a)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "attempt", a)
	text := fmt.Sprintf("%v %+v %#v %s %q", a, a, a, a, a) + log.String()
	require.NotContains(t, text, "Passw0rd")
	require.NotContains(t, text, "80 97 115")
	require.Contains(t, text, "acme")
}

// A secret that was right is of no use to an account that is held meanwhile; and whatever has become of it is on record, also when who
// has asked has gone.
func TestARightSecretOfAnAccountThatIsHeldMeanwhileIsRefused(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	ctx, cancel := context.WithCancel(bg)
	h.during = func() {
		require.NoError(t, h.gate.Hold(bg, lockout.Who{Tenant: "acme", Account: "id-ada"}, opsec.Actor{Account: "root"}, "stolen"))
		h.during = cancel
	}
	_, cost, err := h.enter("ada", "ada's password")
	var refusal *login.Refusal
	require.ErrorAs(t, err, &refusal)
	var locked *lockout.LockedError
	require.ErrorAs(t, refusal.Reason(), &locked)
	require.Equal(t, lockout.Held, locked.Standing)
	require.EqualValues(t, 1, cost)

	h.events = nil
	_, err = h.desk.Enter(ctx, attempt("bob", "x"))
	require.Error(t, err)
	require.Len(t, h.events, 1)
	require.Equal(t, login.ActionRefused, h.events[0].Action)
}

func TestARightSecretThatIsNotRecordedLetsNobodyIn(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	h.mute = login.ActionPassed
	v, _, err := h.enter("ada", "ada's password")
	require.Equal(t, login.ErrBusy, err)
	require.Empty(t, v.Proofs())
	h.mute = login.ActionRefused
	_, _, err = h.enter("ada", "x")
	require.ErrorIs(t, err, login.ErrRefused)
}

// By its default key a desk names those who are not there as no other does, so that nobody can look the names up.
func TestNamesOfNobodyAreKeyed(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		h := open(t, nil)
		synctestless(h)
		h.enter("nobody", "x")
		seen[h.events[0].Actor.Account] = true
	}
	require.Len(t, seen, 2)
}

func TestAVisitByAClockThatHasGoneBackIsOver(t *testing.T) {
	now := start
	h := open(t, &login.Options{Now: func() time.Time { return now }})
	synctestless(h)
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	now = now.Add(-time.Second)
	_, err = h.desk.Continue(bg, v, second("ada's otp"))
	requireReason(t, err, login.ErrStale)
}

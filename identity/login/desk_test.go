package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/login"
	"github.com/cloudopsec/opsec/identity/password/hash"
)

// house is a desk with all that is behind it: real gate, real derivations, and a register in memory.
type house struct {
	t        *testing.T
	desk     *login.Desk
	gate     *lockout.Gate
	pool     *hash.Pool
	accounts map[string]login.Account // by name
	stored   map[string]string        // by identifier and factor
	events   []*opsec.Event
	broken   error  // of the register
	corrupt  error  // of the secrets
	must     bool   // change the secret
	hidden   bool   // a flood is on
	during   func() // a comparison
	mute     string // the action that is not recorded
}

func (h *house) Find(_ context.Context, _ opsec.TenantID, name string) (login.Account, error) {
	if h.broken != nil {
		return login.Account{}, h.broken
	}
	a, ok := h.accounts[strings.ToLower(name)]
	if !ok {
		return login.Account{ID: strings.ToLower(name)}, opsec.ErrNotFound
	}
	return a, nil
}

func (h *house) Verify(ctx context.Context, _ opsec.TenantID, account string, f lockout.Factor, secret []byte) (login.Answer, error) {
	if h.during != nil {
		h.during()
	}
	if h.corrupt != nil {
		return login.Answer{}, h.corrupt
	}
	if h.hidden {
		return login.Answer{Hidden: true}, nil
	}
	found, err := h.pool.Verify(ctx, secret, h.stored[account+string(f)])
	return login.Answer{Match: found.Match, Hidden: found.Hidden, MustChange: h.must}, err
}

func (h *house) Decoy(ctx context.Context, _ lockout.Factor, secret []byte) error {
	if h.hidden {
		return hash.ErrHidden
	}
	return h.pool.Dummy(ctx, secret)
}

func (h *house) Record(ctx context.Context, e *opsec.Event) (opsec.Receipt, error) {
	if e.Action == h.mute {
		return opsec.Receipt{}, errors.New("disk full")
	}
	if err := ctx.Err(); err != nil {
		return opsec.Receipt{}, err
	}
	h.events = append(h.events, e)
	return opsec.Receipt{}, e.Validate()
}

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// policy locks after three, for a quarter of an hour.
var policy = lockout.Policy{
	Failures: 3, Lock: 15 * time.Minute, Temporary: -1, Reserve: 30 * time.Second,
}

func open(t *testing.T, o *login.Options) *house {
	h := &house{t: t, accounts: map[string]login.Account{}, stored: map[string]string{}}
	var err error
	h.pool, err = hash.New(hash.Params{M: 8, T: 1, P: 1}, nil)
	require.NoError(t, err)
	rules := []lockout.Rule{{Factor: lockout.Password, Class: lockout.Trusted, Policy: policy}, {Factor: lockout.Password, Class: lockout.Every, Policy: policy},
		{Factor: lockout.OTP, Class: lockout.Every, Policy: policy}}
	h.gate, err = lockout.New(lockout.NewMemory(1000, h), lockout.Profile{Name: "test", Rules: rules},
		&lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	if o == nil {
		o = &login.Options{}
	}
	o.Recorder = h
	h.desk, err = login.New(h, h, h.gate, o)
	require.NoError(t, err)
	for name, closed := range map[string]string{"ada": "", "bob": "", "eve": "disabled", "sam": "suspended"} {
		h.accounts[name] = login.Account{ID: "id-" + name, Person: "p-" + name, Kind: opsec.Human, Closed: closed}
		for _, f := range []lockout.Factor{lockout.Password, lockout.OTP} {
			h.stored["id-"+name+string(f)], err = h.pool.Hash(context.Background(), []byte(name+"'s "+string(f)))
			require.NoError(t, err)
		}
	}
	return h
}

func attempt(name, secret string) login.Attempt {
	return login.Attempt{
		Tenant: "acme", Name: name, Factor: lockout.Password, Secret: []byte(secret), System: "console",
		From: opsec.Actor{IP: netip.MustParseAddr("192.0.2.7"), Terminal: "kiosk"},
	}
}

// enter tries to log in and returns the error, with what it has cost.
func (h *house) enter(name, secret string) (login.Visit, uint64, error) {
	before := h.pool.Calls()
	v, err := h.desk.Enter(context.Background(), attempt(name, secret))
	after := h.pool.Calls()
	return v, after.Verify + after.Dummy - before.Verify - before.Dummy, err
}

// What somebody outside can see of a refusal: every way in which Go prints or takes apart an error.
func outside(t *testing.T, err error) string {
	text, jsonErr := json.Marshal(err)
	require.NoError(t, jsonErr)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).Info("refused", "error", err)
	var locked *lockout.LockedError
	return fmt.Sprintf("%v|%+v|%#v|%s|%q|%d|%s|%s|%v %v %v %v %v", err, err, err, err, err, err, text, log.String(),
		errors.Is(err, login.ErrRefused), errors.Is(err, opsec.ErrDenied), errors.Is(err, opsec.ErrNotFound),
		errors.Is(err, login.ErrClosed), errors.As(err, &locked))
}

func TestNobodyOutsideTellsUnknownLockedDisabledAndWrongApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		for range 3 {
			h.enter("bob", fmt.Sprint("wrong", time.Now()))
			time.Sleep(time.Minute)
		}
		wants := map[string]error{"wrong": login.ErrWrong, "unknown": login.ErrUnknown, "disabled": login.ErrClosed,
			"disabled, right": login.ErrClosed, "suspended": login.ErrClosed, "locked": nil, "locked, right": nil, "corrupt": hash.ErrForm}
		seen := map[string]string{}
		took := map[string]time.Duration{}
		for what, a := range map[string][2]string{
			"wrong": {"ada", "x"}, "unknown": {"nobody", "x"}, "disabled": {"eve", "x"}, "disabled, right": {"eve", "eve's password"},
			"suspended": {"sam", "x"}, "locked": {"bob", "x"}, "locked, right": {"bob", "bob's password"}, "corrupt": {"ada", "y"},
		} {
			h.events = nil
			saved := h.stored["id-adapassword"]
			if what == "corrupt" {
				h.stored["id-adapassword"] = "$argon2id$v=19$broken"
			}
			began := time.Now()
			v, cost, err := h.enter(a[0], a[1])
			took[what] = time.Since(began)
			h.stored["id-adapassword"] = saved
			require.Equal(t, uint64(1), cost, "%s: derivations", what)
			require.Empty(t, v.Proofs(), what)
			seen[outside(t, err)] = what

			var refusal *login.Refusal
			require.ErrorAs(t, err, &refusal, what)
			if want := wants[what]; want != nil {
				require.ErrorIs(t, refusal.Reason(), want, what)
			} else {
				var locked *lockout.LockedError
				require.ErrorAs(t, refusal.Reason(), &locked, what)
				require.Equal(t, lockout.Locked, locked.Standing)
			}
			last := h.events[len(h.events)-1]
			require.Equal(t, login.ActionRefused, last.Action)
			require.Equal(t, refusal.Reason().Error(), last.Reason, what)
		}
		require.Len(t, seen, 1, "%v", seen)
		for what, d := range took {
			require.Equal(t, took["wrong"], d, "%s: time until it is told", what)
		}
	})
}

func TestWhatWasTypedAsANameIsKeptNowhere(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	for i := range 4 {
		_, _, err := h.enter("my-Secret-Passw0rd", fmt.Sprint(i))
		require.ErrorIs(t, err, login.ErrRefused)
	}
	require.NotEmpty(t, h.events)
	actions := map[string]bool{}
	for _, e := range h.events {
		text, err := json.Marshal(e)
		require.NoError(t, err)
		require.NotContains(t, string(text), "Passw0rd")
		actions[e.Action] = true
	}
	require.True(t, actions[lockout.ActionLocked], "an account that is not there locks as one that is: %v", actions)
}

func TestARightSecretIsAProofForASession(t *testing.T) {
	h := open(t, nil)
	v, cost, err := h.enter("Ada", "ada's password")
	require.NoError(t, err)
	require.Equal(t, uint64(1), cost)
	require.Equal(t, "id-ada", v.User.Account)
	proofs := v.Proofs()
	require.Len(t, proofs, 1)
	require.Equal(t, opsec.TenantID("acme"), proofs[0].Tenant())
	require.Equal(t, "id-ada", proofs[0].Account())
	require.Equal(t, "password", proofs[0].Factor())
	require.Equal(t, login.ActionPassed, h.events[len(h.events)-1].Action)
	require.Equal(t, "192.0.2.7", h.events[len(h.events)-1].Actor.IP.String())
}

func TestAnAttemptThatCouldNotBeRecordedIsNotTried(t *testing.T) {
	h := open(t, nil)
	for what, change := range map[string]func(a *login.Attempt){
		"no system":          func(a *login.Attempt) { a.System = "" },
		"no address":         func(a *login.Attempt) { a.From.IP = netip.Addr{} },
		"no terminal":        func(a *login.Attempt) { a.From.Terminal = "" },
		"too long a browser": func(a *login.Attempt) { a.From.Terminal = strings.Repeat("x", 1<<20) },
		"no tenant":          func(a *login.Attempt) { a.Tenant = "" },
		"no such factor":     func(a *login.Attempt) { a.Factor = "mind-reading" },
	} {
		a, before := attempt("ada", "ada's password"), h.pool.Calls()
		change(&a)
		_, err := h.desk.Enter(context.Background(), a)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.Equal(t, before, h.pool.Calls(), what)
		require.Empty(t, h.events, what)
	}
}

func TestASecretThatMustBeChangedOpensNoSession(t *testing.T) {
	h := open(t, nil)
	h.must = true
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	require.True(t, v.MustChange)
	require.Empty(t, v.Proofs())
	h.must = false
	v, err = h.desk.Continue(context.Background(), v, second("ada's otp"))
	require.NoError(t, err)
	require.True(t, v.MustChange)
	require.Empty(t, v.Proofs(), "a second factor does not make good for it")
}

// A flood of guesses hides what is wrong; it counts all the same, for accounts that are there and that are not.
func TestWhatIsHiddenCountsAllTheSame(t *testing.T) {
	for _, name := range []string{"ada", "nobody"} {
		h := open(t, nil)
		h.hidden = true
		for i := range 3 {
			_, _, err := h.enter(name, fmt.Sprint(i))
			require.Equal(t, login.ErrBusy, err, name)
		}
		h.hidden = false
		synctestless(h)
		_, _, err := h.enter(name, name+"'s password")
		var refusal *login.Refusal
		require.ErrorAs(t, err, &refusal)
		var locked *lockout.LockedError
		require.ErrorAs(t, refusal.Reason(), &locked, name)
	}
}

func second(secret string) login.Attempt {
	a := attempt("somebody else", secret)
	a.Factor = lockout.OTP
	return a
}

func TestASecondFactorIsOfTheSameAccount(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	v, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	_, err = h.desk.Continue(context.Background(), v, second("bob's otp"))
	require.ErrorIs(t, err, login.ErrRefused)
	two, err := h.desk.Continue(context.Background(), v, second("ada's otp"))
	require.NoError(t, err)
	require.Len(t, two.Proofs(), 2)
	require.Len(t, v.Proofs(), 1, "the first visit is a value")
	_, err = h.desk.Continue(context.Background(), two, second("ada's otp"))
	requireReason(t, err, login.ErrStale) // that factor it has
	_, err = h.desk.Continue(context.Background(), login.Visit{}, second("ada's otp"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// keycloak#26177, #26180: a lock ends the log-in that is half done.
func TestALockEndsAVisitThatWaitsForItsSecondFactor(t *testing.T) {
	for what, then := range map[string]func(h *house){
		"locked": func(h *house) {
			for i := range 3 {
				h.enter("ada", fmt.Sprint(i))
			}
		},
		"held": func(h *house) {
			require.NoError(h.t, h.gate.Hold(context.Background(), lockout.Who{Tenant: "acme", Account: "id-ada"}, opsec.Actor{Account: "root"}, "stolen"))
		},
		"disabled": func(h *house) { h.accounts["ada"] = login.Account{ID: "id-ada", Closed: "disabled"} },
		"deleted":  func(h *house) { delete(h.accounts, "ada") },
		"another": func(h *house) {
			h.accounts["ada"] = login.Account{ID: "id-of-the-next-ada"}
			h.stored["id-of-the-next-ada"+string(lockout.OTP)] = h.stored["id-ada"+string(lockout.OTP)]
		},
	} {
		t.Run(what, func(t *testing.T) {
			h := open(t, nil)
			synctestless(h)
			v, _, err := h.enter("ada", "ada's password")
			require.NoError(t, err)
			then(h)
			_, err = h.desk.Continue(context.Background(), v, second("ada's otp"))
			require.ErrorIs(t, err, login.ErrRefused)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		v, _, err := h.enter("ada", "ada's password")
		require.NoError(t, err)
		time.Sleep(6 * time.Minute)
		_, err = h.desk.Continue(context.Background(), v, second("ada's otp"))
		requireReason(t, err, login.ErrStale)
	})
}

func TestAStrangerDoesNotLockTheOwnerOutOfTheirDevice(t *testing.T) {
	h := open(t, &login.Options{Classify: func(a login.Attempt, account string) (lockout.Class, string) {
		if a.Device == "token of ada's" && account == "id-ada" {
			return lockout.Trusted, "laptop"
		}
		return lockout.Unknown, ""
	}})
	synctestless(h)
	for i := range 5 {
		h.enter("ada", fmt.Sprint(i))
	}
	_, _, err := h.enter("ada", "ada's password")
	require.ErrorIs(t, err, login.ErrRefused, "strangers have used up theirs")
	own := attempt("ada", "ada's password")
	own.Device = "token of ada's"
	_, err = h.desk.Enter(context.Background(), own)
	require.NoError(t, err)
}

func TestARegisterThatIsDownRefusesNobodyForGood(t *testing.T) {
	h := open(t, nil)
	synctestless(h)
	h.broken = errors.New("no route to host db-3")
	for range 5 {
		_, cost, err := h.enter("ada", "ada's password")
		require.Equal(t, login.ErrBusy, err)
		require.Zero(t, cost)
	}
	h.broken, h.corrupt = nil, fmt.Errorf("slots: %w", hash.ErrBusy)
	for range 5 {
		_, _, err := h.enter("ada", "ada's password")
		require.Equal(t, login.ErrBusy, err, "busy is no failure")
	}
	h.corrupt = nil
	_, _, err := h.enter("ada", "ada's password")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.broken = ctx.Err()
	_, err = h.desk.Enter(ctx, attempt("ada", "ada's password"))
	require.ErrorIs(t, err, context.Canceled)
}

func TestADeskIsNotOpenedWithoutWhatItNeeds(t *testing.T) {
	h := open(t, nil)
	for _, o := range []*login.Options{nil, {}, {Recorder: h, NameKey: make([]byte, 15)}, {Recorder: h, NameKey: []byte{}}, {Recorder: h, Second: -1}} {
		_, err := login.New(h, h, h.gate, o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := login.New(h, h, nil, &login.Options{Recorder: h})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func requireReason(t *testing.T, err, want error) {
	t.Helper()
	var refusal *login.Refusal
	require.ErrorAs(t, err, &refusal)
	require.ErrorIs(t, refusal.Reason(), want)
}

// synctestless makes derivations tell at once, in tests that look at no time.
func synctestless(h *house) {
	var err error
	h.pool, err = hash.New(hash.Params{M: 8, T: 1, P: 1}, &hash.Options{InsecureNoPace: true})
	require.NoError(h.t, err)
}

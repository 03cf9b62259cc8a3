package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

// paired checks that each log-in has one log-out, with all fields, that names its time, address and terminal.
func (w *world) paired(t tb) {
	t.Helper()
	outs := map[string]opsec.Event{}
	for _, e := range w.record.of(session.ActionLogOut) {
		require.NoError(t, e.Validate())
		require.NotContains(t, outs, e.Resource.ID, "one log-out each")
		outs[e.Resource.ID] = e
	}
	ins := w.record.of(session.ActionLogIn)
	require.Len(t, outs, len(ins))
	for _, in := range ins {
		out := outs[in.Resource.ID]
		require.Equal(t, opsec.Authentication, out.Category)
		require.True(t, in.Time.Equal(out.Began))
		require.Equal(t, in.Actor, out.Actor)
		require.Equal(t, in.System, out.System)
		require.Equal(t, in.Actor.Session, out.Actor.Session)
	}
}

func why(e opsec.Event) string {
	for _, a := range e.Attrs {
		if a.Key == "why" {
			return a.Value
		}
	}
	return ""
}

func TestLogOutEndsTheSessionInAllApplications(t *testing.T) {
	for _, from := range []string{"", "billing"} { // by the session's own token, or by that of an application
		w := newWorld(t, plain)
		s, token := w.open("eve")
		w.clock.add(time.Minute)
		_, billing, err := w.Join(bg, token, session.Use{}, "billing", true)
		require.NoError(t, err)
		_, wiki, err := w.Join(bg, token, session.Use{}, "wiki", false)
		require.NoError(t, err)
		joins := w.record.of(session.ActionJoin)
		require.Len(t, joins, 2)
		require.NoError(t, joins[0].Validate())
		require.Equal(t, "billing", joins[0].System)
		require.Equal(t, opsec.Authentication, joins[0].Category)

		w.clock.add(time.Minute)
		by := map[string]session.Token{"": token, "billing": billing}[from]
		notice, err := w.End(bg, by, session.Use{Application: from})
		require.NoError(t, err)
		require.Equal(t, session.Notice{Tenant: "acme", Account: "eve", Session: s.ID, Why: session.LoggedOut,
			Ended: noon.Add(2 * time.Minute), Until: noon.Add(plain.Maximum), Applications: []string{"billing"}}, notice)
		for n, err := range w.Notices(bg, "acme") {
			require.NoError(t, err)
			require.Equal(t, notice, n)
			require.NoError(t, w.Told(bg, n))
		}
		require.Len(t, w.record.of(session.ActionTold), 1)
		for application, token := range map[string]session.Token{"": token, "billing": billing, "wiki": wiki} {
			_, err = w.node(nil).Validate(bg, token, session.Use{Application: application})
			require.ErrorIs(t, err, session.ErrUnknown)
		}
		_, err = w.Validate(bg, by, session.Use{Application: from})
		require.ErrorIs(t, err, session.ErrUnknown, "here at once")
		_, err = w.End(bg, by, session.Use{Application: from})
		require.ErrorIs(t, err, session.ErrUnknown)
		w.paired(t)
		out := w.record.of(session.ActionLogOut)[0]
		require.Equal(t, "log-out", why(out))
		require.Contains(t, out.Attrs, opsec.Attr{Key: "applications", Value: "billing,wiki", Mark: opsec.Tenant})
	}
}

func TestATokenOfOneApplicationIsRefusedAtAnother(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	tokens := map[string]session.Token{"": token}
	for _, name := range []string{"billing", "wiki"} {
		s, app, err := w.Join(bg, token, session.Use{}, name, false)
		require.NoError(t, err)
		require.NotEqual(t, token, app)
		tokens[name] = app
		require.Equal(t, name, s.Applications[len(s.Applications)-1].Name)
	}
	for range 2 { // read, and cached
		for of, token := range tokens {
			for at := range tokens {
				_, err := w.Validate(bg, token, session.Use{Application: at})
				if of == at {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, session.ErrAudience)
				_, err = w.End(bg, token, session.Use{Application: at})
				require.ErrorIs(t, err, session.ErrAudience)
			}
		}
	}
	app, use := tokens["wiki"], session.Use{Application: "wiki"}
	_, _, err := w.Join(bg, app, use, "other", false)
	require.ErrorIs(t, err, session.ErrAudience)
	_, _, err = w.Renew(bg, app, use)
	require.ErrorIs(t, err, session.ErrAudience)
	_, _, err = w.Raise(bg, app, session.Use{}, w.proof("eve"))
	require.ErrorIs(t, err, session.ErrAudience)

	_, again, err := w.Join(bg, token, session.Use{}, "wiki", false)
	require.NoError(t, err)
	_, err = w.node(nil).Validate(bg, app, use)
	require.ErrorIs(t, err, session.ErrUnknown, "it has another token")
	_, err = w.Validate(bg, again, use)
	require.NoError(t, err)
	require.Len(t, w.book("eve").Sessions[0].Applications, 2)

	for _, name := range []string{"", "a,b", "ü", string(make([]byte, 65))} {
		_, _, err = w.Join(bg, token, session.Use{}, name, false)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	for i := range session.MaxApplications - 2 {
		_, _, err = w.Join(bg, token, session.Use{}, string(id(i)), false)
		require.NoError(t, err)
	}
	_, _, err = w.Join(bg, token, session.Use{}, "one-more", false)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestNoticesWaitUntilTheApplicationsWereTold(t *testing.T) {
	w := newWorld(t, plain)
	waiting := func() (list []session.Notice) {
		for n, err := range w.Notices(bg, "acme") {
			require.NoError(t, err)
			list = append(list, n)
		}
		return list
	}
	for _, account := range []string{"eve", "bob"} {
		_, token := w.open(account)
		for _, name := range []string{"billing", "wiki"} {
			_, _, err := w.Join(bg, token, session.Use{}, name, true)
			require.NoError(t, err)
		}
	}
	require.Empty(t, waiting())
	require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "left"))
	w.clock.add(plain.Idle)
	_, err := w.Sweep(bg, "acme") // bob's has run out
	require.NoError(t, err)
	list := waiting()
	require.Len(t, list, 2)
	require.Equal(t, "eve", list[0].Account)
	require.Equal(t, session.Revoked, list[0].Why)
	require.Equal(t, "bob", list[1].Account)
	require.Equal(t, session.Idle, list[1].Why)
	require.Equal(t, []string{"billing", "wiki"}, list[0].Applications)

	part := list[0]
	part.Applications = []string{"wiki"}
	require.NoError(t, w.Told(bg, part))
	require.NoError(t, w.Told(bg, part))
	require.Len(t, w.record.of(session.ActionTold), 1)
	require.Equal(t, []string{"billing"}, waiting()[0].Applications)
	require.NoError(t, w.Told(bg, list[0]))
	require.Len(t, waiting(), 1)
	w.clock.add(plain.Maximum)
	require.Empty(t, waiting(), "an application that was never told knows the maximum")

	plainBooks := struct{ session.Books }{w.memory}
	m, err := session.New(plainBooks, plain, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	_, err = m.Sweep(bg, "acme")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	for _, err := range m.Notices(bg, "acme") {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestOneSessionIsRevokedByItsID(t *testing.T) {
	w := newWorld(t, plain)
	s, token := w.open("eve")
	_, other := w.open("eve")
	notice, err := w.Revoke(bg, "acme", "eve", s.ID, admin, "stolen")
	require.NoError(t, err)
	require.Empty(t, notice.Applications)
	_, err = w.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	_, err = w.Validate(bg, other, session.Use{})
	require.NoError(t, err)
	_, err = w.Revoke(bg, "acme", "eve", s.ID, admin, "again")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	e := w.record.of(session.ActionRevoke)
	require.Len(t, e, 1)
	require.NoError(t, e[0].Validate())
	require.Equal(t, admin, e[0].Actor)
	require.Equal(t, "stolen", e[0].Reason)
	require.Equal(t, opsec.Critical, e[0].Class)
	require.Equal(t, "revoked", why(w.record.of(session.ActionLogOut)[0]))
}

func TestRevokeAllIsOneWriteHoweverManySessions(t *testing.T) {
	for _, n := range []int{0, 1, 32} {
		p := plain
		p.Concurrent = 32
		w := newWorld(t, p)
		var tokens []session.Token
		for range n {
			_, token := w.open("eve")
			tokens = append(tokens, token)
		}
		_, bystander := w.open("bob")
		w.books.counts()
		require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "left"))
		reads, writes := w.books.counts()
		require.Equal(t, []int{1, 1}, []int{reads, writes})
		require.Len(t, w.books.last.Events, 1)
		require.Len(t, w.record.of(session.ActionRevokeAll), 1)
		for i, token := range tokens {
			_, err := w.Validate(bg, token, session.Use{})
			if i == 0 {
				ended(t, session.Revoked, err)
			} else {
				require.ErrorIs(t, err, session.ErrUnknown)
			}
		}
		_, err := w.Validate(bg, bystander, session.Use{})
		require.NoError(t, err)
		require.Len(t, w.record.of(session.ActionLogOut), n)
		for _, e := range w.record.of(session.ActionLogOut) {
			require.Equal(t, "revoked", why(e))
			require.Equal(t, noon, e.Time)
		}
	}
}

// A log-in that had begun before a password was reset does not go on with the old one.
func TestAProofFromBeforeARevocationOpensNothing(t *testing.T) {
	w := newWorld(t, plain)
	old := w.proof("eve")
	_, token := w.open("eve")
	w.clock.add(time.Second)
	require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "reset"))
	for _, proof := range []proven{old, w.proof("eve")} { // from before, and of the same instant
		_, _, err := w.Create(bg, request("eve"), proof)
		require.ErrorIs(t, err, session.ErrProof)
	}
	w.clock.add(1)
	s, token2, err := w.Create(bg, request("eve"), w.proof("eve"))
	require.NoError(t, err)
	got, err := w.Validate(bg, token2, session.Use{})
	require.NoError(t, err)
	require.Equal(t, s, got)
	_, err = w.Validate(bg, token, session.Use{})
	require.Error(t, err)
	_, _, err = w.Raise(bg, token2, session.Use{}, old)
	require.ErrorIs(t, err, session.ErrProof)

	// The epoch is forgotten when nothing can be from before it.
	_, err = w.End(bg, token2, session.Use{})
	require.NoError(t, err)
	require.EqualValues(t, 1, w.book("eve").Epoch)
	w.clock.add(4 * session.MaxFresh)
	n, err := w.Sweep(bg, "acme")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, session.Book{}, w.book("eve"))
}

func TestARevocationIsNotUndoneByAClockThatIsBehind(t *testing.T) {
	w := newWorld(t, plain)
	require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "reset"))
	old := w.proof("eve")
	w.clock.add(-time.Minute)
	require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "again"))
	w.clock.add(2 * time.Minute)
	_, _, err := w.Create(bg, request("eve"), old)
	require.ErrorIs(t, err, session.ErrProof)
}

func TestASessionOutlivesTheEpochBeforeIt(t *testing.T) {
	w := newWorld(t, plain)
	require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "reset"))
	w.clock.add(1)
	_, token := w.open("eve")
	for range 14 {
		w.clock.add(30 * time.Minute)
		_, err := w.Validate(bg, token, session.Use{})
		require.NoError(t, err)
	}
}

func TestWhatIsDoneByAClockThatIsBehindTakesNoUseBack(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	w.clock.add(10 * time.Minute)
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	w.clock.add(-10 * time.Minute)
	_, _, err = w.Renew(bg, token, session.Use{})
	require.NoError(t, err)
	require.Equal(t, noon.Add(10*time.Minute), w.book("eve").Sessions[0].Seen)
}

func TestSweepFindsWhatHasRunOut(t *testing.T) {
	w := newWorld(t, plain)
	w.open("eve")
	w.clock.add(10 * time.Minute)
	w.open("eve")
	w.open("bob")
	w.clock.add(50*time.Minute - 1)
	n, err := w.Sweep(bg, "acme")
	require.NoError(t, err)
	require.Zero(t, n)
	w.clock.add(1)
	n, err = w.Sweep(bg, "acme")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, w.record.of(session.ActionLogOut), 1)
	w.clock.add(time.Hour)
	n, err = w.Sweep(bg, "acme")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	w.paired(t)
	for _, e := range w.record.of(session.ActionLogOut) {
		require.Equal(t, "idle", why(e))
		require.Equal(t, e.Began.Add(plain.Idle), e.Time)
	}
	require.Equal(t, session.Book{}, w.book("eve"), "an empty book is not kept")
	n, err = w.Sweep(bg, "acme")
	require.NoError(t, err)
	require.Zero(t, n)
	w.open("eve")
	w.clock.add(time.Hour)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err = w.Sweep(ctx, "acme")
	require.ErrorIs(t, err, context.Canceled)
}

func TestRenewGivesAnotherToken(t *testing.T) {
	w := newWorld(t, plain)
	s, token := w.open("eve")
	_, app, err := w.Join(bg, token, session.Use{}, "billing", false)
	require.NoError(t, err)
	_, err = w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	next, fresh, err := w.Renew(bg, token, session.Use{})
	require.NoError(t, err)
	require.Equal(t, s.ID, next.ID)
	require.NotEqual(t, token, fresh)
	_, err = w.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	_, _, err = w.Renew(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	_, err = w.Validate(bg, fresh, session.Use{})
	require.NoError(t, err)
	_, err = w.Validate(bg, app, session.Use{Application: "billing"})
	require.NoError(t, err)
	require.Len(t, w.record.of(session.ActionRenew), 1)
	require.Len(t, w.record.of(session.ActionLogIn), 1)
	w.clock.add(plain.Maximum)
	_, _, err = w.Renew(bg, fresh, session.Use{})
	ended(t, session.Idle, err)
	w.paired(t)
}

func TestRaiseAddsAFactorAndChangesTheToken(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	w.clock.add(10 * time.Minute)
	for _, proofs := range [][]session.Proof{nil, {proven{"acme", "eve", "otp", noon}}, {proven{"acme", "bob", "otp", w.Now()}}} {
		_, _, err := w.Raise(bg, token, session.Use{}, proofs...)
		require.ErrorIs(t, err, session.ErrProof)
	}
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err, "a refused step changes nothing")
	s, fresh, err := w.Raise(bg, token, session.Use{}, proven{"acme", "eve", "otp", w.Now()})
	require.NoError(t, err)
	require.Equal(t, []session.Factor{{"password", noon}, {"otp", noon.Add(10 * time.Minute)}}, s.Factors)
	require.True(t, s.Fresh(w.Now(), time.Minute, "otp"))
	require.False(t, s.Fresh(w.Now(), time.Minute, "password"))
	_, err = w.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	before := s
	s, last, err := w.Raise(bg, fresh, session.Use{}, proven{"acme", "eve", "password", w.Now()})
	require.NoError(t, err)
	require.Len(t, s.Factors, 2)
	require.Equal(t, noon, before.Factors[0].At, "what was handed out before is as it was")
	require.True(t, s.Fresh(w.Now(), time.Minute, "password", "otp"))
	s, _, err = w.Raise(bg, last, session.Use{}, proven{"acme", "eve", "password", w.Now().Add(-time.Minute)})
	require.NoError(t, err)
	require.Equal(t, w.Now(), s.Factors[0].At, "an older proof makes nothing older")
	require.Equal(t, noon.Add(plain.Maximum), s.Began.Add(plain.Maximum), "it lasts as long as before")
	e := w.record.of(session.ActionRaise)
	require.Len(t, e, 3)
	require.NoError(t, e[0].Validate())
	require.Contains(t, e[0].Attrs, opsec.Attr{Key: "factors", Value: "otp", Mark: opsec.Tenant})
}

// denier permits nothing, and notes what it was asked.
type denier struct{ asked []string }

func (d *denier) Authorize(_ context.Context, who opsec.Actor, action string, what opsec.Resource) error {
	d.asked = append(d.asked, who.Account+" "+action+" "+what.String())
	return opsec.ErrDenied
}

func TestOthersNeedLeave(t *testing.T) {
	w := newWorld(t, plain)
	s, token := w.open("eve")
	d := &denier{}
	m := w.node(&session.Options{Now: w.clock.now, Authorizer: d})
	_, err := m.Revoke(bg, "acme", "eve", s.ID, admin, "")
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorIs(t, m.RevokeAll(bg, "acme", "eve", admin, ""), opsec.ErrDenied)
	_, err = m.Sessions(bg, "acme", "eve", admin)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, []string{"ann session.revoke acme/account/eve", "ann session.revoke-all acme/account/eve", "ann session.list acme/account/eve"}, d.asked)
	_, err = m.Validate(bg, token, session.Use{})
	require.NoError(t, err)

	list, err := w.Sessions(bg, "acme", "eve", admin)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, s.ID, list[0].ID)
	w.clock.add(plain.Idle)
	list, err = w.Sessions(bg, "acme", "eve", admin)
	require.NoError(t, err)
	require.Empty(t, list)
	w.paired(t)
	for _, err := range []error{
		w.RevokeAll(bg, "", "eve", admin, ""), w.RevokeAll(bg, "acme", "", admin, ""), w.RevokeAll(bg, "acme", string(make([]byte, 257)), admin, ""),
	} {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestErrorsHaveNoSecretAndOneRoot(t *testing.T) {
	for _, err := range []error{session.ErrUnknown, session.ErrKey, session.ErrAudience, session.ErrProof, session.ErrFull,
		&session.EndedError{Standing: session.Idle}, &session.FullError{Limit: 3}} {
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Contains(t, err.Error(), "session: ")
		require.False(t, errors.Is(err, opsec.ErrInvalid))
	}
}

// Two names with one address are not to be had, but if they were, the second would find no way in.
func TestABookIsOfOneAccount(t *testing.T) {
	w := newWorld(t, plain)
	s, _ := w.open("eve")
	book := w.book("eve")
	require.NoError(t, w.memory.Update(bg, session.AddressOf("acme", "bob"), func(session.Book) (session.Change, error) {
		return session.Change{Put: &book}, nil
	}))
	_, _, err := w.Create(bg, request("bob"), w.proof("bob"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = w.Revoke(bg, "acme", "bob", s.ID, admin, "")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorIs(t, w.RevokeAll(bg, "acme", "bob", admin, ""), opsec.ErrInvalid)
	list, err := w.Sessions(bg, "acme", "bob", admin)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Empty(t, list)
	require.Equal(t, book, w.book("bob"))
}

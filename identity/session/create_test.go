package session_test

import (
	"errors"
	"go/parser"
	"go/token"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

func TestLogInIsRecordedWithAllThatTheClauseAsksFor(t *testing.T) {
	w := newWorld(t, plain)
	s, token := w.open("eve")
	require.Equal(t, noon, s.Began)
	require.EqualValues(t, s.ID, s.User.Session)
	got, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	require.Equal(t, s, got)

	list := w.record.of(session.ActionLogIn)
	require.Len(t, list, 1)
	e := list[0]
	require.NoError(t, e.Validate())
	require.Equal(t, opsec.Authentication, e.Category)
	require.Equal(t, opsec.Success, e.Outcome)
	require.Equal(t, "console", e.System)
	require.Equal(t, s.User, e.Actor)
	require.Equal(t, netip.MustParseAddr("192.0.2.7"), e.Actor.IP)
	require.Equal(t, "laptop", e.Actor.Terminal)
	require.Equal(t, noon, e.Time)
	require.EqualValues(t, "acme", e.Tenant)
	require.Contains(t, e.Attrs, opsec.Attr{Key: "factors", Value: "password", Mark: opsec.Tenant})
}

func TestOnlyFreshProofsOfThisAccountOpenASession(t *testing.T) {
	w := newWorld(t, plain)
	good := w.proof("eve")
	tests := map[string][]session.Proof{
		"none":            nil,
		"nil":             {nil},
		"nil pointer":     {(*proven)(nil)},
		"zero":            {proven{}},
		"other account":   {proven{"acme", "bob", "password", noon}},
		"other tenant":    {proven{"globex", "eve", "password", noon}},
		"no factor":       {proven{"acme", "eve", "", noon}},
		"strange factor":  {proven{"acme", "eve", "pass,word", noon}},
		"no time":         {proven{"acme", "eve", "password", time.Time{}}},
		"too old":         {proven{"acme", "eve", "password", noon.Add(-plain.Fresh - 1)}},
		"of the future":   {proven{"acme", "eve", "password", noon.Add(plain.Fresh + 1)}},
		"one of them bad": {good, proven{"acme", "bob", "otp", noon}},
		"too many":        {good, good, good, good, good, good, good, good, good},
	}
	n := 0
	for name, proofs := range tests {
		_, token, err := w.Create(bg, request("eve"), proofs...)
		require.ErrorIs(t, err, session.ErrProof, name)
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Zero(t, token)
		n++
		require.Len(t, w.record.of(session.ActionRefuse), n)
	}
	require.Empty(t, w.record.of(session.ActionLogIn))
	require.Empty(t, w.book("eve").Sessions)
	for _, at := range []time.Duration{-plain.Fresh, plain.Fresh} {
		s, _, err := w.Create(bg, request("eve"), proven{"acme", "eve", "password", noon.Add(at)})
		require.NoError(t, err)
		require.False(t, s.Factors[0].At.After(noon))
	}
}

func TestAsManyDifferentFactorsAsThePolicyAsksFor(t *testing.T) {
	p := plain
	p.Factors = 2
	w := newWorld(t, p)
	password, code := w.proof("eve"), w.proof("eve")
	code.factor = "otp"
	for _, proofs := range [][]session.Proof{{password}, {password, password}} {
		_, _, err := w.Create(bg, request("eve"), proofs...)
		require.ErrorIs(t, err, session.ErrProof)
	}
	s, _, err := w.Create(bg, request("eve"), password, code)
	require.NoError(t, err)
	require.Equal(t, []session.Factor{{"password", noon}, {"otp", noon}}, s.Factors)
}

func TestARequestThatCouldNotBeRecordedIsInvalid(t *testing.T) {
	w := newWorld(t, plain)
	long := strings.Repeat("x", 257)
	for name, spoil := range map[string]func(*session.Request){
		"tenant":    func(r *session.Request) { r.User.Tenant = "" },
		"account":   func(r *session.Request) { r.User.Account = "" },
		"ip":        func(r *session.Request) { r.User.IP = netip.Addr{} },
		"terminal":  func(r *session.Request) { r.User.Terminal = "" },
		"system":    func(r *session.Request) { r.System = "" },
		"session":   func(r *session.Request) { r.User.Session = "x" },
		"257 bytes": func(r *session.Request) { r.User.Terminal = long },
		"text":      func(r *session.Request) { r.User.Person = "a\nb" },
		"UTF-8":     func(r *session.Request) { r.System = "\xff" },
	} {
		r := request("eve")
		spoil(&r)
		_, _, err := w.Create(bg, r, w.proof("eve"))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		if name != "tenant" {
			require.ErrorContains(t, err, name)
		}
	}
	require.Empty(t, w.record.events)
}

// keycloak#44474: a refusal for too many sessions was counted as a failed log-in.
func TestTooManySessionsIsNoFailedLogIn(t *testing.T) {
	w := newWorld(t, plain)
	for range plain.Concurrent {
		w.open("eve")
	}
	_, _, err := w.Create(bg, request("eve"), w.proof("eve"))
	var full *session.FullError
	require.ErrorAs(t, err, &full)
	require.Equal(t, plain.Concurrent, full.Limit)
	require.ErrorIs(t, err, session.ErrFull)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.NotErrorIs(t, err, session.ErrProof)
	list := w.record.of(session.ActionRefuse)
	require.Len(t, list, 1)
	require.NoError(t, list[0].Validate())
	require.Equal(t, opsec.Denied, list[0].Outcome)
	for _, e := range w.record.events {
		require.NotEqual(t, opsec.Failure, e.Outcome)
	}
	w.open("bob")
	w.clock.add(plain.Idle)
	w.open("eve") // what has run out does not count
	require.Len(t, w.record.of(session.ActionLogOut), plain.Concurrent)
}

// keycloak#49960: a refresh reset the counter of wrong secrets. Nothing of this package can: it does not know one, and what
// refreshes takes no proof.
func TestNoPathToWhatIsRememberedOfWrongSecrets(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	shelf, err := filepath.Glob("shelf/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, shelf)
	for _, name := range append(files, shelf...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, imported := range file.Imports {
			require.NotContains(t, imported.Path.Value, "lockout", name)
		}
	}
	w := newWorld(t, plain)
	_, tok := w.open("eve")
	w.record.events = nil
	for range 10 {
		w.clock.add(plain.Grain)
		_, err := w.Validate(bg, tok, session.Use{})
		require.NoError(t, err)
	}
	require.Empty(t, w.record.events, "a refresh looks like no log-in")
}

func TestTheOldestMakesRoom(t *testing.T) {
	p := plain
	p.WhenFull = session.EndOldest
	w := newWorld(t, p)
	first, token := w.open("eve")
	w.clock.add(time.Second)
	second, _ := w.open("eve")
	w.open("eve")
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	w.clock.add(p.Cache)
	w.open("eve")
	_, err = w.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	list := w.record.of(session.ActionLogOut)
	require.Len(t, list, 1)
	require.EqualValues(t, first.ID, list[0].Resource.ID)
	require.Contains(t, list[0].Attrs, opsec.Attr{Key: "why", Value: "displaced", Mark: opsec.Tenant})
	require.Equal(t, second.ID, w.book("eve").Sessions[0].ID)

	p.Concurrent = 1 // a policy that was made stricter
	w.policy = p
	_, _, err = w.node(nil).Create(bg, request("eve"), w.proof("eve"))
	require.NoError(t, err)
	require.Len(t, w.book("eve").Sessions, 1)
}

func TestNeverMoreSessionsThanThePolicySays(t *testing.T) {
	for _, when := range []session.WhenFull{session.Refuse, session.EndOldest} {
		p := plain
		p.WhenFull = when
		w := newWorld(t, p)
		nodes := []*session.Manager{w.Manager, w.node(nil), w.node(nil)}
		var all sync.WaitGroup
		var opened atomic.Int32
		for i := range 24 {
			all.Go(func() {
				_, _, err := nodes[i%3].Create(bg, request("eve"), w.proof("eve"))
				if err == nil {
					opened.Add(1)
				} else if !errors.Is(err, session.ErrFull) {
					panic(err)
				}
				if n := len(w.book("eve").Sessions); n > p.Concurrent {
					panic(n)
				}
			})
		}
		all.Wait()
		require.Len(t, w.book("eve").Sessions, p.Concurrent)
		want := map[session.WhenFull]int{session.Refuse: p.Concurrent, session.EndOldest: 24}[when]
		require.EqualValues(t, want, opened.Load())
		require.Len(t, w.record.of(session.ActionLogIn), want)
		require.Len(t, w.record.of(session.ActionLogOut), want-p.Concurrent)
	}
}

func TestWhatIsNotRecordedDoesNotHappen(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	down := errors.New("disk full")
	w.record.fail = down
	_, _, err := w.Create(bg, request("eve"), w.proof("eve"))
	require.ErrorIs(t, err, down)
	_, err = w.End(bg, token, session.Use{})
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, w.RevokeAll(bg, "acme", "eve", admin, ""), down)
	w.record.fail = nil
	_, err = w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	require.Len(t, w.book("eve").Sessions, 1)
}

func TestABookDoesNotOutgrowItsRecord(t *testing.T) {
	p := plain
	p.Concurrent = 32
	w := newWorld(t, p)
	r := request("eve")
	r.User.Terminal, r.User.Person, r.System = strings.Repeat("<", 256), strings.Repeat("<", 256), strings.Repeat("<", 256)
	var err error
	for range p.Concurrent {
		var token session.Token
		if _, token, err = w.Create(bg, r, w.proof("eve")); err != nil {
			break
		}
		for i := range session.MaxApplications {
			if _, _, err = w.Join(bg, token, session.Use{}, strings.Repeat("a", 60)+string(id(i))[34:], true); err != nil {
				break
			}
		}
	}
	require.ErrorIs(t, err, session.ErrFull)
	require.LessOrEqual(t, len(w.json("eve")), session.MaxBook)
	require.NoError(t, w.RevokeAll(bg, "acme", "eve", admin, "test"))
	_, _, err = w.Create(bg, request("eve"), proven{"acme", "eve", "password", noon.Add(1)})
	require.NoError(t, err)
	require.LessOrEqual(t, len(w.json("eve")), session.MaxBook)
}

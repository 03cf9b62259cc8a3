package session_test

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/internal/race"
)

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	for _, cached := range []bool{true, false} {
		w := newWorld(t, plain)
		_, token := w.open("eve")
		if cached {
			_, err := w.Validate(bg, token, session.Use{})
			require.NoError(t, err)
		}
		w.clock.add(plain.Idle)
		_, err := w.Validate(bg, token, session.Use{})
		ended(t, session.Idle, err)
		_, err = w.Validate(bg, token, session.Use{})
		require.ErrorIs(t, err, session.ErrUnknown)
		list := w.record.of(session.ActionLogOut)
		require.Len(t, list, 1)
		require.Equal(t, noon.Add(plain.Idle), list[0].Time)
		w.clock.add(-plain.Idle) // a clock that goes back does not bring it back
		_, err = w.Validate(bg, token, session.Use{})
		require.ErrorIs(t, err, session.ErrUnknown)
	}
}

// Also where nothing tells a node of it, and a use was noted an instant before.
func TestASessionInTheCacheEndsInTime(t *testing.T) {
	p := plain
	p.Cache, p.Maximum, p.Idle = time.Hour, time.Hour+10*time.Second, time.Hour
	w := newWorld(t, p)
	_, token := w.open("eve")
	w.clock.add(59 * time.Minute)
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	w.clock.add(70*time.Second - 1)
	_, err = w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	w.clock.add(1)
	_, err = w.Validate(bg, token, session.Use{})
	ended(t, session.Expired, err)
}

func TestASessionEndsAtItsMaximumHoweverMuchItIsUsed(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	for range int(plain.Maximum/(30*time.Minute)) - 1 {
		w.clock.add(30 * time.Minute)
		_, err := w.Validate(bg, token, session.Use{})
		require.NoError(t, err)
	}
	w.clock.add(30*time.Minute - 1)
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	w.clock.add(1)
	_, err = w.Validate(bg, token, session.Use{})
	ended(t, session.Expired, err)
	require.Equal(t, noon.Add(plain.Maximum), w.record.of(session.ActionLogOut)[0].Time)
}

func TestUsesAreWrittenOnceAGrain(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	w.books.counts()
	for range 600 { // ten minutes, a use a second
		w.clock.add(time.Second)
		_, err := w.Validate(bg, token, session.Use{})
		require.NoError(t, err)
	}
	reads, writes := w.books.counts()
	require.Equal(t, 10, writes)
	require.InDelta(t, 20, reads, 2, "the cache lasts 30 s, and each write reads")
	// The last use that was written is less than a grain old, so the session ends less than a grain early.
	early := w.clock.now().Sub(w.book("eve").Sessions[0].Seen)
	require.Less(t, early, plain.Grain)
}

func TestWithoutACacheEachUseIsRead(t *testing.T) {
	p := plain
	p.Cache, p.Grain = 0, 0
	w := newWorld(t, p)
	_, token := w.open("eve")
	other := w.node(nil)
	w.books.counts()
	for range 5 {
		w.clock.add(1)
		_, err := w.Validate(bg, token, session.Use{})
		require.NoError(t, err)
	}
	reads, writes := w.books.counts()
	require.Equal(t, []int{5, 5}, []int{reads, writes})
	_, err := other.End(bg, token, session.Use{})
	require.NoError(t, err)
	_, err = w.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
}

func TestCacheIsBounded(t *testing.T) {
	p := plain
	p.Concurrent = 32
	w := newWorld(t, p)
	m := w.node(&session.Options{Now: w.clock.now, Entries: 8})
	var tokens []session.Token
	for range 32 {
		_, token := w.open("eve")
		tokens = append(tokens, token)
	}
	w.books.counts()
	for range 2 {
		for _, token := range tokens {
			_, err := m.Validate(bg, token, session.Use{})
			require.NoError(t, err)
		}
	}
	reads, _ := w.books.counts()
	require.GreaterOrEqual(t, reads, 32+24)
	_, err := m.Validate(bg, tokens[31], session.Use{})
	require.NoError(t, err)
	reads, _ = w.books.counts()
	require.Zero(t, reads, "the one that was used last")
}

// A place in the cache is taken from the session that was read first; and neither tokens that nobody was given, nor their log-outs,
// take one.
func TestTheCacheKeepsWhatWasReadLast(t *testing.T) {
	p := plain
	p.Concurrent = 5
	w := newWorld(t, p)
	m := w.node(&session.Options{Now: w.clock.now, Entries: 4})
	var tokens []session.Token
	for range 5 {
		_, token := w.open("eve")
		tokens = append(tokens, token)
		_, err := m.Validate(bg, token, session.Use{})
		require.NoError(t, err)
	}
	elsewhere := newWorld(t, p)
	_, invented := elsewhere.open("eve")
	_, err := m.Validate(bg, invented, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	_, err = m.End(bg, invented, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown)
	w.books.counts()
	for _, token := range tokens[1:] {
		_, err := m.Validate(bg, token, session.Use{})
		require.NoError(t, err)
	}
	reads, _ := w.books.counts()
	require.Zero(t, reads)
}

func TestAUseThatIsBeingWrittenHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plain
		p.Cache = 5 * time.Minute
		w := newWorld(t, p)
		slow := &slowBooks{Memory: w.memory}
		m, err := session.New(slow, p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
		require.NoError(t, err)
		_, token, err := m.Create(bg, request("eve"), proven{"acme", "eve", "password", time.Now()})
		require.NoError(t, err)
		_, err = m.Validate(bg, token, session.Use{})
		require.NoError(t, err)
		time.Sleep(p.Grain)
		slow.after = time.Second
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := m.Validate(bg, token, session.Use{}); err != nil {
				panic(err)
			}
		})
		synctest.Wait()
		before := time.Now()
		_, err = m.Validate(bg, token, session.Use{})
		require.NoError(t, err)
		require.Equal(t, before, time.Now())
		all.Wait()
	})
}

// While one use is being written, others are served from the cache.
func TestManyUsesAtOnceWriteOnce(t *testing.T) {
	p := plain
	p.Cache = 5 * time.Minute
	w := newWorld(t, p)
	_, token := w.open("eve")
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	w.clock.add(plain.Grain)
	w.books.counts()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				if _, err := w.Validate(bg, token, session.Use{}); err != nil {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	reads, writes := w.books.counts()
	require.Equal(t, []int{1, 1}, []int{reads, writes})
}

func TestARepositoryThatDoesNotAnswerRefuses(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	down := errors.New("connection refused")
	w.books.broken = down
	w.clock.add(plain.Cache - 1)
	_, err = w.Validate(bg, token, session.Use{})
	require.NoError(t, err, "the cache bridges as long as it may")
	w.clock.add(1)
	_, err = w.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, opsec.ErrDenied)
}

func TestATokenWithoutItsKeyIsRefused(t *testing.T) {
	p := plain
	p.Bound = true
	w := newWorld(t, p)
	var log bytes.Buffer
	m := w.node(&session.Options{Now: w.clock.now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, _, err := m.Create(bg, request("eve"), w.proof("eve"))
	require.ErrorIs(t, err, session.ErrKey)
	r := request("eve")
	r.Key = session.CertificateThumbprint([]byte("hers"))
	s, token, err := m.Create(bg, r, w.proof("eve"))
	require.NoError(t, err)
	_, app, err := m.Join(bg, token, session.Use{Key: r.Key}, "billing", false)
	require.NoError(t, err)
	nearly := r.Key
	nearly[31] ^= 1
	for range 2 { // read, and cached
		for _, key := range []session.Thumbprint{{}, session.CertificateThumbprint([]byte("other")), nearly} {
			_, err = m.Validate(bg, token, session.Use{Key: key})
			require.ErrorIs(t, err, session.ErrKey)
			_, err = m.Validate(bg, app, session.Use{Key: key, Application: "billing"})
			require.ErrorIs(t, err, session.ErrKey)
			_, err = m.End(bg, token, session.Use{Key: key})
			require.ErrorIs(t, err, session.ErrKey)
			_, _, err = m.Renew(bg, token, session.Use{Key: key})
			require.ErrorIs(t, err, session.ErrKey)
		}
		_, err = m.Validate(bg, token, session.Use{Key: r.Key})
		require.NoError(t, err)
		_, err = m.Validate(bg, app, session.Use{Key: r.Key, Application: "billing"})
		require.NoError(t, err)
	}
	require.Contains(t, log.String(), string(s.ID))
	require.NotContains(t, log.String(), token.Reveal()[10:50])

	// A thief who has no key does not keep the session alive.
	w.clock.add(plain.Idle / 2)
	_, err = m.Validate(bg, token, session.Use{})
	require.ErrorIs(t, err, session.ErrKey)
	w.clock.add(plain.Idle / 2)
	_, err = m.Validate(bg, token, session.Use{Key: r.Key})
	ended(t, session.Idle, err)

	// A policy that was made stricter asks sessions from before for a key that they do not have.
	loose := newWorld(t, plain)
	_, token = loose.open("eve")
	loose.policy = p
	_, err = loose.node(nil).Validate(bg, token, session.Use{Key: r.Key})
	require.ErrorIs(t, err, session.ErrKey)
}

func TestValidateFromTheCacheAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	w := newWorld(t, plain)
	r := request("eve")
	r.Key = session.CertificateThumbprint([]byte("hers"))
	_, token, err := w.Create(bg, r, w.proof("eve"))
	require.NoError(t, err)
	use, text := session.Use{Key: r.Key}, token.Reveal()
	_, err = w.Validate(bg, token, use)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		parsed, err := session.ParseToken(text)
		if err != nil {
			panic(err)
		}
		if _, err := w.Validate(bg, parsed, use); err != nil {
			panic(err)
		}
	}))
}

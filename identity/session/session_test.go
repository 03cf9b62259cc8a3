package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/session"
)

func TestStandingByTheLimits(t *testing.T) {
	s := session.Session{Began: noon, Seen: noon.Add(30 * time.Minute)}
	tests := []struct {
		name string
		seen time.Duration
		now  time.Duration
		want session.Standing
	}{
		{"just used", 0, 0, session.Valid},
		{"the last moment", 0, time.Hour - 1, session.Valid},
		{"idle", 0, time.Hour, session.Idle},
		{"long idle, and older than the maximum since", 0, 20 * time.Hour, session.Idle},
		{"used to the end", 7*time.Hour + 30*time.Minute, 8*time.Hour - 1, session.Valid},
		{"maximum", 7*time.Hour + 30*time.Minute, 8 * time.Hour, session.Expired},
		{"both at once", 7 * time.Hour, 8 * time.Hour, session.Expired},
		{"clock before the last use", 30 * time.Minute, -10 * time.Hour, session.Valid},
		{"clock before the last use, which was too late", 9 * time.Hour, -10 * time.Hour, session.Expired},
	}
	for _, test := range tests {
		s.Seen = noon.Add(test.seen)
		require.Equal(t, test.want, s.At(&plain, noon.Add(test.now)), test.name)
	}
}

func TestNextDeadlineIsWhenStandingChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plain
		p.Maximum = time.Duration(rapid.Int64Range(1, int64(session.MaxMaximum)).Draw(t, "maximum"))
		p.Idle = time.Duration(rapid.Int64Range(1, int64(p.Maximum)).Draw(t, "idle"))
		s := session.Session{Began: noon, Seen: noon.Add(time.Duration(rapid.Int64Range(0, int64(p.Maximum)-1).Draw(t, "seen")))}
		end := s.NextDeadline(&p)
		require.Equal(t, session.Valid, s.At(&p, end.Add(-1)))
		require.NotEqual(t, session.Valid, s.At(&p, end))
		require.False(t, end.After(noon.Add(p.Maximum)))
		require.False(t, end.After(s.Seen.Add(p.Idle)))
	})
}

func TestTouchIsAsCoarseAsTheGrain(t *testing.T) {
	s := session.Session{Began: noon, Seen: noon}
	require.False(t, s.Touch(&plain, noon.Add(time.Minute-1)))
	require.Equal(t, noon, s.Seen)
	require.True(t, s.Touch(&plain, noon.Add(time.Minute)))
	require.Equal(t, noon.Add(time.Minute), s.Seen)
	require.False(t, s.Touch(&plain, noon), "time does not go back")
	exact := plain
	exact.Grain = 0
	require.True(t, s.Touch(&exact, noon.Add(time.Minute+1)))
	require.False(t, s.Touch(&exact, noon.Add(time.Minute+1)))
}

func TestFreshAsksWhenAFactorWasProven(t *testing.T) {
	s := session.Session{Factors: []session.Factor{{"password", noon}, {"otp", noon.Add(time.Hour)}}}
	now := noon.Add(time.Hour + time.Minute)
	require.True(t, s.Fresh(now, time.Minute))
	require.False(t, s.Fresh(now, time.Minute-1))
	require.True(t, s.Fresh(now, time.Minute, "otp"))
	require.False(t, s.Fresh(now, time.Minute, "password"))
	require.False(t, s.Fresh(now, time.Minute, "otp", "password"))
	require.True(t, s.Fresh(now, 2*time.Hour, "otp", "password"))
	require.False(t, s.Fresh(now, 2*time.Hour, "passkey"))
	require.False(t, new(session.Session).Fresh(now, time.Hour))
	s.Seen = now
	require.False(t, s.Fresh(noon, time.Minute, "password"), "a clock that has gone back")
}

// However the verbs of a book follow each other, each session that was opened comes out of exactly one of them.
func TestBookLetsEachSessionEndOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plain
		p.WhenFull = rapid.SampledFrom([]session.WhenFull{session.Refuse, session.EndOldest}).Draw(t, "full")
		var b session.Book
		now, opened, out := noon, 0, map[string]int{}
		took := func(list ...session.Ended) {
			for _, e := range list {
				out[string(e.Session.ID)]++
				require.NotEqual(t, session.Valid, e.Standing)
				require.False(t, e.At.Before(e.Session.Began))
				require.False(t, e.At.After(now))
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
			switch rapid.IntRange(0, 4).Draw(t, "verb") {
			case 0, 1:
				took(b.Settle(&p, now)...)
				s := session.Session{ID: id(opened), Began: now, Seen: now}
				ended, err := b.Open(&p, s, now)
				if took(ended...); err == nil {
					opened++
				} else {
					require.ErrorIs(t, err, session.ErrFull)
					require.Len(t, b.Sessions, p.Concurrent)
				}
			case 2:
				if e, ok := b.End(&p, id(rapid.IntRange(0, 10).Draw(t, "which")), session.LoggedOut, now); ok {
					took(e)
				}
			case 3:
				b.RevokeAll(now)
			case 4:
				if len(b.Sessions) > 0 {
					b.Sessions[0].Touch(&p, now)
				}
			}
			require.LessOrEqual(t, len(b.Sessions), p.Concurrent)
		}
		b.RevokeAll(now)
		took(b.Settle(&p, now)...)
		require.Empty(t, b.Sessions)
		require.Len(t, out, opened)
		for _, n := range out {
			require.Equal(t, 1, n)
		}
	})
}

// A session that ran out before it was revoked has run out; one that would have run out later was revoked.
func TestSettleSaysWhatCameFirst(t *testing.T) {
	for revoked, want := range map[time.Duration]session.Ended{
		59 * time.Minute: {Standing: session.Revoked, At: noon.Add(59 * time.Minute)},
		61 * time.Minute: {Standing: session.Idle, At: noon.Add(time.Hour)},
		-time.Minute:     {Standing: session.Revoked, At: noon}, // by a clock that is behind
	} {
		var b session.Book
		_, err := b.Open(&plain, session.Session{ID: id(1), Began: noon, Seen: noon}, noon)
		require.NoError(t, err)
		b.RevokeAll(noon.Add(revoked))
		ended := b.Settle(&plain, noon.Add(3*time.Hour))
		require.Len(t, ended, 1)
		require.Equal(t, want.Standing, ended[0].Standing)
		require.Equal(t, want.At, ended[0].At)
	}
}

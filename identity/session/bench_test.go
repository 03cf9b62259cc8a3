package session_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

// nodeWith returns a manager by the real clock, and tokens of so many accounts, all in its cache.
func nodeWith(b *testing.B, accounts int) (*session.Manager, []session.Token) {
	b.Helper()
	p := plain
	p.Cache, p.Idle, p.Grain = time.Hour, 8*time.Hour, time.Hour
	m, err := session.New(session.NewMemory(nil), p, &session.Options{Authorizer: opsec.CallerAuthorized{}, Entries: 16 * accounts})
	require.NoError(b, err)
	tokens := make([]session.Token, accounts)
	for i := range tokens {
		name := fmt.Sprintf("account-%d", i)
		_, token, err := m.Create(bg, request(name), proven{"acme", name, "password", m.Now()})
		require.NoError(b, err)
		_, err = m.Validate(bg, token, session.Use{})
		require.NoError(b, err)
		tokens[i] = token
	}
	return m, tokens
}

// Validate while the session is cached: of one session, of 10,000 at random, and with the parsing of the cookie. The aim is at
// most 300 ns and no allocation.
func BenchmarkValidateCached(b *testing.B) {
	m, tokens := nodeWith(b, 10_000)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Validate(bg, tokens[0], session.Use{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("random", func(b *testing.B) {
		b.ReportAllocs()
		r := rand.New(rand.NewPCG(1, 2))
		for b.Loop() {
			if _, err := m.Validate(bg, tokens[r.IntN(len(tokens))], session.Use{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parsed", func(b *testing.B) {
		b.ReportAllocs()
		text := tokens[0].Reveal()
		for b.Loop() {
			token, err := session.ParseToken(text)
			if err == nil {
				_, err = m.Validate(bg, token, session.Use{})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, err := m.Validate(bg, tokens[i%len(tokens)], session.Use{}); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// A log-in and a log-out, in memory.
func BenchmarkCreateEnd(b *testing.B) {
	m, _ := nodeWith(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		_, token, err := m.Create(bg, request("eve"), proven{"acme", "eve", "password", m.Now()})
		if err == nil {
			_, err = m.End(bg, token, session.Use{})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// RevokeAll of accounts with few and with many sessions: the same.
func BenchmarkRevokeAll(b *testing.B) {
	for _, n := range []int{1, session.MaxConcurrent} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := plain
			p.Concurrent = session.MaxConcurrent
			m, err := session.New(session.NewMemory(nil), p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
			require.NoError(b, err)
			for range n {
				_, _, err := m.Create(bg, request("eve"), proven{"acme", "eve", "password", m.Now()})
				require.NoError(b, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := m.RevokeAll(bg, "acme", "eve", admin, "bench"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

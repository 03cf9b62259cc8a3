package hash_test

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
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/hash"
)

var (
	bg    = context.Background()
	cheap = hash.Params{M: 64, T: 1, P: 1}
	right = []byte("correct horse battery staple")
	wrong = []byte("Tr0ub4dor&3")
)

func open(t testing.TB, o hash.Options) *hash.Pool {
	t.Helper()
	p, err := hash.New(cheap, &o)
	require.NoError(t, err)
	return p
}

func quick(t testing.TB) *hash.Pool { return open(t, hash.Options{InsecureNoPace: true}) }

func hashed(t testing.TB, p *hash.Pool, secret []byte) string {
	t.Helper()
	s, err := p.Hash(bg, secret)
	require.NoError(t, err)
	return s
}

func peppers(t testing.TB, current string, names ...string) *hash.Keys {
	t.Helper()
	keys := map[string][]byte{}
	for _, n := range append(names, current) {
		keys[n] = []byte(strings.Repeat(n, 32)[:32])
	}
	k, err := hash.NewKeys(current, keys)
	require.NoError(t, err)
	return k
}

func TestTheRightSecretMatchesAndNoOther(t *testing.T) {
	p := quick(t)
	encoded := hashed(t, p, right)
	require.True(t, strings.HasPrefix(encoded, "$argon2id$v=19$m=64,t=1,p=1$"))
	require.NotEqual(t, encoded, hashed(t, p, right), "each has its salt")
	r, err := p.Verify(bg, right, encoded)
	require.NoError(t, err)
	require.Equal(t, hash.Result{Match: true}, r)
	r, err = p.Verify(bg, wrong, encoded)
	require.NoError(t, err)
	require.Equal(t, hash.Result{}, r)
}

func TestEachStateOfAnAccountCostsOneCall(t *testing.T) {
	p := quick(t)
	encoded := hashed(t, p, right)
	before := p.Calls()
	for range 3 {
		_, err := p.Verify(bg, right, encoded)
		require.NoError(t, err)
		_, err = p.Verify(bg, wrong, encoded)
		require.NoError(t, err)
		require.NoError(t, p.Dummy(bg, wrong))
		_, err = p.Verify(bg, wrong, "garbage")
		require.ErrorIs(t, err, hash.ErrForm)
	}
	after := p.Calls()
	require.EqualValues(t, 6, after.Verify-before.Verify)
	require.EqualValues(t, 6, after.Dummy-before.Dummy, "a hash that cannot be read costs one too")
	require.EqualValues(t, 1, after.Hash)
	require.Zero(t, after.Refused)
}

func TestAComparisonIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, hash.Options{})
		encoded := hashed(t, p, right)
		began := time.Now()
		for secret, want := range map[string]bool{string(right): true, string(wrong): false} {
			match, err := p.Compare(bg, []byte(secret), encoded)
			require.NoError(t, err)
			require.Equal(t, want, match)
		}
		_, err := p.Compare(bg, right, "garbage")
		require.ErrorIs(t, err, hash.ErrForm)
		require.Zero(t, time.Since(began))
		require.Equal(t, hash.Calls{Hash: 1, Compare: 2}, p.Calls())
	})
}

func TestOtherCostsAreForRehashing(t *testing.T) {
	old := hashed(t, quick(t), right)
	for name, p := range map[string]struct {
		params hash.Params
		o      hash.Options
		want   bool
	}{
		"same":        {cheap, hash.Options{}, false},
		"more passes": {hash.Params{M: 64, T: 2, P: 1}, hash.Options{}, true},
		"less memory": {hash.Params{M: 32, T: 1, P: 1}, hash.Options{}, true},
		"a pepper":    {cheap, hash.Options{Peppers: peppers(t, "a")}, true},
	} {
		p.o.InsecureNoPace = true
		pool, err := hash.New(p.params, &p.o)
		require.NoError(t, err)
		r, err := pool.Verify(bg, right, old)
		require.NoError(t, err)
		require.Equal(t, hash.Result{Match: true, Rehash: p.want}, r, name)
	}
}

func TestPeppersRotateByLogInAndAtRest(t *testing.T) {
	pool := func(k hash.Peppers) *hash.Pool { return open(t, hash.Options{Peppers: k, InsecureNoPace: true}) }
	verify := func(p *hash.Pool, encoded string) hash.Result {
		r, err := p.Verify(bg, right, encoded)
		require.NoError(t, err)
		w, err := p.Verify(bg, wrong, encoded)
		require.NoError(t, err)
		require.False(t, w.Match)
		return r
	}
	plain := hashed(t, pool(nil), right)
	first := pool(peppers(t, "k1"))
	one := hashed(t, first, right)
	require.Contains(t, one, ",p=1,keyid=k1$")
	require.Equal(t, hash.Result{Match: true}, verify(first, one))

	second := pool(peppers(t, "k2", "k1"))
	require.Equal(t, hash.Result{Match: true, Rehash: true}, verify(second, one))
	both, err := second.Wrap(bg, one)
	require.NoError(t, err)
	require.Contains(t, both, ",keyid=k1+k2$")
	require.Equal(t, hash.Result{Match: true, Rehash: true}, verify(second, both))
	again, err := second.Wrap(bg, both)
	require.NoError(t, err)
	require.Equal(t, both, again)
	wrapped, err := second.Wrap(bg, plain)
	require.NoError(t, err)
	require.Equal(t, hash.Result{Match: true}, verify(second, wrapped), "as if made with it")

	_, err = first.Verify(bg, right, both)
	require.ErrorIs(t, err, opsec.ErrInvalid, "it has no key k2")
	require.NotErrorIs(t, err, hash.ErrBusy)
	_, err = pool(nil).Verify(bg, right, both)
	require.ErrorIs(t, err, hash.ErrForm)
	_, err = pool(nil).Wrap(bg, both)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	k := both
	for _, name := range []string{"k3", "k4"} {
		k, err = pool(peppers(t, name)).Wrap(bg, k)
		require.NoError(t, err)
	}
	_, err = pool(peppers(t, "k5")).Wrap(bg, k)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Equal(t, hash.Result{Match: true, Rehash: true}, verify(pool(peppers(t, "k4", "k1", "k2", "k3")), k))
	swapped := strings.Replace(both, "k1+k2", "k2+k1", 1)
	require.False(t, verify(second, swapped).Match, "the order counts")
}

// failing is an HSM that does not answer.
type failing struct{ hash.Peppers }

var errHSM = errors.New("the HSM is away")

func (failing) Mac(context.Context, string, []byte) ([]byte, error) { return nil, errHSM }

func TestAnErrorOfThePeppersIsNoVerdict(t *testing.T) {
	k := peppers(t, "k")
	encoded := hashed(t, open(t, hash.Options{Peppers: k}), right)
	p := open(t, hash.Options{Peppers: failing{k}, InsecureNoPace: true})
	_, err := p.Verify(bg, right, encoded)
	require.ErrorIs(t, err, errHSM)
	require.ErrorIs(t, p.Dummy(bg, right), errHSM, "nor does a dummy tell")
	_, err = p.Hash(bg, right)
	require.ErrorIs(t, err, errHSM)
}

// scribe is peppers that show what they are given.
type scribe struct {
	hash.Peppers
	seen []byte
}

func (s *scribe) Mac(ctx context.Context, key string, data []byte) ([]byte, error) {
	s.seen = append([]byte(nil), data...)
	return s.Peppers.Mac(ctx, key, data)
}

func TestTheKeyedStepBindsWhatItIsForAndTheSettings(t *testing.T) {
	s := &scribe{Peppers: peppers(t, "k")}
	encoded := hashed(t, open(t, hash.Options{Peppers: s}), right)
	settings := strings.Replace(encoded[:strings.LastIndexByte(encoded, '$')], ",keyid=k", "", 1)
	require.Equal(t, "opsec/identity/password/hash/pepper/v1\x00"+settings+"\x00", string(s.seen[:len(s.seen)-32]))
	require.NotContains(t, string(s.seen), string(right), "no password leaves the process")
}

func TestFailuresAreToldAtOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, hash.Options{})
		encoded := hashed(t, p, right)
		bcrypt := "$2a$04$Xlqv2q0p9Yjf2OJjJDgYaeV0nHgQl2i5G7Jm7SskKrzM5Z7c2yZdi"
		took := func(f func()) time.Duration {
			began := time.Now()
			f()
			return time.Since(began)
		}
		for _, f := range []func(){
			func() { _, _ = p.Verify(bg, wrong, encoded) },
			func() { _, _ = p.Verify(bg, wrong, bcrypt) },
			func() { _, _ = p.Verify(bg, wrong, "garbage") },
			func() { _ = p.Dummy(bg, wrong) },
		} {
			require.Equal(t, hash.DefaultPace, took(f))
		}
		require.Zero(t, took(func() { _, _ = p.Verify(bg, right, encoded) }), "what is right is told at once")
		ctx, cancel := context.WithTimeout(bg, time.Millisecond)
		defer cancel()
		require.Equal(t, time.Millisecond, took(func() {
			r, err := p.Verify(ctx, wrong, encoded)
			require.NoError(t, err, "whoever hangs up has guessed all the same")
			require.False(t, r.Match)
		}))
	})
}

// While the pool is full, real and invented accounts are told the same, and a right password gets in.
func TestAFloodTellsNothing(t *testing.T) {
	for _, flood := range []string{"invented", "real"} {
		synctest.Test(t, func(t *testing.T) {
			p := open(t, hash.Options{Cores: 1, Queue: 4})
			encoded := hashed(t, p, right)
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					if flood == "invented" {
						_ = p.Dummy(bg, wrong)
					} else {
						_, _ = p.Verify(bg, wrong, encoded)
					}
				})
			}
			synctest.Wait() // they all wait for the pace, and one more is too many
			began := time.Now()
			var done sync.WaitGroup
			done.Go(func() {
				r, err := p.Verify(bg, wrong, encoded)
				require.NoError(t, err)
				require.Equal(t, hash.Result{Hidden: true}, r)
				require.Equal(t, hash.DefaultPace, time.Since(began))
			})
			done.Go(func() {
				err := p.Dummy(bg, wrong)
				require.ErrorIs(t, err, hash.ErrBusy)
				require.ErrorIs(t, err, hash.ErrHidden, "which counts, as it does for the real one")
				require.Equal(t, hash.DefaultPace, time.Since(began))
			})
			done.Go(func() {
				r, err := p.Verify(bg, right, encoded)
				require.NoError(t, err)
				require.True(t, r.Match)
				require.Zero(t, time.Since(began))
			})
			done.Wait()
			all.Wait()
			require.NoError(t, p.Dummy(bg, wrong), "the flood is over")
		})
	}
}

// Each computation takes a second here, so that all who are let in are there together.
func TestNoMoreAreComputedThanThereAreSlots(t *testing.T) {
	for name, c := range map[string]struct {
		o    hash.Options
		most int64
	}{
		"cores":  {hash.Options{Cores: 2}, 2 + 1},
		"memory": {hash.Options{Cores: 8, Memory: 3 * hash.Garbage * 64 << 10}, 2 + 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.o.InsecureNoPace, c.o.Queue, c.o.Patience = true, 1000, time.Hour
			p := open(t, c.o)
			encoded := hashed(t, p, right)
			var now, most atomic.Int64
			hash.Watch(p, func(d int64) {
				n := now.Add(d)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if d > 0 {
					time.Sleep(time.Second)
				}
			})
			began := time.Now()
			var all sync.WaitGroup
			for i := range 30 {
				all.Go(func() {
					if i%3 == 0 {
						_ = p.Dummy(bg, wrong)
						return
					}
					r, err := p.Verify(bg, right, encoded)
					if err != nil || !r.Match {
						panic(fmt.Sprint(r, err))
					}
				})
			}
			all.Wait()
			require.Equal(t, c.most, most.Load(), name)
			require.Equal(t, 10*time.Second, time.Since(began), name)
		})
	}
}

// A stored hash that wants all of the memory waits for it, and nobody passes it.
func TestALargeHashIsNotPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, hash.Options{Cores: 2, Memory: 3 * hash.Garbage * 64 << 10, InsecureNoPace: true, Patience: time.Hour})
		large, err := hash.New(hash.Params{M: 128, T: 1, P: 1}, nil)
		require.NoError(t, err)
		small, big := hashed(t, p, right), hashed(t, large, right)
		hash.Watch(p, func(d int64) {
			if d > 0 {
				time.Sleep(time.Second)
			}
		})
		var mu sync.Mutex
		var order []string
		var all sync.WaitGroup
		for _, name := range []string{"small 1", "big", "small 2"} {
			encoded := small
			if name == "big" {
				encoded = big
			}
			all.Go(func() {
				r, err := p.Verify(bg, right, encoded)
				mu.Lock()
				defer mu.Unlock()
				require.NoError(t, err)
				require.True(t, r.Match)
				order = append(order, name)
			})
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, []string{"small 1", "big", "small 2"}, order)
	})
}

func TestWhoeverWaitsTooLongIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, hash.Options{Cores: 1, Queue: 2})
		encoded := hashed(t, p, right)
		hash.Watch(p, func(d int64) {
			if d > 0 {
				time.Sleep(10 * time.Second)
			}
		})
		began := time.Now()
		var all sync.WaitGroup
		busy := func(ctx context.Context, after time.Duration, cause error) {
			all.Go(func() {
				_, err := p.Verify(ctx, right, encoded)
				require.ErrorIs(t, err, hash.ErrBusy)
				require.ErrorIs(t, err, cause)
				require.Equal(t, after, time.Since(began))
			})
			synctest.Wait()
		}
		all.Go(func() { _, _ = p.Verify(bg, right, encoded) })
		synctest.Wait()
		short, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		busy(bg, hash.DefaultPace, hash.ErrBusy)                    // its patience ends
		busy(short, 100*time.Millisecond, context.DeadlineExceeded) // its context does
		busy(bg, hash.DefaultPace, hash.ErrBusy)                    // no place to wait
		all.Wait()
		require.Equal(t, hash.Calls{Hash: 1, Verify: 1, Refused: 2}, p.Calls(), "who goes away was not refused")
		_, err := p.Verify(bg, right, encoded)
		require.NoError(t, err, "and those have left no trace")
	})
}

func TestPoolsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		p hash.Params
		o hash.Options
	}{
		"no room for a dummy":   {hash.OWASP, hash.Options{Memory: 60 << 20}},
		"no lanes":              {hash.Params{M: 64, T: 1}, hash.Options{}},
		"no passes":             {hash.Params{M: 64, P: 1}, hash.Options{}},
		"too little memory":     {hash.Params{M: 8, T: 1, P: 2}, hash.Options{}},
		"too much memory":       {hash.Params{M: hash.MaxMemory + 1, T: 1, P: 1}, hash.Options{Memory: 1 << 40}},
		"too much of both":      {hash.Params{M: hash.MaxMemory, T: 5, P: 1}, hash.Options{Memory: 1 << 40}},
		"negative":              {cheap, hash.Options{Queue: -1}},
		"a pace below patience": {cheap, hash.Options{Pace: time.Millisecond}},
	} {
		_, err := hash.New(c.p, &c.o)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	p, err := hash.New(hash.Params{}, nil)
	require.NoError(t, err)
	real, dummies := p.Slots()
	require.Positive(t, real)
	require.Positive(t, dummies)
}

func TestSlotsCountHashesAndNotTheirLanes(t *testing.T) {
	for lanes, want := range map[uint8][2]int{1: {8, 2}, 2: {4, 1}, 4: {2, 1}, 16: {1, 1}} {
		p, err := hash.New(hash.Params{M: 128, T: 1, P: lanes}, &hash.Options{Cores: 8})
		require.NoError(t, err)
		real, dummies := p.Slots()
		require.Equal(t, want, [2]int{real, dummies}, lanes)
	}
}

func TestAStoredHashCannotTakeMoreThanThePoolHas(t *testing.T) {
	p := open(t, hash.Options{Memory: 3 << 20, Cores: 1, InsecureNoPace: true})
	for _, encoded := range []string{
		"$argon2id$v=19$m=1048576,t=4,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$scrypt$ln=17,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		_, err := hash.Parse(encoded)
		require.NoError(t, err)
		_, err = p.Verify(bg, right, encoded)
		require.ErrorIs(t, err, hash.ErrForm)
	}
	require.Zero(t, p.Calls().Verify)
}

func TestWhatIsHashedIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := hash.Params{
			T: rapid.Uint32Range(1, 3).Draw(t, "t"), P: rapid.Uint8Range(1, 4).Draw(t, "p"),
		}
		params.M = rapid.Uint32Range(8*uint32(params.P), 128).Draw(t, "m")
		secret := rapid.SliceOf(rapid.Byte()).Draw(t, "secret")
		p, err := hash.New(params, &hash.Options{InsecureNoPace: true})
		require.NoError(t, err)
		encoded, err := p.Hash(bg, secret)
		require.NoError(t, err)
		f, err := hash.Parse(encoded)
		require.NoError(t, err)
		require.Equal(t, params, f.Params)
		r, err := p.Verify(bg, secret, encoded)
		require.NoError(t, err)
		require.Equal(t, hash.Result{Match: true}, r)
		r, err = p.Verify(bg, append(secret, 0), encoded)
		require.NoError(t, err)
		require.False(t, r.Match)
	})
}

package envelope_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

func TestZeroLimitsCacheNothing(t *testing.T) {
	k, c := newKEK(t), named(t, "acme", "invoices")
	e := over(t, k, envelope.Limits{}, nil)
	keys := map[string]bool{}
	for range 10 {
		sealed := seal(t, e, "", c)
		keys[wrappedKey(t, sealed)] = true
		open(t, e, sealed, c)
		open(t, e, sealed, c)
	}
	require.Len(t, keys, 10)
	require.EqualValues(t, 10, k.wraps.Load())
	require.EqualValues(t, 20, k.unwraps.Load())
	n, bytes := e.Cached()
	require.Zero(t, n)
	require.Zero(t, bytes)
}

func TestDataKeyIsUsedWithinItsLimits(t *testing.T) {
	c := named(t, "acme", "invoices")
	t.Run("messages", func(t *testing.T) {
		k, l := newKEK(t), roomy(time.Hour)
		l.Messages = 3
		e := over(t, k, l, nil)
		for range 7 {
			seal(t, e, "text", c)
		}
		require.EqualValues(t, 3, k.wraps.Load())
	})
	t.Run("bytes", func(t *testing.T) {
		k, l := newKEK(t), roomy(time.Hour)
		l.Bytes = 10
		e := over(t, k, l, nil)
		first := wrappedKey(t, seal(t, e, "12345", c))
		require.Equal(t, first, wrappedKey(t, seal(t, e, "12345", c)))
		second := wrappedKey(t, seal(t, e, "1", c))
		require.NotEqual(t, first, second)
		alone := wrappedKey(t, seal(t, e, "12345678901", c))
		require.NotEqual(t, second, alone, "what is more than the limit has a key of its own")
		require.Equal(t, second, wrappedKey(t, seal(t, e, "123456789", c)), "and leaves the others alone")
		require.EqualValues(t, 3, k.wraps.Load())
	})
	t.Run("age", func(t *testing.T) {
		k, now := newKEK(t), newClock()
		e := over(t, k, roomy(time.Minute), now.options())
		sealed := seal(t, e, "text", c)
		open(t, e, sealed, c)
		now.after(time.Minute - 1)
		seal(t, e, "text", c)
		open(t, e, sealed, c)
		require.EqualValues(t, 1, k.wraps.Load())
		require.EqualValues(t, 1, k.unwraps.Load())
		now.after(1)
		seal(t, e, "text", c)
		open(t, e, sealed, c)
		require.EqualValues(t, 2, k.wraps.Load())
		require.EqualValues(t, 2, k.unwraps.Load())
	})
	t.Run("a clock that goes back does not make it younger", func(t *testing.T) {
		k, now := newKEK(t), newClock()
		e := over(t, k, roomy(time.Minute), now.options())
		seal(t, e, "text", c)
		now.after(-time.Second)
		seal(t, e, "text", c)
		require.EqualValues(t, 2, k.wraps.Load())
	})
	t.Run("the age counts from before the call", func(t *testing.T) {
		k, now := newKEK(t), newClock()
		k.onWrap = func(context.Context) error { now.after(30 * time.Second); return nil }
		e := over(t, k, roomy(time.Minute), now.options())
		seal(t, e, "text", c)
		now.after(30 * time.Second)
		seal(t, e, "text", c)
		require.EqualValues(t, 2, k.wraps.Load())
	})
}

// With many goroutines no data key may encrypt more than its limits, which the ciphertexts themselves tell.
func TestManyGoroutinesNeverExceedALimit(t *testing.T) {
	k, c, l := newKEK(t), named(t, "acme", "invoices"), roomy(time.Hour)
	l.Messages, l.Bytes = 7, 100
	e := over(t, k, l, nil)
	type use struct{ messages, bytes int64 }
	var mu sync.Mutex
	used := map[string]use{}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 200 {
				n := (g + i) % 30
				sealed, err := e.Seal(t.Context(), nil, make([]byte, n), c)
				if err != nil {
					t.Error(err)
					return
				}
				wrapped, _, _ := envelope.Split(sealed)
				mu.Lock()
				u := used[string(wrapped)]
				used[string(wrapped)] = use{u.messages + 1, u.bytes + int64(n)}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, u := range used {
		require.LessOrEqual(t, u.messages, l.Messages)
		require.LessOrEqual(t, u.bytes, l.Bytes)
	}
	require.Less(t, len(used), 16*200/2, "keys are shared")
}

func TestWhatBelongsToOneIsNeverUsedForAnother(t *testing.T) {
	k := newKEK(t)
	tenants, err := envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return k, nil }, roomy(time.Hour), nil)
	require.NoError(t, err)
	keys := map[string]string{}
	for _, tenant := range []opsec.TenantID{"acme", "globex"} {
		for _, what := range []string{"invoices", "salaries"} {
			e, err := tenants.Of(tenant)
			require.NoError(t, err)
			c := named(t, "the same", what)
			for range 3 {
				keys[wrappedKey(t, seal(t, e, "text", c))] = string(tenant) + what
			}
		}
	}
	require.Len(t, keys, 4)
	n, _ := tenants.Cached()
	require.Equal(t, 4, n)
}

func TestCacheStaysWithinEntriesAndMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := envelope.Limits{
			Age: time.Minute, Messages: 5, Bytes: 50,
			Entries: rapid.IntRange(1, 8).Draw(rt, "entries"),
			Memory:  rapid.Int64Range(1, 20_000).Draw(rt, "memory"),
		}
		k, now := newKEK(t), newClock()
		tenants, err := envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return k, nil }, l, now.options())
		require.NoError(rt, err)
		type message struct {
			e      *envelope.Envelope
			c      keymgmt.Context
			text   string
			sealed []byte
		}
		var all []message
		rt.Repeat(map[string]func(*rapid.T){
			"seal": func(rt *rapid.T) {
				e, err := tenants.Of(rapid.SampledFrom([]opsec.TenantID{"acme", "globex", "initech"}).Draw(rt, "tenant"))
				require.NoError(rt, err)
				c := named(t, "x", rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "what"))
				text := rapid.StringN(0, 60, 60).Draw(rt, "text")
				sealed, err := e.Seal(t.Context(), nil, []byte(text), c)
				require.NoError(rt, err)
				all = append(all, message{e, c, text, sealed})
			},
			"open": func(rt *rapid.T) {
				if len(all) == 0 {
					return
				}
				m := rapid.SampledFrom(all).Draw(rt, "message")
				got, err := m.e.Open(t.Context(), nil, m.sealed, m.c)
				require.NoError(rt, err)
				require.Equal(rt, m.text, string(got))
			},
			"wait":  func(rt *rapid.T) { now.after(time.Duration(rapid.IntRange(0, 40).Draw(rt, "s")) * time.Second) },
			"purge": func(rt *rapid.T) { tenants.Purge(); n, b := tenants.Cached(); require.Zero(rt, n); require.Zero(rt, b) },
			"": func(rt *rapid.T) {
				n, bytes := tenants.Cached()
				require.LessOrEqual(rt, n, l.Entries)
				require.LessOrEqual(rt, bytes, l.Memory)
				require.Equal(rt, n == 0, bytes == 0)
			},
		})
	})
}

func TestWhatIsUsedStaysAndWhatIsNotGoes(t *testing.T) {
	k, l := newKEK(t), roomy(time.Hour)
	l.Entries = 4
	e := over(t, k, l, nil)
	hot := named(t, "acme", "hot")
	key := wrappedKey(t, seal(t, e, "text", hot))
	for i := range 100 {
		seal(t, e, "text", named(t, "acme", fmt.Sprint("cold ", i)))
		require.Equal(t, key, wrappedKey(t, seal(t, e, "text", hot)))
	}
	n, _ := e.Cached()
	require.Equal(t, 4, n)
}

// The estimate of memory is held against what the runtime says.
func TestMemoryIsAboutWhatIsCounted(t *testing.T) {
	const n = 5000
	l := envelope.Limits{Age: time.Hour, Messages: 1, Bytes: 1, Entries: n, Memory: 1 << 30}
	e := over(t, newKEK(t), l, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		seal(t, e, "", named(t, "acme", fmt.Sprint(i)))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	keys, counted := e.Cached()
	require.Equal(t, n, keys)
	real := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d bytes a key, counted as %d", real/n, counted/n)
	require.InEpsilon(t, real, counted, 0.35)
	runtime.KeepAlive(e)
}

func TestOneCallForAllWhoWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k, c := newKEK(t), named(t, "acme", "invoices")
		k.onWrap = func(context.Context) error { time.Sleep(time.Second); return nil }
		k.onUnwrap = k.onWrap
		e := over(t, k, roomy(time.Hour), nil)
		var sealed [50][]byte
		var wg sync.WaitGroup
		for i := range sealed {
			wg.Go(func() { sealed[i] = seal(t, e, "text", c) })
		}
		wg.Wait()
		require.EqualValues(t, 1, k.wraps.Load())
		for range sealed {
			wg.Go(func() { open(t, e, sealed[0], c) })
		}
		wg.Wait()
		require.EqualValues(t, 1, k.unwraps.Load())
	})
}

func TestWaitersOutliveTheOneTheyWaitFor(t *testing.T) {
	type ctxKey struct{}
	for name, end := range map[string]func(ctx context.Context, k *kek){
		"its context ends": func(ctx context.Context, k *kek) {},
		"it panics": func(ctx context.Context, k *kek) {
			inner := k.onWrap
			k.onWrap = func(ctx context.Context) error {
				if inner(ctx) != nil {
					panic("leader")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				k, c := newKEK(t), named(t, "acme", "invoices")
				k.onWrap = func(ctx context.Context) error { // a service that minds the caller's context
					if ctx.Value(ctxKey{}) == nil {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}
				leader, cancel := context.WithTimeout(context.WithValue(t.Context(), ctxKey{}, 1), time.Second)
				defer cancel()
				end(leader, k)
				e := over(t, k, roomy(time.Hour), nil)
				var failed, opened atomic.Int64
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() {
						if recover() != nil {
							failed.Add(1)
						}
					}()
					if _, err := e.Seal(leader, nil, nil, c); errors.Is(err, context.DeadlineExceeded) {
						failed.Add(1)
					}
				})
				synctest.Wait()
				for range 10 {
					wg.Go(func() {
						if _, err := e.Seal(t.Context(), nil, nil, c); err == nil {
							opened.Add(1)
						}
					})
				}
				wg.Wait()
				require.EqualValues(t, 1, failed.Load())
				require.EqualValues(t, 10, opened.Load())
				require.EqualValues(t, 2, k.wraps.Load(), "one of the waiters calls for all")
			})
		})
	}
}

func TestWaiterWaitsNoLongerThanItsOwnContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k, c := newKEK(t), named(t, "acme", "invoices")
		k.onWrap = func(context.Context) error { time.Sleep(time.Hour); return nil }
		e := over(t, k, roomy(2*time.Hour), nil)
		var wg sync.WaitGroup
		wg.Go(func() { seal(t, e, "text", c) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Seal(ctx, nil, nil, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		wg.Wait()
	})
}

func TestPurgeReachesWhatIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k, c := newKEK(t), named(t, "acme", "invoices")
		k.onWrap = func(context.Context) error { time.Sleep(time.Duration(k.wraps.Load()) * time.Minute); return nil }
		e := over(t, k, roomy(time.Hour), nil)
		var before, after, joined []byte
		var wg sync.WaitGroup
		wg.Go(func() { before = seal(t, e, "text", c) })
		synctest.Wait()
		e.Purge()
		wg.Go(func() { after = seal(t, e, "text", c) }) // does not join what began before
		time.Sleep(90 * time.Second)
		n, _ := e.Cached()
		require.Zero(t, n, "what began before is not kept")
		wg.Go(func() { joined = seal(t, e, "text", c) })
		wg.Wait()
		require.NotEqual(t, wrappedKey(t, before), wrappedKey(t, after))
		require.Equal(t, wrappedKey(t, after), wrappedKey(t, joined), "what began after is still shared")
		require.Equal(t, wrappedKey(t, after), wrappedKey(t, seal(t, e, "text", c)), "and kept")
	})
}

func TestPurge(t *testing.T) {
	k := newKEK(t)
	tenants, err := envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return k, nil }, roomy(time.Hour), nil)
	require.NoError(t, err)
	c := named(t, "x", "y")
	acme, err := tenants.Of("acme")
	require.NoError(t, err)
	globex, err := tenants.Of("globex")
	require.NoError(t, err)
	fill := func() {
		for _, e := range []*envelope.Envelope{acme, globex} {
			open(t, e, seal(t, e, "text", c), c)
		}
		n, _ := tenants.Cached()
		require.Equal(t, 4, n)
	}
	left := func() int { n, _ := tenants.Cached(); return n }
	fill()
	acme.Purge()
	require.Equal(t, 2, left())
	fill()
	id := binary.BigEndian.Uint32([]byte(wrappedKey(t, seal(t, globex, "text", c)))[1:])
	globex.PurgeKey(id + 1)
	require.Equal(t, 4, left())
	globex.PurgeKey(id)
	require.Equal(t, 2, left())
	tenants.Purge()
	require.Zero(t, left())
	fill()
}

// guarded is a key above that can be disabled; like a ring, it knows so without a call.
type guarded struct {
	*kek
	err atomic.Pointer[error]
}

func (g *guarded) Check(wrapped []byte, op keymgmt.Op) error {
	if len(wrapped) == 0 || op != keymgmt.Wrap && op != keymgmt.Unwrap {
		return errors.New("not asked in this way")
	}
	if err := g.err.Load(); err != nil {
		return *err
	}
	return nil
}

func TestCachedKeyDoesNotOutliveTheKeyAbove(t *testing.T) {
	k, c := newKEK(t), named(t, "acme", "invoices")
	g := &guarded{kek: k}
	e := over(t, g, roomy(time.Hour), nil)
	sealed := seal(t, e, "text", c)
	open(t, e, sealed, c)
	open(t, e, sealed, c)
	require.EqualValues(t, 1, k.unwraps.Load())

	disabled := fmt.Errorf("disabled: %w", opsec.ErrDenied)
	refuse := func(context.Context) error { return disabled }
	k.onWrap, k.onUnwrap = refuse, refuse
	g.err.Store(&disabled)
	_, err := e.Open(t.Context(), nil, sealed, c)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = e.Seal(t.Context(), nil, nil, c)
	require.ErrorIs(t, err, opsec.ErrDenied)
	n, _ := e.Cached()
	require.Zero(t, n, "and has been let go of")

	k.onWrap, k.onUnwrap = nil, nil
	_, err = e.Seal(t.Context(), nil, nil, c)
	require.ErrorIs(t, err, opsec.ErrDenied, "a key that is refused as soon as it is there is not used")
	g.err.Store(nil)
	require.Equal(t, "text", open(t, e, sealed, c))
}

// rotating refuses the first key that it has wrapped, as a ring does that is rotated between the two calls.
type rotating struct{ *kek }

func (r rotating) Check(_ []byte, op keymgmt.Op) error {
	if op == keymgmt.Wrap && r.wraps.Load() == 1 {
		return opsec.ErrDenied
	}
	return nil
}

func TestARotationMeanwhileIsNoError(t *testing.T) {
	k, c := newKEK(t), named(t, "acme", "invoices")
	e := over(t, rotating{k}, roomy(time.Hour), nil)
	key := wrappedKey(t, seal(t, e, "text", c))
	require.EqualValues(t, 2, k.wraps.Load())
	require.Equal(t, key, wrappedKey(t, seal(t, e, "text", c)))
}

// ringOf is shaped like a ring of package keyring.
type ringOf struct{ *guarded }

func (r ringOf) Seal(dst, text []byte, c keymgmt.Context) ([]byte, error) {
	out, err := r.Wrap(context.Background(), text, c)
	return append(dst, out...), err
}

func (r ringOf) Open(dst, text []byte, c keymgmt.Context) ([]byte, error) {
	out, err := r.Unwrap(context.Background(), text, c)
	return append(dst, out...), err
}

// unchecked hides the method Check.
type unchecked struct{ envelope.Ring }

func TestRingIsAskedBeforeEachUse(t *testing.T) {
	g := &guarded{kek: newKEK(t)}
	c := named(t, "acme", "invoices")
	checked, ignorant := over(t, envelope.Keyring(ringOf{g}), roomy(time.Hour), nil), over(t, envelope.Keyring(unchecked{ringOf{g}}), roomy(time.Hour), nil)
	sealed := seal(t, checked, "text", c)
	require.Equal(t, "text", open(t, checked, sealed, c))
	require.Equal(t, "text", open(t, ignorant, sealed, c))
	disabled := opsec.ErrDenied
	g.err.Store(&disabled)
	_, err := checked.Open(t.Context(), nil, sealed, c)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, "text", open(t, ignorant, sealed, c), "which is why there is Check")
}

func TestRunLetsGoOfWhatIsTooOld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, c := over(t, newKEK(t), roomy(time.Minute), nil), named(t, "acme", "invoices")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		time.Sleep(time.Second)
		seal(t, e, "text", c)
		time.Sleep(time.Minute)
		n, _ := e.Cached()
		require.Equal(t, 1, n)
		time.Sleep(time.Minute)
		n, bytes := e.Cached()
		require.Zero(t, n)
		require.Zero(t, bytes)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.ErrorIs(t, over(t, newKEK(t), envelope.Limits{}, nil).Run(ctx), context.Canceled)
	})
}

func TestHitAllocatesNothing(t *testing.T) {
	e, c := over(t, &guarded{kek: newKEK(t)}, roomy(time.Hour), nil), named(t, "acme", "invoices")
	sealed, room, text := seal(t, e, "text", c), make([]byte, 0, 1024), make([]byte, 256)
	open(t, e, sealed, c)
	require.Zero(t, testing.AllocsPerRun(100, func() { e.Seal(t.Context(), room, text, c) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { e.Open(t.Context(), room, sealed, c) }))
}

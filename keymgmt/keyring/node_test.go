package keyring_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

// running is a node that runs in a synctest bubble, whose clock shows start at first.
type running struct {
	*keyring.Node
	stop func()
}

func run(t *testing.T, f *fake, change func(*keyring.Options)) running {
	began := time.Now()
	o := &keyring.Options{Node: "one", Actor: server, Now: func() time.Time { return start.Add(time.Since(began)) }}
	if change != nil {
		change(o)
	}
	n, err := keyring.Join(t.Context(), f, f.custodian, o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return running{n, stop}
}

// bubble is [synctest.Test]. In FIPS mode Go's random numbers need a clock that goes on.
func bubble(t *testing.T, fn func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("crypto/rand does not work in a bubble when FIPS mode is on")
	}
	synctest.Test(t, fn)
}

func seal(r *keyring.Ring) error {
	_, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
	return err
}

func open(r *keyring.Ring, sealed []byte) error {
	_, err := r.Open(nil, sealed, keymgmt.Context{})
	return err
}

func TestNodeStopsProtectingWhenStaleAndProcessingAfterItsFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		n := run(t, f, nil)
		r := ring(t, n.Node, invoice)
		sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.NoError(t, seal(r), "with looks it goes on")

		f.set(func(f *fake) { f.down = true }) // 10 s after a look at the most
		time.Sleep(49 * time.Second)
		require.NoError(t, seal(r))
		time.Sleep(11 * time.Second)
		require.ErrorIs(t, seal(r), keymgmt.ErrStale)
		require.NoError(t, open(r, sealed))
		time.Sleep(4*time.Minute - 11*time.Second)
		require.NoError(t, open(r, sealed))
		time.Sleep(11 * time.Second)
		require.ErrorIs(t, open(r, sealed), keymgmt.ErrStale)

		f.set(func(f *fake) { f.down = false })
		time.Sleep(20 * time.Second)
		require.NoError(t, seal(r), "and when the source is back, so is the node")
		require.NoError(t, open(r, sealed))
	})
}

func TestWithoutRunNothingIsUsableForLonger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		n, c := node(t, f, nil)
		r := ring(t, n, invoice)
		sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		time.Sleep(time.Minute) // the given clock stands still, the monotonic one does not
		require.ErrorIs(t, seal(r), keymgmt.ErrStale)
		require.NoError(t, n.Refresh(t.Context()))
		require.NoError(t, seal(r))

		c.add(5 * time.Minute) // and the other way round, as after a machine was suspended
		require.ErrorIs(t, seal(r), keymgmt.ErrStale)
		require.ErrorIs(t, open(r, sealed), keymgmt.ErrStale)
		require.NoError(t, n.Refresh(t.Context()))
		require.NoError(t, seal(r))
		c.add(-time.Hour)
		require.NoError(t, seal(r))
		time.Sleep(5 * time.Minute)
		require.ErrorIs(t, open(r, sealed), keymgmt.ErrStale, "a clock put back does not make a look young")
	})
}

func TestAChangeArrivesByHintAtOnceAndWithoutHintsByTimer(t *testing.T) {
	for _, hints := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			f := newFake(t)
			f.watches = hints
			r := ring(t, run(t, f, nil).Node, invoice)
			sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
			require.NoError(t, err)
			synctest.Wait()
			f.state(keymgmt.Ref{Set: invoice, Key: 1}, keymgmt.Suspended)
			synctest.Wait()
			if hints {
				require.ErrorIs(t, open(r, sealed), opsec.ErrDenied)
				return
			}
			require.NoError(t, open(r, sealed))
			time.Sleep(10 * time.Second)
			synctest.Wait()
			require.ErrorIs(t, open(r, sealed), opsec.ErrDenied)
		})
	}
}

// TestNoNodeUsesAKeyTwoBeatsAfterItsEnd holds what a destruction relies on, with one node that looks, and one that cannot.
func TestNoNodeUsesAKeyTwoBeatsAfterItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		lost := newFake(t) // a source that the second node is cut off from, with the same keys
		lost.custodian, lost.sets, lost.keys = f.custodian, f.sets, f.keys
		one := ring(t, run(t, f, nil).Node, invoice)
		two := ring(t, run(t, lost, func(o *keyring.Options) { o.Node = "two" }).Node, invoice)
		sealed, err := one.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		require.NoError(t, open(two, sealed))
		time.Sleep(time.Minute)
		synctest.Wait()

		lost.set(func(f *fake) { f.down = true })
		silent := get(lost, func(f *fake) int { return f.beats["two"] })
		fence := lost.fences["two"]
		require.Equal(t, 6*time.Minute, fence)
		f.state(keymgmt.Ref{Set: invoice, Key: 1}, keymgmt.DestroyScheduled)
		seen := get(f, func(f *fake) int { return f.beats["one"] })
		for get(f, func(f *fake) int { return f.beats["one"] }) < seen+2 {
			time.Sleep(time.Second)
		}
		require.ErrorIs(t, open(one, sealed), opsec.ErrDenied)

		require.NoError(t, open(two, sealed), "it does not know")
		time.Sleep(fence) // the observer has seen no beat for so long
		require.Equal(t, silent, get(lost, func(f *fake) int { return f.beats["two"] }))
		require.ErrorIs(t, open(two, sealed), keymgmt.ErrStale)
	})
}

func TestNoBeatWhileAKeysetIsHeldUnseen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		other := keymgmt.SetID{Tenant: "acme", ID: "other"}
		f.create(other, keymgmt.DataEncryption, "AES256_GCM")
		f.rotate(t, other)
		n, _ := node(t, f, func(o *keyring.Options) { o.Now = nil })
		f.key(keymgmt.Ref{Set: invoice, Key: 1}, alwaysValid)
		f.key(keymgmt.Ref{Set: other, Key: 1}, alwaysValid)
		r := ring(t, n, invoice)
		require.NoError(t, n.Refresh(t.Context()))
		require.Equal(t, 1, f.beats["one"])

		broken := &oneSetDown{fake: f, id: other}
		n2, err := keyring.Join(t.Context(), broken, f.custodian, &keyring.Options{Node: "two", Actor: server})
		require.NoError(t, err)
		ring(t, n2, invoice)
		r2 := ring(t, n2, other)
		require.NoError(t, n2.Refresh(t.Context()))
		require.Equal(t, 1, f.beats["two"])
		broken.down = true
		require.ErrorIs(t, n2.Refresh(t.Context()), errDown)
		require.Equal(t, 1, f.beats["two"], "other was not looked at")
		time.Sleep(5 * time.Minute)
		require.ErrorIs(t, n2.Refresh(t.Context()), errDown)
		require.Equal(t, 2, f.beats["two"], "and now its keys are gone")
		require.ErrorIs(t, seal(r2), keymgmt.ErrStale)
		require.ErrorIs(t, seal(r), keymgmt.ErrStale)
	})
}

// alwaysValid gives a key periods that hold in a bubble without a clock of our own: it begins in the year 2000.
func alwaysValid(k *keymgmt.Held) { k.ProcessUntil, k.ProtectUntil = start, start }

// oneSetDown is a source that cannot tell of one keyset.
type oneSetDown struct {
	*fake
	id   keymgmt.SetID
	down bool
}

func (s *oneSetDown) Snapshot(ctx context.Context, id keymgmt.SetID) (keymgmt.Snapshot, error) {
	if id == s.id && s.down {
		return keymgmt.Snapshot{}, errDown
	}
	return s.fake.Snapshot(ctx, id)
}

func TestANodeWhoseBeatsAreNotHeardUsesNothingWhenItsPromiseEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		r := ring(t, run(t, f, nil).Node, invoice)
		sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		time.Sleep(10*time.Second + time.Millisecond)
		f.set(func(f *fake) { f.beatsDown = true })
		time.Sleep(6*time.Minute - 2*time.Millisecond)
		require.NoError(t, open(r, sealed))
		time.Sleep(2 * time.Millisecond)
		require.ErrorIs(t, open(r, sealed), keymgmt.ErrStale)
		require.ErrorIs(t, seal(r), keymgmt.ErrStale)
		require.ErrorIs(t, r.Check(sealed, keymgmt.Process), keymgmt.ErrStale)
		f.set(func(f *fake) { f.beatsDown = false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.NoError(t, open(r, sealed))
	})
}

func TestANodeThatWasDeclaredGoneBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		var purged []keymgmt.Ref
		n := run(t, f, func(o *keyring.Options) { o.Purged = func(r keymgmt.Ref) { purged = append(purged, r) } })
		r := ring(t, n.Node, invoice)
		require.NoError(t, seal(r))
		require.NoError(t, f.Leave(t.Context(), "one"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []keymgmt.Ref{{Set: invoice, Key: 1}}, purged)
		require.Contains(t, f.fences, "one")
		require.NoError(t, seal(r), "it is loaded again at use")
	})
}

func TestANodeThatIsGoneUsesNothingUntilItHasJoinedAgain(t *testing.T) {
	f := newFake(t)
	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	require.NoError(t, f.Leave(t.Context(), "one"))
	f.joinsDown = true
	require.ErrorIs(t, n.Refresh(t.Context()), errDown)
	require.ErrorIs(t, seal(r), keymgmt.ErrStale)
	require.ErrorIs(t, open(r, sealed), keymgmt.ErrStale)
	f.joinsDown = false
	require.NoError(t, n.Refresh(t.Context()))
	require.NoError(t, seal(r))
	require.NoError(t, open(r, sealed))
}

// joining is a membership in which something happens just before a node joins.
type joining struct {
	*fake
	before func()
}

func (j *joining) Join(ctx context.Context, node string, fence time.Duration) error {
	j.before()
	return j.fake.Join(ctx, node, fence)
}

// What is loaded before a node is back is not counted on by anybody: a destruction does not wait for it.
func TestANodeThatIsBackUsesNothingOfTheTimeBetween(t *testing.T) {
	f := newFake(t)
	m := &joining{f, func() {}}
	n, _ := node(t, f, func(o *keyring.Options) { o.Membership = m })
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	require.NoError(t, f.Leave(t.Context(), "one"))
	m.before = func() {
		_, err := n.Ring(t.Context(), invoice)
		require.NoError(t, err)
		f.state(keymgmt.Ref{Set: invoice, Key: 1}, keymgmt.DestroyScheduled)
	}
	require.NoError(t, n.Refresh(t.Context()))
	var state *keymgmt.StateError
	require.ErrorAs(t, open(r, sealed), &state)
}

func TestANodeThatHasLeftDoesNotJoinAgain(t *testing.T) {
	f := newFake(t)
	n, _ := node(t, f, nil)
	require.NoError(t, n.Close(t.Context()))
	require.ErrorIs(t, n.Refresh(t.Context()), keymgmt.ErrStale)
	require.Empty(t, f.fences)
	require.NoError(t, n.Close(t.Context()), "again")
}

func TestTheEndOfRunDropsAllAndLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		var purged []keymgmt.Ref
		n := run(t, f, func(o *keyring.Options) { o.Purged = func(r keymgmt.Ref) { purged = append(purged, r) } })
		r := ring(t, n.Node, invoice)
		n.stop()
		require.Empty(t, f.fences)
		require.Equal(t, []keymgmt.Ref{{Set: invoice, Key: 1}}, purged)
		require.ErrorIs(t, seal(r), keymgmt.ErrStale)
		_, err := n.Ring(t.Context(), invoice)
		require.ErrorIs(t, err, keymgmt.ErrStale)
	})
}

func TestPurgedIsToldOfWhatIsNoLongerUsableBeforeTheBeat(t *testing.T) {
	f := newFake(t)
	var purged []string
	n, _ := node(t, f, func(o *keyring.Options) {
		o.Purged = func(r keymgmt.Ref) { purged = append(purged, fmt.Sprint(r.Key, " at beat ", f.beats["one"])) }
	})
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	f.rotate(t, invoice)
	require.NoError(t, n.Refresh(t.Context()))
	require.Empty(t, purged)
	f.state(keymgmt.Ref{Set: invoice, Key: 1}, keymgmt.DestroyScheduled)
	require.NoError(t, n.Refresh(t.Context()))
	require.Equal(t, []string{"1 at beat 1"}, purged)
	require.ErrorIs(t, open(r, sealed), opsec.ErrDenied)

	f.set(func(f *fake) { delete(f.sets, invoice) })
	require.ErrorIs(t, n.Refresh(t.Context()), opsec.ErrNotFound)
	require.Equal(t, []string{"1 at beat 1", "2 at beat 2"}, purged)
	require.ErrorIs(t, seal(r), opsec.ErrNotFound)
}

func TestACustodianThatIsDownKeepsTheNewPrimaryOutAndTheBeatsGoing(t *testing.T) {
	f := newFake(t)
	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	f.rotate(t, invoice)
	f.custodian.set(true)
	require.ErrorIs(t, n.Refresh(t.Context()), keymgmt.ErrUnavailable)
	require.Equal(t, 1, f.beats["one"])
	require.ErrorIs(t, seal(r), keymgmt.ErrUnavailable, "the old key does not protect, the new one is not here")
	require.NoError(t, open(r, sealed))
	_, err = n.Ring(t.Context(), invoice)
	require.NoError(t, err)
	f.custodian.set(false)
	require.NoError(t, n.Refresh(t.Context()))
	require.NoError(t, seal(r))
}

func TestALookNeverBringsBackWhatALaterOneHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.rotate(t, invoice)
		n, _ := node(t, f, nil)
		r := ring(t, n, invoice)
		old, err := bare(t, f, keymgmt.Ref{Set: invoice, Key: 1}).Encrypt([]byte("text"), keymgmt.Context{}.Bytes())
		require.NoError(t, err)
		release := make(chan struct{})
		f.set(func(f *fake) { f.pause = func(context.Context) { <-release } })
		loading := make(chan error, 1)
		go func() { loading <- open(r, old) }() // has read the key, and is slow
		synctest.Wait()
		f.set(func(f *fake) { f.pause = nil })
		f.state(keymgmt.Ref{Set: invoice, Key: 1}, keymgmt.DestroyScheduled)
		refreshed := make(chan error, 1)
		go func() { refreshed <- n.Refresh(context.Background()) }()
		time.Sleep(time.Second)
		require.Zero(t, get(f, func(f *fake) int { return f.beats["one"] }), "no beat while somebody loads")
		close(release)
		<-loading // may still open: the key was allowed when it was read
		require.NoError(t, <-refreshed)
		require.Equal(t, 1, f.beats["one"])
		require.ErrorIs(t, open(r, old), opsec.ErrDenied)
	})
}

func TestKeysetsAndKeysInMemoryAreBounded(t *testing.T) {
	f := newFake(t)
	live := map[keymgmt.Ref]bool{}
	n, _ := node(t, f, func(o *keyring.Options) {
		o.Keysets, o.Keys = 3, 4
		o.Purged = func(r keymgmt.Ref) { live[r] = true }
	})
	var rings []*keyring.Ring
	var sealed [][]byte
	for i := range 10 {
		id := keymgmt.SetID{Tenant: "acme", ID: fmt.Sprint("set", i)}
		f.create(id, keymgmt.DataEncryption, "AES256_GCM")
		f.rotate(t, id)
		rings = append(rings, ring(t, n, id))
		s, err := rings[i].Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		sealed = append(sealed, s)
	}
	require.Len(t, live, 7, "seven had to make room")
	for range 3 {
		for i, r := range rings {
			require.NoError(t, open(r, sealed[i]), "whoever made room is loaded again")
		}
	}
	snapshots := f.snapshots
	require.NoError(t, n.Refresh(t.Context()))
	require.Equal(t, snapshots+3, f.snapshots)

	r := rings[0]
	var old [][]byte
	for range 8 {
		s, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		old = append(old, s)
		f.rotate(t, r.ID())
		require.NoError(t, n.Refresh(t.Context()))
	}
	for range 3 {
		for _, s := range old {
			require.NoError(t, open(r, s))
		}
	}
	helds := f.helds
	f.change(r.ID(), func(*keymgmt.Keyset) {})
	require.NoError(t, n.Refresh(t.Context()))
	require.LessOrEqual(t, f.helds-helds, 3)
	require.NoError(t, seal(r))
}

// Those who need room at the same time make as much as they need together.
func TestKeysetsInMemoryAreBoundedForManyAtOnce(t *testing.T) {
	f := newFake(t)
	n, _ := node(t, f, func(o *keyring.Options) { o.Keysets = 3 })
	for i := range 64 {
		id := keymgmt.SetID{Tenant: "acme", ID: fmt.Sprint("set", i)}
		f.create(id, keymgmt.DataEncryption, "AES256_GCM")
		f.rotate(t, id)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 64 {
				id := keymgmt.SetID{Tenant: "acme", ID: fmt.Sprint("set", (i+g*8)%64)}
				_, err := n.Ring(t.Context(), id)
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	snapshots := f.snapshots
	require.NoError(t, n.Refresh(t.Context()))
	require.LessOrEqual(t, f.snapshots-snapshots, 3)
}

func TestAUsedKeysetStaysAndAnIdleOneMakesRoom(t *testing.T) {
	f := newFake(t)
	gone := map[string]int{}
	n, _ := node(t, f, func(o *keyring.Options) {
		o.Keysets, o.Purged = 4, func(r keymgmt.Ref) { gone[r.Set.ID]++ }
	})
	r := ring(t, n, invoice)
	for i := range 40 {
		require.NoError(t, seal(r))
		id := keymgmt.SetID{Tenant: "acme", ID: fmt.Sprint("set", i)}
		f.create(id, keymgmt.DataEncryption, "AES256_GCM")
		f.rotate(t, id)
		ring(t, n, id)
	}
	require.Zero(t, gone[invoice.ID])
	require.Len(t, gone, 37)
}

func TestJoinRefusesOptionsThatPromiseNothing(t *testing.T) {
	f := newFake(t)
	for what, o := range map[string]*keyring.Options{
		"stale below refresh": {Node: "n", Refresh: time.Minute, Stale: time.Minute},
		"fence below stale":   {Node: "n", Stale: time.Hour}, "below 0": {Node: "n", Wait: -1}, "one key": {Node: "n", Keys: 1},
		"no keyset": {Node: "n", Keysets: -1},
	} {
		_, err := keyring.Join(t.Context(), f, f.custodian, o)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
	_, err := keyring.Join(t.Context(), struct{ keymgmt.Source }{f}, f.custodian, &keyring.Options{Node: "n"})
	require.ErrorIs(t, err, opsec.ErrInvalid, "no membership")
	_, err = keyring.Join(t.Context(), f, nil, &keyring.Options{Node: "n"})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Empty(t, f.fences)

	n, err := keyring.Join(t.Context(), struct{ keymgmt.Source }{f}, f.custodian,
		&keyring.Options{Node: "n", InsecureAlone: true, Actor: server, Now: (&clock{t: start}).now})
	require.NoError(t, err)
	r := ring(t, n, invoice)
	require.NoError(t, seal(r))
	require.NoError(t, n.Refresh(t.Context()))
	require.NoError(t, n.Close(t.Context()))
	require.Empty(t, f.fences)

	f.down = true
	_, err = keyring.Join(t.Context(), f, f.custodian, &keyring.Options{Node: "n"})
	require.True(t, errors.Is(err, errDown))
}

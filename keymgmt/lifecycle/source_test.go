package lifecycle_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// racing calls race once, before the third update.
type racing struct {
	keymgmt.Repository
	race func()
	n    int
}

func (r *racing) Sealed() bool { return true }

func (r *racing) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	if r.n++; r.n == 3 {
		r.race()
	}
	return r.Repository.Update(ctx, tenant, fn)
}

func TestSnapshotIsWhatANodeNeeds(t *testing.T) {
	h := open(t)
	_, err := h.Snapshot(bg, setID)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	h.create(t)
	s, err := h.Snapshot(bg, setID)
	require.NoError(t, err)
	require.Zero(t, s.Key.Ref)
	k := h.rotate(t)
	s, err = h.Snapshot(bg, setID)
	require.NoError(t, err)
	require.Equal(t, k, s.Key.Key)
	require.Equal(t, k.Ref.Key, s.Keyset.Primary)
	m, err := h.custodian.Unwrap(bg, s.Keyset.Custodian, s.Key.Wrapped, keymgmt.MaterialContext(k.Ref).Bytes())
	require.NoError(t, err)
	_, id, err := material{}.Examine(m)
	require.NoError(t, err)
	require.Equal(t, k.Ref.Key, id)
	_, err = h.custodian.Unwrap(bg, s.Keyset.Custodian, s.Key.Wrapped, keymgmt.MaterialContext(refOf(2)).Bytes())
	require.ErrorIs(t, err, keymgmt.ErrUnwrap)

	_, err = h.Suspend(bg, admin, k.Ref)
	require.NoError(t, err)
	held, err := h.Held(bg, k.Ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Suspended, held.State)
	require.Nil(t, held.Wrapped)
	_, err = h.Held(bg, refOf(9))
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = h.Held(bg, keymgmt.Ref{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestWatchYieldsAtFirstAndAfterChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.create(t)
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		var n atomic.Int32
		watch := func(m *house) {
			for _, err := range m.Watch(ctx, setID) {
				if err != nil {
					return
				}
				n.Add(1)
			}
		}
		go watch(h)
		synctest.Wait()
		require.EqualValues(t, 1, n.Load())
		h.rotate(t)
		synctest.Wait()
		require.EqualValues(t, 2, n.Load())
		go watch(h.over(t, &failing{Repository: h.repo})) // no Watcher
		synctest.Wait()
		require.EqualValues(t, 3, n.Load())
		cancel()
		synctest.Wait()
	})
}

// Many nodes lease at once, through several managers: together never more than the policy allows.
func TestLeasesNeverExceedTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := open(t)
		limit := keymgmt.Amount{Messages: rapid.Uint64Range(1, 500).Draw(rt, "messages"), Bytes: rapid.Uint64Range(1, 5000).Draw(rt, "bytes")}
		h.create(t, func(s *keymgmt.Keyset) {
			s.Policy.Messages, s.Policy.Bytes, s.Policy.Block = limit.Messages, limit.Bytes, 1
		})
		k := h.rotate(t)
		ask := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) keymgmt.Amount {
			return keymgmt.Amount{Messages: rapid.Uint64Range(1, 200).Draw(t, "m"), Bytes: rapid.Uint64Range(0, 2000).Draw(t, "b")}
		}), 1, 40).Draw(rt, "asks")
		var all sync.WaitGroup
		var messages, bytes atomic.Uint64
		for i := range 4 {
			node := h.over(t, h.repo)
			all.Go(func() {
				for j := i; j < len(ask); j += 4 {
					got, err := node.Lease(bg, k.Ref, ask[j])
					var exhausted *keymgmt.ExhaustedError
					if err != nil && !asExhausted(err, &exhausted) {
						panic(err)
					}
					if err == nil && (got.Messages == 0 || got.Messages > ask[j].Messages || got.Bytes > ask[j].Bytes) {
						panic(fmt.Sprint(got, " for ", ask[j]))
					}
					messages.Add(got.Messages)
					bytes.Add(got.Bytes)
				}
			})
		}
		all.Wait()
		require.LessOrEqual(rt, messages.Load(), limit.Messages)
		require.LessOrEqual(rt, bytes.Load(), limit.Bytes)
		for { // and no less: what is left can be had
			got, err := h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1000, Bytes: 0})
			if err != nil {
				break
			}
			messages.Add(got.Messages)
		}
		require.Equal(rt, limit.Messages, messages.Load())
	})
}

func asExhausted(err error, target **keymgmt.ExhaustedError) bool {
	e, ok := err.(*keymgmt.ExhaustedError)
	*target = e
	return ok
}

func TestLeasesAreForKeysThatProtect(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	_, err := h.Lease(bg, k.Ref, keymgmt.Amount{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	got, err := h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 600, Bytes: 10})
	require.NoError(t, err)
	require.Equal(t, keymgmt.Amount{Messages: 600, Bytes: 10}, got)
	p := policy()
	p.Messages = 500 // less than what is leased already
	_, err = h.Update(bg, admin, setID, &p, "", nil)
	require.NoError(t, err)
	_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1})
	require.ErrorIs(t, err, opsec.ErrDenied)
	h.rotate(t)
	_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1})
	var state *keymgmt.StateError
	require.ErrorAs(t, err, &state)
}

// A policy that the primary's algorithm does not meet stops it at once, so that its successor is due at once.
func TestAPrimaryThatThePolicyForbidsIsReplaced(t *testing.T) {
	for name, change := range map[string]func(*keymgmt.Policy){
		"weak":     func(p *keymgmt.Policy) { p.Strength = 256 },
		"unlisted": func(p *keymgmt.Policy) { p.Algorithms = []keymgmt.Algorithm{"XAES_256_GCM_192_BIT_NONCE"} },
		"worn out": func(p *keymgmt.Policy) { p.Messages = 1 << 40 },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.create(t, func(s *keymgmt.Keyset) { s.Algorithm = "AES128_GCM" })
			k := h.rotate(t)
			p := policy()
			change(&p)
			_, err := h.Update(bg, admin, setID, &p, "XAES_256_GCM_192_BIT_NONCE", nil)
			require.NoError(t, err)
			_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1, Bytes: 1})
			var forbidden *keymgmt.PolicyError
			require.ErrorAs(t, err, &forbidden)
			task, err := h.Tend(bg, admin, setID)
			require.NoError(t, err)
			require.Contains(t, task.Why, "policy")
			_, err = h.Lease(bg, task.Ref, keymgmt.Amount{Messages: 1, Bytes: 1})
			require.NoError(t, err)
		})
	}
}

func TestKeysOfEveryPurposeAreLeased(t *testing.T) {
	for purpose, algorithm := range map[keymgmt.Purpose]keymgmt.Algorithm{
		keymgmt.DataEncryption: "AES256_GCM", keymgmt.KeyWrapping: "AES256_GCM", keymgmt.Streaming: "AES256_GCM_HKDF_1MB",
		keymgmt.Authentication: "HMAC_SHA256_256BITTAG", keymgmt.Signature: "ED25519", keymgmt.Derivation: "HKDF_SHA256",
	} {
		h := open(t)
		h.create(t, func(s *keymgmt.Keyset) { s.Purpose, s.Algorithm = purpose, algorithm })
		k := h.rotate(t)
		got, err := h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 3, Bytes: 5})
		require.NoError(t, err, purpose)
		require.Equal(t, keymgmt.Amount{Messages: 3, Bytes: 5}, got, purpose)
		h.rotate(t)
		_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1})
		var state *keymgmt.StateError
		require.ErrorAs(t, err, &state, purpose)
	}
}

func TestALeaseOfNoBytesIsNone(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	got, err := h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1, Bytes: 100_001})
	require.NoError(t, err)
	require.Equal(t, keymgmt.Amount{Messages: 1, Bytes: 100_000}, got)
	_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1, Bytes: 1})
	var exhausted *keymgmt.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	got, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1})
	require.NoError(t, err)
	require.Equal(t, keymgmt.Amount{Messages: 1}, got, "an empty message needs none")
}

func TestTendRotatesWhatIsDue(t *testing.T) {
	h := open(t)
	h.create(t)
	due := func() (list []keymgmt.Verb) {
		for task, err := range h.Due(bg, setID) {
			require.NoError(t, err)
			list = append(list, task.Verb)
		}
		return list
	}
	tend := func() uint32 {
		task, err := h.Tend(bg, admin, setID)
		require.NoError(t, err)
		return task.Ref.Key
	}
	require.Equal(t, []keymgmt.Verb{keymgmt.Rotate}, due())
	require.Zero(t, tend(), "somebody has to begin")
	k := h.rotate(t)
	require.Empty(t, due())
	h.pass(23 * time.Hour)
	require.Equal(t, []keymgmt.Verb{keymgmt.Rotate}, due(), "within an hour")
	require.Zero(t, tend(), "but not yet")
	h.pass(time.Hour)
	require.EqualValues(t, 2, tend())
	require.Zero(t, tend())
	_, err := h.Lease(bg, refOf(2), keymgmt.Amount{Messages: 874, Bytes: 1})
	require.NoError(t, err)
	require.Zero(t, tend())
	_, err = h.Lease(bg, refOf(2), keymgmt.Amount{Messages: 1})
	require.NoError(t, err)
	require.EqualValues(t, 3, tend(), "an eighth is left")
	h.pass(216 * time.Hour)
	require.Equal(t, []keymgmt.Verb{keymgmt.Rotate, keymgmt.Schedule}, due())
	_, err = h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	require.Contains(t, due(), keymgmt.Destroy)
	why := func() string {
		for task, err := range h.Due(bg, setID) {
			require.NoError(t, err)
			if task.Verb == keymgmt.Destroy {
				return task.Why
			}
		}
		return ""
	}
	require.Contains(t, why(), "nobody has counted")
	_, err = h.Count(bg, operator, k.Ref, keymgmt.Census{Time: h.now, Of: 7, Digest: "sha256:0"})
	require.NoError(t, err)
	require.NotContains(t, why(), "nobody has counted")

	_, err = h.Tend(bg, operator, setID)
	require.ErrorIs(t, err, opsec.ErrDenied)
}

func TestSweepTendsEveryKeyset(t *testing.T) {
	h := open(t)
	ids := make([]keymgmt.SetID, 2000)
	for i := range ids {
		ids[i] = keymgmt.SetID{Tenant: "acme", ID: fmt.Sprintf("tenant-%04d", i)}
		s := set(ids[i])
		if i == 7 {
			quorum(&s.Policy, keymgmt.Activate, keymgmt.Rotate)
			delete(s.Policy.Quorum, keymgmt.Activate)
		}
		_, err := h.Create(bg, admin, s)
		require.NoError(t, err)
		if i%500 == 7 {
			k, err := h.Generate(bg, admin, ids[i])
			require.NoError(t, err)
			_, err = h.Activate(bg, admin, k.Ref)
			require.NoError(t, err)
		}
	}
	n := 0
	for s, err := range h.List(bg, "acme", "tenant-0009") {
		require.NoError(t, err)
		require.Equal(t, ids[10+n], s.SetID)
		n++
	}
	require.Equal(t, 1990, n)
	for range h.List(bg, "globex", "") {
		require.Fail(t, "another tenant's")
	}
	h.pass(24 * time.Hour)
	done, refused := 0, 0
	for task, err := range h.Sweep(bg, admin, "acme") {
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrDenied)
			require.ErrorContains(t, err, "tenant-0007")
			refused++
			continue
		}
		require.EqualValues(t, 2, task.Ref.Key)
		done++
	}
	require.Equal(t, []int{3, 1}, []int{done, refused})
	for _, err := range h.over(t, &failing{Repository: h.repo}).List(bg, "acme", "") {
		require.ErrorIs(t, err, opsec.ErrInvalid, "it cannot list")
	}
}

func TestSweepTakesSilentNodesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		require.NoError(t, h.Join(bg, "a", time.Minute))
		sweep := func() {
			for _, err := range h.Sweep(bg, admin, "acme") {
				require.NoError(t, err)
			}
		}
		sweep()
		time.Sleep(time.Minute)
		sweep()
		require.NoError(t, h.Beat(bg, "a"))
		sweep()
		time.Sleep(time.Minute + 1)
		sweep()
		require.ErrorIs(t, h.Beat(bg, "a"), opsec.ErrNotFound)
	})
}

// Managers that step on each other: there is never more than one key that protects, and it is the primary.
func TestOnePrimaryUnderContention(t *testing.T) {
	h := open(t)
	h.create(t)
	h.rotate(t)
	var all sync.WaitGroup
	for range 4 {
		m := h.over(t, h.repo)
		all.Go(func() {
			for range 10 {
				k, err := m.Rotate(bg, admin, setID)
				if err != nil {
					panic(err)
				}
				if _, err := m.Suspend(bg, admin, k.Ref); err == nil {
					_, _ = m.Resume(bg, admin, k.Ref)
				}
			}
		})
	}
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		for range 200 {
			s, err := h.Snapshot(bg, setID)
			if err != nil || s.Keyset.Primary != 0 && !s.Key.State.Allows(keymgmt.Protect) {
				panic(fmt.Sprint(s, err))
			}
		}
	}()
	all.Wait()
	<-watching
	list := h.protecting(t)
	require.LessOrEqual(t, len(list), 1)
	if len(list) == 1 {
		require.Equal(t, list[0], h.primary(t))
	}
	s, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	require.Equal(t, 41, s.Keys)
}

func TestTendLeavesAThirdPartysKeyAlone(t *testing.T) {
	h := open(t)
	h.create(t)
	k, err := h.Link(bg, admin, refOf(77), "AES256_GCM")
	require.NoError(t, err)
	h.pass(240 * time.Hour)
	task, err := h.Tend(bg, admin, setID)
	require.NoError(t, err)
	require.Zero(t, task)
	require.Equal(t, k.Ref.Key, h.primary(t))
}

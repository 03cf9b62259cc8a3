package lifecycle_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// before calls do once, before the n-th update.
type before struct {
	keymgmt.Repository
	n  int
	do func()
}

func (b *before) Sealed() bool { return true }

func (b *before) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	if b.n--; b.n == 0 {
		b.do()
	}
	return b.Repository.Update(ctx, tenant, fn)
}

// interleaved lets another do something before each of the updates that a step takes, in a house of its own each time.
func interleaved(t *testing.T, step func(n int, h *house, between func(do func()) *house) (raced bool)) {
	t.Helper()
	for n := 1; ; n++ {
		raced := false
		h := open(t)
		done := step(n, h, func(do func()) *house {
			return h.over(t, &before{Repository: h.repo, n: n, do: func() { raced = true; do() }})
		})
		if !done || !raced {
			require.Greater(t, n, 2, "there was no race")
			return
		}
	}
}

// A keyset that has a key to use has the key-encryption key that opens it, or rotating would lose data.
func livesOrIsRetired(t *testing.T, h *house) {
	t.Helper()
	s, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	if s.Primary == 0 {
		return
	}
	material, err := h.custodian.Unwrap(bg, setID.String(), h.snapshot(t).Key.Wrapped, keymgmt.MaterialContext(refOf(s.Primary)).Bytes())
	require.NoError(t, err)
	require.NotEmpty(t, material)
	require.Equal(t, setID.String(), s.Custodian)
}

func (h *house) snapshot(t *testing.T) keymgmt.Snapshot {
	t.Helper()
	s, err := h.Snapshot(bg, setID)
	require.NoError(t, err)
	return s
}

func TestAKeysetIsNotRetiredWhileItIsRotated(t *testing.T) {
	own := func(s *keymgmt.Keyset) { s.Custodian = "" }
	rotate := func(h *house) error { _, err := h.Rotate(bg, admin, setID); return err }
	retire := func(h *house) error { _, err := h.Retire(bg, admin, setID); return err }
	for name, steps := range map[string][2]func(*house) error{"retired meanwhile": {rotate, retire}, "rotated meanwhile": {retire, rotate}} {
		t.Run(name, func(t *testing.T) {
			interleaved(t, func(n int, h *house, between func(func()) *house) bool {
				h.create(t, own)
				var other error
				racer := between(func() { other = steps[1](h) })
				err := steps[0](racer)
				require.False(t, other == nil && err == nil && h.primary(t) != 0 && h.retired(t), "update %d", n)
				livesOrIsRetired(t, h)
				return true
			})
		})
	}
}

func (h *house) retired(t *testing.T) bool {
	s, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	return s.Custodian == ""
}

// Two recover at once: who is late does not put keys back that have come further meanwhile.
func TestARecoveryDoesNotOverwriteAnother(t *testing.T) {
	interleaved(t, func(n int, h *house, between func(func()) *house) bool {
		h.create(t)
		k := h.rotate(t)
		bundle, err := h.BackUp(bg, keeper, setID)
		require.NoError(t, err)
		h.repo = keymgmt.NewMemory(nil)
		first := h.over(t, h.repo)
		late := between(func() {
			_, err := first.Recover(bg, keeper, bundle)
			require.NoError(t, err)
			_, err = first.Compromise(bg, admin, k.Ref, h.now)
			require.NoError(t, err)
		})
		_, err = late.Recover(bg, keeper, bundle)
		if _, there := first.Key(bg, k.Ref); err == nil && there == nil && first.key(t, k.Ref).State == keymgmt.Deactivated {
			return false // it was through before
		}
		require.ErrorIs(t, err, keymgmt.ErrExists, "update %d", n)
		require.Equal(t, keymgmt.Compromised, first.key(t, k.Ref).State, "update %d", n)
		return true
	})
}

// A node that has left and come again is another, which has never held the key.
func TestANodeThatHasJoinedAnewIsNotWaitedFor(t *testing.T) {
	h := open(t)
	h.create(t)
	require.NoError(t, h.Join(bg, "a", time.Hour))
	for range 9 {
		require.NoError(t, h.Beat(bg, "a"))
	}
	ref := h.doomed(t)
	_, err := h.Destroy(bg, admin, ref)
	var pending *lifecycle.PendingError
	require.ErrorAs(t, err, &pending)
	require.NoError(t, h.Leave(bg, "a"))
	require.NoError(t, h.Join(bg, "a", time.Hour))
	d, err := h.Destroy(bg, admin, ref)
	require.NoError(t, err)
	fates := map[string]keymgmt.Fate{}
	for _, c := range d.Copies {
		fates[string(c.Kind)+" "+c.Name] = c.Fate
	}
	require.Equal(t, keymgmt.Fenced, fates[string(keymgmt.InNode)+" a"])
}

// retrying lets each update run twice, as a repository does that finds out late that another was first: at first on what was
// there before.
type retrying struct {
	keymgmt.Repository
	was keymgmt.Repository
}

func (r *retrying) Sealed() bool { return true }

func (r *retrying) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	_ = r.was.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		_, _ = fn(read)
		return keymgmt.Changes{}, errLost
	})
	return r.Repository.Update(ctx, tenant, fn)
}

func copied(t *testing.T, repo keymgmt.Repository) keymgmt.Repository {
	t.Helper()
	other := keymgmt.NewMemory(nil)
	for _, tenant := range []opsec.TenantID{"acme", opsec.Provider} {
		for d, err := range repo.(keymgmt.Lister).List(bg, tenant, "", "") {
			require.NoError(t, err)
			require.NoError(t, other.Update(bg, tenant, func(keymgmt.Read) (keymgmt.Changes, error) {
				return keymgmt.Changes{Put: []keymgmt.Document{d}}, nil
			}))
		}
	}
	return other
}

func TestWhatWasReadInVainLeavesNoTrace(t *testing.T) {
	h := open(t)
	repo := &retrying{h.repo, keymgmt.NewMemory(nil)}
	m := h.over(t, repo)
	var k keymgmt.Key
	var held keymgmt.Snapshot
	for i, step := range []func() error{
		func() error { m.create(t); return nil },
		func() error { k = m.rotate(t); return nil },
		func() error { _, err := m.Lease(bg, k.Ref, keymgmt.Amount{Messages: 3, Bytes: 3}); return err },
		func() error { _, err := m.Suspend(bg, admin, k.Ref); return err },
		func() (err error) { held, err = m.Snapshot(bg, setID); return err },
		func() error { _, err := m.Deactivate(bg, admin, k.Ref); return err },
		func() error {
			_, err := m.Count(bg, operator, k.Ref, keymgmt.Census{Time: m.now, Of: 7, Digest: "sha256:0"})
			return err
		},
		func() error { _, err := m.Schedule(bg, admin, k.Ref); m.pass(72 * time.Hour); return err },
		func() error { _, err := m.Destroy(bg, admin, k.Ref); return err },
	} {
		was := copied(t, h.repo)
		require.NoError(t, step(), "step %d", i)
		repo.was = was
	}
	require.Equal(t, held.Keyset.Primary, held.Key.Ref.Key, "a suspended key is no primary, and not given out as one")
	history, err := m.History(bg, k.Ref)
	require.NoError(t, err)
	require.Len(t, history, 7, "each step once")
	require.Len(t, h.recorder.actions(opsec.Success), 7)
	require.Empty(t, h.recorder.actions(opsec.Denied))
}

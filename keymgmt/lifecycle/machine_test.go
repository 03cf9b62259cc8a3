package lifecycle_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Random steps by random people: what the tables forbid does not happen, one key protects at most, what is refused changes
// nothing, the dead stay dead, and every record is what its events make.
func TestAnyCourseOfStepsIsLawful(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := open(t)
		h.create(t)
		dead := map[uint32]bool{}
		steps := map[string]func() error{
			"rotate":   func() error { _, err := h.Rotate(bg, by(draw(rt, "ann", "cas")), setID); return err },
			"generate": func() error { _, err := h.Generate(bg, admin, setID); return err },
			"expect":   func() error { _, err := h.Expect(bg, admin, anyRef(rt), "AES256_GCM"); return err },
			"import": func() error {
				ref := anyRef(rt)
				b, err := material{}.New("AES256_GCM", ref.Key)
				require.NoError(rt, err)
				_, err = h.Import(bg, keeper, ref, b)
				return err
			},
			"link":       func() error { _, err := h.Link(bg, admin, anyRef(rt), "AES256_GCM"); return err },
			"activate":   func() error { _, err := h.Activate(bg, by(draw(rt, "ann", "oli")), anyRef(rt)); return err },
			"suspend":    func() error { _, err := h.Suspend(bg, admin, anyRef(rt)); return err },
			"resume":     func() error { _, err := h.Resume(bg, admin, anyRef(rt)); return err },
			"deactivate": func() error { _, err := h.Deactivate(bg, admin, anyRef(rt)); return err },
			"compromise": func() error { _, err := h.Compromise(bg, operator, anyRef(rt), h.now); return err },
			"schedule":   func() error { _, err := h.Schedule(bg, admin, anyRef(rt)); return err },
			"cancel":     func() error { _, err := h.Cancel(bg, admin, anyRef(rt)); return err },
			"count": func() error {
				_, err := h.Count(bg, operator, anyRef(rt), keymgmt.Census{Time: h.now, Objects: draw(rt, uint64(0), 0, 1), Of: 1})
				return err
			},
			"destroy": func() error { _, err := h.Destroy(bg, admin, anyRef(rt)); return err },
			"force":   func() error { _, err := h.ForceDestroy(bg, admin, anyRef(rt)); return err },
			"unlink":  func() error { _, err := h.Unlink(bg, admin, anyRef(rt)); return err },
			"lease":   func() error { _, err := h.Lease(bg, anyRef(rt), keymgmt.Amount{Messages: 1}); return err },
			"tend":    func() error { _, err := h.Tend(bg, admin, setID); return err },
			"time":    func() error { h.pass(draw(rt, time.Hour, 25*time.Hour, 73*time.Hour, -time.Minute)); return nil },
		}
		names := make([]string, 0, len(steps))
		for name := range steps {
			names = append(names, name)
		}
		slices.Sort(names)
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			before, err := h.Keyset(bg, setID)
			require.NoError(rt, err)
			name := rapid.SampledFrom(names).Draw(rt, "step")
			err = steps[name]()
			after, err2 := h.Keyset(bg, setID)
			require.NoError(rt, err2)
			if err != nil {
				require.True(rt, errors.Is(err, opsec.ErrDenied) || errors.Is(err, opsec.ErrInvalid) || errors.Is(err, opsec.ErrNotFound) ||
					errors.Is(err, keymgmt.ErrExists) || errors.Is(err, keymgmt.ErrDestroyed), "%s: %v", name, err)
				require.Equal(rt, before, after, name)
			}
			lawful(rt, h, after, dead)
		}
	})
}

func draw[T any](t *rapid.T, list ...T) T { return rapid.SampledFrom(list).Draw(t, "one") }

func anyRef(t *rapid.T) keymgmt.Ref { return refOf(rapid.Uint32Range(1, 6).Draw(t, "key")) }

func lawful(t *rapid.T, h *house, s keymgmt.Keyset, dead map[uint32]bool) {
	var protecting []uint32
	n := 0
	for k, err := range h.Keys(bg, setID) {
		require.NoError(t, err)
		n++
		id := k.Ref.Key
		events, err := h.History(bg, k.Ref)
		require.NoError(t, err)
		again, err := keymgmt.Replay(k.Ref, events)
		require.NoError(t, err)
		require.True(t, again.Equal(k))
		if k.State.Allows(keymgmt.Protect) {
			protecting = append(protecting, id)
		}
		held, err := h.Held(bg, k.Ref)
		require.NoError(t, err)
		came := events[0].Verb == keymgmt.Generate || k.Imported // a key that was expected may be compromised before it comes
		require.Equal(t, held.Wrapped != nil, k.State.Allows(keymgmt.Process) && came, k.State)
		require.False(t, dead[id] && !k.State.Final(), "a dead key lives")
		if k.State.Final() {
			dead[id] = true
		}
		if _, err := h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1}); err == nil {
			require.True(t, k.State.Allows(keymgmt.Protect))
			require.True(t, h.now.Before(k.ProtectUntil))
		}
	}
	require.Equal(t, s.Keys, n)
	if s.Primary == 0 {
		require.Empty(t, protecting)
	} else {
		require.Equal(t, []uint32{s.Primary}, protecting)
	}
}

// Each action is emitted by some test of this kind; here all by one course.
func TestEveryActionIsEmitted(t *testing.T) {
	h := aged(t) // create, rotate, count, schedule, destroy, suspend, generate, link, deactivate, activate
	do := func(err error) {
		t.Helper()
		require.NoError(t, err)
	}
	one := func(_ keymgmt.Key, err error) { t.Helper(); do(err) }
	_, err := h.Update(bg, admin, setID, nil, "AES128_GCM", nil)
	do(err)
	r := roles()
	r[keymgmt.Auditor] = nil
	_, err = h.Grant(bg, admin, setID, r)
	do(err)
	one(h.Expect(bg, admin, refOf(50), "AES256_GCM"))
	b, _ := material{}.New("AES256_GCM", 50)
	one(h.Import(bg, keeper, refOf(50), b))
	one(h.Resume(bg, admin, refOf(3)))
	one(h.Cancel(bg, admin, refOf(4)))
	one(h.ChangePeriods(bg, admin, refOf(8), h.now.Add(time.Hour), h.now.Add(time.Hour)))
	_, err = h.Export(bg, keeper, refOf(8))
	do(err)
	one(h.Compromise(bg, admin, refOf(8), h.now))
	_, err = h.BackUp(bg, keeper, setID)
	do(err)
	one(h.Schedule(bg, admin, refOf(7)))
	one(h.Schedule(bg, admin, refOf(5)))
	h.pass(72 * time.Hour)
	_, err = h.Unlink(bg, admin, refOf(7))
	do(err)
	_, err = h.ForceDestroy(bg, admin, refOf(5))
	do(err)
	contains(t, h.recorder.actions(opsec.Success),
		keymgmt.ActionCreate, keymgmt.ActionUpdate, keymgmt.ActionGrant, keymgmt.ActionGenerate, keymgmt.ActionRotate, keymgmt.ActionExpect,
		keymgmt.ActionImport, keymgmt.ActionLink, keymgmt.ActionActivate, keymgmt.ActionSuspend, keymgmt.ActionResume,
		keymgmt.ActionDeactivate, keymgmt.ActionChangePeriods, keymgmt.ActionCompromise, keymgmt.ActionCount, keymgmt.ActionSchedule,
		keymgmt.ActionCancel, keymgmt.ActionDestroy, keymgmt.ActionForceDestroy, keymgmt.ActionUnlink, keymgmt.ActionBackUp, keymgmt.ActionExport)
	// Retire, recover, fail, join, leave and fence: TestRetireDestroysTheKeysetsOwnKey, TestRecoverBringsBackAllButProtection,
	// TestADestructionThatFailsIsSaidSo, TestDestructionWaitsForNodes.
}

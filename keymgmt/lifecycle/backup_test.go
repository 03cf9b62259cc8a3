package lifecycle_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// aged is a house with keys in several states: 1 destroyed, 2 deactivated, 3 suspended, 4 scheduled, 5 not activated, 6 active,
// 7 with a third party.
func aged(t testing.TB) *house {
	h := open(t)
	h.create(t)
	h.doomed(t)
	_, err := h.Destroy(bg, admin, refOf(1))
	require.NoError(t, err)
	h.rotate(t)
	_, err = h.Suspend(bg, admin, refOf(3))
	require.NoError(t, err)
	h.rotate(t)
	_, err = h.Schedule(bg, admin, refOf(4))
	require.NoError(t, err)
	_, err = h.Generate(bg, admin, setID)
	require.NoError(t, err)
	_, err = h.Link(bg, admin, refOf(7), "AES256_GCM")
	require.NoError(t, err)
	_, err = h.Deactivate(bg, admin, refOf(7))
	require.NoError(t, err)
	_, err = h.Generate(bg, admin, setID)
	require.NoError(t, err)
	_, err = h.Activate(bg, admin, refOf(8))
	require.NoError(t, err)
	return h
}

func TestRecoverBringsBackAllButProtection(t *testing.T) {
	h := aged(t)
	_, err := h.Lease(bg, refOf(8), keymgmt.Amount{Messages: 5, Bytes: 50})
	require.NoError(t, err)
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	require.Equal(t, keymgmt.ActionBackUp, h.recorder.last().Action)

	n := h.fresh(t)
	n.custodian = newCustodian() // the old one is lost
	n = n.over(t, n.repo)
	s, err := n.Recover(bg, keeper, bundle)
	require.NoError(t, err)
	require.Zero(t, s.Primary)
	require.Equal(t, 1, s.Backups)
	require.Empty(t, n.protecting(t))
	for id, want := range map[uint32]keymgmt.State{
		1: keymgmt.Destroyed, 2: keymgmt.Deactivated, 3: keymgmt.Suspended, 4: keymgmt.DestroyScheduled, 5: keymgmt.PreActivation,
		7: keymgmt.Deactivated, 8: keymgmt.Deactivated,
	} {
		require.Equal(t, want, n.key(t, refOf(id)).State, id)
	}
	was, err := h.Export(bg, keeper, refOf(8))
	require.NoError(t, err)
	is, err := n.Export(bg, keeper, refOf(8))
	require.NoError(t, err)
	require.Equal(t, was, is)
	_, err = n.Resume(bg, admin, refOf(3))
	require.NoError(t, err)
	require.Equal(t, []uint32{3}, n.protecting(t))
	_, err = n.Lease(bg, refOf(3), keymgmt.Amount{Messages: 1})
	var exhausted *keymgmt.ExhaustedError
	require.ErrorAs(t, err, &exhausted, "nobody knows how much it has protected")
	require.EqualValues(t, 9, n.rotate(t).Ref.Key)
	_, err = n.Recover(bg, keeper, bundle)
	require.ErrorIs(t, err, keymgmt.ErrExists)
}

func TestRecoverGoesOnAfterACrash(t *testing.T) {
	h := aged(t)
	for range 12 {
		h.rotate(t)
	}
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	for n := 1; ; n++ {
		fresh := h.fresh(t)
		f := &failing{Repository: fresh.repo, before: n}
		_, err := fresh.over(t, f).Recover(bg, keeper, bundle)
		if err == nil {
			require.Greater(t, n, 3)
			break
		}
		require.ErrorIs(t, err, errLost)
		_, err = fresh.Keyset(bg, setID)
		require.ErrorIs(t, err, opsec.ErrNotFound, "the keyset comes last")
		s, err := fresh.Recover(bg, keeper, bundle)
		require.NoError(t, err)
		require.Equal(t, 19, s.Keys)
		require.Empty(t, fresh.protecting(t))
	}
}

func TestABundleThatWasChangedIsRefused(t *testing.T) {
	h := open(t)
	h.create(t)
	h.rotate(t)
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	refused := func(b []byte) {
		t.Helper()
		n := h.fresh(t)
		_, err := n.Recover(bg, keeper, b)
		require.Error(t, err)
		_, err = n.Keyset(bg, setID)
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
	for i := 0; i < len(bundle); i += 7 {
		b := bytes.Clone(bundle)
		b[i] ^= 1
		refused(b)
	}
	refused(bytes.Replace(bundle, []byte("acme/cas"), []byte("acme/eve"), 1))
	refused(bundle[:len(bundle)-1])
	refused(append(bytes.Clone(bundle), '{'))
	refused(nil)

	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, bundle, "", "  "))
	_, err = h.fresh(t).Recover(bg, keeper, indented.Bytes())
	require.NoError(t, err, "white space is none of its content")

	h.escrow.Fail(keymgmt.ErrSealed)
	_, err = h.fresh(t).Recover(bg, keeper, bundle)
	require.ErrorIs(t, err, keymgmt.ErrSealed)
	_, err = h.BackUp(bg, keeper, setID)
	require.ErrorIs(t, err, keymgmt.ErrSealed)
	h.escrow.Fail(nil)

	stranger := h.fresh(t)
	stranger.options.Escrow = newCustodian()
	_, err = stranger.over(t, stranger.repo).Recover(bg, keeper, bundle)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	none := h.fresh(t)
	none.options.Escrow = nil
	_, err = none.over(t, none.repo).Recover(bg, keeper, bundle)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = none.over(t, h.repo).BackUp(bg, keeper, setID)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRecoveryAsksForTheRolesAndTheConsentOfTheBundle(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Recover) })
	h.rotate(t)
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	n := h.fresh(t)
	_, err = n.Recover(bg, admin, bundle)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = n.Recover(bg, keeper, bundle)
	require.ErrorIs(t, err, lifecycle.ErrConsent)
	c, err := n.ProposeRecovery(bg, keeper, bundle)
	require.NoError(t, err)
	require.NoError(t, n.approve(t, c, person("dee")))
	with := keeper
	with.Approval = c.Request.ID
	other, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	_, err = n.Recover(bg, with, other)
	require.ErrorIs(t, err, opsec.ErrDenied, "another bundle")
	_, err = n.Recover(bg, with, bundle)
	require.NoError(t, err)
}

func TestABackupIsOfOneState(t *testing.T) {
	h := open(t)
	h.create(t)
	h.rotate(t)
	f := &racing{Repository: h.repo}
	b := h.over(t, f)
	f.race = func() { h.pass(time.Second); h.rotate(t) }
	_, err := b.BackUp(bg, keeper, setID)
	require.ErrorIs(t, err, lifecycle.ErrChanged)
	_, err = b.BackUp(bg, keeper, setID)
	require.NoError(t, err)
}

func FuzzBundle(f *testing.F) {
	h := open(f)
	h.create(f)
	_, err := h.Rotate(bg, admin, setID)
	require.NoError(f, err)
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(f, err)
	f.Add(bundle)
	f.Add([]byte(`{"version":1,"manifest":{},"seal":""}`))
	f.Add([]byte(`{"version":1,"manifest":null}`))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := h.fresh(t)
		if _, err := n.Recover(bg, keeper, data); err != nil {
			return
		}
		var got, want struct{ Seal []byte }
		require.NoError(t, json.Unmarshal(data, &got))
		require.NoError(t, json.Unmarshal(bundle, &want))
		require.Equal(t, want, got, "only what was sealed is recovered")
	})
}

// After a loss nobody knows what became of a key that was not in use yet when it was backed up.
func TestAKeyThatWasNotInUseYetDoesNotProtectAfterARecovery(t *testing.T) {
	h := open(t)
	h.create(t)
	k, err := h.Generate(bg, admin, setID)
	require.NoError(t, err)
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	_, err = h.Activate(bg, admin, k.Ref)
	require.NoError(t, err)
	_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1000, Bytes: 1000})
	require.NoError(t, err)
	was, err := h.Keyset(bg, setID)
	require.NoError(t, err)

	n := h.fresh(t)
	s, err := n.Recover(bg, keeper, bundle)
	require.NoError(t, err)
	require.Greater(t, s.Generation, was.Generation, "a node that has seen the keyset before takes it anew")
	_, err = n.Activate(bg, admin, k.Ref)
	require.NoError(t, err)
	_, err = n.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1, Bytes: 1})
	var exhausted *keymgmt.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
}

// A repository that was put back has keys again that were destroyed since: a backup does not take them along.
func TestABackupHasNoMaterialOfADeadKey(t *testing.T) {
	l := newLedger()
	h := open(t, func(o *lifecycle.Options) { o.Tombstones = []keymgmt.Tombstones{l} })
	h.create(t)
	k := h.rotate(t)
	other := h.rotate(t)
	l.issued[k.Ref] = keymgmt.Destruction{}
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)

	open := h.fresh(t)
	open.options.Tombstones = nil
	open = open.over(t, open.repo)
	_, err = open.Recover(bg, keeper, bundle)
	require.NoError(t, err)
	held, err := open.Held(bg, k.Ref)
	require.NoError(t, err)
	require.Nil(t, held.Wrapped)
	held, err = open.Held(bg, other.Ref)
	require.NoError(t, err)
	require.NotNil(t, held.Wrapped)
}

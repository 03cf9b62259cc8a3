package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// ledger is Receipts and Tombstones.
type ledger struct {
	issued map[keymgmt.Ref]keymgmt.Destruction
	fail   error
}

func (l *ledger) Issue(_ context.Context, d keymgmt.Destruction) (string, error) {
	if l.fail != nil {
		return "", l.fail
	}
	if _, twice := l.issued[d.Key.Ref]; !twice {
		l.issued[d.Key.Ref] = d
	}
	return "sha256:1", nil
}

func (l *ledger) Buried(_ context.Context, ref keymgmt.Ref) (bool, error) {
	_, there := l.issued[ref]
	return there, l.fail
}

func (l *ledger) Copies(context.Context, keymgmt.Ref) ([]keymgmt.Copy, error) {
	return []keymgmt.Copy{{Kind: keymgmt.InShare, Name: "share 1", Fate: keymgmt.Void, Time: noon}}, nil
}

func withLedger(l *ledger) func(*lifecycle.Options) {
	return func(o *lifecycle.Options) { o.Receipts, o.Copies = l, []keymgmt.Copies{l} }
}

func newLedger() *ledger { return &ledger{issued: map[keymgmt.Ref]keymgmt.Destruction{}} }

func TestDestructionHasItsConditions(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	_, err := h.Destroy(bg, admin, k.Ref)
	var state *keymgmt.StateError
	require.ErrorAs(t, err, &state, "active")
	h.rotate(t)
	scheduled, err := h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Equal(t, noon.Add(72*time.Hour), scheduled.DestroyAfter)
	held, err := h.Held(bg, k.Ref)
	require.NoError(t, err)
	require.Nil(t, held.Wrapped, "nobody uses it any more")
	_, err = h.Destroy(bg, admin, k.Ref)
	require.ErrorContains(t, err, "wait until")
	h.pass(72 * time.Hour)
	_, err = h.Destroy(bg, admin, k.Ref)
	require.ErrorContains(t, err, "no census")
	count := func(c keymgmt.Census) {
		_, err := h.Count(bg, operator, k.Ref, c)
		require.NoError(t, err)
	}
	count(keymgmt.Census{Time: h.now, Objects: 1, Of: 2})
	_, err = h.Destroy(bg, admin, k.Ref)
	require.ErrorContains(t, err, "1 objects are left")
	count(keymgmt.Census{Time: h.now, Of: 2})
	_, err = h.ForceDestroy(bg, lifecycle.By{Actor: admin.Actor}, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid, "force needs a reason")
	_, err = h.Unlink(bg, admin, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid, "it is no link")
	d, err := h.Destroy(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Destroyed, d.Key.State)
	require.False(t, d.Forced)
	again, err := h.Destroy(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Equal(t, d, again)
}

func TestDestructionLeavesNothing(t *testing.T) {
	l := newLedger()
	h := open(t, withLedger(l))
	h.create(t)
	ref := h.doomed(t)
	_, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	bundle, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	var wrapped string
	look := func() string {
		var doc string
		require.NoError(t, h.repo.Update(bg, "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
			docs, err := read("key/volumes/00000001")
			doc = string(docs[0])
			return keymgmt.Changes{}, err
		}))
		return doc
	}
	require.Contains(t, look(), `"wrapped":"`)
	d, err := h.Destroy(bg, admin, ref)
	require.NoError(t, err)
	require.NotContains(t, look(), `"wrapped"`, wrapped)
	require.Equal(t, d, l.issued[ref])
	require.Len(t, d.Checks, 2)
	for _, c := range d.Checks {
		require.True(t, c.Passed, c)
	}
	require.Equal(t, d.Event, h.recorder.last().ID)
	require.Equal(t, keymgmt.ActionDestroy, h.recorder.last().Action)
	require.Equal(t, ref.Resource(), h.recorder.last().Resource)
	require.Equal(t, []keymgmt.Copy{
		{Kind: keymgmt.InRecord, Name: "key/volumes/00000001", Fate: keymgmt.Erased, How: "taken out of the record", Time: h.now},
		{Kind: keymgmt.InBackup, Name: "backup/volumes/00000001 to backup/volumes/00000002", Fate: keymgmt.Left, How: "was handed out", Time: h.now},
		{Kind: keymgmt.InShare, Name: "share 1", Fate: keymgmt.Void, Time: noon},
	}, d.Copies)

	held, err := h.Held(bg, ref)
	require.NoError(t, err)
	require.Nil(t, held.Wrapped)
	_, err = h.Export(bg, keeper, ref)
	require.ErrorIs(t, err, keymgmt.ErrDestroyed)
	_, err = h.Expect(bg, admin, ref, "AES256_GCM")
	require.ErrorIs(t, err, keymgmt.ErrExists)

	// A restore to a repository that knows nothing: the log of destructions does.
	n := h.fresh(t)
	n.options.Tombstones = []keymgmt.Tombstones{l}
	n = n.over(t, n.repo)
	_, err = n.Recover(bg, keeper, bundle)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Destroyed, n.key(t, ref).State)
	held, err = n.Held(bg, ref)
	require.NoError(t, err)
	require.Nil(t, held.Wrapped)
	again, err := n.Destroy(bg, admin, ref)
	require.NoError(t, err)
	require.Equal(t, "not recovered", again.Method)
	held, err = n.Held(bg, refOf(2))
	require.NoError(t, err)
	require.NotNil(t, held.Wrapped, "the others are there")
}

// An old copy of a document is put back where it was.
func TestATombstoneOutlivesTheRecord(t *testing.T) {
	l := newLedger()
	h := open(t, withLedger(l))
	h.create(t)
	k := h.rotate(t)
	names := []string{"set/volumes", "key/volumes/00000001", "tombstone/volumes/00000001"}
	var old [][]byte
	save := func(read keymgmt.Read) (out keymgmt.Changes, err error) { old, err = read(names...); return out, err }
	require.NoError(t, h.repo.Update(bg, "acme", save))
	h.rotate(t)
	h.pass(time.Hour)
	_, err := h.Count(bg, operator, k.Ref, keymgmt.Census{Time: h.now})
	require.NoError(t, err)
	_, err = h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	_, err = h.Destroy(bg, admin, k.Ref)
	require.NoError(t, err)

	restore := func(n int) {
		require.NoError(t, h.repo.Update(bg, "acme", func(keymgmt.Read) (out keymgmt.Changes, err error) {
			for i := range n {
				out.Put = append(out.Put, keymgmt.Document{Name: names[i], Data: old[i]})
			}
			return out, nil
		}))
	}
	refused := func(h *house) {
		t.Helper()
		_, err := h.Held(bg, k.Ref)
		require.ErrorIs(t, err, keymgmt.ErrDestroyed)
		_, err = h.Snapshot(bg, setID)
		require.ErrorIs(t, err, keymgmt.ErrDestroyed)
		_, err = h.Export(bg, keeper, k.Ref)
		require.ErrorIs(t, err, keymgmt.ErrDestroyed)
	}
	restore(2) // the record, as it was
	refused(h)
	restore(3) // the whole repository, tombstone and all
	_, err = h.Held(bg, k.Ref)
	require.NoError(t, err, "nothing in the repository tells")
	h.options.Tombstones = []keymgmt.Tombstones{l}
	refused(h.over(t, h.repo))
	l.fail = errors.New("log unreachable")
	_, err = h.over(t, h.repo).Held(bg, k.Ref)
	require.ErrorIs(t, err, l.fail)
}

// The process dies, or an answer is lost, at each update in turn: called again, it comes to the same end.
func TestDestructionGoesOnAfterACrash(t *testing.T) {
	for _, lost := range []bool{false, true} {
		crashes := 0
		for n := 1; n <= 15; n++ {
			l := newLedger()
			h := open(t, withLedger(l))
			h.create(t)
			ref := h.doomed(t)
			f := &failing{Repository: h.repo}
			if lost {
				f.after = n
			} else {
				f.before = n
			}
			broken := h.over(t, f)
			_, err := broken.Destroy(bg, admin, ref)
			if err == nil { // it was done before, or a reading that was lost did not matter
				continue
			}
			crashes++
			require.ErrorIs(t, err, errLost)
			d, err := h.Destroy(bg, admin, ref)
			require.NoError(t, err, "crash at %d", n)
			require.Equal(t, keymgmt.Destroyed, h.key(t, ref).State)
			require.Len(t, d.Checks, 2)
			require.Equal(t, d, l.issued[ref])
			got := 0
			for _, a := range h.recorder.actions(opsec.Success) {
				if a == keymgmt.ActionDestroy {
					got++
				}
			}
			require.Equal(t, 1, got)
		}
		require.Greater(t, crashes, 5)
	}
}

func TestAReceiptIsMadeLater(t *testing.T) {
	l := newLedger()
	h := open(t, withLedger(l))
	h.create(t)
	ref := h.doomed(t)
	l.fail = errors.New("log unreachable")
	_, err := h.Destroy(bg, admin, ref)
	require.ErrorIs(t, err, l.fail)
	require.Equal(t, keymgmt.Destroyed, h.key(t, ref).State)
	l.fail = nil
	_, err = h.Destroy(bg, admin, ref)
	require.NoError(t, err)
	require.Contains(t, l.issued, ref)
}

// liar keeps what it should have overwritten.
type liar struct {
	keymgmt.Repository
	lie bool
}

func (l *liar) Sealed() bool { return true }

func (l *liar) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	return l.Repository.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		out, err := fn(read)
		for i, d := range out.Put {
			if l.lie && strings.HasPrefix(d.Name, "key/") && strings.Contains(string(d.Data), `"state":"destroyed"`) {
				out.Put[i].Data = []byte(strings.Replace(string(d.Data), `"events"`, `"wrapped":"AAAA","events"`, 1))
			}
		}
		return out, err
	})
}

func TestADestructionThatFailsIsSaidSo(t *testing.T) {
	l := newLedger()
	h := open(t, withLedger(l))
	h.create(t)
	ref := h.doomed(t)
	repo := &liar{Repository: h.repo, lie: true}
	b := h.over(t, repo)
	_, err := b.Destroy(bg, admin, ref)
	require.ErrorContains(t, err, "the record: holds no material: false")
	require.Equal(t, keymgmt.DestroyFailed, h.key(t, ref).State)
	require.Empty(t, l.issued)
	require.Equal(t, keymgmt.ActionFail, h.recorder.last().Action)
	require.Equal(t, opsec.Failure, h.recorder.last().Outcome)
	repo.lie = false
	d, err := b.Destroy(bg, admin, ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Destroyed, h.key(t, ref).State)
	require.Equal(t, d, l.issued[ref])
}

func TestForceAndLinks(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	link, err := h.Link(bg, admin, refOf(77), "AES256_GCM")
	require.NoError(t, err)
	require.Equal(t, []uint32{77}, h.protecting(t))
	held, err := h.Held(bg, link.Ref)
	require.NoError(t, err)
	require.Nil(t, held.Wrapped)
	h.rotate(t)
	for _, ref := range []keymgmt.Ref{k.Ref, link.Ref} {
		_, err = h.Schedule(bg, admin, ref)
		require.NoError(t, err)
	}
	h.pass(72 * time.Hour)
	d, err := h.ForceDestroy(bg, admin, k.Ref)
	require.NoError(t, err)
	require.True(t, d.Forced)
	require.Equal(t, keymgmt.ActionForceDestroy, h.recorder.last().Action)
	_, err = h.Destroy(bg, admin, link.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	d, err = h.Unlink(bg, admin, link.Ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Left, d.Copies[0].Fate)
}

func TestDestructionWithConsentNamesWhoConsented(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Destroy) })
	ref := h.doomed(t)
	c, err := h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Destroy, Set: setID, Key: ref.Key})
	require.NoError(t, err)
	require.NoError(t, h.approve(t, c, person("cas")))
	with := admin
	with.Approval = c.Request.ID
	d, err := h.Destroy(bg, with, ref)
	require.NoError(t, err)
	require.Equal(t, []string{"acme/cas"}, d.Approvers)
	used, _, err := h.Case(bg, "acme", c.Request.ID)
	require.NoError(t, err)
	require.Equal(t, used.Digest(), d.Approved)
}

func TestDestructionWaitsForNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.create(t)
		require.NoError(t, h.Join(bg, "a", time.Minute))
		require.NoError(t, h.Join(bg, "b", time.Minute))
		require.NoError(t, h.Join(bg, "c", time.Hour))
		require.ErrorIs(t, h.Join(bg, "a", time.Minute), keymgmt.ErrExists)
		require.ErrorIs(t, h.Join(bg, "d", 0), opsec.ErrInvalid)
		ref := h.doomed(t)
		destroy := func() []string {
			_, err := h.Destroy(bg, admin, ref)
			var pending *lifecycle.PendingError
			if errors.As(err, &pending) {
				return pending.Nodes
			}
			require.NoError(t, err)
			return nil
		}
		require.Equal(t, []string{"a", "b", "c"}, destroy())
		require.NoError(t, h.Beat(bg, "a"))
		require.Equal(t, []string{"a", "b", "c"}, destroy(), "it may have looked before")
		require.NoError(t, h.Beat(bg, "a"))
		require.Equal(t, []string{"b", "c"}, destroy())
		require.NoError(t, h.Leave(bg, "c"))
		require.Equal(t, []string{"b"}, destroy())
		h.pass(24 * 365 * time.Hour)
		require.Equal(t, []string{"b"}, destroy(), "the wall clock does not count")
		time.Sleep(time.Minute)
		require.Equal(t, []string{"b"}, destroy())
		other := h.over(t, h.repo)
		_, err := other.Destroy(bg, admin, ref)
		var pending *lifecycle.PendingError
		require.ErrorAs(t, err, &pending, "who has just begun to look has seen nothing")
		require.NoError(t, h.Join(bg, "late", time.Hour))
		time.Sleep(time.Second)
		require.Empty(t, destroy())
		d, err := h.Destroy(bg, admin, ref)
		require.NoError(t, err)
		fates := map[string]keymgmt.Fate{}
		for _, c := range d.Copies[1:] {
			fates[c.Name] = c.Fate
		}
		require.Equal(t, map[string]keymgmt.Fate{"a": keymgmt.Acknowledged, "b": keymgmt.Fenced, "c": keymgmt.Fenced}, fates)
		require.ErrorIs(t, h.Beat(bg, "b"), opsec.ErrNotFound, "it joins again")
		require.NoError(t, h.Join(bg, "b", time.Minute))
		contains(t, h.recorder.actions(opsec.Success), keymgmt.ActionJoin, keymgmt.ActionLeave, keymgmt.ActionFence)
	})
}

// A node that has not looked since may have protected under the key after it was counted.
func TestACensusIsYoungerThanTheFences(t *testing.T) {
	h := open(t)
	h.create(t)
	require.NoError(t, h.Join(bg, "a", time.Hour))
	k := h.rotate(t)
	h.rotate(t)
	count := func(at time.Time) {
		_, err := h.Count(bg, operator, k.Ref, keymgmt.Census{Time: at})
		require.NoError(t, err)
	}
	h.pass(time.Hour)
	count(noon.Add(time.Hour - 1))
	_, err := h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	require.NoError(t, h.Beat(bg, "a"))
	require.NoError(t, h.Beat(bg, "a"))
	_, err = h.Destroy(bg, admin, k.Ref)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorContains(t, err, "census")
	require.Equal(t, opsec.Denied, h.recorder.last().Outcome)
	count(noon.Add(time.Hour))
	_, err = h.Destroy(bg, admin, k.Ref)
	require.NoError(t, err)
}

func TestManyNodes(t *testing.T) {
	h := open(t)
	h.create(t)
	for i := range lifecycle.MaxNodes {
		require.NoError(t, h.Join(bg, fmt.Sprintf("node-%d-%s", i, strings.Repeat("x", 50)), time.Hour))
	}
	require.ErrorIs(t, h.Join(bg, "one more", time.Hour), opsec.ErrInvalid)
	ref := h.doomed(t)
	_, err := h.Destroy(bg, admin, ref)
	var pending *lifecycle.PendingError
	require.ErrorAs(t, err, &pending)
	require.Len(t, pending.Nodes, lifecycle.MaxNodes)
}

func TestRetireDestroysTheKeysetsOwnKey(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { s.Custodian = "" })
	require.Contains(t, h.custodian.keys, "acme/volumes")
	k := h.rotate(t)
	_, err := h.Retire(bg, admin, setID)
	var state *keymgmt.StateError
	require.ErrorAs(t, err, &state)
	_, err = h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	_, err = h.ForceDestroy(bg, admin, k.Ref)
	require.NoError(t, err)
	h.custodian.Fail(keymgmt.ErrUnavailable)
	_, err = h.Retire(bg, admin, setID)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	require.Equal(t, opsec.Failure, h.recorder.last().Outcome)
	h.custodian.Fail(nil)
	_, err = h.Rotate(bg, admin, setID)
	require.ErrorContains(t, err, "retired")
	e, err := h.Retire(bg, admin, setID)
	require.NoError(t, err)
	require.Equal(t, []string{"map"}, e.Copies)
	require.Empty(t, h.custodian.keys)
	require.Equal(t, keymgmt.ActionRetire, h.recorder.last().Action)
	_, err = h.Expect(bg, admin, refOf(9), "AES256_GCM")
	require.ErrorContains(t, err, "retired")

	shared := set(keymgmt.SetID{Tenant: "acme", ID: "other"})
	_, err = h.Create(bg, admin, shared)
	require.NoError(t, err)
	_, err = h.Retire(bg, admin, shared.SetID)
	require.ErrorContains(t, err, "shared")
}

// After a repository was put back, what is tried with a key that was destroyed since is refused, and recorded.
func TestWhatIsTriedWithADeadKeyIsRecorded(t *testing.T) {
	l := newLedger()
	h := open(t, func(o *lifecycle.Options) { o.Tombstones = []keymgmt.Tombstones{l} })
	h.create(t)
	k := h.rotate(t)
	l.issued[k.Ref], l.issued[refOf(9)] = keymgmt.Destruction{}, keymgmt.Destruction{}
	for action, try := range map[string]func() error{
		keymgmt.ActionExport: func() error { _, err := h.Export(bg, keeper, k.Ref); return err },
		keymgmt.ActionExpect: func() error { _, err := h.Expect(bg, admin, refOf(9), "AES256_GCM"); return err },
		keymgmt.ActionLink:   func() error { _, err := h.Link(bg, admin, refOf(9), "AES256_GCM"); return err },
	} {
		require.ErrorIs(t, try(), keymgmt.ErrDestroyed)
		require.Equal(t, action, h.recorder.last().Action)
		require.Equal(t, opsec.Denied, h.recorder.last().Outcome)
	}
}

// What nodes did before a cancellation does not count for the next destruction: they may have taken the key again since.
func TestNodesAreWaitedForAnewAfterACancellation(t *testing.T) {
	h := open(t)
	h.create(t)
	require.NoError(t, h.Join(bg, "a", time.Hour))
	ref := h.doomed(t)
	require.NoError(t, h.Beat(bg, "a"))
	require.NoError(t, h.Beat(bg, "a"))
	_, err := h.Cancel(bg, admin, ref)
	require.NoError(t, err)
	_, err = h.Schedule(bg, admin, ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	_, err = h.ForceDestroy(bg, admin, ref)
	var pending *lifecycle.PendingError
	require.ErrorAs(t, err, &pending)
}

// What a destruction needed consent for does not stop it from being called failed, and a case of its own is not asked for.
func TestADestructionWithConsentThatFailsIsSaidSo(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Destroy) })
	ref := h.doomed(t)
	repo := &liar{Repository: h.repo, lie: true}
	b := h.over(t, repo)
	c, err := h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Destroy, Set: setID, Key: ref.Key})
	require.NoError(t, err)
	b.now = h.now
	require.NoError(t, h.approve(t, c, person("ben")))
	with := admin
	with.Approval = c.Request.ID
	_, err = b.Destroy(bg, with, ref)
	require.ErrorContains(t, err, "the record: holds no material: false")
	require.Equal(t, keymgmt.DestroyFailed, h.key(t, ref).State)
}

func TestABackupBeforeTheImportDoesNotHoldTheKey(t *testing.T) {
	h := open(t)
	h.create(t)
	_, err := h.Expect(bg, admin, refOf(7), "AES256_GCM")
	require.NoError(t, err)
	_, err = h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	m, err := material{}.New("AES256_GCM", 7)
	require.NoError(t, err)
	_, err = h.Import(bg, keeper, refOf(7), m)
	require.NoError(t, err)
	for d, err := range h.Tainted(bg, refOf(7)) {
		require.NoError(t, err)
		require.NotEqual(t, "backup", d.Kind)
	}
}

// A node that has left, or was taken out, may have protected under the key as long as its fence let it.
func TestACensusIsYoungerThanTheFencesOfNodesThatAreGone(t *testing.T) {
	h := open(t)
	h.create(t)
	require.NoError(t, h.Join(bg, "a", time.Hour))
	k := h.rotate(t)
	h.rotate(t)
	h.pass(time.Minute)
	_, err := h.Count(bg, operator, k.Ref, keymgmt.Census{Time: h.now})
	require.NoError(t, err)
	h.pass(time.Minute)
	require.NoError(t, h.Leave(bg, "a"))
	_, err = h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	_, err = h.Destroy(bg, admin, k.Ref)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorContains(t, err, "census")
}

// late is a repository in which a node beats just before it would be taken out.
type late struct {
	keymgmt.Repository
	beat func()
}

func (l *late) Sealed() bool { return true }

func (l *late) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	removes := false
	err := l.Repository.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		out, err := fn(read)
		for _, d := range out.Put {
			removes = removes || d.Name == "node/a" && len(d.Data) == 0
		}
		if removes && l.beat != nil {
			return keymgmt.Changes{}, errLost
		}
		return out, err
	})
	if removes && l.beat != nil {
		beat := l.beat
		l.beat = nil
		beat()
		return l.Repository.Update(ctx, tenant, fn)
	}
	return err
}

func TestANodeThatBeatsAtTheLastMomentIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.create(t)
		require.NoError(t, h.Join(bg, "a", time.Minute))
		ref := h.doomed(t)
		late := &late{Repository: h.repo}
		b := h.over(t, late)
		b.now = h.now
		var pending *lifecycle.PendingError
		_, err := b.Destroy(bg, admin, ref)
		require.ErrorAs(t, err, &pending)
		time.Sleep(2 * time.Minute)
		late.beat = func() { require.NoError(t, h.Beat(bg, "a")) }
		_, err = b.Destroy(bg, admin, ref)
		require.ErrorAs(t, err, &pending, "it is there again, with what it has seen before")
		require.Equal(t, []string{"a"}, pending.Nodes)
	})
}

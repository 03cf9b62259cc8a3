package translog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// within returns what f returns, unless that takes so long that it hangs.
func within(t *testing.T, f func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
		return nil
	}
}

// blocked makes it impossible to write a file of the log. It returns what undoes that.
func (k *kit) blocked(name string) (undo func()) {
	k.t.Helper()
	path := filepath.Join(k.dir, filepath.FromSlash(name))
	require.NoError(k.t, os.MkdirAll(filepath.Join(path, "obstacle"), 0o700))
	return func() { require.NoError(k.t, os.RemoveAll(path)) }
}

func TestRunEndsWhenTilesFailAndAllIsFull(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes = 16 << 20
	unblock := k.blocked("tile/entries/000")
	l := k.open()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	acked := make(chan translog.Receipt, 10_000)
	for w := range 64 {
		group.Go(func() {
			for n := 0; ; n++ {
				e := login("acme", "eve", n*64+w)
				for i := range 3 {
					e.Attrs = append(e.Attrs, opsec.Attr{Key: fmt.Sprint("text", i), Value: strings.Repeat("x", 8000), Mark: opsec.Public})
				}
				r, err := l.Append(ctx, e)
				if err != nil {
					return
				}
				acked <- r
			}
		})
	}
	size := uint64(0)
	require.Eventually(t, func() bool { // until commits wait for the tiles
		was := size
		size = l.Health().Size
		return size > 2000 && size == was
	}, 2*time.Minute, 2*time.Second)
	require.NotEmpty(t, l.Health().Errors["tiles"])
	require.Error(t, within(t, l.stop), "the tiles have failed")
	group.Wait()
	close(acked)
	unblock()
	l = k.open()
	settle(t, l)
	for r := range acked {
		e, err := l.View(reader, translog.TenantProfile()).At(t.Context(), "", r.Index)
		require.NoError(t, err)
		require.Equal(t, r.Event, e.Event.ID)
		if r.Index > 200 {
			break
		}
	}
	require.NoError(t, l.stop())
	k.sound()
}

func TestCheckpointThatFailedIsSignedWhenItCanBe(t *testing.T) {
	k := newKit(t)
	k.policy.EpochEvery = time.Hour // nothing else comes that could wake the follower
	unblock := k.blocked("tile/entries/000.p/1")
	l := k.open()
	k.append(l, "acme", "eve", 1)
	require.Eventually(t, func() bool { return l.Health().Errors["checkpoint"] != "" }, 20*time.Second, time.Millisecond)
	unblock()
	settle(t, l)
	require.Eventually(t, func() bool { return len(l.Health().Errors) == 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, l.stop())
	k.sound()
}

func TestLastCheckpointIsTriedAgain(t *testing.T) {
	k := newKit(t)
	k.policy.EpochEvery, k.policy.CheckpointEvery = time.Hour, time.Hour
	l := k.open()
	k.append(l, "acme", "eve", 1)
	unblock := k.blocked("tile/entries/000.p/2") // of the event and the epoch
	require.Error(t, l.stop())
	unblock()
	l = k.open()
	settle(t, l)
	require.NoError(t, l.stop())
	k.sound()
}

func TestNobodyWaitsForALogThatIsNeverRun(t *testing.T) {
	k := newKit(t)
	l, err := translog.Open(k.dir, k.policy, k.opts)
	require.NoError(t, err)
	appended := make(chan error, 1)
	go func() {
		_, err := l.Append(context.Background(), login("acme", "eve", 1))
		appended <- err
	}()
	time.Sleep(20 * time.Millisecond) // it waits, or comes too late: an error either way
	require.NoError(t, l.Close(t.Context()))
	require.ErrorIs(t, within(t, func() error { return <-appended }), translog.ErrUnavailable)
}

func TestNothingIsAddedToALogThatWasTamperedWith(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes, k.policy.EpochEvery = 64<<10, 500*time.Millisecond
	l := k.open()
	for n := range 200 { // several segments, and a savepoint due
		k.append(l, "acme", "eve", n)
	}
	segments, err := filepath.Glob(filepath.Join(k.dir, "journal", "0*.seg"))
	require.NoError(t, err)
	info, err := os.Stat(segments[0])
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(segments[0], time.Time{}, info.ModTime().Add(time.Hour)))
	for n := 0; l.Health().Refuses == ""; n++ {
		l.Append(t.Context(), login("acme", "eve", n))
	}
	size := l.Health().Size
	time.Sleep(1200 * time.Millisecond) // two epochs
	require.Equal(t, size, l.Health().Size)
	require.ErrorIs(t, l.stop(), translog.ErrTampered)
	// Nothing was wrong but a time that no file system keeps for good: the log is open to go on.
	l = k.open()
	k.append(l, "acme", "eve", 1)
	require.NoError(t, l.stop())
	k.sound()
}

func TestStatementsOfManyAtOnce(t *testing.T) {
	k := newKit(t)
	k.policy.CheckpointEvery, k.policy.EpochEvery = 10*time.Millisecond, 10*time.Millisecond
	l := k.open()
	var group sync.WaitGroup
	for w := range 16 {
		tenant := opsec.TenantID(fmt.Sprintf("t%d", w))
		k.append(l, tenant, "eve", 1)
		group.Go(func() {
			v := l.View(opsec.Actor{Tenant: tenant, Account: "ann"}, translog.TenantProfile())
			for n := range 10 {
				s, err := v.Statement(context.Background(), tenant)
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := s.Verify(k.policy.Trust, time.Now()); err != nil || s.Events != uint64(n+2) {
					t.Error(s.Events, err)
				}
			}
		})
	}
	group.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.View(reader, translog.TenantProfile()).Statement(ctx, "acme")
	require.ErrorIs(t, err, translog.ErrUnavailable)
	require.NoError(t, l.stop())
}

func TestEventAboutManyPersonsIsWrittenAndReadAgain(t *testing.T) {
	k := newKit(t)
	k.opts.SubjectOf = func(e *opsec.Event, a opsec.Attr) (entry.Subject, bool) {
		return entry.Subject{Tenant: e.Tenant, Account: a.Value}, true
	}
	l := k.open()
	e := login("acme", "eve", 1)
	e.Attrs = nil
	for i := range opsec.MaxAttrs {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: fmt.Sprint("member", i), Value: fmt.Sprint("account-", i), Mark: opsec.Personal})
	}
	e.OnBehalfOf = &opsec.Actor{Tenant: "acme", Account: "boss"}
	e.Intent = opsec.NewEvent("a.b", e.Time).ID
	_, err := l.Append(t.Context(), e)
	require.NoError(t, err)
	settle(t, l)
	for range 2 {
		got := collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Account: "account-63", Actions: []string{e.Action}})
		require.Equal(t, 1, len(got))
		require.Equal(t, e.ID, got[0].Event.ID)
		require.NoError(t, l.stop())
		l = k.open()
	}
}

func TestSignerMustBeOfTheKeyThatIsTrusted(t *testing.T) {
	k, other := newKit(t), newKit(t)
	k.opts.Signer = other.signer // of the same name
	_, err := translog.Open(k.dir, k.policy, k.opts)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "Options.Signer")
	_, err = os.Stat(k.dir)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing was made")
}

func TestHoldIsNotLessenedByAnother(t *testing.T) {
	k := newKit(t)
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	stands := translog.Hold{ID: "h", Tenant: "acme", From: day, To: day.AddDate(0, 1, 0)}
	for name, c := range map[string]struct {
		change func(h *translog.Hold)
		ok     bool
	}{
		"the same":            {func(*translog.Hold) {}, true},
		"everybody's":         {func(h *translog.Hold) { h.Tenant = "" }, true},
		"for ever":            {func(h *translog.Hold) { h.From, h.To = time.Time{}, time.Time{} }, true},
		"another tenant's":    {func(h *translog.Hold) { h.Tenant = "globex" }, false},
		"that begins later":   {func(h *translog.Hold) { h.From = day.Add(1) }, false},
		"that ends sooner":    {func(h *translog.Hold) { h.To = h.To.Add(-1) }, false},
		"that begins earlier": {func(h *translog.Hold) { h.From = day.Add(-1) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			k.t, k.dir = t, filepath.Join(t.TempDir(), "log")
			l := k.open()
			require.NoError(t, l.Hold(t.Context(), reader, stands))
			h := stands
			c.change(&h)
			err := l.Hold(t.Context(), reader, h)
			if c.ok {
				require.NoError(t, err)
				require.Equal(t, []translog.Hold{h}, l.Holds())
			} else {
				require.ErrorIs(t, err, opsec.ErrInvalid)
				require.Equal(t, []translog.Hold{stands}, l.Holds())
			}
			require.NoError(t, l.stop())
			l = k.open()
			require.Len(t, l.Holds(), 1)
			require.NoError(t, l.Lift(t.Context(), reader, "h", "done"))
			require.Empty(t, l.Holds())
			require.ErrorIs(t, l.Lift(t.Context(), reader, "h", "again"), opsec.ErrNotFound)
			require.NoError(t, l.stop())
			require.Empty(t, k.open().Holds())
		})
	}
	forever := stands
	forever.To = time.Time{}
	k.t, k.dir = t, filepath.Join(t.TempDir(), "log")
	l := k.open()
	require.NoError(t, l.Hold(t.Context(), reader, forever))
	require.ErrorIs(t, l.Hold(t.Context(), reader, stands), opsec.ErrInvalid, "an end is less than none")
}

func TestIntentsOfAnErasedTenantHideNobodyElses(t *testing.T) {
	k := newKit(t)
	l := k.open()
	for _, tenant := range []opsec.TenantID{"gone", "acme"} {
		e := login(tenant, "eve", 1)
		e.Action, e.Category = "backup.restore", ""
		_, err := opsec.Begin(t.Context(), l, e)
		require.NoError(t, err)
	}
	_, err := l.EraseTenant(t.Context(), reader, "gone", "contract ended")
	require.NoError(t, err)
	settle(t, l)
	var got []string
	all := l.View(reader, translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal})
	for e, err := range all.Unfinished(t.Context(), translog.Query{Actions: []string{"backup.restore"}}) {
		require.NoError(t, err)
		got = append(got, string(e.Event.Tenant))
	}
	require.Equal(t, []string{"acme"}, got)
}

func TestWitnessUrlThatCannotBeUsedHangsNobody(t *testing.T) {
	k := newKit(t)
	w, _ := newWitness(t, "witness.example/1")
	text := strings.Replace(k.policy.Trust.String(), "quorum none\n", "", 1)
	trust, err := checkpoint.ParsePolicy(text + "witness w " + w.signer.VerifierKey() + " ftp://nowhere\nquorum w\n")
	if err != nil {
		t.Skip("the policy refuses it")
	}
	k.policy.Trust = trust
	unrun, err := translog.Open(k.dir, k.policy, k.opts)
	require.NoError(t, err)
	appended := make(chan error, 1)
	go func() {
		_, err := unrun.Append(context.Background(), login("acme", "eve", 1))
		appended <- err
	}()
	time.Sleep(20 * time.Millisecond)
	l := k.run(unrun)
	require.Error(t, within(t, func() error { return <-appended }))
	require.Error(t, l.stop())
}

package translog_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

func TestOneEntryIsReadByItsIndex(t *testing.T) {
	k := newKit(t)
	l := k.open()
	hers := k.append(l, "acme", "eve", 1)
	theirs := k.append(l, "globex", "bob", 2)
	settle(t, l)
	own := l.View(reader, translog.TenantProfile())
	e, err := own.At(t.Context(), "", hers.Index)
	require.NoError(t, err)
	require.Equal(t, "eve", e.Event.Actor.Account)
	require.Equal(t, hers.Leaf, e.LeafHash)
	for _, index := range []uint64{theirs.Index, 1 << 40} {
		_, err = own.At(t.Context(), "", index)
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
	e, err = l.View(reader, translog.AdministratorProfile()).At(t.Context(), "globex", theirs.Index)
	require.NoError(t, err)
	require.Equal(t, opsec.TenantID("globex"), e.Event.Tenant)
}

func TestReadOfATenantThatIsNotThereBeginsNoRecord(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	settle(t, l)
	all := l.View(reader, translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal})
	require.Empty(t, collect(t, all, translog.Query{Tenant: "typo"}))
	_, err := all.Statement(t.Context(), "typo")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	settle(t, l)
	reads := collect(t, all, translog.Query{Actions: []string{translog.ActionRead}})
	require.Len(t, reads, 2)
	require.Equal(t, opsec.Provider, reads[0].Event.Tenant)
	for _, err := range all.Query(t.Context(), translog.Query{Outcomes: []opsec.Outcome{"succes"}}) {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestLogThatShouldBeThereIsNotMadeAnew(t *testing.T) {
	k := newKit(t)
	k.opts.Existing = true
	_, err := translog.Open(k.dir, k.policy, k.opts)
	require.ErrorIs(t, err, translog.ErrTampered)
	_, err = os.Stat(k.dir)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing was made")
	k.opts.Existing = false
	l := k.open()
	require.NoError(t, l.stop())
	k.opts.Existing = true
	l = k.open()
	require.NoError(t, l.stop())
}

func TestRunAfterCloseIsNone(t *testing.T) {
	k := newKit(t)
	l, err := translog.Open(k.dir, k.policy, k.opts)
	require.NoError(t, err)
	require.NoError(t, l.Close(t.Context()))
	require.NoError(t, l.Run(t.Context()), "whoever runs it in a goroutine may come second")
	_, err = l.Append(t.Context(), login("acme", "eve", 1))
	require.ErrorIs(t, err, translog.ErrUnavailable)
}

func TestCloseEndsRun(t *testing.T) {
	k := newKit(t)
	l := k.open()
	r := k.append(l, "acme", "eve", 1)
	settle(t, l)
	require.NoError(t, l.Close(context.Background()))
	_, err := l.Prove(t.Context(), r.Index)
	require.ErrorIs(t, err, translog.ErrUnavailable)
	require.NotErrorIs(t, err, translog.ErrTampered)
	for _, err := range l.View(reader, translog.TenantProfile()).Query(t.Context(), translog.Query{}) {
		require.ErrorIs(t, err, translog.ErrUnavailable)
	}
	require.NoError(t, l.stop())
	require.NoError(t, l.Close(context.Background()))
	k.sound()
}

func TestSeveralEventsStandInTheirOrder(t *testing.T) {
	k := newKit(t)
	l := k.open()
	var events []*opsec.Event
	for n := range 50 {
		events = append(events, login("acme", "eve", n))
	}
	receipts, err := l.AppendAll(t.Context(), events...)
	require.NoError(t, err)
	for n, r := range receipts {
		require.Equal(t, events[n].ID, r.Event)
		require.Equal(t, uint64(n), r.Index)
	}
	none, err := l.AppendAll(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestMissingJournalIsAFinding(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	require.NoError(t, l.stop())
	require.NoError(t, os.RemoveAll(filepath.Join(k.dir, "journal")))
	r := k.verify()
	require.False(t, r.OK)
	require.Equal(t, "journal", r.Findings[0].Part)
	r, err := verify.Log(t.Context(), os.DirFS(k.dir), k.policy.Trust, verify.Options{TilesOnly: true})
	require.NoError(t, err)
	require.True(t, r.OK, "%v", r.Findings)
	other := newKit(t)
	r, err = verify.Log(t.Context(), os.DirFS(k.dir), other.policy.Trust, verify.Options{})
	require.Error(t, err)
	require.False(t, r.OK, "what is not believed is not sound")
}

func TestHashesAloneAreVerifiedWhereEntriesAreHidden(t *testing.T) {
	k := newKit(t)
	l := k.open()
	for n := range 600 {
		k.append(l, "acme", "eve", n)
	}
	settle(t, l)
	for _, open := range []bool{true, false} {
		h, err := l.Handler(tile.HandlerOptions{InsecureEntries: open})
		require.NoError(t, err)
		server := httptest.NewServer(h)
		defer server.Close()
		remote, err := tile.Remote(t.Context(), server.Client(), server.URL)
		require.NoError(t, err)
		r, err := verify.Log(t.Context(), remote, k.policy.Trust, verify.Options{TilesOnly: true})
		require.NoError(t, err)
		require.True(t, r.OK, "%v", r.Findings)
		require.Equal(t, !open, r.Hidden)
	}
}

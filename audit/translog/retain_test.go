package translog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// aged writes events of two days, so many that journal files hold one day alone and recovery no longer needs them. It
// takes more than one span of the index.
func (k *kit) aged(l *running, n int) (first translog.Receipt) {
	k.t.Helper()
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	batch := make(chan error, 64)
	for w := range cap(batch) {
		go func() {
			var err error
			for i := w; i < n && err == nil; i += cap(batch) {
				e := login("acme", "eve", i)
				e.Time = day
				_, err = l.Append(k.t.Context(), e)
			}
			batch <- err
		}()
	}
	for range cap(batch) {
		require.NoError(k.t, <-batch)
	}
	settle(k.t, l)
	return k.append(l, "acme", "eve", 1)
}

func TestPrunedEntriesAreGoneAndProofsStand(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes, k.policy.Remember = 4<<20, 1000
	l := k.open()
	young := k.aged(l, 70_000)
	cut := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	proof, err := l.Prove(t.Context(), 10)
	require.NoError(t, err)
	settle(t, l)
	require.NoError(t, l.stop()) // a savepoint behind the first span
	l = k.open()

	require.NoError(t, l.Hold(t.Context(), reader, translog.Hold{ID: "h", Tenant: "acme", From: cut.AddDate(-1, 0, 0), To: cut}))
	first, err := l.Prune(t.Context(), reader, cut)
	require.NoError(t, err)
	require.Zero(t, first, "held")
	require.NoError(t, l.Lift(t.Context(), reader, "h", ""))
	before := size(t, k.dir)
	first, err = l.Prune(t.Context(), reader, cut)
	require.NoError(t, err)
	require.Greater(t, first, uint64(10_000))
	require.LessOrEqual(t, first, young.Index)
	require.Less(t, size(t, k.dir), before/2)

	settle(t, l)
	again, err := l.Prove(t.Context(), 10)
	require.NoError(t, err, "hashes stay")
	require.NotEqual(t, proof.Hashes, again.Hashes, "the tree has grown")
	got := collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Account: "eve", From: cut})
	require.Equal(t, young.Index, got[0].Index)
	var all []translog.Entry
	for e, err := range l.View(reader, translog.TenantProfile()).Query(t.Context(), translog.Query{Account: "eve"}) {
		require.NoError(t, err)
		all = append(all, e)
	}
	require.GreaterOrEqual(t, all[0].Index, first)
	require.NoError(t, l.stop())
	r := k.sound()
	require.Positive(t, r.Pruned)

	// The index of a span that was half pruned is made again from what is left.
	require.NotZero(t, first%65_536)
	require.NoError(t, os.Remove(filepath.Join(k.dir, "index", "000000000000")))
	l = k.open()
	left := collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Account: "eve", Actions: []string{"console.login"}})
	require.Equal(t, all[0].Index, left[0].Index)
	require.Equal(t, young.Index, left[len(left)-1].Index)
	require.Greater(t, len(left), 5000)
	k.append(l, "acme", "eve", 2)
	require.NoError(t, l.stop())
	k.sound()
	tiles, err := verify.Log(t.Context(), os.DirFS(k.dir), k.policy.Trust, verify.Options{TilesOnly: true})
	require.NoError(t, err)
	require.True(t, tiles.OK, "%v", tiles.Findings)

	// One more file than the log allows is a finding.
	files := load(t, k.dir)
	oldest := ""
	for name := range files {
		if strings.HasPrefix(name, "journal/0") && (oldest == "" || name < oldest) {
			oldest = name
		}
	}
	delete(files, oldest)
	bad, err := verify.Log(t.Context(), files, k.policy.Trust, verify.Options{})
	require.NoError(t, err)
	require.False(t, bad.OK)
}

func size(t *testing.T, dir string) (n int) {
	for name, f := range load(t, dir) {
		if strings.HasPrefix(name, "journal/0") || strings.HasPrefix(name, "tile/entries") {
			n += len(f.Data)
		}
	}
	return n
}

func TestPruneIsAskedFor(t *testing.T) {
	k := newKit(t)
	k.opts.Authorizer = only{"auditor"}
	l := k.open()
	k.append(l, "acme", "eve", 1)
	_, err := l.Prune(t.Context(), reader, time.Now())
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorIs(t, l.Hold(t.Context(), reader, translog.Hold{ID: "h"}), opsec.ErrDenied)
	require.Empty(t, l.Holds())
	settle(t, l)
	all := translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal}
	denied := collect(t, l.View(reader, all), translog.Query{Outcomes: []opsec.Outcome{opsec.Denied}})
	require.Len(t, denied, 2)
}

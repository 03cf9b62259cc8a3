package translog_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
)

func TestWhatIsAppendedIsProvedAndFound(t *testing.T) {
	k := newKit(t)
	l := k.open()
	var receipts []translog.Receipt
	for n := range 700 {
		tenant := opsec.TenantID([]string{"acme", "globex", "initech"}[n%3])
		receipts = append(receipts, k.append(l, tenant, []string{"eve", "mallory"}[n%2], n))
	}
	settle(t, l)
	for n, r := range receipts {
		require.Equal(t, uint64(n/3+1), r.Seq)
		proof, err := l.Prove(t.Context(), r.Index)
		require.NoError(t, err)
		_, err = proof.Verify(r.Leaf, k.policy.Trust, time.Now())
		require.NoError(t, err)
		_, err = proof.Verify(tlog.Hash{1}, k.policy.Trust, time.Now())
		require.Error(t, err)
	}
	got := collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Account: "eve", Actions: []string{"console.login"}})
	require.Len(t, got, 117)
	want := login("acme", "eve", 0)
	want.ID = got[0].Event.ID
	require.Equal(t, want, got[0].Event)

	require.NoError(t, l.stop())
	r := k.sound()
	require.Equal(t, uint64(0), r.Pending)
	require.Equal(t, 3, r.Tenants)
	require.Positive(t, r.Epochs)
}

func TestOpenedAgainItGoesOn(t *testing.T) {
	k := newKit(t)
	var last translog.Receipt
	for round := range 5 {
		l := k.open()
		for n := range 100 {
			r := k.append(l, "acme", "eve", n)
			require.Equal(t, last.Seq+1, r.Seq)
			last = r
		}
		if round%2 == 0 {
			again, err := l.Append(context.Background(), login("acme", "eve", 1))
			require.NoError(t, err)
			last = again
		}
		require.NoError(t, l.stop())
		k.sound()
	}
}

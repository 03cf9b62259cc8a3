package translog_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/verify"
	"github.com/cloudopsec/opsec/internal/interop/litewitness"
)

// way is the way to the witness, which can be cut.
type way struct{ cut atomic.Bool }

func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.cut.Load() {
		return nil, errors.New("the way is cut")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// witnessed gives the kit a live litewitness, whose cosignature every checkpoint needs.
func witnessed(t *testing.T, k *kit) *way {
	t.Helper()
	w := litewitness.Start(t, litewitness.Build(t), "north", private("north"), origin, newSigner(t).VerifierKey())
	k.policy.Trust.Witnesses, k.policy.Trust.Quorum = []checkpoint.Witness{w}, "north"
	k.policy.WitnessWait = 20 * time.Second
	to := &way{}
	k.opts.Client = &http.Client{Transport: to, Timeout: 20 * time.Second}
	return to
}

func TestLitewitnessCosignsTheLogAndFindsAnOldCopy(t *testing.T) {
	k := newKit(t)
	to := witnessed(t, k)
	l := k.run()
	require.NoError(t, write(t.Context(), l, 0, 300, 700))
	settle(t, l)
	theyAccept(t, k, l.Checkpoint())
	proofsOf(t, k, l, 300)
	require.NoError(t, l.stop())
	old := files(t, k.dir)
	require.True(t, k.ask().OK)

	l = k.run() // the witness is asked where it was
	require.NoError(t, write(t.Context(), l, 300, 700, 700))
	settle(t, l)
	theyAccept(t, k, l.Checkpoint())
	seen := l.Checkpoint()
	require.NoError(t, l.stop())
	now := k.ask()
	require.True(t, now.OK, "%v", now.Findings)

	restore(t, k.dir, old)
	require.True(t, k.verify(verify.Options{}).OK, "by itself it is a good log")
	for how, r := range map[string]*verify.Report{"asked": k.ask(), "noted": k.verify(verify.Options{Noted: [][]byte{seen}})} {
		require.False(t, r.OK, how)
		for _, f := range r.Findings {
			require.Equal(t, "rollback", f.Part, how)
		}
	}
	k.opts.Noted = [][]byte{seen}
	_, _, err := k.open()
	require.ErrorIs(t, err, translog.ErrTampered)
	require.Equal(t, old, files(t, k.dir), "Open leaves the directory as it is")
	k.opts.Noted = nil
	k.refused()

	restore(t, k.dir, old) // and one that has grown again, beyond what the witness has seen
	to.cut.Store(true)
	l = k.run()
	require.NoError(t, write(t.Context(), l, 1_000, 800, 700))
	require.Error(t, l.stop(), "the last checkpoint was not witnessed")
	to.cut.Store(false)
	k.refused()
}

// theyAccept has torchwood verify a published checkpoint.
func theyAccept(t *testing.T, k *kit, signed []byte) {
	t.Helper()
	text, err := k.policy.Trust.MarshalText()
	require.NoError(t, err)
	policy, err := torchwood.ParsePolicy(text)
	require.NoError(t, err)
	_, n, err := torchwood.VerifyCheckpoint(signed, policy)
	require.NoError(t, err)
	require.Len(t, n.Sigs, 2)
}

// ask verifies the log and asks its witness.
func (k *kit) ask() *verify.Report {
	k.t.Helper()
	g, err := checkpoint.NewGatherer(k.policy.Trust, nil)
	require.NoError(k.t, err)
	return k.verify(verify.Options{Witness: g})
}

// refused requires that the log takes nothing once it has asked its witness, and publishes nothing.
func (k *kit) refused() {
	k.t.Helper()
	published, err := os.ReadFile(filepath.Join(k.dir, "checkpoint"))
	require.NoError(k.t, err)
	l := k.run()
	require.Eventually(k.t, func() bool { return l.Health().Refuses != "" }, 30*time.Second, 5*time.Millisecond)
	_, err = l.Append(k.t.Context(), event(5_000))
	require.ErrorIs(k.t, err, translog.ErrTampered)
	require.Equal(k.t, published, l.Checkpoint())
	require.ErrorIs(k.t, l.stop(), translog.ErrTampered)
}

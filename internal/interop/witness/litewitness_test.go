// Package witness_test runs audit/translog/checkpoint against filippo.io/torchwood: its litewitness as a process of its
// own on a loopback address, and its verifiers of checkpoints, policies and proofs in this process.
package witness_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/internal/interop/litewitness"
)

const origin = "audit.example/eu-1"

func private(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func logSigner(t testing.TB) *checkpoint.Signer {
	t.Helper()
	s, err := checkpoint.NewSigner(origin, private("log"))
	require.NoError(t, err)
	return s
}

// tree is a Merkle tree in memory, of the entries "0", "1", ... after a prefix.
type tree struct{ hashes []tlog.Hash }

func (tr *tree) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var hs []tlog.Hash
	for _, i := range at {
		hs = append(hs, tr.hashes[i])
	}
	return hs, nil
}

func growTree(t testing.TB, n int, prefix string) *tree {
	t.Helper()
	tr := &tree{}
	for i := range n {
		hs, err := tlog.StoredHashes(int64(i), []byte(prefix+strconv.Itoa(i)), tr)
		require.NoError(t, err)
		tr.hashes = append(tr.hashes, hs...)
	}
	return tr
}

func (tr *tree) signed(t testing.TB, n int) []byte {
	t.Helper()
	root, err := tlog.TreeHash(int64(n), tr)
	require.NoError(t, err)
	signed, err := checkpoint.Checkpoint{Origin: origin, Size: uint64(n), Root: root}.Sign(logSigner(t))
	require.NoError(t, err)
	return signed
}

func (tr *tree) prover(n int) func(old uint64) ([]tlog.Hash, error) {
	return func(old uint64) ([]tlog.Hash, error) { return tlog.ProveTree(int64(n), int64(old), tr) }
}

// start runs a litewitness that knows our log, and returns it as a policy names it.
func start(t *testing.T, exe, as string) checkpoint.Witness {
	t.Helper()
	return litewitness.Start(t, exe, as, private("witness "+as), origin, logSigner(t).VerifierKey())
}

func policyOf(witnesses ...checkpoint.Witness) func(t *testing.T, quorum string, groups ...checkpoint.Group) checkpoint.Policy {
	return func(t *testing.T, quorum string, groups ...checkpoint.Group) checkpoint.Policy {
		t.Helper()
		p := checkpoint.Policy{Logs: []checkpoint.Log{{Key: logSigner(t).VerifierKey()}}, Witnesses: witnesses, Groups: groups, Quorum: quorum}
		require.NoError(t, p.Validate())
		return p
	}
}

func TestLitewitnessCosignsAGrowingLogAndNothingElse(t *testing.T) {
	exe := litewitness.Build(t)
	north, south := start(t, exe, "north"), start(t, exe, "south")
	p := policyOf(north, south)(t, "both", checkpoint.Group{Name: "both", Members: []string{"north", "south"}})
	g, err := checkpoint.NewGatherer(p, nil)
	require.NoError(t, err)
	tr, fork := growTree(t, 600, ""), growTree(t, 600, "fork")

	for _, n := range []int{1, 2, 255, 256, 257, 400, 400} {
		before := time.Now().Truncate(time.Second)
		got, err := g.Gather(t.Context(), tr.signed(t, n), tr.prover(n))
		require.NoError(t, err, "size %d", n)
		require.EqualValues(t, n, got.Verified.Size)
		require.Len(t, got.Verified.Cosigned, 2)
		for _, c := range got.Verified.Cosigned {
			require.False(t, c.Time.Before(before))
		}
		theyAccept(t, p, got.Signed)
	}

	t.Run("after a start it is asked where it is", func(t *testing.T) {
		g, err := checkpoint.NewGatherer(p, nil)
		require.NoError(t, err)
		_, err = g.Gather(t.Context(), tr.signed(t, 401), tr.prover(401))
		require.NoError(t, err)
	})
	t.Run("a rollback", func(t *testing.T) {
		_, err := north.Cosign(t.Context(), nil, 0, nil, tr.signed(t, 300))
		var ahead *checkpoint.AheadError
		require.ErrorAs(t, err, &ahead)
		require.EqualValues(t, 401, ahead.Size)
		got, err := g.Gather(t.Context(), tr.signed(t, 300), tr.prover(300))
		require.ErrorAs(t, err, &ahead)
		require.ErrorIs(t, err, checkpoint.ErrUntrusted)
		require.EqualValues(t, 401, ahead.Size)
		require.Len(t, got.Failed, 2)
	})
	t.Run("a wrong consistency proof", func(t *testing.T) {
		proof, err := tr.prover(500)(401)
		require.NoError(t, err)
		proof[0][0] ^= 1
		_, err = north.Cosign(t.Context(), nil, 401, proof, tr.signed(t, 500))
		require.ErrorIs(t, err, checkpoint.ErrInconsistent)
		_, err = north.Cosign(t.Context(), nil, 401, nil, tr.signed(t, 500))
		require.ErrorIs(t, err, checkpoint.ErrInconsistent)
	})
	t.Run("a fork", func(t *testing.T) {
		for _, n := range []int{401, 402, 600} {
			got, err := g.Gather(t.Context(), fork.signed(t, n), fork.prover(n))
			require.ErrorIs(t, err, checkpoint.ErrInconsistent)
			require.Empty(t, got.Verified.Cosigned)
		}
	})
	t.Run("a log that it does not know", func(t *testing.T) {
		other, err := checkpoint.NewSigner("audit.example/us-1", private("us"))
		require.NoError(t, err)
		signed, err := checkpoint.Checkpoint{Origin: "audit.example/us-1", Size: 1}.Sign(other)
		require.NoError(t, err)
		_, err = north.Cosign(t.Context(), nil, 0, nil, signed)
		var refused *checkpoint.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusNotFound, refused.Status)
	})
	t.Run("a key that it does not know", func(t *testing.T) {
		thief, err := checkpoint.NewSigner(origin, private("thief"))
		require.NoError(t, err)
		signed, err := checkpoint.Checkpoint{Origin: origin, Size: 500}.Sign(thief)
		require.NoError(t, err)
		_, err = north.Cosign(t.Context(), nil, 401, nil, signed)
		var refused *checkpoint.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusForbidden, refused.Status)
	})
	t.Run("and the log goes on", func(t *testing.T) {
		got, err := g.Gather(t.Context(), tr.signed(t, 600), tr.prover(600))
		require.NoError(t, err)
		theyAccept(t, p, got.Signed)
	})
}

func TestHungWitnessDoesNotHoldUpLitewitness(t *testing.T) {
	exe := litewitness.Build(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	s, err := checkpoint.NewCosigner("witness.example/hung", private("hung"), nil)
	require.NoError(t, err)
	hung := checkpoint.Witness{Name: "hung", Key: s.VerifierKey(), URL: fmt.Sprintf("http://%s", l.Addr())}
	p := policyOf(hung, start(t, exe, "north"), start(t, exe, "south"))(t, "two", checkpoint.Group{Name: "two", Need: 2, Members: []string{"hung", "north", "south"}})
	g, err := checkpoint.NewGatherer(p, nil)
	require.NoError(t, err)
	tr := growTree(t, 10, "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := g.Gather(ctx, tr.signed(t, 10), tr.prover(10))
	require.NoError(t, err)
	require.Len(t, got.Verified.Cosigned, 2)
	theyAccept(t, p, got.Signed)
}

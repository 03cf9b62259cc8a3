package witness_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// theyAccept asks torchwood to verify a cosigned checkpoint by the policy as we write it.
func theyAccept(t testing.TB, p checkpoint.Policy, signed []byte) {
	t.Helper()
	text, err := p.MarshalText()
	require.NoError(t, err)
	theirs, err := torchwood.ParsePolicy(text)
	require.NoError(t, err)
	c, _, err := torchwood.VerifyCheckpoint(signed, theirs)
	require.NoError(t, err)
	ours, err := p.Open(signed, time.Now())
	require.NoError(t, err)
	require.Equal(t, c.String(), ours.String())
}

// theirCosigner makes torchwood's signer of a witness, as a policy names it.
func theirCosigner(t testing.TB, as string) (*torchwood.CosignatureSigner, checkpoint.Witness) {
	t.Helper()
	s, err := torchwood.NewCosignatureSigner("witness.example/"+as, private("witness "+as))
	require.NoError(t, err)
	return s, checkpoint.Witness{Name: as, Key: s.Verifier().String()}
}

// TestQuorumsAgree lets both judge every subset of five witnesses by the same policies.
func TestQuorumsAgree(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	var signers []note.Signer
	var witnesses []checkpoint.Witness
	for i, as := range names {
		theirs, w := theirCosigner(t, as)
		witnesses = append(witnesses, w)
		if i%2 == 0 { // signers of both make
			signers = append(signers, theirs)
			continue
		}
		ours, err := checkpoint.NewCosigner("witness.example/"+as, private("witness "+as), nil)
		require.NoError(t, err)
		require.Equal(t, w.Key, ours.VerifierKey())
		signers = append(signers, ours)
	}
	groups := func(gs ...checkpoint.Group) []checkpoint.Group { return gs }
	for i, p := range []checkpoint.Policy{
		{Quorum: checkpoint.None},
		{Quorum: "c"},
		{Quorum: "g", Groups: groups(checkpoint.Group{Name: "g", Members: names})},
		{Quorum: "g", Groups: groups(checkpoint.Group{Name: "g", Need: 1, Members: names})},
		{Quorum: "g", Groups: groups(checkpoint.Group{Name: "g", Need: 3, Members: names})},
		{Quorum: "g", Groups: groups(checkpoint.Group{Name: "x", Need: 2, Members: names[:3]}, checkpoint.Group{Name: "y", Need: 1, Members: names[3:]}, checkpoint.Group{Name: "g", Members: []string{"x", "y"}})},
		{Quorum: "g", Groups: groups(checkpoint.Group{Name: "x", Members: names[:2]}, checkpoint.Group{Name: "g", Need: 2, Members: []string{"x", "c", "d"}})},
	} {
		p.Logs, p.Witnesses = []checkpoint.Log{{Key: logSigner(t).VerifierKey(), URL: "https://audit.example/eu-1"}}, witnesses
		text, err := p.MarshalText()
		require.NoError(t, err)
		theirs, err := torchwood.ParsePolicy(text)
		require.NoError(t, err)
		stands := 0
		for set := range 1 << len(names) {
			who := []note.Signer{logSigner(t)}
			for j, s := range signers {
				if set&(1<<j) != 0 {
					who = append(who, s)
				}
			}
			signed, err := checkpoint.Checkpoint{Origin: origin, Size: 1, Root: tlog.RecordHash([]byte("x"))}.Sign(who...)
			require.NoError(t, err)
			_, _, they := torchwood.VerifyCheckpoint(signed, theirs)
			_, we := p.Open(signed, time.Now())
			require.Equal(t, they == nil, we == nil, "policy %d, set %b: they say %v, we say %v", i, set, they, we)
			if we == nil {
				stands++
			}
		}
		require.NotZero(t, stands)
		require.Equal(t, p.Quorum == checkpoint.None, stands == 1<<len(names))
	}
}

func TestProofsOfEachAreAcceptedByTheOther(t *testing.T) {
	north, w := theirCosigner(t, "north")
	p := policyOf(w)(t, "north")
	theirs, err := torchwood.ParsePolicy([]byte(p.String()))
	require.NoError(t, err)
	tr := growTree(t, 300, "")
	for _, n := range []int{1, 2, 7, 256, 300} {
		root, err := tlog.TreeHash(int64(n), tr)
		require.NoError(t, err)
		signed, err := checkpoint.Checkpoint{Origin: origin, Size: uint64(n), Root: root}.Sign(logSigner(t), north)
		require.NoError(t, err)
		for _, i := range slices.Compact([]int{0, n / 2, n - 1}) {
			hs, err := tlog.ProveRecord(int64(n), int64(i), tr)
			require.NoError(t, err)
			leaf, other := tlog.RecordHash(fmt.Append(nil, i)), tlog.RecordHash([]byte("other"))
			for _, extra := range [][]byte{nil, {}, []byte("context")} {
				ours, err := checkpoint.Proof{Index: uint64(i), Hashes: hs, Extra: extra, Checkpoint: signed}.MarshalText()
				require.NoError(t, err)
				their := torchwood.FormatProof(int64(i), hs, signed)
				if extra != nil {
					their = torchwood.FormatProofWithExtraData(int64(i), extra, hs, signed)
					got, err := torchwood.ProofExtraData(ours)
					require.NoError(t, err)
					require.Equal(t, extra, append([]byte{}, got...))
				}
				require.Equal(t, string(their), string(ours), "the same bytes")
				require.NoError(t, torchwood.VerifyProof(theirs, leaf, ours))
				require.Error(t, torchwood.VerifyProof(theirs, other, ours))
				back, err := checkpoint.ParseProof(their)
				require.NoError(t, err)
				require.Equal(t, extra, back.Extra)
				_, err = back.Verify(leaf, p, time.Now())
				require.NoError(t, err)
				_, err = back.Verify(other, p, time.Now())
				require.ErrorIs(t, err, checkpoint.ErrUntrusted)
			}
		}
	}
}

func TestPolicyOfTheirsIsOurs(t *testing.T) {
	_, a := theirCosigner(t, "a")
	_, b := theirCosigner(t, "b")
	text := strings.Join([]string{
		"# comment", "log " + logSigner(t).VerifierKey() + " https://audit.example/eu-1", "",
		"witness a " + a.Key + " https://a.example", "witness b " + b.Key, "group g 1 a b", "quorum g", "",
	}, "\n")
	_, err := torchwood.ParsePolicy([]byte(text))
	require.NoError(t, err)
	p, err := checkpoint.ParsePolicy(text)
	require.NoError(t, err)
	require.NoError(t, p.Validate())
	for _, bad := range []string{
		strings.Replace(text, "quorum g", "quorum h", 1),
		strings.Replace(text, "group g 1", "group g 3", 1),
		strings.Replace(text, "group g 1", "group a 1", 1),
		strings.Replace(text, "quorum g\n", "", 1),
		strings.Replace(text, "quorum g", "quorum g\nquorum g", 1),
		strings.Replace(text, "witness b", "wetness b", 1),
		strings.Replace(text, "a b\n", "a c\n", 1),
		strings.Replace(text, b.Key, logSigner(t).VerifierKey(), 1),
	} {
		_, they := torchwood.ParsePolicy([]byte(bad))
		_, we := checkpoint.ParsePolicy(bad)
		require.Error(t, they)
		require.Error(t, we)
	}
}

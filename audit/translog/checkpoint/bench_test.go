package checkpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// BenchmarkVerify verifies one offline proof, by a log and two witnesses; beside it note.Open of the same signatures.
func BenchmarkVerify(b *testing.B) {
	tr := growTree(b, 1000, "")
	p := policy(b, "a b c", "group g 2 a b c", "quorum g")
	hs, err := tlog.ProveRecord(1000, 500, tr)
	require.NoError(b, err)
	proof := checkpoint.Proof{Index: 500, Hashes: hs, Checkpoint: tr.signed(b, 1000, cosigner(b, "a", noon), cosigner(b, "b", noon))}
	leaf := tlog.RecordHash(entry("", 500))
	b.Run("proof", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := proof.Verify(leaf, p, noon); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("note.Open", func(b *testing.B) {
		v, err := note.NewVerifier(p.Logs[0].Key)
		require.NoError(b, err)
		known := []note.Verifier{v}
		for _, w := range p.Witnesses {
			v, err := checkpoint.NewCosignatureVerifier(w.Key)
			require.NoError(b, err)
			known = append(known, v)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := note.Open(proof.Checkpoint, note.VerifierList(known...)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

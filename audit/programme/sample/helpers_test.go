package sample_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

const origin = "log.example/audit"

// blind is what the frames are hidden by that are not shown.
var blind = sample.Blind(sha256.Sum256([]byte("papers")))

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// private makes a key that is the same in every run.
func private(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func logKey(t testing.TB, name, key string) *checkpoint.Signer {
	t.Helper()
	s, err := checkpoint.NewSigner(name, private(key))
	require.NoError(t, err)
	return s
}

func witnessKey(t testing.TB, name, key string, at time.Time) *checkpoint.Signer {
	t.Helper()
	s, err := checkpoint.NewCosigner("witness.example/"+name, private(key), func() time.Time { return at })
	require.NoError(t, err)
	return s
}

// witness signs as who is called so, at that time.
func witness(t testing.TB, name string, at time.Time) note.Signer {
	return witnessKey(t, name, name, at)
}

// verifier trusts the log, and asks for so many of the witnesses.
func verifier(t testing.TB, quorum int, witnesses ...string) sample.CheckpointVerifier {
	t.Helper()
	v := sample.CheckpointVerifier{Logs: []note.Verifier{logKey(t, origin, "log")}, Quorum: quorum}
	for _, name := range witnesses {
		w, err := checkpoint.NewCosignatureVerifier(witnessKey(t, name, name, noon).VerifierKey())
		require.NoError(t, err)
		v.Witnesses = append(v.Witnesses, w)
	}
	return v
}

// ledger is a log in memory.
type ledger struct {
	leaves []string
	hashes []tlog.Hash
}

func (l *ledger) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range at {
		list = append(list, l.hashes[i])
	}
	return list, nil
}

func (l *ledger) add(t testing.TB, leaf string) sample.Anchor {
	t.Helper()
	at := len(l.leaves)
	more, err := tlog.StoredHashes(int64(at), []byte(leaf), l)
	require.NoError(t, err)
	l.leaves, l.hashes = append(l.leaves, leaf), append(l.hashes, more...)
	return sample.Anchor{Log: origin, Index: uint64(at)}
}

// checkpoint returns one of the size the log has now, signed by the log and these.
func (l *ledger) checkpoint(t testing.TB, signers ...note.Signer) []byte {
	t.Helper()
	root, err := tlog.TreeHash(int64(len(l.leaves)), l)
	require.NoError(t, err)
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, len(l.leaves), root)
	return sign(t, text, append([]note.Signer{logKey(t, origin, "log")}, signers...)...)
}

func sign(t testing.TB, text string, signers ...note.Signer) []byte {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	require.NoError(t, err)
	return signed
}

// record adds a freeze to the log, among other entries.
func (l *ledger) record(t testing.TB, f sample.Freeze) sample.Anchor {
	t.Helper()
	d, err := f.Digest()
	require.NoError(t, err)
	for i := range 3 {
		l.add(t, fmt.Sprint("before ", i))
	}
	a := l.add(t, "freeze "+d.String())
	l.add(t, "after")
	return a
}

// holds reads the entries that record writes.
func holds(leaf []byte, d sample.Digest) error {
	if string(leaf) != "freeze "+d.String() {
		return errors.New("another entry")
	}
	return nil
}

// items are n distinct ids in order.
func items(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("vol-%07d", i)
	}
	return list
}

func frame(procedure string, n int) sample.Frame {
	return sample.Frame{Procedure: procedure, Items: items(n)}
}

func commit(t testing.TB, f sample.Frame) sample.Commitment {
	t.Helper()
	c, err := f.Commit()
	require.NoError(t, err)
	return c
}

// freeze is one of these frames.
func freeze(t testing.TB, frames ...sample.Frame) sample.Freeze {
	t.Helper()
	f := sample.Freeze{
		Audit: "2026-1", Attempt: 1, Scope: sha256.Sum256([]byte("plan")), NotBefore: noon, NotAfter: noon.Add(10 * time.Minute),
	}
	for _, fr := range frames {
		f.Frames = append(f.Frames, commit(t, fr))
	}
	return f
}

// published is a dossier that is as it should be: two frames, one of them shown, one blind with proofs.
func published(t testing.TB) sample.Dossier {
	t.Helper()
	shown, hidden := frame("backup-1", 400), frame("keys-1/eu", 77)
	hidden.Blind = blind
	d := sample.Dossier{Freeze: freeze(t, shown, hidden), Samples: map[string][]int{}, Frames: []sample.Frame{shown}}
	d.Freeze.Frames[0].Sample = 30
	var l ledger
	d.Anchor = l.record(t, d.Freeze)
	d.Leaf = []byte(l.leaves[d.Anchor.Index])
	var err error
	d.Inclusion, err = tlog.ProveRecord(int64(len(l.leaves)), int64(d.Anchor.Index), &l)
	require.NoError(t, err)
	d.Checkpoint = string(l.checkpoint(t, witness(t, "north", noon), witness(t, "south", noon.Add(time.Second))))
	seed, err := sample.Derive(d.Freeze, d.Anchor, []byte(d.Checkpoint), verifier(t, 2, "north", "south"))
	require.NoError(t, err)
	for procedure, k := range map[string]int{"backup-1": 30, "keys-1/eu": 5} {
		c, ok := d.Freeze.Frame(procedure)
		require.True(t, ok)
		d.Samples[procedure], err = seed.Draw(c, k)
		require.NoError(t, err)
	}
	proofs, err := hidden.Prove(d.Samples["keys-1/eu"]...)
	require.NoError(t, err)
	for _, p := range proofs {
		d.Proofs = append(d.Proofs, sample.Shown{Procedure: "keys-1/eu", Proof: p})
	}
	return d
}

// bytesOf is what the outsider gets.
func bytesOf(t testing.TB, d sample.Dossier) []byte {
	t.Helper()
	b, err := json.MarshalIndent(d, "", " ")
	require.NoError(t, err)
	return b
}

func lines(b []byte) []string { return strings.SplitAfter(string(b), "\n") }

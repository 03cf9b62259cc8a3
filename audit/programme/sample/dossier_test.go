package sample_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

var update = flag.Bool("update", false, "write testdata anew")

// known is what comes out of testdata/dossier.json.
type known struct {
	Log       string           `json:"log,omitempty"`       // verifier key
	Witnesses []string         `json:"witnesses,omitempty"` // verifier keys
	Seed      string           `json:"seed"`
	Samples   map[string][]int `json:"samples"`
}

// TestKnownAnswers holds the forms for ever: who has drawn a sample years ago must be able to show it.
func TestKnownAnswers(t *testing.T) {
	file, answers := filepath.Join("testdata", "dossier.json"), filepath.Join("testdata", "answers.json")
	if *update {
		d := published(t)
		seed, err := sample.Recompute(d, verifier(t, 2, "north", "south"), holds)
		require.NoError(t, err)
		want := known{logKey(t, origin, "log").VerifierKey(), nil, sample.Digest(seed).String(), d.Samples}
		for _, name := range []string{"north", "south"} {
			want.Witnesses = append(want.Witnesses, witnessKey(t, name, name, noon).VerifierKey())
		}
		b, err := json.MarshalIndent(want, "", " ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append(bytesOf(t, d), '\n'), 0o644))
		require.NoError(t, os.WriteFile(answers, append(b, '\n'), 0o644))
	}
	var want known
	b, err := os.ReadFile(answers)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	text, err := os.ReadFile(file)
	require.NoError(t, err)

	var v sample.CheckpointVerifier
	log, err := note.NewVerifier(want.Log)
	require.NoError(t, err)
	v.Logs, v.Quorum = []note.Verifier{log}, len(want.Witnesses)
	for _, vkey := range want.Witnesses {
		w, err := checkpoint.NewCosignatureVerifier(vkey)
		require.NoError(t, err)
		v.Witnesses = append(v.Witnesses, w)
	}
	d, err := sample.ParseDossier(text)
	require.NoError(t, err)
	seed, err := sample.Recompute(d, v, holds)
	require.NoError(t, err)
	require.Equal(t, want.Seed, sample.Digest(seed).String())
	require.Equal(t, want.Samples, d.Samples)

	t.Run("in another language", func(t *testing.T) {
		python, err := exec.LookPath("python3")
		if err != nil && os.Getenv("CI") != "true" {
			t.Skip("no python3")
		}
		require.NoError(t, err)
		script := filepath.Join("testdata", "recompute.py")
		out, err := exec.Command(python, script, file, "witness.example/north", "witness.example/south").Output()
		require.NoError(t, err)
		var got struct {
			known
			Roots map[string]string `json:"roots"`
		}
		require.NoError(t, json.Unmarshal(out, &got))
		require.Equal(t, want.Seed, got.Seed)
		require.Equal(t, want.Samples, got.Samples)
		require.Equal(t, map[string]string{"backup-1": d.Freeze.Frames[0].Digest.String()}, got.Roots)
	})
}

func TestOutsiderComesToTheSameFromTheBytes(t *testing.T) {
	d := published(t)
	read, err := sample.ParseDossier(bytesOf(t, d))
	require.NoError(t, err)
	seed, err := sample.Recompute(read, verifier(t, 2, "north", "south"), holds)
	require.NoError(t, err)
	require.NotZero(t, seed)
	read.Samples["backup-1"], err = seed.Draw(read.Freeze.Frames[0], 60) // it was extended
	require.NoError(t, err)
	_, err = sample.Recompute(read, verifier(t, 2, "north", "south"), holds)
	require.NoError(t, err)
}

func TestWhatWasMadeUpDoesNotComeOut(t *testing.T) {
	v := verifier(t, 2, "north", "south")
	for what, test := range map[string]struct {
		change func(*sample.Dossier)
		want   error
	}{
		"another position":              {func(d *sample.Dossier) { bump(d.Samples["backup-1"]) }, sample.ErrMismatch},
		"a sample that was cut":         {func(d *sample.Dossier) { d.Samples["keys-1/eu"] = d.Samples["keys-1/eu"][:4] }, sample.ErrMismatch},
		"a smaller one than was said":   {func(d *sample.Dossier) { delete(d.Samples, "backup-1") }, sample.ErrMismatch},
		"one larger than there is":      {func(d *sample.Dossier) { d.Samples["keys-1/eu"] = make([]int, 78) }, sample.ErrMismatch},
		"a sample of another procedure": {func(d *sample.Dossier) { d.Samples["x"] = []int{1} }, sample.ErrMismatch},
		"an item left out": {func(d *sample.Dossier) {
			d.Frames[0].Items = slices.Delete(slices.Clone(d.Frames[0].Items), 7, 8)
		}, sample.ErrMismatch},
		"an item changed": {func(d *sample.Dossier) { d.Frames[0].Items[7] += "x" }, sample.ErrMismatch},
		"a frame under another name": {func(d *sample.Dossier) {
			d.Frames[0].Procedure = "keys-1/eu"
		}, sample.ErrMismatch},
		"a frame of nothing":            {func(d *sample.Dossier) { d.Frames[0].Procedure = "x" }, sample.ErrMismatch},
		"a frame in disorder":           {func(d *sample.Dossier) { slices.Reverse(d.Frames[0].Items) }, opsec.ErrInvalid},
		"a proof of another item":       {func(d *sample.Dossier) { d.Proofs[0].Item = "vol-x" }, sample.ErrMismatch},
		"a proof of another procedure":  {func(d *sample.Dossier) { d.Proofs[0].Procedure = "x" }, sample.ErrMismatch},
		"a proof of what was not drawn": {func(d *sample.Dossier) { d.Proofs[0].Proof = undrawn(t, *d) }, sample.ErrMismatch},
		"a freeze with another scope":   {func(d *sample.Dossier) { d.Freeze.Scope[0] ^= 1 }, sample.ErrUnproven},
		"a freeze with a smaller frame": {func(d *sample.Dossier) { d.Freeze.Frames[0].Size--; d.Freeze.Frames[0].Sample = 0 }, sample.ErrUnproven},
		"another entry":                 {func(d *sample.Dossier) { d.Leaf = []byte("before 0") }, sample.ErrUnproven},
		"another place":                 {func(d *sample.Dossier) { d.Anchor.Index-- }, sample.ErrUnproven},
		"half a proof":                  {func(d *sample.Dossier) { d.Inclusion = d.Inclusion[1:] }, sample.ErrUnproven},
		"a freeze after the checkpoint": {func(d *sample.Dossier) { d.Anchor.Index = 5 }, sample.ErrTooEarly},
		"a time that is not the log's":  {func(d *sample.Dossier) { d.Freeze.NotBefore = noon.Add(time.Minute) }, sample.ErrTooEarly},
		"another log":                   {func(d *sample.Dossier) { d.Anchor.Log += "x" }, opsec.ErrInvalid},
		"no freeze":                     {func(d *sample.Dossier) { d.Freeze.Audit = "" }, opsec.ErrInvalid},
		"a checkpoint without witness":  {func(d *sample.Dossier) { d.Checkpoint = strings.Join(lines([]byte(d.Checkpoint))[:6], "") }, sample.ErrUnproven},
	} {
		d := published(t)
		test.change(&d)
		_, err := sample.Recompute(d, v, holds)
		require.ErrorIs(t, err, test.want, what)
	}
	_, err := sample.Recompute(published(t), v, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// bump moves the last position that has room.
func bump(list []int) {
	for i := len(list) - 1; i > 0; i-- {
		if list[i-1] < list[i]-1 {
			list[i]--
			return
		}
	}
}

// undrawn is a good proof of an item that is not in the sample.
func undrawn(t testing.TB, d sample.Dossier) sample.Proof {
	t.Helper()
	f := frame("keys-1/eu", 77)
	f.Blind = blind
	at := 0
	for slices.Contains(d.Samples[f.Procedure], at) {
		at++
	}
	proofs, err := f.Prove(at)
	require.NoError(t, err)
	return proofs[0]
}

// A freeze that somebody writes after having seen the checkpoint is in no entry that the checkpoint covers.
func TestFreezingAfterTheCheckpointIsRefused(t *testing.T) {
	v := verifier(t, 2, "north", "south")
	d := published(t)
	var l ledger
	l.record(t, d.Freeze)
	late := d
	late.Freeze.Frames = slices.Clone(d.Freeze.Frames)
	late.Freeze.Frames[0] = commit(t, frame("backup-1", 399))
	late.Frames = nil
	late.Anchor = l.record(t, late.Freeze)
	late.Leaf = []byte(l.leaves[late.Anchor.Index])
	var err error
	late.Inclusion, err = tlog.ProveRecord(int64(len(l.leaves)), int64(late.Anchor.Index), &l)
	require.NoError(t, err)
	_, err = sample.Recompute(late, v, holds)
	require.ErrorIs(t, err, sample.ErrTooEarly)
	late.Anchor = d.Anchor // and to say that it was there does not help
	_, err = sample.Recompute(late, v, holds)
	require.ErrorIs(t, err, sample.ErrUnproven)
}

func TestDossiersAreReadStrictly(t *testing.T) {
	good := string(bytesOf(t, published(t)))
	for what, text := range map[string]string{
		"nothing":          "",
		"an unknown field": strings.Replace(good, `"anchor"`, `"more": 1, "anchor"`, 1),
		"two":              good + good,
		"a digest":         strings.Replace(good, `"scope": "`, `"scope": "g`, 1),
	} {
		_, err := sample.ParseDossier([]byte(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
	_, err := sample.ParseDossier(make([]byte, sample.MaxDossier+1))
	require.ErrorContains(t, err, "want at most")
}

func FuzzRecompute(f *testing.F) {
	good := published(f)
	f.Add(bytesOf(f, good))
	f.Add([]byte(`{"freeze":{"frames":[{}]}}`))
	v := verifier(f, 2, "north", "south")
	want, err := sample.Recompute(good, v, holds)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := sample.ParseDossier(b)
		if err != nil {
			return
		}
		if seed, err := sample.Recompute(d, v, holds); err == nil {
			require.Equal(t, want, seed) // nobody has signed for another
		}
	})
}

func FuzzDerive(f *testing.F) {
	l, freeze, a := recorded(f)
	v := verifier(f, 1, "north")
	good := l.checkpoint(f, witness(f, "north", noon))
	f.Add(good)
	f.Add([]byte("\n\n\u2014 x AAAAAAA=\n"))
	want, err := sample.Derive(freeze, a, good, v)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		if seed, err := sample.Derive(freeze, a, b, v); err == nil {
			require.Equal(t, want, seed)
		}
	})
}

// A blind frame is not seen whole. What is seen of it must at least stand in the order of a frame, in which no item is
// twice: a provider could fill it up with one that is well kept.
func TestItemsThatAreShownAreInTheOrderOfAFrame(t *testing.T) {
	for what, change := range map[string]func([]string){
		"an item twice": func(items []string) { items[0] = items[1] },
		"in disorder":   func(items []string) { items[0], items[1] = items[1], items[0] },
		"as it should":  func([]string) {},
	} {
		list := []string{"vol-1", "vol-2"}
		change(list)
		// The commitment of a frame that Commit refuses, from the log of its items.
		l := &ledger{}
		for _, item := range list {
			l.add(t, "\x00"+item)
		}
		root, err := tlog.TreeHash(2, l)
		require.NoError(t, err)
		d := sample.Dossier{Freeze: freeze(t, frame("backup-1", 2)), Samples: map[string][]int{"backup-1": {0, 1}}}
		d.Freeze.Frames[0].Digest = sample.Digest(root)
		for i := range list {
			hashes, err := tlog.ProveRecord(2, int64(i), l)
			require.NoError(t, err)
			d.Proofs = append(d.Proofs, sample.Shown{
				Procedure: "backup-1", Proof: sample.Proof{Index: i, Item: list[i], Hashes: hashes},
			})
		}
		var book ledger
		d.Anchor = book.record(t, d.Freeze)
		d.Leaf = []byte(book.leaves[d.Anchor.Index])
		d.Inclusion, err = tlog.ProveRecord(int64(len(book.leaves)), int64(d.Anchor.Index), &book)
		require.NoError(t, err)
		d.Checkpoint = string(book.checkpoint(t, witness(t, "north", noon)))
		for range 2 { // in any order
			_, err = sample.Recompute(d, verifier(t, 1, "north"), holds)
			if what == "as it should" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, sample.ErrMismatch, what)
			}
			slices.Reverse(d.Proofs)
		}
	}
}

// Who reads a dossier with a reader of JSON that minds letter case, as most do, sees the samples that Recompute verifies.
func TestADossierReadsTheSameEverywhere(t *testing.T) {
	good := string(bytesOf(t, published(t)))
	_, err := sample.ParseDossier([]byte(good))
	require.NoError(t, err)
	for what, bad := range map[string]string{
		"in another case": strings.Replace(good, `"samples"`, `"samples": {"backup-1": [1, 2, 3]}, "Samples"`, 1),
		"in no case":      strings.Replace(good, `"samples"`, `"samples": {"backup-1": [1, 2, 3]}, "\u017famples"`, 1),
		"a field twice":   strings.Replace(good, `"samples"`, `"samples": {"backup-1": [1, 2, 3]}, "samples"`, 1),
		"a sample twice":  strings.Replace(good, `"samples": {`, `"samples": {"keys-1/eu": [1, 2, 3], `, 1),
		"a deep one":      strings.Replace(good, `"attempt"`, `"attempt": 7, "Attempt"`, 1),
	} {
		require.NotEqual(t, good, bad, what)
		_, err := sample.ParseDossier([]byte(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
	d := published(t)
	d.Samples = map[string][]int{"Backup": {1}, "backup": {1}}
	_, err = sample.ParseDossier(bytesOf(t, d))
	require.NoError(t, err, "procedures have the names that they have")
}

func TestItemsOfSeveralFramesMayBeShown(t *testing.T) {
	d := published(t)
	proofs, err := d.Frames[0].Prove(d.Samples["backup-1"]...)
	require.NoError(t, err)
	for _, p := range append(proofs, proofs[3]) { // one of them twice
		d.Proofs = append(d.Proofs, sample.Shown{Procedure: "backup-1", Proof: p})
	}
	_, err = sample.Recompute(d, verifier(t, 2, "north", "south"), holds)
	require.NoError(t, err)
}

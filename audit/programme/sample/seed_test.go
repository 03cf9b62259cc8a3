package sample_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// recorded is a log that has a freeze.
func recorded(t testing.TB) (*ledger, sample.Freeze, sample.Anchor) {
	t.Helper()
	l, f := &ledger{}, freeze(t, frame("backup-1", 50))
	return l, f, l.record(t, f)
}

func TestSeedComesOfACheckpointAfterTheFreeze(t *testing.T) {
	l, f, a := recorded(t)
	two := verifier(t, 2, "north", "south", "east")
	at := func(d time.Duration, name string) note.Signer { return witness(t, name, noon.Add(d)) }
	tests := []struct {
		name    string
		signers []note.Signer
		want    error
	}{
		{"both at the first instant", []note.Signer{at(0, "north"), at(0, "south")}, nil},
		{"both at the last instant", []note.Signer{at(10*time.Minute, "north"), at(10*time.Minute, "south")}, nil},
		{"one more than needed", []note.Signer{at(0, "north"), at(1, "south"), at(2, "east")}, nil},
		{"one early, two in time", []note.Signer{at(-time.Second, "north"), at(0, "south"), at(0, "east")}, nil},
		{"one a second early", []note.Signer{at(-time.Second, "north"), at(0, "south")}, sample.ErrTooEarly},
		{"all early", []note.Signer{at(-time.Hour, "north"), at(-time.Hour, "south")}, sample.ErrTooEarly},
		{"one a second late", []note.Signer{at(10*time.Minute+time.Second, "north"), at(0, "south")}, sample.ErrTooLate},
		{"one witness", []note.Signer{at(0, "north")}, sample.ErrUnproven},
		{"one witness of two and a stranger", []note.Signer{at(0, "north"), at(0, "stranger")}, sample.ErrUnproven},
		{"no witness", nil, sample.ErrUnproven},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			seed, err := sample.Derive(f, a, l.checkpoint(t, test.signers...), two)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
				require.Zero(t, seed)
				return
			}
			require.NoError(t, err)
			require.NotZero(t, seed)
		})
	}
	for _, err := range []error{sample.ErrTooEarly, sample.ErrTooLate} {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestACheckpointThatDoesNotCoverTheFreezeIsTooEarly(t *testing.T) {
	f, l := freeze(t, frame("backup-1", 50)), &ledger{}
	signers := []note.Signer{witness(t, "north", noon)}
	v := verifier(t, 1, "north")
	l.add(t, "something")
	before := l.checkpoint(t, signers...)
	d, err := f.Digest()
	require.NoError(t, err)
	a := l.add(t, "freeze "+d.String())
	_, err = sample.Derive(f, a, before, v)
	require.ErrorIs(t, err, sample.ErrTooEarly)
	_, err = sample.Derive(f, a, l.checkpoint(t, signers...), v)
	require.NoError(t, err)
}

func TestADayIsTheTimeWhereNoneIsSaid(t *testing.T) {
	l, f, a := recorded(t)
	f.NotAfter = time.Time{}
	v := verifier(t, 1, "north")
	_, err := sample.Derive(f, a, l.checkpoint(t, witness(t, "north", noon.Add(24*time.Hour))), v)
	require.NoError(t, err)
	_, err = sample.Derive(f, a, l.checkpoint(t, witness(t, "north", noon.Add(24*time.Hour+time.Second))), v)
	require.ErrorIs(t, err, sample.ErrTooLate)
}

func TestSeedHangsOnFreezeTextAndTheFirstWitnessAlone(t *testing.T) {
	l, f, a := recorded(t)
	v := verifier(t, 1, "north", "south")
	north, south := witness(t, "north", noon), witness(t, "south", noon)
	derive := func(f sample.Freeze, checkpoint []byte) sample.Seed {
		t.Helper()
		seed, err := sample.Derive(f, a, checkpoint, v)
		require.NoError(t, err)
		return seed
	}
	base := l.checkpoint(t, north, south)
	seed := derive(f, base)

	// What the log can vary, or somebody on the way, changes nothing.
	block := lines(base)
	head, sigs := block[:4], block[4:]
	swapped := strings.Join(head, "") + sigs[2] + sigs[0] + sigs[1]
	require.Equal(t, seed, derive(f, []byte(swapped)), "order of lines")
	require.Equal(t, seed, derive(f, []byte(string(base)+sigs[1])), "a line twice")
	require.Equal(t, seed, derive(f, l.checkpoint(t, north, south, witness(t, "stranger", noon))), "a line of nobody known")
	otherKey := logKey(t, origin, "the log's next key")
	v.Logs = append(v.Logs, otherKey)
	require.Equal(t, seed, derive(f, l.checkpoint(t, otherKey, north, south)), "the log's own signatures")
	require.Equal(t, seed, derive(f, l.checkpoint(t, north)), "a witness fewer")
	early := witness(t, "north", noon.Add(-time.Second))
	require.Equal(t, derive(f, l.checkpoint(t, south)), derive(f, l.checkpoint(t, south, early)), "a witness outside the time")
	elsewhere := f
	elsewhere.NotBefore = noon.In(time.FixedZone("", 3600))
	require.Equal(t, seed, derive(elsewhere, base), "zones of time")

	// What only witnesses can make does, and so does what was frozen.
	require.NotEqual(t, seed, derive(f, l.checkpoint(t, witness(t, "north", noon.Add(time.Second)), south)), "a time")
	require.NotEqual(t, seed, derive(f, l.checkpoint(t, south)), "the first witness")
	for what, change := range map[string]func(*sample.Freeze){
		"audit":      func(f *sample.Freeze) { f.Audit += "x" },
		"attempt":    func(f *sample.Freeze) { f.Attempt++ },
		"scope":      func(f *sample.Freeze) { f.Scope[0] ^= 1 },
		"frame":      func(f *sample.Freeze) { f.Frames[0].Digest[0] ^= 1 },
		"procedure":  func(f *sample.Freeze) { f.Frames[0].Procedure += "x" },
		"size":       func(f *sample.Freeze) { f.Frames[0].Size++ },
		"sample":     func(f *sample.Freeze) { f.Frames[0].Sample++ },
		"not before": func(f *sample.Freeze) { f.NotBefore = f.NotBefore.Add(-time.Second) },
		"not after":  func(f *sample.Freeze) { f.NotAfter = f.NotAfter.Add(time.Second) },
	} {
		changed := f
		changed.Frames = append([]sample.Commitment(nil), f.Frames...)
		change(&changed)
		require.NotEqual(t, seed, derive(changed, base), what)
	}
	l.add(t, "more")
	require.NotEqual(t, seed, derive(f, l.checkpoint(t, north, south)), "text")
}

func TestSeedDoesNotDependOnWhereTheFreezeIs(t *testing.T) {
	l, f, a := recorded(t)
	d, err := f.Digest()
	require.NoError(t, err)
	again := l.add(t, "freeze "+d.String()) // recording it twice is no second chance
	signed, v := l.checkpoint(t, witness(t, "north", noon)), verifier(t, 1, "north")
	first, err := sample.Derive(f, a, signed, v)
	require.NoError(t, err)
	second, err := sample.Derive(f, again, signed, v)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

func TestNoByteOfACheckpointMayChange(t *testing.T) {
	l, f, a := recorded(t)
	v := verifier(t, 2, "north", "south")
	good := l.checkpoint(t, witness(t, "north", noon), witness(t, "south", noon))
	want, err := sample.Derive(f, a, good, v)
	require.NoError(t, err)
	for i := range good {
		for _, bit := range []byte{1, 2, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			if got, err := sample.Derive(f, a, bad, v); err == nil { // bits of base64 that stand for nothing
				require.Equal(t, want, got, "byte %d", i)
			}
		}
		_, err := sample.Derive(f, a, good[:i], v)
		require.Error(t, err)
	}
}

func TestOnlyTheLogAndWhoIsKnownCount(t *testing.T) {
	l, f, a := recorded(t)
	north := witness(t, "north", noon)
	good := l.checkpoint(t, north)
	text := strings.Join(lines(good)[:3], "")
	v := verifier(t, 1, "north")
	_, err := sample.Derive(f, a, sign(t, text, north), v)
	require.ErrorIs(t, err, sample.ErrUnproven, "the log has not signed")
	_, err = sample.Derive(f, a, sign(t, text, logKey(t, origin, "another key"), north), v)
	require.ErrorIs(t, err, sample.ErrUnproven, "somebody has who calls himself so")
	_, err = sample.Derive(f, a, sign(t, text, logKey(t, origin, "another key")), v)
	require.ErrorIs(t, err, sample.ErrUnproven, "nobody known has")
	forged := strings.Replace(string(good), "\n5\n", "\n6\n", 1)
	require.NotEqual(t, string(good), forged)
	_, err = sample.Derive(f, a, []byte(forged), v)
	require.ErrorIs(t, err, sample.ErrUnproven, "a size was changed")

	_, err = sample.Derive(f, sample.Anchor{Log: "log.example/other", Index: a.Index}, good, v)
	require.ErrorIs(t, err, opsec.ErrInvalid, "another log")
	other := logKey(t, "log.example/other", "other")
	trusting := v
	trusting.Logs = append(trusting.Logs[:1:1], other)
	_, err = sample.Derive(f, a, sign(t, text, other, north), trusting)
	require.ErrorIs(t, err, sample.ErrUnproven, "a known log under the origin of another")
}

func TestOneWitnessIsOneWitness(t *testing.T) {
	l, f, a := recorded(t)
	v := verifier(t, 2, "north", "south")
	north := witness(t, "north", noon)
	again := lines(l.checkpoint(t, witness(t, "north", noon.Add(time.Second))))[5]
	_, err := sample.Derive(f, a, []byte(string(l.checkpoint(t, north))+again), v)
	require.ErrorIs(t, err, sample.ErrUnproven, "signing twice is not two")

	v.Witnesses = append(v.Witnesses[:1], renamed{verifier(t, 1, "south").Witnesses[0], "witness.example/north"})
	require.ErrorIs(t, v.Validate(), opsec.ErrInvalid, "two keys of one name are not two")
}

// renamed is a verifier under another name.
type renamed struct {
	note.Verifier
	name string
}

func (r renamed) Name() string { return r.name }

func TestSignaturesWithoutATimeAreNoCosignatures(t *testing.T) {
	l, f, a := recorded(t)
	plain := logKey(t, "witness.example/plain", "plain")
	v := verifier(t, 1, "north")
	v.Witnesses = append(v.Witnesses, plain)
	_, err := sample.Derive(f, a, l.checkpoint(t, witness(t, "north", noon), plain), v)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestALogWithoutWitnessesHasToBeSaidSo(t *testing.T) {
	l, f, a := recorded(t)
	v := sample.CheckpointVerifier{Logs: verifier(t, 1, "north").Logs}
	_, err := sample.Derive(f, a, l.checkpoint(t), v)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	v.InsecureUnwitnessed = true
	seed, err := sample.Derive(f, a, l.checkpoint(t), v)
	require.NoError(t, err)
	require.NotZero(t, seed)
}

func TestVerifiersThatCannotBeMeantAreRefused(t *testing.T) {
	good := verifier(t, 1, "north", "south")
	require.NoError(t, good.Validate())
	logs, witnesses := good.Logs, good.Witnesses
	for what, v := range map[string]sample.CheckpointVerifier{
		"zero":                      {},
		"no log":                    {Witnesses: witnesses, Quorum: 1},
		"no quorum":                 {Logs: logs, Witnesses: witnesses},
		"quorum below":              {Logs: logs, Witnesses: witnesses, Quorum: -1},
		"quorum beyond":             {Logs: logs, Witnesses: witnesses, Quorum: 3},
		"insecure with witnesses":   {Logs: logs, Witnesses: witnesses, InsecureUnwitnessed: true},
		"insecure with a quorum":    {Logs: logs, Quorum: 1, InsecureUnwitnessed: true},
		"a key twice":               {Logs: append(logs[:1:1], logs[0]), Witnesses: witnesses, Quorum: 1},
		"a witness twice":           {Logs: logs, Witnesses: append(witnesses[:1:1], witnesses[0]), Quorum: 1},
		"nil":                       {Logs: []note.Verifier{nil}, Witnesses: witnesses, Quorum: 1},
		"log that is its witness":   {Logs: logs, Witnesses: []note.Verifier{renamed{witnesses[0], origin}}, Quorum: 1},
		"more keys than are for it": {Logs: make([]note.Verifier, 65), Witnesses: witnesses, Quorum: 1},
	} {
		require.ErrorIs(t, v.Validate(), opsec.ErrInvalid, what)
	}
}

func TestTextsThatAreNoCheckpointsAreRefused(t *testing.T) {
	_, f, a := recorded(t)
	v := verifier(t, 1, "north")
	v.InsecureUnwitnessed, v.Witnesses, v.Quorum = true, nil, 0
	root := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for what, text := range map[string]string{
		"two lines":        origin + "\n9\n",
		"size of a letter": origin + "\nx\n" + root + "\n",
		"leading zero":     origin + "\n09\n" + root + "\n",
		"plus":             origin + "\n+9\n" + root + "\n",
		"too large":        fmt.Sprintf("%s\n%d\n%s\n", origin, uint64(1)<<62+1, root),
		"short root":       origin + "\n9\nAAAA\n",
		"loose root":       origin + "\n9\n" + root[:43] + "==\n",
		"empty extension":  origin + "\n9\n" + root + "\n\nx\n",
		"many extensions":  origin + "\n9\n" + root + "\n" + strings.Repeat("x\n", 17),
		"wrong nothing":    origin + "\n0\n" + strings.Repeat("A", 43) + "=\n",
	} {
		_, err := sample.Derive(f, a, sign(t, text, logKey(t, origin, "log")), v)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.NotErrorIs(t, err, sample.ErrTooEarly, what)
	}
	_, err := sample.Derive(f, a, sign(t, origin+"\n9\n"+root+"\n"+strings.Repeat("x\n", 16), logKey(t, origin, "log")), v)
	require.NoError(t, err)
	for _, text := range []string{"", "\n\n", "x", strings.Repeat("x", 200<<10)} {
		_, err := sample.Derive(f, a, []byte(text), v)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestFreezesThatCannotBeMeantAreRefused(t *testing.T) {
	good := freeze(t, frame("a", 3), frame("b", 4))
	_, err := good.Digest()
	require.NoError(t, err)
	for what, change := range map[string]func(*sample.Freeze){
		"no audit":          func(f *sample.Freeze) { f.Audit = "" },
		"control in audit":  func(f *sample.Freeze) { f.Audit = "a\nb" },
		"attempt zero":      func(f *sample.Freeze) { f.Attempt = 0 },
		"no frames":         func(f *sample.Freeze) { f.Frames = nil },
		"many frames":       func(f *sample.Freeze) { f.Frames = make([]sample.Commitment, 1025) },
		"frames in reverse": func(f *sample.Freeze) { f.Frames = []sample.Commitment{f.Frames[1], f.Frames[0]} },
		"a frame twice":     func(f *sample.Freeze) { f.Frames = []sample.Commitment{f.Frames[1], f.Frames[1]} },
		"a bad frame":       func(f *sample.Freeze) { f.Frames = []sample.Commitment{{Procedure: "a", Size: -1}} },
		"no time":           func(f *sample.Freeze) { f.NotBefore = time.Time{} },
		"1970":              func(f *sample.Freeze) { f.NotBefore = time.Unix(0, 0) },
		"part of a second":  func(f *sample.Freeze) { f.NotBefore = noon.Add(1) },
		"year 10000":        func(f *sample.Freeze) { f.NotAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"after before":      func(f *sample.Freeze) { f.NotAfter = noon.Add(-time.Second) },
	} {
		f := good
		change(&f)
		_, err := f.Digest()
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		_, err = sample.Derive(f, sample.Anchor{Log: origin}, nil, verifier(t, 1, "north"))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
	_, ok := good.Frame("b")
	require.True(t, ok)
	_, ok = good.Frame("c")
	require.False(t, ok)
}

// Whoever publishes the checkpoint chooses which lines stand below it, and may add those of a witness of its own. Each try
// must cost it a question to a witness all the same.
func TestThereAreNoMoreSeedsThanQuestions(t *testing.T) {
	l, f, a := recorded(t)
	v := verifier(t, 2, "a", "b", "c", "d", "own")
	seeds := map[sample.Seed]bool{}
	questions := []note.Signer{
		witness(t, "a", noon), witness(t, "b", noon), witness(t, "c", noon), witness(t, "d", noon), // each asked once,
		witness(t, "a", noon.Add(time.Second)), witness(t, "b", noon.Add(time.Second)), // and two of them again
	}
	for chosen := range 1 << len(questions) {
		var signers []note.Signer
		for i, s := range questions {
			if chosen>>i&1 == 1 {
				signers = append(signers, s)
			}
		}
		if seed, err := sample.Derive(f, a, l.checkpoint(t, signers...), v); err == nil {
			seeds[seed] = true
		}
	}
	require.LessOrEqual(t, len(seeds), len(questions))

	seed, err := sample.Derive(f, a, l.checkpoint(t, questions[:4]...), v)
	require.NoError(t, err)
	for s := range 20 { // it signs as often as it likes
		signers := append(questions[:4:4], witness(t, "own", noon.Add(time.Duration(s)*time.Second)))
		got, err := sample.Derive(f, a, l.checkpoint(t, signers...), v)
		require.NoError(t, err)
		require.Equal(t, seed, got)
	}
}

package checkpoint_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// sigLines returns the signature lines of a note.
func sigLines(signed []byte) []string {
	_, sigs, _ := strings.Cut(string(signed), "\n\n")
	return strings.SplitAfter(strings.TrimSuffix(sigs, "\n"), "\n")
}

// attach puts signature lines under a note, each with its newline.
func attach(signed []byte, lines ...string) []byte {
	for _, l := range lines {
		signed = append(bytes.Clone(signed), strings.TrimSuffix(l, "\n")+"\n"...)
	}
	return signed
}

func cosignature(t testing.TB, tr *tree, n int, s note.Signer) string {
	t.Helper()
	return sigLines(tr.signed(t, n, s))[1]
}

func TestWitnessThatSignsTwiceCountsOnce(t *testing.T) {
	p := policy(t, "a b", "group g 2 a b", "quorum g")
	tr := growTree(t, 4, "")
	signed := attach(tr.signed(t, 4),
		cosignature(t, tr, 4, cosigner(t, "a", noon.Add(-time.Hour))),
		cosignature(t, tr, 4, cosigner(t, "a", noon)),
		cosignature(t, tr, 4, cosigner(t, "a", noon)),
		cosignature(t, tr, 4, cosigner(t, "a", noon.Add(-time.Minute))))
	_, err := p.Open(signed, noon)
	var short *checkpoint.QuorumError
	require.ErrorAs(t, err, &short)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
	require.Equal(t, []checkpoint.Cosignature{{Name: "a", Time: noon}}, short.Verified.Cosigned)
	require.ErrorContains(t, err, `quorum "g" does not stand`)
}

func TestKeysOfOneNameAreTwoKeys(t *testing.T) {
	old, next := logSigner(t, origin), func() *checkpoint.Signer {
		s, err := checkpoint.NewSigner(origin, private("next"))
		require.NoError(t, err)
		return s
	}()
	stranger, err := checkpoint.NewSigner(origin, private("stranger"))
	require.NoError(t, err)
	p, err := checkpoint.ParsePolicy("log " + old.VerifierKey() + "\nlog " + next.VerifierKey() + "\nquorum none\n")
	require.NoError(t, err)
	c := growTree(t, 2, "").at(t, 2)
	for _, signers := range [][]note.Signer{{old}, {next}, {old, next}, {stranger, next}} {
		signed, err := c.Sign(signers...)
		require.NoError(t, err)
		_, err = p.Open(signed, noon)
		require.NoError(t, err)
	}
	signed, err := c.Sign(stranger)
	require.NoError(t, err)
	_, err = p.Open(signed, noon)
	var unsigned *checkpoint.UnsignedError
	require.ErrorAs(t, err, &unsigned, "the name alone is nothing")
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
	require.Equal(t, origin, unsigned.Origin)

	// Two witnesses of one name: each key is its own witness.
	one, err := checkpoint.NewCosigner("witness.example/w", private("one"), func() time.Time { return noon })
	require.NoError(t, err)
	two, err := checkpoint.NewCosigner("witness.example/w", private("two"), func() time.Time { return noon })
	require.NoError(t, err)
	p, err = checkpoint.ParsePolicy("log " + old.VerifierKey() + "\nwitness one " + one.VerifierKey() + "\nwitness two " + two.VerifierKey() + "\ngroup g all one two\nquorum g\n")
	require.NoError(t, err)
	signed, err = c.Sign(old, one)
	require.NoError(t, err)
	_, err = p.Open(signed, noon)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
	signed, err = c.Sign(old, one, two)
	require.NoError(t, err)
	_, err = p.Open(signed, noon)
	require.NoError(t, err)
}

func TestLogSignsUnderItsOwnOriginOnly(t *testing.T) {
	other := logSigner(t, "audit.example/us-1")
	p, err := checkpoint.ParsePolicy(logLine(t, origin) + "\nlog " + other.VerifierKey() + "\nquorum none\n")
	require.NoError(t, err)
	signed, err := note.Sign(&note.Note{Text: growTree(t, 2, "").at(t, 2).String()}, other)
	require.NoError(t, err)
	_, err = p.Open(signed, noon)
	var unsigned *checkpoint.UnsignedError
	require.ErrorAs(t, err, &unsigned)
	require.ErrorContains(t, err, origin)

	for _, both := range [][]note.Signer{{logSigner(t, origin), other}, {other, logSigner(t, origin)}} {
		signed, err := note.Sign(&note.Note{Text: growTree(t, 2, "").at(t, 2).String()}, both...)
		require.NoError(t, err)
		_, err = p.Open(signed, noon)
		require.NoError(t, err)
	}
}

func TestUnknownSignaturesAreAcceptedButNotCounted(t *testing.T) {
	p := policy(t, "a b", "group g 2 a b", "quorum g")
	tr := growTree(t, 4, "")
	c, b := cosigner(t, "c", noon), cosigner(t, "b", noon)
	_, err := p.Open(tr.signed(t, 4, cosigner(t, "a", noon), c), noon)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)

	mldsa := dashLine("witness.example/mldsa", append([]byte{1, 2, 3, 4}, make([]byte, 2428)...))
	v, err := p.Open(attach(tr.signed(t, 4, cosigner(t, "a", noon), c, b), mldsa, dashLine("garbage", make([]byte, 5))), noon)
	require.NoError(t, err)
	require.Len(t, v.Cosigned, 2)
}

func dashLine(name string, sig []byte) string {
	return "— " + name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

func TestCosignatureOfAnotherCheckpointIsRefused(t *testing.T) {
	p := policy(t, "a", "quorum none")
	tr := growTree(t, 5, "")
	moved := attach(tr.signed(t, 5), cosignature(t, tr, 4, cosigner(t, "a", noon)))
	_, err := p.Open(moved, noon)
	var bad *checkpoint.SignatureError
	require.ErrorAs(t, err, &bad, "even where no quorum needs it: a known key that does not verify is no accident")
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
	require.Equal(t, "witness.example/a", bad.Name)

	good := tr.signed(t, 5, cosigner(t, "a", noon))
	_, err = p.Open(attach(good, sigLines(moved)[1]), noon)
	require.ErrorAs(t, err, &bad, "nor may it stand behind a good one")
}

func TestCosignatureOfTheFutureDoesNotCount(t *testing.T) {
	p := policy(t, "a", "quorum a")
	tr := growTree(t, 4, "")
	at := func(when time.Time) []byte { return tr.signed(t, 4, cosigner(t, "a", when)) }
	for when, counts := range map[time.Time]bool{
		noon.AddDate(-50, 0, 0):      true, // old, but it is how they are kept
		noon:                         true,
		noon.Add(checkpoint.MaxSkew): true,
		noon.Add(checkpoint.MaxSkew + time.Second):    false,
		noon.AddDate(1, 0, 0):                         false,
		time.Unix(math.MaxInt64, 0):                   false, // beyond what time.Time can compare
		time.Unix(math.MaxInt64-62135596800, 0).UTC(): false,
	} {
		v, err := p.Open(at(when), noon)
		if counts {
			require.NoError(t, err)
			require.Equal(t, []checkpoint.Cosignature{{Name: "a", Time: when}}, v.Cosigned)
			require.Empty(t, v.Early)
			continue
		}
		var short *checkpoint.QuorumError
		require.ErrorAs(t, err, &short, "%v", when)
		require.Empty(t, short.Verified.Cosigned)
		require.Equal(t, "a", short.Verified.Early[0].Name)
		require.ErrorContains(t, err, "future")
	}
	_, err := p.Open(at(noon), time.Time{})
	require.ErrorIs(t, err, checkpoint.ErrUntrusted, "no clock, no trust")

	v, err := p.Open(attach(at(noon), sigLines(at(noon.AddDate(1, 0, 0)))[1]), noon)
	require.NoError(t, err, "an early one takes nothing from a good one")
	require.Equal(t, noon, v.Cosigned[0].Time)
	require.Empty(t, v.Early)
}

// TestEveryChangedByteOfACheckpointIsFound flips each bit of each byte, removes and doubles each byte.
func TestEveryChangedByteOfACheckpointIsFound(t *testing.T) {
	p := policy(t, "a", "quorum a")
	good := growTree(t, 7, "").signed(t, 7, cosigner(t, "a", noon))
	_, err := p.Open(good, noon)
	require.NoError(t, err)
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			_, err := p.Open(bad, noon)
			require.Error(t, err, "byte %d, bit %d: %q", i, bit, bad)
		}
		if i > 0 && good[i] != good[i-1] {
			_, err := p.Open(slices.Concat(good[:i], good[i+1:]), noon)
			require.Error(t, err, "byte %d removed", i)
		}
		_, err := p.Open(slices.Concat(good[:i], good[i:i+1], good[i:]), noon)
		require.Error(t, err, "byte %d doubled", i)
		_, err = p.Open(good[:i], noon)
		require.Error(t, err, "cut at %d", i)
	}
}

func TestMalformedNotesAreInvalid(t *testing.T) {
	p := policy(t, "a", "quorum none")
	good := string(growTree(t, 7, "").signed(t, 7))
	text, sig, _ := strings.Cut(good, "\n\n")
	for name, bad := range map[string]string{
		"empty":                   "",
		"text alone":              text + "\n",
		"no signatures":           text + "\n\n",
		"no empty line":           text + "\n" + sig,
		"two empty lines":         text + "\n\n\n" + sig,
		"signature does not end":  strings.TrimSuffix(good, "\n"),
		"hyphen for dash":         strings.Replace(good, "— ", "- ", 1),
		"no space after the dash": strings.Replace(good, "— ", "—", 1),
		"no name":                 text + "\n\n—  AAAAAAA=\n",
		"plus in a name":          good + "— a+b AAAAAAA=\n",
		"no-break space in name":  good + "— a\u00a0b AAAAAAA=\n",
		"name of 256 bytes":       good + "— " + strings.Repeat("n", 256) + " AAAAAAA=\n",
		"no signature":            good + "— a\n",
		"empty signature":         good + "— a \n",
		"key id alone":            good + "— a AAAAAA==\n",
		"not base64":              good + "— a !!!!!!!=\n",
		"loose bits":              good + "— a AAAAAAB=\n",
		"two signatures":          good + "— a AAAAAAA= AAAAAAA=\n",
		"carriage return":         strings.ReplaceAll(good, "\n", "\r\n"),
		"tab":                     good + "— a\tAAAAAAA=\n",
		"not UTF-8":               good + "— \xff AAAAAAA=\n",
		"101 signatures":          text + "\n\n" + strings.Repeat("— a AAAAAAA=\n", 101),
		"128 KiB":                 good + "— a " + base64.StdEncoding.EncodeToString(make([]byte, 96<<10)) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			v, err := p.Open([]byte(bad), noon)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.NotErrorIs(t, err, checkpoint.ErrUntrusted)
			require.Zero(t, v)
		})
	}
	_, err := p.Open([]byte(good+strings.Repeat("— a AAAAAAA=\n", 99)), noon)
	require.NoError(t, err)
	pq := dashLine("pq", make([]byte, 5000))
	_, err = p.Open([]byte(good+strings.Repeat(pq, 16)), noon)
	require.NoError(t, err, "sixteen post-quantum signatures have to fit")
}

// FuzzOpen compares with note.Open: what this package takes, sumdb takes too, with the same signatures.
func FuzzOpen(f *testing.F) {
	p := policy(f, "a b", "quorum a")
	tr := growTree(f, 7, "")
	f.Add(tr.signed(f, 7, cosigner(f, "a", noon)))
	f.Add(tr.signed(f, 3, cosigner(f, "b", noon), cosigner(f, "a", noon)))
	f.Add(tr.signed(f, 1))
	f.Add([]byte(noteExample))
	var known []note.Verifier
	v, err := note.NewVerifier(p.Logs[0].Key)
	require.NoError(f, err)
	known = append(known, v)
	for _, w := range p.Witnesses {
		v, err := checkpoint.NewCosignatureVerifier(w.Key)
		require.NoError(f, err)
		known = append(known, v)
	}
	f.Fuzz(func(t *testing.T, signed []byte) {
		v, err := p.Open(signed, noon)
		if err != nil {
			return
		}
		n, err := note.Open(signed, note.VerifierList(known...))
		require.NoError(t, err)
		require.Equal(t, v.String(), n.Text)
		var names []string
		for _, s := range n.Sigs {
			names = append(names, s.Name)
		}
		require.Contains(t, names, origin)
		for _, c := range v.Cosigned {
			require.Contains(t, names, "witness.example/"+c.Name)
		}
	})
}

func TestTimeInACosignatureIsBigEndianSeconds(t *testing.T) {
	line := cosignature(t, growTree(t, 1, ""), 1, cosigner(t, "a", noon))
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line[strings.LastIndex(line, " "):]))
	require.NoError(t, err)
	require.Equal(t, cosigner(t, "a", noon).KeyHash(), binary.BigEndian.Uint32(raw))
	require.EqualValues(t, noon.Unix(), binary.BigEndian.Uint64(raw[4:]))
}

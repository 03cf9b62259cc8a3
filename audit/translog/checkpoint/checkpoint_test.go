package checkpoint_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// The examples of C2SP tlog-checkpoint, tlog-cosignature and signed-note.
const (
	behindTheSofa = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	noteKey       = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	noteExample   = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)

func TestTextOfTheSpecificationIsReadAndWrittenAgain(t *testing.T) {
	c, err := checkpoint.Parse(behindTheSofa)
	require.NoError(t, err)
	require.Equal(t, "example.com/behind-the-sofa", c.Origin)
	require.EqualValues(t, 20852163, c.Size)
	require.Empty(t, c.Extensions)
	require.Equal(t, behindTheSofa, c.String())
}

func TestTextHasOneForm(t *testing.T) {
	const root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	empty := tlog.Hash(sha256.Sum256(nil)).String() + "\n"
	for name, text := range map[string]string{
		"empty":                    "",
		"no origin":                "\n1\n" + root,
		"origin of 256 bytes":      strings.Repeat("o", 256) + "\n1\n" + root,
		"origin not UTF-8":         "a\xff\n1\n" + root,
		"control character":        "a\tb\n1\n" + root,
		"carriage return":          "a\r\n1\n" + root,
		"two lines":                "a\n1\n",
		"no last newline":          "a\n1\n" + strings.TrimSuffix(root, "\n"),
		"leading zero":             "a\n01\n" + root,
		"plus":                     "a\n+1\n" + root,
		"negative":                 "a\n-1\n" + root,
		"hexadecimal":              "a\n0x1\n" + root,
		"no size":                  "a\n\n" + root,
		"size over 64 bits":        "a\n18446744073709551616\n" + root,
		"size over 1<<62":          "a\n4611686018427387905\n" + root,
		"root too short":           "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
		"root too long":            "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA\n",
		"root with loose bits":     "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
		"root in the URL alphabet": "a\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n",
		"empty tree, other root":   "a\n0\n" + root,
		"empty extension":          "a\n1\n" + root + "\n",
		"extension too long":       "a\n1\n" + root + strings.Repeat("x", 1025) + "\n",
		"17 extensions":            "a\n1\n" + root + strings.Repeat("x\n", 17),
		"128 KiB":                  "a\n1\n" + root + strings.Repeat("x", 128<<10) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := checkpoint.Parse(text)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, "checkpoint: ")
			require.Zero(t, c)
		})
	}
	for name, text := range map[string]string{
		"empty tree":           "a\n0\n" + empty,
		"largest":              "a\n4611686018427387904\n" + root,
		"origin with a space":  "the audit log\n1\n" + root,
		"16 extensions":        "a\n1\n" + root + strings.Repeat("x\n", 16),
		"longest extension":    "a\n1\n" + root + strings.Repeat("x", 1024) + "\n",
		"longest origin":       strings.Repeat("o", 255) + "\n1\n" + root,
		"what looks like sigs": "a\n1\n" + root + "— a b\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := checkpoint.Parse(text)
			require.NoError(t, err)
			require.Equal(t, text, c.String())
		})
	}
}

func TestSignedCheckpointOpensWithSumdb(t *testing.T) {
	skey, vkey, err := checkpoint.GenerateKey(origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(vkey)
	require.NoError(t, err)

	c := growTree(t, 5, "").at(t, 5)
	c.Extensions = []string{"one", "two"}
	signed, err := c.Sign(signer)
	require.NoError(t, err)
	n, err := note.Open(signed, note.VerifierList(verifier))
	require.NoError(t, err)
	require.Equal(t, c.String(), n.Text)
	back, err := checkpoint.Parse(n.Text)
	require.NoError(t, err)
	require.Equal(t, c, back)
}

func TestSignRefusesWhatNobodyWouldAccept(t *testing.T) {
	good := growTree(t, 1, "").at(t, 1)
	with := func(change func(*checkpoint.Checkpoint)) checkpoint.Checkpoint {
		c := good
		change(&c)
		return c
	}
	for name, c := range map[string]checkpoint.Checkpoint{
		"zero":                 {},
		"origin":               with(func(c *checkpoint.Checkpoint) { c.Origin = "a\nb" }),
		"size":                 with(func(c *checkpoint.Checkpoint) { c.Size = math.MaxUint64 }),
		"root of nothing":      with(func(c *checkpoint.Checkpoint) { c.Size = 0 }),
		"line break":           with(func(c *checkpoint.Checkpoint) { c.Extensions = []string{"x\n\n— a b"} }),
		"empty extension":      with(func(c *checkpoint.Checkpoint) { c.Extensions = []string{""} }),
		"too many extensions":  with(func(c *checkpoint.Checkpoint) { c.Extensions = strings.Fields(strings.Repeat("x ", 17)) }),
		"origin of nobody":     with(func(c *checkpoint.Checkpoint) { c.Origin = "audit.example/us-1" }),
		"name in another case": with(func(c *checkpoint.Checkpoint) { c.Origin = strings.ToUpper(origin) }),
	} {
		t.Run(name, func(t *testing.T) {
			signed, err := c.Sign(logSigner(t, origin))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Nil(t, signed)
		})
	}
	_, err := good.Sign()
	require.ErrorIs(t, err, opsec.ErrInvalid)

	signers := []note.Signer{logSigner(t, origin)}
	for i := range 99 {
		signers = append(signers, cosigner(t, strconv.Itoa(i), noon))
	}
	_, err = good.Sign(signers...)
	require.NoError(t, err)
	_, err = good.Sign(append(signers, cosigner(t, "99", noon))...)
	require.ErrorIs(t, err, opsec.ErrInvalid, "what Open would refuse")
}

// device is an HSM that may fail.
type device struct {
	ed25519.PrivateKey
	err   error
	wrong bool
}

func (d device) Sign(r io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	sig, err := d.PrivateKey.Sign(r, message, o)
	if d.wrong {
		sig[5] ^= 1
	}
	return sig, err
}

func TestSignerOfADevice(t *testing.T) {
	c := growTree(t, 3, "").at(t, 3)
	key := private("hsm")

	s, err := checkpoint.NewSigner(origin, device{PrivateKey: key})
	require.NoError(t, err)
	signed, err := c.Sign(s)
	require.NoError(t, err)
	v, err := note.NewVerifier(s.VerifierKey())
	require.NoError(t, err)
	_, err = note.Open(signed, note.VerifierList(v))
	require.NoError(t, err)

	broken := errors.New("token removed")
	s, err = checkpoint.NewSigner(origin, device{PrivateKey: key, err: broken})
	require.NoError(t, err)
	_, err = c.Sign(s)
	require.ErrorIs(t, err, broken)

	s, err = checkpoint.NewSigner(origin, device{PrivateKey: key, wrong: true})
	require.NoError(t, err)
	_, err = c.Sign(s)
	require.ErrorContains(t, err, "does not verify", "a wrong signature never leaves")
}

func TestSignerWantsAnEd25519KeyAndAName(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for _, name := range []string{"", "a b", "a+b", "a\u00a0b", "a\nb", "a\xff", strings.Repeat("x", 256)} {
		_, err := checkpoint.NewSigner(name, private("k"))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", name)
		_, _, err = checkpoint.GenerateKey(name)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", name)
	}
	_, err = checkpoint.NewSigner(origin, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = checkpoint.NewCosigner(origin, ec, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestCosignatureIsOfThisCheckpointAndTime(t *testing.T) {
	s := cosigner(t, "north", noon)
	text := []byte(behindTheSofa)
	sig, err := s.Sign(text)
	require.NoError(t, err)
	require.Len(t, sig, 72)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", noon.Unix(), behindTheSofa)
	require.True(t, ed25519.Verify(private("witness north").Public().(ed25519.PublicKey), []byte(message), sig[8:]))

	v, err := checkpoint.NewCosignatureVerifier(s.VerifierKey())
	require.NoError(t, err)
	require.Equal(t, s.Name(), v.Name())
	require.Equal(t, s.KeyHash(), v.KeyHash())
	require.True(t, v.Verify(text, sig))
	for i := range sig {
		changed := bytes.Clone(sig)
		changed[i] ^= 1
		require.False(t, v.Verify(text, changed), "byte %d", i)
	}
	require.False(t, v.Verify([]byte(strings.Replace(behindTheSofa, "20852163", "20852164", 1)), sig))
	require.False(t, v.Verify(text, sig[:71]))
	require.False(t, v.Verify(text, append(bytes.Clone(sig), 0)))
	require.False(t, v.Verify(text, nil))

	_, err = s.Sign([]byte("not a checkpoint\n"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestCosignatureWithoutATimeDoesNotVerify(t *testing.T) {
	key := private("witness north")
	v, err := checkpoint.NewCosignatureVerifier(cosigner(t, "north", noon).VerifierKey())
	require.NoError(t, err)
	sig := append(make([]byte, 8), ed25519.Sign(key, []byte("cosignature/v1\ntime 0\n"+behindTheSofa))...)
	require.False(t, v.Verify([]byte(behindTheSofa), sig), "zero says nothing about what was the largest tree")
	sig = append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0}, ed25519.Sign(key, []byte("cosignature/v1\ntime 9223372036854775808\n"+behindTheSofa))...)
	require.False(t, v.Verify([]byte(behindTheSofa), sig), "past 1<<63 - 1")
	sig = append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, ed25519.Sign(key, []byte("cosignature/v1\ntime 1\nnot a checkpoint\n"))...)
	require.False(t, v.Verify([]byte("not a checkpoint\n"), sig))
}

func TestVerifierKeyHasOneForm(t *testing.T) {
	good := cosigner(t, "north", noon).VerifierKey()
	_, err := checkpoint.NewCosignatureVerifier(good)
	require.NoError(t, err)
	mldsa := "w+00000000+" + "Bg=="
	for name, vkey := range map[string]string{
		"empty":         "",
		"words":         "north",
		"no key":        "north+00000000+",
		"upper case id": "witness.example/north+" + strings.ToUpper(strings.Split(good, "+")[1]) + "+" + strings.SplitN(good, "+", 3)[2],
		"other name":    strings.Replace(good, "north", "south", 1),
		"space":         good + " ",
		"newline":       good + "\n",
		"key of a log":  logSigner(t, origin).VerifierKey(),
		"short key":     "north+00000000+BAAA",
		"ML-DSA-44":     mldsa,
	} {
		t.Run(name, func(t *testing.T) {
			v, err := checkpoint.NewCosignatureVerifier(vkey)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Nil(t, v)
		})
	}
	for _, n := range []int{0, 31, 33} { // with the id that belongs to it
		raw := append([]byte{4}, make([]byte, n)...)
		id := sha256.Sum256(append([]byte("w\n"), raw...))
		_, err = checkpoint.NewCosignatureVerifier(fmt.Sprintf("w+%x+%s", id[:4], base64.StdEncoding.EncodeToString(raw)))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%d bytes", n)
	}
	_, err = checkpoint.NewCosignatureVerifier(mldsa)
	require.ErrorContains(t, err, "ML-DSA-44")
}

func TestNoteOfTheSpecificationVerifies(t *testing.T) {
	v, err := note.NewVerifier(noteKey)
	require.NoError(t, err)
	_, err = note.Open([]byte(noteExample), note.VerifierList(v))
	require.NoError(t, err)

	p, err := checkpoint.ParsePolicy("log " + noteKey + "\nquorum none\n")
	require.NoError(t, err)
	_, err = p.Open([]byte(noteExample), noon)
	require.ErrorIs(t, err, opsec.ErrInvalid, "a note, but not a checkpoint")
}

func TestParseIsTheInverseOfString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := checkpoint.Checkpoint{
			Origin: rapid.StringMatching(`[ -~é—]{1,60}`).Draw(t, "origin"),
			Size:   rapid.Uint64Range(1, checkpoint.MaxSize).Draw(t, "size"),
			Root:   tlog.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root")),
		}
		if n := rapid.IntRange(0, 16).Draw(t, "extensions"); n > 0 {
			c.Extensions = rapid.SliceOfN(rapid.StringMatching(`[ -~é—]{1,40}`), n, n).Draw(t, "lines")
		}
		back, err := checkpoint.Parse(c.String())
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}

func FuzzParse(f *testing.F) {
	f.Add(behindTheSofa)
	f.Add("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nx\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := checkpoint.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.NoError(t, c.Validate())
		require.Equal(t, text, c.String())
	})
}

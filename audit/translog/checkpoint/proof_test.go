package checkpoint_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// proofOf proves entry i in the tree of size n.
func proofOf(t testing.TB, tr *tree, n, i int) checkpoint.Proof {
	t.Helper()
	hs, err := tlog.ProveRecord(int64(n), int64(i), tr)
	require.NoError(t, err)
	return checkpoint.Proof{Index: uint64(i), Hashes: hs, Checkpoint: tr.signed(t, n, cosigner(t, "a", noon))}
}

func TestProofOfEveryEntryVerifiesAndOfNoOther(t *testing.T) {
	p := policy(t, "a", "quorum a")
	tr := growTree(t, 9, "")
	for n := 1; n <= 9; n++ {
		for i := range n {
			proof := proofOf(t, tr, n, i)
			text, err := proof.MarshalText()
			require.NoError(t, err)
			back, err := checkpoint.ParseProof(text)
			require.NoError(t, err)
			require.Equal(t, proof.Index, back.Index)
			for j := range n {
				v, err := back.Verify(tlog.RecordHash(entry("", j)), p, noon)
				if i == j {
					require.NoError(t, err)
					require.EqualValues(t, n, v.Size)
					require.Len(t, v.Cosigned, 1)
					continue
				}
				var not *checkpoint.InclusionError
				require.ErrorAs(t, err, &not)
				require.ErrorIs(t, err, checkpoint.ErrUntrusted)
				require.Equal(t, checkpoint.InclusionError{Index: uint64(i), Size: uint64(n)}, *not)
				require.Zero(t, v)
			}
		}
	}
}

func TestProofNeedsTheQuorumToo(t *testing.T) {
	proof := proofOf(t, growTree(t, 9, ""), 9, 4)
	leaf := tlog.RecordHash(entry("", 4))
	_, err := proof.Verify(leaf, policy(t, "a b", "group g all a b", "quorum g"), noon)
	var short *checkpoint.QuorumError
	require.ErrorAs(t, err, &short)
	_, err = proof.Verify(leaf, policy(t, "a", "quorum a"), noon.Add(-time.Hour))
	require.ErrorAs(t, err, &short)
	_, err = proof.Verify(leaf, checkpoint.Policy{}, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	proof.Hashes = make([]tlog.Hash, 64)
	_, err = proof.Verify(leaf, policy(t, "a", "quorum a"), noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestProofOfAnImpossibleTreeEnds guards against sizes at which the arithmetic of sumdb/tlog runs forever.
func TestProofOfAnImpossibleTreeEnds(t *testing.T) {
	p := policy(t, "", "quorum none")
	c := checkpoint.Checkpoint{Origin: origin, Size: checkpoint.MaxSize, Root: tlog.Hash{1}}
	signed, err := c.Sign(logSigner(t, origin))
	require.NoError(t, err)
	proof := checkpoint.Proof{Index: checkpoint.MaxSize - 1, Hashes: make([]tlog.Hash, 62), Checkpoint: signed}
	_, err = proof.Verify(tlog.Hash{}, p, noon)
	var not *checkpoint.InclusionError
	require.ErrorAs(t, err, &not)

	c.Size = math.MaxInt64
	signer := logSigner(t, origin)
	sig, err := signer.Sign([]byte(c.String()))
	require.NoError(t, err)
	hash := signer.KeyHash()
	line := dashLine(origin, append([]byte{byte(hash >> 24), byte(hash >> 16), byte(hash >> 8), byte(hash)}, sig...))
	proof.Checkpoint = []byte(c.String() + "\n" + line)
	_, err = proof.Verify(tlog.Hash{}, p, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestProofFileLooksAsTheSpecificationSays(t *testing.T) {
	proof := proofOf(t, growTree(t, 3, ""), 3, 2)
	proof.Extra = []byte("evidence")
	text, err := proof.MarshalText()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex 2\n%s\n\n%s",
		base64.StdEncoding.EncodeToString(proof.Extra), proof.Hashes[0], proof.Checkpoint), string(text))
	back, err := checkpoint.ParseProof(text)
	require.NoError(t, err)
	require.Equal(t, proof, back)
	clear(text)
	require.Equal(t, proof, back, "nothing of it is shared")
}

func TestProofFileHasOneForm(t *testing.T) {
	good := proofOf(t, growTree(t, 3, ""), 3, 2)
	text, err := good.MarshalText()
	require.NoError(t, err)
	s, hash := string(text), good.Hashes[0].String()
	for name, bad := range map[string]string{
		"empty":                 "",
		"another version":       strings.Replace(s, "@v1", "@v2", 1),
		"header alone":          "c2sp.org/tlog-proof@v1\n",
		"no index":              strings.Replace(s, "index 2\n", "", 1),
		"index before extra":    strings.Replace(s, "index 2\n", "index 2\nextra AA==\n", 1),
		"extra twice":           strings.Replace(s, "index 2\n", "extra AA==\nextra AA==\nindex 2\n", 1),
		"extra is not base64":   strings.Replace(s, "index 2\n", "extra !\nindex 2\n", 1),
		"extra has loose bits":  strings.Replace(s, "index 2\n", "extra AB==\nindex 2\n", 1),
		"extra without a space": strings.Replace(s, "index 2\n", "extra\nindex 2\n", 1),
		"index negative":        strings.Replace(s, "index 2", "index -2", 1),
		"index with a zero":     strings.Replace(s, "index 2", "index 02", 1),
		"index with a plus":     strings.Replace(s, "index 2", "index +2", 1),
		"index past the size":   strings.Replace(s, "index 2", "index 3", 1),
		"index too large":       strings.Replace(s, "index 2", "index 18446744073709551616", 1),
		"index with a space":    strings.Replace(s, "index 2", "index 2 ", 1),
		"hash is not base64":    strings.Replace(s, hash, "?"+hash[1:], 1),
		"hash has loose bits":   strings.Replace(s, hash, hash[:42]+"/=", 1) + "x",
		"64 hashes":             strings.Replace(s, hash, strings.Repeat(hash+"\n", 63)+hash, 1),
		"no empty line":         strings.Replace(s, "\n\n", "\n", 1),
		"two empty lines":       strings.Replace(s, "\n\n", "\n\n\n", 1),
		"no checkpoint":         s[:strings.Index(s, "\n\n")+2],
		"carriage returns":      strings.ReplaceAll(s, "\n", "\r\n"),
		"something behind":      s + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := checkpoint.ParseProof([]byte(bad))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, p)
		})
	}
	_, err = checkpoint.ParseProof(make([]byte, 4<<20+1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "4194305 bytes")
}

func TestProofThatNobodyWouldReadIsNotWritten(t *testing.T) {
	good := proofOf(t, growTree(t, 3, ""), 3, 2)
	for name, change := range map[string]func(*checkpoint.Proof){
		"hashes":        func(p *checkpoint.Proof) { p.Hashes = make([]tlog.Hash, 64) },
		"extra":         func(p *checkpoint.Proof) { p.Extra = make([]byte, 2<<20+1) },
		"index":         func(p *checkpoint.Proof) { p.Index = 3 },
		"no checkpoint": func(p *checkpoint.Proof) { p.Checkpoint = nil },
		"no signature": func(p *checkpoint.Proof) {
			p.Checkpoint = p.Checkpoint[:bytes.LastIndex(p.Checkpoint, []byte("\n\n"))+2]
		},
		"another note": func(p *checkpoint.Proof) { p.Checkpoint = []byte(noteExample) },
	} {
		p := good
		change(&p)
		text, err := p.MarshalText()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Nil(t, text)
	}
	good.Extra = make([]byte, 2<<20)
	text, err := good.MarshalText()
	require.NoError(t, err)
	back, err := checkpoint.ParseProof(text)
	require.NoError(t, err)
	require.Equal(t, good, back)
}

// TestEveryChangedByteOfAProofIsFound leaves out the extra data, which nobody vouches for.
func TestEveryChangedByteOfAProofIsFound(t *testing.T) {
	p, leaf := policy(t, "a", "quorum a"), tlog.RecordHash(entry("", 4))
	good, err := proofOf(t, growTree(t, 9, ""), 9, 4).MarshalText()
	require.NoError(t, err)
	verify := func(text []byte) error {
		proof, err := checkpoint.ParseProof(text)
		if err == nil {
			_, err = proof.Verify(leaf, p, noon)
		}
		return err
	}
	require.NoError(t, verify(good))
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			require.Error(t, verify(bad), "byte %d, bit %d", i, bit)
		}
		require.Error(t, verify(slices.Concat(good[:i], good[i:i+1], good[i:])), "byte %d doubled", i)
		require.Error(t, verify(good[:i]), "cut at %d", i)
	}
}

func TestParseProofIsTheInverseOfMarshal(t *testing.T) {
	signed := growTree(t, 9, "").signed(t, 9)
	rapid.Check(t, func(rt *rapid.T) {
		p := checkpoint.Proof{Index: rapid.Uint64Range(0, 8).Draw(rt, "index"), Checkpoint: signed}
		if rapid.Bool().Draw(rt, "with extra") {
			p.Extra = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(rt, "extra")...)
		}
		for range rapid.IntRange(0, 63).Draw(rt, "hashes") {
			p.Hashes = append(p.Hashes, tlog.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "hash")))
		}
		text, err := p.MarshalText()
		require.NoError(rt, err)
		back, err := checkpoint.ParseProof(text)
		require.NoError(rt, err)
		require.Equal(rt, p, back)
	})
}

func FuzzParseProof(f *testing.F) {
	proof := proofOf(f, growTree(f, 9, ""), 9, 4)
	for _, extra := range [][]byte{nil, {}, []byte("x")} {
		proof.Extra = extra
		text, err := proof.MarshalText()
		require.NoError(f, err)
		f.Add(text)
	}
	p, leaf := policy(f, "a", "quorum a"), tlog.RecordHash(entry("", 4))
	f.Fuzz(func(t *testing.T, text []byte) {
		proof, err := checkpoint.ParseProof(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		back, err := proof.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, back)
		if _, err := proof.Verify(leaf, p, noon); err == nil {
			require.EqualValues(t, 4, proof.Index)
		}
	})
}

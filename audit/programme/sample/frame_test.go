package sample_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

func TestCommitmentIsTheMerkleRootOfTheItems(t *testing.T) {
	for n := range 70 {
		f := frame("p", n)
		var l ledger
		for _, item := range f.Items {
			l.add(t, "\x00"+item)
		}
		want, err := tlog.TreeHash(int64(n), &l)
		require.NoError(t, err)
		require.Equal(t, sample.Commitment{Procedure: "p", Size: n, Digest: sample.Digest(want)}, commit(t, f))
	}
}

func TestEveryItemIsProvenAtItsPlaceAndNowhereElse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := frame("p", rapid.IntRange(1, 100).Draw(rt, "n"))
		if rapid.Bool().Draw(rt, "blind") {
			f.Blind = sample.Blind(sha256.Sum256([]byte("papers")))
		}
		c := commit(t, f)
		at := rapid.IntRange(0, c.Size-1).Draw(rt, "at")
		proofs, err := f.Prove(at, 0)
		require.NoError(rt, err)
		p := proofs[0]
		require.Equal(rt, f.Items[at], p.Item)
		require.NoError(rt, c.Verify(p))
		require.NoError(rt, c.Verify(proofs[1]))

		other := rapid.IntRange(0, c.Size-1).Draw(rt, "other")
		if other != at {
			bad := p
			bad.Index = other
			require.ErrorIs(rt, c.Verify(bad), sample.ErrMismatch)
			bad = p
			bad.Item = f.Items[other]
			require.ErrorIs(rt, c.Verify(bad), sample.ErrMismatch)
		}
		bad := p
		bad.Salt[7] ^= 1
		require.ErrorIs(rt, c.Verify(bad), sample.ErrMismatch)
		changed := c
		changed.Digest[3] ^= 1
		require.ErrorIs(rt, changed.Verify(p), sample.ErrMismatch)
	})
}

func TestASaltedItemIsNoLongItem(t *testing.T) {
	f := frame("p", 1)
	f.Blind = sample.Blind{1}
	proofs, err := f.Prove(0)
	require.NoError(t, err)
	p := proofs[0]
	p.Item, p.Salt = string(p.Salt[:])+p.Item, sample.Digest{}
	require.Error(t, commit(t, f).Verify(p))
}

func TestBlindHidesWhatWasNotDrawn(t *testing.T) {
	f := frame("p", 2)
	guess := tlog.RecordHash([]byte("\x00" + f.Items[1]))
	open, err := f.Prove(0)
	require.NoError(t, err)
	require.Contains(t, open[0].Hashes, guess)
	f.Blind = sample.Blind{1}
	blind, err := f.Prove(0)
	require.NoError(t, err)
	require.NotContains(t, blind[0].Hashes, guess)
	twin := frame("p", 1)
	twin.Items[0], twin.Blind = f.Items[1], f.Blind
	other, err := twin.Prove(0)
	require.NoError(t, err)
	salted := func(salt sample.Digest) tlog.Hash {
		return tlog.RecordHash(append(append([]byte{1}, salt[:]...), f.Items[1]...))
	}
	require.NotContains(t, blind[0].Hashes, salted(blind[0].Salt), "each item has a salt of its own")
	require.NotContains(t, blind[0].Hashes, salted(other[0].Salt), "at each place")
}

func TestBlindDoesNotShow(t *testing.T) {
	b := sample.Blind(sha256.Sum256([]byte("papers")))
	f := sample.Frame{Procedure: "p", Blind: b}
	var text strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("frame", "blind", b, "frame", f)
	fmt.Fprintf(&text, "%v %+v %#v %x %s %d %v", b, f, f, b, b, b, &b)
	js, err := json.Marshal(f)
	require.NoError(t, err)
	text.Write(js)
	for _, form := range []string{
		fmt.Sprintf("%x", b[:4]), fmt.Sprintf("%d, %d", b[0], b[1]), fmt.Sprintf("%d %d", b[0], b[1]), fmt.Sprintf("%#x", b[0]),
	} {
		require.NotContains(t, text.String(), form)
	}
	_, err = json.Marshal(map[string]any{"b": b})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestFramesInDisorderAreRefused(t *testing.T) {
	for what, f := range map[string]sample.Frame{
		"twice":          {Procedure: "p", Items: []string{"a", "a"}},
		"out of order":   {Procedure: "p", Items: []string{"b", "a"}},
		"empty item":     {Procedure: "p", Items: []string{""}},
		"control":        {Procedure: "p", Items: []string{"a\x00"}},
		"line separator": {Procedure: "p", Items: []string{"a\u2028"}},
		"not UTF-8":      {Procedure: "p", Items: []string{"a\xff"}},
		"long item":      {Procedure: "p", Items: []string{strings.Repeat("a", 1025)}},
		"no procedure":   {Items: []string{"a"}},
		"long procedure": {Procedure: strings.Repeat("p", 513)},
	} {
		_, err := f.Commit()
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		_, err = f.Prove()
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
	f := frame("p", 3)
	for _, at := range []int{-1, 3} {
		_, err := f.Prove(at)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorIs(t, commit(t, f).Verify(sample.Proof{Index: at, Item: "x"}), opsec.ErrInvalid)
	}
	require.ErrorIs(t, commit(t, f).Verify(sample.Proof{}), opsec.ErrInvalid)
	require.ErrorIs(t, sample.Commitment{}.Verify(sample.Proof{}), opsec.ErrInvalid)
}

func TestDigestHasOneText(t *testing.T) {
	d := sample.Digest(sha256.Sum256([]byte("x")))
	text, err := d.MarshalText()
	require.NoError(t, err)
	var back sample.Digest
	require.NoError(t, back.UnmarshalText(text))
	require.Equal(t, d, back)
	for _, bad := range []string{"", strings.ToUpper(string(text)), string(text[:63]), string(text) + "0", "g" + string(text[1:])} {
		require.ErrorIs(t, back.UnmarshalText([]byte(bad)), opsec.ErrInvalid, "%q", bad)
		require.Equal(t, d, back)
	}
}

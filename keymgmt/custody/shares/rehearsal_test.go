package shares_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

var challenge = []byte("asked by auditor")

func TestARehearsalIsProved(t *testing.T) {
	set, list := deal(t, root, 3, 5)
	at := noon.In(time.FixedZone("", 3600)).Add(7)
	proof, err := set.Rehearse(pick(list, 4, 1, 5), challenge, at)
	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 5}, proof.Indexes)
	require.True(t, proof.Time.Equal(at))
	require.NoError(t, set.VerifyProof(proof, challenge))

	b, err := json.Marshal(proof)
	require.NoError(t, err)
	require.NotContains(t, string(b), string(root))
	var read shares.Proof
	require.NoError(t, json.Unmarshal(b, &read))
	require.NoError(t, set.VerifyProof(read, challenge), "kept as JSON")

	all, err := set.Rehearse(list, challenge, noon)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 4, 5}, all.Indexes, "so that all holders are heard")
	require.NoError(t, set.VerifyProof(all, challenge))
}

func TestAProofIsForOneSetOneChallengeAndOneTime(t *testing.T) {
	set, list := deal(t, root, 2, 3)
	other, _ := deal(t, root, 2, 3)
	good, err := set.Rehearse(list[:2], challenge, noon)
	require.NoError(t, err)
	for what, change := range map[string]func(p *shares.Proof){
		"set":        func(p *shares.Proof) { p.Set = other.ID },
		"challenge":  func(p *shares.Proof) { p.Challenge = []byte("asked by others!") },
		"indexes":    func(p *shares.Proof) { p.Indexes = []int{1, 3} },
		"more":       func(p *shares.Proof) { p.Indexes = []int{1, 2, 3} },
		"fewer":      func(p *shares.Proof) { p.Indexes = p.Indexes[:1] },
		"twice":      func(p *shares.Proof) { p.Indexes = []int{1, 1} },
		"descending": func(p *shares.Proof) { p.Indexes = []int{2, 1} },
		"zero":       func(p *shares.Proof) { p.Indexes = []int{0, 1, 2} },
		"beyond":     func(p *shares.Proof) { p.Indexes = []int{1, 258} },
		"time":       func(p *shares.Proof) { p.Time = p.Time.Add(1) },
		"signature":  func(p *shares.Proof) { p.Signature[9] ^= 1 },
		"none":       func(p *shares.Proof) { p.Signature = nil },
	} {
		p := good
		p.Signature = append([]byte(nil), good.Signature...)
		change(&p)
		require.ErrorIs(t, set.VerifyProof(p, challenge), shares.ErrProof, what)
		if what == "challenge" {
			require.ErrorIs(t, set.VerifyProof(p, p.Challenge), shares.ErrProof)
		}
	}
	require.ErrorIs(t, set.VerifyProof(good, []byte("asked by others!")), shares.ErrProof)
	require.ErrorIs(t, other.VerifyProof(good, challenge), shares.ErrProof)
	require.NoError(t, set.VerifyProof(good, challenge))
}

func TestARehearsalNeedsGoodShares(t *testing.T) {
	set, list := deal(t, root, 2, 3)
	_, err := set.Rehearse(list[:1], challenge, noon)
	require.Equal(t, &shares.TooFewError{Have: 1, Need: 2}, err)
	for at := 7 + 32; at < len(list[2].Bytes()); at++ { // also where the secret is, which is not put together
		bad, _ := changed(list[2], at, 1)
		_, err = set.Rehearse([]shares.Share{list[0], list[1], bad}, challenge, noon)
		require.Equal(t, []int{2}, positions(t, err))
	}
	for _, short := range [][]byte{nil, challenge[:15], make([]byte, 65)} {
		_, err = set.Rehearse(list, short, noon)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, "challenge")
	}
}

package vault

import (
	"bytes"
	"testing"

	"github.com/hashicorp/vault/shamir"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// BenchmarkSplit splits 32 bytes, any 3 of 5. Ours has a commitment, a tag in each share, a digest of each and a key for
// proofs of rehearsals besides; Vault's has the numbers alone.
func BenchmarkSplit(b *testing.B) {
	const n = 200
	secret := bytes.Repeat([]byte{7}, 32)
	scheme := shares.Scheme{Label: "root", Threshold: 3, Shares: 5}
	race(b, n, func(b *testing.B) {
		for range n {
			if _, _, err := shares.Split(secret, scheme); err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B) {
		for range n {
			if _, err := shamir.Split(secret, 5, 3); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCombine puts three shares together. Ours checks each; Vault's checks none.
func BenchmarkCombine(b *testing.B) {
	const n = 200
	secret := bytes.Repeat([]byte{7}, 32)
	set, dealt, err := shares.Split(secret, shares.Scheme{Label: "root", Threshold: 3, Shares: 5})
	require.NoError(b, err)
	theirs, err := shamir.Split(secret, 5, 3)
	require.NoError(b, err)
	race(b, n, func(b *testing.B) {
		for range n {
			if _, err := set.Combine(dealt[:3]); err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B) {
		for range n {
			if _, err := shamir.Combine(theirs[:3]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestVaultCombinesOurShares checks our arithmetic by another's: what is in our shares are values of a polynomial over the
// same field, so Vault puts them together too.
func TestVaultCombinesOurShares(t *testing.T) {
	const head, tail = 4 + 3 + 32, 16 // of the binary form of a share: see shares.Share.Bytes
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 10).Draw(t, "threshold")
		n := rapid.IntRange(k, 20).Draw(t, "shares")
		secret := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "secret")
		_, dealt, err := shares.Split(secret, shares.Scheme{Label: "root", Threshold: k, Shares: n})
		require.NoError(t, err)
		chosen := rapid.Permutation(dealt).Draw(t, "chosen")[:k]
		parts := make([][]byte, k)
		for i, share := range chosen {
			raw := share.Bytes()
			parts[i] = append(raw[head:len(raw)-tail:len(raw)-tail], byte(share.Index())) // Vault has the place at the end
		}
		got, err := shamir.Combine(parts)
		require.NoError(t, err)
		require.Equal(t, secret, got[:len(secret)], "and behind it the key of the set")

		parts[0][0] ^= 1
		got, err = shamir.Combine(parts)
		require.NoError(t, err, "Vault does not tell")
		require.NotEqual(t, secret, got[:len(secret)])
		raw := chosen[0].Bytes()
		raw[head] ^= 1
		bad, err := shares.ParseShare(raw)
		require.NoError(t, err)
		_, err = shares.Combine(append([]shares.Share{bad}, chosen[1:]...))
		_, ok := err.(*shares.BadShareError)
		require.True(t, ok, "we do: %v", err)
	})
}

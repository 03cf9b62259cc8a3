package shares_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

var update = flag.Bool("update", false, "deal testdata anew: what was on paper before does not open then")

// What was dealt with the first version opens for ever.
func TestOldSharesOpen(t *testing.T) {
	if *update {
		set, list := deal(t, root, 2, 3)
		proof, err := set.Rehearse(list[1:], challenge, noon)
		require.NoError(t, err)
		for name, v := range map[string]any{"set.json": set, "proof.json": proof} {
			b, err := json.MarshalIndent(v, "", "  ")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join("testdata", name), append(b, '\n'), 0o644))
		}
		require.NoError(t, os.WriteFile("testdata/share1.txt", []byte(list[0].Text()), 0o644))
		require.NoError(t, os.WriteFile("testdata/share3.txt", []byte(list[2].Text()), 0o644))
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		return b
	}
	var list []shares.Share
	for _, name := range []string{"share3.txt", "share1.txt"} {
		s, err := shares.ParseText(string(read(name)))
		require.NoError(t, err)
		require.Equal(t, string(read(name)), s.Text())
		list = append(list, s)
	}
	secret, err := shares.Combine(list)
	require.NoError(t, err)
	require.Equal(t, root, secret)

	var set shares.Set
	require.NoError(t, json.Unmarshal(read("set.json"), &set))
	secret, err = set.Combine(list)
	require.NoError(t, err)
	require.Equal(t, root, secret)
	var proof shares.Proof
	require.NoError(t, json.Unmarshal(read("proof.json"), &proof))
	require.NoError(t, set.VerifyProof(proof, challenge))
	require.Equal(t, "74", set.Digest().String()[:2])
}

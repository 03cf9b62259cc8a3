package keyring_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
)

// TestFIPSOnlyLeavesCounterModeWithHMAC runs itself again in Go's FIPS 140-only mode, which refuses what docs/security.md
// says it does.
func TestFIPSOnlyLeavesCounterModeWithHMAC(t *testing.T) {
	const only = "fips140=only"
	if os.Getenv("GODEBUG") != only {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), "GODEBUG="+only)
		out, err := child.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	require.True(t, fips140.Enabled())
	works := map[keymgmt.Algorithm]bool{
		"AES256_CTR_HMAC_SHA256": true, "AES128_CTR_HMAC_SHA256": true, "AES256_GCM_SIV": true, "AES128_GCM_SIV": true,
	}
	for _, a := range keymgmt.Algorithms(keymgmt.DataEncryption) {
		f := newFake(t)
		f.change(invoice, func(s *keymgmt.Keyset) { s.Algorithm = a })
		f.rotate(t, invoice)
		n, _ := node(t, f, nil)
		r, err := n.Ring(t.Context(), invoice)
		if err == nil {
			err = seal(r)
		}
		require.Equal(t, works[a], err == nil, "%s: %v", a, err)
	}
}

package envelope_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// standard is a key-encryption key of the standard library alone.
type standard struct{ cipher.AEAD }

func (s standard) Wrap(_ context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	return s.Seal(nil, nil, key, c.Bytes()), nil
}

func (s standard) Unwrap(_ context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	return s.Open(nil, nil, wrapped, c.Bytes())
}

// What doc.go says of GODEBUG=fips140=only, in a process of its own.
func TestMessagesWorkInFIPSOnlyModeAndStreamsDoNot(t *testing.T) {
	if os.Getenv("ENVELOPE_FIPS_ONLY") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), "ENVELOPE_FIPS_ONLY=1", "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	_, err = cipher.NewGCM(block)
	require.Error(t, err, "the mode is on")
	kek, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	c := named(t, "acme", "invoices")
	for _, limits := range []envelope.Limits{{}, roomy(time.Hour)} {
		e := over(t, standard{kek}, limits, nil)
		require.Equal(t, "text", open(t, e, seal(t, e, "text", c), c))
		w, err := e.Encrypt(t.Context(), &buffer{}, c, nil)
		require.Error(t, err)
		require.Nil(t, w)
	}
}

package envelope_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

func TestFileIsThereWholeOrAsItWas(t *testing.T) {
	e, c := over(t, newKEK(t), envelope.Limits{}, nil), named(t, "acme", "backup")
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	read := func(s string) []byte {
		b, err := os.ReadFile(name(s))
		require.NoError(t, err)
		return b
	}
	text := pattern(3*segment + 5)
	require.NoError(t, os.WriteFile(name("plain"), text, 0o644))
	require.NoError(t, os.WriteFile(name("target"), []byte("old"), 0o644))

	var progress int64
	require.NoError(t, e.EncryptFile(t.Context(), name("sealed"), name("plain"), c, func(n int64) { progress = n }))
	require.EqualValues(t, len(text), progress)
	info, err := os.Stat(name("sealed"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	sealed := read("sealed")
	for what, bad := range map[string][]byte{
		"empty": nil, "cut": sealed[:len(sealed)-1], "cut at a segment": sealed[:2*segment], "more": append(bytes.Clone(sealed), 0),
	} {
		require.NoError(t, os.WriteFile(name("bad"), bad, 0o600))
		require.ErrorIs(t, e.DecryptFile(t.Context(), name("target"), name("bad"), c, nil), envelope.ErrOpen, what)
		require.Equal(t, "old", string(read("target")), what)
		require.NoError(t, os.Remove(name("bad")))
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := func(int64) { cancel() }
	require.ErrorIs(t, e.DecryptFile(ctx, name("target"), name("sealed"), c, stop), context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	require.ErrorIs(t, e.EncryptFile(ctx, name("target"), name("plain"), c, func(int64) { cancel() }), context.Canceled)
	require.Equal(t, "old", string(read("target")))
	require.ErrorIs(t, e.EncryptFile(t.Context(), name("target"), name("missing"), c, nil), os.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "nothing is left behind: %v", entries)

	require.NoError(t, e.DecryptFile(t.Context(), name("target"), name("sealed"), c, nil))
	require.True(t, bytes.Equal(text, read("target")))
	require.NoError(t, e.EncryptFile(t.Context(), name("plain"), name("plain"), c, nil), "in place")
	require.NoError(t, e.RewrapFile(t.Context(), name("plain"), c))
	require.NoError(t, e.DecryptFile(t.Context(), name("plain"), name("plain"), c, nil))
	require.True(t, bytes.Equal(text, read("plain")))
}

package pkcs11_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody/custodytest"
	"github.com/cloudopsec/opsec/keymgmt/custody/pkcs11"
)

const userPIN = "1234"

// softhsm is a SoftHSM 2 with a configuration and tokens of its own. There is one at a time in a process.
type softhsm struct {
	library string
	config  string
	tokens  string // the directory
	module  *pkcs11.Module
}

func library(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			if _, err := exec.LookPath("softhsm2-util"); err == nil {
				return found[0]
			}
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no SoftHSM 2 (libsofthsm2.so, softhsm2-util)")
	}
	t.Skip("no SoftHSM 2 here (libsofthsm2.so, softhsm2-util)")
	return ""
}

func newSoftHSM(t testing.TB) *softhsm {
	t.Helper()
	h := &softhsm{library: library(t)}
	dir := t.TempDir()
	h.config, h.tokens = filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "tokens")
	require.NoError(t, os.Mkdir(h.tokens, 0o700))
	config := "directories.tokendir = " + h.tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	require.NoError(t, os.WriteFile(h.config, []byte(config), 0o600))
	require.NoError(t, os.Setenv("SOFTHSM2_CONF", h.config)) // the library reads the environment of the process
	h.initToken(t, "provider")
	h.load(t)
	return h
}

func (h *softhsm) initToken(t testing.TB, label string) {
	t.Helper()
	cmd := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", userPIN)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func (h *softhsm) load(t testing.TB) {
	t.Helper()
	m, err := pkcs11.Load(h.library)
	require.NoError(t, err)
	h.module = m
	t.Cleanup(func() { m.Close() })
}

func at() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

func pin(context.Context) ([]byte, error) { return []byte(userPIN), nil }

func (h *softhsm) open(t testing.TB, sessions int) *pkcs11.Token {
	t.Helper()
	token, err := h.module.Open(t.Context(), pkcs11.Name{Label: "provider"}, pin, &pkcs11.Options{Sessions: sessions, Now: at})
	require.NoError(t, err)
	t.Cleanup(func() { token.Close() })
	return token
}

// moveAway moves the directory of the tokens away, and puts an empty one in its place if replace says so.
func (h *softhsm) moveAway(t testing.TB, replace bool) (back func()) {
	t.Helper()
	require.NoError(t, os.Rename(h.tokens, h.tokens+".away"))
	if replace {
		require.NoError(t, os.Mkdir(h.tokens, 0o700))
	}
	return func() {
		t.Helper()
		if replace {
			require.NoError(t, os.RemoveAll(h.tokens))
		}
		require.NoError(t, os.Rename(h.tokens+".away", h.tokens))
	}
}

func TestSoftHSMKeepsTheContract(t *testing.T) {
	for _, c := range []struct {
		name     string
		sessions int
		replace  bool
	}{{"many sessions", 8, false}, {"one session", 1, true}} {
		t.Run(c.name, func(t *testing.T) {
			modules := map[keymgmt.Custodian]*softhsm{}
			open := func(t testing.TB, h *softhsm) keymgmt.Custodian {
				token := h.open(t, c.sessions)
				modules[token] = h
				return token
			}
			custodytest.Run(t, custodytest.Harness{
				New:   func(t testing.TB) keymgmt.Custodian { return open(t, newSoftHSM(t)) },
				Again: func(t testing.TB, k keymgmt.Custodian) keymgmt.Custodian { return open(t, modules[k]) },
				Cut:   func(t testing.TB, k keymgmt.Custodian) func() { return modules[k].moveAway(t, c.replace) },
			})
		})
	}
}

package hash_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/hash"
)

// program returns the path of another implementation, without which the test is skipped, but not in CI.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must have it: ", err)
		}
		t.Skip(err)
	}
	return path
}

func output(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

func requireMatch(t *testing.T, encoded string) {
	t.Helper()
	r, err := quick(t).Verify(bg, right, encoded)
	require.NoError(t, err, encoded)
	require.True(t, r.Match, encoded)
}

func TestWhatTheReferenceOfArgon2Makes(t *testing.T) {
	argon2 := program(t, "argon2")
	for _, args := range []string{"-id -t 2 -k 32 -p 1 -l 32", "-id -t 1 -k 512 -p 4 -l 16", "-id -t 5 -k 128 -p 3 -l 64", "-i -t 3 -k 64 -p 2 -l 20"} {
		requireMatch(t, output(t, string(right), argon2, append([]string{"some salt of it", "-e"}, strings.Fields(args)...)...))
	}
}

func TestWhatHtpasswdMakes(t *testing.T) {
	htpasswd := program(t, "htpasswd")
	for _, cost := range []string{"4", "7"} {
		_, encoded, _ := strings.Cut(output(t, string(right), htpasswd, "-niB", "-C", cost, "u"), ":")
		requireMatch(t, encoded)
	}
}

func TestWhatOpenSSLMakes(t *testing.T) {
	openssl := program(t, "openssl")
	derive := func(kdf string, opts ...string) string {
		args := []string{"kdf", "-keylen", "32", "-binary", "-kdfopt", "pass:" + string(right), "-kdfopt", "salt:NaCl0123456789ab"}
		for _, o := range opts {
			args = append(args, "-kdfopt", o)
		}
		cmd := exec.Command(openssl, append(args, kdf)...)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Len(t, out, 32, hex.EncodeToString(out))
		return base64.RawStdEncoding.EncodeToString(out)
	}
	salt := base64.RawStdEncoding.EncodeToString([]byte("NaCl0123456789ab"))
	for digest, scheme := range map[string]hash.Scheme{"SHA256": hash.PBKDF2SHA256, "SHA512": hash.PBKDF2SHA512} {
		requireMatch(t, fmt.Sprintf("$%s$i=1777,l=32$%s$%s", scheme, salt, derive("PBKDF2", "digest:"+digest, "iter:1777")))
	}
	passlib := strings.ReplaceAll(derive("PBKDF2", "digest:SHA1", "iter:1777"), "+", ".")
	requireMatch(t, fmt.Sprintf("$pbkdf2$1777$%s$%s", salt, passlib))
	requireMatch(t, fmt.Sprintf("$scrypt$ln=9,r=4,p=3$%s$%s", salt, derive("SCRYPT", "n:512", "r:4", "p:3")))
}

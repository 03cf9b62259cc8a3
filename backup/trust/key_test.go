package trust_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/trust"
)

func TestKeyOfSSHKeygenIsAccepted(t *testing.T) {
	for _, tt := range []struct{ name, passphrase string }{{"without passphrase", ""}, {"with passphrase", "correct horse"}} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "key")
			mustKeygen(t, nil, "-q", "-t", "ed25519", "-a", "1", "-N", tt.passphrase, "-C", "alice@vault", "-f", name)
			var passphrase []byte
			if tt.passphrase != "" {
				passphrase = []byte(tt.passphrase)
			}
			signer, err := trust.LoadPrivateKey(name, passphrase)
			require.NoError(t, err)

			public, comment, err := trust.ParsePublicKey(read(t, name+".pub"))
			require.NoError(t, err)
			require.Equal(t, "alice@vault", comment)
			require.Equal(t, public, signer.PublicKey())
			require.Equal(t, strings.Fields(mustKeygen(t, nil, "-l", "-f", name+".pub"))[1], public.ID())
			text, err := public.MarshalText()
			require.NoError(t, err)
			require.Equal(t, string(text)+" alice@vault\n", string(read(t, name+".pub")))

			c := newClaim()
			require.NoError(t, trust.Sign(context.Background(), c.Envelope, signer))
			require.True(t, believed(t, holder{public: public}, c))
		})
	}
}

func TestPassphraseIsAskedForAndChecked(t *testing.T) {
	block, err := ssh.MarshalPrivateKeyWithPassphrase(newHolder(t, 1).private, "", []byte("right"))
	require.NoError(t, err)
	file := pem.EncodeToMemory(block)

	_, err = trust.ParsePrivateKey(file, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	var missing *ssh.PassphraseMissingError
	require.ErrorAs(t, err, &missing, "so that a program knows to ask")

	_, err = trust.ParsePrivateKey(file, []byte("wrong"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorIs(t, err, x509.IncorrectPasswordError)
	require.NotContains(t, err.Error(), "wrong")

	signer, err := trust.ParsePrivateKey(file, []byte("right"))
	require.NoError(t, err)
	require.Equal(t, newHolder(t, 1).public, signer.PublicKey())
}

func TestPKCS8KeyIsAccepted(t *testing.T) {
	h := newHolder(t, 1)
	der, err := x509.MarshalPKCS8PrivateKey(h.private)
	require.NoError(t, err)
	signer, err := trust.ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil)
	require.NoError(t, err)
	require.Equal(t, h.public, signer.PublicKey())
}

func TestGeneratedKeyFilesAreOpenSSHs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "operator.key")
	public, err := trust.GenerateKeyFiles(name, "alice of ops")
	require.NoError(t, err)

	for file, mode := range map[string]fs.FileMode{name: 0o600, name + ".pub": 0o644} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode()&^0o022, "%s: no more than the umask may change it", file)
	}
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())

	loaded, err := trust.LoadPublicKey(name + ".pub")
	require.NoError(t, err)
	require.Equal(t, public, loaded)
	signer, err := trust.LoadPrivateKey(name, nil)
	require.NoError(t, err)
	require.Equal(t, public, signer.PublicKey())

	require.Equal(t, string(read(t, name+".pub")), mustKeygen(t, nil, "-y", "-f", name))
	for _, file := range []string{name, name + ".pub"} {
		out := mustKeygen(t, nil, "-l", "-f", file)
		require.Contains(t, out, public.ID())
		require.Contains(t, out, "alice of ops")
	}

	again, err := trust.GenerateKeyFiles(filepath.Join(t.TempDir(), "k"), "")
	require.NoError(t, err)
	require.NotEqual(t, public, again)
}

func TestKeyFilesAreNeverOverwritten(t *testing.T) {
	for _, existing := range []string{"key", "key.pub"} {
		t.Run(existing, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, existing), []byte("precious"), 0o600))
			_, err := trust.GenerateKeyFiles(filepath.Join(dir, "key"), "")
			require.ErrorIs(t, err, fs.ErrExist)
			require.Equal(t, "precious", string(read(t, filepath.Join(dir, existing))))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1, "half a pair is no pair")
		})
	}
}

func TestKeyFilesAreNotWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "key")))
	_, err := trust.GenerateKeyFiles(filepath.Join(dir, "key"), "")
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoFileExists(t, filepath.Join(dir, "elsewhere"))
}

func TestCommentThatWouldAddALineIsRefused(t *testing.T) {
	for _, comment := range []string{"x\nssh-ed25519 AAAA", "x\r", "\x00", "\x1b[2J", "\xff", strings.Repeat("x", 1025)} {
		name := filepath.Join(t.TempDir(), "key")
		_, err := trust.GenerateKeyFiles(name, comment)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", comment)
		require.NoFileExists(t, name)
		require.NoFileExists(t, name+".pub")
	}
}

func TestOtherKindsOfPrivateKeyAreRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for _, key := range []any{rsaKey, ecdsaKey} {
		block, err := ssh.MarshalPrivateKey(key, "")
		require.NoError(t, err)
		_, err = trust.ParsePrivateKey(pem.EncodeToMemory(block), nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.EqualError(t, err, fmt.Sprintf("trust: private key of type %T: want Ed25519: invalid", key))

		s, err := ssh.NewSignerFromKey(key)
		require.NoError(t, err)
		_, err = trust.SSHSigner(s)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, _, err = trust.ParsePublicKey(ssh.MarshalAuthorizedKey(s.PublicKey()))
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, s.PublicKey().Type())
		require.ErrorContains(t, err, "want ssh-ed25519")
	}
}

// sk-ssh-ed25519 keys hold an Ed25519 key too, but sign something else.
const securityKey = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJYPs1CnHT3s4TBqWBDb3jAJDjIuNCNeqE0W5nzJlNLDAAAABHNzaDo= token"

func TestPublicKeyIsOneLine(t *testing.T) {
	alice, bob := newHolder(t, 1).public, newHolder(t, 2).public
	text, err := alice.MarshalText()
	require.NoError(t, err)
	line := string(text)
	other, err := bob.MarshalText()
	require.NoError(t, err)

	for in, comment := range map[string]string{
		line: "", line + "\n": "", line + "\r\n": "", "  " + line + "\t\n\n": "",
		line + " alice": "alice", line + "\ttwo words \n": "two words",
	} {
		key, got, err := trust.ParsePublicKey([]byte(in))
		require.NoError(t, err, "%q", in)
		require.Equal(t, alice, key)
		require.Equal(t, comment, got)
	}
	for name, in := range map[string]string{
		"nothing":              "",
		"a comment":            "# " + line,
		"a type alone":         "ssh-ed25519",
		"two keys":             line + "\n" + string(other),
		"a line before":        "damaged\n" + line,
		"a comment before":     "# mine\n" + line,
		"a line after":         line + "\nx",
		"a carriage return":    line + "\rx",
		"an option":            "restrict " + line,
		"an expiry":            `expiry-time="20200101" ` + line,
		"a certificate's word": "cert-authority " + line,
		"another type's name":  "ssh-rsa " + strings.Fields(line)[1],
		"no base64":            "ssh-ed25519 !!!!",
		"a byte less":          line[:len(line)-4],
		"a byte more":          line + "AAAA",
		"a hardware key":       securityKey,
		"an oversize comment":  line + " " + strings.Repeat("x", 16<<10),
	} {
		key, _, err := trust.ParsePublicKey([]byte(in))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.True(t, key.IsZero(), name)
	}
}

func TestOversizeKeyFilesAreRefused(t *testing.T) {
	h := newHolder(t, 1)
	block, err := ssh.MarshalPrivateKey(h.private, "")
	require.NoError(t, err)
	private := pem.EncodeToMemory(block)
	full := append(private, bytes.Repeat([]byte{'\n'}, 64<<10-len(private))...)
	_, err = trust.ParsePrivateKey(full, nil)
	require.NoError(t, err, "64 KiB are not too much")
	_, err = trust.ParsePrivateKey(append(full, '\n'), nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	// A file without an end must not be read to it.
	if _, err := os.Stat("/dev/zero"); err == nil {
		_, err = trust.LoadPrivateKey("/dev/zero", nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, err = trust.LoadPublicKey("/dev/zero")
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestMissingKeyFilesAreNamed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "absent")
	_, err := trust.LoadPrivateKey(name, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, name)
	_, err = trust.LoadPublicKey(name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, name)
	_, err = trust.GenerateKeyFiles(filepath.Join(name, "key"), "")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestKeysOfWrongLengthAreRefused(t *testing.T) {
	for _, n := range []int{0, 31, 33, 64} {
		_, err := trust.NewPublicKey(make([]byte, n))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	for _, n := range []int{0, 32, 63, 65} {
		_, err := trust.NewSigner(make([]byte, n))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

// Whoever can have one message signed under two public halves learns the private key.
func TestPrivateKeyWithAnothersPublicHalfIsRefused(t *testing.T) {
	mixed := append(newHolder(t, 1).private.Seed(), newHolder(t, 2).private[32:]...)
	_, err := trust.NewSigner(mixed)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	block, err := ssh.MarshalPrivateKey(ed25519.PrivateKey(mixed), "")
	require.NoError(t, err)
	_, err = trust.ParsePrivateKey(pem.EncodeToMemory(block), nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// A point of small order "verifies" signatures that nobody's private key has made.
func TestKeyThatEverybodySignsForIsRefused(t *testing.T) {
	forgeable := func(key []byte) bool {
		for i := range 256 {
			for _, r := range []byte{0, 1} { // R is the point (0, 1), S is 0
				sig := make([]byte, ed25519.SignatureSize)
				sig[0] = r
				if ed25519.Verify(key, []byte{byte(i)}, sig) {
					return true
				}
			}
		}
		return false
	}
	require.False(t, forgeable(newHolder(t, 1).private[32:]), "this test can tell")
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, sign := range []byte{0, 0x80} {
			key, err := hex.DecodeString(y)
			require.NoError(t, err)
			key[31] |= sign
			require.True(t, forgeable(key), "%x", key)
			_, err = trust.NewPublicKey(key)
			require.ErrorIs(t, err, opsec.ErrInvalid, "%x", key)
			s, err := ssh.NewPublicKey(ed25519.PublicKey(key))
			require.NoError(t, err)
			_, _, err = trust.ParsePublicKey(ssh.MarshalAuthorizedKey(s))
			require.ErrorIs(t, err, opsec.ErrInvalid, "%x", key)
		}
	}
}

func TestZeroPublicKeyIsNobodys(t *testing.T) {
	var k trust.PublicKey
	require.True(t, k.IsZero())
	require.Empty(t, k.ID())
	text, err := k.MarshalText()
	require.NoError(t, err)
	require.Empty(t, text)
	require.ErrorIs(t, k.UnmarshalText(nil), opsec.ErrInvalid)
	require.False(t, newHolder(t, 1).public.IsZero())
}

func TestFailedUnmarshalKeepsTheKey(t *testing.T) {
	k := newHolder(t, 1).public
	require.Error(t, k.UnmarshalText([]byte("ssh-ed25519 AAAA")))
	require.Equal(t, newHolder(t, 1).public, k)
}

func TestPublicKeyIsItselfAfterJSON(t *testing.T) {
	k := newHolder(t, 1).public
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.Regexp(t, `^"ssh-ed25519 [A-Za-z0-9+/=]+"$`, string(b))
	var back trust.PublicKey
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, k, back)
}

// memorySigner is an ssh.Signer by value that holds its key in the open.
type memorySigner struct {
	ssh.Signer
	Key ed25519.PrivateKey
}

func TestSecretKeyIsNeverPrinted(t *testing.T) {
	h := newHolder(t, 0xA7)
	agent, err := trust.SSHSigner(memorySigner{h.ssh(t), h.private})
	require.NoError(t, err)
	type inside struct{ signer trust.Signer } // fmt cannot call methods in here
	type outside struct{ Signers []trust.Signer }

	// The seed is 0xA7 = 167 32 times, so that any form of it shows as a repetition.
	secret := []string{"167 167", "167, 167", "a7a7", "A7A7", "a7 a7", "0xa7, 0xa7", "p6en", `\xa7\xa7`, "10100111 10100111", "247 247", "§§", "\xa7\xa7"}
	for _, s := range []trust.Signer{h.signer, agent} {
		for _, v := range []any{s, &s, inside{s}, &inside{s}, outside{[]trust.Signer{s}}, []trust.Signer{s}, map[int]inside{1: {s}}} {
			var out strings.Builder
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%b", "%o"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			for _, s := range secret {
				require.NotContains(t, out.String(), s)
			}
		}
		require.Equal(t, "trust.Signer", fmt.Sprint(s))
		require.Equal(t, "trust.Signer", fmt.Sprintf("%#v", s))
	}
	// Had the key been in reach, this test would have seen it.
	require.Contains(t, fmt.Sprintf("%v", h.private), secret[0])
	require.Contains(t, fmt.Sprintf("%x", h.private), secret[2])
}

func TestErrorsOverKeyFilesHoldNoneOfThem(t *testing.T) {
	block, err := ssh.MarshalPrivateKey(newHolder(t, 1).private, "")
	require.NoError(t, err)
	file := pem.EncodeToMemory(block)
	for _, damaged := range [][]byte{file[:len(file)/2], bytes.Replace(file, []byte("OPENSSH"), []byte("RSA"), 2), block.Bytes} {
		_, err := trust.ParsePrivateKey(damaged, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		for line := range bytes.SplitSeq(file, []byte("\n")) {
			if len(line) > 0 && line[0] != '-' {
				require.NotContains(t, err.Error(), string(line))
			}
		}
	}
}

func TestClearedKeySignsNoMore(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	signer, err := trust.NewSigner(key)
	require.NoError(t, err)
	c := newClaim()
	require.NoError(t, trust.Sign(context.Background(), c.Envelope, signer))

	clear(key)
	c = newClaim()
	require.ErrorIs(t, trust.Sign(context.Background(), c.Envelope, signer), opsec.ErrInvalid)
	require.Empty(t, c.Envelope.Signatures)
}

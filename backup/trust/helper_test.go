package trust_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/cloudopsec/opsec/backup/trust"
)

// noon is when the claims of these tests say that they were made.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const payloadType = "application/vnd.in-toto+json"

// holder is somebody with a key, the same on every run.
type holder struct {
	private ed25519.PrivateKey
	public  trust.PublicKey
	signer  trust.Signer
}

func newHolder(t testing.TB, seed byte) holder {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	signer, err := trust.NewSigner(key)
	require.NoError(t, err)
	return holder{key, signer.PublicKey(), signer}
}

func (h holder) ssh(t testing.TB) ssh.Signer {
	s, err := ssh.NewSignerFromKey(h.private)
	require.NoError(t, err)
	return s
}

// key is the holder's row in a policy.
func (h holder) key(operator, person, role string) trust.Key {
	return trust.Key{Key: h.public, Operator: operator, Person: person, Role: role}
}

func (h holder) trusted() trust.Policy {
	return trust.Policy{Keys: []trust.Key{h.key("alice", "p-17", "operator")}}
}

// newClaim is the claim of alice about sequence 7, without signatures.
func newClaim() *trust.Claim {
	payload := `{"sequence":7}`
	id := sha256.Sum256([]byte(payload))
	return &trust.Claim{
		ID: hex.EncodeToString(id[:]), Tenant: "acme", Source: "vol-1", Sequence: 7, Created: noon, Operator: "alice",
		Envelope: &dsse.Envelope{PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString([]byte(payload))},
	}
}

func signed(t testing.TB, holders ...holder) *trust.Claim {
	c := newClaim()
	for _, h := range holders {
		require.NoError(t, trust.Sign(context.Background(), c.Envelope, h.signer))
	}
	return c
}

// withSignature is the claim with one signature that was made elsewhere.
func withSignature(h holder, sig []byte) *trust.Claim {
	c := newClaim()
	c.Envelope.Signatures = []dsse.Signature{{KeyID: h.public.ID(), Sig: base64.StdEncoding.EncodeToString(sig)}}
	return c
}

func message(t testing.TB, c *trust.Claim) []byte {
	pae, err := trust.SignedBytes(c.Envelope)
	require.NoError(t, err)
	return pae
}

func judge(t testing.TB, v trust.Verifier, c *trust.Claim) *trust.Judgement {
	j, err := v.Judge(c, noon.Add(time.Hour))
	require.NoError(t, err)
	return j
}

// believed reports whether the claim is, by a policy that knows the holder alone.
func believed(t testing.TB, h holder, c *trust.Claim) bool {
	j := judge(t, trust.Verifier{Policy: h.trusted()}, c)
	require.Len(t, j.Signatures, 1)
	require.Equal(t, j.Signatures[0].Valid, j.Trust == trust.Trusted)
	require.Equal(t, j.Signatures[0].Valid, j.Signatures[0].Reason == "")
	return j.Signatures[0].Valid
}

// tool finds a program of OpenSSH. Continuous integration has it, or fails.
func tool(t testing.TB, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func keygen(t testing.TB, stdin []byte, args ...string) (string, error) {
	cmd := exec.Command(tool(t, "ssh-keygen"), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("ssh-keygen %q: %w: %s", args, err, out)
	}
	return string(out), err
}

func mustKeygen(t testing.TB, stdin []byte, args ...string) string {
	out, err := keygen(t, stdin, args...)
	require.NoError(t, err)
	return out
}

func read(t testing.TB, name string) []byte {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

package trust_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/trust"
)

// allowed writes the file by which ssh-keygen knows whose key it is.
func allowed(t *testing.T, dir string, h holder) string {
	text, err := h.public.MarshalText()
	require.NoError(t, err)
	name := filepath.Join(dir, "allowed_signers")
	line := fmt.Sprintf("alice namespaces=%q %s\n", trust.SSHNamespace, text)
	require.NoError(t, os.WriteFile(name, []byte(line), 0o600))
	return name
}

func TestSSHKeygenAcceptsOurSignature(t *testing.T) {
	h, dir := newHolder(t, 1), t.TempDir()
	c := signed(t, newHolder(t, 2), h)
	armored, err := trust.SSHSignature(c.Envelope, h.public.ID())
	require.NoError(t, err)
	sig := filepath.Join(dir, "sig")
	require.NoError(t, os.WriteFile(sig, armored, 0o600))
	verify := []string{"-Y", "verify", "-f", allowed(t, dir, h), "-I", "alice", "-n", trust.SSHNamespace, "-s", sig}

	require.Contains(t, mustKeygen(t, message(t, c), verify...), "Good")
	changed := message(t, c)
	changed[len(changed)-1] ^= 1
	_, err = keygen(t, changed, verify...)
	require.Error(t, err, "another message")
	verify[7] = "other-namespace"
	_, err = keygen(t, message(t, c), verify...)
	require.Error(t, err, "another namespace")
}

func TestSignatureOfSSHKeygenIsAccepted(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	mustKeygen(t, nil, "-q", "-t", "ed25519", "-N", "", "-f", key)
	public, err := trust.LoadPublicKey(key + ".pub")
	require.NoError(t, err)
	h := holder{public: public}
	pae := message(t, newClaim())

	sign := func(message []byte, args ...string) []byte {
		file := filepath.Join(t.TempDir(), "message")
		require.NoError(t, os.WriteFile(file, message, 0o600))
		mustKeygen(t, nil, append(append([]string{"-Y", "sign", "-q", "-f", key}, args...), file)...)
		block, rest := pem.Decode(read(t, file+".sig"))
		require.NotNil(t, block)
		require.Empty(t, rest)
		return block.Bytes
	}
	const namespace = "opsec-backup-manifest" // as documented
	require.True(t, believed(t, h, withSignature(h, sign(pae, "-n", namespace))))
	require.True(t, believed(t, h, withSignature(h, sign(pae, "-n", namespace, "-O", "hashalg=sha256"))))
	require.False(t, believed(t, h, withSignature(h, sign(pae, "-n", "file"))), "another namespace")
	require.False(t, believed(t, h, withSignature(h, sign(append(pae, '\n'), "-n", namespace))), "another message")
}

func TestArmoredSignatureIsFoundByKey(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	c := signed(t, alice, bob)
	for _, h := range []holder{alice, bob} {
		armored, err := trust.SSHSignature(c.Envelope, h.public.ID())
		require.NoError(t, err)
		sig, err := sshsig.Unarmor(armored)
		require.NoError(t, err)
		require.NoError(t, sshsig.Verify(bytes.NewReader(message(t, c)), sig, h.ssh(t).PublicKey(), sshsig.HashSHA512, trust.SSHNamespace))
	}
	first, err := trust.SSHSignature(c.Envelope, "")
	require.NoError(t, err)
	byAlice, err := trust.SSHSignature(c.Envelope, alice.public.ID())
	require.NoError(t, err)
	require.Equal(t, string(byAlice), string(first))

	raw := newClaim()
	raw.Envelope.Signatures = []dsse.Signature{c.Envelope.Signatures[0], {KeyID: "x", Sig: "!"}, {KeyID: "y", Sig: "U1NIU0lH"}}
	for _, absent := range []struct {
		env *dsse.Envelope
		id  string
	}{{c.Envelope, newHolder(t, 3).public.ID()}, {newClaim().Envelope, ""}, {raw.Envelope, ""}} {
		_, err = trust.SSHSignature(absent.env, absent.id)
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
}

// plainVerifier is what a program that knows DSSE and Ed25519, and nothing of ours, would have.
type plainVerifier struct{ key ed25519.PublicKey }

func (v plainVerifier) KeyID() (string, error)   { return dsse.SHA256KeyID(v.key) }
func (v plainVerifier) Public() crypto.PublicKey { return v.key }
func (v plainVerifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.key, data, sig) {
		return errors.New("does not verify")
	}
	return nil
}

func TestDSSEVerifierAgreesWithUs(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	dsseBelieves := func(c *trust.Claim) bool {
		v, err := dsse.NewEnvelopeVerifier(plainVerifier{alice.private.Public().(ed25519.PublicKey)})
		require.NoError(t, err)
		keys, err := v.Verify(context.Background(), c.Envelope)
		return err == nil && len(keys) == 1 && keys[0].KeyID == alice.public.ID()
	}
	raw := func(i int) *trust.Claim { // the first signature alone, with bit i of it flipped
		c := signed(t, alice)
		c.Envelope.Signatures = c.Envelope.Signatures[:1]
		if i >= 0 {
			c.Envelope.Signatures[0].Sig = flipped(t, c.Envelope.Signatures[0].Sig, i)
		}
		return c
	}
	changed := signed(t, alice)
	changed.Envelope.Payload = base64.StdEncoding.EncodeToString([]byte(`{"sequence":8}`))
	retyped := signed(t, alice)
	retyped.Envelope.PayloadType += "x"
	for name, tt := range map[string]struct {
		claim *trust.Claim
		want  bool
	}{
		"both forms":          {signed(t, alice), true},
		"the plain form":      {raw(-1), true},
		"a bit of R flipped":  {raw(0), false},
		"a bit of S flipped":  {raw(511), false},
		"another payload":     {changed, false},
		"another type":        {retyped, false},
		"another key":         {signed(t, bob), false},
		"without a signature": {newClaim(), false},
	} {
		require.Equal(t, tt.want, dsseBelieves(tt.claim), name)
		j := judge(t, trust.Verifier{Policy: alice.trusted()}, tt.claim)
		require.Equal(t, tt.want, j.Trust == trust.Trusted, name)
	}
	both := signed(t, bob, alice)
	require.True(t, dsseBelieves(both))
	require.Equal(t, trust.Trusted, judge(t, trust.Verifier{Policy: alice.trusted()}, both).Trust)
}

func flipped(t testing.TB, sig string, bit int) string {
	b, err := trust.DecodeBase64(sig)
	require.NoError(t, err)
	b[bit/8] ^= 1 << (bit % 8)
	return base64.StdEncoding.EncodeToString(b)
}

func TestEveryFlippedBitOfASignatureIsFound(t *testing.T) {
	h := newHolder(t, 1)
	whole := signed(t, h)
	require.True(t, believed(t, h, whole))
	require.Len(t, whole.Envelope.Signatures, 2, "both forms")
	for form, s := range whole.Envelope.Signatures {
		blob, err := trust.DecodeBase64(s.Sig)
		require.NoError(t, err)
		require.True(t, believed(t, h, withSignature(h, blob)), "each form counts by itself")
		for bit := range 8 * len(blob) {
			alone := withSignature(h, blob)
			alone.Envelope.Signatures[0].Sig = flipped(t, s.Sig, bit)
			require.False(t, believed(t, h, alone), "form %d, bit %d", form, bit)

			// The other form is whole, and still the key's row is not valid.
			beside := signed(t, h)
			beside.Envelope.Signatures[form].Sig = alone.Envelope.Signatures[0].Sig
			require.False(t, believed(t, h, beside), "form %d beside the other, bit %d", form, bit)
		}
		for _, cut := range []int{0, 1, len(blob) / 2, len(blob) - 1} {
			require.False(t, believed(t, h, withSignature(h, blob[:cut])), "form %d cut to %d bytes", form, cut)
		}
		require.False(t, believed(t, h, withSignature(h, append(blob, 0))), "form %d with a byte more", form)
	}
}

func TestEveryChangedCharacterOfASignatureIsFound(t *testing.T) {
	h := newHolder(t, 1)
	for form := range 2 {
		sig := signed(t, h).Envelope.Signatures[form].Sig
		with := func(sig string) *trust.Claim {
			c := signed(t, h)
			c.Envelope.Signatures[form].Sig = sig
			return c
		}
		require.True(t, believed(t, h, with(sig)))
		for i := range len(sig) {
			for _, ch := range []byte("A_=") {
				if sig[i] != ch {
					require.False(t, believed(t, h, with(sig[:i]+string(ch)+sig[i+1:])), "character %d is %q", i, ch)
				}
			}
			require.False(t, believed(t, h, with(sig[:i]+"\n"+sig[i:])), "a newline at %d", i)
		}
		for _, tail := range []string{"\n", "=", "A", "AAAA", "!", " "} {
			require.False(t, believed(t, h, with(sig+tail)), "%q after it", tail)
		}
		require.False(t, believed(t, h, with(strings.TrimRight(sig, "=")+"!")))
	}
}

func TestBase64HasOneEncoding(t *testing.T) {
	for in, want := range map[string]string{"": "", "Zg==": "f", "Zm8=": "fo", "Zm9v": "foo", "++//": "\xfb\xef\xff"} {
		got, err := trust.DecodeBase64(in)
		require.NoError(t, err, in)
		require.Equal(t, want, string(got))
	}
	for _, in := range []string{"Zg", "Zg=", "Zh==", "Zm9=", "Zm9v\n", "Zm\n9v", "Zm9v\r\n", " Zm9v", "__--", "Zm9v!", "Zm9vZg==Zm9v", "="} {
		got, err := trust.DecodeBase64(in)
		require.Error(t, err, "%q", in)
		require.Nil(t, got, "%q: what was decoded so far is of no use", in)
	}
}

// wireBlob and wireSigned are the structures of OpenSSH's PROTOCOL.sshsig.
type wireBlob struct {
	Magic                                                 [6]byte
	Version                                               uint32
	PublicKey, Namespace, Reserved, HashAlgorithm, Signed string
}

type wireSigned struct{ Namespace, Reserved, HashAlgorithm, Hash string }

func TestForgedSSHSignaturesAreRefused(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	pae := message(t, newClaim())
	by := func(h holder, hash sshsig.HashAlgorithm, namespace string, message []byte) []byte {
		sig, err := sshsig.Sign(bytes.NewReader(message), h.ssh(t), hash, namespace)
		require.NoError(t, err)
		return sig.Marshal()
	}
	good := by(alice, sshsig.HashSHA512, trust.SSHNamespace, pae)
	remade := func(change func(*wireBlob)) []byte {
		var blob wireBlob
		require.NoError(t, ssh.Unmarshal(good, &blob))
		change(&blob)
		return ssh.Marshal(blob)
	}
	// Alice's agent signs what another namespace, hash, or reserved word makes of the message.
	other := func(namespace, reserved, hash string) []byte {
		sum := crypto.SHA512.New()
		sum.Write(pae)
		sig, err := alice.ssh(t).Sign(nil, append([]byte("SSHSIG"), ssh.Marshal(wireSigned{namespace, reserved, hash, string(sum.Sum(nil))})...))
		require.NoError(t, err)
		return remade(func(b *wireBlob) {
			b.Namespace, b.Reserved, b.HashAlgorithm, b.Signed = namespace, reserved, hash, string(ssh.Marshal(sig))
		})
	}
	plain := ed25519.Sign(bob.private, pae)
	for name, tt := range map[string]struct {
		sig  []byte
		want bool
	}{
		"whole":                             {good, true},
		"whole, remade":                     {other(trust.SSHNamespace, "", "sha512"), true},
		"with SHA-256":                      {by(alice, sshsig.HashSHA256, trust.SSHNamespace, pae), true},
		"by another key":                    {by(bob, sshsig.HashSHA512, trust.SSHNamespace, pae), false},
		"by another key, plain":             {plain, false},
		"by another key, under this one":    {remade(func(b *wireBlob) { b.Signed = string(ssh.Marshal(ssh.Signature{Format: "ssh-ed25519", Blob: plain})) }), false},
		"in another namespace":              {by(alice, sshsig.HashSHA512, "file", pae), false},
		"of another message":                {by(alice, sshsig.HashSHA512, trust.SSHNamespace, append(pae, 0)), false},
		"under a hash that is none":         {other(trust.SSHNamespace, "", "sha1"), false},
		"with a reserved word":              {other(trust.SSHNamespace, "x", "sha512"), false},
		"with a reserved word, not signed":  {remade(func(b *wireBlob) { b.Reserved = "x" }), false},
		"of another version":                {remade(func(b *wireBlob) { b.Version = 2 }), false},
		"with bytes after the blob":         {append(slices.Clone(good), 0), false},
		"with bytes after the signature":    {remade(func(b *wireBlob) { b.Signed += "\x00" }), false},
		"with bytes after the key":          {remade(func(b *wireBlob) { b.PublicKey += "\x00" }), false},
		"plain, over the payload alone":     {ed25519.Sign(alice.private, []byte(`{"sequence":7}`)), false},
		"plain, with the SSH magic as text": {append([]byte("SSHSIG"), ed25519.Sign(alice.private, pae)...), false},
	} {
		require.Equal(t, tt.want, believed(t, alice, withSignature(alice, tt.sig)), name)
	}
}

func TestSignedBytesAreTheDSSEEncoding(t *testing.T) {
	require.Equal(t, `DSSEv1 28 application/vnd.in-toto+json 14 {"sequence":7}`, string(message(t, newClaim())))
	for _, payload := range []string{"!", "e30", "e30=\n", "e31="} {
		env := &dsse.Envelope{PayloadType: payloadType, Payload: payload}
		_, err := trust.SignedBytes(env)
		require.ErrorIs(t, err, opsec.ErrInvalid, payload)
		require.ErrorIs(t, trust.Sign(context.Background(), env, newHolder(t, 1).signer), opsec.ErrInvalid)
	}
	c := signed(t, newHolder(t, 1))
	c.Envelope.Payload += "\n" // decoders that are not strict read the same
	require.False(t, believed(t, newHolder(t, 1), c))
}

// stranger signs as it likes.
type stranger struct {
	public trust.PublicKey
	sign   func(pae []byte) ([][]byte, error)
}

func (s stranger) PublicKey() trust.PublicKey                           { return s.public }
func (s stranger) Sign(_ context.Context, pae []byte) ([][]byte, error) { return s.sign(pae) }

func TestSignRefusesAndChangesNothing(t *testing.T) {
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	broken := errors.New("token removed")
	as := func(h holder, sigs ...[]byte) trust.Signer {
		return stranger{h.public, func([]byte) ([][]byte, error) { return sigs, nil }}
	}
	pae := message(t, newClaim())
	good := ed25519.Sign(bob.private, pae)
	for name, tt := range map[string]struct {
		signers []trust.Signer
		want    error
	}{
		"a key that has signed before":  {[]trust.Signer{bob.signer, alice.signer}, opsec.ErrInvalid},
		"a key that signs twice":        {[]trust.Signer{bob.signer, bob.signer}, opsec.ErrInvalid},
		"garbage":                       {[]trust.Signer{as(bob, []byte("garbage"))}, opsec.ErrInvalid},
		"64 bytes of garbage":           {[]trust.Signer{as(bob, make([]byte, 64))}, opsec.ErrInvalid},
		"an empty signature":            {[]trust.Signer{as(bob, nil)}, opsec.ErrInvalid},
		"no signature at all":           {[]trust.Signer{as(bob)}, opsec.ErrInvalid},
		"another key's signature":       {[]trust.Signer{as(bob, ed25519.Sign(alice.private, pae))}, opsec.ErrInvalid},
		"a good one and a bad one":      {[]trust.Signer{as(bob, good, []byte("garbage"))}, opsec.ErrInvalid},
		"a signer without a key":        {[]trust.Signer{as(holder{}, good)}, opsec.ErrInvalid},
		"a signer that fails":           {[]trust.Signer{bob.signer, stranger{newHolder(t, 3).public, func([]byte) ([][]byte, error) { return nil, broken }}}, broken},
		"more signatures than may be":   {[]trust.Signer{as(bob, slices.Repeat([][]byte{good}, trust.MaxSignatures-1)...)}, opsec.ErrInvalid},
		"a signer for another envelope": {[]trust.Signer{as(bob, ed25519.Sign(bob.private, []byte("other")))}, opsec.ErrInvalid},
	} {
		c := signed(t, alice)
		before := slices.Clone(c.Envelope.Signatures)
		require.ErrorIs(t, trust.Sign(context.Background(), c.Envelope, tt.signers...), tt.want, name)
		require.Equal(t, before, c.Envelope.Signatures, name)
	}
	// As many as may be.
	c := signed(t, alice)
	require.NoError(t, trust.Sign(context.Background(), c.Envelope, as(bob, slices.Repeat([][]byte{good}, trust.MaxSignatures-2)...)))
	require.Len(t, c.Envelope.Signatures, trust.MaxSignatures)
}

func TestSigningALaterCopyLeavesTheFirstAlone(t *testing.T) {
	c := signed(t, newHolder(t, 1))
	c.Envelope.Signatures = slices.Grow(c.Envelope.Signatures, 8)
	one := *c.Envelope
	two := *c.Envelope
	require.NoError(t, trust.Sign(context.Background(), &one, newHolder(t, 2).signer))
	require.NoError(t, trust.Sign(context.Background(), &two, newHolder(t, 3).signer))
	require.Len(t, c.Envelope.Signatures, 2)
	require.Equal(t, newHolder(t, 2).public.ID(), one.Signatures[2].KeyID, "the copies share no memory")
	require.Equal(t, newHolder(t, 3).public.ID(), two.Signatures[2].KeyID)
}

func TestSigningWithoutSignersIsNothing(t *testing.T) {
	c := newClaim()
	require.NoError(t, trust.Sign(context.Background(), c.Envelope))
	require.Empty(t, c.Envelope.Signatures)
}

// signThrough lets the agent make a signature and looks at it from all sides.
func signThrough(t *testing.T, a agent.Agent, h holder) {
	signers, err := a.Signers()
	require.NoError(t, err)
	require.Len(t, signers, 1)
	s, err := trust.SSHSigner(signers[0])
	require.NoError(t, err)
	require.Equal(t, h.public, s.PublicKey())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", s, s, s), "agent")

	c := newClaim()
	require.NoError(t, trust.Sign(context.Background(), c.Envelope, s))
	require.Len(t, c.Envelope.Signatures, 1, "an agent signs in one form only")
	require.True(t, believed(t, h, c))
	require.Equal(t, signed(t, h).Envelope.Signatures[1], c.Envelope.Signatures[0], "as the key itself signs")

	require.NoError(t, a.RemoveAll())
	require.Error(t, trust.Sign(context.Background(), newClaim().Envelope, s), "the agent has the key no more")
}

func TestKeyInAnAgentSigns(t *testing.T) {
	h := newHolder(t, 1)
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- agent.ServeAgent(agent.NewKeyring(), theirs) }()
	client := agent.NewClient(ours)
	require.NoError(t, client.Add(agent.AddedKey{PrivateKey: h.private}))
	signThrough(t, client, h)
	ours.Close()
	<-served
}

func TestKeyInTheAgentOfOpenSSHSigns(t *testing.T) {
	h := newHolder(t, 1)
	dir, err := os.MkdirTemp("", "a") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.CommandContext(t.Context(), tool(t, "ssh-agent"), "-D", "-a", filepath.Join(dir, "s"))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n') // it listens before it says so
	require.NoError(t, err)
	require.Contains(t, line, "SSH_AUTH_SOCK")

	conn, err := net.Dial("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	defer conn.Close()
	client := agent.NewClient(conn)
	require.NoError(t, client.Add(agent.AddedKey{PrivateKey: h.private}))
	signThrough(t, client, h)
}

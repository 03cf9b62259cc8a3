package trust

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hiddeco/sshsig"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"golang.org/x/crypto/ssh"

	"github.com/cloudopsec/opsec"
)

// SSHNamespace is what "ssh-keygen -Y verify -n" wants to hear of a signature made here.
const SSHNamespace = "opsec-backup-manifest"

// How long key files may be.
const (
	maxPublicFile  = 16 << 10
	maxPrivateFile = 64 << 10
)

// MaxSignatures is how many signatures an envelope may carry.
const MaxSignatures = 256

// PublicKey is an operator's Ed25519 key (RFC 8032). Its text is the line that OpenSSH uses: "ssh-ed25519 AAAA...".
type PublicKey struct{ raw string }

// NewPublicKey takes the 32 bytes of a key. Those few under which anybody can sign are refused.
func NewPublicKey(key ed25519.PublicKey) (PublicKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return PublicKey{}, invalid("public key of %d bytes: want %d", len(key), ed25519.PublicKeySize)
	}
	if ofSmallOrder(key) {
		return PublicKey{}, invalid("public key: a point of small order, under which anybody can sign")
	}
	return PublicKey{string(key)}, nil
}

// ofSmallOrder knows all encodings of the curve's points whose order divides 8. Under such a key signatures can be made
// without a private one, so that its holder could disown what it has signed.
func ofSmallOrder(key ed25519.PublicKey) bool {
	y := [ed25519.PublicKeySize]byte(key)
	y[31] &^= 0x80 // the sign of x
	switch hex.EncodeToString(y[:]) {
	case "0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f":
		return true
	}
	return false
}

// ParsePublicKey reads the one line of an OpenSSH .pub file, of at most 16 KiB, and returns the key and the comment
// after it. The options that may stand before a key in other files of OpenSSH are refused.
func ParsePublicKey(line []byte) (PublicKey, string, error) {
	if len(line) > maxPublicFile {
		return PublicKey{}, "", invalid("public key file of %d bytes: want at most %d", len(line), maxPublicFile)
	}
	line = bytes.TrimSpace(line)
	if bytes.ContainsAny(line, "\r\n") {
		return PublicKey{}, "", invalid("public key: more than one line")
	}
	key, comment, options, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return PublicKey{}, "", invalid("public key: %v", err)
	}
	if len(options) > 0 {
		return PublicKey{}, "", invalid("public key: options before the key")
	}
	k, err := fromSSH(key)
	return k, comment, err
}

func fromSSH(key ssh.PublicKey) (PublicKey, error) {
	// An agent's keys are not yet parsed.
	if parsed, err := ssh.ParsePublicKey(key.Marshal()); err == nil && parsed.Type() == ssh.KeyAlgoED25519 {
		return NewPublicKey(parsed.(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey))
	}
	return PublicKey{}, invalid("public key of type %.40q: want ssh-ed25519", key.Type())
}

func (k PublicKey) ssh() ssh.PublicKey {
	key, err := ssh.NewPublicKey(ed25519.PublicKey(k.raw))
	if err != nil {
		panic("trust: PublicKey is zero") // every constructor has checked the length
	}
	return key
}

// ID returns the key's fingerprint as "ssh-keygen -l" prints it, and as a signature's keyid names it; of no key it is
// empty.
func (k PublicKey) ID() string {
	if k.IsZero() {
		return ""
	}
	return ssh.FingerprintSHA256(k.ssh())
}

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.raw == "" }

// MarshalText implements [encoding.TextMarshaler].
func (k PublicKey) MarshalText() ([]byte, error) {
	if k.IsZero() {
		return nil, nil
	}
	return bytes.TrimSuffix(ssh.MarshalAuthorizedKey(k.ssh()), []byte("\n")), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *PublicKey) UnmarshalText(text []byte) error {
	key, _, err := ParsePublicKey(text)
	if err == nil {
		*k = key
	}
	return err
}

// Signer signs for one operator. [NewSigner] makes one of a key in memory, [SSHSigner] of a key elsewhere.
type Signer interface {
	PublicKey() PublicKey
	// Sign returns one or more signatures over the DSSE pre-authentication encoding (PAE) of a header: 64 bytes of
	// Ed25519 over the encoding itself, as DSSE verifiers expect, or an SSHSIG blob in [SSHNamespace].
	Sign(ctx context.Context, pae []byte) ([][]byte, error)
}

// NewSigner signs by a key in memory. It makes both signatures: one for DSSE verifiers, one for ssh-keygen. The signer
// keeps no copy of the key: clear it, and the signer can sign no more.
func NewSigner(key ed25519.PrivateKey) (Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, invalid("private key of %d bytes: want %d", len(key), ed25519.PrivateKeySize)
	}
	// To sign under another public half than its own gives the private one away.
	if !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
		return nil, invalid("private key: its public half is another key's")
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, invalid("private key: %v", err)
	}
	public, err := fromSSH(s.PublicKey())
	if err != nil {
		return nil, err
	}
	return signer{public, func(pae []byte) ([][]byte, error) {
		sig, err := signSSH(s, pae)
		return [][]byte{ed25519.Sign(key, pae), sig}, err
	}}, nil
}

// ParsePrivateKey reads an OpenSSH private key file, as ssh-keygen writes them, of at most 64 KiB, and returns its
// signer. The passphrase is nil for a key without one; if there should have been one, the error wraps an
// [*ssh.PassphraseMissingError].
func ParsePrivateKey(file, passphrase []byte) (Signer, error) {
	if len(file) > maxPrivateFile {
		return nil, invalid("private key file of %d bytes: want at most %d", len(file), maxPrivateFile)
	}
	var key any
	var err error
	if passphrase == nil {
		key, err = ssh.ParseRawPrivateKey(file)
	} else {
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(file, passphrase)
	}
	if err != nil {
		return nil, invalid("private key: %w", err)
	}
	switch k := key.(type) {
	case *ed25519.PrivateKey:
		return NewSigner(*k)
	case ed25519.PrivateKey: // of a PKCS #8 file
		return NewSigner(k)
	}
	return nil, invalid("private key of type %T: want Ed25519", key)
}

// SSHSigner signs by a key that an SSH agent or a token holds. Its signatures are of the kind that ssh-keygen makes,
// since agents sign nothing else.
func SSHSigner(s ssh.Signer) (Signer, error) {
	public, err := fromSSH(s.PublicKey())
	if err != nil {
		return nil, err
	}
	return signer{public, func(pae []byte) ([][]byte, error) {
		sig, err := signSSH(s, pae)
		return [][]byte{sig}, err
	}}, nil
}

func signSSH(s ssh.Signer, pae []byte) ([]byte, error) {
	sig, err := sshsig.SignWithRand(bytes.NewReader(pae), rand.Reader, s, sshsig.HashSHA512, SSHNamespace)
	if err != nil {
		return nil, fmt.Errorf("trust: signing: %w", err)
	}
	return sig.Marshal(), nil
}

// signer holds its key within a function, where fmt does not find it even if it cannot call Format, which is so in an
// unexported field of another value.
type signer struct {
	public PublicKey
	sign   func(pae []byte) ([][]byte, error)
}

func (s signer) PublicKey() PublicKey { return s.public }

func (s signer) Sign(_ context.Context, pae []byte) ([][]byte, error) { return s.sign(pae) }

// Format keeps keys out of every print.
func (signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, "trust.Signer") }

// Sign adds the signatures of more operators to an envelope, which already carries the payload and perhaps others'.
// A key that has signed before is refused, and so is a signature that does not verify; the envelope is unchanged then.
func Sign(ctx context.Context, env *dsse.Envelope, signers ...Signer) error {
	pae, err := SignedBytes(env)
	if err != nil {
		return err
	}
	all := slices.Clone(env.Signatures)
	for _, s := range signers {
		id := s.PublicKey().ID()
		if id == "" {
			return invalid("a signer has no public key")
		}
		if slices.ContainsFunc(all, func(old dsse.Signature) bool { return old.KeyID == id }) {
			return invalid("key %s has signed already", id)
		}
		sigs, err := s.Sign(ctx, pae)
		if err != nil {
			return err
		}
		if len(sigs) == 0 {
			return invalid("the signer for key %s returned no signature", id)
		}
		for _, sig := range sigs {
			if !s.PublicKey().verify(pae, sig) {
				return invalid("the signer for key %s returned a signature that does not verify", id)
			}
			all = append(all, dsse.Signature{KeyID: id, Sig: base64.StdEncoding.EncodeToString(sig)})
		}
	}
	if len(all) > MaxSignatures {
		return invalid("%d signatures: want at most %d", len(all), MaxSignatures)
	}
	env.Signatures = all
	return nil
}

// SignedBytes returns what every signature of an envelope is over: the DSSE pre-authentication encoding (PAE) of its
// payload. It is the message for "ssh-keygen -Y verify".
func SignedBytes(env *dsse.Envelope) ([]byte, error) {
	payload, err := DecodeBase64(env.Payload)
	if err != nil {
		return nil, invalid("envelope: payload: not base64")
	}
	return dsse.PAE(env.PayloadType, payload), nil
}

// SignatureIDs identifies the signatures of an envelope: for each, in order, the first 16 bytes of the SHA-256 of its
// bytes, in hexadecimal.
func SignatureIDs(env *dsse.Envelope) []string {
	if env == nil {
		return nil
	}
	var ids []string
	for _, s := range env.Signatures {
		if sig, err := DecodeBase64(s.Sig); err == nil {
			ids = append(ids, signatureID(sig))
		}
	}
	return ids
}

func signatureID(sig []byte) string {
	sum := sha256.Sum256(sig)
	return hex.EncodeToString(sum[:16])
}

// DecodeBase64 accepts the one encoding that the bytes have (RFC 4648, section 4).
func DecodeBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && base64.StdEncoding.EncodeToString(b) != s {
		err = base64.CorruptInputError(0)
	}
	if err != nil {
		return nil, err // not what was decoded so far
	}
	return b, nil
}

// verify reports whether sig, in either form, is the key's signature over pae.
func (k PublicKey) verify(pae, sig []byte) bool {
	if len(sig) == ed25519.SignatureSize {
		return ed25519.Verify(ed25519.PublicKey(k.raw), pae, sig)
	}
	s, err := sshsig.ParseSignature(sig)
	if err != nil || s.HashAlgorithm != sshsig.HashSHA512 && s.HashAlgorithm != sshsig.HashSHA256 {
		return false
	}
	return bytes.Equal(s.Marshal(), sig) && len(s.Signature.Rest) == 0 && // no byte of the blob goes unnoticed
		sshsig.Verify(bytes.NewReader(pae), s, k.ssh(), s.HashAlgorithm, SSHNamespace) == nil
}

// SSHSignature returns the armored signature of the key called id, or of the first key that has one if id is empty:
// the signature file for "ssh-keygen -Y verify". It is an error wrapping [opsec.ErrNotFound] if there is none.
func SSHSignature(env *dsse.Envelope, id string) ([]byte, error) {
	for _, s := range env.Signatures {
		if id != "" && id != s.KeyID {
			continue
		}
		blob, err := DecodeBase64(s.Sig)
		if err != nil || !bytes.HasPrefix(blob, []byte("SSHSIG")) {
			continue
		}
		if sig, err := sshsig.ParseSignature(blob); err == nil {
			return sshsig.Armor(sig), nil
		}
	}
	return nil, fmt.Errorf("trust: no SSH signature of key %q: %w", id, opsec.ErrNotFound)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("trust: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// LoadPrivateKey reads an OpenSSH private key file; see [ParsePrivateKey].
func LoadPrivateKey(name string, passphrase []byte) (Signer, error) {
	file, err := readFile(name, maxPrivateFile, "private key")
	if err != nil {
		return nil, err
	}
	defer clear(file)
	return ParsePrivateKey(file, passphrase)
}

// LoadPublicKey reads an OpenSSH .pub file; see [ParsePublicKey].
func LoadPublicKey(name string) (PublicKey, error) {
	file, err := readFile(name, maxPublicFile, "public key")
	if err != nil {
		return PublicKey{}, err
	}
	key, _, err := ParsePublicKey(file)
	return key, err
}

func readFile(name string, most int64, what string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("trust: %s: %w", what, err)
	}
	defer f.Close()
	return readAtMost(f, most, what)
}

// GenerateKeyFiles makes a new key and writes it as ssh-keygen would: the private one, without a passphrase, to name,
// readable by its owner alone, the public one to name with ".pub" added. The comment, at most 1024 bytes of printable
// UTF-8, may be empty. A file that exists is never overwritten, and after an error there is no new one.
func GenerateKeyFiles(name, comment string) (PublicKey, error) {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(comment) > 1024 || !utf8.ValidString(comment) || strings.ContainsFunc(comment, unprintable) {
		return PublicKey{}, invalid("comment of %d bytes: want at most 1024 of printable UTF-8", len(comment))
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return PublicKey{}, fmt.Errorf("trust: %w", err)
	}
	defer clear(key)
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return PublicKey{}, fmt.Errorf("trust: %w", err)
	}
	public := PublicKey{string(pub)}
	line, err := public.MarshalText()
	if err != nil {
		return PublicKey{}, err
	}
	if comment != "" {
		line = fmt.Appendf(line, " %s", comment)
	}
	if err := createFile(name, 0o600, pem.EncodeToMemory(block)); err != nil {
		return PublicKey{}, err
	}
	if err := createFile(name+".pub", 0o644, append(line, '\n')); err != nil {
		return PublicKey{}, errors.Join(err, os.Remove(name))
	}
	return public, nil
}

// createFile writes a file that must not exist yet, wholly or not at all.
func createFile(name string, mode os.FileMode, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("trust: %w", err), os.Remove(name))
	}
	return nil
}

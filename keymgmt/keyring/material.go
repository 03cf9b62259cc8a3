package keyring

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkkey "github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/signature"
	"github.com/tink-crypto/tink-go/v2/signature/rsassapss"
	"github.com/tink-crypto/tink-go/v2/streamingaead"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// maxMaterial is the longest material looked at, in bytes: a key of Tink's largest template that we take has 4 KiB.
const maxMaterial = 16 << 10

// Material is the [keymgmt.Material] of Tink: a binary keyset of one key, enabled and primary, as any Tink reads it. Keys
// have Tink's prefix, save those of Tink's streaming and PRF templates, whose output never has one.
type Material struct{}

// algorithms are the ones that this package knows, in Tink's names.
var algorithms = [...]struct {
	name     keymgmt.Algorithm
	template func() *tinkpb.KeyTemplate
}{
	{"AES256_GCM", aead.AES256GCMKeyTemplate},
	{"AES128_GCM", aead.AES128GCMKeyTemplate},
	{"AES256_GCM_SIV", aead.AES256GCMSIVKeyTemplate},
	{"AES128_GCM_SIV", aead.AES128GCMSIVKeyTemplate},
	{"XAES_256_GCM_192_BIT_NONCE", aead.XAES256GCM192BitNonceKeyTemplate},
	{"XAES_256_GCM_160_BIT_NONCE", aead.XAES256GCM160BitNonceKeyTemplate},
	{"XCHACHA20_POLY1305", aead.XChaCha20Poly1305KeyTemplate},
	{"CHACHA20_POLY1305", aead.ChaCha20Poly1305KeyTemplate},
	{"AES256_CTR_HMAC_SHA256", aead.AES256CTRHMACSHA256KeyTemplate},
	{"AES128_CTR_HMAC_SHA256", aead.AES128CTRHMACSHA256KeyTemplate},

	{"HMAC_SHA256_128BITTAG", mac.HMACSHA256Tag128KeyTemplate},
	{"HMAC_SHA256_256BITTAG", mac.HMACSHA256Tag256KeyTemplate},
	{"HMAC_SHA512_256BITTAG", mac.HMACSHA512Tag256KeyTemplate},
	{"HMAC_SHA512_512BITTAG", mac.HMACSHA512Tag512KeyTemplate},
	{"AES_CMAC", mac.AESCMACTag128KeyTemplate},

	{"ED25519", signature.ED25519KeyTemplate},
	{"ECDSA_P256", signature.ECDSAP256KeyTemplate},
	{"ECDSA_P384_SHA384", signature.ECDSAP384SHA384KeyTemplate},
	{"ECDSA_P384_SHA512", signature.ECDSAP384SHA512KeyTemplate},
	{"ECDSA_P521", signature.ECDSAP521KeyTemplate},
	{"RSA_SSA_PSS_3072_SHA256_SHA256_32_F4", signature.RSA_SSA_PSS_3072_SHA256_32_F4_Key_Template},
	{"RSA_SSA_PSS_4096_SHA512_SHA512_64_F4", signature.RSA_SSA_PSS_4096_SHA512_64_F4_Key_Template},

	{"HKDF_SHA256", prf.HKDFSHA256PRFKeyTemplate},
	{"HMAC_SHA256_PRF", prf.HMACSHA256PRFKeyTemplate},
	{"HMAC_SHA512_PRF", prf.HMACSHA512PRFKeyTemplate},

	{"AES256_GCM_HKDF_1MB", streamingaead.AES256GCMHKDF1MBKeyTemplate},
	{"AES256_GCM_HKDF_4KB", streamingaead.AES256GCMHKDF4KBKeyTemplate},
	{"AES128_GCM_HKDF_1MB", streamingaead.AES128GCMHKDF1MBKeyTemplate},
	{"AES128_GCM_HKDF_4KB", streamingaead.AES128GCMHKDF4KBKeyTemplate},
	{"AES256_CTR_HMAC_SHA256_1MB", streamingaead.AES256CTRHMACSHA256Segment1MBKeyTemplate},
	{"AES256_CTR_HMAC_SHA256_4KB", streamingaead.AES256CTRHMACSHA256Segment4KBKeyTemplate},
	{"AES128_CTR_HMAC_SHA256_1MB", streamingaead.AES128CTRHMACSHA256Segment1MBKeyTemplate},
	{"AES128_CTR_HMAC_SHA256_4KB", streamingaead.AES128CTRHMACSHA256Segment4KBKeyTemplate},
}

// New implements [keymgmt.Material]. The id is not 0.
func (Material) New(a keymgmt.Algorithm, id uint32) ([]byte, error) {
	if id == 0 {
		return nil, fmt.Errorf("keyring: key id 0: %w", opsec.ErrInvalid)
	}
	for _, known := range algorithms {
		if known.name != a {
			continue
		}
		handle, err := keyset.NewHandle(known.template())
		if err != nil {
			return nil, fmt.Errorf("keyring: a new key of %s: %w", a, err)
		}
		set := insecurecleartextkeyset.KeysetMaterial(handle)
		set.PrimaryKeyId, set.Key[0].KeyId = id, id
		return cleartext(set)
	}
	return nil, fmt.Errorf("keyring: algorithm %.64q is none that Tink has a template for: %w", string(a), opsec.ErrInvalid)
}

// Examine implements [keymgmt.Material]: one key, enabled, primary, its id not 0, made from one of the templates.
func (Material) Examine(material []byte) (keymgmt.Algorithm, uint32, error) {
	handle, err := parse(material)
	if err != nil {
		return "", 0, err
	}
	info := handle.KeysetInfo().GetKeyInfo()[0]
	entry, err := handle.Primary()
	if err != nil || info.GetKeyId() == 0 || info.GetStatus() != tinkpb.KeyStatusType_ENABLED {
		return "", 0, fmt.Errorf("keyring: material: want a key that is enabled, primary, and not called 0: %w", opsec.ErrInvalid)
	}
	for _, known := range algorithms {
		template := known.template()
		if template.GetTypeUrl() != info.GetTypeUrl() || template.GetOutputPrefixType() != info.GetOutputPrefixType() {
			continue
		}
		parameters, err := parametersOf(known.name, template)
		if err != nil {
			return "", 0, fmt.Errorf("keyring: the parameters of %s: %w", known.name, err)
		}
		if entry.Key().Parameters().Equal(parameters) {
			return known.name, info.GetKeyId(), nil
		}
	}
	return "", 0, fmt.Errorf("keyring: material: no known template makes such keys: %w", opsec.ErrInvalid)
}

// parametersOf returns what Tink calls the parameters of a template. They are to be had from a key made from it; keys of
// RSA take too long to make.
func parametersOf(a keymgmt.Algorithm, template *tinkpb.KeyTemplate) (tinkkey.Parameters, error) {
	switch a {
	case "RSA_SSA_PSS_3072_SHA256_SHA256_32_F4":
		return pss(3072, rsassapss.SHA256, 32)
	case "RSA_SSA_PSS_4096_SHA512_SHA512_64_F4":
		return pss(4096, rsassapss.SHA512, 64)
	}
	like, err := keyset.NewHandle(template)
	if err != nil {
		return nil, err
	}
	entry, err := like.Primary()
	if err != nil {
		return nil, err
	}
	return entry.Key().Parameters(), nil
}

func pss(bits int, hash rsassapss.HashType, salt int) (tinkkey.Parameters, error) {
	return rsassapss.NewParameters(rsassapss.ParametersValues{
		ModulusSizeBits: bits, SigHashType: hash, MGF1HashType: hash, PublicExponent: 65537, SaltLengthBytes: salt,
	}, rsassapss.VariantTink)
}

// parse reads material, of one key. Tink's errors are left out: what they quote is not ours to promise.
func parse(material []byte) (*keyset.Handle, error) {
	if len(material) > maxMaterial {
		return nil, fmt.Errorf("keyring: material of %d bytes, at most %d: %w", len(material), maxMaterial, opsec.ErrInvalid)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(material)))
	if err != nil || handle.Len() != 1 {
		return nil, fmt.Errorf("keyring: material: want a binary Tink keyset of one key: %w", opsec.ErrInvalid)
	}
	return handle, nil
}

// handleOf makes a handle of a keyset that lies in memory.
func handleOf(set *tinkpb.Keyset) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(inMemory{set})
	if err != nil {
		return nil, fmt.Errorf("keyring: Tink refuses the keyset: %w", opsec.ErrInvalid)
	}
	return handle, nil
}

// inMemory is a [keyset.Reader] of a keyset that has been read.
type inMemory struct{ set *tinkpb.Keyset }

func (m inMemory) Read() (*tinkpb.Keyset, error) { return m.set, nil }

func (m inMemory) ReadEncrypted() (*tinkpb.EncryptedKeyset, error) { return nil, opsec.ErrInvalid }

// cleartext writes a keyset in Tink's binary form.
func cleartext(set *tinkpb.Keyset) ([]byte, error) {
	handle, err := handleOf(set)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&b)); err != nil {
		return nil, fmt.Errorf("keyring: keyset not written: %w", err)
	}
	return b.Bytes(), nil
}

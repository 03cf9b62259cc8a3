package statement_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/statement"
)

const serial opsec.ID = "3e671687-395b-41f5-a30f-a58921a69b79"

// The words that the schema bom-1.6 of CycloneDX allows, read there.
var (
	cycloneStates     = []string{"pre-activation", "active", "suspended", "deactivated", "compromised", "destroyed"}
	cyclonePrimitives = []string{"mac", "signature", "kdf", "ae"} // of them, those that keys of ours are for
	cycloneAssets     = []string{"algorithm", "certificate", "protocol", "related-crypto-material"}
)

type parts struct {
	Components []struct {
		Type, Name string
		Ref        string `json:"bom-ref"`
		Crypto     struct {
			Asset     string `json:"assetType"`
			Algorithm struct {
				Primitive string
				Bits      int `json:"classicalSecurityLevel"`
			} `json:"algorithmProperties"`
			Material struct {
				Type, ID, State string
				Algorithm       string `json:"algorithmRef"`
			} `json:"relatedCryptoMaterialProperties"`
			Protocol struct{ Type, Version string } `json:"protocolProperties"`
		} `json:"cryptoProperties"`
		Properties []struct{ Name, Value string }
	}
}

func cbom(t testing.TB, s statement.Statement) (p parts) {
	text, err := s.CBOM(serial)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &p))
	refs := map[string]bool{}
	for _, c := range p.Components {
		require.Equal(t, "cryptographic-asset", c.Type)
		require.Contains(t, cycloneAssets, c.Crypto.Asset)
		require.False(t, refs[c.Ref], "%s twice", c.Ref)
		refs[c.Ref] = true
	}
	for _, c := range p.Components {
		if c.Crypto.Asset == "related-crypto-material" {
			require.True(t, refs[c.Crypto.Material.Algorithm])
			require.Contains(t, cycloneStates, c.Crypto.Material.State)
		}
	}
	return p
}

func TestBillOfMaterialsHasEachKeyAlgorithmAndChannelOnce(t *testing.T) {
	list := append(uses(), statement.Use{Data: "snapshots", Where: statement.Storage, At: "eu-1", Keyset: volumes},
		statement.Use{Data: "logs", Where: statement.Storage, At: "eu-1", Clear: true})
	var lines []string
	for _, c := range cbom(t, build(t, usual(), list...)).Components {
		lines = append(lines, fmt.Sprint(c.Ref, " ", c.Crypto.Algorithm, c.Crypto.Material.State, c.Crypto.Protocol, c.Properties))
	}
	slices.Sort(lines)
	require.Equal(t, []string{
		"algorithm/AES128_GCM {ae 128}{ } []",
		"algorithm/AES256_GCM {ae 256}{ } []",
		`channel/"api"/"credentials"/TLS 1.3/TLS_AES_128_GCM_SHA256 { 0}{tls 1.3} [{opsec:data transit credentials at api}]`,
		"key/@provider/disks/00000001 { 0}active{ } [{opsec:state active} {opsec:data backup volumes at vault-2}]",
		"key/acme/volumes/00000002 { 0}deactivated{ } [{opsec:state deactivated} {opsec:data storage snapshots at eu-1} {opsec:data storage volumes at eu-1}]",
		"key/acme/volumes/00000003 { 0}active{ } [{opsec:state active} {opsec:data storage snapshots at eu-1} {opsec:data storage volumes at eu-1}]",
	}, lines)
	_, err := statement.Statement{}.CBOM("x")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestBillOfMaterialsKnowsEveryStateAndAlgorithm(t *testing.T) {
	id := uint32(0)
	for _, p := range []keymgmt.Purpose{
		keymgmt.DataEncryption, keymgmt.KeyWrapping, keymgmt.Derivation, keymgmt.Authentication, keymgmt.Signature, keymgmt.Streaming,
	} {
		var list []keymgmt.Key
		for _, a := range keymgmt.Algorithms(p) {
			id++
			list = append(list, key(volumes, id, keymgmt.Active, a, 1))
		}
		require.NotEmpty(t, list)
		for _, c := range cbom(t, build(t, keys{volumes: list}, uses()[0])).Components {
			switch {
			case c.Crypto.Asset == "algorithm":
				require.Contains(t, cyclonePrimitives, c.Crypto.Algorithm.Primitive, c.Name)
				require.Positive(t, c.Crypto.Algorithm.Bits, c.Name)
				want := map[keymgmt.Purpose]string{keymgmt.Derivation: "kdf", keymgmt.Authentication: "mac", keymgmt.Signature: "signature"}[p]
				if want == "" {
					want = "ae"
				}
				require.Equal(t, want, c.Crypto.Algorithm.Primitive, c.Name)
			case p == keymgmt.Signature:
				require.Equal(t, "private-key", c.Crypto.Material.Type)
			default:
				require.Equal(t, "secret-key", c.Crypto.Material.Type)
			}
		}
	}
	for state := keymgmt.PreActivation; state <= keymgmt.External; state++ {
		if !state.Final() {
			cbom(t, build(t, keys{volumes: {key(volumes, 1, state, "AES256_GCM", 1)}}, uses()[0]))
		}
	}
}

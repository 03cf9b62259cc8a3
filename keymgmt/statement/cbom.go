package statement

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// CBOM returns the statement as a cryptography bill of materials, in JSON of CycloneDX 1.6 (ECMA-424): the algorithms, the
// keys with their state and dates, and the channels. Which data each protects, and the exact state where CycloneDX has a
// coarser one, stand in properties "opsec:data" and "opsec:state". Data in clear has no place there. The serial is a fresh id.
func (s Statement) CBOM(serial opsec.ID) ([]byte, error) {
	if err := serial.Validate(); err != nil {
		return nil, err
	}
	b := bom{
		Format: "CycloneDX", Spec: "1.6", Serial: "urn:uuid:" + string(serial), Version: 1, Metadata: metadata{s.Time.UTC()},
		Components: []*component{},
	}
	have := map[string]*component{}
	for _, e := range s.Entries {
		for _, c := range e.components() {
			if known := have[c.Ref]; known == nil {
				b.Components, have[c.Ref] = append(b.Components, c), c
			} else if n := len(c.Properties); n > 0 {
				known.Properties = append(known.Properties, c.Properties[n-1]) // its data
			}
		}
	}
	return json.MarshalIndent(b, "", "  ")
}

// What this package writes of the schema bom-1.6.
type (
	bom struct {
		Format     string       `json:"bomFormat"`
		Spec       string       `json:"specVersion"`
		Serial     string       `json:"serialNumber"`
		Version    int          `json:"version"`
		Metadata   metadata     `json:"metadata"`
		Components []*component `json:"components"`
	}
	metadata struct {
		Timestamp time.Time `json:"timestamp"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Crypto     crypto     `json:"cryptoProperties"`
		Properties []property `json:"properties,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	crypto struct {
		Asset     string     `json:"assetType"`
		Algorithm *algorithm `json:"algorithmProperties,omitempty"`
		Material  *material  `json:"relatedCryptoMaterialProperties,omitempty"`
		Protocol  *protocol  `json:"protocolProperties,omitempty"`
	}
	algorithm struct {
		Primitive string `json:"primitive"`
		Bits      int    `json:"classicalSecurityLevel"`
	}
	material struct {
		Type       string    `json:"type"`
		ID         string    `json:"id"`
		State      string    `json:"state,omitempty"`
		Algorithm  string    `json:"algorithmRef"`
		Activation time.Time `json:"activationDate,omitzero"`
		Expiration time.Time `json:"expirationDate,omitzero"`
	}
	protocol struct {
		Type    string  `json:"type"`
		Version string  `json:"version"`
		Suites  []suite `json:"cipherSuites,omitempty"`
	}
	suite struct {
		Name string `json:"name"`
	}
)

func (e Entry) components() []*component {
	data := property{"opsec:data", string(e.Where) + " " + e.Data + " at " + e.At}
	asset := func(ref, name string, c crypto, p ...property) *component {
		return &component{Type: "cryptographic-asset", Ref: ref, Name: name, Crypto: c, Properties: p}
	}
	switch {
	case e.Protocol != "":
		p := protocol{Type: "other", Version: e.Protocol}
		if version, tls := strings.CutPrefix(e.Protocol, "TLS "); tls {
			p.Type, p.Version = "tls", version
		}
		if e.Algorithm != "" {
			p.Suites = []suite{{e.Algorithm}}
		}
		ref := fmt.Sprintf("channel/%q/%q/%s/%s", e.At, e.Data, e.Protocol, e.Algorithm)
		return []*component{asset(ref, e.At, crypto{Asset: "protocol", Protocol: &p}, data)}
	case e.Key == 0:
		return nil
	}
	primitive, kind := primitive(e.Algorithm)
	ref := "algorithm/" + e.Algorithm
	id := fmt.Sprintf("%s/%08x", e.Set.ID, e.Key)
	return []*component{
		asset(ref, e.Algorithm, crypto{Asset: "algorithm", Algorithm: &algorithm{primitive, e.Strength}}),
		asset("key/"+string(e.Set.Tenant)+"/"+id, id, crypto{Asset: "related-crypto-material", Material: &material{
			Type: kind, ID: id, State: lifeOf(e.State), Algorithm: ref, Activation: e.Since, Expiration: e.ProcessUntil,
		}}, property{"opsec:state", e.State.String()}, data),
	}
}

// primitive returns CycloneDX's words for what an algorithm is, and what its keys are.
func primitive(name string) (primitive, key string) {
	for _, p := range []struct{ part, primitive, key string }{
		{"GCM", "ae", "secret-key"}, {"CHACHA20_POLY1305", "ae", "secret-key"}, {"CTR_HMAC", "ae", "secret-key"}, // before HKDF and HMAC
		{"HKDF", "kdf", "secret-key"}, {"PRF", "kdf", "secret-key"}, {"HMAC", "mac", "secret-key"}, {"CMAC", "mac", "secret-key"},
		{"ED25519", "signature", "private-key"}, {"ECDSA", "signature", "private-key"}, {"RSA_SSA", "signature", "private-key"},
	} {
		if strings.Contains(name, p.part) {
			return p.primitive, p.key
		}
	}
	return "unknown", "key"
}

// lifeOf returns CycloneDX's word for a state; it has those of SP 800-57.
func lifeOf(s keymgmt.State) string {
	switch s {
	case keymgmt.PreActivation, keymgmt.Importing:
		return "pre-activation"
	case keymgmt.Active, keymgmt.External:
		return "active"
	case keymgmt.Suspended, keymgmt.DestroyScheduled, keymgmt.DestroyFailed:
		return "suspended" // nobody uses it
	case keymgmt.Deactivated:
		return "deactivated"
	case keymgmt.Compromised:
		return "compromised"
	case keymgmt.Destroyed, keymgmt.DestroyedCompromised:
		return "destroyed"
	}
	return ""
}

package transit

import (
	"crypto/tls"
	"encoding/json"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says how connections must be protected. The zero Policy is strict: TLS 1.3, and certificates of both sides. In
// JSON unknown names are refused.
type Policy struct {
	// RequireHybrid refuses peers without a key exchange that combines elliptic curves with ML-KEM. Default: preferred.
	RequireHybrid bool `json:"require_hybrid,omitempty"`
	// SkipClientCertificates is for servers whose clients prove in another way who they are.
	SkipClientCertificates bool `json:"skip_client_certificates,omitempty"`
	// InsecureTLS12 admits TLS 1.2 as well, with ephemeral key exchange and authenticated encryption alone. It excludes
	// RequireHybrid, which TLS 1.2 does not have.
	InsecureTLS12 bool `json:"insecure_tls12,omitempty"`
}

// Validate returns an error wrapping [opsec.ErrInvalid] when the policy contradicts itself.
func (p Policy) Validate() error {
	if p.RequireHybrid && p.InsecureTLS12 {
		return invalid("policy: RequireHybrid with InsecureTLS12, which has no hybrid key exchange")
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	type plain Policy
	var read plain
	if err := strictjson.Decode(data, &read); err != nil {
		return fmt.Errorf("transit: policy: %w: %w", err, opsec.ErrInvalid)
	}
	if err := Policy(read).Validate(); err != nil {
		return err
	}
	*p = Policy(read)
	return nil
}

var _ json.Unmarshaler = (*Policy)(nil)

// hybrid reports whether a key exchange combines elliptic curves with ML-KEM.
func hybrid(id tls.CurveID) bool {
	switch id {
	case tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024:
		return true
	}
	return false
}

// config is what both sides have.
func (p Policy) config() (*tls.Config, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Go prefers the hybrid ones, whatever the order.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024},
	}
	if !p.RequireHybrid {
		c.CurvePreferences = append(c.CurvePreferences, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521)
	}
	if p.InsecureTLS12 {
		c.MinVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{ // of TLS 1.2; those of 1.3 are not configurable
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		}
	}
	return c, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("transit: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

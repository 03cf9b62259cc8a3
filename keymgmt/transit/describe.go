package transit

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"time"
)

// Channel is how a connection is protected, as plain data.
type Channel struct {
	Protocol    string `json:"protocol"`               // "TLS 1.3"; "none" before the end of the handshake
	KeyExchange string `json:"key_exchange,omitempty"` // "X25519MLKEM768", "X25519", "CurveP256", ...
	Hybrid      bool   `json:"hybrid"`                 // the key exchange has ML-KEM in it
	Cipher      string `json:"cipher,omitempty"`       // "TLS_AES_256_GCM_SHA384", ...
	Resumed     bool   `json:"resumed,omitempty"`      // from a session before
	ServerName  string `json:"server_name,omitempty"`  // that the client asked for

	PeerVerified bool      `json:"peer_verified"`         // the other side has proved to be who its certificate says
	Peer         string    `json:"peer,omitempty"`        // the subject of that certificate
	PeerSHA256   string    `json:"peer_sha256,omitempty"` // its digest, in hexadecimal
	PeerUntil    time.Time `json:"peer_until,omitzero"`   // the end of its validity
}

// Describe says how a connection is protected. To a server, PeerVerified says that the client has proved who it is too; to
// a client, TLS does not tell whether it was asked.
func Describe(s tls.ConnectionState) Channel {
	if !s.HandshakeComplete {
		return Channel{Protocol: "none"}
	}
	c := Channel{
		Protocol: tls.VersionName(s.Version), Hybrid: hybrid(s.CurveID), Cipher: tls.CipherSuiteName(s.CipherSuite),
		Resumed: s.DidResume, ServerName: s.ServerName, PeerVerified: len(s.VerifiedChains) > 0,
	}
	if s.CurveID != 0 { // none with RSA key exchange, of the past
		c.KeyExchange = s.CurveID.String()
	}
	if len(s.PeerCertificates) > 0 {
		leaf := s.PeerCertificates[0]
		sum := sha256.Sum256(leaf.Raw)
		c.Peer, c.PeerSHA256, c.PeerUntil = leaf.Subject.String(), hex.EncodeToString(sum[:]), leaf.NotAfter.UTC()
	}
	return c
}

// String returns protocol, key exchange, cipher and whether the peer is verified, for people to read.
func (c Channel) String() string {
	words := []string{c.Protocol}
	for _, w := range []string{c.KeyExchange, c.Cipher} {
		if w != "" {
			words = append(words, w)
		}
	}
	if c.PeerVerified {
		words = append(words, "peer verified")
	} else {
		words = append(words, "peer not verified")
	}
	return strings.Join(words, ", ")
}

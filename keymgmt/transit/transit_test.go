package transit_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/transit"
)

// party has what both sides need.
type party struct {
	ca             *authority
	server, client tls.Certificate
}

func newParty(t testing.TB) party {
	ca := newAuthority(t, "the authority")
	return party{
		ca: ca, server: ca.certificate(t, "server.example.org", x509.ExtKeyUsageServerAuth),
		client: ca.certificate(t, "client.example.org", x509.ExtKeyUsageClientAuth),
	}
}

func (p party) configs(t testing.TB, s, c transit.Policy) (server, client *tls.Config) {
	t.Helper()
	var clients *x509.CertPool
	if !s.SkipClientCertificates {
		clients = p.ca.pool()
	}
	server, err := transit.Server(s, transit.Certificate(p.server), clients)
	require.NoError(t, err)
	var own transit.Certificates
	if !c.SkipClientCertificates {
		own = transit.Certificate(p.client)
	}
	client, err = transit.Client(c, own, p.ca.pool())
	require.NoError(t, err)
	client.ServerName = "server.example.org"
	return server, client
}

func TestStrictSidesMeetAndSayHow(t *testing.T) {
	p := newParty(t)
	server, client := p.configs(t, transit.Policy{}, transit.Policy{})
	client.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for range 2 { // the second time a session could be resumed
		s, c, serverErr, clientErr := meet(t, server, client)
		require.NoError(t, serverErr)
		require.NoError(t, clientErr)
		sum := sha256.Sum256(p.client.Leaf.Raw)
		got := transit.Describe(s)
		require.Contains(t, got.Cipher, "TLS_")
		require.Equal(t, transit.Channel{
			Protocol: "TLS 1.3", KeyExchange: "X25519MLKEM768", Hybrid: true, Cipher: got.Cipher,
			ServerName: "server.example.org", PeerVerified: true, Peer: "CN=client.example.org",
			PeerSHA256: hex.EncodeToString(sum[:]), PeerUntil: long.to,
		}, got)
		require.Equal(t, "TLS 1.3, X25519MLKEM768, "+got.Cipher+", peer verified", got.String())
		require.Equal(t, "CN=server.example.org", transit.Describe(c).Peer)
		b, err := json.Marshal(got)
		require.NoError(t, err)
		var again transit.Channel
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, got, again)
	}
	require.Equal(t, transit.Channel{Protocol: "none"}, transit.Describe(tls.ConnectionState{}))
}

func TestWhoIsNotAsThePolicySaysGetsNoConnection(t *testing.T) {
	p, stranger := newParty(t), newAuthority(t, "another authority")
	classical := func(c *tls.Config) {
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	}
	skip, old := transit.Policy{SkipClientCertificates: true}, transit.Policy{InsecureTLS12: true}
	hybrid := transit.Policy{RequireHybrid: true}
	for name, test := range map[string]struct {
		server, client transit.Policy
		change         func(server, client *tls.Config)
		fine           bool
	}{
		"both strict":                  {fine: true},
		"client without a certificate": {client: skip},
		"nobody asks for one":          {server: skip, client: skip, fine: true},
		"client of another authority": {change: func(_, c *tls.Config) {
			present(c, stranger.certificate(t, "client.example.org", x509.ExtKeyUsageClientAuth))
		}},
		"client with a server certificate": {change: func(_, c *tls.Config) { present(c, p.server) }},
		"server of another authority":      {change: func(_, c *tls.Config) { c.RootCAs = stranger.pool() }},
		"server under another name":        {change: func(_, c *tls.Config) { c.ServerName = "other.example.org" }},
		"client that knows TLS 1.2":        {change: func(_, c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }},
		"server that knows TLS 1.2":        {server: old, change: func(s, _ *tls.Config) { s.MaxVersion = tls.VersionTLS12 }},
		"old client, old server":           {server: old, client: old, change: func(s, _ *tls.Config) { s.MaxVersion = tls.VersionTLS12 }, fine: true},
		"TLS 1.1, old server": {server: old, client: old, change: func(_, c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}},
		"TLS 1.2 without an AEAD": {server: old, client: old, change: func(_, c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}},
		"old sides that know better":          {server: old, client: old, fine: true},
		"classical client":                    {change: func(_, c *tls.Config) { classical(c) }, fine: true},
		"classical client, demanding server":  {server: hybrid, change: func(_, c *tls.Config) { classical(c) }},
		"demanding client, classical server":  {client: hybrid, change: func(s, _ *tls.Config) { classical(s) }},
		"both demand a hybrid key exchange":   {server: hybrid, client: hybrid, fine: true},
		"server that trusts another's client": {change: func(s, _ *tls.Config) { s.ClientCAs = stranger.pool() }},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := p.configs(t, test.server, test.client)
			if test.change != nil {
				test.change(server, client)
			}
			s, _, serverErr, clientErr := meet(t, server, client)
			if !test.fine {
				require.Error(t, clientErr)
				return
			}
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			got := transit.Describe(s)
			switch name {
			case "old client, old server":
				require.Equal(t, "TLS 1.2", got.Protocol)
				require.Contains(t, got.Cipher, "ECDHE")
				require.False(t, got.Hybrid)
			case "classical client":
				require.NotEmpty(t, got.KeyExchange) // X25519, or P-256 in FIPS mode
				require.False(t, got.Hybrid)
			case "nobody asks for one":
				require.False(t, got.PeerVerified)
				require.Contains(t, got.String(), "peer not verified")
			default:
				require.Equal(t, "TLS 1.3", got.Protocol)
				require.True(t, got.Hybrid)
			}
		})
	}
}

func present(c *tls.Config, cert tls.Certificate) {
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
}

func TestRequiredHybridIsNotLostToGODEBUG(t *testing.T) {
	p := newParty(t)
	t.Setenv("GODEBUG", "tlsmlkem=0")
	server, client := p.configs(t, transit.Policy{}, transit.Policy{})
	s, _, _, err := meet(t, server, client)
	require.NoError(t, err)
	require.False(t, transit.Describe(s).Hybrid)
	server, client = p.configs(t, transit.Policy{RequireHybrid: true}, transit.Policy{})
	_, _, _, err = meet(t, server, client)
	require.Error(t, err)
	server, client = p.configs(t, transit.Policy{}, transit.Policy{RequireHybrid: true})
	_, _, _, err = meet(t, server, client)
	require.Error(t, err)
}

func TestWhatContradictsItselfIsRefused(t *testing.T) {
	p := newParty(t)
	own, pool, skip := transit.Certificate(p.server), p.ca.pool(), transit.Policy{SkipClientCertificates: true}
	both := transit.Policy{RequireHybrid: true, InsecureTLS12: true}
	for _, fn := range []func() (*tls.Config, error){
		func() (*tls.Config, error) { return transit.Server(both, own, pool) },
		func() (*tls.Config, error) { return transit.Server(transit.Policy{}, nil, pool) },
		func() (*tls.Config, error) { return transit.Server(transit.Policy{}, own, nil) },
		func() (*tls.Config, error) { return transit.Server(skip, own, pool) },
		func() (*tls.Config, error) {
			return transit.Server(transit.Policy{}, transit.Certificate(tls.Certificate{}), pool)
		},
		func() (*tls.Config, error) { return transit.Server(transit.Policy{}, nothing{}, pool) },
		func() (*tls.Config, error) {
			return transit.Client(transit.Policy{}, transit.Certificate(tls.Certificate{}), pool)
		},
		func() (*tls.Config, error) { return transit.Client(transit.Policy{}, nothing{}, pool) },
		func() (*tls.Config, error) { return transit.Client(both, own, pool) },
		func() (*tls.Config, error) { return transit.Client(transit.Policy{}, nil, pool) },
		func() (*tls.Config, error) { return transit.Client(skip, own, pool) },
	} {
		c, err := fn()
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Nil(t, c)
	}
	read := transit.Policy{SkipClientCertificates: true}
	for _, bad := range []string{`{"require_hybrid":true,"insecure_tls12":true}`, `{"hybrid":true}`, `[]`, `{"require_hybrid":1}`} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &read), opsec.ErrInvalid)
		require.Equal(t, skip, read, "bad input changes nothing")
	}
	require.NoError(t, json.Unmarshal([]byte(`{"require_hybrid":true}`), &read))
	require.Equal(t, transit.Policy{RequireHybrid: true}, read)
}

// nothing has no certificate, and no error either.
type nothing struct{}

func (nothing) Certificate() (*tls.Certificate, error) { return nil, nil }

// later has a certificate when it is asked for the first time, and none afterwards.
type later struct {
	first tls.Certificate
	asked atomic.Int64
}

func (l *later) Certificate() (*tls.Certificate, error) {
	if l.asked.Add(1) > 1 {
		return nil, nil
	}
	return &l.first, nil
}

func TestACertificateThatHasGoneIsAnError(t *testing.T) {
	p := newParty(t)
	server, client := p.configs(t, transit.Policy{}, transit.Policy{})
	gone, err := transit.Client(transit.Policy{}, &later{first: p.client}, p.ca.pool())
	require.NoError(t, err)
	gone.ServerName = "server.example.org"
	_, _, _, clientErr := meet(t, server, gone)
	require.ErrorContains(t, clientErr, "no certificate")
	bare, err := transit.Server(transit.Policy{}, &later{first: p.server}, p.ca.pool())
	require.NoError(t, err)
	_, _, serverErr, _ := meet(t, bare, client)
	require.ErrorContains(t, serverErr, "no certificate")
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"require_hybrid":true,"skip_client_certificates":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		var p, again transit.Policy
		if json.Unmarshal([]byte(text), &p) != nil {
			require.Equal(t, transit.Policy{}, p)
			return
		}
		require.NoError(t, p.Validate())
		b, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, p, again)
	})
}

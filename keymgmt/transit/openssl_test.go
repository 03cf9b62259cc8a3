package transit_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/transit"
)

// openssl returns the program, without which the test is skipped, but not in CI.
func openssl(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no openssl")
		}
		t.Skip("no openssl")
	}
	return path
}

func TestOpenSSLConnectsAsThePolicySays(t *testing.T) {
	program, p, dir := openssl(t), newParty(t), t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	cert, key := p.ca.pair(t, "client.example.org", x509.ExtKeyUsageClientAuth, long)
	ca := file("ca", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.ca.cert.Raw}))
	mine := []string{"-cert", file("cert", cert), "-key", file("key", key)}

	// dial reports whether the server has answered openssl, and how it has seen the connection.
	dial := func(policy transit.Policy, args ...string) (transit.Channel, bool) {
		server, _ := p.configs(t, policy, transit.Policy{})
		l, err := tls.Listen("tcp", "127.0.0.1:0", server)
		require.NoError(t, err)
		defer l.Close()
		seen := make(chan transit.Channel, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			if _, err := conn.Write([]byte("hello from go\n")); err == nil { // which makes the handshake
				seen <- transit.Describe(conn.(*tls.Conn).ConnectionState())
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		cmd := exec.CommandContext(ctx, program, append([]string{"s_client", "-connect", "127.0.0.1:" + port,
			"-servername", "server.example.org", "-CAfile", ca, "-verify_return_error", "-quiet"}, args...)...)
		out, err := cmd.CombinedOutput()
		t.Logf("%v: %v\n%s", args, err, out)
		select {
		case c := <-seen:
			return c, true
		default:
			return transit.Channel{}, false
		}
	}
	c, ok := dial(transit.Policy{}, mine...)
	require.True(t, ok)
	require.Equal(t, "TLS 1.3", c.Protocol)
	require.True(t, c.PeerVerified)
	_, ok = dial(transit.Policy{})
	require.False(t, ok, "without a certificate")
	_, ok = dial(transit.Policy{}, append(mine, "-tls1_2")...)
	require.False(t, ok, "with TLS 1.2")
	c, ok = dial(transit.Policy{InsecureTLS12: true}, append(mine, "-tls1_2")...)
	require.True(t, ok)
	require.Equal(t, "TLS 1.2", c.Protocol)
	_, ok = dial(transit.Policy{InsecureTLS12: true}, append(mine, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA")...)
	require.False(t, ok, "without authenticated encryption")
	_, ok = dial(transit.Policy{RequireHybrid: true}, append(mine, "-groups", "X25519:P-256")...)
	require.False(t, ok, "without a hybrid key exchange")
}

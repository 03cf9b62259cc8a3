package transit_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloudopsec/opsec/keymgmt/transit"
)

func Example() {
	var t testing.T // stands for an authority that has issued certificates
	ca := newAuthority(&t, "authority")
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return
	}
	defer os.RemoveAll(dir)
	cert, key := ca.pair(&t, "kms.example.org", x509.ExtKeyUsageServerAuth, long)
	os.WriteFile(filepath.Join(dir, "server.crt"), cert, 0o600)
	os.WriteFile(filepath.Join(dir, "server.key"), key, 0o600)

	files, err := transit.NewFiles(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"), nil)
	if err != nil {
		fmt.Println(err)
	}
	server, err := transit.Server(transit.Policy{RequireHybrid: true}, files, ca.pool())
	if err != nil {
		fmt.Println(err)
	}
	mine := transit.Certificate(ca.certificate(&t, "tenant acme", x509.ExtKeyUsageClientAuth))
	client, err := transit.Client(transit.Policy{}, mine, ca.pool())
	if err != nil {
		fmt.Println(err)
	}
	client.ServerName = "kms.example.org"

	seen, _, _, _ := meet(&t, server, client) // tls.Listen on one side, tls.Dial on the other
	c := transit.Describe(seen)
	fmt.Println(c.Protocol, c.KeyExchange, c.Hybrid, c.PeerVerified, c.Peer)

	_, err = transit.Client(transit.Policy{}, nil, ca.pool())
	fmt.Println(err)
	// Output:
	// TLS 1.3 X25519MLKEM768 true true CN=tenant acme
	// transit: client without a certificate; see SkipClientCertificates: invalid
}

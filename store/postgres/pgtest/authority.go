//go:build unix

package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Authority issues certificates for a test.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.issue(t, filepath.Join(a.dir, "root"), a.cert)
	return a
}

// Root is the file of the authority's certificate.
func (a *Authority) Root() string { return filepath.Join(a.dir, "root.crt") }

// Certify issues a certificate to a user of the database, or to a server by its host name, and returns the files of it
// and of its key.
func (a *Authority) Certify(t testing.TB, name string, hosts ...string) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	path := filepath.Join(t.TempDir(), "certified")
	a.issue(t, path, template)
	return path + ".crt", path + ".key"
}

func (a *Authority) issue(t testing.TB, path string, template *x509.Certificate) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, path+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return key
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// secure returns the settings under which the server takes clients on loopback if they have a certificate in the name of
// their user.
func (s *Server) secure(t testing.TB) (settings []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	s.authority = NewAuthority(t)
	cert, key := s.authority.Certify(t, "server", "localhost")
	for name, from := range map[string]string{"root.crt": s.authority.Root(), "server.crt": cert, "server.key": key} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.data(), name), content)
		own(t, filepath.Join(s.data(), name))
	}
	const rules = "local all all trust\nhostssl all all samehost cert\n"
	write(t, filepath.Join(s.data(), "pg_hba.conf"), []byte(rules))
	own(t, filepath.Join(s.data(), "pg_hba.conf"))
	return []string{
		fmt.Sprintf("port = %d", s.port), "ssl = on", "ssl_ca_file = 'root.crt'", "ssl_min_protocol_version = 'TLSv1.3'",
	}
}

// Authority is who the server trusts to certify clients, and who has certified it for the name localhost; nil without
// [Options.TLS].
func (s *Server) Authority() *Authority { return s.authority }

// SecureDSN says how to connect through TLS to a server that is certified by root, with the files of a certificate, whose
// name is that of the user, and of its key; "" for none.
func (s *Server) SecureDSN(root, cert, key string, more ...string) string {
	dsn := fmt.Sprintf("host=localhost port=%d user=opsec dbname=postgres sslmode=verify-full sslrootcert=%s", s.port, root)
	if cert != "" {
		dsn += " sslcert=" + cert + " sslkey=" + key
	}
	return strings.Join(append([]string{dsn}, more...), " ")
}

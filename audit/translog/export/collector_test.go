package export_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority certifies for one test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a.store(t, "root", a.cert, a.key)
	return a
}

// certify makes the files name.crt and name.key.
func (a *authority) certify(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a.store(t, name, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
	pair, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
	require.NoError(t, err)
	return pair
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) store(t testing.TB, name string, template *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for ending, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: cert}, ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(a.file(name+ending), pem.EncodeToMemory(block), 0o600))
	}
}

func (a *authority) pool(t testing.TB) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(a.file("root.crt"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	return pool
}

// client is the TLS of a sender whom the authority has certified.
func (a *authority) client(t testing.TB) *tls.Config {
	return &tls.Config{RootCAs: a.pool(t), ServerName: "collector", Certificates: []tls.Certificate{a.certify(t, "client")}}
}

// collector is a receiver of RFC 5425 that can be made to fail.
type collector struct {
	listener net.Listener
	config   *tls.Config
	done     sync.WaitGroup

	mu       sync.Mutex
	got      []string // messages read, in order
	accepted int      // connections
	// act is asked before each read from a connection, with the number of messages that came over it.
	act func(connection, message int, c *tls.Conn) error
}

func collect(t testing.TB, a *authority, act func(connection, message int, c *tls.Conn) error) *collector {
	t.Helper()
	c := &collector{act: act, config: &tls.Config{
		Certificates: []tls.Certificate{a.certify(t, "collector")}, ClientCAs: a.pool(t),
		ClientAuth: tls.RequireAndVerifyClientCert,
	}}
	var err error
	c.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.done.Go(func() {
		for {
			conn, err := c.listener.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.accepted++
			number := c.accepted
			c.mu.Unlock()
			c.done.Go(func() {
				defer conn.Close()
				c.serve(number, tls.Server(&exact{Conn: conn}, c.config))
			})
		}
	})
	t.Cleanup(func() {
		c.listener.Close()
		c.done.Wait()
	})
	return c
}

// serve keeps what it reads, as a collector does, so that only what the network still has is lost with a connection.
func (c *collector) serve(connection int, conn *tls.Conn) {
	var held []byte
	chunk := make([]byte, 32<<10)
	for n := 0; ; {
		if c.act != nil {
			if err := c.act(connection, n, conn); err != nil {
				return // without close_notify
			}
		}
		size, err := conn.Read(chunk)
		for held = append(held, chunk[:size]...); ; n++ {
			length, rest, ok := bytes.Cut(held, []byte(" "))
			size, err := strconv.Atoi(string(length))
			if !ok || err != nil || size > len(rest) {
				break
			}
			c.mu.Lock()
			c.got = append(c.got, string(rest[:size]))
			c.mu.Unlock()
			held = rest[size:]
		}
		if err == io.EOF && len(held) == 0 {
			conn.Close() // close_notify
		}
		if err != nil {
			return
		}
	}
}

func (c *collector) messages() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.got...)
}

func (c *collector) addr() string { return c.listener.Addr().String() }

// exact is a connection from which TLS reads one record at a time, as OpenSSL does and crypto/tls does not.
type exact struct {
	net.Conn
	left   int // of the record
	header []byte
}

func (e *exact) Read(p []byte) (int, error) {
	inHeader := e.left == 0
	room := e.left
	if inHeader {
		room = 5 - len(e.header)
	}
	n, err := e.Conn.Read(p[:min(len(p), room)])
	if !inHeader {
		e.left -= n
	} else if e.header = append(e.header, p[:n]...); len(e.header) == 5 {
		e.left, e.header = int(e.header[3])<<8|int(e.header[4]), nil
	}
	return n, err
}

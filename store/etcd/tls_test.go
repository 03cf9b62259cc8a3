package etcd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
)

// authority issues certificates. Its own is ca.pem in the directory.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	a := &authority{dir: tempDir(t), key: key}
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue writes name.pem and name-key.pem, for a server of these hosts, or a client of this name.
func (a *authority) issue(t *testing.T, name string, hosts ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	a.write(t, name+".pem", "CERTIFICATE", der)
	der, err = x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	a.write(t, name+"-key.pem", "PRIVATE KEY", der)
}

// clientTLS is what the document of the package shows. The server's name is that of the endpoint; the client ignores
// tls.Config.ServerName.
func clientTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
	config.RootCAs.AppendCertsFromPEM(ca)
	if certFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

func startTLS(t *testing.T, ca *authority, server string) (port string) {
	t.Helper()
	address := freeAddress(t)
	startServer(t, func(cfg *embed.Config) {
		fast(cfg)
		u := []url.URL{{Scheme: "https", Host: address}}
		cfg.ListenClientUrls, cfg.AdvertiseClientUrls = u, u
		cfg.ClientTLSInfo.CertFile, cfg.ClientTLSInfo.KeyFile = ca.path(server+".pem"), ca.path(server+"-key.pem")
		cfg.ClientTLSInfo.TrustedCAFile, cfg.ClientTLSInfo.ClientCertAuth = ca.path("ca.pem"), true
	})
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

func TestCertificatesOfBothSidesAreVerified(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	ours.issue(t, "server", "localhost")
	ours.issue(t, "console")
	others.issue(t, "console")
	port := startTLS(t, ours, "server")
	open := func(t *testing.T, endpoint string, config *tls.Config) *etcd.Driver {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, TLS: config, Logger: zap.NewNop()})
		require.NoError(t, err)
		t.Cleanup(func() { client.Close() })
		return newDriver(t, client, "tls")
	}
	config := func(ca, cert *authority) *tls.Config {
		certFile, keyFile := "", ""
		if cert != nil {
			certFile, keyFile = cert.path("console.pem"), cert.path("console-key.pem")
		}
		config, err := clientTLS(ca.path("ca.pem"), certFile, keyFile)
		require.NoError(t, err)
		return config
	}
	good := open(t, "https://localhost:"+port, config(ours, ours))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := good.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "k", Value: []byte("v")}}})
	require.NoError(t, err)

	for name, test := range map[string]struct {
		endpoint string
		config   *tls.Config
	}{
		"a client without a certificate":          {"https://localhost:", config(ours, nil)},
		"a client with another CA's certificate":  {"https://localhost:", config(ours, others)},
		"a server with another name":              {"https://127.0.0.1:", config(ours, ours)},
		"a server with a certificate of other CA": {"https://localhost:", config(others, ours)},
		"a client without TLS":                    {"http://localhost:", nil},
		"a client whose endpoint is http":         {"http://localhost:", config(ours, ours)}, // which drops TLS
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, test.endpoint+port, test.config)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := d.Get(ctx, "k")
			require.Error(t, err)
			_, err = d.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "evil"}}})
			require.Error(t, err)
		})
	}
	items, err := good.List(ctx, store.Range{Limit: store.MaxPage})
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.Equal(t, "v", string(items[0].Value))
}

// TestRoleOfEtcdIsHeldToItsStore has the members check who may read and write below a prefix.
func TestRoleOfEtcdIsHeldToItsStore(t *testing.T) {
	endpoint := startServer(t, fast)
	root := newClient(t, endpoint)
	ctx := t.Context()
	for _, err := range []error{
		second(root.UserAdd(ctx, "root", "secret")), second(root.UserGrantRole(ctx, "root", "root")),
		second(root.UserAdd(ctx, "console", "secret")), second(root.RoleAdd(ctx, "console")), second(root.UserGrantRole(ctx, "console", "console")),
		second(root.RoleGrantPermission(ctx, "console", "prod:", clientv3.GetPrefixRangeEnd("prod:"), clientv3.PermissionType(clientv3.PermReadWrite))),
		second(root.AuthEnable(ctx)),
	} {
		require.NoError(t, err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Username: "console", Password: "secret", Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	own, other := newDriver(t, client, "prod"), newDriver(t, client, "prod.")

	require.NoError(t, insert(ctx, newDB(t, own), "1/a", "1/b"))
	hints, _ := listen(t, own, "")
	forget(hints)
	require.NoError(t, insert(ctx, newDB(t, own), "2/a", "2/b"))
	requireHint(t, hints)

	_, err = other.Get(ctx, "k")
	require.ErrorContains(t, err, "permission denied")
	_, err = other.Get(ctx, "k", "l")
	require.ErrorContains(t, err, "permission denied")
	_, err = other.List(ctx, store.Range{Limit: 1})
	require.ErrorContains(t, err, "permission denied")
	_, err = other.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "k"}}})
	require.ErrorContains(t, err, "permission denied")
	require.NotErrorIs(t, err, store.ErrIndeterminate)
	for _, err := range other.Watch(ctx, "") {
		require.ErrorContains(t, err, "permission denied")
	}
}

func second[T any](_ T, err error) error { return err }

package transit_test

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/transit"
)

func TestRenewedCertificateIsTakenWholeOrNotAtAll(t *testing.T) {
	p := newParty(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	write := func(c, k []byte) {
		require.NoError(t, os.WriteFile(cert, c, 0o600))
		require.NoError(t, os.WriteFile(key, k, 0o600))
	}
	month := 30 * 24 * time.Hour
	pair := func(name string, from time.Time) ([]byte, []byte) {
		return p.ca.pair(t, name, x509.ExtKeyUsageServerAuth, validity{from, from.Add(month)})
	}
	c1, k1 := pair("first", start.Add(-time.Hour))
	c2, k2 := pair("second", start.Add(-time.Hour))
	future, futureKey := pair("future", start.Add(time.Hour))
	past, pastKey := pair("past", start.Add(-2*month))

	now := start
	var log bytes.Buffer
	o := &transit.Options{
		Now: func() time.Time { return now }, Every: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	write(c1, k1)
	f, err := transit.NewFiles(cert, key, o)
	require.NoError(t, err)
	uses := func(name string) {
		t.Helper()
		c, err := f.Certificate()
		require.NoError(t, err)
		require.Equal(t, name, c.Leaf.Subject.CommonName)
	}
	complaints := func() int { return strings.Count(log.String(), "not renewed") }
	for _, bad := range [][2][]byte{{c2, k1}, {nil, k2}, {c2, nil}, {[]byte("no PEM"), k2}, {future, futureKey}, {past, pastKey}} {
		write(bad[0], bad[1])
		now = now.Add(time.Minute)
		before := complaints()
		uses("first")
		require.Equal(t, before+1, complaints())
		now = now.Add(time.Minute)
		uses("first")
		require.Equal(t, before+1, complaints(), "once for one trouble")
		write(c1, k1)
		now = now.Add(time.Minute)
		uses("first")
	}
	require.NoError(t, os.Remove(key))
	now = now.Add(time.Minute)
	uses("first")
	write(c2, k2)
	now = now.Add(time.Minute - 1)
	uses("first") // not looked at yet
	now = now.Add(1)
	uses("second")
	require.Contains(t, log.String(), "certificate renewed")
	require.NotContains(t, log.String(), "PRIVATE")

	write(future, futureKey)
	now = start.Add(2 * time.Hour)
	uses("future")
	write(c1, k1)
	now = start.Add(time.Hour) // a clock that goes back does not stop it
	uses("first")
}

func TestFilesThatAreNoPairAreRefused(t *testing.T) {
	p := newParty(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	o := &transit.Options{Now: func() time.Time { return start }}
	try := func() error { _, err := transit.NewFiles(cert, key, o); return err }
	require.ErrorIs(t, try(), opsec.ErrInvalid)
	require.ErrorIs(t, try(), os.ErrNotExist)
	c, k := p.ca.pair(t, "x", x509.ExtKeyUsageServerAuth, long)
	require.NoError(t, os.WriteFile(cert, c, 0o600))
	require.ErrorContains(t, try(), "key")
	require.NoError(t, os.WriteFile(key, k, 0o600))
	require.NoError(t, try())
	require.NoError(t, os.WriteFile(key, k[:len(k)/2], 0o600))
	require.ErrorIs(t, try(), opsec.ErrInvalid)
	c, k = p.ca.pair(t, "x", x509.ExtKeyUsageServerAuth, validity{start.Add(-2), start.Add(-time.Hour)})
	require.NoError(t, os.WriteFile(cert, c, 0o600))
	require.NoError(t, os.WriteFile(key, k, 0o600))
	require.ErrorContains(t, try(), "not now")
	_, err := transit.NewFiles(cert, key, &transit.Options{Every: -1})
	require.ErrorContains(t, err, "Every")
}

func TestServerTakesRenewalBetweenConnections(t *testing.T) {
	p := newParty(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	write := func(name string) {
		c, k := p.ca.pair(t, name, x509.ExtKeyUsageServerAuth, long)
		require.NoError(t, os.WriteFile(cert, c, 0o600))
		require.NoError(t, os.WriteFile(key, k, 0o600))
	}
	write("a.example.org")
	files, err := transit.NewFiles(cert, key, &transit.Options{Every: 1})
	require.NoError(t, err)
	server, err := transit.Server(transit.Policy{}, files, p.ca.pool())
	require.NoError(t, err)
	for _, name := range []string{"a.example.org", "b.example.org"} {
		write(name)
		_, client := p.configs(t, transit.Policy{}, transit.Policy{})
		client.ServerName = name
		_, _, serverErr, clientErr := meet(t, server, client)
		require.NoError(t, serverErr)
		require.NoError(t, clientErr)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if c, err := files.Certificate(); c == nil || err != nil {
					t.Error("no certificate")
				}
			}
		})
	}
	wg.Wait()
}

package translog_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xchacha20poly1305"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// Tink's AEAD is what a file of keys takes, and what it gives.
var (
	_ subject.Sealer = tink.AEAD(nil)
	_ tink.AEAD      = entry.Key(nil)
)

// turn gives the kit's master another keyset.
func (k *kit) turn(h *keyset.Handle) {
	k.t.Helper()
	var err error
	k.master, err = aead.New(h)
	require.NoError(k.t, err)
}

// change returns a keyset after what f did to it.
func change(t *testing.T, h *keyset.Handle, f func(*keyset.Manager) error) *keyset.Handle {
	t.Helper()
	m := keyset.NewManagerFromHandle(h)
	require.NoError(t, f(m))
	h, err := m.Handle()
	require.NoError(t, err)
	return h
}

// erased counts the log-ins that the reader sees of one tenant, and those of which nothing is left but the tenant's part.
func (k *kit) erased(l *running, q translog.Query) (all, gone int) {
	k.t.Helper()
	q.Actions = []string{"console.login"}
	for e, err := range l.View(reader, translog.Profile{Name: "all", AllTenants: true, Most: "personal"}).Query(k.t.Context(), q) {
		require.NoError(k.t, err)
		all++
		if e.Event.Actor.Account == "[erased]" {
			require.Equal(k.t, "[erased]", e.Event.Actor.Person)
			require.Equal(k.t, "console", e.Event.System)
			gone++
		}
	}
	return all, gone
}

func TestKeysUnderTink(t *testing.T) {
	templates := map[string]func() (*keyset.Handle, error){
		"AES256-GCM":         func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMKeyTemplate()) },
		"AES256-GCM-SIV":     func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMSIVKeyTemplate()) },
		"AES256-CTR-HMAC":    func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256CTRHMACSHA256KeyTemplate()) },
		"XCHACHA20-POLY1305": func() (*keyset.Handle, error) { return keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate()) },
		"XAES-256-GCM":       func() (*keyset.Handle, error) { return keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate()) },
	}
	for name, template := range templates {
		t.Run(name, func(t *testing.T) {
			old, err := template()
			require.NoError(t, err)
			k := newKit(t)
			k.turn(old)
			l := k.run()
			require.NoError(t, write(t.Context(), l, 0, 6*37, 100)) // every account of every tenant once
			settle(t, l)
			all, gone := k.erased(l, translog.Query{})
			require.Equal(t, 6*37, all)
			require.Zero(t, gone)
			r, err := l.Append(t.Context(), event(3)) // of tenant-3 and account-3: it is there already
			require.NoError(t, err)
			handles, err := l.Erase(t.Context(), reader, entry.Subject{Tenant: "tenant-3", Person: "person-of-account-3"}, "asked to")
			require.NoError(t, err)
			require.Len(t, handles, 1)
			_, gone = k.erased(l, translog.Query{})
			require.Equal(t, 1, gone)
			require.NoError(t, l.stop())

			// The keyset is rotated within.
			both := change(t, old, func(m *keyset.Manager) error {
				h, err := template()
				require.NoError(t, err)
				primary, err := h.Primary()
				require.NoError(t, err)
				id, err := m.AddKey(primary.Key())
				return errors.Join(err, m.SetPrimary(id))
			})
			k.turn(both)
			l = k.run()
			all, gone = k.erased(l, translog.Query{})
			require.Equal(t, 6*37, all)
			require.Equal(t, 1, gone)
			again := event(3 + 6*37)
			_, err = l.Append(t.Context(), again) // the person comes again: a new subject, under the new key
			require.NoError(t, err)
			settle(t, l)
			all, gone = k.erased(l, translog.Query{Tenant: "tenant-3", Account: "account-3"})
			require.Equal(t, 1, all, "what is erased cannot be looked for")
			require.Zero(t, gone)
			proof, err := l.Prove(t.Context(), r.Index)
			require.NoError(t, err)
			_, err = proof.Verify(r.Leaf, k.policy.Trust, time.Now())
			require.NoError(t, err)
			require.NoError(t, l.stop())
			report := k.verify(verify.Options{})
			require.True(t, report.OK, "%v", report.Findings)

			// Neither of the two keys is enough alone any more, and another keyset is none at all.
			id, err := old.Primary()
			require.NoError(t, err)
			stranger, err := template()
			require.NoError(t, err)
			for how, h := range map[string]*keyset.Handle{
				"only the new": change(t, both, func(m *keyset.Manager) error { return m.Disable(id.KeyID()) }),
				"another":      stranger,
			} {
				k.turn(h)
				_, err := k.openKeys()
				require.ErrorContains(t, err, "not the master key", how)
			}
			k.turn(both)
			l = k.run()
			require.NoError(t, l.stop())
		})
	}
}

// A key that stays in a KMS wraps keys too, by Tink's envelopes.
func TestKeysUnderAnEnvelope(t *testing.T) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	remote, err := aead.New(h)
	require.NoError(t, err)
	k := newKit(t)
	k.master = aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), remote)
	long := entry.Subject{Tenant: "acme", Account: strings.Repeat("account", 100), Person: strings.Repeat("person", 100)}
	require.NoError(t, os.MkdirAll(k.dir, 0o700))
	keys, err := k.openKeys()
	require.NoError(t, err)
	handle, key, err := keys.Subject(t.Context(), long)
	require.NoError(t, err)
	sealed, err := key.Encrypt([]byte("laptop"), nil)
	require.NoError(t, err)
	require.NoError(t, keys.Close())

	keys, err = k.openKeys()
	require.NoError(t, err)
	defer keys.Close()
	found, err := keys.Find(t.Context(), long)
	require.NoError(t, err)
	require.Equal(t, []entry.Handle{handle}, found)
	again, err := keys.Key(t.Context(), handle)
	require.NoError(t, err)
	plain, err := again.Decrypt(sealed, nil)
	require.NoError(t, err)
	require.Equal(t, "laptop", string(plain))
	require.NoError(t, keys.Erase(t.Context(), handle))
	_, err = again.Decrypt(sealed, nil)
	require.ErrorIs(t, err, entry.ErrErased)
}

// teller is a master that tells what it wraps.
type teller struct {
	tink.AEAD
	told [][]byte
}

func (m *teller) Encrypt(plaintext, data []byte) ([]byte, error) {
	m.told = append(m.told, append([]byte(nil), plaintext...))
	return m.AEAD.Encrypt(plaintext, data)
}

// The keys of subjects are in the form of Tink's XCHACHA20_POLY1305_RAW: Tink opens what they have sealed, and they open
// what Tink has.
func TestTinkOpensWhatASubjectsKeySeals(t *testing.T) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	inner, err := aead.New(h)
	require.NoError(t, err)
	master := &teller{AEAD: inner}
	keys, err := subject.OpenFile(filepath.Join(t.TempDir(), "keys"), master, make([]byte, 32), nil)
	require.NoError(t, err)
	defer keys.Close()
	before := len(master.told)
	_, key, err := keys.Subject(t.Context(), entry.Subject{Tenant: "acme", Account: "eve"})
	require.NoError(t, err)
	require.Len(t, master.told, before+1)

	raw := secretdata.NewBytesFromData(master.told[before][:chacha20poly1305.KeySize], insecuresecretdataaccess.Token{})
	parameters, err := xchacha20poly1305.NewParameters(xchacha20poly1305.VariantNoPrefix)
	require.NoError(t, err)
	its, err := xchacha20poly1305.NewKey(raw, 0, parameters)
	require.NoError(t, err)
	m := keyset.NewManager()
	id, err := m.AddKey(its)
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(id))
	h, err = m.Handle()
	require.NoError(t, err)
	theirs, err := aead.New(h)
	require.NoError(t, err)

	sealed, err := key.Encrypt([]byte("laptop-of-eve"), []byte("entry 7"))
	require.NoError(t, err)
	plain, err := theirs.Decrypt(sealed, []byte("entry 7"))
	require.NoError(t, err)
	require.Equal(t, "laptop-of-eve", string(plain))
	sealed, err = theirs.Encrypt(plain, []byte("entry 8"))
	require.NoError(t, err)
	plain, err = key.Decrypt(sealed, []byte("entry 8"))
	require.NoError(t, err)
	require.Equal(t, "laptop-of-eve", string(plain))
	_, err = key.Decrypt(sealed, []byte("entry 9"))
	require.Error(t, err)
}

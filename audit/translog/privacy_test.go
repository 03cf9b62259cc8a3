package translog_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// master wraps keys, as a keyset of Tink would.
type master struct{ key [32]byte }

func (m master) Encrypt(plaintext, ad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(m.key[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, plaintext, ad), nil
}

func (m master) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(m.key[:])
	if err != nil || len(ciphertext) < aead.NonceSize() {
		return nil, opsec.ErrInvalid
	}
	return aead.Open(nil, ciphertext[:aead.NonceSize()], ciphertext[aead.NonceSize():], ad)
}

// filed gives the kit keys in a file of the log's directory.
func (k *kit) filed() *subject.File {
	k.t.Helper()
	require.NoError(k.t, os.MkdirAll(k.dir, 0o700))
	keys, err := subject.OpenFile(filepath.Join(k.dir, "keys"), master{[32]byte{1}}, bytes.Repeat([]byte{2}, 32), nil)
	require.NoError(k.t, err)
	k.opts.Keys = keys
	return keys
}

// absent requires that no file below dir holds a value in any common form.
func absent(t testing.TB, dir string, values ...string) {
	t.Helper()
	for name, f := range load(t, dir) {
		for _, v := range values {
			for form, b := range map[string]string{
				"clear": v, "hex": hex.EncodeToString([]byte(v)), "base64": base64.RawStdEncoding.EncodeToString([]byte(v))[:len(v)],
			} {
				require.False(t, bytes.Contains(f.Data, []byte(b)) || strings.Contains(name, b), "%q, %s, in %s", v, form, name)
			}
		}
	}
}

func TestErasedPersonIsGoneAndEveryProofStands(t *testing.T) {
	k := newKit(t)
	keys := k.filed()
	l := k.open()
	var hers []translog.Receipt
	for n := range 40 {
		if r := k.append(l, "acme", []string{"eve", "mallory"}[n%2], n); n%2 == 0 {
			hers = append(hers, r)
		}
	}
	settle(t, l)
	v := l.View(reader, translog.TenantProfile())
	proof, err := l.Prove(t.Context(), hers[3].Index)
	require.NoError(t, err)
	var secrets []string // the wrapped key of hers, as the file has it
	raw, err := os.ReadFile(filepath.Join(k.dir, "keys"))
	require.NoError(t, err)

	none, err := l.Erase(t.Context(), reader, entry.Subject{Tenant: "acme", Person: "nobody"}, "")
	require.NoError(t, err)
	require.Empty(t, none)
	gone, err := l.Erase(t.Context(), reader, entry.Subject{Tenant: "acme", Person: "person-of-eve"}, "asked to")
	require.NoError(t, err)
	require.Len(t, gone, 1)
	settle(t, l)

	got := collect(t, v, translog.Query{Actions: []string{"console.login"}})
	require.Len(t, got, 40)
	for n, e := range got {
		if n%2 == 0 {
			require.Equal(t, "[erased]", e.Event.Actor.Account)
			require.False(t, e.Event.Actor.IP.IsValid())
			require.Equal(t, "console", e.Event.System, "what is the tenant's stays")
		} else {
			require.Equal(t, "mallory", e.Event.Actor.Account)
		}
	}
	require.Empty(t, collect(t, v, translog.Query{Account: "eve", Actions: []string{"console.login"}}))
	_, err = proof.Verify(hers[3].Leaf, k.policy.Trust, time.Now())
	require.NoError(t, err)
	tombs := collect(t, v, translog.Query{Actions: []string{translog.ActionErase}})
	require.Len(t, tombs, 2)
	require.Equal(t, opsec.Pending, tombs[0].Event.Outcome)
	require.Equal(t, opsec.Success, tombs[1].Event.Outcome)
	require.Equal(t, gone[0].String(), tombs[1].Event.Attrs[0].Value)

	require.NoError(t, l.stop())
	require.NoError(t, keys.Close())
	k.sound()
	after, err := os.ReadFile(filepath.Join(k.dir, "keys"))
	require.NoError(t, err)
	lost := 0
	for i := 0; i+16 <= len(raw) && i+16 <= len(after); i += 16 { // what is no longer there must be nowhere
		if piece := raw[i : i+16]; !bytes.Equal(piece, after[i:i+16]) && !bytes.Equal(piece, make([]byte, 16)) {
			lost++
			secrets = append(secrets, string(piece))
		}
	}
	require.Positive(t, lost, "something was overwritten")
	absent(t, k.dir, append(secrets, "person-of-eve", "laptop-of-eve", "eve@example.org", "session-2")...)

	// Who comes again is a new subject.
	k.filed()
	l = k.open()
	k.append(l, "acme", "eve", 1)
	settle(t, l)
	require.Len(t, collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Account: "eve", Actions: []string{"console.login"}}), 1)
}

func TestNothingOfATenantIsReadableInTheDirectory(t *testing.T) {
	k := newKit(t)
	k.filed()
	l := k.open()
	for n := range 50 {
		k.append(l, "acme-corporation", "eve-adams", n)
	}
	require.NoError(t, l.stop())
	absent(t, k.dir, "acme-corporation", "eve-adams", "person-of-eve-adams", "realm-of-acme-corporation", "laptop-of-eve-adams", "192.0.2.7")
}

func TestHoldKeepsFromErasure(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	require.NoError(t, l.Hold(t.Context(), reader, translog.Hold{ID: "case-1", Tenant: "acme", Reason: "litigation"}))
	_, err := l.Erase(t.Context(), reader, entry.Subject{Tenant: "acme", Account: "eve"}, "")
	require.ErrorIs(t, err, translog.ErrHeld)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.NoError(t, l.stop())
	l = k.open()
	require.Len(t, l.Holds(), 1, "it lasts")
	require.NoError(t, l.Lift(t.Context(), reader, "case-1", "settled"))
	require.ErrorIs(t, l.Lift(t.Context(), reader, "case-1", ""), opsec.ErrNotFound)
	gone, err := l.Erase(t.Context(), reader, entry.Subject{Tenant: "acme", Account: "eve"}, "")
	require.NoError(t, err)
	require.Len(t, gone, 1)
}

func TestErasedTenantIsGone(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	k.append(l, "globex", "eve", 2)
	_, err := l.Erase(t.Context(), reader, entry.Subject{Tenant: "acme"}, "an account was forgotten here")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = l.EraseTenant(t.Context(), reader, "acme", "contract ended")
	require.NoError(t, err)
	settle(t, l)
	all := translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal}
	got := collect(t, l.View(reader, all), translog.Query{Actions: []string{"console.login"}})
	require.Len(t, got, 2)
	require.Equal(t, "[erased]", got[0].Event.System)
	require.Equal(t, "eve", got[1].Event.Actor.Account)
	require.NoError(t, l.stop())
	k.sound()
}

func TestExportVerifiesElsewhereAndMissesNothing(t *testing.T) {
	k := newKit(t)
	l := k.open()
	for n := range 120 {
		k.append(l, opsec.TenantID([]string{"acme", "globex"}[n%2]), "eve", n)
	}
	settle(t, l)
	for _, form := range []export.Form{export.JSON, export.OCSF, export.Syslog} {
		var file bytes.Buffer
		s, err := l.View(reader, translog.TenantProfile()).Export(t.Context(), &file, "acme", form, export.Policy{})
		require.NoError(t, err)
		n := 0
		found, err := statement.Read(bytes.NewReader(file.Bytes()), statement.Options{Trust: k.policy.Trust, Each: func(e *opsec.Event) error {
			require.Equal(t, opsec.TenantID("acme"), e.Tenant)
			n++
			return nil
		}})
		require.NoError(t, err, form)
		require.Equal(t, s.Events, found.Events)
		require.GreaterOrEqual(t, n, 60)

		lines := strings.SplitAfter(strings.TrimSuffix(file.String(), "\n"), "\n")
		read := func(lines ...string) error {
			_, err := statement.Read(strings.NewReader(strings.Join(lines, "")), statement.Options{Trust: k.policy.Trust})
			return err
		}
		for i := 1; i < len(lines); i++ {
			without := append(append([]string{}, lines[:i]...), lines[i+1:]...)
			require.ErrorIs(t, read(without...), statement.ErrIncomplete, "without line %d", i)
		}
		without := append([]string{lines[0]}, lines[2:]...)
		found, err = statement.Read(strings.NewReader(strings.Join(without, "")), statement.Options{Trust: k.policy.Trust, From: 2})
		require.NoError(t, err)
		require.Equal(t, uint64(2), found.First)
		_, err = statement.Read(strings.NewReader(file.String()), statement.Options{Trust: k.policy.Trust, Tenant: entry.Handle{1}})
		require.ErrorIs(t, err, statement.ErrIncomplete, "another tag than the tenant's")
		require.ErrorIs(t, read(lines[0], lines[2], lines[1]), statement.ErrIncomplete)
		require.ErrorIs(t, read(lines[:len(lines)-1]...), statement.ErrIncomplete)
		require.ErrorIs(t, read(lines[0]), statement.ErrIncomplete)
		require.ErrorIs(t, read(append(lines[:len(lines):len(lines)], "\n", lines[1])...), statement.ErrIncomplete)
		altered := strings.Replace(lines[5], "eve", "bob", 1)
		require.NotEqual(t, lines[5], altered)
		require.Error(t, read(append(append([]string{}, lines[:5]...), append([]string{altered}, lines[6:]...)...)...))

		var other bytes.Buffer
		_, err = l.View(reader, translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal}).Export(t.Context(), &other, "globex", form, export.Policy{})
		require.NoError(t, err)
		theirs := strings.SplitAfter(other.String(), "\n")
		require.ErrorIs(t, read(append([]string{lines[0]}, theirs[1:]...)...), statement.ErrIncomplete, "another tenant's events")
	}
}

// openKeys opens subject keys in a file, for the crash test and its child.
func openKeys(path string) *subject.File {
	keys, err := subject.OpenFile(path, master{[32]byte{1}}, bytes.Repeat([]byte{2}, 32), nil)
	if err != nil {
		panic(err)
	}
	return keys
}

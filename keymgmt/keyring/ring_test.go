package keyring_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

// bare is Tink with the material of a key, and without anything of ours.
func bare(t testing.TB, f *fake, ref keymgmt.Ref) tink.AEAD {
	m, err := f.custodian.Unwrap(t.Context(), "root", f.keys[ref].Wrapped, keymgmt.MaterialContext(ref).Bytes())
	require.NoError(t, err)
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(m)))
	require.NoError(t, err)
	a, err := aead.New(h)
	require.NoError(t, err)
	return a
}

func TestRingSealsWhatTinkOpensAndTheOtherWayRound(t *testing.T) {
	for _, a := range keymgmt.Algorithms(keymgmt.DataEncryption) {
		f := newFake(t)
		f.change(invoice, func(s *keymgmt.Keyset) { s.Algorithm = a })
		id := f.rotate(t, invoice)
		n, _ := node(t, f, nil)
		r := ring(t, n, invoice)
		peer := bare(t, f, keymgmt.Ref{Set: invoice, Key: id})
		rapid.Check(t, func(rt *rapid.T) {
			plain := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(rt, "plain")
			c := label(t, "invoice", rapid.StringMatching(`[a-z]{0,8}`).Draw(rt, "invoice"))

			ours, err := r.Seal(nil, plain, c)
			require.NoError(t, err, a)
			require.Equal(t, []byte{1, 0, 0, 0, 2}, ours[:5])
			opened, err := peer.Decrypt(ours, c.Bytes())
			require.NoError(t, err, a)
			require.True(t, bytes.Equal(plain, opened))

			theirs, err := peer.Encrypt(plain, c.Bytes())
			require.NoError(t, err)
			opened, err = r.Open(nil, theirs, c)
			require.NoError(t, err, a)
			require.True(t, bytes.Equal(plain, opened))
		})
	}
}

func TestOpenRefusesWhatWasNotSealedSo(t *testing.T) {
	f := newFake(t)
	other := keymgmt.SetID{Tenant: "acme", ID: "other"}
	f.create(other, keymgmt.DataEncryption, "AES256_GCM")
	f.rotate(t, other)
	n, _ := node(t, f, nil)
	r, o := ring(t, n, invoice), ring(t, n, other)
	c := label(t, "invoice", "1")
	sealed, err := r.Seal(nil, []byte("secret"), c)
	require.NoError(t, err)

	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		_, err := r.Open(nil, bad, c)
		require.True(t, errors.Is(err, keyring.ErrOpen) || i > 0 && i < 5 && errors.Is(err, opsec.ErrNotFound), "byte %d: %v", i, err)
	}
	for i := range sealed {
		_, err := r.Open(nil, sealed[:i], c)
		require.ErrorIs(t, err, keyring.ErrOpen, "cut at %d", i)
	}
	for what, context := range map[string]keymgmt.Context{
		"none": {}, "other value": label(t, "invoice", "2"), "more": label(t, "invoice", "1", "x", ""),
	} {
		_, err := r.Open(nil, sealed, context)
		require.ErrorIs(t, err, keyring.ErrOpen, what)
	}
	_, err = o.Open(nil, sealed, c)
	require.ErrorIs(t, err, keyring.ErrOpen)

	got, err := r.Open(nil, sealed, c)
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
}

func TestSealAndOpenAppend(t *testing.T) {
	n, _ := node(t, newFake(t), nil)
	r := ring(t, n, invoice)
	for _, dst := range [][]byte{nil, {}, []byte("head"), make([]byte, 0, 100), append(make([]byte, 0, 100), 'h')} {
		sealed, err := r.Seal(dst, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(sealed, dst))
		opened, err := r.Open(dst, sealed[len(dst):], keymgmt.Context{})
		require.NoError(t, err)
		require.Equal(t, string(dst)+"text", string(opened))
	}
}

func TestOldKeysOpenAndOnlyThePrimarySeals(t *testing.T) {
	f := newFake(t)
	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	var sealed [][]byte
	for range 5 {
		s, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		sealed = append(sealed, s)
		f.rotate(t, invoice)
		require.NoError(t, n.Refresh(t.Context()))
	}
	n2, _ := node(t, f, func(o *keyring.Options) { o.Node = "two" })
	r2 := ring(t, n2, invoice)
	for i, s := range sealed {
		require.Equal(t, byte(i+1), s[4])
		for _, r := range []*keyring.Ring{r, r2, r2} {
			got, err := r.Open(nil, s, keymgmt.Context{})
			require.NoError(t, err)
			require.Equal(t, "text", string(got))
		}
	}
}

func TestStateOfAKeyDecidesAndIsNotAskedForTwice(t *testing.T) {
	for _, state := range []keymgmt.State{
		keymgmt.PreActivation, keymgmt.Suspended, keymgmt.Deactivated, keymgmt.Compromised, keymgmt.Destroyed,
		keymgmt.DestroyedCompromised, keymgmt.Importing, keymgmt.DestroyScheduled, keymgmt.DestroyFailed, keymgmt.External,
	} {
		f := newFake(t)
		n, _ := node(t, f, nil)
		r := ring(t, n, invoice)
		sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		f.state(keymgmt.Ref{Set: invoice, Key: 1}, state)
		require.NoError(t, n.Refresh(t.Context()))

		_, err = r.Seal(nil, nil, keymgmt.Context{})
		if state == keymgmt.External { // here the fake gives material, and a key that is with others has none
			continue
		}
		var s *keymgmt.StateError
		require.ErrorAs(t, err, &s, state)
		require.Equal(t, state, s.State)
		require.ErrorIs(t, err, opsec.ErrDenied)
		helds := get(f, func(f *fake) int { return f.helds })
		for range 3 {
			_, err = r.Open(nil, sealed, keymgmt.Context{})
			if state == keymgmt.Deactivated {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, opsec.ErrDenied, state)
			}
		}
		require.Equal(t, helds, get(f, func(f *fake) int { return f.helds }))
	}
}

func TestAKeyWithoutMaterialHereIsNotUsed(t *testing.T) {
	f := newFake(t)
	f.key(keymgmt.Ref{Set: invoice, Key: 1}, func(k *keymgmt.Held) { k.State, k.Wrapped = keymgmt.External, nil })
	n, _ := node(t, f, nil)
	_, err := ring(t, n, invoice).Seal(nil, nil, keymgmt.Context{})
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestPeriodsEndAtUseWithoutARefresh(t *testing.T) {
	f := newFake(t)
	n, c := node(t, f, nil)
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
	require.NoError(t, err)
	f.key(keymgmt.Ref{Set: invoice, Key: 1}, func(k *keymgmt.Held) {
		k.ProtectUntil, k.ProcessUntil = start.Add(10*time.Second), start.Add(20*time.Second)
	})
	require.NoError(t, n.Refresh(t.Context()))

	c.add(9 * time.Second)
	_, err = r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	c.add(time.Second)
	_, err = r.Seal(nil, nil, keymgmt.Context{})
	var p *keymgmt.PeriodError
	require.ErrorAs(t, err, &p)
	_, err = r.Open(nil, sealed, keymgmt.Context{})
	require.NoError(t, err)
	c.add(10 * time.Second)
	_, err = r.Open(nil, sealed, keymgmt.Context{})
	require.ErrorAs(t, err, &p)
	require.Equal(t, keymgmt.Process, p.Op)
}

func TestOnlyAnOperatorUsesKeys(t *testing.T) {
	f := newFake(t)
	for _, actor := range []opsec.Actor{{}, {Tenant: "acme", Person: "auditor"}} {
		n, _ := node(t, f, func(o *keyring.Options) { o.Actor = actor })
		_, err := ring(t, n, invoice).Seal(nil, nil, keymgmt.Context{})
		var role *keymgmt.RoleError
		require.ErrorAs(t, err, &role)
		require.Zero(t, f.custodian.unwraps, "nothing is unwrapped for who may not use it")
	}

	n, _ := node(t, f, nil)
	r := ring(t, n, invoice)
	sealed, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	f.change(invoice, func(s *keymgmt.Keyset) { s.Roles = nil })
	require.NoError(t, n.Refresh(t.Context()))
	_, err = r.Open(nil, sealed, keymgmt.Context{})
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorIs(t, r.Check(sealed, keymgmt.Process), opsec.ErrDenied)
}

func TestUnknownKeysAreAskedForOnceInAWhile(t *testing.T) {
	f := newFake(t)
	n, c := node(t, f, nil)
	r := ring(t, n, invoice)
	unknown := append([]byte{1, 0, 0, 0, 99}, make([]byte, 40)...)
	for range 3 {
		_, err := r.Open(nil, unknown, keymgmt.Context{})
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
	require.Equal(t, 1, f.helds)

	m, err := material.New("AES256_GCM", 99)
	require.NoError(t, err)
	f.put(t, keymgmt.Ref{Set: invoice, Key: 99}, m)
	_, err = r.Open(nil, unknown, keymgmt.Context{})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	c.add(10 * time.Second)
	_, err = r.Open(nil, unknown, keymgmt.Context{})
	require.ErrorIs(t, err, keyring.ErrOpen, "it is there now, and does not open this")
	require.ErrorIs(t, r.Check(unknown, keymgmt.Protect), opsec.ErrDenied, "active, and not the primary")

	unknown[4] = 98
	_, err = r.Open(nil, unknown, keymgmt.Context{})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	m, err = material.New("AES256_GCM", 98)
	require.NoError(t, err)
	f.put(t, keymgmt.Ref{Set: invoice, Key: 98}, m)
	require.NoError(t, n.Refresh(t.Context()))
	_, err = r.Open(nil, unknown, keymgmt.Context{})
	require.ErrorIs(t, err, keyring.ErrOpen, "a look that finds a change asks anew")
}

func TestMaterialOfAnotherKeyIsRefused(t *testing.T) {
	f := newFake(t)
	wrong, err := material.New("AES256_GCM", 7)
	require.NoError(t, err)
	stronger, err := material.New("AES128_GCM", 1)
	require.NoError(t, err)
	for _, m := range [][]byte{wrong, stronger, []byte("no keyset")} {
		ref := keymgmt.Ref{Set: invoice, Key: 1}
		wrapped, err := f.custodian.Wrap(t.Context(), "root", m, keymgmt.MaterialContext(ref).Bytes())
		require.NoError(t, err)
		f.key(ref, func(k *keymgmt.Held) { k.Wrapped = wrapped })
		n, _ := node(t, f, nil)
		_, err = n.Ring(t.Context(), invoice)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.NotContains(t, err.Error(), "no keyset")
	}
}

func TestSignaturesAndMACs(t *testing.T) {
	for p, algorithms := range map[keymgmt.Purpose][]keymgmt.Algorithm{
		keymgmt.Authentication: keymgmt.Algorithms(keymgmt.Authentication), keymgmt.Signature: {"ED25519", "ECDSA_P256"},
	} {
		for _, a := range algorithms {
			f := newFake(t)
			id := keymgmt.SetID{Tenant: "acme", ID: "marks"}
			f.create(id, p, a)
			f.rotate(t, id)
			n, _ := node(t, f, nil)
			r := ring(t, n, id)
			first, err := r.Sign([]byte("message"))
			require.NoError(t, err, a)
			f.rotate(t, id)
			require.NoError(t, n.Refresh(t.Context()))
			second, err := r.Sign([]byte("message"))
			require.NoError(t, err)
			for _, s := range [][]byte{first, second} {
				require.NoError(t, r.Verify(s, []byte("message")))
				require.ErrorIs(t, r.Verify(s, []byte("massage")), keyring.ErrOpen)
				s[len(s)-1] ^= 1
				require.ErrorIs(t, r.Verify(s, []byte("message")), keyring.ErrOpen)
			}
			_, err = r.Seal(nil, nil, keymgmt.Context{})
			require.ErrorIs(t, err, opsec.ErrInvalid)
			_, err = r.Open(nil, first, keymgmt.Context{})
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	}
	n, _ := node(t, newFake(t), nil)
	_, err := ring(t, n, invoice).Sign(nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestARingIsNotForEveryPurpose(t *testing.T) {
	f := newFake(t)
	id := keymgmt.SetID{Tenant: "acme", ID: "files"}
	f.create(id, keymgmt.Streaming, "AES256_GCM_HKDF_1MB")
	f.rotate(t, id)
	n, _ := node(t, f, nil)
	_, err := n.Ring(t.Context(), id)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = n.Ring(t.Context(), keymgmt.SetID{Tenant: "acme", ID: "none"})
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestAEADBindsItsBytesAsTheyAre(t *testing.T) {
	f := newFake(t)
	n, _ := node(t, f, nil)
	ours := keyring.AEAD{Ring: ring(t, n, invoice)}
	peer := bare(t, f, keymgmt.Ref{Set: invoice, Key: 1})
	for _, ad := range [][]byte{nil, []byte("row 17")} {
		sealed, err := ours.Encrypt([]byte("text"), ad)
		require.NoError(t, err)
		got, err := peer.Decrypt(sealed, ad)
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
		got, err = ours.DecryptWithContext(t.Context(), sealed, ad)
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
		_, err = ours.Decrypt(sealed, []byte("row 18"))
		require.ErrorIs(t, err, keyring.ErrOpen)
	}
}

func TestCheckSaysWhatOpenWouldAndAsksNobody(t *testing.T) {
	f := newFake(t)
	n, c := node(t, f, nil)
	r := ring(t, n, invoice)
	old, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	f.rotate(t, invoice)
	require.NoError(t, n.Refresh(t.Context()))
	sealed, err := r.Seal(nil, nil, keymgmt.Context{})
	require.NoError(t, err)
	helds := f.helds

	require.NoError(t, r.Check(sealed, keymgmt.Process))
	require.NoError(t, r.Check(sealed, keymgmt.Protect))
	require.NoError(t, r.Check(old, keymgmt.Process))
	require.ErrorIs(t, r.Check(old, keymgmt.Protect), opsec.ErrDenied)
	require.ErrorIs(t, r.Check(sealed, keymgmt.Export), opsec.ErrDenied)
	require.ErrorIs(t, r.Check(sealed, keymgmt.Unwrap), opsec.ErrDenied)
	require.ErrorIs(t, r.Check([]byte{1, 0, 0, 0, 9}, keymgmt.Process), keymgmt.ErrStale)
	require.ErrorIs(t, r.Check([]byte{1, 0, 0}, keymgmt.Process), keyring.ErrOpen)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.Check(sealed, keymgmt.Process) }))

	c.add(time.Minute)
	require.ErrorIs(t, r.Check(sealed, keymgmt.Protect), keymgmt.ErrStale)
	require.NoError(t, r.Check(sealed, keymgmt.Process))
	c.add(4 * time.Minute)
	require.ErrorIs(t, r.Check(sealed, keymgmt.Process), keymgmt.ErrStale)
	require.Equal(t, helds, f.helds)
}

func TestSealAllocatesTheCiphertextAlone(t *testing.T) {
	n, _ := node(t, newFake(t), nil)
	r := ring(t, n, invoice)
	c, plain := label(t, "invoice", "1"), make([]byte, 1024)
	sealed, err := r.Seal(nil, plain, c)
	require.NoError(t, err)
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() { _, _ = r.Seal(nil, plain, c) }))
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() { _, _ = r.Open(nil, sealed, c) }))
}

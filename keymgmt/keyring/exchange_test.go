package keyring_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

func TestAssembleAndSplitAreInverse(t *testing.T) {
	var materials [][]byte
	algorithms := []keymgmt.Algorithm{"AES256_GCM", "XCHACHA20_POLY1305", "AES256_GCM_SIV"}
	for i, a := range algorithms {
		m, err := material.New(a, uint32(i+1))
		require.NoError(t, err)
		materials = append(materials, m)
	}
	h, err := keyring.Assemble(2, materials...)
	require.NoError(t, err)
	pieces, err := keyring.Split(h)
	require.NoError(t, err)
	for i, p := range pieces {
		require.Equal(t, keyring.Piece{
			Key: uint32(i + 1), Algorithm: algorithms[i], Primary: i == 1, Enabled: true, Material: materials[i],
		}, p)
	}

	_, err = keyring.Assemble(4, materials...)
	require.ErrorIs(t, err, opsec.ErrInvalid, "the primary is not there")
	_, err = keyring.Assemble(1, materials[0], materials[0])
	require.ErrorIs(t, err, opsec.ErrInvalid, "twice")
	_, err = keyring.Assemble(1, materials[0], []byte("no"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = keyring.Assemble(1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = keyring.Split(nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestSplitKeepsWhatTinkSaysOfAKey(t *testing.T) {
	m := keyset.NewManager()
	first, err := m.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	second, err := m.Add(aead.AES128GCMKeyTemplate())
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(second))
	require.NoError(t, m.Disable(first))
	h, err := m.Handle()
	require.NoError(t, err)
	pieces, err := keyring.Split(h)
	require.NoError(t, err)
	require.Len(t, pieces, 2)
	require.False(t, pieces[0].Enabled)
	require.False(t, pieces[0].Primary)
	require.Equal(t, second, pieces[1].Key)
	require.True(t, pieces[1].Primary)

	_, err = m.Add(aead.AES256GCMNoPrefixKeyTemplate())
	require.NoError(t, err)
	h, err = m.Handle()
	require.NoError(t, err)
	_, err = keyring.Split(h)
	require.ErrorIs(t, err, opsec.ErrInvalid, "no prefix")
}

// A program elsewhere gets the keyset, encrypted under a key that it has, and opens what a ring has sealed.
func ExampleAssemble() {
	exported, err := keyring.Material{}.New("AES256_GCM", 1) // as Manager.Export gives it
	if err != nil {
		fmt.Println(err)
		return
	}
	handle, err := keyring.Assemble(1, exported)
	if err != nil {
		fmt.Println(err)
		return
	}
	shared, _ := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	transport, _ := aead.New(shared)
	var file bytes.Buffer
	if err := handle.Write(keyset.NewJSONWriter(&file), transport); err != nil {
		fmt.Println(err)
		return
	}
	there, err := keyset.Read(keyset.NewJSONReader(&file), transport)
	fmt.Println(there.Len(), err)
	// Output: 1 <nil>
}

func ExampleSplit() {
	handle, _ := keyset.NewHandle(aead.AES256GCMKeyTemplate()) // as somebody hands it over
	pieces, err := keyring.Split(handle)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range pieces { // manager.Expect, manager.Import
		fmt.Println(p.Algorithm, p.Primary, p.Enabled)
		clear(p.Material)
	}
	// Output: AES256_GCM true true
}

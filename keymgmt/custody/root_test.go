package custody_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"golang.org/x/crypto/argon2"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
)

var (
	passphrase = []byte("correct horse battery staple")
	ctx        = context.Background()
)

func wrapped(t testing.TB, r *custody.Root, handle string) []byte {
	t.Helper()
	require.NoError(t, r.Generate(ctx, handle))
	w, err := r.Wrap(ctx, handle, []byte("material"), []byte("ad"))
	require.NoError(t, err)
	return w
}

func requireOpens(t testing.TB, r *custody.Root, handle string, wrapped []byte) {
	t.Helper()
	got, err := r.Unwrap(ctx, handle, wrapped, []byte("ad"))
	require.NoError(t, err)
	require.Equal(t, "material", string(got))
}

func TestRootIsSealedUntilItsKeyIsThere(t *testing.T) {
	b := new(custody.Memory)
	r := newRoot(t, b)
	require.True(t, r.Sealed())
	require.ErrorIs(t, r.Generate(ctx, "h"), keymgmt.ErrSealed)
	require.ErrorIs(t, r.Unseal(ctx, rootKey), opsec.ErrNotFound, "there is no root yet")
	require.ErrorIs(t, r.UnsealWithPassphrase(ctx, passphrase), opsec.ErrNotFound)
	require.ErrorIs(t, r.Create(ctx, rootKey[1:]), opsec.ErrInvalid)
	require.True(t, r.Sealed())

	require.NoError(t, r.Create(ctx, rootKey))
	w := wrapped(t, r, "h")
	require.ErrorIs(t, r.Create(ctx, rootKey), keymgmt.ErrExists)
	require.ErrorIs(t, r.CreateWithPassphrase(ctx, passphrase, custody.Cost{}), keymgmt.ErrExists)
	requireOpens(t, r, "h", w)

	r.Seal()
	r.Seal()
	_, err := r.Unwrap(ctx, "h", w, []byte("ad"))
	require.ErrorIs(t, err, keymgmt.ErrSealed)
	require.ErrorIs(t, r.SetPassphrase(ctx, passphrase, custody.Cost{}), keymgmt.ErrSealed)
	require.ErrorIs(t, r.Unseal(ctx, bytes.Repeat([]byte("x"), 32)), keymgmt.ErrUnwrap)
	require.True(t, r.Sealed(), "a wrong key leaves it sealed")
	require.ErrorIs(t, r.UnsealWithPassphrase(ctx, passphrase), opsec.ErrNotFound, "it has no passphrase")
	require.NoError(t, r.Unseal(ctx, rootKey))
	requireOpens(t, r, "h", w)

	require.ErrorIs(t, r.Unseal(ctx, bytes.Repeat([]byte("x"), 32)), keymgmt.ErrUnwrap)
	requireOpens(t, r, "h", w) // nor does it close
}

func TestRootKeepsACopyOfItsKey(t *testing.T) {
	r := newRoot(t, new(custody.Memory))
	key := custody.NewRootKey()
	require.NotEqual(t, key, custody.NewRootKey())
	require.NoError(t, r.Create(ctx, key))
	w := wrapped(t, r, "h")
	clear(key)
	requireOpens(t, r, "h", w)
}

func TestPassphraseOpensTheRoot(t *testing.T) {
	b := new(custody.Memory)
	r := newRoot(t, b)
	require.NoError(t, r.CreateWithPassphrase(ctx, passphrase, custody.Cost{}))
	w := wrapped(t, r, "h")

	r = newRoot(t, b)
	require.ErrorIs(t, r.UnsealWithPassphrase(ctx, []byte("correct horse battery staple ")), keymgmt.ErrUnwrap)
	require.True(t, r.Sealed())
	require.NoError(t, r.UnsealWithPassphrase(ctx, passphrase))
	requireOpens(t, r, "h", w)

	other := []byte("another passphrase")
	require.NoError(t, r.SetPassphrase(ctx, other, custody.Cost{Passes: 3, Memory: 65 << 10, Lanes: 1}))
	r.Seal()
	require.ErrorIs(t, r.UnsealWithPassphrase(ctx, passphrase), keymgmt.ErrUnwrap)
	require.NoError(t, r.UnsealWithPassphrase(ctx, other))
	requireOpens(t, r, "h", w)

	require.ErrorIs(t, r.SetPassphrase(ctx, nil, custody.Cost{}), opsec.ErrInvalid, "what could not be read is no passphrase")
	r.Seal()
	require.NoError(t, r.UnsealWithPassphrase(ctx, other))
}

// TestPassphraseIsRemovedByWhoHasTheKey and by nobody else: a root whose key nobody has would be lost.
func TestPassphraseIsRemovedByWhoHasTheKey(t *testing.T) {
	r := unsealed(t, new(custody.Memory))
	w := wrapped(t, r, "h")
	require.NoError(t, r.SetPassphrase(ctx, passphrase, custody.Cost{}))
	require.ErrorIs(t, r.RemovePassphrase(ctx, nil), opsec.ErrInvalid)
	require.ErrorIs(t, r.RemovePassphrase(ctx, custody.NewRootKey()), keymgmt.ErrUnwrap)
	r.Seal()
	require.NoError(t, r.UnsealWithPassphrase(ctx, passphrase))
	require.NoError(t, r.RemovePassphrase(ctx, rootKey))
	r.Seal()
	require.ErrorIs(t, r.UnsealWithPassphrase(ctx, passphrase), opsec.ErrNotFound)
	require.NoError(t, r.Unseal(ctx, rootKey))
	requireOpens(t, r, "h", w)
}

func TestPassphraseOfAnotherRootIsNotSet(t *testing.T) {
	b := new(custody.Memory)
	r := unsealed(t, b)
	other := new(custody.Memory)
	require.NoError(t, newRoot(t, other).Create(ctx, custody.NewRootKey()))
	document, err := other.Get(ctx, "root")
	require.NoError(t, err)
	require.NoError(t, b.Replace(ctx, "root", document)) // a restore of the wrong place
	require.ErrorIs(t, r.SetPassphrase(ctx, passphrase, custody.Cost{}), keymgmt.ErrUnwrap)
	after, err := b.Get(ctx, "root")
	require.NoError(t, err)
	require.Equal(t, document, after)
}

func TestWeakPassphrasesAndCostsAreRefused(t *testing.T) {
	b := new(custody.Memory)
	r := newRoot(t, b)
	for _, p := range []string{"", "fifteen letters", strings.Repeat("x", 1025)} {
		require.ErrorIs(t, r.CreateWithPassphrase(ctx, []byte(p), custody.Cost{}), opsec.ErrInvalid)
		require.ErrorIs(t, r.UnsealWithPassphrase(ctx, []byte(p)), opsec.ErrInvalid)
	}
	for _, c := range []custody.Cost{
		{Passes: 2, Memory: 64 << 10, Lanes: 4}, {Passes: 3, Memory: 64<<10 - 1, Lanes: 4}, {Passes: 3, Memory: 64 << 10},
		{Memory: 64 << 10, Lanes: 4}, {Passes: 65, Memory: 64 << 10, Lanes: 4}, {Passes: 1, Memory: 4<<20 + 1, Lanes: 4},
		{Passes: 3, Memory: 64 << 10, Lanes: 65}, {Passes: 1 << 31, Memory: 64 << 10, Lanes: 4},
	} {
		require.ErrorIs(t, c.Validate(), opsec.ErrInvalid, "%+v", c)
		require.ErrorIs(t, r.CreateWithPassphrase(ctx, passphrase, c), opsec.ErrInvalid)
	}
	require.NoError(t, custody.FirstCost().Validate())
	require.NoError(t, custody.Cost{}.Validate())
	document, err := b.Get(ctx, "root")
	require.NoError(t, err)
	require.Nil(t, document, "nothing was made")
}

// TestDocumentsAreTheOnesDescribed reads them with Tink and argon2 alone.
func TestDocumentsAreTheOnesDescribed(t *testing.T) {
	b := new(custody.Memory)
	r := newRoot(t, b)
	require.NoError(t, r.CreateWithPassphrase(ctx, passphrase, custody.Cost{}))
	w := wrapped(t, r, "a/handle")
	context := func(what, value string) []byte {
		c, err := keymgmt.NewContext("custody", what, "value", value)
		require.NoError(t, err)
		return c.Bytes()
	}

	document, err := b.Get(ctx, "root")
	require.NoError(t, err)
	var root struct {
		Passphrase struct{ Salt, Wrapped []byte }
	}
	require.NoError(t, json.Unmarshal(document, &root))
	derived, err := subtle.NewAESGCM(argon2.IDKey(passphrase, root.Passphrase.Salt, 3, 64<<10, 4, 32))
	require.NoError(t, err)
	key, err := derived.Decrypt(root.Passphrase.Wrapped, context("passphrase", ""))
	require.NoError(t, err)
	under, err := subtle.NewAESGCM(key)
	require.NoError(t, err)

	sum := sha256.Sum256([]byte("a/handle"))
	document, err = b.Get(ctx, "key-"+hex.EncodeToString(sum[:]))
	require.NoError(t, err)
	kek, err := keyset.ReadWithAssociatedData(keyset.NewJSONReader(bytes.NewReader(document)), under, context("handle", "a/handle"))
	require.NoError(t, err)
	primitive, err := aead.New(kek)
	require.NoError(t, err)
	got, err := primitive.Decrypt(w, []byte("ad"))
	require.NoError(t, err)
	require.Equal(t, "material", string(got))
}

func TestKeyUnderAnotherHandleDoesNotOpen(t *testing.T) {
	b := new(custody.Memory)
	r := unsealed(t, b)
	w := wrapped(t, r, "a")
	wrapped(t, r, "b")
	name := func(handle string) string {
		sum := sha256.Sum256([]byte(handle))
		return "key-" + hex.EncodeToString(sum[:])
	}
	document, err := b.Get(ctx, name("a"))
	require.NoError(t, err)
	require.NoError(t, b.Replace(ctx, name("b"), document))
	_, err = r.Unwrap(ctx, "b", w, []byte("ad"))
	require.ErrorIs(t, err, keymgmt.ErrUnwrap)
	require.ErrorIs(t, r.Generate(ctx, "b"), keymgmt.ErrUnwrap, "it says that the key is damaged, and makes no other")
	e, err := r.Destroy(ctx, "b")
	require.NoError(t, err)
	require.Len(t, e.Copies, 1, "what is damaged can be destroyed")
}

func TestSealingBesideUse(t *testing.T) {
	r := unsealed(t, new(custody.Memory))
	w := wrapped(t, r, "h")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				got, err := r.Unwrap(ctx, "h", w, []byte("ad"))
				if err == nil && string(got) != "material" || err != nil && err != keymgmt.ErrSealed {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	for range 20 {
		r.Seal()
		require.NoError(t, r.Unseal(ctx, rootKey))
	}
	wg.Wait()
	requireOpens(t, r, "h", w)
}

func TestRootShowsNoKey(t *testing.T) {
	r := unsealed(t, new(custody.Memory))
	for _, text := range []string{fmt.Sprint(r), fmt.Sprintf("%+v %#v %s %x", r, r, r, r)} {
		require.NotContains(t, text, string(rootKey))
		require.NotContains(t, text, hex.EncodeToString(rootKey))
		require.NotContains(t, text, strings.Trim(fmt.Sprint(rootKey), "[]"))
	}
	b, err := json.Marshal(struct{ Custodian any }{r})
	require.NoError(t, err)
	require.Equal(t, `{"Custodian":{}}`, string(b))
}

func TestDirectoryIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "keys")
	d := openDir(t, path)
	r := unsealed(t, d)
	wrapped(t, r, "h")
	require.NoError(t, r.SetPassphrase(ctx, passphrase, custody.Cost{}))
	require.NoError(t, filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, p)
		return nil
	}))
	require.NoError(t, os.Chmod(path, 0o750))
	_, err := custody.OpenDir(path)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func files(t testing.TB, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestErasureThatWasInterruptedIsDoneAtTheNextStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := unsealed(t, openDir(t, path))
	w := wrapped(t, r, "h")
	keys, err := filepath.Glob(filepath.Join(path, "key-*"))
	require.NoError(t, err)
	require.Len(t, keys, 1)
	name := strings.TrimSuffix(filepath.Base(keys[0]), ".json")

	// The process died between the rename and the unlinking.
	require.NoError(t, os.Rename(keys[0], filepath.Join(path, ".erase-"+name)))
	_, err = r.Unwrap(ctx, "h", w, []byte("ad"))
	require.ErrorIs(t, err, opsec.ErrNotFound)
	t.Run("by a new start", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.CopyFS(copied, os.DirFS(path)))
		require.NoError(t, os.Chmod(copied, 0o700))
		openDir(t, copied)
		require.Equal(t, []string{"root.json"}, files(t, copied))
	})
	t.Run("by another Destroy", func(t *testing.T) {
		e, err := r.Destroy(ctx, "h")
		require.NoError(t, err)
		require.Len(t, e.Copies, 1)
		require.NotEmpty(t, e.Left)
		require.Equal(t, []string{"root.json"}, files(t, path))
	})
}

func TestErasureOverwritesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := unsealed(t, openDir(t, path))
	wrapped(t, r, "h")
	keys, err := filepath.Glob(filepath.Join(path, "key-*"))
	require.NoError(t, err)
	before, err := os.ReadFile(keys[0])
	require.NoError(t, err)
	seen := filepath.Join(path, "link") // another name of the same blocks
	require.NoError(t, os.Link(keys[0], seen))
	_, err = r.Destroy(ctx, "h")
	require.NoError(t, err)
	after, err := os.ReadFile(seen)
	require.NoError(t, err)
	require.Len(t, after, len(before))
	require.NotEqual(t, before, after)
	require.NotContains(t, string(after), "encryptedKeyset")
}

func TestDirectoryRefusesForeignNamesAndSizes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	d := openDir(t, path)
	for _, name := range []string{"", "..", "a/b", "A", "a.b", strings.Repeat("a", 101), "a\x00"} {
		_, err := d.Get(ctx, name)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", name)
		_, err = d.Create(ctx, name, []byte("x"))
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorIs(t, d.Replace(ctx, name, []byte("x")), opsec.ErrInvalid)
		_, err = d.Erase(ctx, name)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.NoError(t, os.WriteFile(filepath.Join(path, "big.json"), make([]byte, custody.MaxMaterial+1), 0o600))
	_, err := d.Get(ctx, "big")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func FuzzRootDocument(f *testing.F) {
	b := new(custody.Memory)
	r, err := custody.NewRoot(b, nil)
	require.NoError(f, err)
	require.NoError(f, r.CreateWithPassphrase(ctx, passphrase, custody.Cost{}))
	document, err := b.Get(ctx, "root")
	require.NoError(f, err)
	f.Add(document)
	f.Add([]byte(`{"version":1,"check":"","passphrase":{"cost":{"passes":4294967295,"memory_kib":4294967295,"lanes":255}}}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		b := new(custody.Memory)
		require.NoError(t, b.Replace(ctx, "root", document))
		r, err := custody.NewRoot(b, nil)
		require.NoError(t, err)
		require.Error(t, r.Unseal(ctx, rootKey), "nobody but who has the key can make a document for it")
		require.True(t, r.Sealed())
	})
}

func FuzzKeyDocument(f *testing.F) {
	b := new(custody.Memory)
	r, err := custody.NewRoot(b, nil)
	require.NoError(f, err)
	require.NoError(f, r.Create(ctx, rootKey))
	require.NoError(f, r.Generate(ctx, "h"))
	sum := sha256.Sum256([]byte("h"))
	name := "key-" + hex.EncodeToString(sum[:])
	document, err := b.Get(ctx, name)
	require.NoError(f, err)
	f.Add(document)
	f.Add([]byte(`{"encryptedKeyset":""}`))
	f.Fuzz(func(t *testing.T, changed []byte) {
		b := new(custody.Memory)
		r, err := custody.NewRoot(b, nil)
		require.NoError(t, err)
		require.NoError(t, r.Create(ctx, rootKey))
		require.NoError(t, b.Replace(ctx, name, changed))
		if _, err := r.Wrap(ctx, "h", []byte("material"), nil); err == nil {
			var was, is map[string]any
			require.NoError(t, json.Unmarshal(document, &was))
			require.NoError(t, json.Unmarshal(changed, &is))
			require.Equal(t, was["encryptedKeyset"], is["encryptedKeyset"], "only the key that was made opens")
		}
	})
}

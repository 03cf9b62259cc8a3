package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

const acme = opsec.TenantID("acme")

// account is the record of these tests.
type account struct {
	ID    string    `json:"id"`
	Login string    `json:"login,omitempty"`
	Role  string    `json:"role,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

var accounts = store.NewCollection(store.Schema[account]{
	Name: "accounts", Guarded: true,
	ID: func(a *account) store.Key { return store.Text(a.ID) },
	Indexes: []store.Index[account]{
		{Name: "login", Unique: true, Blind: true, Keys: func(a *account) []store.Key { return keys(a.Login) }},
		{Name: "role", Blind: true, Keys: func(a *account) []store.Key { return keys(a.Role) }},
		{Name: "until", Keys: func(a *account) []store.Key {
			if a.Until.IsZero() {
				return nil
			}
			return []store.Key{store.Key{}.Time(a.Until)}
		}},
	},
})

func keys(s string) []store.Key {
	if s == "" {
		return nil
	}
	return []store.Key{store.Text(s)}
}

func newDB(t testing.TB, d store.Driver, o *store.Options) *store.DB {
	t.Helper()
	db, err := store.New(d, o)
	require.NoError(t, err)
	return db
}

func put(t testing.TB, db *store.DB, list ...*account) {
	t.Helper()
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return accounts.Put(tx.Sub(acme), list...) }))
}

func get(t testing.TB, db *store.DB, id string) (a *account, err error) {
	t.Helper()
	err = db.View(t.Context(), func(tx *store.Tx) error {
		var err error
		a, err = accounts.Get(tx.Sub(acme), store.Text(id))
		return err
	})
	return a, err
}

// problems returns what Check finds.
func problems(t testing.TB, db *store.DB, o *store.CheckOptions, parts ...store.Part) (list []store.Problem) {
	t.Helper()
	for p, err := range db.Check(t.Context(), o, parts...) {
		require.NoError(t, err)
		list = append(list, p)
	}
	return list
}

// items returns all that a driver holds, by key.
func items(t testing.TB, d store.Driver) map[string]store.Item {
	t.Helper()
	all := map[string]store.Item{}
	for item, err := range store.Scan(t.Context(), d, store.Range{}) {
		require.NoError(t, err)
		all[item.Key] = item
	}
	return all
}

// rawKey returns the key of the only item whose key has all of these in it.
func rawKey(t testing.TB, d store.Driver, parts ...string) string {
	t.Helper()
	var found []string
	for key := range items(t, d) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(key, p) }) {
			found = append(found, key)
		}
	}
	require.Len(t, found, 1, "%q", parts)
	return found[0]
}

func record(id string) []string {
	return []string{store.Text("r").Text("accounts").Text(id).Encode()}
}

func overwrite(t testing.TB, d store.Driver, key string, value []byte) {
	t.Helper()
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: key, Value: value}}})
	require.NoError(t, err)
}

func TestNothingSecretIsReadableInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	secrets := []string{"eve@example.com", "superuser", "eve-reason", "a confidential terminal"}
	write := func(o *store.Options) {
		d := openBolt(t, path)
		db := newDB(t, d, o)
		for i := range 50 {
			require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
				e := opsec.NewEvent("account.insert", time.Now())
				e.Tenant, e.Outcome, e.Reason = acme, opsec.Success, "eve-reason"
				e.Actor.Terminal = "a confidential terminal"
				a := &account{ID: fmt.Sprint(i), Login: fmt.Sprint(i, "eve@example.com"), Role: "superuser"}
				return errors.Join(tx.Emit(e), accounts.Insert(tx.Sub(acme), a))
			}))
		}
		require.NoError(t, d.Close())
	}
	found := func() (found []string) {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, s := range secrets {
			if bytes.Contains(raw, []byte(s)) {
				found = append(found, s)
			}
		}
		return found
	}
	write(sealed(t))
	require.Empty(t, found())
	require.NoError(t, os.Remove(path))
	write(nil)
	require.Equal(t, secrets, found(), "the test would find them in a store that is not sealed")
}

func TestValueThatIsNotInItsPlaceDoesNotOpen(t *testing.T) {
	for name, spoil := range map[string]func(a, b []byte) []byte{
		"swapped":   func(_, b []byte) []byte { return b },
		"truncated": func(a, _ []byte) []byte { return a[:len(a)-1] },
		"cut short": func(a, _ []byte) []byte { return a[:1] },
		"empty":     func(_, _ []byte) []byte { return nil },
		"changed":   func(a, _ []byte) []byte { a = bytes.Clone(a); a[len(a)/2] ^= 1; return a },
		"form":      func(a, _ []byte) []byte { a = bytes.Clone(a); a[0] = 9; return a },
		"plain":     func(_, _ []byte) []byte { return []byte("\x00\x01\x02\x01{\"id\":\"1\",\"role\":\"admin\"}") },
	} {
		t.Run(name, func(t *testing.T) {
			d := memory.New()
			db := newDB(t, d, sealed(t))
			put(t, db, &account{ID: "1", Login: "secret-1"}, &account{ID: "2", Login: "secret-2"})
			all := items(t, d)
			first, second := rawKey(t, d, record("1")...), rawKey(t, d, record("2")...)
			overwrite(t, d, first, spoil(all[first].Value, all[second].Value))
			_, err := get(t, db, "1")
			corrupt, ok := errors.AsType[*store.CorruptError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, "accounts", corrupt.Collection)
			require.NotContains(t, err.Error(), "secret")
			_, err = get(t, db, "2")
			require.NoError(t, err)
			found := problems(t, db, nil, accounts)
			require.NotEmpty(t, found)
			require.Equal(t, store.ProblemSeal, found[len(found)-1].Kind, "the last, since index entries come after records")
			require.Equal(t, store.Text("1"), found[0].ID)
		})
	}
}

func TestSealedStoreNeedsItsKeys(t *testing.T) {
	d := memory.New()
	put(t, newDB(t, d, sealed(t)), &account{ID: "1", Login: "x"})
	other := sealed(t)
	other.Sealer = newAEAD(t, "another key")
	for _, o := range []*store.Options{nil, other} {
		_, err := get(t, newDB(t, d, o), "1")
		_, ok := errors.AsType[*store.CorruptError](err)
		require.True(t, ok, "%v", err)
	}
	_, err := store.New(d, &store.Options{Sealer: newAEAD(t, "k")})
	require.ErrorIs(t, err, opsec.ErrInvalid, "without a PRF")
	_, err = store.New(d, &store.Options{InsecureReadPlain: true})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestBlindIndexAnswersForOneKeyAlone(t *testing.T) {
	for name, o := range map[string]*store.Options{"plain": nil, "sealed": sealed(t)} {
		t.Run(name, func(t *testing.T) {
			d := memory.New()
			db := newDB(t, d, o)
			for i := range 30 {
				put(t, db, &account{ID: fmt.Sprint(i), Login: fmt.Sprint("l", i), Role: []string{"a", "ab"}[i%2]})
			}
			require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
				s := tx.Sub(acme)
				n, err := accounts.Count(s, store.Query{Index: "role", Prefix: store.Text("a")})
				require.NoError(t, err)
				require.Equal(t, 15, n)
				for _, q := range []store.Query{
					{Index: "role"}, {Index: "role", Prefix: store.Text("a"), From: store.Text("a")}, {Index: "role", To: store.Text("b")},
				} {
					_, err := accounts.Count(s, q)
					require.ErrorIs(t, err, opsec.ErrInvalid)
				}
				return nil
			}))
			if o != nil {
				for key := range items(t, d) {
					require.NotContains(t, key, "l1")
				}
			}
		})
	}
}

// twoKeys opens what either of two keys has sealed, and seals with the first, as a keyset does.
type twoKeys struct{ first, second aead }

func (k twoKeys) Encrypt(plaintext, ad []byte) ([]byte, error) { return k.first.Encrypt(plaintext, ad) }

func (k twoKeys) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	if plain, err := k.first.Decrypt(ciphertext, ad); err == nil {
		return plain, nil
	}
	return k.second.Decrypt(ciphertext, ad)
}

func TestResealGoesOnWhereItWasInterrupted(t *testing.T) {
	d := memory.New()
	old, next := newAEAD(t, "old"), newAEAD(t, "next")
	options := func(s store.Sealer) *store.Options { return &store.Options{Sealer: s, PRF: prf("p")} }
	before := newDB(t, d, options(old))
	for i := range 300 {
		put(t, before, &account{ID: fmt.Sprintf("%03d", i), Login: fmt.Sprint("l", i)})
	}
	both := newDB(t, d, options(twoKeys{next, old}))
	ctx, cancel := context.WithCancel(t.Context())
	var last store.Progress
	err := both.Reseal(ctx, "key-2", func(p store.Progress) {
		if last = p; p.Done > 200 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, last.Done, last.Total)
	put(t, both, &account{ID: "000", Login: "written meanwhile"})

	var resumed []store.Progress
	require.NoError(t, both.Reseal(t.Context(), "key-2", func(p store.Progress) { resumed = append(resumed, p) }))
	require.Greater(t, resumed[0].Done, last.Done, "not from the beginning")
	require.Equal(t, last.Total, resumed[0].Total)
	calls := 0
	require.NoError(t, both.Reseal(t.Context(), "key-2", func(store.Progress) { calls++ }))
	require.Zero(t, calls, "done is done")

	after := newDB(t, d, options(next)) // the old key is gone
	require.Empty(t, problems(t, after, nil, accounts))
	a, err := get(t, after, "000")
	require.NoError(t, err)
	require.Equal(t, "written meanwhile", a.Login)
	_, err = get(t, before, "299")
	require.Error(t, err, "nothing is left under the old key")
}

func TestResealUnderWritersLosesNothing(t *testing.T) {
	d := memory.New()
	options := &store.Options{Sealer: twoKeys{newAEAD(t, "next"), newAEAD(t, "old")}, PRF: prf("p")}
	db := newDB(t, d, options)
	for i := range 120 {
		put(t, newDB(t, d, &store.Options{Sealer: newAEAD(t, "old"), PRF: prf("p")}), &account{ID: fmt.Sprint(i)})
	}
	done := make(chan error, 1)
	go func() { done <- db.Reseal(t.Context(), "e", nil) }()
	for n := range 200 {
		put(t, db, &account{ID: fmt.Sprint(n % 120), Role: fmt.Sprint("r", n)})
	}
	require.NoError(t, <-done)
	next := newDB(t, d, &store.Options{Sealer: newAEAD(t, "next"), PRF: prf("p")})
	require.Empty(t, problems(t, next, nil, accounts))
	for n := 80; n < 200; n++ {
		a, err := get(t, next, fmt.Sprint(n%120))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("r", n), a.Role)
	}
}

func TestPlainStoreIsSealedInPlace(t *testing.T) {
	d := memory.New()
	plain := newDB(t, d, nil)
	for i := range 20 {
		put(t, plain, &account{ID: fmt.Sprint(i), Login: fmt.Sprint("login-", i), Role: "r"})
	}
	strict := sealed(t)
	_, err := get(t, newDB(t, d, strict), "1")
	require.Error(t, err, "plain values are refused")
	require.Error(t, newDB(t, d, strict).Reseal(t.Context(), "first", nil))

	open := *strict
	open.InsecureReadPlain = true
	db := newDB(t, d, &open)
	require.NoError(t, db.Reseal(t.Context(), "first", nil))
	added, removed, err := accounts.Reindex(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, []int{40, 40}, []int{added, removed}, "the blind indexes have moved to the PRF")

	require.Empty(t, problems(t, newDB(t, d, strict), nil, accounts))
	for key, item := range items(t, d) {
		require.NotContains(t, key, "login-")
		require.NotContains(t, string(item.Value), "login-")
	}
}

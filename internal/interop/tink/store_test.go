package tink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/dbtest"
)

// Tink's primitives are what a store takes, without an adapter.
var (
	_ store.Sealer = tink.AEAD(nil)
	_ store.PRF    = prf.PRF(nil)
)

func newKeyset(t *testing.T) *keyset.Handle {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	return h
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

func primary(t *testing.T, h *keyset.Handle) uint32 {
	t.Helper()
	key, err := h.Primary()
	require.NoError(t, err)
	return key.KeyID()
}

func newPRF(t *testing.T) store.PRF {
	t.Helper()
	h, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	require.NoError(t, err)
	set, err := prf.NewPRFSet(h)
	require.NoError(t, err)
	return set.PRFs[set.PrimaryID]
}

func newSealer(t *testing.T, h *keyset.Handle) store.Sealer {
	t.Helper()
	sealer, err := aead.New(h)
	require.NoError(t, err)
	return sealer
}

func sealed(t *testing.T, d store.Driver, h *keyset.Handle, p store.PRF) *store.DB {
	t.Helper()
	db, err := store.New(d, &store.Options{Node: "n1", Sealer: newSealer(t, h), PRF: p})
	require.NoError(t, err)
	return db
}

type person struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Note  string `json:"note"`
}

var people = store.NewCollection(store.Schema[person]{
	Name: "people", Guarded: true,
	ID: func(p *person) store.Key { return store.Text(p.ID) },
	Indexes: []store.Index[person]{{
		Name: "email", Unique: true, Blind: true,
		Keys: func(p *person) []store.Key { return []store.Key{store.Text(p.Email)} },
	}},
})

// someone is the nth person; email and note are confidential.
func someone(n int) *person {
	return &person{ID: strconv.Itoa(n), Email: fmt.Sprintf("somebody.%d@example.net", n), Note: fmt.Sprintf("badge %d withdrawn", n)}
}

// fill adds n people, each with an event that waits in the outbox.
func fill(t *testing.T, db *store.DB, n int) {
	t.Helper()
	for i := range n {
		p := someone(i)
		e := opsec.NewEvent("person.add", time.Now())
		e.Tenant, e.Outcome, e.Reason = "acme", opsec.Success, p.Note
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.Emit(e), people.Insert(tx.Sub("acme"), p))
		}))
	}
}

// read finds n people by id and by the blind index.
func read(t *testing.T, db *store.DB, n int) error {
	t.Helper()
	return db.View(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			byID, err := people.Get(tx.Sub("acme"), store.Text(someone(i).ID))
			if err != nil {
				return err
			}
			byEmail, err := people.Find(tx.Sub("acme"), "email", store.Text(someone(i).Email))
			if err != nil {
				return err
			}
			require.Equal(t, someone(i), byID)
			require.Equal(t, someone(i), byEmail)
		}
		return nil
	})
}

func requireCorrupt(t *testing.T, err error) {
	t.Helper()
	corrupt, ok := errors.AsType[*store.CorruptError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "people", corrupt.Collection)
}

func problems(t *testing.T, db *store.DB) (list []store.Problem) {
	t.Helper()
	for p, err := range db.Check(t.Context(), nil, people) {
		require.NoError(t, err)
		list = append(list, p)
	}
	return list
}

// delivered returns how many events can be taken out of the outbox.
func delivered(t *testing.T, db *store.DB) int {
	t.Helper()
	n, err := db.Deliver(t.Context(), db.Node(), recorder{})
	require.NoError(t, err)
	return n
}

type recorder struct{}

func (recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{Event: e.ID, Time: e.Time}, nil
}

func TestStore(t *testing.T) {
	open := func(testing.TB) store.Driver { return memory.New() }
	dbtest.Run(t, storetest.Harness{Open: open}, &store.Options{Sealer: newSealer(t, newKeyset(t)), PRF: newPRF(t)})
}

func TestRotation(t *testing.T) {
	retire := map[string]func(*keyset.Manager, uint32) error{
		"disabled": (*keyset.Manager).Disable,
		"deleted":  (*keyset.Manager).Delete,
	}
	for how, away := range retire {
		t.Run("the old key is "+how, func(t *testing.T) {
			const n = 120 // more than a commit of Reseal holds
			d, p := memory.New(), newPRF(t)
			before := newKeyset(t)
			fill(t, sealed(t, d, before, p), n)

			rotated := change(t, before, func(m *keyset.Manager) error {
				id, err := m.Add(aead.AES256GCMKeyTemplate())
				return errors.Join(err, m.SetPrimary(id))
			})
			require.NotEqual(t, primary(t, before), primary(t, rotated))
			db := sealed(t, d, rotated, p)
			require.NoError(t, read(t, db, n))
			without := change(t, rotated, func(m *keyset.Manager) error { return away(m, primary(t, before)) })
			requireCorrupt(t, read(t, sealed(t, d, without, p), n))

			var last store.Progress
			epoch := strconv.FormatUint(uint64(primary(t, rotated)), 10)
			require.NoError(t, db.Reseal(t.Context(), epoch, func(p store.Progress) { last = p }))
			require.GreaterOrEqual(t, last.Done, int64(3*n), "records, index entries and events")

			after := sealed(t, d, without, p)
			require.NoError(t, read(t, after, n))
			require.Empty(t, problems(t, after))
			require.Equal(t, n, delivered(t, after))
			requireCorrupt(t, read(t, sealed(t, d, before, p), n))
			require.NoError(t, after.Reseal(t.Context(), epoch, func(store.Progress) { t.Error("it was finished") }))
		})
	}
}

func TestSwappedValuesAreCorrupt(t *testing.T) {
	d := memory.New()
	db := sealed(t, d, newKeyset(t), newPRF(t))
	all := func() []store.Item {
		items, err := d.List(t.Context(), store.Range{Limit: store.MaxPage})
		require.NoError(t, err)
		return items
	}
	add := func(n int) (fresh []store.Item) {
		before := all()
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return people.Insert(tx.Sub("acme"), someone(n)) }))
		for _, item := range all() {
			if !slices.ContainsFunc(before, func(b store.Item) bool { return b.Key == item.Key }) {
				fresh = append(fresh, item)
			}
		}
		return fresh
	}
	add(0) // and the guard
	one, two := add(1), add(2)
	require.Len(t, one, 2, "a record and an entry of the index")
	for i := range one { // of one kind, since the keys are in order
		_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{
			{Key: one[i].Key, Value: two[i].Value},
			{Key: two[i].Key, Value: one[i].Value},
		}})
		require.NoError(t, err)
	}

	for _, n := range []int{1, 2} {
		require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
			_, err := people.Get(tx.Sub("acme"), store.Text(someone(n).ID))
			requireCorrupt(t, err)
			_, err = people.Find(tx.Sub("acme"), "email", store.Text(someone(n).Email))
			requireCorrupt(t, err)
			return nil
		}))
		requireCorrupt(t, db.Update(t.Context(), func(tx *store.Tx) error { return people.Put(tx.Sub("acme"), someone(n)) }))
	}
	require.NoError(t, read(t, db, 1), "what was not swapped")
	found := problems(t, db)
	seals := slices.DeleteFunc(slices.Clone(found), func(p store.Problem) bool { return p.Kind != store.ProblemSeal })
	require.Len(t, seals, 4, "%v", found)
}

// TestFileShowsNothing looks for the same in a store that is not sealed, where it is found.
func TestFileShowsNothing(t *testing.T) {
	const n = 20
	raw := func(open func(store.Driver) *store.DB) []byte {
		path := filepath.Join(t.TempDir(), "state.db")
		d, err := bolt.Open(path, nil)
		require.NoError(t, err)
		db := open(d)
		fill(t, db, n)
		require.NoError(t, read(t, db, n))
		require.NoError(t, db.Close())
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return text
	}
	plain := raw(func(d store.Driver) *store.DB {
		db, err := store.New(d, nil)
		require.NoError(t, err)
		return db
	})
	closed := raw(func(d store.Driver) *store.DB { return sealed(t, d, newKeyset(t), newPRF(t)) })
	secrets := []string{"person.add", `"email"`}
	for i := range n {
		secrets = append(secrets, someone(i).Email, someone(i).Note)
	}
	for _, secret := range secrets {
		require.True(t, bytes.Contains(plain, []byte(secret)), "%q, where nothing is sealed", secret)
		require.False(t, bytes.Contains(closed, []byte(secret)), "%q, though all is sealed", secret)
	}
}

package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

type account struct {
	ID    string    `json:"id"`
	Login string    `json:"login"`
	Role  string    `json:"role"`
	Until time.Time `json:"until"`
}

var accounts = store.NewCollection(store.Schema[account]{
	Name: "accounts", Guarded: true,
	ID: func(a *account) store.Key { return store.Text(a.ID) },
	Indexes: []store.Index[account]{
		{Name: "login", Unique: true, Blind: true, Keys: func(a *account) []store.Key { return []store.Key{store.Text(a.Login)} }},
		{Name: "role", Keys: func(a *account) []store.Key { return []store.Key{store.Text(a.Role).Time(a.Until)} }},
	},
})

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	for i := range 30 {
		a := &account{ID: fmt.Sprint("a", i), Login: fmt.Sprint("l", i), Role: []string{"admin", "user"}[i%2], Until: time.Unix(int64(i), 0)}
		require.NoError(t, db.Update(ctx, func(tx *store.Tx) error {
			e := opsec.NewEvent("x.y", time.Now())
			e.Tenant, e.Outcome = "acme", opsec.Success
			if err := tx.Emit(e); err != nil {
				return err
			}
			return accounts.Insert(tx.Sub("acme"), a)
		}))
	}
	err = db.Update(ctx, func(tx *store.Tx) error {
		return accounts.Insert(tx.Sub("acme"), &account{ID: "z", Login: "l3"})
	})
	require.ErrorIs(t, err, store.ErrExists)
	n := 0
	require.NoError(t, db.View(ctx, func(tx *store.Tx) error {
		for a, err := range accounts.List(tx.Sub("acme"), store.Query{Index: "role", Prefix: store.Text("admin"), Reverse: true}) {
			require.NoError(t, err)
			require.Equal(t, "admin", a.Role)
			n++
		}
		a, err := accounts.Find(tx.Sub("acme"), "login", store.Text("l4"))
		require.NoError(t, err)
		require.Equal(t, "a4", a.ID)
		return nil
	}))
	require.Equal(t, 15, n)
	for p, err := range db.Check(ctx, nil, accounts) {
		require.NoError(t, err)
		t.Error(p)
	}
}

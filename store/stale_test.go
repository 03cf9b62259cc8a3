package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

func TestFindDoesNotBelieveAnEntryThatIsNotAsked(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	put(t, db, &account{ID: "a", Login: "eve"}, &account{ID: "b"})
	overwrite(t, d, rawKey(t, d, "login", "eve"), append([]byte{0}, store.Text("b").Encode()...))
	require.ErrorIs(t, db.View(t.Context(), func(tx *store.Tx) error {
		_, err := accounts.Find(tx.Sub(acme), "login", store.Text("eve"))
		return err
	}), opsec.ErrNotFound)
}

func TestEmitOneEventTwiceLeavesItAlone(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	e := event(acme)
	e.Attrs = append(make([]opsec.Attr, 0, 8), opsec.Attr{Key: "k", Value: "v", Mark: opsec.Public})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Emit(e); err != nil {
			return err
		}
		e.Attrs[0].Value = "changed"
		return nil
	}))
	_, err := db.Deliver(t.Context(), db.Node(), recFunc(func(e *opsec.Event) { require.Equal(t, "v", e.Attrs[0].Value) }))
	require.NoError(t, err)
}

func TestAcrossTakesNoEventOfATenantThatWasNotNamed(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	require.ErrorIs(t, db.UpdateAcross(t.Context(), []opsec.TenantID{"a"}, func(tx *store.Tx) error { return tx.Emit(event("b")) }), opsec.ErrInvalid)
	// kills sub.go:28
	require.ErrorIs(t, db.UpdateAcross(t.Context(), []opsec.TenantID{"a"}, func(tx *store.Tx) error {
		_, err := accounts.GetAll(tx.Sub("b"), store.Text("x"))
		return err
	}), opsec.ErrInvalid)
}

func TestForeignKeyHidesNoTenant(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	overwrite(t, d, store.Text("t").Bytes([]byte("x")).Encode(), []byte{0})
	put(t, db, &account{ID: "a"})
	var list []opsec.TenantID
	for tenant, err := range db.Tenants(t.Context()) {
		require.NoError(t, err)
		list = append(list, tenant)
	}
	require.Equal(t, []opsec.TenantID{acme}, list)
}

func TestErrorDecidedByAListIsChecked(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	put(t, db, &account{ID: "a"})
	n := 0
	calls := 0
	errOne := errors.New("one")
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		n = 0
		for _, err := range accounts.List(tx.Sub(acme), store.Query{}) {
			if err != nil {
				return err
			}
			n++
		}
		if calls++; calls == 1 {
			put(t, other, &account{ID: "b"})
			return errOne
		}
		return nil
	}))
}

func TestSweepLeavesASlotThatIsUsedMeanwhile(t *testing.T) {
	d := memory.New()
	db := newDB(t, storetest.NewFlaky(d, storetest.FlakyOptions{}), nil)
	put(t, db, &account{ID: "a"})
	h := &commitBefore{Driver: d, do: func() { put(t, db, &account{ID: "b"}) }}
	ahead := newDB(t, h, &store.Options{Now: func() time.Time { return time.Now().Add(25 * time.Hour) }})
	n, err := ahead.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestSweepKeepsWhatHasMovedMeanwhile(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "a", Until: time.Unix(1, 0)}, &account{ID: "b", Until: time.Unix(2, 0)})
	n, err := accounts.Sweep(t.Context(), db, acme, store.Query{Index: "until", To: store.Key{}.Time(time.Unix(10, 0))}, func(s *store.Sub, a *account) error {
		if a.ID == "a" {
			put(t, db, &account{ID: "b", Until: time.Unix(100, 0)}) // prolonged
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

type commitBefore struct {
	store.Driver
	do func()
}

func (c *commitBefore) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if f := c.do; f != nil {
		c.do = nil
		f()
	}
	return c.Driver.Commit(ctx, b)
}

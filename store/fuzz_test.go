package store_test

import (
	"testing"

	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// Whatever somebody writes into the engine, reading, checking, delivering and mending end, with errors at most.
func FuzzStoredBytes(f *testing.F) {
	prefix := store.Text("t").Text("acme")
	id := store.Text("1").Encode()
	f.Add(prefix.Text("r").Text("accounts").Encode()+id, []byte("\x00\x01\x02\x01{\"id\":\"1\",\"login\":\"x\"}"))
	f.Add(prefix.Text("x").Text("accounts").Text("until").Tuple(store.Key{}.Int(7)).Encode()+id, []byte{0})
	f.Add(prefix.Text("x").Text("accounts").Text("login").Tuple(store.Text("x")).Encode(), []byte("\x001"))
	f.Add(prefix.Text("x").Text("accounts").Text("until").Encode()+"\x05\x15", []byte{0})
	f.Add(prefix.Text("g").Text("accounts").Encode(), []byte{})
	f.Add(store.Text("o").Text("node").Text("id").Encode(), []byte("\x00{\"id\":7}"))
	f.Add(store.Text("m").Text("h").Uint(1).Encode(), []byte("0123456789abcdef"))
	f.Add(store.Text("s").Text("reseal").Text("e").Encode(), []byte("\x00{}"))
	f.Add("\xff\xff", []byte{1})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		d := memory.New()
		ctx := t.Context()
		db, err := store.New(d, &store.Options{Node: "node"})
		if err != nil {
			t.Fatal(err)
		}
		put(t, db, &account{ID: "0", Login: "zero"})
		if _, err := d.Commit(ctx, store.Batch{Ops: []store.Op{{Key: key, Value: value}}}); err != nil {
			return // no key of an engine
		}
		_ = db.View(ctx, func(tx *store.Tx) error {
			for _, q := range []store.Query{{}, {Index: "until"}, {Index: "login", Prefix: store.Text("x")}} {
				for _, err := range accounts.List(tx.Sub(acme), q) {
					_ = err
				}
				_, _, _ = accounts.Page(tx.Sub(acme), q, "", 1)
			}
			_, _ = accounts.Find(tx.Sub(acme), "login", store.Text("x"))
			return nil
		})
		for p := range db.Check(ctx, nil, accounts) {
			_ = p.String()
		}
		for range db.Tenants(ctx) {
		}
		for range db.Undelivered(ctx) {
		}
		_, _ = db.Deliver(ctx, "node", &audittest.Recorder{})
		_, _ = db.Sweep(ctx)
		_, _, _ = accounts.Reindex(ctx, db)
		_ = db.Update(ctx, func(tx *store.Tx) error { return accounts.Put(tx.Sub(acme), &account{ID: "1", Login: "x"}) })
		if _, err := get(t, db, "0"); err != nil && key != recordKey("0") {
			t.Fatalf("another record does not read: %v", err)
		}
	})
}

func recordKey(id string) string {
	return store.Text("t").Text(string(acme)).Text("r").Text("accounts").Text(id).Encode()
}

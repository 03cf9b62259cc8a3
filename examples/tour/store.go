package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

// storeStop keeps an inventory of the directory in a sealed file, backs the file up, changes a record with its event in
// one commit, and shows that the trail gives it away when somebody puts the backup in the place of the file.
func storeStop(ctx context.Context, t *tour) {
	path, copied, tenant, sealed := filepath.Join(t.work, "state"), filepath.Join(t.work, "state.old"), t.actor.Tenant, sealedOptions()
	engine, err := bolt.Open(path, nil)
	check(err)
	db, err := store.New(engine, sealed)
	check(err)
	defer db.Close()
	start := time.Now()
	n, err := inventory.Import(ctx, db, tenant, filesOf(t.dir))
	check(err)
	t.say("   %d records in a sealed file in %s", n, since(start))
	var largest *item
	err = db.View(ctx, func(tx *store.Tx) (err error) {
		list, _, err := inventory.Page(tx.Sub(tenant), store.Query{Index: "size", Reverse: true}, "", 1)
		if err == nil && len(list) > 0 {
			largest = list[0]
		}
		return err
	})
	check(err)
	if largest == nil {
		return // an empty directory
	}
	hold := func(why string) {
		check(db.Update(ctx, func(tx *store.Tx) error { // the record and its event, or neither
			e := opsec.NewEvent("inventory.hold", time.Now())
			e.Tenant, e.Class, e.Actor, e.Outcome, e.Reason = tenant, opsec.Critical, t.actor, opsec.Success, why
			e.Resource = opsec.Resource{Tenant: tenant, Type: "file", ID: largest.Path}
			largest.Held = why
			return errors.Join(tx.Emit(e), inventory.Put(tx.Sub(tenant), largest))
		}))
	}
	hold("audit of 2026")
	backupAndRestore(ctx, t, engine, copied)
	hold("lawsuit 7")
	_, err = db.Deliver(ctx, db.Node(), t.trail)
	check(err)
	sound := t.examine(ctx, "the store", db)
	older, err := bolt.Open(copied, nil)
	check(err)
	old, err := store.New(older, sealed)
	check(err)
	defer old.Close()
	t.result["store"] = map[string]any{"records": n, "problems": sound, "rolledBack": t.examine(ctx, "the backup in its place", old)}
}

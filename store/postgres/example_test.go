package postgres_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
)

type note struct{ ID, Text string }

var notes = store.NewCollection(store.Schema[note]{Name: "notes", ID: func(n *note) store.Key { return store.Text(n.ID) }})

func Example() {
	ctx := context.Background()
	const secure = "host=db.example dbname=control sslmode=verify-full sslrootcert=ca.crt sslcert=me.crt sslkey=me.key"

	owner, err := pgx.Connect(ctx, secure+" user=owner") // when you deploy
	must(err)
	must(postgres.Migrate(ctx, owner, "opsec", "runner"))

	pool, err := pgxpool.New(ctx, secure+" user=runner") // when the program starts
	must(err)
	engine, err := postgres.New(pool, nil)
	must(err)
	must(engine.Verify(ctx))
	db, err := store.New(engine, &store.Options{Node: "control-1"})
	must(err)
	must(db.Update(ctx, func(tx *store.Tx) error { return notes.Put(tx.Sub("acme"), &note{"1", "hello"}) }))
}

func ExampleDriver_Join() {
	var pool *pgxpool.Pool // yours
	var engine *postgres.Driver
	ctx := context.Background()
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE ticket SET state = 'done' WHERE id = $1", 17); err != nil {
			return err
		}
		db, err := store.New(engine.Join(tx), &store.Options{Node: "control-1"})
		if err != nil {
			return err
		}
		return db.Update(ctx, func(tx *store.Tx) error { return notes.Put(tx.Sub("acme"), &note{"17", "done"}) })
	})
	must(err) // the ticket and the note, or neither
}

// Behind PgBouncer in transaction mode nothing may be prepared, and nobody can listen.
func ExampleOptions_pgBouncer() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "host=bouncer.example port=6432 user=runner default_query_exec_mode=exec")
	must(err)
	direct, err := pgx.ParseConfig("host=db.example user=runner")
	must(err)
	_, err = postgres.New(pool, &postgres.Options{Listen: direct})
	must(err)
}

func ExampleSchema() {
	text, err := postgres.Schema("", "runner")
	must(err)
	fmt.Print(text)
	// Output:
	// CREATE SCHEMA IF NOT EXISTS "opsec";
	// CREATE TABLE IF NOT EXISTS "opsec"."item" (
	// 	key   bytea  PRIMARY KEY, -- bytewise order, whatever the collation of the database
	// 	value bytea  NOT NULL,
	// 	rev   bigint NOT NULL     -- random, a new one for each commit
	// ) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02); -- most writes replace a value
	// COMMENT ON TABLE "opsec"."item" IS 'opsec store 1';
	// GRANT USAGE ON SCHEMA "opsec" TO "runner";
	// GRANT SELECT, INSERT, UPDATE, DELETE ON "opsec"."item" TO "runner";
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

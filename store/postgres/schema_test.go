//go:build unix

package postgres_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

func execute(t *testing.T, dsn string, texts ...string) {
	t.Helper()
	pool := newPool(t, dsn)
	for _, text := range texts {
		_, err := pool.Exec(t.Context(), text)
		require.NoError(t, err)
	}
}

// The role that runs needs no right to change the schema; the one that changes it owns a schema and nothing else.
func TestRolesOfTheirOwn(t *testing.T) {
	server := pgtest.Start(t, nil)
	execute(t, server.DSN(), "CREATE ROLE owner LOGIN", "CREATE ROLE runner LOGIN", "CREATE ROLE stranger LOGIN",
		"CREATE SCHEMA vault AUTHORIZATION owner")
	owner := newPool(t, server.DSN("user=owner"))
	for range 2 { // again does no harm
		require.NoError(t, postgres.Migrate(t.Context(), owner, "vault", "runner"))
	}
	options := &postgres.Options{Schema: "vault"}
	pool := newPool(t, server.DSN("user=runner"))
	d, err := postgres.New(pool, options)
	require.NoError(t, err)
	require.NoError(t, d.Verify(t.Context()))
	db := newDB(t, d)
	require.NoError(t, insert(t.Context(), db, &account{"1", "ann"}))
	requireSound(t, db)
	for _, text := range []string{
		"ALTER TABLE vault.item ADD COLUMN more text", "DROP TABLE vault.item", "TRUNCATE vault.item",
		"CREATE TABLE vault.other ()", "CREATE SCHEMA mine",
	} {
		_, err := pool.Exec(t.Context(), text)
		require.ErrorContains(t, err, "42501", text)
	}

	stranger, err := postgres.New(newPool(t, server.DSN("user=stranger")), options)
	require.NoError(t, err)
	_, err = stranger.Get(t.Context(), "a")
	require.ErrorContains(t, err, "42501")
	require.ErrorIs(t, stranger.Verify(t.Context()), postgres.ErrUnfit)
	execute(t, server.DSN(), "GRANT USAGE ON SCHEMA vault TO stranger", "GRANT SELECT, INSERT, UPDATE ON vault.item TO stranger")
	require.ErrorContains(t, stranger.Verify(t.Context()), "DELETE")
}

// A table that somebody else has made is not taken for a store's.
func TestMigrateLeavesTablesOfOthers(t *testing.T) {
	server := pgtest.Start(t, nil)
	pool := newPool(t, server.DSN())
	execute(t, server.DSN(), "CREATE SCHEMA opsec", "CREATE TABLE opsec.item (key text)")
	err := postgres.Migrate(t.Context(), pool, "")
	require.ErrorIs(t, err, postgres.ErrUnfit)
	require.NotContains(t, err.Error(), "postgres: postgres:")
	d, err := postgres.New(pool, nil)
	require.NoError(t, err)
	require.ErrorIs(t, d.Verify(t.Context()), postgres.ErrUnfit)
}

// Every node may migrate when it starts.
func TestMigrateByManyAtOnce(t *testing.T) {
	server := pgtest.Start(t, &pgtest.Options{Settings: []string{"default_transaction_isolation=serializable"}})
	pool := newPool(t, server.DSN("pool_max_conns=16"))
	for round := range 5 {
		schema := fmt.Sprint("round ", round)
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				if err := postgres.Migrate(t.Context(), pool, schema); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
}

// Functions in a schema of the search_path, made by whoever may, are not called in place of PostgreSQL's.
func TestFunctionsOfOthersAreNotCalled(t *testing.T) {
	server := pgtest.Start(t, nil)
	const trap = ` LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$`
	execute(t, server.DSN(),
		"CREATE FUNCTION public.hashtextextended(text, int) RETURNS bigint"+trap,
		"CREATE FUNCTION public.obj_description(regclass, text) RETURNS text"+trap,
		"CREATE FUNCTION public.cardinality(bytea[]) RETURNS int"+trap)
	d := newStores(t, server).open(t).(*postgres.Driver)
	require.NoError(t, d.Verify(t.Context()))
	var b store.Batch
	for key := range 20 {
		b.Checks = append(b.Checks, store.Check{Key: fmt.Sprint(key)})
		b.Ops = append(b.Ops, store.Op{Key: fmt.Sprint(key)})
	}
	_, err := d.Commit(t.Context(), b)
	require.NoError(t, err)
}

// What the text says is what Migrate does.
func TestSchemaIsATextOfItsOwn(t *testing.T) {
	server := pgtest.Start(t, nil)
	text, err := postgres.Schema("")
	require.NoError(t, err)
	execute(t, server.DSN(), text, text)
	d, err := postgres.New(newPool(t, server.DSN()), nil)
	require.NoError(t, err)
	require.NoError(t, d.Verify(t.Context()))
	put(t, d, "a")
}

func TestStoresOfOneTableAreApart(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	for _, name := range []string{"", "a", "ab", "a\x00", "\xff"} {
		p := s.place
		p.Name = name
		d, err := postgres.New(newPool(t, p.DSN), p.options())
		require.NoError(t, err)
		items, err := d.List(t.Context(), store.Range{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, items, "%q", name)
		put(t, d, "b")
		put(t, d, strings.Repeat("\xff", store.MaxKey))
		items, err = d.List(t.Context(), store.Range{Limit: 10, Reverse: true})
		require.NoError(t, err)
		require.Len(t, items, 2, "%q", name)
		require.Equal(t, "b", items[1].Key)
	}
}

func TestVerifyFindsWhatWillNotDo(t *testing.T) {
	server := pgtest.Start(t, nil)
	d, err := postgres.New(newPool(t, server.DSN()), nil)
	require.NoError(t, err)
	require.ErrorIs(t, d.Verify(t.Context()), postgres.ErrUnfit, "no table")
	_, err = d.Get(t.Context(), "a")
	require.ErrorContains(t, err, "Migrate")
	_, err = d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "a"}}})
	require.ErrorContains(t, err, "Migrate")
	require.NotErrorIs(t, err, store.ErrIndeterminate)

	pool := newPool(t, server.DSN())
	require.NoError(t, postgres.Migrate(t.Context(), pool, ""))
	require.NoError(t, d.Verify(t.Context()))
	for setting, complaint := range map[string]string{
		"synchronous_commit=off":           "synchronous_commit is off",
		"default_transaction_read_only=on": "read-only",
		"bytea_output=escape":              "bytea_output is escape",
	} {
		unfit, err := postgres.New(newPool(t, server.DSN(setting)), nil)
		require.NoError(t, err)
		err = unfit.Verify(t.Context())
		require.ErrorIs(t, err, postgres.ErrUnfit)
		require.ErrorContains(t, err, complaint)
	}

	execute(t, server.DSN(), "COMMENT ON TABLE opsec.item IS 'opsec store 2'")
	require.ErrorIs(t, d.Verify(t.Context()), postgres.ErrUnfit)
	require.ErrorIs(t, postgres.Migrate(t.Context(), pool, ""), postgres.ErrUnfit, "a newer program was here")

	for _, setting := range []string{"fsync", "full_page_writes"} {
		loose := pgtest.Start(t, &pgtest.Options{Settings: []string{setting + " = off"}})
		require.NoError(t, postgres.Migrate(t.Context(), newPool(t, loose.DSN()), ""))
		d, err = postgres.New(newPool(t, loose.DSN()), nil)
		require.NoError(t, err)
		require.ErrorContains(t, d.Verify(t.Context()), setting+" is off")
	}
}

// A standby has the states of a moment ago, and takes no commits.
func TestStandbyIsRefused(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t).(*postgres.Driver)
	put(t, d, "a")
	server.Down(t)
	server.Demote(t)
	server.Up(t)
	require.ErrorContains(t, d.Verify(t.Context()), "standby")
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "a"}}})
	require.ErrorContains(t, err, "primary")
	require.NotErrorIs(t, err, store.ErrIndeterminate)
}

func TestBadOptions(t *testing.T) {
	pool := newPool(t, "host=/nowhere")
	for name, o := range map[string]*postgres.Options{
		"name":      {Name: strings.Repeat("n", 65)},
		"schema":    {Schema: strings.Repeat("s", 64)},
		"pg schema": {Schema: "pg_catalog"},
		"NUL":       {Schema: "a\x00b"},
		"poll":      {Poll: -1},
		"both":      {Poll: 1, Listen: pool.Config().ConnConfig},
	} {
		_, err := postgres.New(pool, o)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	_, err := postgres.New(nil, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorIs(t, postgres.Migrate(t.Context(), pool, "pg_toast"), opsec.ErrInvalid)
}

// A store that is restored from a backup holds no key at a Rev that anybody remembers from after the backup.
func TestRestoreOfABackup(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t)
	p := s.placeOf(t, d)
	db := newDB(t, d)
	require.NoError(t, insert(t.Context(), db, &account{"1", "ann"}))
	raw := s.open(t)
	put(t, raw, "zz")
	dump := filepath.Join(server.Dir(), "dump")
	server.Exec(t, "pg_dump", "--schema=opsec", "--format=custom", "--file="+dump)
	later, err := raw.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "zz", Value: []byte("after the backup")}}})
	require.NoError(t, err)
	require.NoError(t, insert(t.Context(), db, &account{"2", "bob"}))

	fresh := pgtest.Start(t, nil)
	fresh.Exec(t, "pg_restore", "--dbname=postgres", "--exit-on-error", dump)
	p.DSN = fresh.DSN()
	restored, err := postgres.New(newPool(t, p.DSN), p.options())
	require.NoError(t, err)
	require.NoError(t, restored.Verify(t.Context()))
	again := newDB(t, restored)
	require.Equal(t, map[string]bool{"1": true}, ids(t, again))
	requireSound(t, again)
	p = s.placeOf(t, raw)
	p.DSN = fresh.DSN()
	raw = s.handle(t, p)
	for range 100 {
		put(t, raw, "zz")
		_, err = raw.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "zz", Rev: later}}})
		require.ErrorAs(t, err, new(*store.ConflictError))
	}
}

package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cloudopsec/opsec/store"
)

// schema belongs among your migrations. The one row of opsec_rev numbers the commits, and lets in one at a time.
const schema = `
CREATE TABLE opsec_item (key bytea PRIMARY KEY, value bytea NOT NULL, rev bigint NOT NULL);
CREATE TABLE opsec_rev (last bigint NOT NULL);
INSERT INTO opsec_rev VALUES (0)`

// engine is a store.Driver over these tables. Close leaves the pool open: it is the program's own.
type engine struct {
	pool   *sql.DB
	closed atomic.Bool
}

func (e *engine) Close() error { e.closed.Store(true); return nil }

func (e *engine) usable(ctx context.Context) error {
	if e.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

func (e *engine) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := cmp.Or(e.usable(ctx), store.ValidateKeys(keys...)); err != nil || len(keys) == 0 {
		return nil, err
	}
	rows, args := make([]string, len(keys)), make([]any, len(keys))
	for i, key := range keys {
		rows[i], args[i] = fmt.Sprintf("(%d, $%d::bytea)", i, i+1), []byte(key)
	}
	return e.query(ctx, `SELECT key, value, coalesce(rev, 0) FROM (VALUES `+strings.Join(rows, ", ")+`) AS asked (n, key)
		LEFT JOIN opsec_item USING (key) ORDER BY n`, args...)
}

func (e *engine) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := cmp.Or(e.usable(ctx), r.Validate()); err != nil {
		return nil, err
	}
	end := cmp.Or(r.End, strings.Repeat("\xff", store.MaxKey+1)) // above every key
	order := map[bool]string{false: "key", true: "key DESC"}[r.Reverse]
	return e.query(ctx, fmt.Sprintf(`SELECT key, value, rev FROM (
			SELECT *, sum(length(value)) OVER (ORDER BY %[1]s) - length(value) AS before FROM (
				SELECT key, CASE WHEN $1 THEN '' ELSE value END AS value, rev FROM opsec_item
				WHERE key >= $2 AND key < $3 ORDER BY %[1]s LIMIT $4) AS item) AS item
		WHERE before < %[2]d ORDER BY %[1]s`, order, store.MaxPageBytes), r.KeysOnly, []byte(r.Start), []byte(end), r.Limit)
}

// query runs one statement, which sees the tables as they are at one point in time.
func (e *engine) query(ctx context.Context, text string, args ...any) (items []store.Item, err error) {
	rows, err := e.pool.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	defer rows.Close()
	for err == nil && rows.Next() {
		var item store.Item
		err = rows.Scan(&item.Key, &item.Value, &item.Rev)
		items = append(items, item)
	}
	return items, errors.Join(err, rows.Err())
}

func (e *engine) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := cmp.Or(e.usable(ctx), b.Validate()); err != nil {
		return 0, err
	}
	tx, err := e.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, errors.Join(err, ctx.Err())
	}
	defer tx.Rollback()
	rev, err := write(ctx, tx, b)
	if err != nil || len(b.Ops) == 0 {
		return 0, errors.Join(err, ctx.Err())
	}
	if err := tx.Commit(); err != nil {
		return 0, errors.Join(store.ErrIndeterminate, err)
	}
	return rev, nil
}

// write waits in its first statement until it is alone; those that follow see, READ COMMITTED, all that was before.
func write(ctx context.Context, tx *sql.Tx, b store.Batch) (rev store.Rev, err error) {
	if err := tx.QueryRowContext(ctx, "UPDATE opsec_rev SET last = last + 1 RETURNING last").Scan(&rev); err != nil {
		return 0, err
	}
	for _, c := range b.Checks {
		const text = "SELECT coalesce(max(rev), 0) FROM opsec_item WHERE key = $1"
		var at store.Rev
		if err := tx.QueryRowContext(ctx, text, []byte(c.Key)).Scan(&at); err != nil {
			return 0, err
		}
		if at != c.Rev {
			return 0, &store.ConflictError{Keys: []string{c.Key}}
		}
	}
	for _, op := range b.Ops {
		text, args := "DELETE FROM opsec_item WHERE key = $1", []any{[]byte(op.Key)}
		if !op.Delete {
			text = "INSERT INTO opsec_item VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET value = $2, rev = $3"
			args = append(args, append([]byte{}, op.Value...), rev) // a nil value would be NULL
		}
		if _, err := tx.ExecContext(ctx, text, args...); err != nil {
			return 0, err
		}
	}
	return rev, nil
}

type host struct{ Name, Rack string }

var hosts = store.NewCollection(store.Schema[host]{Name: "hosts", ID: func(h *host) store.Key { return store.Text(h.Name) }})

func main() {
	ctx := context.Background()
	pool, err := sql.Open("postgres", os.Getenv("DATABASE_URL")) // the driver that your program imports already
	check(err)
	db, err := store.New(&engine{pool: pool}, nil)
	check(err)
	check(db.Update(ctx, func(tx *store.Tx) error {
		return hosts.Put(tx.Sub("acme"), &host{"web-1", "r7"})
	}))
	check(db.View(ctx, func(tx *store.Tx) error {
		h, err := hosts.Get(tx.Sub("acme"), store.Text("web-1"))
		fmt.Println(h, err)
		return err
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

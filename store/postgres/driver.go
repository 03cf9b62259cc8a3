package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/hint"
	"github.com/cloudopsec/opsec/store"
)

// Options is the wiring of a [Driver].
type Options struct {
	// Schema holds the table; "opsec" if empty. Stores that must not see each other's rows, whatever their programs do, have
	// a schema and a role each.
	Schema string
	// Name tells the stores in one table apart: up to 64 bytes, which stand before every key. "" is a name as any other.
	Name string
	// Listen says where to wait for notifications; nil is the server of the pool. A pool behind a pooler that hands a
	// connection to another client after each transaction (PgBouncer's transaction mode) needs a direct connection here,
	// or Poll.
	Listen *pgx.ConnConfig
	// Poll, if positive, makes [Driver.Watch] yield so often, and nothing listens or notifies.
	Poll time.Duration
}

// Driver is a [store.Driver] over a table of PostgreSQL. It may be used by many goroutines, and by as many processes as
// the server has room for.
type Driver struct {
	pool    *pgxpool.Pool
	table   string // quoted
	prefix  string // of every key in the table
	text    statements
	channel string
	poll    time.Duration
	closed  atomic.Bool

	hub    hint.Hub
	ear    ear
	notice notifier
}

// New returns a driver over the caller's pool, which it never closes. It reads and writes nothing yet: [Migrate] makes
// the table, and [Driver.Verify] tells whether the server will do.
func New(pool *pgxpool.Pool, o *Options) (*Driver, error) {
	if o == nil {
		o = &Options{}
	}
	schema, err := schemaName(o.Schema)
	switch {
	case err != nil:
		return nil, err
	case pool == nil:
		return nil, fmt.Errorf("postgres: no pool: %w", opsec.ErrInvalid)
	case len(o.Name) > 64:
		return nil, fmt.Errorf("postgres: options: a name of %d bytes, at most 64: %w", len(o.Name), opsec.ErrInvalid)
	case o.Poll < 0:
		return nil, fmt.Errorf("postgres: options: poll %v: %w", o.Poll, opsec.ErrInvalid)
	case o.Poll > 0 && o.Listen != nil:
		return nil, fmt.Errorf("postgres: options: Poll and Listen: want one of them: %w", opsec.ErrInvalid)
	}
	table := tableOf(schema)
	prefix := store.Text(o.Name).Encode() // no such encoding begins with another
	d := &Driver{
		pool: pool, table: table, prefix: prefix, text: statementsFor(table), poll: o.Poll,
		channel: fmt.Sprintf("opsec_%x", sha256.Sum256([]byte(table+"\x00"+prefix)))[:38],
	}
	d.ear.connect = listenAt(pool, o.Listen)
	d.notice.open, d.notice.shut = context.WithCancel(context.Background())
	d.notice.life, d.notice.end = context.WithCancel(context.Background())
	d.notice.tell = func(ctx context.Context) error {
		_, err := pool.Exec(ctx, d.text.notify, d.channel)
		return err
	}
	return d, nil
}

// Close implements [store.Driver]. It waits for a notification that is due, a second at most. The pool stays open.
func (d *Driver) Close() error {
	d.closed.Store(true)
	d.hub.Close(store.ErrClosed)
	d.notice.close()
	return nil
}

func (d *Driver) usable(ctx context.Context) error {
	if d.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

// Get implements [store.Driver].
func (d *Driver) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	var items []store.Item
	err := d.retried(ctx, func() (err error) {
		items, err = d.get(ctx, d.pool, keys)
		return err
	})
	return items, err
}

func (d *Driver) get(ctx context.Context, q querier, keys []string) ([]store.Item, error) {
	if err := store.ValidateKeys(keys...); err != nil || len(keys) == 0 {
		return nil, err
	}
	text, arg := d.text.get, any(d.rawKey(keys[0]))
	if len(keys) > 1 {
		raw := make([][]byte, len(keys))
		for i, key := range keys {
			raw[i] = d.rawKey(key)
		}
		text, arg = d.text.getAll, raw
	}
	found, err := d.items(ctx, q, text, arg)
	if err != nil {
		return nil, err
	}
	if len(keys) == 1 && len(found) == 1 {
		return found, nil
	}
	byKey := make(map[string]store.Item, len(found))
	for _, item := range found {
		byKey[item.Key] = item
	}
	items := make([]store.Item, len(keys))
	for i, key := range keys {
		items[i] = byKey[key]
		items[i].Key = key
	}
	return items, nil
}

// List implements [store.Driver].
func (d *Driver) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	var items []store.Item
	err := d.retried(ctx, func() (err error) {
		items, err = d.list(ctx, d.pool, r)
		return err
	})
	return items, err
}

func (d *Driver) list(ctx context.Context, q querier, r store.Range) ([]store.Item, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	end := d.prefix + r.End
	if r.End == "" {
		end = d.prefix + aboveAll
	}
	return d.items(ctx, q, d.text.list(r), []byte(d.prefix+r.Start), []byte(end), r.Limit)
}

// aboveAll is greater than every key.
var aboveAll = strings.Repeat("\xff", store.MaxKey+1)

func (d *Driver) rawKey(key string) []byte { return append([]byte(d.prefix), key...) }

// items runs one statement, which sees the table as it is at one point in time.
func (d *Driver) items(ctx context.Context, q querier, text string, args ...any) ([]store.Item, error) {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return nil, failure(ctx, err)
	}
	defer rows.Close()
	var items []store.Item
	for rows.Next() {
		var raw pgtype.DriverBytes // lent until the next row
		var item store.Item
		var rev int64
		if err := rows.Scan(&raw, &item.Value, &rev); err != nil {
			return nil, fmt.Errorf("postgres: %w", err)
		}
		item.Key, item.Rev = string(raw[len(d.prefix):]), store.Rev(rev)
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, failure(ctx, err)
	}
	return items, nil
}

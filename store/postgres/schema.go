package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cloudopsec/opsec"
)

// version is that of the table, kept in its comment.
const version = "opsec store 1"

// ErrUnfit says that the server or its table is not what a store needs; the message says what is missing.
var ErrUnfit = errors.New("postgres: unfit")

func schemaName(given string) (string, error) {
	name := cmp.Or(given, "opsec")
	if len(name) > 63 || strings.ContainsAny(name, "\x00") || strings.HasPrefix(name, "pg_") {
		return "", fmt.Errorf("postgres: schema: want 1 to 63 bytes, no NUL, not pg_…: %w", opsec.ErrInvalid)
	}
	return name, nil
}

func tableOf(schema string) string { return pgx.Identifier{schema, "item"}.Sanitize() }

// Schema returns what makes the table of a schema ("" is "opsec") and lets roles use it, as text to read, or to put
// among the migrations of a program. It may be executed again. The owner of the table alone can change it; the roles, which
// must exist, read and write rows.
func Schema(schema string, roles ...string) (string, error) {
	name, err := schemaName(schema)
	if err != nil {
		return "", err
	}
	quoted, table := pgx.Identifier{name}.Sanitize(), tableOf(name)
	var text strings.Builder
	fmt.Fprintf(&text, `CREATE SCHEMA IF NOT EXISTS %[1]s;
CREATE TABLE IF NOT EXISTS %[2]s (
	key   bytea  PRIMARY KEY, -- bytewise order, whatever the collation of the database
	value bytea  NOT NULL,
	rev   bigint NOT NULL     -- random, a new one for each commit
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02); -- most writes replace a value
COMMENT ON TABLE %[2]s IS '%[3]s';
`, quoted, table, version)
	for _, role := range roles {
		r := pgx.Identifier{role}.Sanitize()
		fmt.Fprintf(&text, "GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s;\n", quoted, r, table, r)
	}
	return text.String(), nil
}

// Beginner is a connection, or a pool of them.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Migrate executes [Schema], all or nothing, one caller at a time. A table that is not of the version that this program
// knows is [ErrUnfit], and stays as it is.
func Migrate(ctx context.Context, db Beginner, schema string, roles ...string) error {
	text, err := Schema(schema, roles...)
	if err != nil {
		return err
	}
	name, _ := schemaName(schema)
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		const alone = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))"
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"); err != nil { // to see what is there then
			return err
		}
		if _, err := tx.Exec(ctx, alone, "opsec store "+name); err != nil {
			return err
		}
		var found bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", name).Scan(&found); err != nil {
			return err
		}
		if found { // whoever may make tables in a schema need not have the right to make schemas
			_, text, _ = strings.Cut(text, "\n")
		}
		there, have, err := versionOf(ctx, tx, tableOf(name))
		if err != nil || there && have != version {
			return cmp.Or(err, fmt.Errorf("%w: the table %s says %q, this program knows %q", ErrUnfit, tableOf(name), have, version))
		}
		_, err = tx.Exec(ctx, text)
		return err
	})
	if err != nil && !errors.Is(err, ErrUnfit) {
		return failure(ctx, err)
	}
	return err
}

// versionOf tells whether the table is there, and returns its comment, or "".
func versionOf(ctx context.Context, q rower, table string) (there bool, have string, err error) {
	const text = `SELECT to_regclass($1) IS NOT NULL, coalesce(pg_catalog.obj_description(to_regclass($1), 'pg_class'), '')`
	err = q.QueryRow(ctx, text, table).Scan(&there, &have)
	return there, have, err
}

// rower is a pool or a transaction.
type rower interface {
	QueryRow(ctx context.Context, text string, args ...any) pgx.Row
}

// Verify tells whether the server and the table will do: the version of the table, the rights of the role, a primary, and
// settings under which what was committed survives a crash. An error that wraps [ErrUnfit] says what will not; call it when
// a program starts.
func (d *Driver) Verify(ctx context.Context) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	var have, fsync, pages, synchronous, escapes string
	var standby, reading, rights bool
	err := d.retried(ctx, func() (err error) {
		if _, have, err = versionOf(ctx, d.pool, d.table); err != nil || have != version {
			return err
		}
		return d.pool.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean,
			current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
			current_setting('bytea_output'), has_table_privilege($1, 'SELECT') AND has_table_privilege($1, 'INSERT')
				AND has_table_privilege($1, 'UPDATE') AND has_table_privilege($1, 'DELETE')`, d.table).
			Scan(&standby, &reading, &fsync, &pages, &synchronous, &escapes, &rights)
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		return fmt.Errorf("%w: the role may not use the schema of %s: %w", ErrUnfit, d.table, err)
	}
	switch {
	case err != nil:
		return failure(ctx, err)
	case have != version:
		return fmt.Errorf("%w: the table %s says %q, this program knows %q: see Migrate", ErrUnfit, d.table, have, version)
	case standby:
		return fmt.Errorf("%w: the server is a standby: it shows old states", ErrUnfit)
	case reading:
		return fmt.Errorf("%w: transactions are read-only: see default_transaction_read_only", ErrUnfit)
	case !rights:
		return fmt.Errorf("%w: the role may not SELECT, INSERT, UPDATE and DELETE on %s", ErrUnfit, d.table)
	case fsync != "on" || synchronous == "off":
		return fmt.Errorf("%w: fsync is %s, synchronous_commit is %s: a crash would lose commits", ErrUnfit, fsync, synchronous)
	case pages != "on":
		return fmt.Errorf("%w: full_page_writes is %s: a crash would leave pages by half", ErrUnfit, pages)
	case escapes != "hex":
		return fmt.Errorf("%w: bytea_output is %s: pgx reads hex", ErrUnfit, escapes)
	}
	return nil
}

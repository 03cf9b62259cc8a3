package pgreplica

import (
	"context"
	"database/sql"
)

// Conn is a session or a pool of them. [SQL] makes one of database/sql; of pgx it is
//
//	func (c conn) Exec(ctx context.Context, q string, args ...any) error { _, err := c.pool.Exec(ctx, q, args...); return err }
//	func (c conn) Row(ctx context.Context, into []any, q string, args ...any) error { return c.pool.QueryRow(ctx, q, args...).Scan(into...) }
type Conn interface {
	// Exec runs one statement. The error is nil only when the server has said that it is done.
	Exec(ctx context.Context, query string, args ...any) error
	// Row scans the first row of a query; an error when there is none.
	Row(ctx context.Context, into []any, query string, args ...any) error
}

// SQL returns the [Conn] of a database/sql handle with any driver for PostgreSQL.
func SQL(db *sql.DB) Conn { return handle{db} }

type handle struct{ db *sql.DB }

func (h handle) Exec(ctx context.Context, query string, args ...any) error {
	_, err := h.db.ExecContext(ctx, query, args...)
	return err
}

func (h handle) Row(ctx context.Context, into []any, query string, args ...any) error {
	return h.db.QueryRowContext(ctx, query, args...).Scan(into...)
}

package postgres

import (
	"fmt"

	"github.com/cloudopsec/opsec/store"
)

// statements are the texts that a driver sends. Those of a commit deal with one key each, except the two that end in
// All; each takes the lock of its key and holds it until the transaction ends.
//
// A statement that finds its condition unmet divides by zero. That ends the transaction, the place of the statement says
// which key it was, and nothing has to be asked first: the commit stays one round trip.
//
// A function stands with its schema where the types of its arguments are not exactly those that PostgreSQL declares: one
// of the same name that fits better may be in a schema of the search_path, put there by somebody. The operators fit.
type statements struct {
	get, getAll, up, down, upKeys, downKeys string

	insert  conditional // $1 must be absent: $2 at $3
	replace conditional // $1 at $4: $2 at $3
	discard conditional // $1 at $2
	vacant  string      // a key checked absent that is not written: $1 is put there
	hold    string      // a checked key that is not written: $1 at $2
	lock    string      // a key to be removed, whatever is there: $1 is put there, or is there
	remove  string      // $1
	put     string      // $1: $2 at $3

	insertAll string // as insert, for arrays in the order of the keys
	putAll    string // as put, for arrays in the order of the keys
	deadline  string // gives up after $1, a text in milliseconds
	notify    string // $1 is the channel
}

// conditional is a statement that changes one row, or none if its condition is not met.
type conditional struct {
	plain string // says so by the number of rows
	or    string // ends the transaction then
}

// unmet ends the transaction unless its argument has rows; the name of the column is what the server's log shows.
const unmet = ` SELECT 1 / count(*) AS "opsec: unless a checked key has changed" FROM `

func statementsFor(table string) statements {
	text := func(format string, args ...any) string { return fmt.Sprintf(format, append([]any{table}, args...)...) }
	one := func(format string) conditional {
		plain := text(format)
		return conditional{plain, "WITH done AS (" + plain + " RETURNING 1)" + unmet + "done"}
	}
	return statements{
		get:      text(`SELECT key, value, rev FROM %s WHERE key = $1`),
		getAll:   text(`SELECT key, value, rev FROM %s WHERE key = ANY ($1::bytea[])`),
		up:       page(table, "key"),
		down:     page(table, "key DESC"),
		upKeys:   text(`SELECT key, NULL::bytea, rev FROM %s WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3`),
		downKeys: text(`SELECT key, NULL::bytea, rev FROM %s WHERE key >= $1 AND key < $2 ORDER BY key DESC LIMIT $3`),

		hold:    unmet + text(`(SELECT FROM %s WHERE key = $1 AND rev = $2 FOR SHARE) AS held`),
		vacant:  one(`INSERT INTO %s VALUES ($1, '', 0) ON CONFLICT DO NOTHING`).or,
		lock:    text(`INSERT INTO %s VALUES ($1, '', 0) ON CONFLICT (key) DO UPDATE SET rev = 0`),
		remove:  text(`DELETE FROM %s WHERE key = $1`),
		insert:  one(`INSERT INTO %s VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`),
		replace: one(`UPDATE %s SET value = $2, rev = $3 WHERE key = $1 AND rev = $4`),
		discard: one(`DELETE FROM %s WHERE key = $1 AND rev = $2`),
		put: text(`INSERT INTO %s VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, rev = excluded.rev`),
		insertAll: text(`WITH done AS (INSERT INTO %s SELECT key, value, $3 FROM unnest($1::bytea[], $2::bytea[]) AS given (key, value)
			ON CONFLICT DO NOTHING RETURNING 1)
			SELECT 1 / (count(*) = pg_catalog.cardinality($1::bytea[]))::int AS "opsec: unless a checked key has changed" FROM done`),
		putAll: text(`INSERT INTO %s SELECT key, value, $3 FROM unnest($1::bytea[], $2::bytea[]) AS given (key, value)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, rev = excluded.rev`),
		deadline: `SELECT pg_catalog.set_config('statement_timeout', $1, true)`,
		notify:   `SELECT pg_catalog.pg_notify($1, '')`,
	}
}

// page ends with the row that brings the bytes of the values to the limit of the contract.
func page(table, order string) string {
	return fmt.Sprintf(`SELECT key, value, rev FROM (
			SELECT *, sum(octet_length(value)) OVER (ORDER BY %[2]s ROWS UNBOUNDED PRECEDING) - octet_length(value) AS before FROM (
				SELECT key, value, rev FROM %[1]s WHERE key >= $1 AND key < $2 ORDER BY %[2]s LIMIT $3) AS row) AS row
		WHERE before < %[3]d ORDER BY %[2]s`, table, order, store.MaxPageBytes)
}

func (s *statements) list(r store.Range) string {
	switch {
	case r.KeysOnly && r.Reverse:
		return s.downKeys
	case r.KeysOnly:
		return s.upKeys
	case r.Reverse:
		return s.down
	}
	return s.up
}

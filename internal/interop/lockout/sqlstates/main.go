package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

// schema belongs among your migrations. Times are in milliseconds since 1970.
const schema = `
CREATE TABLE lockout (
	tenant text, account text, factor text, class text, device text,
	failures int NOT NULL DEFAULT 0, locks int NOT NULL DEFAULT 0, pending int NOT NULL DEFAULT 0, pending_before int NOT NULL DEFAULT 0,
	batch bigint NOT NULL DEFAULT 0, last bigint NOT NULL DEFAULT 0, until bigint NOT NULL DEFAULT 0, standing text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant, account, factor, class, device));
CREATE TABLE outbox (id text PRIMARY KEY, body text NOT NULL)`

// states is a lockout.States over these tables.
type states struct{ db *sql.DB }

func (s states) Update(ctx context.Context, k lockout.Key, change lockout.Change) (lockout.Verdict, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return lockout.Verdict{}, err
	}
	defer tx.Rollback()
	key := []any{k.Tenant, k.Account, k.Factor, k.Class, k.Device}
	var old lockout.State
	// The row is made if it is not there, and locked until the end: guesses at one account take turns.
	err = tx.QueryRowContext(ctx, `INSERT INTO lockout (tenant, account, factor, class, device) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, account, factor, class, device) DO UPDATE SET tenant = excluded.tenant
		RETURNING failures, locks, pending, pending_before, batch, last, until, standing`, key...).
		Scan(&old.Failures, &old.Locks, &old.Pending[0], &old.Pending[1], &old.Batch, &old.Last, &old.Until, &old.Standing)
	if err != nil {
		return lockout.Verdict{}, err
	}
	state, verdict := change.Apply(old)
	if state == (lockout.State{}) {
		_, err = tx.ExecContext(ctx, `DELETE FROM lockout WHERE tenant = $1 AND account = $2 AND factor = $3 AND class = $4 AND device = $5`, key...)
	} else {
		_, err = tx.ExecContext(ctx, `UPDATE lockout SET failures = $6, locks = $7, pending = $8, pending_before = $9, batch = $10, last = $11,
			until = $12, standing = $13 WHERE tenant = $1 AND account = $2 AND factor = $3 AND class = $4 AND device = $5`,
			append(key, state.Failures, state.Locks, state.Pending[0], state.Pending[1], state.Batch, state.Last, state.Until, state.Standing)...)
	}
	if e := change.Record(k, verdict); e != nil && err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO outbox VALUES ($1, $2)", e.ID, string(e.AppendJSON(nil)))
	}
	if err != nil {
		return lockout.Verdict{}, err
	}
	return verdict, tx.Commit()
}

// logIn is what a log-in page does: nobody gets past it without a proof, which a session is made of.
func logIn(ctx context.Context, gate *lockout.Gate, a lockout.Attempt, password []byte, verify func(account string, password []byte) error) (lockout.Proof, error) {
	guess, err := gate.Begin(ctx, a)
	if err != nil {
		return lockout.Proof{}, err // and the same dummy verification for everybody: see package login
	}
	outcome := lockout.Correct()
	switch err := verify(a.Account, password); {
	case errors.Is(err, opsec.ErrDenied):
		outcome = lockout.Wrong(password)
	case err != nil:
		outcome = lockout.Undecided() // the directory is down: that is not the guesser's failure
	}
	return gate.Commit(ctx, guess, outcome)
}

func newGate(db *sql.DB, patience time.Duration) (*lockout.Gate, error) {
	profile, err := lockout.Preset(lockout.PresetRecommendation)
	if err != nil {
		return nil, err
	}
	return lockout.New(states{db}, profile, &lockout.Options{Authorizer: opsec.CallerAuthorized{}, Patience: patience})
}

func main() {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // with the driver that you import
	if err != nil {
		log.Fatal(err)
	}
	gate, err := newGate(db, 0)
	if err != nil {
		log.Fatal(err)
	}
	a := lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: os.Args[1], Factor: lockout.Password}}
	proof, err := logIn(context.Background(), gate, a, []byte(os.Args[2]), func(_ string, password []byte) error {
		if string(password) != "correct horse" { // yours: one KDF call, by package identity/password/hash
			return opsec.ErrDenied
		}
		return nil
	})
	if err != nil {
		log.Fatal(err) // for you; who logs in sees one and the same failure
	}
	fmt.Println(proof.Account(), "has proved the", proof.Factor())
}

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/login"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/blocklist"
	"github.com/cloudopsec/opsec/identity/password/credential"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/identity/session"
)

// tables belong among your migrations; the first is the one that you have.
const tables = `
CREATE TABLE accounts (tenant text, name text, id text NOT NULL, person text NOT NULL, closed text NOT NULL DEFAULT '', PRIMARY KEY (tenant, name));
CREATE TABLE secrets (tenant text, id text, body text NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE sessions (tenant text, id text, body text NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE outbox (id text PRIMARY KEY, body text NOT NULL)`

// update changes one document of a table, with the events of the change, or neither.
func update[T any](ctx context.Context, db *sql.DB, table string, tenant opsec.TenantID, id string, fn func(T) (T, []*opsec.Event, error)) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var body string
	err = tx.QueryRowContext(ctx, "INSERT INTO "+table+` VALUES ($1, $2, '{}')
		ON CONFLICT (tenant, id) DO UPDATE SET tenant = excluded.tenant RETURNING body`, tenant, id).Scan(&body) // and holds the row
	if err != nil {
		return err
	}
	var document T
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		return err
	}
	document, events, err := fn(document)
	if err != nil {
		return err
	}
	data, err := json.Marshal(document)
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE "+table+" SET body = $3 WHERE tenant = $1 AND id = $2", tenant, id, string(data))
	}
	for _, e := range events {
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO outbox VALUES ($1, $2)", e.ID, string(e.AppendJSON(nil)))
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// house is your database as the rooms want to see it.
type house struct {
	db     *sql.DB
	keeper *credential.Keeper
}

// Update is credential.Records.
func (h *house) Update(ctx context.Context, tenant opsec.TenantID, account string, fn func(credential.Record) (credential.Record, []*opsec.Event, error)) error {
	return update(ctx, h.db, "secrets", tenant, account, fn)
}

// books is session.Books.
type books struct{ db *sql.DB }

func (b books) Update(ctx context.Context, at session.Address, fn func(session.Book) (session.Change, error)) error {
	return update(ctx, b.db, "sessions", at.Tenant, at.Book, func(book session.Book) (session.Book, []*opsec.Event, error) {
		change, err := fn(book)
		if change.Put != nil {
			book = *change.Put
		}
		return book, change.Events, err
	})
}

// Find is login.Accounts.
func (h *house) Find(ctx context.Context, tenant opsec.TenantID, name string) (a login.Account, err error) {
	err = h.db.QueryRowContext(ctx, "SELECT id, person, closed FROM accounts WHERE tenant = $1 AND name = lower($2)", tenant, name).
		Scan(&a.ID, &a.Person, &a.Closed) // identity/name has a better form of names
	if errors.Is(err, sql.ErrNoRows) {
		return login.Account{ID: strings.ToLower(name)}, opsec.ErrNotFound // so that spellings of a name nobody has count together
	}
	a.Kind = opsec.Human
	return a, err
}

// Verify and Decoy are login.Secrets.
func (h *house) Verify(ctx context.Context, tenant opsec.TenantID, account string, _ lockout.Factor, secret []byte) (login.Answer, error) {
	v, err := h.keeper.Verify(ctx, credential.Subject{Tenant: tenant, Account: account}, secret)
	return login.Answer{Match: v.Match, Hidden: v.Hidden, MustChange: v.MustChange}, err
}

func (h *house) Decoy(ctx context.Context, _ lockout.Factor, secret []byte) error {
	return h.keeper.Dummy(ctx, secret)
}

// ended is credential.Sessions: whoever changes a password is logged out everywhere.
type ended struct{ sessions *session.Manager }

func (e ended) RevokeAll(ctx context.Context, tenant opsec.TenantID, account, reason string) error {
	return e.sessions.RevokeAll(ctx, tenant, account, opsec.Actor{Account: "password-service", Kind: opsec.System}, reason)
}

func main() {
	ctx := context.Background()
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // with the driver that you import
	must(err)
	limits, err := session.Preset("nist-aal1")
	must(err)
	sessions, err := session.New(books{db}, limits, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	must(err)
	rules, err := password.Preset(password.NIST)
	must(err)
	known, err := blocklist.Default() // or one that you build of hundreds of millions
	must(err)
	checker, err := password.New(rules, &password.Options{Blocklist: known, Words: []string{"acme"}})
	must(err)
	pool, err := hash.New(hash.OWASP, nil)
	must(err)
	h, policy := &house{db: db}, credential.Default()
	policy.SkipLocks = true // nothing is reset here: there is no courier
	h.keeper, err = credential.New(h, pool, checker, policy, &credential.Options{Authorizer: opsec.CallerAuthorized{}, Sessions: ended{sessions}})
	must(err)
	attempts, err := lockout.Preset(lockout.PresetRecommendation)
	must(err)
	states := lockout.NewMemory(1_000_000, nil) // of one node; for several the States above
	gate, err := lockout.New(states, attempts, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	must(err)
	desk, err := login.New(h, h, gate, &login.Options{Recorder: record{}})
	must(err)

	name, secret := os.Args[1], []byte(os.Args[2])
	if a, err := h.Find(ctx, "acme", name); err == nil { // a page for new accounts
		who := credential.Subject{Tenant: "acme", Account: a.ID, Words: []string{name}}
		fmt.Println("set:", h.keeper.Set(ctx, who, secret, opsec.Actor{Tenant: "acme", Account: a.ID, Person: a.Person}))
	}
	visit, err := desk.Enter(ctx, login.Attempt{ // a log-in page
		Tenant: "acme", Name: name, Factor: lockout.Password, Secret: secret, System: "console",
		From: opsec.Actor{IP: netip.MustParseAddr("192.0.2.7"), Terminal: "shell"},
	})
	must(err) // the same text for all that are refused
	s, token, err := sessions.Create(ctx, visit.Request(), visit.Proofs()...)
	must(err)
	fmt.Println("a cookie of", len(token.Reveal()), "bytes; the session ends", s.NextDeadline(&limits))
}

// record is your log.
type record struct{}

func (record) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	log.Printf("%s", e.AppendJSON(nil))
	return opsec.Receipt{}, nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

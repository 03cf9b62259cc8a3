package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// schema belongs among your migrations. Names are sorted by their bytes.
const schema = `
CREATE TABLE keys (tenant text, name text COLLATE "C", data bytea NOT NULL, PRIMARY KEY (tenant, name));
CREATE TABLE outbox (id text PRIMARY KEY, body text NOT NULL)`

// table is a keymgmt.Repository over these tables, and a keymgmt.Lister.
type table struct{ db *sql.DB }

// Sealed tells the manager what it cannot see: whoever runs this database has encrypted its disk under a key that is not on it.
func (t table) Sealed() bool { return true }

func (t table) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	for {
		err := t.try(ctx, tenant, fn)
		var state interface{ SQLState() string } // as pgx and lib/pq have it
		if !errors.As(err, &state) || state.SQLState() != "40001" && state.SQLState() != "40P01" {
			return err
		}
		select { // another process was first: once more
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t table) try(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	tx, err := t.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	out, err := fn(func(names ...string) ([][]byte, error) {
		docs := make([][]byte, len(names))
		for i, name := range names {
			err := tx.QueryRowContext(ctx, "SELECT data FROM keys WHERE tenant = $1 AND name = $2", tenant, name).Scan(&docs[i])
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
		}
		return docs, nil
	})
	if err != nil {
		return err
	}
	for _, d := range out.Put {
		if len(d.Data) == 0 {
			_, err = tx.ExecContext(ctx, "DELETE FROM keys WHERE tenant = $1 AND name = $2", tenant, d.Name)
		} else {
			_, err = tx.ExecContext(ctx, `INSERT INTO keys VALUES ($1, $2, $3)
				ON CONFLICT (tenant, name) DO UPDATE SET data = excluded.data`, tenant, d.Name, d.Data)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range out.Events {
		if _, err := tx.ExecContext(ctx, "INSERT INTO outbox VALUES ($1, $2)", e.ID, string(e.AppendJSON(nil))); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// List is what Manager.List and Manager.Sweep need.
func (t table) List(ctx context.Context, tenant opsec.TenantID, prefix, after string) iter.Seq2[keymgmt.Document, error] {
	return func(yield func(keymgmt.Document, error) bool) {
		rows, err := t.db.QueryContext(ctx, `SELECT name, data FROM keys WHERE tenant = $1 AND starts_with(name, $2) AND name > $3
			ORDER BY name`, tenant, prefix, after)
		if err != nil {
			yield(keymgmt.Document{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var d keymgmt.Document
			if err := rows.Scan(&d.Name, &d.Data); !yield(d, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(keymgmt.Document{}, err)
		}
	}
}

var (
	orders = keymgmt.SetID{Tenant: "acme", ID: "orders"}
	ada    = lifecycle.By{Actor: opsec.Actor{Tenant: opsec.Provider, Account: "ada", Person: "p-1", Kind: opsec.Human}, Reason: "new customer"}
	plane  = opsec.Actor{Tenant: opsec.Provider, Account: "plane", Person: "plane", Kind: opsec.Service}
)

// order gives acme a keyset and its first key.
func order(ctx context.Context, manager *lifecycle.Manager) error {
	_, err := manager.Create(ctx, ada, keymgmt.Keyset{
		SetID: orders, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: keymgmt.Preset(keymgmt.DataEncryption),
		Roles: keymgmt.Roles{keymgmt.Administrator: {keymgmt.Person(ada.Actor)}, keymgmt.Operator: {keymgmt.Person(plane)}},
	})
	if err == nil {
		_, err = manager.Rotate(ctx, ada, orders)
	}
	return err
}

// serve is one process of the plane: a node, which seals with the keyset's key until ctx ends.
func serve(ctx context.Context, manager *lifecycle.Manager, root *custody.Root, node string) error {
	holder, err := keyring.Join(ctx, manager, root, &keyring.Options{Node: node, Actor: plane})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- holder.Run(ctx) }() // looks at what has changed, lets go, and leaves at the end
	ring, err := holder.Ring(ctx, orders)
	if err != nil {
		return err
	}
	order, err := keymgmt.NewContext("tenant", "acme", "order", "4711")
	if err != nil {
		return err
	}
	sealed, err := ring.Seal(nil, []byte("one gin, no ice"), order)
	if err != nil {
		return err // what the key may not do now is a typed error
	}
	fmt.Printf("%x\n", sealed)
	return <-ended
}

func run(ctx context.Context, db *sql.DB, auth opsec.Authorizer, place, command string, passphrase []byte) error {
	dir, err := custody.OpenDir(place)
	if err != nil {
		return err
	}
	root, err := custody.NewRoot(dir, nil)
	if err != nil {
		return err
	}
	manager, err := lifecycle.New(table{db}, keyring.Material{}, root, &lifecycle.Options{Authorizer: auth})
	if err != nil {
		return err
	}
	defer root.Seal()
	if command == "new" { // once: with the tables and the directory empty
		if err := root.CreateWithPassphrase(ctx, passphrase, custody.Cost{}); err != nil {
			return err
		}
		return order(ctx, manager)
	}
	if err := root.UnsealWithPassphrase(ctx, passphrase); err != nil {
		return err
	}
	return serve(ctx, manager, root, fmt.Sprint(command, "-", os.Getpid()))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // with the driver that you import
	if err == nil {
		err = run(ctx, db, opsec.CallerAuthorized{}, os.Getenv("CUSTODY"), os.Args[1], []byte(os.Getenv("PASSPHRASE")))
	}
	if err != nil {
		log.Fatal(err)
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
)

// schema belongs among your migrations, beside what postgres.Schema returns.
const schema = `CREATE TABLE change_request (id text PRIMARY KEY, host text NOT NULL, release text NOT NULL,
	state text NOT NULL DEFAULT 'asked', approval jsonb NOT NULL)`

// windows say when changes may run: on weekday nights, but not over the end of the year.
const windows = `[
	{"name": "nights", "kind": "maintenance", "zone": "Europe/Berlin", "start": "2026-01-05T22:00", "end": "2026-01-06T05:00",
	 "rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"},
	{"name": "year end", "kind": "freeze", "zone": "Europe/Berlin", "start": "2026-12-21T00:00", "end": "2027-01-04T00:00"}]`

// policy wants two people of operations. Whoever asks is none of them.
const policy = `{"stages": [{"rule": {"role": "operations", "min": 2}}], "valid": "72h", "use_within": "72h", "skip_signatures": true}`

// host is a record of ours, in the store; change_request is a table of the program's own.
type host struct{ Name, Release string }

var hosts = store.NewCollection(store.Schema[host]{Name: "hosts", ID: func(h *host) store.Key { return store.Text(h.Name) }})

type desk struct {
	pool   *pgxpool.Pool
	engine *postgres.Driver
	plan   *calendar.Schedule
	roles  map[string][]string // of each person
}

func (d *desk) authority() approval.Authority {
	return approval.Authority{Roles: func(a opsec.Actor) ([]string, error) { return d.roles[a.Person], nil }}
}

// upgrade is the exact action: another host, or another release, is another action.
func upgrade(name, release string) approval.Action {
	return approval.NewAction("desk.upgrade", opsec.Resource{Tenant: "acme", Type: "host", ID: name}, []byte(release))
}

// request is a row of the program's own.
type request struct {
	id, host, release string
	approval          approval.Case
}

func (d *desk) ask(ctx context.Context, who opsec.Actor, r request, now time.Time) error {
	var p approval.Policy
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		return err
	}
	c, event, err := approval.New(approval.Request{Action: upgrade(r.host, r.release), By: who, Reason: r.id, Policy: p}, now)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		const text = "INSERT INTO change_request (id, host, release, approval) VALUES ($1, $2, $3, $4)"
		if _, err := tx.Exec(ctx, text, r.id, r.host, r.release, c); err != nil {
			return err
		}
		return d.record(ctx, tx, event)
	})
}

func (d *desk) approve(ctx context.Context, who opsec.Actor, id string, now time.Time) error {
	return d.step(ctx, id, func(tx pgx.Tx, r *request) (err error) {
		var event *opsec.Event
		yes := approval.Decision{Verb: approval.Approve, By: who, Reason: "read it"}
		if r.approval, event, err = r.approval.Decide(yes, d.authority(), now); err != nil {
			return err // the event of a refusal is for your log: this transaction ends without a trace
		}
		return d.record(ctx, tx, event)
	})
}

// run does the change: the approval is spent, the request is done, and the host has its release, all in one commit.
func (d *desk) run(ctx context.Context, who opsec.Actor, id string, now time.Time) error {
	if err := d.plan.Check(now, 30*time.Minute); err != nil {
		return err
	}
	return d.step(ctx, id, func(tx pgx.Tx, r *request) (err error) {
		var event *opsec.Event
		if r.approval, event, err = r.approval.Use(upgrade(r.host, r.release), who, d.authority(), now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE change_request SET state = 'done' WHERE id = $1", id); err != nil {
			return err
		}
		return d.record(ctx, tx, event, &host{r.host, r.release})
	})
}

// step changes a request in a transaction of the program's own, whose row lock keeps others away.
func (d *desk) step(ctx context.Context, id string, fn func(pgx.Tx, *request) error) error {
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		r := request{id: id}
		const text = "SELECT host, release, approval FROM change_request WHERE id = $1 FOR UPDATE"
		if err := tx.QueryRow(ctx, text, id).Scan(&r.host, &r.release, &r.approval); err != nil {
			return err
		}
		if err := fn(tx, &r); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE change_request SET approval = $2 WHERE id = $1", id, r.approval)
		return err
	})
}

// record is a commit of the store inside the program's transaction.
func (d *desk) record(ctx context.Context, tx pgx.Tx, event *opsec.Event, changed ...*host) error {
	db, err := store.New(d.engine.Join(tx), &store.Options{Node: "desk"})
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Emit(event); err != nil {
			return err
		}
		return hosts.Put(tx.Sub("acme"), changed...)
	})
}

func person(name string) opsec.Actor {
	return opsec.Actor{Tenant: "acme", Account: name, Person: name, Kind: opsec.Human}
}

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	check(err)
	engine, err := postgres.New(pool, nil)
	check(err)
	check(engine.Verify(ctx)) // the table, the rights, a primary, fsync
	var list []calendar.Window
	check(json.Unmarshal([]byte(windows), &list))
	plan, err := calendar.NewSchedule(list)
	check(err)
	d := &desk{pool, engine, plan, map[string][]string{"ann": {"operations"}, "bob": {"operations"}, "cid": {"operations"}}}

	now := time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC) // your clock
	check(d.ask(ctx, person("ann"), request{id: "C-17", host: "web-1", release: "v2"}, now))
	for _, name := range []string{"ann", "bob", "cid"} {
		fmt.Println(name, "approves:", d.approve(ctx, person(name), "C-17", now))
	}
	fmt.Println("at once:", d.run(ctx, person("ann"), "C-17", now))
	slot, err := plan.Earliest(now, 30*time.Minute)
	check(err)
	fmt.Println("at", slot.Start, d.run(ctx, person("ann"), "C-17", slot.Start))
	fmt.Println("again:", d.run(ctx, person("ann"), "C-17", slot.Start))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

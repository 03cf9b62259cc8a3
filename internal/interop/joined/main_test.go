//go:build unix

package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

func TestSnippetOfTheDocumentIsThisProgram(t *testing.T) {
	const document = "../../../docs/adopt.md"
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Your own tables, our approvals and calendars (`approval`, `calendar`, `store/postgres`)\n")
	require.True(t, found, "the section of %s", document)
	_, code, found := strings.Cut(section, "\n```go\n")
	require.True(t, found, "the program in %s", document)
	code, _, found = strings.Cut(code, "\n```\n")
	require.True(t, found, "its end")
	require.Equal(t, string(program), code+"\n")
}

// A change that was approved by two others runs once, at night, and writes both sides or neither.
func TestProgram(t *testing.T) {
	server := pgtest.Start(t, nil)
	t.Setenv("DATABASE_URL", server.DSN())
	pool, err := pgxpool.New(t.Context(), server.DSN())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), schema)
	require.NoError(t, err)
	require.NoError(t, postgres.Migrate(t.Context(), pool, ""))
	main() // ends the process when something is wrong

	engine, err := postgres.New(pool, nil)
	require.NoError(t, err)
	db, err := store.New(engine, nil)
	require.NoError(t, err)
	requireState := func(id, state, release string) {
		t.Helper()
		var have string
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT state FROM change_request WHERE id = $1", id).Scan(&have))
		require.Equal(t, state, have)
		require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
			h, err := hosts.Get(tx.Sub("acme"), store.Text("web-"+strings.TrimPrefix(id, "C-")[:1]))
			if release == "" {
				require.ErrorIs(t, err, opsec.ErrNotFound)
				return nil
			}
			require.Equal(t, release, h.Release)
			return err
		}))
	}
	requireState("C-17", "done", "v2")

	schedule, err := calendar.NewSchedule(nil)
	require.NoError(t, err)
	d := &desk{pool, engine, schedule, map[string][]string{"ann": {"operations"}, "bob": {"operations"}, "cid": {"operations"}}}
	now := time.Date(2026, 12, 20, 22, 0, 0, 0, time.UTC)
	require.NoError(t, d.ask(t.Context(), person("ann"), request{id: "C-29", host: "web-2", release: "v3"}, now))
	require.ErrorIs(t, d.approve(t.Context(), person("ann"), "C-29", now), approval.ErrSamePerson)
	require.NoError(t, d.approve(t.Context(), person("bob"), "C-29", now))
	require.ErrorAs(t, d.run(t.Context(), person("ann"), "C-29", now), new(*calendar.RefusedError))
	d.plan = always(t)
	require.ErrorIs(t, d.run(t.Context(), person("ann"), "C-29", now), approval.StatusError{Status: approval.Pending})
	require.NoError(t, d.approve(t.Context(), person("cid"), "C-29", now))
	requireState("C-29", "asked", "")

	d.roles["cid"] = nil // has left operations since
	require.ErrorIs(t, d.run(t.Context(), person("ann"), "C-29", now), approval.ErrLapsed)
	d.roles["cid"] = []string{"operations"}
	_, err = pool.Exec(t.Context(), "UPDATE change_request SET release = 'v4' WHERE id = 'C-29'")
	require.NoError(t, err)
	require.ErrorIs(t, d.run(t.Context(), person("ann"), "C-29", now), approval.ErrOtherAction)
	requireState("C-29", "asked", "")
	_, err = pool.Exec(t.Context(), "UPDATE change_request SET release = 'v3' WHERE id = 'C-29'")
	require.NoError(t, err)
	require.NoError(t, d.run(t.Context(), person("ann"), "C-29", now))
	requireState("C-29", "done", "v3")

	// Two requests, and the four steps of each that were taken, as events.
	log := recorder{}
	_, err = db.Deliver(t.Context(), "desk", log)
	require.NoError(t, err)
	require.Equal(t, recorder{approval.ActionRequest: 2, approval.ActionApprove: 4, approval.ActionUse: 2}, log)
}

type recorder map[string]int

func (r recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r[e.Action]++
	return opsec.Receipt{Event: e.ID, Durable: true}, nil
}

func always(t *testing.T) *calendar.Schedule {
	s, err := calendar.NewSchedule([]calendar.Window{{
		Name: "always", Kind: calendar.Maintenance, Zone: "UTC",
		Start: calendar.Local{Date: calendar.Date{Year: 2026, Month: 1, Day: 1}},
		End:   calendar.Local{Date: calendar.Date{Year: 2026, Month: 12, Day: 31}},
	}})
	require.NoError(t, err)
	return s
}

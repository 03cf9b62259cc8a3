package main

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

func TestSnippetOfTheDocumentIsThisProgram(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/adopt.md")
	require.NoError(t, err)
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.Contains(t, string(text), "\n```go\n"+string(program)+"```\n")
}

// Somebody sets a password, logs in, and logs in again: two sessions, each with its event, in the tables of the program.
func TestProgram(t *testing.T) {
	server := pgtest.Start(t, nil)
	t.Setenv("DATABASE_URL", server.DSN())
	db, err := sql.Open("pgx", server.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.ExecContext(t.Context(), tables+`; INSERT INTO accounts VALUES ('acme', 'ada', 'a-1', 'p-1')`)
	require.NoError(t, err)
	args := os.Args
	t.Cleanup(func() { os.Args = args })
	os.Args = []string{"loginpage", "Ada", "a long way to tipperary"}
	main()
	main() // the password is there already

	var actions []string
	rows, err := db.QueryContext(t.Context(), "SELECT body::json->>'action' FROM outbox ORDER BY id")
	require.NoError(t, err)
	for rows.Next() {
		actions = append(actions, "")
		require.NoError(t, rows.Scan(&actions[len(actions)-1]))
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"password.set", session.ActionLogIn, session.ActionLogIn}, actions)
	found, err := (&house{db: db}).Find(t.Context(), "acme", "Bob")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.Equal(t, "bob", found.ID)
}

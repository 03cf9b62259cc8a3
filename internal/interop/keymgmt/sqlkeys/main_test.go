//go:build unix

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

const managers = 4

// fleet is managers over the tables of one database, each with a pool of its own as processes have them.
type fleet struct {
	server   *pgtest.Server
	root     *custody.Root
	managers []*lifecycle.Manager
	pool     *sql.DB
	ahead    atomic.Int64 // by which the clock is wrong
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	root, err := custody.NewRoot(new(custody.Memory), nil)
	require.NoError(t, err)
	require.NoError(t, root.Create(t.Context(), custody.NewRootKey()))
	f := &fleet{server: pgtest.Start(t, nil), root: root}
	f.pool = f.open(t, "pgx")
	_, err = f.pool.ExecContext(t.Context(), schema)
	require.NoError(t, err)
	for i := range managers {
		f.managers = append(f.managers, f.manager(t, []string{"pgx", "postgres"}[i%2]))
	}
	return f
}

// open opens a pool by a driver: "pgx", or "postgres" for lib/pq.
func (f *fleet) open(t *testing.T, driver string) *sql.DB {
	t.Helper()
	pool, err := sql.Open(driver, f.server.DSN())
	require.NoError(t, err)
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() { pool.Close() })
	return pool
}

func (f *fleet) manager(t *testing.T, driver string) *lifecycle.Manager {
	t.Helper()
	m, err := lifecycle.New(table{f.open(t, driver)}, keyring.Material{}, f.root, &lifecycle.Options{
		Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) },
	})
	require.NoError(t, err)
	return m
}

// create makes the keyset with a first key, nobody's consent being needed.
func (f *fleet) create(t *testing.T, change func(*keymgmt.Policy)) keymgmt.Key {
	t.Helper()
	p := keymgmt.Preset(keymgmt.DataEncryption)
	p.Quorum = nil
	if change != nil {
		change(&p)
	}
	_, err := f.managers[0].Create(t.Context(), ada, keymgmt.Keyset{
		SetID: orders, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: p,
		Roles: keymgmt.Roles{keymgmt.Administrator: {keymgmt.Person(ada.Actor)}, keymgmt.Operator: {keymgmt.Person(plane)}},
	})
	require.NoError(t, err)
	k, err := f.managers[0].Rotate(t.Context(), ada, orders)
	require.NoError(t, err)
	return k
}

// each runs fn for every manager, n times at once.
func (f *fleet) each(n int, fn func(m *lifecycle.Manager)) {
	var all sync.WaitGroup
	for _, m := range f.managers {
		for range n {
			all.Go(func() { fn(m) })
		}
	}
	all.Wait()
}

// actions counts those of the outbox, each with its outcome.
func (f *fleet) actions(t *testing.T) map[string]int {
	t.Helper()
	rows, err := f.pool.QueryContext(t.Context(), "SELECT body FROM outbox")
	require.NoError(t, err)
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var body []byte
		var e opsec.Event
		require.NoError(t, rows.Scan(&body))
		require.NoError(t, json.Unmarshal(body, &e))
		require.NoError(t, e.Validate())
		found[e.Action+" "+string(e.Outcome)]++
	}
	require.NoError(t, rows.Err())
	return found
}

func TestSnippetOfTheDocumentIsThisProgram(t *testing.T) {
	const document = "../../../../docs/adopt.md"
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## The life of keys in your own database (`keymgmt/lifecycle`, `keymgmt/keyring`)\n")
	require.True(t, found, "the section of %s", document)
	_, code, found := strings.Cut(section, "\n```go\n")
	require.True(t, found, "the program in %s", document)
	code, _, found = strings.Cut(code, "\n```\n")
	require.True(t, found, "its end")
	require.Equal(t, string(program), code+"\n")
}

func TestConcurrentRotationsLeaveOnePrimary(t *testing.T) {
	f := newFleet(t)
	f.create(t, nil)
	const each, times = 2, 5
	f.each(each, func(m *lifecycle.Manager) {
		for range times {
			if _, err := m.Rotate(t.Context(), ada, orders); err != nil {
				t.Error(err)
			}
		}
	})
	set, err := f.managers[0].Keyset(t.Context(), orders)
	require.NoError(t, err)
	require.Equal(t, 1+managers*each*times, set.Keys)
	n := 0
	for k, err := range f.managers[1].Keys(t.Context(), orders) {
		require.NoError(t, err)
		require.Equal(t, k.Ref.Key == set.Primary, k.State == keymgmt.Active, k.Ref)
		n++
	}
	require.Equal(t, set.Keys, n)
	require.Equal(t, n, f.actions(t)[keymgmt.ActionRotate+" success"], "one event for each, by the same commit")
}

func TestLeasesNeverExceedTheLimit(t *testing.T) {
	f := newFleet(t)
	const limit = 200
	key := f.create(t, func(p *keymgmt.Policy) { p.Messages, p.Block = limit, 7 })
	var leased atomic.Uint64
	f.each(3, func(m *lifecycle.Manager) {
		for {
			got, err := m.Lease(t.Context(), key.Ref, keymgmt.Amount{Messages: 7, Bytes: 7})
			if _, exhausted := errors.AsType[*keymgmt.ExhaustedError](err); exhausted {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			leased.Add(got.Messages)
		}
	})
	require.EqualValues(t, limit, leased.Load())
}

func TestADestroyedKeyIsInNoTable(t *testing.T) {
	f := newFleet(t)
	key := f.create(t, nil)
	m, operator := f.managers[0], lifecycle.By{Actor: plane}
	node, err := keyring.Join(t.Context(), m, f.root, &keyring.Options{Node: "node", Actor: plane})
	require.NoError(t, err)
	ring, err := node.Ring(t.Context(), orders)
	require.NoError(t, err)
	c, err := keymgmt.NewContext("tenant", "acme")
	require.NoError(t, err)
	sealed, err := ring.Seal(nil, []byte("text"), c)
	require.NoError(t, err)
	held, err := m.Held(t.Context(), key.Ref)
	require.NoError(t, err)
	wrapped, err := json.Marshal(held.Wrapped)
	require.NoError(t, err)
	wrapped = bytes.Trim(wrapped, `"`)
	holding := func() (n int) {
		require.NoError(t, f.pool.QueryRowContext(t.Context(),
			`SELECT (SELECT count(*) FROM keys WHERE position($1::bytea IN data) > 0) + (SELECT count(*) FROM outbox WHERE position($2 IN body) > 0)`,
			wrapped, string(wrapped)).Scan(&n))
		return n
	}
	require.Equal(t, 1, holding())

	_, err = m.Rotate(t.Context(), ada, orders)
	require.NoError(t, err)
	f.ahead.Add(int64(time.Hour))
	_, err = m.Count(t.Context(), operator, key.Ref, keymgmt.Census{
		Time: time.Now().Add(time.Hour), Of: 1, Digest: "sha256:" + strings.Repeat("0", 64),
	})
	require.NoError(t, err)
	_, err = m.Schedule(t.Context(), ada, key.Ref)
	require.NoError(t, err)
	f.ahead.Add(int64(keymgmt.Preset(keymgmt.DataEncryption).DestroyWait))
	_, err = f.managers[1].Destroy(t.Context(), ada, key.Ref)
	_, pending := errors.AsType[*lifecycle.PendingError](err)
	require.True(t, pending, "%v", err)
	require.NoError(t, errors.Join(node.Refresh(t.Context()), node.Refresh(t.Context())))
	f.each(1, func(m *lifecycle.Manager) {
		_, err := m.Destroy(t.Context(), ada, key.Ref)
		if _, late := errors.AsType[*keymgmt.StateError](err); late || errors.Is(err, lifecycle.ErrChanged) {
			_, err = m.Destroy(t.Context(), ada, key.Ref) // another has done it meanwhile
		}
		if err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, holding())
	require.Equal(t, 1, f.actions(t)[keymgmt.ActionDestroy+" success"])
	_, err = ring.Open(nil, sealed, c)
	require.ErrorIs(t, err, opsec.ErrDenied)

	n := 0
	for s, err := range m.List(t.Context(), "acme", "") {
		require.NoError(t, err)
		require.Equal(t, orders, s.SetID)
		n++
	}
	require.Equal(t, 1, n)
}

func TestListIsInTheOrderOfBytes(t *testing.T) {
	f := newFleet(t)
	repo := table{f.pool}
	names := []string{"set/B", "set/a", "set/a-b", "set/a.b", "set/aa", "set/_", "set/%", "sett", "key/a", "set/Z"}
	require.NoError(t, repo.Update(t.Context(), "acme", func(keymgmt.Read) (out keymgmt.Changes, err error) {
		for _, name := range names {
			out.Put = append(out.Put, keymgmt.Document{Name: name, Data: []byte("{}")})
		}
		return out, nil
	}))
	var got []string
	for d, err := range repo.List(t.Context(), "acme", "set/", "set/") {
		require.NoError(t, err)
		got = append(got, d.Name)
	}
	slices.Sort(names)
	require.Equal(t, slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "set/") }), got)
	for d, err := range repo.List(t.Context(), "acme", "set/", "set/a") {
		require.NoError(t, err)
		require.Equal(t, "set/a-b", d.Name)
		break
	}
}

func TestProgramRuns(t *testing.T) {
	f := newFleet(t)
	place, passphrase := filepath.Join(t.TempDir(), "custody"), []byte("correct horse battery staple")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := func(command string) error {
		return run(ctx, f.pool, opsec.CallerAuthorized{}, place, command, passphrase)
	}
	require.ErrorIs(t, start("plane"), opsec.ErrNotFound, "nothing is there yet")
	require.NoError(t, start("new"))
	require.ErrorIs(t, start("new"), keymgmt.ErrExists)
	ended := make(chan error, 1)
	go func() { ended <- start("plane") }()
	node := fmt.Sprint("plane-", os.Getpid())
	require.Eventually(t, func() bool {
		var n int
		err := f.pool.QueryRowContext(t.Context(), "SELECT count(*) FROM keys WHERE name = 'usage/orders/00000001'").Scan(&n)
		return err == nil && n == 1
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	var n int
	require.NoError(t, f.pool.QueryRowContext(t.Context(), "SELECT count(*) FROM keys WHERE name = $1", "node/"+node).Scan(&n))
	require.Zero(t, n, "it has left")
}

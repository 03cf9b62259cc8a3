//go:build unix

package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/outbox"
)

const crashVariable = "OPSEC_STORE_CRASH" // of the environment: the directory of a child that will be killed

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashVariable); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// logFile is a recorder that appends a line and syncs. It repeats what is delivered twice, for the test to see.
type logFile struct {
	mu   sync.Mutex
	file *os.File
}

func (l *logFile) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(e.AppendJSON(nil), '\n')); err != nil {
		return opsec.Receipt{}, err
	}
	return opsec.Receipt{Event: e.ID, Durable: true}, l.file.Sync()
}

func openLog(dir string) (*logFile, error) {
	file, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &logFile{file: file}, err
}

// writeUntilKilled writes records with their events, delivers the events, and acknowledges on standard output.
func writeUntilKilled(dir string) error {
	d, err := bolt.Open(filepath.Join(dir, "store"), nil)
	if err != nil {
		return err
	}
	db, err := store.New(d, &store.Options{Node: "child"})
	if err != nil {
		return err
	}
	log, err := openLog(dir)
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() { failed <- outbox.Run(context.Background(), db, log, nil) }()
	var out sync.Mutex
	for range 6 {
		go func() {
			for {
				id := string(opsec.NewID())
				err := db.Update(context.Background(), func(tx *store.Tx) error {
					e := event(acme)
					e.Resource.ID = id
					return errors.Join(tx.Emit(e), accounts.Insert(tx.Sub(acme), &account{ID: id, Login: id, Role: "r"}))
				})
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(id)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

// A process that writes state and events and is killed at random moments leaves both or neither; what it had
// acknowledged is there, and in the end each event is in the log.
func TestKilledProcessLeavesStateAndEventTogether(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	least := 0
	for range rounds {
		due := 1 + rand.N(40) // acknowledgements, and then any moment
		least += due
		self, err := os.Executable()
		require.NoError(t, err)
		child := exec.CommandContext(t.Context(), self)
		child.Env = append(os.Environ(), crashVariable+"="+dir)
		child.Stderr = os.Stderr
		pipe, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(pipe)
		for n, stop := 0, time.Now().Add(time.Minute); lines.Scan() && time.Now().Before(stop); n++ {
			if len(lines.Text()) == 36 { // the last line may be cut
				acknowledged[lines.Text()] = true
			}
			if n == due {
				time.AfterFunc(rand.N(5*time.Millisecond), func() { child.Process.Kill() })
			}
		}
		_ = child.Process.Kill() // when it took a minute
		require.EqualError(t, child.Wait(), "signal: killed")
	}

	db := newDB(t, openBolt(t, filepath.Join(dir, "store")), nil)
	log, err := openLog(dir)
	require.NoError(t, err)
	_, err = db.Deliver(t.Context(), "child", log)
	require.NoError(t, err)
	logged := map[string]map[opsec.ID]bool{} // events by record
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	require.NoError(t, err)
	lines, torn := 0, 0
	for line := range strings.Lines(string(text)) {
		var e opsec.Event
		if json.Unmarshal([]byte(line), &e) != nil {
			torn++ // a kill in the middle of a line: that event was not taken, and comes again
			continue
		}
		lines++
		if logged[e.Resource.ID] == nil {
			logged[e.Resource.ID] = map[opsec.ID]bool{}
		}
		logged[e.Resource.ID][e.ID] = true
	}
	there := 0
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for a, err := range accounts.List(tx.Sub(acme), store.Query{}) {
			require.NoError(t, err)
			there++
			require.Len(t, logged[a.ID], 1, "one event for %s", a.ID)
			delete(acknowledged, a.ID)
		}
		return nil
	}))
	require.Empty(t, acknowledged, "acknowledged and lost")
	require.Len(t, logged, there, "an event without its state")
	require.Empty(t, problems(t, db, nil, accounts))
	t.Logf("%d kills, %d records, %d lines in the log, %d torn", rounds, there, lines, torn)
	require.GreaterOrEqual(t, there, least)
}

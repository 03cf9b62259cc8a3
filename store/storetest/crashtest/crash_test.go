package crashtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
)

func TestMain(m *testing.M) {
	if crashtest.Child(open) {
		return
	}
	os.Exit(m.Run())
}

// journal is a driver in memory that writes the ops of each commit to a file, as a line, and commits them again when it
// is opened. Its place is a path, and behind a "?" a bug.
type journal struct {
	store.Driver
	mu   sync.Mutex
	file *os.File
	bug  string
	held []byte
}

func open(place string) (store.Driver, error) {
	path, bug, _ := strings.Cut(place, "?")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1] // the rest was acknowledged to nobody
	j := &journal{Driver: memory.New(), bug: bug}
	for line := range bytes.Lines(whole) {
		var ops []store.Op
		if err := json.Unmarshal(line, &ops); err != nil {
			return nil, err
		}
		if _, err := j.Driver.Commit(context.Background(), store.Batch{Ops: ops}); err != nil {
			return nil, err
		}
	}
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	return j, j.file.Truncate(int64(len(whole)))
}

func (j *journal) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	rev, err := j.Driver.Commit(ctx, b)
	if err != nil {
		return 0, err
	}
	parts := [][]store.Op{b.Ops}
	if j.bug == "halves" {
		parts = [][]store.Op{b.Ops[:1], b.Ops[1:]}
	}
	for _, ops := range parts {
		line, err := json.Marshal(ops)
		if err != nil {
			return 0, err
		}
		j.held = append(append(j.held, line...), '\n')
		if j.bug == "holds" && len(j.held) < 100_000 {
			continue
		}
		if _, err := j.file.Write(j.held); err != nil {
			return 0, err
		}
		j.held = j.held[:0]
	}
	return rev, nil
}

func (j *journal) Close() error { return errors.Join(j.Driver.Close(), j.file.Close()) }

func harness(bug string, rounds int) crashtest.Harness {
	return crashtest.Harness{
		Place:  func(t testing.TB) string { return filepath.Join(t.TempDir(), "journal") + "?" + bug },
		Open:   open,
		Rounds: rounds,
	}
}

func TestCrashLosesNothing(t *testing.T) { crashtest.Run(t, harness("", 5)) }

// verdict is a testing.TB that only notes what is said of it.
type verdict struct {
	testing.TB
	said string
}

func (v *verdict) Logf(string, ...any) {}
func (v *verdict) Fatalf(format string, args ...any) {
	v.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func judge(t *testing.T, h crashtest.Harness) string {
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		crashtest.Run(v, h)
	}()
	<-done
	return v.said
}

func TestCrashFindsWhatIsLost(t *testing.T) {
	for _, bug := range []string{"holds", "halves"} {
		t.Run(bug, func(t *testing.T) {
			said := judge(t, harness(bug, 200))
			if said == "" {
				t.Fatal("it finds nothing")
			}
			t.Log(said)
		})
	}
}

func TestCrashReportsAChildThatDoesNotStart(t *testing.T) {
	h := harness("", 1)
	h.Place = func(t testing.TB) string { return filepath.Join(t.TempDir(), "no", "such", "directory") }
	if said := judge(t, h); !strings.Contains(said, "cannot open the store") {
		t.Fatalf("%q", said)
	}
}

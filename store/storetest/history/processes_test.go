//go:build unix

package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/storetest/history"
)

func TestMain(m *testing.M) {
	if history.Child(open) {
		return
	}
	os.Exit(m.Run())
}

// file is a store of several processes: each call locks a file, reads all that is in it, and a commit writes it anew. It
// has the bugs of a driver that thinks it is alone.
type file struct {
	path, bug string

	mu     sync.Mutex
	cached map[string]store.Item
	calls  int
}

// content is what the file has.
type content struct {
	Rev   store.Rev
	Items map[string]store.Item
}

// open opens the store at a path, behind a "?" with a bug.
func open(place string) (store.Driver, error) {
	path, bug, _ := strings.Cut(place, "?")
	switch bug {
	case "ends":
		os.Exit(0)
	case "opens slowly":
		if first, err := os.OpenFile(path+".first", os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			first.Close()
			time.Sleep(500 * time.Millisecond)
		}
	}
	f := &file{path: path, bug: bug, cached: map[string]store.Item{}}
	return f, f.locked(func(*content) {})
}

func (f *file) locked(fn func(*content)) error {
	h, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer h.Close() // and unlocks
	if err := syscall.Flock(int(h.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	c := content{Items: map[string]store.Item{}}
	if err := json.NewDecoder(h).Decode(&c); err != nil && err != io.EOF {
		return err
	}
	before := c.Rev
	if fn(&c); c.Rev == before {
		return nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = h.WriteAt(text, 0)
	return errors.Join(err, h.Truncate(int64(len(text))))
}

func (f *file) Get(_ context.Context, keys ...string) (items []store.Item, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls++; f.bug == "fails" && f.calls > 50 {
		return nil, errors.New("out of order")
	}
	err = f.locked(func(c *content) {
		for _, key := range keys {
			item := c.Items[key]
			item.Key = key
			if old, ok := f.cached[key]; ok && f.bug == "answers from a cache" {
				item = old
			}
			f.cached[key] = item
			items = append(items, f.shown(item))
		}
	})
	return items, err
}

func (f *file) List(_ context.Context, r store.Range) (items []store.Item, err error) {
	err = f.locked(func(c *content) {
		for _, key := range slices.Sorted(maps.Keys(c.Items)) {
			if key >= r.Start && key < r.End {
				items = append(items, f.shown(c.Items[key]))
			}
		}
	})
	return items, err
}

// shown is the item with the Rev that this process gives it.
func (f *file) shown(item store.Item) store.Item {
	if f.bug == "numbers for itself" && item.Rev != 0 {
		item.Rev += store.Rev(os.Getpid()) << 32
	}
	return item
}

func (f *file) Commit(_ context.Context, b store.Batch) (rev store.Rev, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed []string
	check := func(c *content) {
		for _, check := range b.Checks {
			if f.shown(c.Items[check.Key]).Rev != check.Rev {
				failed = append(failed, check.Key)
			}
		}
	}
	apply := func(ops []store.Op) func(*content) {
		return func(c *content) {
			if len(failed) > 0 || len(ops) == 0 {
				return
			}
			if rev == 0 {
				c.Rev++
				rev = c.Rev
			}
			for _, op := range ops {
				item := store.Item{Key: op.Key, Value: op.Value, Rev: rev}
				c.Items[op.Key] = item
				if op.Delete {
					delete(c.Items, op.Key)
					item = store.Item{Key: op.Key}
				}
				f.cached[op.Key] = item
			}
		}
	}
	if f.bug == "locks itself alone while it checks" {
		if err = f.locked(check); err == nil {
			time.Sleep(50 * time.Microsecond)
			err = f.locked(apply(b.Ops))
		}
	} else {
		err = f.locked(func(c *content) { check(c); apply(b.Ops)(c) })
	}
	if err == nil && len(failed) > 0 {
		return 0, &store.ConflictError{Keys: failed}
	}
	return f.shown(store.Item{Rev: rev}).Rev, err
}

func (f *file) Close() error { return nil }

// eight histories of eight callers each.
func eight(seed uint64, o history.Options) (list []history.Options) {
	for i := range uint64(8) {
		o.Seed, o.Prefix = seed<<8|i, fmt.Sprint(i, "/")
		list = append(list, o)
	}
	return list
}

func record(t *testing.T, processes int, bug string, list []history.Options) ([][]history.Operation, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	return history.RecordProcesses(ctx, processes, filepath.Join(t.TempDir(), "store")+"?"+bug, list)
}

// verdict is Illegal when one of the histories is.
func verdict(histories [][]history.Operation) porcupine.CheckResult {
	for _, list := range histories {
		if result := linearizable(list); result != porcupine.Ok {
			return result
		}
	}
	return porcupine.Ok
}

func TestSeveralProcessesOverlapInOneHistory(t *testing.T) {
	const processes = 3
	o := history.Options{Callers: 4, Calls: 20, Pause: 4 * time.Millisecond}
	histories, err := record(t, processes, "opens slowly", eight(1, o))
	if err != nil {
		t.Fatal(err)
	}
	for i, list := range histories {
		if len(list) != processes*o.Callers*o.Calls {
			t.Fatalf("history %d has %d operations", i, len(list))
		}
		type span struct{ from, to time.Duration }
		spans, byCaller, wrote, foreign := map[int]span{}, map[int]int{}, map[string]int{}, 0
		for _, op := range list {
			p := op.Caller / o.Callers
			s, ok := spans[p]
			if !ok {
				s.from = op.Call
			}
			spans[p] = span{min(s.from, op.Call), max(s.to, op.Return)}
			byCaller[op.Caller]++
			for _, value := range op.Write {
				if other, ok := wrote[value]; ok && other != op.Caller && value != "" {
					t.Fatalf("callers %d and %d write %q", op.Caller, other, value)
				}
				wrote[value] = op.Caller
			}
		}
		for _, op := range list {
			for _, value := range op.Saw {
				if by, ok := wrote[value]; ok && by/o.Callers != op.Caller/o.Callers {
					foreign++
				}
			}
		}
		if foreign == 0 {
			t.Errorf("history %d: nobody sees what another process has written", i)
		}
		for n := range processes * o.Callers {
			if byCaller[n] != o.Calls {
				t.Errorf("history %d: caller %d has %d calls", i, n, byCaller[n])
			}
		}
		from, to := spans[0].from, spans[0].to
		for p := range processes {
			from, to = max(from, spans[p].from), min(to, spans[p].to)
		}
		if from >= to || from < 0 || to > 2*time.Minute {
			t.Errorf("history %d: the processes are at work at %v", i, spans)
		}
	}
	if result := verdict(histories); result != porcupine.Ok {
		t.Fatal(result)
	}
}

// What each of these does is right as long as there is one process.
func TestBugsThatOneProcessHidesAreFoundByTwo(t *testing.T) {
	for _, bug := range []string{"answers from a cache", "locks itself alone while it checks"} {
		t.Run(bug, func(t *testing.T) {
			one, err := record(t, 1, bug, eight(2, history.Options{Callers: 4, Keys: 2}))
			if err != nil || verdict(one) != porcupine.Ok {
				t.Fatalf("one process: %s, %v", verdict(one), err)
			}
			for seed := range uint64(20) {
				two, err := record(t, 2, bug, eight(seed, history.Options{Callers: 4, Keys: 2}))
				if err != nil {
					t.Fatal(err)
				}
				if verdict(two) == porcupine.Illegal {
					return
				}
			}
			t.Fatal("two processes: it finds nothing")
		})
	}
}

func TestRevsAreComparedAcrossProcesses(t *testing.T) {
	if _, err := record(t, 1, "numbers for itself", eight(3, history.Options{Callers: 2})); err != nil {
		t.Fatal(err)
	}
	_, err := record(t, 2, "numbers for itself", eight(3, history.Options{Callers: 2}))
	if err == nil || !strings.Contains(err.Error(), "has Rev") {
		t.Fatal(err)
	}
}

func TestProcessThatFailsEndsAllAndIsReported(t *testing.T) {
	if _, err := record(t, 2, "fails", eight(4, history.Options{})); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Fatal(err)
	}
	_, err := history.RecordProcesses(t.Context(), 2, filepath.Join(t.TempDir(), "no", "such", "directory"), eight(4, history.Options{}))
	if err == nil || !strings.Contains(err.Error(), "cannot open the store") {
		t.Fatal(err)
	}
	if _, err = record(t, 2, "ends", eight(4, history.Options{})); err == nil || !strings.Contains(err.Error(), "tells of 0 histories") {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o := history.Options{Pause: time.Minute}
	_, err = history.RecordProcesses(ctx, 2, filepath.Join(t.TempDir(), "store"), eight(4, o))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestBadRequestsStartNoProcess(t *testing.T) {
	for name, test := range map[string]struct {
		processes int
		list      []history.Options
	}{
		"no processes":       {0, []history.Options{{}}},
		"no histories":       {2, nil},
		"one prefix twice":   {2, []history.Options{{Prefix: "a"}, {Prefix: "a"}}},
		"no prefix twice":    {2, []history.Options{{}, {Prefix: "history/"}}},
		"a prefix not UTF-8": {2, []history.Options{{Prefix: "\xff"}}},
	} {
		_, err := history.RecordProcesses(t.Context(), test.processes, "/no/such/place", test.list)
		if !errors.Is(err, opsec.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProcessThatDoesNotCallChildStartsNoOthers(t *testing.T) {
	t.Setenv(history.Variable, "1")
	_, err := record(t, 2, "", eight(5, history.Options{}))
	if err == nil || !strings.Contains(err.Error(), "TestMain") {
		t.Fatal(err)
	}
}

func TestTimesAreGivenAsMuchAsTheClocksMovedApart(t *testing.T) {
	list := history.Drifted([]history.Operation{{Call: 50, Return: 70}, {Call: 50, Return: 1 << 60, Outcome: history.Unknown}}, 7)
	if list[0].Call != 43 || list[0].Return != 77 || list[1].Call != 43 || list[1].Return != 1<<60 {
		t.Fatal(list)
	}
}

func ExampleRecordProcesses() { // TestMain calls Child(open)
	place, err := os.CreateTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(place.Name())
	histories, err := history.RecordProcesses(context.Background(), 2, place.Name(), []history.Options{
		{Prefix: "hot/", Callers: 8, Keys: 1},
		{Prefix: "cool/", Callers: 8, Keys: 8},
	})
	for _, list := range histories {
		fmt.Println(len(list), linearizable(list)) // see Step
	}
	fmt.Println(err)
	// Output:
	// 320 Ok
	// 320 Ok
	// <nil>
}

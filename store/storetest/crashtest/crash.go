package crashtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/store"
)

// Harness is how [Run] gets at a store, from two processes.
type Harness struct {
	// Place makes a new, empty store and says where it is: a path, a data source name. What it leaves behind it removes
	// by Cleanup.
	Place func(testing.TB) string
	// Open opens the store. The function that is given to Child must open the same.
	Open func(place string) (store.Driver, error)
	// Rounds is how often a process is killed; 20 if zero.
	Rounds int
}

const (
	variable = "OPSEC_STORETEST_CRASH" // of the environment: the place
	writers  = 6
	kept     = 5 // commits in a writer's trail
)

// Child is what a process that [Run] starts is for. TestMain calls it first, and ends when it returns true:
//
//	func TestMain(m *testing.M) {
//		if crashtest.Child(open) {
//			return
//		}
//		os.Exit(m.Run())
//	}
//
// In any other process it returns false at once.
func Child(open func(place string) (store.Driver, error)) bool {
	place, ok := os.LookupEnv(variable)
	if !ok {
		return false
	}
	d, err := open(place)
	if err != nil {
		fmt.Fprintln(os.Stderr, "crashtest: cannot open the store:", err)
		os.Exit(2)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
		os.Exit(3)
	}()
	c := child{d: d}
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() { c.write(i) })
	}
	for range 2 {
		wait.Go(c.count)
	}
	wait.Wait()
	return true
}

func conflict(err error) bool {
	_, ok := errors.AsType[*store.ConflictError](err)
	return ok
}

func get(ctx context.Context, d store.Driver, keys ...string) ([]store.Item, error) {
	items, err := d.Get(ctx, keys...)
	if err == nil && len(items) != len(keys) {
		err = fmt.Errorf("a Get of %d keys returns %d items", len(keys), len(items))
	}
	return items, err
}

func show(item store.Item) string {
	return fmt.Sprintf("%.40q = %.40q at %d", item.Key, item.Value, item.Rev)
}

type child struct {
	d  store.Driver
	mu sync.Mutex
}

// tell writes a line in one go.
func (c *child) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n")
}

// settled reports whether to go on after an error, which is for the conditions that the contract knows.
func (c *child) settled(what string, err error) bool {
	if conflict(err) || errors.Is(err, store.ErrIndeterminate) {
		return true
	}
	c.tell("bad %s: %s", what, strings.ReplaceAll(err.Error(), "\n", " "))
	return false
}

// Each writer has three keys that every commit of it rewrites, and a trail of its last commits: the key of the new one
// is inserted, that of the oldest deleted.
func bodyKeys(writer int) []string {
	return []string{fmt.Sprintf("body/%d/a", writer), fmt.Sprintf("body/%d/b", writer), fmt.Sprintf("zbody/%d", writer)}
}

func trailKey(writer, n int) string { return fmt.Sprintf("trail/%d/%08d", writer, n) }

// body is the value of one commit, of 10 bytes to 6 KiB.
func body(writer, n int) []byte {
	return fmt.Appendf(nil, "%d/%d/%s", writer, n, strings.Repeat(string(rune('a'+n%26)), n*977%6000))
}

// numberOf returns the commit that a body is of, 0 if it is absent.
func numberOf(item store.Item) (n int, err error) {
	if item.Rev == 0 {
		return 0, nil
	}
	var writer int
	if _, err = fmt.Sscanf(string(item.Value), "%d/%d/", &writer, &n); err != nil {
		return 0, fmt.Errorf("%s is not what was written: %w", show(item), err)
	}
	return n, nil
}

func (c *child) write(writer int) {
	ctx := context.Background()
	for {
		items, err := get(ctx, c.d, bodyKeys(writer)...)
		if err != nil {
			c.tell("bad Get: %v", err)
			return
		}
		n, err := numberOf(items[0])
		if err != nil {
			c.tell("bad body: %v", err)
			return
		}
		for {
			n++
			b := store.Batch{Checks: []store.Check{{Key: trailKey(writer, n)}}}
			for i := range items {
				b.Checks = append(b.Checks, store.Check{Key: items[i].Key, Rev: items[i].Rev})
				b.Ops = append(b.Ops, store.Op{Key: items[i].Key, Value: body(writer, n)})
			}
			b.Ops = append(b.Ops, store.Op{Key: trailKey(writer, n)})
			if n > kept {
				b.Ops = append(b.Ops, store.Op{Key: trailKey(writer, n-kept), Delete: true})
			}
			rev, err := c.d.Commit(ctx, b)
			if err != nil {
				if !c.settled("Commit", err) {
					return
				}
				break // read again
			}
			c.tell("ok %d %d %d", writer, n, rev)
			for i := range items {
				items[i].Rev = rev
			}
			if n%5 == 0 && !c.fail(writer) {
				return
			}
		}
	}
}

// fail commits what must be refused.
func (c *child) fail(writer int) bool {
	b := store.Batch{
		Checks: []store.Check{{Key: bodyKeys(writer)[0]}},
		Ops:    []store.Op{{Key: fmt.Sprintf("never/%d", writer)}},
	}
	_, err := c.d.Commit(context.Background(), b)
	if err == nil {
		c.tell("bad Commit: an insert over what is there was done")
		return false
	}
	return c.settled("Commit", err)
}

// count increments what another goroutine increments as well.
func (c *child) count() {
	ctx := context.Background()
	for {
		items, err := get(ctx, c.d, "count")
		if err != nil {
			c.tell("bad Get: %v", err)
			return
		}
		n := counted(items[0]) + 1
		_, err = c.d.Commit(ctx, store.Batch{
			Checks: []store.Check{{Key: "count", Rev: items[0].Rev}},
			Ops:    []store.Op{{Key: "count", Value: strconv.AppendInt(nil, int64(n), 10)}},
		})
		switch {
		case err == nil:
			c.tell("count %d", n)
		case !c.settled("Commit of the count", err):
			return
		}
	}
}

// counted reads the count; 0 if it is absent, -1 if it is none.
func counted(item store.Item) int {
	if item.Rev == 0 {
		return 0
	}
	n, err := strconv.Atoi(string(item.Value))
	if err != nil {
		return -1
	}
	return n
}

// Run starts processes that commit, kills each at a random moment (SIGKILL), and opens the store that it leaves:
// whatever a process was told is done must be there, and no commit may be there by half. It kills the client; of an
// engine that is a server of its own it shows that the loss of a client does no harm.
func Run(t testing.TB, h Harness) {
	if h.Rounds == 0 {
		h.Rounds = 20
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := witness{place: h.Place(t), self: self, done: map[int]acknowledged{}}
	for range h.Rounds {
		if err := w.round(t.Context()); err != nil {
			t.Fatalf("after %d commits: %v", w.heard, err)
		}
		d, err := h.Open(w.place)
		if err != nil {
			t.Fatalf("the store does not open after a crash: %v", err)
		}
		if err := w.inspect(t.Context(), d); err != nil {
			_ = d.Close()
			t.Fatalf("after %d commits: %v", w.heard, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d processes killed in %d commits that they were told of", h.Rounds, w.heard)
}

// witness is the parent, who hears what the processes were told.
type witness struct {
	place, self string
	heard       int
	done        map[int]acknowledged // the last of each writer
	count       int
}

type acknowledged struct {
	n   int
	rev store.Rev
}

// round runs one process and kills it.
func (w *witness) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.self)
	cmd.Env = append(os.Environ(), variable+"="+w.place, "GORACE=atexit_sleep_ms=0")
	var problems strings.Builder
	cmd.Stderr = &problems
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	after, heard, killed := 1+rand.IntN(100), 0, false
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if err = w.hear(lines.Text()); err != nil {
			break
		}
		if heard++; heard == after {
			killed = true
			time.AfterFunc(rand.N(3*time.Millisecond), cancel) // which kills
		}
	}
	cancel()
	_ = cmd.Wait()
	if err == nil && !killed {
		err = fmt.Errorf("the process ended by itself, or was silent for a minute: %s", problems.String())
	}
	return err
}

// hear takes a line. What the process prints of its own is none of ours.
func (w *witness) hear(line string) error {
	if what, bad := strings.CutPrefix(line, "bad "); bad {
		return errors.New(what)
	}
	var writer, n int
	var rev store.Rev
	if _, err := fmt.Sscanf(line, "ok %d %d %d", &writer, &n, &rev); err == nil {
		w.done[writer] = acknowledged{n, rev}
		w.heard++
	} else if _, err := fmt.Sscanf(line, "count %d", &n); err == nil {
		w.count = max(w.count, n)
		w.heard++
	}
	return nil
}

// inspect looks at what is there. A commit whose process is dead may still arrive at a server, so each look is at one
// point in time.
func (w *witness) inspect(ctx context.Context, d store.Driver) error {
	for writer := range writers {
		if err := w.inspectWriter(ctx, d, writer); err != nil {
			return err
		}
	}
	items, err := get(ctx, d, "count")
	if err != nil {
		return err
	}
	if counted(items[0]) < w.count {
		return fmt.Errorf("the count was %d, and is now %s", w.count, show(items[0]))
	}
	all, err := d.List(ctx, store.Range{Limit: store.MaxPage, KeysOnly: true})
	if err != nil {
		return err
	}
	for _, item := range all {
		if strings.HasPrefix(item.Key, "never/") {
			return fmt.Errorf("%s was refused, and is there", item.Key)
		}
	}
	if most := 1 + writers*(len(bodyKeys(0))+kept); len(all) > most {
		return fmt.Errorf("%d keys are there, where there can be %d", len(all), most)
	}
	return nil
}

func (w *witness) inspectWriter(ctx context.Context, d store.Driver, writer int) error {
	for {
		items, err := get(ctx, d, bodyKeys(writer)[0])
		if err != nil {
			return err
		}
		n, err := numberOf(items[0])
		if err != nil {
			return err
		}
		keys := bodyKeys(writer)
		first := max(1, n-kept-2)
		for i := first; i <= n+2; i++ {
			keys = append(keys, trailKey(writer, i))
		}
		if items, err = get(ctx, d, keys...); err != nil {
			return err
		}
		now, err := numberOf(items[0])
		if err != nil {
			return err
		}
		if now != n {
			continue // another one has arrived
		}
		if n < w.done[writer].n {
			return fmt.Errorf("commit %d of writer %d was acknowledged, and the last that is there is %d", w.done[writer].n, writer, n)
		}
		if last := w.done[writer]; n == last.n && items[0].Rev != last.rev {
			return fmt.Errorf("commit %d of writer %d was acknowledged at Rev %d, and is at %d", n, writer, last.rev, items[0].Rev)
		}
		bodies, trail := items[:len(bodyKeys(0))], items[len(bodyKeys(0)):]
		for _, item := range bodies {
			if n > 0 && string(item.Value) != string(body(writer, n)) || item.Rev != items[0].Rev {
				return fmt.Errorf("commit %d of writer %d is there by half: %s", n, writer, show(item))
			}
		}
		for i, item := range trail {
			if at := first + i; (item.Rev != 0) != (at <= n && at > n-kept) {
				return fmt.Errorf("commit %d of writer %d is there by half: trail %d has Rev %d", n, writer, at, item.Rev)
			}
		}
		return nil
	}
}

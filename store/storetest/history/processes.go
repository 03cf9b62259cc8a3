package history

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

const (
	variable = "OPSEC_STORETEST_HISTORY" // of the environment of a child
	mark     = "opsec-history: "         // a line of a child's output that is ours begins so

	maxLine    = 64 << 20 // of a child's output, which has a history in each line
	maxProblem = 64 << 10 // of what a child says on standard error
	maxDrift   = time.Millisecond
)

// job is what a child is told: what to open, and the histories. Its callers have the numbers from Process*Callers on.
type job struct {
	Place   string
	Process int
	Zero    int64 // when the histories begin, in nanoseconds since 1970
	List    []Options
}

// told is a line of a child: that it is ready, and then one for each history.
type told struct {
	History    int // -1: it is ready
	Operations []Operation
	Revs       revs
}

// Child is what a process that [RecordProcesses] starts is for. TestMain calls it first, and ends when it returns true:
//
//	func TestMain(m *testing.M) {
//		if history.Child(open) || crashtest.Child(open) {
//			return
//		}
//		os.Exit(m.Run())
//	}
//
// In any other process it returns false at once. Open opens the store at the place that RecordProcesses was given.
func Child(open func(place string) (store.Driver, error)) bool {
	if _, ok := os.LookupEnv(variable); !ok {
		return false
	}
	if err := serve(open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func serve(open func(place string) (store.Driver, error)) error {
	var j job
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&j); err != nil {
		return fmt.Errorf("no job: %w", err)
	}
	d, err := open(j.Place)
	if err != nil {
		return fmt.Errorf("cannot open the store: %w", err)
	}
	if err := tell(told{History: -1}); err != nil {
		return err
	}
	if err := in.Decode(new(bool)); err != nil {
		return fmt.Errorf("not told to begin: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
		os.Exit(3)
	}()
	at, wall := instant()
	begin := at.Add(time.Duration(j.Zero - wall))
	answers, errs := make([]told, len(j.List)), make([]error, len(j.List))
	var wait sync.WaitGroup
	for i, o := range j.List {
		h := newRun(o, j.Process*o.Callers, begin)
		wait.Go(func() {
			list, err := h.record(context.Background(), []store.Driver{d})
			answers[i], errs[i] = told{i, list, h.revs}, err
		})
	}
	wait.Wait()
	if err := errors.Join(append(errs, d.Close())...); err != nil {
		return err
	}
	for _, a := range answers {
		if err := tell(a); err != nil {
			return err
		}
	}
	return nil
}

func tell(a told) error {
	line, err := json.Marshal(a)
	if err == nil {
		_, err = os.Stdout.WriteString("\n" + mark + string(line) + "\n")
	}
	return err
}

// instant returns a moment of the monotonic clock, and what the wall clock said then, in nanoseconds since 1970. A
// process may be interrupted while time.Now reads one after the other, so it is the middle of many readings.
func instant() (at time.Time, wall int64) {
	at = time.Now()
	var walls []int64
	for range 101 {
		t := time.Now()
		walls = append(walls, t.UnixNano()-int64(t.Sub(at)))
	}
	slices.Sort(walls)
	return at, walls[len(walls)/2]
}

// RecordProcesses is [Record] by several processes at once. It starts copies of the program that it runs in, a test
// whose TestMain calls [Child]. Each opens the place once, and begins when all have opened it; then it records all the
// histories of the list beside one another, each with as many callers as its Options say. Eight histories of eight
// callers are 64 goroutines in each process. The prefixes must differ, and be UTF-8.
//
// It returns the history of each Options by the callers of all processes: those of process p, from 0, have the numbers
// from p*Callers on, and no two of them write the same value. All times are on one axis, which begins when
// RecordProcesses was called. For that all processes run on one machine: each reads the wall clock once and goes on by
// its monotonic one. If the two have moved apart meanwhile, because the clock was set, by up to a millisecond, every
// operation is given so much more time at both of its ends; by more, it is an error.
//
// An error of any process ends all of them, and has what that process wrote to standard error. That one value comes with
// two Revs is an error also when two processes have seen them. When ctx ends the processes are killed.
func RecordProcesses(ctx context.Context, processes int, place string, list []Options) ([][]Operation, error) {
	if _, ok := os.LookupEnv(variable); ok {
		return nil, errors.New("history: in a process that was started for Child: TestMain does not call it")
	}
	at, wall := instant()
	j := job{Place: place, Zero: wall}
	prefixes := map[string]bool{}
	for _, o := range list {
		o = o.filled()
		if prefixes[o.Prefix] || !utf8.ValidString(o.Prefix) {
			return nil, fmt.Errorf("history: prefix %q: want one of UTF-8 that no other history has: %w", o.Prefix, opsec.ErrInvalid)
		}
		prefixes[o.Prefix] = true
		j.List = append(j.List, o)
	}
	if processes < 1 || len(list) == 0 {
		return nil, fmt.Errorf("history: %d processes, %d histories: want 1 at least: %w", processes, len(list), opsec.ErrInvalid)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answers := make([][]told, processes)
	start := gate{open: make(chan struct{})}
	start.missing.Store(int32(processes))
	var wait sync.WaitGroup
	for p := range processes {
		j := j
		j.Process = p
		wait.Go(func() {
			var err error
			if answers[p], err = j.run(ctx, &start); err != nil {
				cancel(fmt.Errorf("history: process %d: %w", p, err))
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	now, wall := instant()
	drift := (time.Duration(wall-j.Zero) - now.Sub(at)).Abs()
	if drift > maxDrift {
		return nil, fmt.Errorf("history: the clock of the machine was set by %v meanwhile", drift)
	}
	return merge(answers, drift)
}

// gate opens when nobody is missing.
type gate struct {
	missing atomic.Int32
	open    chan struct{}
}

func (g *gate) pass(ctx context.Context) error {
	if g.missing.Add(-1) == 0 {
		close(g.open)
	}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run is one process, as its parent has it.
func (j *job) run(ctx context.Context, start *gate) ([]told, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), variable+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.WaitDelay = 10 * time.Second // for what the process has started itself
	var problems beginning
	cmd.Stderr = &problems
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	answers, err := j.talk(ctx, start, stdin, stdout)
	if err != nil {
		_ = stdin.Close() // which ends it
	}
	if ended := cmd.Wait(); ended != nil {
		return nil, errors.Join(ended, err, errors.New(problems.text.String()))
	}
	return answers, err
}

// talk tells a process what to do, and hears what it has done.
func (j *job) talk(ctx context.Context, start *gate, in io.Writer, out io.Reader) ([]told, error) {
	say := json.NewEncoder(in)
	if err := say.Encode(j); err != nil {
		return nil, err
	}
	answers, heard := make([]told, len(j.List)), 0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line, ours := strings.CutPrefix(lines.Text(), mark)
		if !ours { // what the process prints of its own
			continue
		}
		var a told
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, err
		}
		if a.History < 0 {
			if err := start.pass(ctx); err != nil {
				return nil, err
			}
			if err := say.Encode(true); err != nil {
				return nil, err
			}
			continue
		}
		if a.History >= len(j.List) || len(a.Operations) != j.List[a.History].Callers*j.List[a.History].Calls {
			return nil, fmt.Errorf("%d operations of history %d", len(a.Operations), a.History)
		}
		answers[a.History] = a
		heard++
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if heard != len(answers) {
		return nil, fmt.Errorf("the process tells of %d histories: want %d", heard, len(answers))
	}
	return answers, nil
}

// merge makes each history one, with times that are right within drift.
func merge(answers [][]told, drift time.Duration) ([][]Operation, error) {
	merged := make([][]Operation, len(answers[0]))
	for i := range merged {
		all := revs{}
		for _, of := range answers {
			for value, rev := range of[i].Revs {
				if err := all.add(value, rev); err != nil {
					return nil, fmt.Errorf("history: two processes: %w", err)
				}
			}
			for _, op := range of[i].Operations {
				op.Call -= drift
				if op.Outcome != Unknown {
					op.Return += drift
				}
				merged[i] = append(merged[i], op)
			}
		}
	}
	return merged, nil
}

// beginning keeps the first bytes of what is written to it.
type beginning struct{ text strings.Builder }

func (b *beginning) Write(p []byte) (int, error) {
	b.text.Write(p[:min(len(p), maxProblem-b.text.Len())])
	return len(p), nil
}

package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudopsec/opsec/store"
)

func swap(key string, rev store.Rev, value string) store.Batch {
	return store.Batch{Checks: []store.Check{{Key: key, Rev: rev}}, Ops: puts(key, value)}
}

// holds wants a value under a key, or none.
func holds(t *testing.T, d store.Driver, key, want string) store.Rev {
	t.Helper()
	items, err := d.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if string(items[0].Value) != want {
		t.Fatalf("%s, want %q", show(items[0]), want)
	}
	return items[0].Rev
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}

func TestFlakyFollowsItsScript(t *testing.T) {
	inner := newReference("")
	f := NewFlaky(inner, FlakyOptions{})
	ctx := t.Context()
	f.NextCommit(Fail, Conflict, LostRequest, LostAnswer, Conflict, Pass)

	_, err := f.Commit(ctx, swap("k", 0, "1"))
	is(t, err, ErrFault)
	_, err = f.Commit(ctx, swap("k", 0, "1"))
	if keys, ok := conflict(err); !ok || !slices.Equal(keys, []string{"k"}) {
		t.Fatal(err)
	}
	_, err = f.Commit(ctx, swap("k", 0, "1"))
	is(t, err, store.ErrIndeterminate)
	holds(t, f, "k", "")
	_, err = f.Commit(ctx, swap("k", 0, "2"))
	is(t, err, store.ErrIndeterminate)
	rev := holds(t, f, "k", "2")
	_, err = f.Commit(ctx, store.Batch{Ops: puts("l", "")}) // it has no check to conflict
	is(t, err, nil)
	_, err = f.Commit(ctx, swap("k", rev, "3"))
	is(t, err, nil)
	holds(t, inner, "k", "3")

	f.NextRead(Fail, Ghost, Fail)
	_, err = f.Get(ctx, "k")
	is(t, err, ErrFault)
	holds(t, f, "k", "3") // a Ghost is for commits
	_, err = f.List(ctx, store.Range{Limit: 1})
	is(t, err, ErrFault)
	got := f.Injected()
	for fault, n := range map[Fault]int{Fail: 3, Conflict: 1, LostRequest: 1, LostAnswer: 1, Ghost: 0} {
		if got[fault] != n {
			t.Errorf("%v: %d times, want %d", fault, got[fault], n)
		}
	}
}

func TestFlakyLostAnswerOfARefusedCommitIsARefusal(t *testing.T) {
	f := NewFlaky(newReference(""), FlakyOptions{})
	f.NextCommit(Pass, LostAnswer)
	_, err := f.Commit(t.Context(), swap("k", 0, "1"))
	is(t, err, nil)
	_, err = f.Commit(t.Context(), swap("k", 0, "2"))
	if _, ok := conflict(err); !ok {
		t.Fatal(err)
	}
}

func TestGhostChecksWhenItArrives(t *testing.T) {
	f := NewFlaky(newReference(""), FlakyOptions{})
	ctx := t.Context()
	f.NextCommit(Ghost, Ghost, Pass)
	ghost := swap("k", 0, "ghost")
	_, err := f.Commit(ctx, ghost)
	is(t, err, store.ErrIndeterminate)
	ghost.Ops[0].Value[0] = 'X' // it keeps nothing of the batch
	_, err = f.Commit(ctx, swap("l", 0, "late"))
	is(t, err, store.ErrIndeterminate)
	_, err = f.Commit(ctx, swap("l", 0, "first"))
	is(t, err, nil)
	holds(t, f, "k", "")
	if n, err := f.Arrive(ctx); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	holds(t, f, "k", "ghost")
	holds(t, f, "l", "first")
	if n, err := f.Arrive(ctx); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

func TestGhostsOfChanceArriveByThemselves(t *testing.T) {
	inner := newReference("")
	f := NewFlaky(inner, FlakyOptions{Commit: map[Fault]float64{Ghost: 1}})
	_, err := f.Commit(t.Context(), swap("k", 0, "ghost"))
	is(t, err, store.ErrIndeterminate)
	holds(t, inner, "k", "")
	for range 8 {
		if _, err := f.Get(t.Context(), "other"); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, inner, "k", "ghost")
}

func TestFlakyDiesAtTheCommitChosen(t *testing.T) {
	for how, want := range map[Fault]string{CrashBefore: "2", CrashAfter: "3"} {
		inner := newReference("")
		f := NewFlaky(inner, FlakyOptions{})
		w := f.WithWatch()
		f.CrashAt(3, how)
		for _, value := range []string{"1", "2"} {
			_, err := w.Commit(t.Context(), store.Batch{Ops: puts("k", value)})
			is(t, err, nil)
		}
		end := make(chan error, 1)
		listens := make(chan bool, 100)
		go func() {
			for _, err := range w.(store.Watcher).Watch(t.Context(), "") {
				if err != nil {
					end <- err
				}
				listens <- true
			}
			close(end)
		}()
		<-listens
		if f.Crashed() {
			t.Fatal("dead too early")
		}
		_, err := w.Commit(t.Context(), store.Batch{Ops: puts("k", "3")})
		is(t, err, store.ErrClosed)
		if errors.Is(err, store.ErrIndeterminate) != (how == CrashAfter) {
			t.Fatal(err)
		}
		is(t, <-end, store.ErrClosed)
		_, err = f.Get(t.Context(), "k")
		is(t, err, store.ErrClosed)
		_, err = f.Commit(t.Context(), store.Batch{})
		is(t, err, store.ErrClosed)
		is(t, f.Close(), nil)
		holds(t, inner, "k", want) // for the next process
		if !f.Crashed() {
			t.Fatal("not dead")
		}
	}
}

func TestFlakyWaitsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newReference("")
		f := NewFlaky(inner, FlakyOptions{MaxDelay: time.Minute})
		f.NextCommit(Hang, Slow, Slow)
		f.NextRead(Hang)
		for range 2 { // the minute is shorter than the hour, and perhaps than a nanosecond
			ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
			_, err := f.Commit(ctx, store.Batch{Ops: puts("k", "1")})
			is(t, err, context.DeadlineExceeded)
			cancel()
		}
		holds(t, inner, "k", "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		_, err := f.Commit(ctx, store.Batch{Ops: puts("k", "1")})
		is(t, err, nil)
		if d := time.Since(begin); d <= 0 || d > time.Minute {
			t.Fatal(d)
		}
		_, err = f.Get(ctx, "k")
		is(t, err, context.DeadlineExceeded)
		if d := time.Since(begin); d < time.Hour {
			t.Fatal(d)
		}
	})
}

func TestFlakyWatches(t *testing.T) {
	f := NewFlaky(newReference(""), FlakyOptions{})
	if _, ok := any(f).(store.Certain); ok {
		t.Fatal("a Flaky is certain")
	}
	if _, ok := any(f).(store.Watcher); ok {
		t.Fatal("a Flaky watches by itself")
	}
	if d := NewFlaky(struct{ store.Driver }{newReference("")}, FlakyOptions{}); d.WithWatch() != store.Driver(d) {
		t.Fatal("a Flaky watches what cannot")
	}
	h := Harness{Open: func(testing.TB) store.Driver { return NewFlaky(newReference(""), FlakyOptions{}).WithWatch() }}
	for _, c := range watchChecks() {
		t.Run(c.name, func(t *testing.T) { c.try(t, h, 10*time.Second) })
	}
	hints := 0
	for _, err := range f.WithWatch().(store.Watcher).Watch(t.Context(), "") {
		if hints++; hints == 1 {
			is(t, err, nil)
			f.BreakWatches()
		} else {
			is(t, err, ErrFault)
		}
	}
	if hints != 2 {
		t.Fatal(hints)
	}
}

// A Flaky without faults is a driver like the one in it, and one that is slow too.
func TestFlakyKeepsTheContract(t *testing.T) {
	slow := map[Fault]float64{Slow: 0.1}
	Run(t, Harness{Open: func(testing.TB) store.Driver {
		return NewFlaky(newReference(""), FlakyOptions{Commit: slow, Read: slow, MaxDelay: 100 * time.Microsecond}).WithWatch()
	}})
}

func TestFlakyIsTheSameForOneSeed(t *testing.T) {
	draw := func(seed uint64) (list []string) {
		f := NewFlaky(newReference(""), FlakyOptions{Seed: seed, Commit: map[Fault]float64{
			Conflict: 0.2, LostRequest: 0.2, LostAnswer: 0.2, Ghost: 0.2,
		}, Read: map[Fault]float64{Fail: 0.5}})
		for range 100 {
			rev := store.Rev(0)
			items, err := f.Get(t.Context(), "k")
			list = append(list, show(append(items, store.Item{})[0]))
			if err == nil {
				rev = items[0].Rev
			}
			_, err = f.Commit(t.Context(), swap("k", rev, "v"))
			if err != nil {
				list = append(list, err.Error())
			}
		}
		return list
	}
	if !slices.Equal(draw(1), draw(1)) {
		t.Error("one seed gives two sequences")
	}
	if slices.Equal(draw(1), draw(2)) {
		t.Error("two seeds give one sequence")
	}
}

func TestFlakyRefusesWhatIsNoChance(t *testing.T) {
	for _, f := range []func(){
		func() { NewFlaky(nil, FlakyOptions{Commit: map[Fault]float64{Fail: 1.1}}) },
		func() { NewFlaky(nil, FlakyOptions{Read: map[Fault]float64{Fail: -0.1}}) },
		func() { NewFlaky(nil, FlakyOptions{}).CrashAt(0, CrashAfter) },
		func() { NewFlaky(nil, FlakyOptions{}).CrashAt(1, Ghost) },
	} {
		if v := judge(t, func(testing.TB) { f() }); !v.failed {
			t.Error("it takes it")
		}
	}
	if Ghost.String() != "Ghost" || CrashAfter.String() != "CrashAfter" || Fault(99).String() != "Fault(99)" {
		t.Error("the names of faults are others")
	}
}

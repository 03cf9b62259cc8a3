package dbtest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// broken is a handle onto a store in memory, with a bug.
type broken struct {
	*memory.Driver
	bug string
}

// harness hands out drivers that have a bug, "" for none.
func harness(bug string) storetest.Harness {
	return storetest.Harness{
		Open:  func(testing.TB) store.Driver { return &broken{memory.New(), bug} },
		Again: func(_ testing.TB, d store.Driver) store.Driver { return &broken{d.(*broken).Driver, bug} },
	}
}

// Certain is false, so that a DB sends its markers.
func (b *broken) Certain() bool { return false }

func (b *broken) Commit(ctx context.Context, batch store.Batch) (store.Rev, error) {
	switch b.bug {
	case "checks nothing":
		batch.Checks = nil
		time.Sleep(50 * time.Microsecond)
	case "checks only what it writes":
		batch.Checks = slices.DeleteFunc(slices.Clone(batch.Checks), func(c store.Check) bool {
			return !slices.ContainsFunc(batch.Ops, func(op store.Op) bool { return op.Key == c.Key })
		})
	case "writes the first op alone": // and the marker, which is the last
		if n := len(batch.Ops); n > 2 {
			batch.Ops = []store.Op{batch.Ops[0], batch.Ops[n-1]}
		}
	case "deletes nothing":
		batch.Ops = slices.DeleteFunc(slices.Clone(batch.Ops), func(op store.Op) bool { return op.Delete })
	case "writes nothing over what is there":
		ops := slices.Clone(batch.Ops)
		batch.Ops = ops[:0]
		for i, op := range ops {
			items, err := b.Driver.Get(ctx, op.Key)
			if err != nil {
				return 0, err
			}
			if items[0].Rev == 0 || i == len(ops)-1 {
				batch.Ops = append(batch.Ops, op)
			}
		}
	}
	return b.Driver.Commit(ctx, batch)
}

// Watch implements [store.Watcher].
func (b *broken) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	if b.bug != "never hints again" {
		return b.Driver.Watch(ctx, prefix)
	}
	return func(yield func(struct{}, error) bool) {
		if yield(struct{}{}, nil) {
			<-ctx.Done()
		}
	}
}

func TestDriverWithoutABugPasses(t *testing.T) { Run(t, harness(""), nil) }

// verdict is a testing.TB that only notes what is said of it.
type verdict struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (v *verdict) Helper() {}

func (v *verdict) Error(args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = append(v.said, fmt.Sprint(args...))
}

func (v *verdict) Errorf(format string, args ...any) { v.Error(fmt.Sprintf(format, args...)) }

func (v *verdict) Fatal(args ...any) {
	v.Error(args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) { v.Fatal(fmt.Sprintf(format, args...)) }

// judge has a check try a driver with a bug, and returns what it says. A panic is a failure, as it would be in a test.
func judge(t *testing.T, c check, bug string) []string {
	v := &verdict{TB: t}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				v.Error(p)
			}
		}()
		c.run(&trial{TB: v, Harness: harness(bug), ctx: ctx, options: &store.Options{}})
	}()
	<-done
	return v.said
}

// found says which bugs each check finds.
var found = map[string][]string{
	"increments on two nodes are not lost":                                                    {"checks nothing"},
	"write skew does not happen":                                                              {"checks only what it writes"},
	"of two inserts that break a rule checked by a list one commits":                          {"checks nothing"},
	"a unique index admits one of many":                                                       {"checks nothing", "writes the first op alone"},
	"a unique index admits one of many under random faults":                                   {"checks nothing"},
	"nodes of which one knows fewer fields write the same records, and lose none":             {"checks nothing"},
	"a node of an older version is refused what a newer one has written, and nothing is lost": {"checks nothing"},
	"an indeterminate commit is applied exactly once":                                         {"checks nothing"},
	"under random faults everything acknowledged is there once":                               {"writes the first op alone"},
	"a holder that is silent is replaced, under a greater token, and can do nothing any more": {"writes nothing over what is there"},
	"a holder that is replaced between its fence and its commit writes nothing":               {"checks only what it writes"},
	"no two holders have one token, and none writes after the next has":                       {"checks nothing"},
	"no two holders have one token under random faults either":                                {"checks nothing"},
	"of two that append at once the second to commit stands behind the first":                 {"checks nothing"},
	"an entry is there with the change that it tells of, or not at all":                       {"writes the first op alone"},
	"what is trimmed is gone, and what is left has its numbers":                               {"deletes nothing"},
	"followers on both nodes see every entry once, without a gap and in order":                {"checks nothing", "never hints again"},
	"followers miss nothing under random faults, behind which the feed is trimmed":            {"checks nothing", "deletes nothing"},
}

func TestChecksFindBugs(t *testing.T) {
	left := maps.Clone(found)
	for _, g := range groups() {
		for _, c := range g.checks {
			bugs := left[c.name]
			delete(left, c.name)
			if len(bugs) == 0 && (g.name == "Version" || g.name == "Lease" || g.name == "Feed") {
				t.Errorf("no bug is found by %q", c.name)
			}
			for _, bug := range bugs {
				t.Run(g.name+"/"+c.name+" finds one that "+bug, func(t *testing.T) {
					for range 10 { // chance has a part in it
						if said := judge(t, c, bug); len(said) > 0 {
							t.Log(said[0])
							return
						}
					}
					t.Fatal("it does not")
				})
			}
		}
	}
	for name := range left {
		t.Errorf("there is no check %q", name)
	}
}

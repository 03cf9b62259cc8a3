package shelf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// kept is a shelf, and what it has had recorded.
type kept struct {
	audits   programme.Audits
	recorded func(testing.TB) []opsec.Event
}

func stored(t testing.TB, d store.Driver) kept {
	db, err := store.New(d, nil)
	require.NoError(t, err)
	log := audittest.New(t)
	return kept{shelf.Stored(db), func(t testing.TB) []opsec.Event {
		_, err := db.Deliver(context.Background(), db.Node(), log)
		require.NoError(t, err)
		return log.Events()
	}}
}

// each runs a test on every shelf.
func each(t *testing.T, test func(t *testing.T, k kept)) {
	t.Run("Memory", func(t *testing.T) {
		log := new(audittest.Recorder)
		test(t, kept{shelf.Memory(log), func(testing.TB) []opsec.Event { return log.Events() }})
	})
	t.Run("Stored", func(t *testing.T) { test(t, stored(t, memory.New())) })
}

func event() opsec.Event {
	e := *opsec.NewEvent(programme.ActionUse, noon)
	e.Outcome = opsec.Success
	return e
}

func (k kept) put(t testing.TB, a programme.Audit) {
	t.Helper()
	err := k.audits.Update(context.Background(), a.ID, func(programme.Audit) (programme.Audit, []opsec.Event, error) {
		return a, []opsec.Event{event()}, nil
	})
	require.NoError(t, err)
}

func (k kept) get(t testing.TB, id string) (got programme.Audit) {
	t.Helper()
	err := k.audits.Update(context.Background(), id, func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
		got = a
		return a, nil, nil
	})
	require.NoError(t, err)
	return got
}

// full is an audit of about so many bytes, in all of its lists.
func full(id string, size int) programme.Audit {
	a := programme.Audit{
		ID: id, Stage: programme.Reported, Plan: programme.Plan{Title: "t", Objectives: []string{"o \"quoted\" <&> \u2028"}, Procedures: []programme.Procedure{}},
		Draw: &programme.Draw{Samples: map[string][]int{"p": {}}, Items: map[string][]string{"p": {}}},
	}
	for n := 0; n < size; n += 1000 {
		text := strings.Repeat("x", 200) + fmt.Sprint(n)
		a.Results = append(a.Results, programme.Result{Procedure: "p", Item: text, Time: noon})
		a.Findings = append(a.Findings, programme.Finding{ID: text, Items: []string{"[", "]", ","}, Raised: noon})
		a.History = append(a.History, programme.Entry{Time: noon, What: text, Event: opsec.NewID()})
	}
	return a
}

func TestWhatIsKeptComesBack(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		require.Zero(t, k.get(t, "none"))
		for _, size := range []int{0, 1000, 300_000, 700_000, 250_000, 1000} {
			a := full("a", size)
			k.put(t, a)
			require.Equal(t, a, k.get(t, "a"))
			require.Equal(t, a.Digest(), k.get(t, "a").Digest())
		}
		k.put(t, full("a.b", 300_000))
		k.put(t, full("0", 0))
		require.Equal(t, full("a", 1000).Plan, k.get(t, "a").Plan)
		var ids []string
		for id, err := range k.audits.IDs(context.Background()) {
			require.NoError(t, err)
			ids = append(ids, id)
		}
		slices.Sort(ids)
		require.Equal(t, []string{"0", "a", "a.b"}, ids, "each once, whatever its size")
		for range k.audits.IDs(context.Background()) {
			break
		}
		require.Len(t, k.recorded(t), 8)
	})
}

func TestTheLargestAuditFits(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		a := full("a", 0)
		entry := programme.Entry{Time: noon, What: strings.Repeat("x", 1000), Event: opsec.NewID()}
		for size(t, a) < programme.MaxAudit-230<<10 {
			for range 200 {
				a.History = append(a.History, entry)
			}
		}
		a.Plan.Title = strings.Repeat("x", 180<<10)
		for size(t, a) > programme.MaxAudit {
			a.History = a.History[20:]
		}
		a.Plan.Title += strings.Repeat("x", programme.MaxAudit-size(t, a))
		require.Equal(t, programme.MaxAudit, size(t, a))
		e := event()
		for i := range 6 { // an event that is as large as they get here, and more
			e.Attrs = append(e.Attrs, opsec.Attr{Key: fmt.Sprint(i), Value: strings.Repeat("y", 8<<10), Mark: opsec.Tenant})
		}
		put := func(a programme.Audit) error {
			return k.audits.Update(context.Background(), "a", func(programme.Audit) (programme.Audit, []opsec.Event, error) {
				return a, []opsec.Event{e}, nil
			})
		}
		require.NoError(t, put(a))
		require.Equal(t, a, k.get(t, "a"))
		b := a
		b.Plan.Title += "x"
		require.ErrorIs(t, put(b), opsec.ErrInvalid)
		b.ID = "b"
		require.ErrorIs(t, put(b), opsec.ErrInvalid)
		require.Equal(t, a, k.get(t, "a"))
	})
}

func size(t testing.TB, a programme.Audit) int {
	b, err := json.Marshal(a)
	require.NoError(t, err)
	return len(b)
}

func TestNothingIsShared(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		a := full("a", 1000)
		k.put(t, a)
		a.Results[0].Item = "changed"
		got := k.get(t, "a")
		require.NotEqual(t, "changed", got.Results[0].Item)
		got.Results[0].Item = "changed"
		require.NotEqual(t, "changed", k.get(t, "a").Results[0].Item)
	})
}

func TestAnErrorKeepsAndRecordsNothing(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		k.put(t, full("a", 0))
		no := errors.New("no")
		err := k.audits.Update(context.Background(), "a", func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
			a.Stage = programme.Closed
			return a, []opsec.Event{event()}, no
		})
		require.Equal(t, no, err)
		require.Equal(t, programme.Reported, k.get(t, "a").Stage)
		require.Len(t, k.recorded(t), 1)

		bad := event()
		bad.Outcome = ""
		err = k.audits.Update(context.Background(), "a", func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
			a.Stage = programme.Closed
			return a, []opsec.Event{bad}, nil
		})
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, programme.Reported, k.get(t, "a").Stage)
	})
}

func TestEventsAreRecordedWithoutAChange(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		for _, id := range []string{"none", "a"} {
			err := k.audits.Update(context.Background(), id, func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
				return a, []opsec.Event{event()}, nil
			})
			require.NoError(t, err)
			require.Zero(t, k.get(t, "none"))
			if id == "none" {
				k.put(t, full("a", 0))
			}
		}
		require.Len(t, k.recorded(t), 3)
		for id, err := range k.audits.IDs(context.Background()) {
			require.NoError(t, err)
			require.Equal(t, "a", id)
		}
	})
}

// Of two at once one goes after the other.
func TestUpdatesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, k kept) {
		k.put(t, full("a", 300_000))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 4 {
					err := k.audits.Update(context.Background(), "a", func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
						a.Plan.Turn++
						return a, []opsec.Event{event()}, nil
					})
					require.NoError(t, err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 16, k.get(t, "a").Plan.Turn)
		require.Len(t, k.recorded(t), 17)
	})
}

func TestMemoryKeepsNothingThatIsNotRecorded(t *testing.T) {
	log := audittest.New(t)
	k := kept{audits: shelf.Memory(log)}
	k.put(t, full("a", 0))
	full := errors.New("disk full")
	log.Fail(full)
	err := k.audits.Update(context.Background(), "a", func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
		a.Stage = programme.Closed
		return a, []opsec.Event{event()}, nil
	})
	require.ErrorIs(t, err, full)
	require.Equal(t, programme.Reported, k.get(t, "a").Stage)
}

// The engine loses requests and answers, and dies: every step that was acknowledged is there once, none half.
func TestStoredOverABadConnection(t *testing.T) {
	engine := memory.New()
	for seed := range uint64(8) {
		flaky := storetest.NewFlaky(engine, storetest.FlakyOptions{Seed: seed, Commit: map[storetest.Fault]float64{
			storetest.LostRequest: 0.1, storetest.LostAnswer: 0.1, storetest.Conflict: 0.1, storetest.Ghost: 0.05, storetest.CrashAfter: 0.03,
			storetest.CrashBefore: 0.03,
		}})
		k := stored(t, flaky)
		id := fmt.Sprint("a", seed)
		sure, tried := 0, 0
		for n := range 15 {
			err := k.audits.Update(t.Context(), id, func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
				next := full(id, []int{1000, 300_000}[n%2])
				next.Plan.Turn = a.Plan.Turn + 1
				return next, []opsec.Event{event()}, nil
			})
			tried++
			if err == nil {
				sure++
			}
		}
		good := stored(t, engine)
		got := good.get(t, id)
		require.GreaterOrEqual(t, got.Plan.Turn, sure)
		require.LessOrEqual(t, got.Plan.Turn, tried)
		if got.ID != "" {
			want := full(id, 1000*len(got.Results))
			want.Plan.Turn, want.History = got.Plan.Turn, got.History // ids of events differ
			require.Equal(t, want, got, "whole")
		}
	}
}

func TestStoredReportsWhatIsMissing(t *testing.T) {
	engine := memory.New()
	k := stored(t, engine)
	k.put(t, full("a", 700_000))
	items, err := engine.List(context.Background(), store.Range{Limit: 100})
	require.NoError(t, err)
	removed := false
	for _, item := range items {
		if strings.Contains(string(item.Value), `"number":2`) {
			_, err := engine.Commit(context.Background(), store.Batch{Ops: []store.Op{{Key: item.Key, Delete: true}}})
			require.NoError(t, err)
			removed = true
		}
	}
	require.True(t, removed)
	err = k.audits.Update(context.Background(), "a", func(a programme.Audit) (programme.Audit, []opsec.Event, error) {
		t.Fatal("an audit with a part missing")
		return a, nil, nil
	})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.ErrorContains(t, err, "part 2")
}

func Example() {
	audits := shelf.Memory(&audittest.Recorder{})
	_, err := programme.NewDesk(audits, programme.Policy{}, programme.Options{})
	fmt.Println(errors.Is(err, opsec.ErrInvalid)) // it lacks an Authorizer
	// Output: true
}

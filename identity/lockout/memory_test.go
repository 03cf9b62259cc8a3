package lockout_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/lockout"
)

// table is a Memory whose counters are moved one by one.
type table struct {
	testing.TB
	*lockout.Memory
	policy lockout.Policy
	now    time.Time
}

func newTable(t testing.TB, rows int) *table {
	return &table{t, lockout.NewMemory(rows, nil), lockout.Policy{
		Failures: 5, Lock: time.Hour, Temporary: -1, Forget: 10 * time.Minute, Reserve: time.Minute,
	}, noon}
}

func (t *table) do(account string, kinds ...lockout.Kind) (v lockout.Verdict, err error) {
	batch := int64(0)
	for _, k := range kinds {
		v, err = t.Update(bg, attempt(account).Key, lockout.Change{Policy: &t.policy, Now: t.now, Event: lockout.Event{Kind: k, Batch: batch}})
		if err != nil {
			return v, err
		}
		batch = max(batch, v.Batch)
	}
	return v, nil
}

func (t *table) fails(account string, n int) {
	t.Helper()
	for range n {
		if _, err := t.do(account, lockout.Reserve, lockout.Fail); err != nil {
			t.Fatal(err)
		}
	}
}

func (t *table) look(account string) lockout.Verdict {
	t.Helper()
	v, err := t.do(account, lockout.Look)
	require.NoError(t, err)
	return v
}

// Thousands of counters that come, change and go in random order are each what Step says.
func TestMemoryIsAMapOfCounters(t *testing.T) {
	for _, rows := range []int{700, 30_000} { // one stripe, and several
		tab := newTable(t, rows)
		states := map[string]lockout.State{}
		batches := map[string]int64{}
		r := rand.New(rand.NewPCG(1, uint64(rows)))
		for range 60 * rows / 10 {
			account := fmt.Sprint("user-", r.IntN(rows*4/5))
			kind := []lockout.Kind{lockout.Reserve, lockout.Reserve, lockout.Fail, lockout.Succeed, lockout.Release, lockout.Unlock, lockout.Hold}[r.IntN(7)]
			c := lockout.Change{Policy: &tab.policy, Now: tab.now, Event: lockout.Event{Kind: kind, Batch: batches[account]}}
			state, want := tab.policy.Step(states[account], c.Event, c.Now)
			if states[account] = state; state == (lockout.State{}) {
				delete(states, account)
			}
			if want.Batch != 0 {
				batches[account] = want.Batch
			}
			if got, err := tab.Update(bg, attempt(account).Key, c); err != nil || got != want {
				t.Fatalf("%+v, %v, want %+v", got, err, want)
			}
			tab.now = tab.now.Add(time.Millisecond)
		}
		require.Equal(t, len(states), tab.Rows())
	}
}

func TestMemoryNeverDropsWhatStandsOrIsUnderWay(t *testing.T) {
	tab := newTable(t, 4)
	tab.fails("locked", 5)
	_, err := tab.do("held", lockout.Hold)
	require.NoError(t, err)
	_, err = tab.do("guessing", lockout.Reserve)
	require.NoError(t, err)
	for i := range 100 {
		tab.fails(fmt.Sprint("invented-", i), 1)
		require.LessOrEqual(t, tab.Rows(), 4)
	}
	require.Equal(t, lockout.Locked, tab.look("locked").Standing)
	require.Equal(t, lockout.Held, tab.look("held").Standing)
	require.Equal(t, 4, tab.look("guessing").Left)

	tab.fails("invented-99", 4)
	_, err = tab.do("one more", lockout.Reserve)
	require.ErrorIs(t, err, lockout.ErrFull)
	require.Equal(t, lockout.Open, tab.look("one more").Standing, "to look takes no room")
	_, err = tab.do("guessing", lockout.Reserve)
	require.NoError(t, err, "those that are there go on")

	tab.now = tab.now.Add(100 * time.Minute) // that of who comes next may be behind
	_, err = tab.do("one more", lockout.Reserve)
	require.ErrorIs(t, err, lockout.ErrFull)

	tab.now = tab.now.Add(25 * time.Hour) // locks are over, and nobody has settled the guess
	for i := range 100 {
		tab.fails(fmt.Sprint("invented-", i), 1)
	}
	require.Equal(t, lockout.Held, tab.look("held").Standing)
}

// Guesses that nobody settles lock in the end: such a row stays although nobody has looked.
func TestMemoryKeepsWhatIsAboutToLock(t *testing.T) {
	tab := newTable(t, 2)
	_, err := tab.do("brink", lockout.Reserve, lockout.Reserve, lockout.Reserve, lockout.Reserve, lockout.Reserve)
	require.NoError(t, err)
	tab.policy.Lock = 100 * time.Hour
	tab.now = tab.now.Add(50 * time.Hour)
	for i := range 100 {
		tab.fails(fmt.Sprint("invented-", i), 1)
	}
	require.Equal(t, lockout.Locked, tab.look("brink").Standing)
}

func TestMemoryDropsTheForgottenAndThenTheFewest(t *testing.T) {
	tab := newTable(t, 8)
	for i := range 4 {
		tab.fails(fmt.Sprint("old-", i), 4)
	}
	tab.now = tab.now.Add(10*time.Minute + time.Second)
	for i := range 4 {
		tab.fails(fmt.Sprint("guessed-", i), 2)
	}
	for i := range 4 {
		tab.fails(fmt.Sprint("more-", i), 2)
	}
	for i := range 4 {
		require.Zero(t, tab.look(fmt.Sprint("old-", i)).Failures)
		require.Equal(t, 2, tab.look(fmt.Sprint("guessed-", i)).Failures)
		require.Equal(t, 2, tab.look(fmt.Sprint("more-", i)).Failures)
	}
	for i := range 100 {
		tab.fails(fmt.Sprint("invented-", i), 1)
	}
	kept := 0
	for i := range 4 {
		kept += tab.look(fmt.Sprint("guessed-", i)).Failures + tab.look(fmt.Sprint("more-", i)).Failures
	}
	require.Equal(t, 2*7, kept, "one made room for the first name that was invented, and that for the next")
}

// What is forgotten makes room before the table grows.
func TestMemoryDoesNotGrowByWhatIsForgotten(t *testing.T) {
	tab := newTable(t, 1000)
	for i := range 10_000 {
		tab.fails(fmt.Sprint("user-", i), 1)
		tab.now = tab.now.Add(10 * time.Second) // sixty are not forgotten
	}
	require.Less(t, tab.Rows(), 200)
}

func TestMemoryHoldsWhatItIsMadeFor(t *testing.T) {
	for _, rows := range []int{-1, 1, 7, 1000, 4096, 20_000, 100_000} {
		tab := newTable(t, rows)
		for i := range max(rows, 1) {
			tab.fails(fmt.Sprint("user-", i), 1)
		}
		require.Equal(t, max(rows, 1), tab.Rows())
	}
}

func TestCountersOfOneAccountAreApart(t *testing.T) {
	tab := newTable(t, 100)
	keys := []lockout.Key{
		{Tenant: "acme", Account: "ada", Factor: "password"}, {Tenant: "ada", Account: "acme", Factor: "password"},
		{Tenant: "acme", Account: "password", Factor: "ada"}, {Tenant: "acme", Account: "ada", Factor: "password", Class: "familiar"},
		{Tenant: "acme", Account: "ada", Factor: "password", Class: "trusted", Device: "a"},
		{Tenant: "acme", Account: "ada", Factor: "password", Class: "trusted", Device: "b"},
		{Tenant: "acme", Account: "adapassword", Factor: "otp"}, {Tenant: "acmeada", Account: "password", Factor: "otp"},
	}
	for i, k := range keys {
		v, err := tab.Update(bg, k, lockout.Change{Policy: &tab.policy, Now: tab.now, Event: lockout.Event{Kind: lockout.Reserve}})
		require.NoError(t, err)
		require.Equal(t, 4, v.Left)
		require.Equal(t, i+1, tab.Rows())
	}
}

func TestMemoryServesManyAtOnce(t *testing.T) {
	m := lockout.NewMemory(2000, nil)
	g := newGate(t, m, lockout.Policy{Failures: 1000, Temporary: 0, Reserve: time.Minute}, nil)
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 2000 {
				r, err := g.Begin(bg, attempt(fmt.Sprint("user-", i%500)))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := g.Commit(bg, r, lockout.Wrong(fmt.Append(nil, w, i))); !errors.Is(err, lockout.ErrWrong) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, 500, m.Rows())
	for i := range 500 {
		v, err := m.Update(bg, attempt(fmt.Sprint("user-", i)).Key, lockout.Change{Policy: &lockout.Policy{Failures: 1000, Reserve: time.Minute},
			Now: time.Now(), Event: lockout.Event{Kind: lockout.Look}})
		require.NoError(t, err)
		require.Equal(t, 32, v.Failures)
	}
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// counter is a record that many want.
type counter struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

var counters = store.NewCollection(store.Schema[counter]{Name: "counters", ID: func(c *counter) store.Key { return store.Text(c.ID) }})

// add adds to a counter, in a transaction, and returns what it was.
func add(s *store.Sub, id string, n int) (was int, err error) {
	list, err := counters.GetAll(s, store.Text(id))
	if err != nil {
		return 0, err
	}
	if list[0] != nil {
		was = list[0].N
	}
	if n == 0 {
		return was, nil
	}
	return was, counters.Put(s, &counter{id, was + n})
}

func count(t *testing.T, d store.Driver, id string) (n int) {
	t.Helper()
	require.NoError(t, newDB(t, d, nil).View(t.Context(), func(tx *store.Tx) (err error) {
		n, err = add(tx.Sub(opsec.Provider), id, 0)
		return err
	}))
	return n
}

// counting counts the commits and the Gets that a driver is asked for.
type counting struct {
	store.Driver
	commits atomic.Int64
	gets    atomic.Int64
	certain bool
	before  func()
}

func (c *counting) Certain() bool { return c.certain }

func (c *counting) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	c.commits.Add(1)
	if c.before != nil {
		c.before()
	}
	return c.Driver.Commit(ctx, b)
}

func (c *counting) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.gets.Add(1)
	return c.Driver.Get(ctx, keys...)
}

// relayed has members meet at a counter, "hot": one has the turn, the others come in this order, and then all go on. Each
// has added one to the counter when its function is called. It returns their errors, after then was called. It needs a
// bubble of synctest.
type relayed struct {
	inner   store.Driver // below whatever loses commits
	db      *store.DB
	ctxs    map[int]context.Context // of members, by number; the first is 0
	begin   func()                  // is called when all have come
	members []func(*store.Tx) error
}

func (r *relayed) run(t *testing.T) []error {
	t.Helper()
	var wait sync.WaitGroup
	gate := make(chan struct{})
	errs := make([]error, len(r.members))
	for i, member := range r.members {
		ctx, calls := r.ctxs[i], 0
		if ctx == nil {
			ctx = t.Context()
		}
		wait.Go(func() {
			errs[i] = errors.New("did not return") // a panic
			defer func() { _ = recover() }()
			errs[i] = r.db.Update(ctx, func(tx *store.Tx) error {
				if _, err := add(tx.Sub(opsec.Provider), "hot", 1); err != nil {
					return err
				}
				if calls++; i == 0 && calls == 1 { // it loses, and queues
					other := newDB(t, r.inner, nil)
					require.NoError(t, other.Update(t.Context(), func(tx *store.Tx) error {
						_, err := add(tx.Sub(opsec.Provider), "hot", 1000)
						return err
					}))
				} else if i == 0 && calls == 2 {
					<-gate
				}
				if member == nil {
					return nil
				}
				return member(tx)
			})
		})
		synctest.Wait()
	}
	if r.begin != nil {
		r.begin()
	}
	close(gate)
	wait.Wait()
	return errs
}

// bubble runs fn over a driver in memory that counts, once as one whose commits are certain and once as one whose are not.
func bubble(t *testing.T, fn func(t *testing.T, d *counting, r *relayed)) {
	for _, certain := range []bool{true, false} {
		t.Run(fmt.Sprint("certain=", certain), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &counting{Driver: memory.New(), certain: certain}
				fn(t, d, &relayed{inner: d.Driver, db: newDB(t, d, nil)})
			})
		})
	}
}

func (r *relayed) reset(d *counting) {
	r.begin = func() {
		d.commits.Store(0)
		d.gets.Store(0)
	}
}

func noErrors(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		require.NoError(t, err, "member %d", i)
	}
}

func TestCallersThatMeetAreCommittedTogether(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		r.members = make([]func(*store.Tx) error, 64)
		r.reset(d)
		noErrors(t, r.run(t))
		require.EqualValues(t, 1, d.commits.Load())
		require.Zero(t, d.gets.Load(), "each has read what the one before had written")
		require.Equal(t, 1064, count(t, d, "hot"))
	})
}

// None of them is told what has not happened, whatever becomes of the commit.
func TestFaultsOfACommitAreThoseOfAllItsMembers(t *testing.T) {
	for _, fault := range []storetest.Fault{
		storetest.Pass, storetest.Slow, storetest.Conflict, storetest.LostRequest, storetest.LostAnswer, storetest.Ghost, storetest.Fail,
	} {
		t.Run(fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := memory.New()
				flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{})
				limit := errors.New("it is full")
				r := &relayed{inner: inner, db: newDB(t, flaky, nil), begin: func() { flaky.NextCommit(fault) }}
				for range 20 {
					r.members = append(r.members, func(tx *store.Tx) error {
						was, err := add(tx.Sub(opsec.Provider), "places", 1)
						if err == nil && was == 7 {
							err = limit
						}
						return err
					})
				}
				errs := r.run(t)
				_, err := flaky.Arrive(t.Context())
				require.NoError(t, err)
				did, full := 0, 0
				for _, err := range errs {
					switch {
					case fault == storetest.Fail:
						require.ErrorIs(t, err, storetest.ErrFault)
						require.NotErrorIs(t, err, limit, "it was not the last word")
						if strings.Contains(err.Error(), limit.Error()) {
							full++
						}
					case errors.Is(err, limit):
						full++
					default:
						require.NoError(t, err)
						did++
					}
				}
				require.Equal(t, 13, full)
				if fault != storetest.Fail {
					require.Equal(t, 7, did)
				}
				require.Equal(t, did, count(t, inner, "places"))
				require.Equal(t, 1000+did, count(t, inner, "hot"))
				require.NotZero(t, flaky.Injected()[fault])
			})
		})
	}
}

func TestMemberWhoseContextEndsDoesNotKeepTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		ctx, cancel := context.WithCancel(t.Context())
		r.ctxs = map[int]context.Context{1: ctx}
		r.members = []func(*store.Tx) error{nil, nil, func(*store.Tx) error {
			cancel()
			time.Sleep(time.Millisecond)
			return nil
		}, nil}
		r.reset(d)
		errs := r.run(t)
		if d.certain {
			require.NoError(t, errs[1], "it waits for what is in this process")
		} else {
			require.ErrorIs(t, errs[1], store.ErrIndeterminate)
			require.ErrorIs(t, errs[1], context.Canceled)
			errs[1] = nil
		}
		noErrors(t, errs)
		require.EqualValues(t, 1, d.commits.Load())
		require.Equal(t, 1004, count(t, d, "hot"))
	})
}

func TestMemberWhoseContextEndsWhileItRunsIsNotOfTheGroup(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		ctx, cancel := context.WithCancel(t.Context())
		r.ctxs = map[int]context.Context{2: ctx}
		ctx3, cancel3 := context.WithCancel(t.Context())
		fails := func(*store.Tx) error { cancel3(); return errors.New("mine") }
		r.members = []func(*store.Tx) error{nil, nil, func(*store.Tx) error { cancel(); return nil }, fails, nil}
		r.ctxs[3] = ctx3
		errs := r.run(t)
		for i := 2; i <= 3; i++ {
			require.ErrorIs(t, errs[i], context.Canceled)
			require.NotErrorIs(t, errs[i], store.ErrIndeterminate)
			errs[i] = nil
		}
		noErrors(t, errs)
		require.Equal(t, 1003, count(t, d, "hot"))
	})
}

func TestContextOfTheCommittingMemberEnds(t *testing.T) {
	for name, test := range map[string]struct {
		faults        []storetest.Fault
		indeterminate bool
		sum           int
	}{
		"before anything is written":                  {[]storetest.Fault{storetest.Hang}, false, 1004},
		"while a commit that happened is settled":     {[]storetest.Fault{storetest.LostAnswer, storetest.Hang}, true, 1005},
		"while a commit that did not happen is":       {[]storetest.Fault{storetest.LostRequest, storetest.Hang}, true, 1004},
		"while a commit that may yet happen is":       {[]storetest.Fault{storetest.Ghost, storetest.Hang}, true, 1004},
		"after a settling that was lost for its part": {[]storetest.Fault{storetest.LostRequest, storetest.LostAnswer, storetest.Hang}, true, 1004},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := memory.New()
				flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				r := &relayed{
					inner: inner, db: newDB(t, flaky, nil), members: make([]func(*store.Tx) error, 5),
					ctxs: map[int]context.Context{4: ctx}, begin: func() { flaky.NextCommit(test.faults...) },
				}
				errs := r.run(t)
				require.ErrorIs(t, errs[4], context.DeadlineExceeded)
				require.Equal(t, test.indeterminate, errors.Is(errs[4], store.ErrIndeterminate), errs[4])
				noErrors(t, errs[:4])
				_, err := flaky.Arrive(t.Context())
				require.NoError(t, err)
				require.Equal(t, test.sum, count(t, inner, "hot"))
			})
		})
	}
}

func TestNobodyIsLeftToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{})
		r := &relayed{inner: inner, db: newDB(t, flaky, nil), members: make([]func(*store.Tx) error, 3), ctxs: map[int]context.Context{}}
		for i := range r.members {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(3-i)*10*time.Millisecond)
			defer cancel()
			r.ctxs[i] = ctx
		}
		r.begin = func() { flaky.NextCommit(storetest.LostAnswer, storetest.Hang, storetest.Hang) }
		for _, err := range r.run(t) {
			require.ErrorIs(t, err, store.ErrIndeterminate)
		}
		start := time.Now()
		require.NoError(t, r.db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := add(tx.Sub(opsec.Provider), "hot", 1)
			return err
		}))
		require.Zero(t, time.Since(start), "the turn was given back")
		require.Equal(t, 1004, count(t, inner, "hot"))
	})
}

func TestFunctionThatHangsHoldsUpNobodyBeforeIt(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		start, calls := time.Now(), 0
		finished := make(chan time.Duration, 1)
		go func() {
			for count(t, d, "hot") < 1002 {
				time.Sleep(time.Millisecond)
			}
			finished <- time.Since(start)
		}()
		r.members = []func(*store.Tx) error{nil, nil, func(*store.Tx) error {
			if calls++; calls == 1 {
				time.Sleep(10 * time.Second)
			}
			return nil
		}, nil}
		noErrors(t, r.run(t))
		require.Less(t, <-finished, 100*time.Millisecond)
		require.Equal(t, 2, calls, "what it had built on was committed without it")
		require.Equal(t, 1004, count(t, d, "hot"))
	})
}

func TestFunctionThatNeverReturnsIsNotOfTheGroup(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("mine") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *counting, r *relayed) {
				leaves := func(*store.Tx) error { leave(); return nil }
				r.members = []func(*store.Tx) error{nil, leaves, nil, leaves, leaves}
				r.reset(d)
				start := time.Now()
				errs := r.run(t)
				noErrors(t, []error{errs[0], errs[2]})
				require.EqualValues(t, 1, d.commits.Load())
				require.Equal(t, 1002, count(t, d, "hot"))
				require.NoError(t, r.db.Update(t.Context(), func(tx *store.Tx) error {
					_, err := add(tx.Sub(opsec.Provider), "hot", 1)
					return err
				}))
				require.Zero(t, time.Since(start), "the turn was given back")
			})
		})
	}
}

func TestDriverThatPanicsLeavesTheOthersInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		r.members = make([]func(*store.Tx) error, 3)
		r.begin = func() { d.before = func() { d.before = nil; panic("the driver's") } }
		errs := r.run(t)
		require.ErrorIs(t, errs[0], store.ErrIndeterminate)
		require.ErrorIs(t, errs[1], store.ErrIndeterminate)
		require.ErrorContains(t, errs[2], "did not return")
	})
}

func TestGroupStaysWithinTheLimits(t *testing.T) {
	tests := map[string]struct{ keys, bytes int }{"keys": {40, 10}, "bytes": {2, 100 << 10}, "one that fits alone only": {97, 10}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *counting, r *relayed) {
				for i := range 12 {
					r.members = append(r.members, func(tx *store.Tx) error {
						for k := range test.keys {
							h := &hostV1{ID: fmt.Sprint(i, "/", k), Addr: strings.Repeat("x", test.bytes)}
							if err := hosts1.Insert(tx.Sub(opsec.Provider), h); err != nil {
								return err
							}
						}
						return nil
					})
				}
				r.reset(d)
				noErrors(t, r.run(t))
				require.Equal(t, 1012, count(t, d, "hot"))
				require.Empty(t, problems(t, r.db, nil, counters, hosts1))
				require.LessOrEqual(t, d.commits.Load(), int64(len(r.members)))
				require.Equal(t, test.keys < 50, d.commits.Load() <= 7, d.commits.Load())
			})
		})
	}
}

func TestMemberThatFitsIntoNoGroupIsNotPassedOver(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		var wait sync.WaitGroup
		calls := 0
		small := func(tx *store.Tx) error {
			s := tx.Sub(opsec.Provider)
			return counters.Insert(s, &counter{ID: string(opsec.NewID())}, &counter{ID: string(opsec.NewID())})
		}
		r.members = []func(*store.Tx) error{small, func(tx *store.Tx) error {
			if calls++; calls < 10 {
				for range 3 { // others come again and again
					wait.Go(func() {
						require.NoError(t, r.db.Update(t.Context(), func(tx *store.Tx) error {
							_, err := add(tx.Sub(opsec.Provider), "hot", 1)
							return errors.Join(err, small(tx))
						}))
					})
				}
				synctest.Wait()
			}
			for k := range 97 {
				if err := hosts1.Insert(tx.Sub(opsec.Provider), &hostV1{ID: fmt.Sprint(k)}); err != nil {
					return err
				}
			}
			return nil
		}}
		noErrors(t, r.run(t))
		wait.Wait()
		require.Equal(t, 2, calls)
	})
}

func TestMemberThatCannotBeCommittedFailsAlone(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		large := func(tx *store.Tx) error {
			return hosts1.Insert(tx.Sub(opsec.Provider), &hostV1{ID: "large", Addr: strings.Repeat("x", store.MaxValue)})
		}
		many := func(tx *store.Tx) error {
			for i := range 100 {
				if err := hosts1.Insert(tx.Sub(opsec.Provider), &hostV1{ID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		}
		r.members = []func(*store.Tx) error{nil, large, many, nil}
		errs := r.run(t)
		require.ErrorIs(t, errs[1], store.ErrTooLarge)
		require.ErrorIs(t, errs[2], store.ErrTooLarge)
		noErrors(t, []error{errs[0], errs[3]})
		require.Equal(t, 1002, count(t, d, "hot"))
	})
}

func TestViewDoesNotSeeWhatIsNotCommitted(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		r.members = []func(*store.Tx) error{nil, nil, func(tx *store.Tx) error {
			inside, err := add(tx.Sub(opsec.Provider), "hot", 0)
			require.NoError(t, err)
			require.Equal(t, 1003, inside)
			seen := func(tx *store.Tx) error {
				n, err := add(tx.Sub(opsec.Provider), "hot", 0)
				require.Equal(t, 1000, n)
				return err
			}
			return errors.Join(r.db.View(t.Context(), seen), r.db.Snapshot(t.Context(), seen))
		}}
		noErrors(t, r.run(t))
	})
}

// A member that needs a key below, at which another has the turn, does not risk what the others have done: it comes again
// with its turns in order.
func TestMemberThatNeedsATurnOutOfOrderComesAgain(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		var wait sync.WaitGroup
		release, slow, calls := make(chan struct{}), 0, 0
		wait.Go(func() { // has the turn at a key below
			require.NoError(t, r.db.Update(t.Context(), func(tx *store.Tx) error {
				if _, err := add(tx.Sub(opsec.Provider), "below", 1); err != nil {
					return err
				}
				if slow++; slow == 1 {
					return newDB(t, r.inner, nil).Update(t.Context(), func(tx *store.Tx) error {
						_, err := add(tx.Sub(opsec.Provider), "below", 10)
						return err
					})
				}
				<-release
				return nil
			}))
		})
		r.members = []func(*store.Tx) error{nil, nil, func(tx *store.Tx) error {
			if calls++; calls == 1 {
				close(release)
			}
			_, err := add(tx.Sub(opsec.Provider), "below", 1)
			synctest.Wait() // meanwhile the other has committed
			return err
		}, nil}
		r.reset(d)
		noErrors(t, r.run(t))
		wait.Wait()
		require.Equal(t, 1004, count(t, d, "hot"))
		require.Equal(t, 12, count(t, d, "below"))
		require.LessOrEqual(t, d.commits.Load(), int64(3), "of the other, of the group, of the one that came again: none in vain")
	})
}

// A member that has written nothing, since its function has failed or only read, has nothing that could be in doubt.
func TestMemberThatHasWrittenNothingIsNotInDoubt(t *testing.T) {
	denied := func(*store.Tx) error { return opsec.ErrDenied }
	t.Run("when its context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			inner := memory.New()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			r := &relayed{
				inner: inner, db: newDB(t, storetest.NewFlaky(inner, storetest.FlakyOptions{}), nil), ctxs: map[int]context.Context{1: ctx},
				members: []func(*store.Tx) error{nil, denied, func(*store.Tx) error { time.Sleep(20 * time.Millisecond); return nil }},
			}
			errs := r.run(t)
			require.ErrorIs(t, errs[1], context.DeadlineExceeded)
			require.NotErrorIs(t, errs[1], store.ErrIndeterminate)
			noErrors(t, []error{errs[0], errs[2]})
			require.Equal(t, 1002, count(t, inner, "hot"))
		})
	})
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		r.members = []func(*store.Tx) error{nil, denied, nil}
		r.begin = func() { d.before = func() { d.before = nil; panic("the driver's") } }
		errs := r.run(t)
		require.ErrorIs(t, errs[0], store.ErrIndeterminate)
		require.ErrorIs(t, errs[1], opsec.ErrDenied)
		require.NotErrorIs(t, errs[1], store.ErrIndeterminate)
	})
}

// An insertion of what is there spoils the commit of those that it meets once, not each time that one comes.
func TestInsertionOfWhatIsThereSpoilsNoGroupAgain(t *testing.T) {
	bubble(t, func(t *testing.T, d *counting, r *relayed) {
		insert := func(tx *store.Tx) error {
			return counters.Insert(tx.Sub(opsec.Provider), &counter{ID: "there"})
		}
		require.NoError(t, newDB(t, r.inner, nil).Update(t.Context(), insert))
		r.members = []func(*store.Tx) error{nil, insert, nil, insert}
		for _, most := range []int64{3, 1} { // in vain, and then not all together
			r.reset(d)
			errs := r.run(t)
			require.ErrorIs(t, errs[1], store.ErrExists)
			require.ErrorIs(t, errs[3], store.ErrExists)
			noErrors(t, []error{errs[0], errs[2]})
			require.LessOrEqual(t, d.commits.Load(), most)
		}
	})
}

// Where nobody knows how commits end, a caller that is denied does not wait until somebody does.
func TestMemberThatIsDeniedRunsOnceMoreAndAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		flaky := storetest.NewFlaky(inner, storetest.FlakyOptions{})
		d := &counting{Driver: flaky, certain: true}
		var wait sync.WaitGroup
		var calls atomic.Int64
		r := &relayed{inner: inner, db: newDB(t, d, nil), members: make([]func(*store.Tx) error, 7)}
		for i := range r.members[1:] {
			r.members[1+i] = func(*store.Tx) error { calls.Add(1); return opsec.ErrDenied }
		}
		r.begin = func() {
			d.before = func() { time.Sleep(time.Millisecond); flaky.NextCommit(storetest.LostRequest) }
			for range 8 {
				wait.Go(func() {
					for range 20 {
						require.ErrorIs(t, r.db.Update(t.Context(), func(tx *store.Tx) error {
							_, err := add(tx.Sub(opsec.Provider), "hot", 1)
							return err
						}), store.ErrIndeterminate)
					}
				})
			}
		}
		for _, err := range r.run(t)[1:] {
			require.ErrorIs(t, err, opsec.ErrDenied)
		}
		wait.Wait()
		require.LessOrEqual(t, calls.Load(), int64(2*6))
	})
}

// answering is a driver that says of some commits what answer does.
type answering struct {
	store.Driver
	answer func() error
}

func (a *answering) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if a.answer != nil {
		if err := a.answer(); err != nil {
			return 0, err
		}
	}
	return a.Driver.Commit(ctx, b)
}

// What is in doubt for good is not tried again, also when the context of the member that settles has ended.
func TestDoubtOfAMemberWhoseContextEndsIsThatOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := &answering{Driver: memory.New()}
		r := &relayed{inner: d.Driver, db: newDB(t, d, nil), members: make([]func(*store.Tx) error, 3), ctxs: map[int]context.Context{2: ctx}}
		r.begin = func() {
			answers := []error{store.ErrIndeterminate, store.ErrClosed}
			d.answer = func() (err error) {
				if len(answers) > 0 {
					if err, answers = answers[0], answers[1:]; len(answers) == 0 {
						cancel()
					}
				}
				return err
			}
		}
		for _, err := range r.run(t) {
			require.ErrorIs(t, err, store.ErrIndeterminate)
		}
		require.Equal(t, 1000, count(t, d.Driver, "hot"))
	})
}

package bolt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

func number(v []byte) uint64 {
	if len(v) == 0 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// add adds one to a counter if it is as it was read.
func add(d store.Driver, key string) (store.Rev, error) {
	got, err := d.Get(context.Background(), key)
	if err != nil {
		return 0, err
	}
	return d.Commit(context.Background(), store.Batch{
		Checks: []store.Check{{Key: key, Rev: got[0].Rev}},
		Ops:    []store.Op{{Key: key, Value: binary.BigEndian.AppendUint64(nil, number(got[0].Value)+1)}},
	})
}

func TestNoIncrementIsLostAmong64Callers(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	const callers, each, keys = 64, 20, 5
	var won [keys]atomic.Uint64
	var revs sync.Map
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range each {
				k := (i + n) % keys
				rev, err := add(d, fmt.Sprint(k))
				var conflict *store.ConflictError
				switch {
				case err == nil:
					won[k].Add(1)
					if _, again := revs.LoadOrStore(rev, true); again {
						t.Error("two batches of one revision")
					}
				case !errors.As(err, &conflict) || !slices.Equal(conflict.Keys, []string{fmt.Sprint(k)}):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for k := range keys {
		require.NotZero(t, won[k].Load())
		require.Equal(t, won[k].Load(), number(get(t, d, fmt.Sprint(k)).Value))
	}
	require.NoError(t, d.Check(t.Context()))
}

// result is what a commit came to.
type result struct {
	rev store.Rev
	err error
}

// enqueue starts a commit and returns when it waits behind the one before.
func enqueue(ctx context.Context, d *bolt.Driver, b store.Batch) <-chan result {
	before := d.Waiting()
	done := make(chan result, 1)
	go func() {
		rev, err := d.Commit(ctx, b)
		done <- result{rev, err}
	}()
	until(func() bool { return d.Waiting() > before })
	return done
}

func until(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

// hold stops a leader inside its transaction, so that the next commits queue up.
func hold(d *bolt.Driver) (release func(), leader <-chan result) {
	release = d.Hold()
	done := make(chan result, 1)
	go func() {
		rev, err := d.Commit(context.Background(), write("leader", "1"))
		done <- result{rev, err}
	}()
	until(func() bool { return d.Led() && d.Waiting() == 0 })
	return release, done
}

func write(key, value string, checks ...store.Check) store.Batch {
	return store.Batch{Checks: checks, Ops: []store.Op{{Key: key, Value: []byte(value)}}}
}

func TestConflictOfOneTouchesNoOther(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	release, leader := hold(d)
	ctx := t.Context()
	absent := store.Check{Key: "k"}
	first := enqueue(ctx, d, write("k", "first", absent))
	second := enqueue(ctx, d, write("k", "second", absent, store.Check{Key: "other", Rev: 7}, store.Check{Key: "x"}))
	third := enqueue(ctx, d, write("third", "3", store.Check{Key: "x"}))
	checked := enqueue(ctx, d, store.Batch{Checks: []store.Check{absent}})
	release()
	require.NoError(t, (<-leader).err)
	one := <-first
	require.NoError(t, one.err)
	var conflict *store.ConflictError
	require.ErrorAs(t, (<-second).err, &conflict, "the batch before it in the group has written k")
	require.Equal(t, []string{"k", "other"}, conflict.Keys, "all that failed")
	three := <-third
	require.NoError(t, three.err)
	require.NotEqual(t, one.rev, three.rev)
	require.ErrorAs(t, (<-checked).err, &conflict)
	require.Equal(t, store.Item{Key: "k", Value: []byte("first"), Rev: one.rev}, get(t, d, "k"))
	require.Equal(t, three.rev, get(t, d, "third").Rev)
}

func TestCallerThatWaitsMayLeave(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	release, leader := hold(d)
	ended, cancel := context.WithCancel(t.Context())
	var leave []<-chan result
	for i := range 3 { // the first of them would lead the next group
		leave = append(leave, enqueue(ended, d, write(fmt.Sprint("left", i), "x")))
	}
	stays := enqueue(t.Context(), d, write("stays", "x"))
	cancel()
	for _, done := range leave {
		require.ErrorIs(t, (<-done).err, context.Canceled)
	}
	release()
	require.NoError(t, (<-leader).err)
	require.NoError(t, (<-stays).err)
	for i := range leave {
		require.Zero(t, get(t, d, fmt.Sprint("left", i)).Rev, "who has left has done nothing")
	}
	until(func() bool { return !d.Led() })
	put(t, d, "later", "x")
}

func TestLeaderWhoseContextEndsLeavesNobodyWaiting(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	for round := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				use := t.Context()
				if i%2 == 0 {
					use = ctx
				}
				key := fmt.Sprint(round, "/", i)
				rev, err := d.Commit(use, write(key, "x"))
				got, getErr := d.Get(t.Context(), key)
				switch {
				case getErr != nil:
					t.Error(getErr)
				case err == nil && got[0].Rev == rev:
				case err == context.Canceled && i%2 == 0 && got[0].Rev == 0:
				default:
					t.Error(rev, got, err)
				}
			})
		}
		wg.Go(cancel)
		wg.Wait()
	}
	require.Zero(t, d.Waiting())
	require.False(t, d.Led())
}

func TestCloseTurnsAwayWhoWaits(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	release, leader := hold(d)
	var waiting []<-chan result
	for i := range 5 {
		waiting = append(waiting, enqueue(t.Context(), d, write(fmt.Sprint(i), "x")))
	}
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	for _, done := range waiting {
		require.ErrorIs(t, (<-done).err, store.ErrClosed)
	}
	release()
	if err := (<-leader).err; err != nil { // it may have been just before its transaction
		require.ErrorIs(t, err, store.ErrClosed)
	}
	require.NoError(t, <-closed)
}

func TestCommitThatNobodyKnowsOfIsTheLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	rev := put(t, d, "k", "v")

	err := d.Failed(uint64(rev), syscall.ENOSPC)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NotErrorIs(t, err, store.ErrIndeterminate, "the file has not moved on: nothing has happened")
	rev = put(t, d, "k", "w")

	err = d.Failed(uint64(rev)-1, syscall.EIO)
	require.ErrorIs(t, err, store.ErrIndeterminate, "the file shows it, the disk may not have it")
	require.ErrorIs(t, err, syscall.EIO)
	for _, b := range []store.Batch{write("k", "x"), {Checks: []store.Check{{Key: "absent"}}}} {
		_, err = d.Commit(t.Context(), b)
		require.ErrorContains(t, err, "opened anew")
		require.NotErrorIs(t, err, store.ErrIndeterminate, "this one has not been tried")
	}
	require.Equal(t, "w", string(get(t, d, "k").Value))
	require.NoError(t, d.Close())
	_, err = d.Commit(t.Context(), write("k", "x"))
	require.ErrorIs(t, err, store.ErrClosed)
	d = open(t, path)
	put(t, d, "k", "x")
}

func TestLargeGroupsAreCut(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	release, leader := hold(d)
	value := make([]byte, 200<<10)
	var waiting []<-chan result
	for i := range 25 { // 25 MB
		var b store.Batch
		for op := range 5 {
			b.Ops = append(b.Ops, store.Op{Key: fmt.Sprint(i, "/", op), Value: value})
		}
		waiting = append(waiting, enqueue(t.Context(), d, b))
	}
	release()
	require.NoError(t, (<-leader).err)
	for i, done := range waiting {
		r := <-done
		require.NoError(t, r.err)
		require.Equal(t, r.rev, get(t, d, fmt.Sprint(i, "/4")).Rev)
	}
}

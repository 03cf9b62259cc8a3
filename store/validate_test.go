package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestBatchNamesNoKeyTwiceInWhateverOrder(t *testing.T) {
	for _, keys := range []string{"aa", "aba", "bacbd", "badcc", "ccabd", "abcdd"} {
		var b store.Batch
		var c store.Batch
		for _, key := range keys {
			b.Ops = append(b.Ops, store.Op{Key: string(key)})
			c.Checks = append(c.Checks, store.Check{Key: string(key)})
		}
		require.ErrorIs(t, b.Validate(), opsec.ErrInvalid, keys)
		require.ErrorIs(t, c.Validate(), opsec.ErrInvalid, keys)
	}
	b := store.Batch{Checks: []store.Check{{Key: "b"}, {Key: "a"}}, Ops: []store.Op{{Key: "d"}, {Key: "a"}, {Key: "b"}}}
	require.NoError(t, b.Validate(), "checked and written is not twice")
	require.Equal(t, "d", b.Ops[0].Key, "and left in its order")
	b.Ops[0] = store.Op{Key: "d", Value: []byte("x"), Delete: true}
	require.ErrorIs(t, b.Validate(), opsec.ErrInvalid)
}

// contested is a driver on which somebody else is always first.
type contested struct{ store.Driver }

func (contested) Commit(_ context.Context, b store.Batch) (store.Rev, error) {
	return 0, &store.ConflictError{Keys: []string{b.Checks[0].Key}}
}

func (contested) Certain() bool { return true }

func TestUpdateThatNeverGetsThroughEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newDB(t, contested{memory.New()}, nil)
		calls := 0
		insert := func(ctx context.Context) error {
			return db.Update(ctx, func(tx *store.Tx) error {
				calls++
				return accounts.Insert(tx.Sub(acme), &account{ID: "1"})
			})
		}
		start := time.Now()
		err := insert(t.Context())
		_, conflict := errors.AsType[*store.ConflictError](err)
		require.True(t, conflict, "%v", err)
		require.Equal(t, 1000, calls)
		require.Greater(t, time.Since(start), 10*time.Second, "with pauses")
		require.Less(t, time.Since(start), 5*time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, insert(ctx), context.DeadlineExceeded)
	})
}

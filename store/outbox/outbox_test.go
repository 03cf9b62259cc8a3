package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/outbox"
	"github.com/cloudopsec/opsec/store/storetest"
)

func newDB(t testing.TB, d store.Driver, node string) *store.DB {
	t.Helper()
	db, err := store.New(d, &store.Options{Node: node})
	require.NoError(t, err)
	return db
}

func emit(t testing.TB, db *store.DB) opsec.ID {
	t.Helper()
	e := opsec.NewEvent("test.happened", time.Now())
	e.Tenant, e.Outcome = "acme", opsec.Success
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(e) }))
	return e.ID
}

// start runs the outbox of a node until the function returned is called.
func start(t testing.TB, db *store.DB, r opsec.Recorder) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- outbox.Run(ctx, db, r, nil) }()
	return func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	}
}

func TestEventsAreDeliveredAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, log := newDB(t, memory.New(), "a"), audittest.New(t)
		before := emit(t, db)
		defer start(t, db, log)()
		synctest.Wait()
		require.Equal(t, before, log.One(t, "test.happened").ID)
		emit(t, db)
		synctest.Wait()
		require.Len(t, log.Events(), 2, "on a hint, at once")
		for range db.Undelivered(t.Context()) {
			t.Error("something is left")
		}
	})
}

func TestDriverThatCannotWatchIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, log := newDB(t, storetest.NewFlaky(memory.New(), storetest.FlakyOptions{}), "a"), audittest.New(t)
		defer start(t, db, log)()
		synctest.Wait()
		emit(t, db)
		time.Sleep(1100 * time.Millisecond) // of the bubble
		synctest.Wait()
		require.Len(t, log.Events(), 1)
	})
}

func TestRecorderThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, log := newDB(t, memory.New(), "a"), audittest.New(t)
		log.Fail(errors.New("disk full"))
		defer start(t, db, log)()
		for range 10 {
			emit(t, db)
		}
		time.Sleep(time.Hour)
		require.Empty(t, log.Events())
		log.Fail(nil)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		require.Len(t, log.Events(), 10)
	})
}

func TestAnotherNodeDeliversForOneThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := memory.New()
		gone, here, log := newDB(t, d, "gone"), newDB(t, d, "here"), audittest.New(t)
		for range 150 {
			emit(t, gone)
		}
		stop := []func(){start(t, here, log), start(t, newDB(t, d, "third"), log)}
		time.Sleep(25 * time.Second)
		synctest.Wait()
		require.Empty(t, log.Events(), "not yet: it may only be slow")
		emit(t, here)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Len(t, log.Events(), 151)
		for _, s := range stop {
			s()
		}
	})
}

func TestNodeThatDeliversIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := memory.New()
		busy, log, other := newDB(t, d, "busy"), audittest.New(t), audittest.New(t)
		stop := start(t, newDB(t, d, "other"), other)
		for range 300 { // something waits at all times, and never for long
			emit(t, busy)
			time.Sleep(time.Second)
			_, err := busy.Deliver(t.Context(), "busy", log)
			require.NoError(t, err)
			emit(t, busy)
		}
		stop()
		require.Empty(t, other.Events())
	})
}

func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())
	db, _ := store.New(memory.New(), nil)
	_ = db.Update(ctx, func(tx *store.Tx) error {
		e := opsec.NewEvent("account.locked", time.Now())
		e.Tenant, e.Outcome = "acme", opsec.Success
		return tx.Emit(e)
	})
	err := outbox.Run(ctx, db, printer(cancel), nil)
	fmt.Println(err)
	// Output:
	// account.locked acme
	// context canceled
}

// printer is a recorder that prints, and has enough then.
type printer func()

func (p printer) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	fmt.Println(e.Action, e.Tenant)
	p()
	return opsec.Receipt{Event: e.ID, Durable: true}, nil
}

type picky struct {
	refused opsec.ID
	at      map[opsec.ID]time.Time
}

func (p *picky) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	if e.ID == p.refused {
		return opsec.Receipt{}, errors.New("refused")
	}
	if _, ok := p.at[e.ID]; !ok {
		p.at[e.ID] = time.Now()
	}
	return opsec.Receipt{}, nil
}

func TestRefusedEventOfAnotherNodeHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := memory.New()
		here := newDB(t, d, "here")
		p := &picky{at: map[opsec.ID]time.Time{}}
		p.refused = emit(t, newDB(t, d, "gone"))
		defer start(t, here, p)()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		id, began := emit(t, here), time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Less(t, p.at[id].Sub(began), time.Second)
	})
}

package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

func TestResealPassesItsOwnNote(t *testing.T) {
	db := newDB(t, memory.New(), sealed(t))
	for range 150 { // rows of the outbox stand before the notes
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(event(acme)) }))
	}
	put(t, db, &account{ID: "a"})
	require.NoError(t, db.Reseal(t.Context(), "e", nil))
	require.Empty(t, problems(t, db, nil, accounts))
}

func TestResealTakesLargeValues(t *testing.T) {
	type big struct{ ID, V string }
	c := store.NewCollection(store.Schema[big]{Name: "big", ID: func(b *big) store.Key { return store.Text(b.ID) }})
	db := newDB(t, memory.New(), sealed(t))
	for _, id := range strings.Split("abcdefgh", "") {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return c.Put(tx.Sub(acme), &big{id, strings.Repeat("x", 200<<10)}) }))
	}
	require.NoError(t, db.Reseal(t.Context(), "e", nil))
}

func TestResealSettlesLostCommits(t *testing.T) {
	f := storetest.NewFlaky(memory.New(), storetest.FlakyOptions{})
	db := newDB(t, f, sealed(t))
	put(t, db, &account{ID: "a"})
	f.NextCommit(storetest.LostRequest)
	require.NoError(t, db.Reseal(t.Context(), "e", nil))
}

func TestDeliverRemovesWhatWasTakenBeforeItsContextEnded(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	for range 5 {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(event(acme)) }))
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	n, _ := db.Deliver(ctx, db.Node(), recFunc(func(*opsec.Event) {
		if calls++; calls == 2 {
			cancel()
		}
	}))
	require.Equal(t, 2, n)
	require.Equal(t, 2, calls)
	n, err := db.Deliver(t.Context(), db.Node(), recFunc(func(*opsec.Event) {}))
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

type refusing struct{}

func (refusing) Record(context.Context, *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{}, errors.New("refused")
}

func TestDeliverJoinsAFewErrorsOnly(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	for range 30 {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(event(acme)) }))
	}
	_, err := db.Deliver(t.Context(), db.Node(), refusing{})
	require.Equal(t, 10, strings.Count(err.Error(), "refused"))
}

func TestUndeliveredPassesOverRowsOfNoEvent(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, &store.Options{Node: "b"})
	overwrite(t, d, store.Text("o").Text("a").Uint(7).Encode(), []byte{0})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(event(acme)) }))
	var nodes []string
	for w, err := range db.Undelivered(t.Context()) {
		require.NoError(t, err)
		nodes = append(nodes, w.Node)
	}
	require.Equal(t, []string{"b"}, nodes)
}

func TestEmitRefusesFullAttributesAtOnce(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	require.ErrorIs(t, db.Update(t.Context(), func(tx *store.Tx) error { // a transaction of the event alone: nothing is added
		e := event(acme)
		for i := range opsec.MaxAttrs {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: "k" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Value: "v", Mark: opsec.Public})
		}
		return tx.Emit(e)
	}), opsec.ErrInvalid)
}

func TestCheckOfMarkersThatNobodySweeps(t *testing.T) {
	d := memory.New()
	at := time.Now()
	o := &store.Options{Now: func() time.Time { return at }}
	db := newDB(t, storetest.NewFlaky(d, storetest.FlakyOptions{}), o)
	put(t, db, &account{ID: "a"})
	require.Empty(t, problems(t, db, nil, accounts))
	at = at.Add(49 * time.Hour)
	list := problems(t, db, nil, accounts)
	require.Len(t, list, 1)
	require.Equal(t, store.ProblemMarker, list[0].Kind)
}

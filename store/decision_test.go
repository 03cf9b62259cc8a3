package store_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// losing is a driver that loses the commits of more than a marker; what came before arrives with the next.
type losing struct {
	store.Driver
	lose  int
	ghost *store.Batch
	then  func()
}

func (l *losing) Certain() bool { return false }

func (l *losing) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if l.lose > 0 && len(b.Ops) > 1 {
		if l.ghost != nil {
			_, _ = l.Driver.Commit(ctx, *l.ghost)
		}
		l.lose--
		l.ghost = &store.Batch{Checks: slices.Clone(b.Checks), Ops: slices.Clone(b.Ops)}
		l.then()
		return 0, store.ErrIndeterminate
	}
	return l.Driver.Commit(ctx, b)
}

func TestSlotOfAnUnsettledCommitIsNotUsedAgain(t *testing.T) {
	d := &losing{Driver: memory.New(), lose: 2}
	db := newDB(t, d, nil)
	ctx, cancel := context.WithCancel(t.Context())
	d.then = cancel
	insert := func(ctx context.Context, id string) error {
		return db.Update(ctx, func(tx *store.Tx) error { return hosts1.Insert(tx.Sub(acme), &hostV1{ID: id}) })
	}
	require.ErrorIs(t, insert(ctx, "a"), store.ErrIndeterminate)
	d.then = func() {}
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.NoError(t, insert(ctx, "b"))
}

func TestEveryMissingGuardIsFound(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	for _, tenant := range []opsec.TenantID{"a", "b"} {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return accounts.Put(tx.Sub(tenant), &account{ID: "x"}) }))
	}
	drop(t, d, store.Text("t").Text("b").Text("g").Text("accounts").Encode())
	list := problems(t, db, nil, accounts)
	require.Len(t, list, 1, fmt.Sprint(list))
	require.Equal(t, store.ProblemGuard, list[0].Kind)
}

func TestFailedSwapLeavesBothWhereTheyWere(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	put(t, db, &account{ID: "a", Login: "eve"}, &account{ID: "b", Login: "bob"}, &account{ID: "c", Login: "carol"})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		s := tx.Sub(acme)
		if _, err := accounts.Find(s, "login", store.Text("carol")); err != nil {
			return err
		}
		err := accounts.Put(s, &account{ID: "a", Login: "bob"}, &account{ID: "b", Login: "eve"}, &account{ID: "d", Login: "carol"})
		require.ErrorIs(t, err, store.ErrExists)
		return accounts.Put(s, &account{ID: "z"})
	}))
	require.Empty(t, problems(t, db, nil, accounts))
}

func TestBlindIndexListsInReverse(t *testing.T) {
	db := newDB(t, memory.New(), sealed(t))
	put(t, db, &account{ID: "a", Role: "r"}, &account{ID: "b", Role: "r"})
	var ids []string
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for a, err := range accounts.List(tx.Sub(acme), store.Query{Index: "role", Prefix: store.Text("r"), Reverse: true}) {
			if err != nil {
				return err
			}
			ids = append(ids, a.ID)
		}
		return nil
	}))
	require.Equal(t, []string{"b", "a"}, ids)
}

func TestListSeesWhatItsTransactionHasChanged(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "a", Role: "old"}, &account{ID: "b", Role: "old"})
	var roles []string
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		roles = nil
		s := tx.Sub(acme)
		if err := accounts.Put(s, &account{ID: "a", Role: "new"}); err != nil {
			return err
		}
		if err := accounts.Delete(s, store.Text("b")); err != nil {
			return err
		}
		for a, err := range accounts.List(s, store.Query{}) {
			if err != nil {
				return err
			}
			roles = append(roles, a.Role)
		}
		return nil
	}))
	require.Equal(t, []string{"new"}, roles)
}

func TestListInReverseMergesWhatItsTransactionHasAdded(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "a"}, &account{ID: "c"})
	var ids []string
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		ids = nil
		s := tx.Sub(acme)
		if err := accounts.Insert(s, &account{ID: "b"}); err != nil {
			return err
		}
		for a, err := range accounts.List(s, store.Query{Reverse: true}) {
			if err != nil {
				return err
			}
			ids = append(ids, a.ID)
		}
		return nil
	}))
	require.Equal(t, []string{"c", "b", "a"}, ids)
}

func TestDeletionWithoutIndexesTouchesTheGuard(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	put(t, db, &account{ID: "a"}, &account{ID: "b"}) // in no index
	calls, n := 0, 0
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) (err error) {
		s := tx.Sub(acme)
		if n, err = accounts.Count(s, store.Query{}); err != nil {
			return err
		}
		if calls++; calls == 1 {
			require.NoError(t, other.Update(t.Context(), func(tx *store.Tx) error { return accounts.Delete(tx.Sub(acme), store.Text("b")) }))
		}
		return hosts1.Put(s, &hostV1{ID: "x"})
	}))
	require.Equal(t, 1, n)
}

func TestRecordsOfAListAreReads(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	until := time.Unix(1, 0)
	put(t, db, &account{ID: "a", Until: until})
	type note struct{ ID, Saw string }
	free := store.NewCollection(store.Schema[note]{Name: "free", ID: func(n *note) store.Key { return store.Text(n.ID) }})
	guarded := store.NewCollection(store.Schema[note]{Name: "guarded", Guarded: true, ID: func(n *note) store.Key { return store.Text(n.ID) }})
	set := func(saw string) {
		require.NoError(t, other.Update(t.Context(), func(tx *store.Tx) error { return guarded.Put(tx.Sub(acme), &note{"a", saw}) }))
	}
	set("0")
	calls, saw := 0, ""
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		for n, err := range guarded.List(tx.Sub(acme), store.Query{}) {
			if err != nil {
				return err
			}
			saw = n.Saw
		}
		if calls++; calls == 1 {
			set("1") // no insertion: the guard stays as it is
		}
		return free.Put(tx.Sub(acme), &note{"x", saw})
	}))
	require.Equal(t, "1", saw)
}

func TestBoundsAndCursorsStayWithinThePrefix(t *testing.T) {
	type pair struct{ A, B string }
	c := store.NewCollection(store.Schema[pair]{Name: "pairs", ID: func(p *pair) store.Key { return store.Text(p.A).Text(p.B) }})
	db := newDB(t, memory.New(), nil)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return c.Put(tx.Sub(acme), &pair{"a", "1"}, &pair{"b", "1"}, &pair{"b", "2"}, &pair{"c", "1"})
	}))
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		s := tx.Sub(acme)
		n, err := c.Count(s, store.Query{Prefix: store.Text("b"), From: store.Text("a"), To: store.Text("d")})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		cursor := map[string]string{}
		for _, p := range []string{"a", "c"} {
			_, next, err := c.Page(s, store.Query{From: store.Text(p)}, "", 1)
			require.NoError(t, err)
			if next == "" { // the last has none: made by hand, as a hostile client would
				next = base64.RawURLEncoding.EncodeToString([]byte(store.Text("c").Text("1").Encode()))
			}
			cursor[p] = next
		}
		for _, reverse := range []bool{false, true} {
			for _, p := range []string{"a", "c"} {
				_, _, err = c.Page(s, store.Query{Prefix: store.Text("b"), Reverse: reverse}, cursor[p], 1)
				require.ErrorIs(t, err, opsec.ErrInvalid, p)
			}
		}
		return nil
	}))
}

func TestDeleteOfOneIDTwice(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "a", Login: "eve"})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return accounts.Delete(tx.Sub(acme), store.Text("a"), store.Text("a"))
	}))
	require.Empty(t, problems(t, db, nil, accounts))
}

func TestCheckOfARecordInMoreThanAHundredPlaces(t *testing.T) {
	type doc struct {
		ID string
		N  int
	}
	schema := func(n int) *store.Collection[doc] {
		return store.NewCollection(store.Schema[doc]{Name: "docs", ID: func(d *doc) store.Key { return store.Text(d.ID) },
			Indexes: []store.Index[doc]{{Name: "w", Keys: func(d *doc) (list []store.Key) {
				for i := range min(n, d.N) {
					list = append(list, store.Key{}.Int(int64(i)))
				}
				return list
			}}}})
	}
	db := newDB(t, memory.New(), nil)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return schema(0).Put(tx.Sub(acme), &doc{"a", 150}) }))
	require.Len(t, problems(t, db, nil, schema(150)), 150)
}

func TestListOfOwnWritesInReverseAndAfterAFailure(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "z", Login: "eve"})
	var ids []string
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		ids = nil
		s := tx.Sub(acme)
		if err := accounts.Put(s, &account{ID: "x"}, &account{ID: "y"}); err != nil {
			return err
		}
		if _, err := accounts.Find(s, "login", store.Text("eve")); err != nil {
			return err
		}
		for a, err := range accounts.List(s, store.Query{Reverse: true}) {
			if err != nil {
				return err
			}
			ids = append(ids, a.ID)
		}
		return nil
	}))
	require.Equal(t, []string{"z", "y", "x"}, ids)
}

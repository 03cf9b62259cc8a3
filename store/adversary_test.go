package store_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// hooked runs a hook before each Get/Commit/List.
type hooked struct {
	store.Driver
	get  func(n int)
	gets int
}

func (h *hooked) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	h.gets++
	if f := h.get; f != nil {
		h.get = nil
		f(h.gets)
		h.get = f
	}
	return h.Driver.Get(ctx, keys...)
}

func TestInsertThenCountDependsOnTheGuard(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	fn := func(id string, meet func()) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			s := tx.Sub(acme)
			if err := accounts.Insert(s, &account{ID: id, Role: "admin"}); err != nil {
				return err
			}
			n, err := accounts.Count(s, store.Query{Index: "role", Prefix: store.Text("admin")})
			if err != nil {
				return err
			}
			if n > 1 {
				return errors.New("only one admin may be")
			}
			meet()
			return nil
		})
	}
	once := true
	err := fn("a", func() {
		if once {
			once = false
			require.NoError(t, fn("b", func() {}))
		}
	})
	require.Error(t, err)
}

func TestSnapshotOfMoreThanAHundredKeysIsOfOneMoment(t *testing.T) {
	d := memory.New()
	db, other := newDB(t, d, nil), newDB(t, d, nil)
	both := func(v string) {
		put(t, other, &account{ID: "a00", Login: "", Role: v}, &account{ID: "z", Role: v})
	}
	both("0")
	var ids []store.Key
	for i := range 100 {
		ids = append(ids, store.Text(fmt.Sprintf("a%02d", i)))
	}
	n := 0
	var a, z string
	require.NoError(t, db.Snapshot(t.Context(), func(tx *store.Tx) error {
		n++
		s := tx.Sub(acme)
		if n == 2 {
			both("2") // between prefetch and the first read
		}
		rz, err := accounts.Get(s, store.Text("z"))
		if err != nil {
			return err
		}
		if n == 1 {
			both("1")
		}
		list, err := accounts.GetAll(s, ids...)
		if err != nil {
			return err
		}
		a, z = list[0].Role, rz.Role
		return nil
	}))
	require.Equal(t, a, z)
}

func TestErrorAfterAnAssumptionIsNotBelieved(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "a"})
	errFree := errors.New("the name is free")
	err := db.Update(t.Context(), func(tx *store.Tx) error { // a dry run
		if err := accounts.Insert(tx.Sub(acme), &account{ID: "a"}); err != nil {
			return err
		}
		return errFree
	})
	require.ErrorIs(t, err, store.ErrExists)
}

func TestTokenThatMovesIsNeverSeenAtNeither(t *testing.T) {
	d := memory.New()
	other := newDB(t, d, nil)
	h := &hooked{Driver: d}
	db := newDB(t, h, nil)
	move := func(from, to string) {
		require.NoError(t, other.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(accounts.Delete(tx.Sub(acme), store.Text(from)), accounts.Put(tx.Sub(acme), &account{ID: to}))
		}))
	}
	move("x", "zzz") // the token is at zzz
	ids := []store.Key{store.Text("aaa")}
	for i := range 99 {
		ids = append(ids, store.Text(fmt.Sprintf("b%02d", i)))
	}
	ids = append(ids, store.Text("zzz"))
	for i := range 99 {
		put(t, other, &account{ID: fmt.Sprintf("b%02d", i)})
	}
	at := "zzz"
	h.get = func(n int) {
		if n > 1 && n <= 4 {
			if at == "zzz" {
				move("zzz", "aaa")
				at = "aaa"
			} else {
				move("aaa", "zzz")
				at = "zzz"
			}
		}
	}
	var found int
	require.NoError(t, db.Snapshot(t.Context(), func(tx *store.Tx) error {
		found = 0
		list, err := accounts.GetAll(tx.Sub(acme), ids...)
		for _, a := range list {
			if a != nil && a.ID[0] != 'b' {
				found++
			}
		}
		return err
	}))
	require.Equal(t, 1, found)
}

func TestErrorThatCannotBeComparedIsNotBelieved(t *testing.T) {
	d := memory.New()
	other := newDB(t, d, nil)
	put(t, other, &account{ID: "a", Role: "0"}, &account{ID: "b", Role: "0"})
	f := storetest.NewFlaky(d, storetest.FlakyOptions{})
	db := newDB(t, f, nil)
	errTorn := errors.New("a and b differ")
	f.NextRead(storetest.Pass, storetest.Pass, storetest.Fail)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		a, err := accounts.Get(tx.Sub(acme), store.Text("a"))
		require.NoError(t, err)
		put(t, other, &account{ID: "a", Role: "1"}, &account{ID: "b", Role: "1"})
		b, err := accounts.Get(tx.Sub(acme), store.Text("b"))
		require.NoError(t, err)
		if a.Role != b.Role {
			return errTorn
		}
		return nil
	})
	require.NotErrorIs(t, err, errTorn)
}

func TestErrorIsNotBelievedWhenTheContextHasEnded(t *testing.T) {
	d := memory.New()
	other := newDB(t, d, nil)
	put(t, other, &account{ID: "a", Role: "0"}, &account{ID: "b", Role: "0"})
	db := newDB(t, d, nil)
	errTorn := errors.New("a and b differ")
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *store.Tx) error {
		a, err := accounts.Get(tx.Sub(acme), store.Text("a"))
		require.NoError(t, err)
		put(t, other, &account{ID: "a", Role: "1"}, &account{ID: "b", Role: "1"})
		b, err := accounts.Get(tx.Sub(acme), store.Text("b"))
		require.NoError(t, err)
		cancel()
		if a.Role != b.Role {
			return errTorn
		}
		return nil
	})
	require.NotErrorIs(t, err, errTorn)
}

// late is a driver on whose way one commit is lost, until it arrives.
type late struct {
	store.Driver
	ghost *store.Batch
}

func (l *late) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if l.ghost == nil && len(b.Ops) > 1 { // of more than a marker
		l.ghost = &store.Batch{Checks: slices.Clone(b.Checks), Ops: slices.Clone(b.Ops)}
		return 0, store.ErrIndeterminate
	}
	return l.Driver.Commit(ctx, b)
}

func (l *late) Certain() bool { return false }

func TestGhostDoesNotComeAfterItsMarkerWasSwept(t *testing.T) {
	d := memory.New()
	f := &late{Driver: d}
	db := newDB(t, f, nil)
	ahead := newDB(t, d, &store.Options{Now: func() time.Time { return time.Now().Add(25 * time.Hour) }})
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return hosts1.Insert(tx.Sub(acme), &hostV1{ID: "a"}) }))
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return hosts1.Delete(tx.Sub(acme), store.Text("a")) }))
	_, err := ahead.Sweep(t.Context())
	require.NoError(t, err)
	_, err = d.Commit(t.Context(), *f.ghost)
	_, conflict := errors.AsType[*store.ConflictError](err)
	require.True(t, conflict, "a commit that was settled as lost has happened: the deleted record is back")
}

type commitHook struct {
	store.Driver
	before func(n int)
	n      int
}

func (h *commitHook) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	h.n++
	if h.before != nil {
		h.before(h.n)
	}
	return h.Driver.Commit(ctx, b)
}

func markerKey(t *testing.T, d store.Driver) string {
	for k := range items(t, d) {
		if strings.HasPrefix(k, store.Text("m").Encode()) {
			return k
		}
	}
	t.Fatal("no marker")
	return ""
}

func TestSettlingEndsWhenSomebodyTampersWithTheMarker(t *testing.T) {
	for _, how := range []string{"junk", "other", "deleted"} {
		t.Run(how, func(t *testing.T) {
			d := memory.New()
			f := storetest.NewFlaky(d, storetest.FlakyOptions{})
			h := &commitHook{Driver: f}
			db := newDB(t, h, nil)
			put(t, db, &account{ID: "a"})
			key := markerKey(t, d)
			f.NextCommit(storetest.LostRequest)
			h.n = 0
			h.before = func(n int) {
				if n != 2 {
					return
				}
				switch how {
				case "junk":
					overwrite(t, d, key, []byte("xyz"))
				case "other":
					overwrite(t, d, key, make([]byte, 16))
				case "deleted":
					drop(t, d, key)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := db.Update(ctx, func(tx *store.Tx) error { return accounts.Put(tx.Sub(acme), &account{ID: "a"}) })
			require.NoError(t, ctx.Err(), "it hung until the context ended: %v, %d commits", err, h.n)
		})
	}
}

type gate struct {
	store.Driver
	wait *sync.WaitGroup
	on   bool
}

func (g *gate) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if g.on && len(b.Ops) > 1 {
		g.wait.Done()
		g.wait.Wait()
	}
	return g.Driver.Commit(ctx, b)
}
func TestManySweptMarkersCostOneMoreAttempt(t *testing.T) {
	d := memory.New()
	var in sync.WaitGroup
	g := &gate{storetest.NewFlaky(d, storetest.FlakyOptions{}), &in, true}
	db := newDB(t, g, nil)
	in.Add(200)
	var out sync.WaitGroup
	for i := range 200 {
		out.Go(func() {
			_ = db.Update(t.Context(), func(tx *store.Tx) error {
				return hosts1.Insert(tx.Sub(acme), &hostV1{ID: fmt.Sprint("x", i)})
			})
		})
	}
	out.Wait()
	g.on = false
	ahead := newDB(t, d, &store.Options{Now: func() time.Time { return time.Now().Add(25 * time.Hour) }})
	n, err := ahead.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200, n)
	calls := 0
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		calls++
		return hosts1.Insert(tx.Sub(acme), &hostV1{ID: "y"})
	}))
	require.LessOrEqual(t, calls, 2)
}

type num struct{ N uint64 }

var nums = store.NewCollection(store.Schema[num]{Name: "nums", ID: func(n *num) store.Key { return store.Key{}.Uint(n.N) }})

func TestResealGoesOnBehindKeysThatAreNoText(t *testing.T) {
	d := memory.New()
	old, next := newAEAD(t, "old"), newAEAD(t, "new")
	a := newDB(t, d, &store.Options{Sealer: old, PRF: prf("p")})
	require.NoError(t, a.Update(t.Context(), func(tx *store.Tx) error { return nil }))
	for i := uint64(100); i < 250; i++ {
		require.NoError(t, a.Update(t.Context(), func(tx *store.Tx) error { return nums.Insert(tx.Sub(acme), &num{i}) }))
	}
	b := newDB(t, d, &store.Options{Sealer: twoKeys{next, old}, PRF: prf("p")})
	ctx, cancel := context.WithCancel(t.Context())
	require.Error(t, b.Reseal(ctx, "e", func(store.Progress) { cancel() }))
	require.NoError(t, b.Reseal(t.Context(), "e", nil))
	c := newDB(t, d, &store.Options{Sealer: next, PRF: prf("p")})
	ps := problems(t, c, nil, nums)
	require.Empty(t, len(ps))
}

func TestReindexAfterChangedKeysSeesNoFalseClash(t *testing.T) {
	type user struct{ ID, Name, Login string }
	coll := func(k func(*user) string) *store.Collection[user] {
		return store.NewCollection(store.Schema[user]{Name: "users", ID: func(u *user) store.Key { return store.Text(u.ID) },
			Indexes: []store.Index[user]{{Name: "n", Unique: true, Keys: func(u *user) []store.Key { return keys(k(u)) }}}})
	}
	before, now := coll(func(u *user) string { return u.Name }), coll(func(u *user) string { return u.Login })
	db := newDB(t, memory.New(), nil)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return before.Insert(tx.Sub(acme), &user{"a", "eve", "adam"}, &user{"b", "x", "eve"})
	}))
	_, _, err := now.Reindex(t.Context(), db)
	require.NoError(t, err)
}

func TestCheckReportsReadErrors(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	put(t, db, &account{ID: "a", Role: "r"})
	rk := rawKey(t, d, record("a")...)
	drop(t, d, rk)
	require.NotEmpty(t, problems(t, db, nil, accounts))
	f := storetest.NewFlaky(d, storetest.FlakyOptions{})
	f.NextRead(storetest.Pass, storetest.Fail, storetest.Fail)
	fdb := newDB(t, f, nil)
	var err error
	n := 0
	for _, e := range fdb.Check(t.Context(), nil, accounts) {
		n++
		err = errors.Join(err, e)
	}
	require.True(t, n > 0, "the entry was passed over without a word")
}

func TestHostileIndexEntriesAreReported(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	put(t, db, &account{ID: "a", Login: "eve"}, &account{ID: "b", Login: "bob"})
	for key := range items(t, d) {
		if strings.Contains(key, "login") {
			overwrite(t, d, key, append([]byte{0}, strings.Repeat("x", 2000)...)) // no key is so long
		}
	}
	entries := 0
	for _, p := range problems(t, db, nil, accounts) {
		require.Equal(t, store.ProblemIndex, p.Kind)
		if strings.Contains(p.Detail, "entry") {
			entries++
		}
	}
	require.Equal(t, 2, entries)
	err := db.View(t.Context(), func(tx *store.Tx) error {
		_, err := accounts.Find(tx.Sub(acme), "login", store.Text("eve"))
		return err
	})
	_, ok := errors.AsType[*store.CorruptError](err)
	require.True(t, ok, "%v", err)
	_, _, err = accounts.Reindex(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, problems(t, db, nil, accounts))
}

func TestLongCursorIsInvalid(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "a"})
	err := db.View(t.Context(), func(tx *store.Tx) error {
		_, _, err := accounts.Page(tx.Sub(acme), store.Query{}, base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 5000))), 10)
		return err
	})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestSecondEventWithOneIDIsRefused(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	e := event(acme)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Emit(e); err != nil {
			return err
		}
		e.Action = "room.other"
		return tx.Emit(e)
	})
	require.True(t, err != nil || len(items(t, d)) == 2)
}

func TestEmittedEventIsACopy(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	e := event(acme)
	e.Granted = []string{"read"}
	e.OnBehalfOf = &opsec.Actor{Account: "alice"}
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Emit(e); err != nil {
			return err
		}
		e.Granted[0] = "root"
		e.OnBehalfOf.Account = "mallory"
		return nil
	}))
	for _, it := range items(t, d) {
		require.NotContains(t, string(it.Value), "root")
		require.NotContains(t, string(it.Value), "mallory")
	}
}

func TestKeysOfNoTenantAreForeign(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return hosts1.Insert(tx.Sub(acme), &hostV1{ID: "h"}) }))
	for k, it := range items(t, d) {
		bad := strings.Replace(k, "acme", "../etc", 1)
		overwrite(t, d, bad, it.Value)
	}
	for tenant, err := range db.Tenants(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, acme, tenant)
	}
	found := problems(t, db, nil, hosts1)
	require.Len(t, found, 1)
	require.Equal(t, store.ProblemForeign, found[0].Kind)
}

type recFunc func(*opsec.Event)

func (f recFunc) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	f(e)
	return opsec.Receipt{}, nil
}

func TestDeliverSaysThatItWasStopped(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	for range 3 {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.Emit(event(acme)) }))
	}
	ctx, cancel := context.WithCancel(t.Context())
	n, err := db.Deliver(ctx, db.Node(), recFunc(func(*opsec.Event) { cancel() }))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, n, "what was taken is removed")
}

type Role2 string
type worker struct {
	ID    string `json:"id"`
	Role2 `json:",omitempty"`
}

func TestClearedEmbeddedFieldStaysCleared(t *testing.T) {
	workers := store.NewCollection(store.Schema[worker]{Name: "w", ID: func(w *worker) store.Key { return store.Text(w.ID) }})
	db := newDB(t, memory.New(), nil)
	up := func(w worker) {
		require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return workers.Put(tx.Sub(acme), &w) }))
	}
	up(worker{"a", "admin"})
	up(worker{"a", ""})
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		w, err := workers.Get(tx.Sub(acme), store.Text("a"))
		require.NoError(t, err)
		require.Empty(t, w.Role2)
		return nil
	}))
}

func TestKeyThatCouldNotBeReadAgainIsRefused(t *testing.T) {
	type rec struct{ ID string }
	k := store.Text("x")
	for range 16 {
		k = store.Key{}.Tuple(k)
	}
	c := store.NewCollection(store.Schema[rec]{Name: "deep", ID: func(r *rec) store.Key { return store.Text(r.ID) },
		Indexes: []store.Index[rec]{{Name: "i", Keys: func(*rec) []store.Key { return []store.Key{k} }}}})
	db := newDB(t, memory.New(), nil)
	err := db.Update(t.Context(), func(tx *store.Tx) error { return c.Put(tx.Sub(acme), &rec{"a"}) })
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRecordUnderAnotherIDIsReported(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { return hosts1.Insert(tx.Sub(acme), &hostV1{ID: "h"}) }))
	for k, it := range items(t, d) {
		overwrite(t, d, strings.Replace(k, "\x02h\x00", "\x02other\x00", 1), it.Value)
	}
	require.NotEmpty(t, problems(t, db, nil, hosts1))
}

func TestWitnessesAreTheStoresOwn(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		e := event(acme)
		e.Attrs = append(e.Attrs, opsec.Attr{Key: store.AttrWrote, Value: "junk", Mark: opsec.Public})
		return tx.Emit(e)
	})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestLargestRecordCanBeSealed(t *testing.T) {
	type big struct{ ID, V string }
	c := store.NewCollection(store.Schema[big]{Name: "b", ID: func(r *big) store.Key { return store.Text(r.ID) }})
	d := memory.New()
	db := newDB(t, d, nil)
	largest := 0
	for n := store.MaxValue - 1<<10 - 60; ; n++ {
		err := db.Update(t.Context(), func(tx *store.Tx) error { return c.Put(tx.Sub(acme), &big{"a", strings.Repeat("x", n)}) })
		if err != nil {
			require.ErrorIs(t, err, store.ErrTooLarge)
			break
		}
		largest = n
	}
	require.NotZero(t, largest)
	o := sealed(t)
	o.InsecureReadPlain = true
	require.NoError(t, newDB(t, d, o).Reseal(t.Context(), "e", nil))
}

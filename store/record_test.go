package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// The same collection in three programs: the first; a later one with fields more; one that has renamed a field, and so
// has a new version.
type (
	hostV1 struct {
		ID   string `json:"id"`
		Addr string `json:"addr,omitempty"`
		Site siteV1 `json:"site"`
	}
	siteV1 struct {
		Name string `json:"name"`
	}
	hostV1More struct {
		ID    string     `json:"id"`
		Addr  string     `json:"addr,omitempty"`
		Site  siteV1More `json:"site"`
		Owner string     `json:"owner,omitempty"`
		Tags  []string   `json:"tags,omitempty"`
	}
	siteV1More struct {
		Name string `json:"name"`
		Row  int    `json:"row,omitempty"`
	}
	hostV2 struct {
		ID        string     `json:"id"`
		Addresses []string   `json:"addresses,omitempty"`
		Site      siteV1More `json:"site"`
		Owner     string     `json:"owner,omitempty"`
	}
)

var (
	hosts1    = store.NewCollection(store.Schema[hostV1]{Name: "hosts", ID: func(h *hostV1) store.Key { return store.Text(h.ID) }})
	hosts1etc = store.NewCollection(store.Schema[hostV1More]{Name: "hosts", ID: func(h *hostV1More) store.Key { return store.Text(h.ID) }})
	hosts2    = store.NewCollection(store.Schema[hostV2]{
		Name: "hosts", ID: func(h *hostV2) store.Key { return store.Text(h.ID) },
		Upgrades: []store.Upgrade{addrToAddresses},
	})
)

func addrToAddresses(old json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(old, &fields); err != nil {
		return nil, err
	}
	if addr, ok := fields["addr"]; ok {
		fields["addresses"] = json.RawMessage("[" + string(addr) + "]")
		delete(fields, "addr")
	}
	return json.Marshal(fields)
}

// change loads a record, changes it and puts it back, as one node of a program does.
func change[T any](t *testing.T, d store.Driver, c *store.Collection[T], id string, how func(*T)) error {
	t.Helper()
	return newDB(t, d, nil).Update(t.Context(), func(tx *store.Tx) error {
		v, err := c.Get(tx.Sub(acme), store.Text(id))
		if err != nil {
			return err
		}
		how(v)
		return c.Put(tx.Sub(acme), v)
	})
}

func TestNodesOfTwoVersionsSideBySide(t *testing.T) {
	d := memory.New()
	db := newDB(t, d, nil)
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return hosts1etc.Insert(tx.Sub(acme), &hostV1More{
			ID: "h", Addr: "192.0.2.1", Owner: "eve", Tags: []string{"a", "b"}, Site: siteV1More{"Graz", 7},
		})
	}))
	// an old node changes what it knows, and keeps the rest, inner objects too
	require.NoError(t, change(t, d, hosts1, "h", func(h *hostV1) { h.Addr, h.Site.Name = "192.0.2.2", "Wien" }))
	require.NoError(t, change(t, d, hosts1etc, "h", func(h *hostV1More) {
		require.Equal(t, hostV1More{"h", "192.0.2.2", siteV1More{"Wien", 7}, "eve", []string{"a", "b"}}, *h)
		h.Owner = "" // a new node removes a field
	}))
	require.NoError(t, change(t, d, hosts1, "h", func(h *hostV1) { h.Addr = "" })) // and an old one another
	require.NoError(t, change(t, d, hosts1etc, "h", func(h *hostV1More) {
		require.Equal(t, hostV1More{ID: "h", Site: siteV1More{"Wien", 7}, Tags: []string{"a", "b"}}, *h)
		h.Addr, h.Owner = "192.0.2.3", "ada"
	}))
	// a record that an old node puts without having read it keeps them as well
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return hosts1.Put(tx.Sub(acme), &hostV1{ID: "h", Addr: "192.0.2.4"})
	}))

	require.NoError(t, change(t, d, hosts2, "h", func(h *hostV2) { // upgraded when read, stored when written
		require.Equal(t, hostV2{"h", []string{"192.0.2.4"}, siteV1More{"", 7}, "ada"}, *h)
		h.Addresses = append(h.Addresses, "2001:db8::1")
	}))
	err := change(t, d, hosts1etc, "h", func(*hostV1More) { t.Error("an old node reads a newer record") })
	newer, ok := errors.AsType[*store.VersionError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, store.VersionError{Collection: "hosts", Version: 2, Known: 1}, *newer)
	require.NoError(t, change(t, d, hosts2, "h", func(h *hostV2) { require.Len(t, h.Addresses, 2) }))
	raw := items(t, d)[rawKey(t, d, store.Text("hosts").Text("h").Encode())]
	require.Contains(t, string(raw.Value), `"tags":["a","b"]`, "unknown to the newest, from the first, through all")

	broken := store.NewCollection(store.Schema[hostV2]{
		Name: "hosts", ID: func(h *hostV2) store.Key { return store.Text(h.ID) },
		Upgrades: []store.Upgrade{addrToAddresses, func(json.RawMessage) (json.RawMessage, error) { return nil, opsec.ErrInvalid }},
	})
	require.ErrorIs(t, change(t, d, broken, "h", func(*hostV2) {}), opsec.ErrInvalid)
}

func TestSchemaThatIsWrongPanics(t *testing.T) {
	id := func(*account) store.Key { return store.Key{} }
	by := func(*account) []store.Key { return nil }
	for name, s := range map[string]store.Schema[account]{
		"no name":       {ID: id},
		"bad name":      {Name: "Accounts!", ID: id},
		"no id":         {Name: "a"},
		"nil upgrade":   {Name: "a", ID: id, Upgrades: []store.Upgrade{nil}},
		"index":         {Name: "a", ID: id, Indexes: []store.Index[account]{{Name: "x"}}},
		"index twice":   {Name: "a", ID: id, Indexes: []store.Index[account]{{Name: "x", Keys: by}, {Name: "x", Keys: by}}},
		"index unnamed": {Name: "a", ID: id, Indexes: []store.Index[account]{{Keys: by}}},
	} {
		require.Panics(t, func() { store.NewCollection(s) }, name)
	}
}

func TestBadRecordsAndQueriesAreRefused(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "1"}, &account{ID: "2"}, &account{ID: "3"})
	update := func(fn func(*store.Sub) error) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return fn(tx.Sub(acme)) })
	}
	for name, fn := range map[string]func(*store.Sub) error{
		"nil":       func(s *store.Sub) error { return accounts.Put(s, nil) },
		"twice":     func(s *store.Sub) error { return accounts.Put(s, &account{ID: "9"}, &account{ID: "9"}) },
		"page of 0": func(s *store.Sub) error { _, _, err := accounts.Page(s, store.Query{}, "", 0); return err },
		"cursor":    func(s *store.Sub) error { _, _, err := accounts.Page(s, store.Query{}, "not base64!", 1); return err },
		"no index":  func(s *store.Sub) error { _, err := accounts.Count(s, store.Query{Index: "none"}); return err },
		"find":      func(s *store.Sub) error { _, err := accounts.Find(s, "until", store.Text("x")); return err },
	} {
		require.ErrorIs(t, update(fn), opsec.ErrInvalid, name)
	}
	noID := store.NewCollection(store.Schema[account]{Name: "none", ID: func(*account) store.Key { return store.Key{} }})
	require.ErrorIs(t, update(func(s *store.Sub) error { return noID.Put(s, &account{}) }), opsec.ErrInvalid)
	channels := store.NewCollection(store.Schema[struct{ C chan int }]{
		Name: "channels", ID: func(*struct{ C chan int }) store.Key { return store.Text("c") },
	})
	require.ErrorIs(t, update(func(s *store.Sub) error { return channels.Put(s, &struct{ C chan int }{}) }), opsec.ErrInvalid)

	// a cursor of one query does not lead out of another, nor out of the tenant
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		s := tx.Sub(acme)
		_, cursor, err := accounts.Page(s, store.Query{}, "", 2)
		require.NoError(t, err)
		_, _, err = accounts.Page(s, store.Query{To: store.Text("2")}, cursor, 1)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		page, next, err := accounts.Page(tx.Sub("beta"), store.Query{}, cursor, 1)
		require.NoError(t, err)
		require.Empty(t, page)
		require.Empty(t, next)
		return nil
	}))
}

func TestTransactionIsOfItsFunctionAlone(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	put(t, db, &account{ID: "1"})
	var kept *store.Tx
	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error { kept = tx; return nil }))
	_, err := accounts.Get(kept.Sub(acme), store.Text("1"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorIs(t, kept.Emit(event(acme)), opsec.ErrInvalid)
	for _, read := range []func(context.Context, func(*store.Tx) error) error{db.View, db.Snapshot} {
		require.ErrorIs(t, read(t.Context(), func(tx *store.Tx) error { return accounts.Put(tx.Sub(acme), &account{ID: "2"}) }), opsec.ErrInvalid)
		require.ErrorIs(t, read(t.Context(), func(tx *store.Tx) error { return accounts.Delete(tx.Sub(acme), store.Text("1")) }), opsec.ErrInvalid)
		require.ErrorIs(t, read(t.Context(), func(tx *store.Tx) error { return tx.Emit(event(acme)) }), opsec.ErrInvalid)
	}
	require.Panics(t, func() {
		_ = db.Update(t.Context(), func(tx *store.Tx) error {
			require.NoError(t, accounts.Put(tx.Sub(acme), &account{ID: "2"}))
			panic("mine")
		})
	})
	_, err = get(t, db, "2")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	put(t, db, &account{ID: "1"}) // whoever panicked holds nothing
}

func TestEventsOfOthersAndTooManyAttributesAreRefused(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	emit := func(e *opsec.Event) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.Emit(e), accounts.Put(tx.Sub(acme), &account{ID: "1"}))
		})
	}
	require.ErrorIs(t, emit(event("beta")), opsec.ErrInvalid)
	require.ErrorIs(t, emit(opsec.NewEvent("no.outcome", time.Now())), opsec.ErrInvalid)
	full := event(acme)
	for i := range opsec.MaxAttrs {
		full.Attrs = append(full.Attrs, opsec.Attr{Key: fmt.Sprint(i), Mark: opsec.Public})
	}
	require.ErrorIs(t, emit(full), opsec.ErrInvalid)
	_, err := get(t, db, "1")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.NoError(t, emit(event(opsec.Provider)))
	full.Attrs = full.Attrs[1:]
	require.NoError(t, emit(full))
	require.Len(t, full.Attrs, opsec.MaxAttrs-1, "the caller's event is not changed")
}

func TestSweepDeletesWhatHasExpired(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	for i := range 250 {
		put(t, db, &account{ID: fmt.Sprint(i), Until: time.Unix(int64(i), 0)})
	}
	expired := store.Query{Index: "until", To: store.Key{}.Time(time.Unix(200, 0))}
	n, err := accounts.Sweep(t.Context(), db, acme, expired, func(s *store.Sub, a *account) error {
		if a.ID == "7" {
			return store.ErrKeep
		}
		return s.Tx().Emit(event(s.Tenant()))
	})
	require.NoError(t, err)
	require.Equal(t, 199, n)
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		left, err := accounts.Count(tx.Sub(acme), store.Query{})
		require.Equal(t, 51, left)
		return err
	}))
	mine := errors.New("mine")
	n, err = accounts.Sweep(t.Context(), db, acme, expired, func(*store.Sub, *account) error { return mine })
	require.ErrorIs(t, err, mine)
	require.Zero(t, n)
	require.Empty(t, problems(t, db, nil, accounts))
}

func TestImportTakesManyRecords(t *testing.T) {
	db := newDB(t, memory.New(), nil)
	var list []*account
	for i := range 1000 {
		list = append(list, &account{ID: fmt.Sprint(i), Login: fmt.Sprint("l", i), Role: "r", Until: time.Unix(1, 0)})
	}
	mine := errors.New("mine")
	values := func(end error) func(func(*account, error) bool) {
		return func(yield func(*account, error) bool) {
			for _, a := range list {
				if !yield(a, nil) {
					return
				}
			}
			if end != nil {
				yield(nil, end)
			}
		}
	}
	for _, end := range []error{mine, nil, nil} {
		n, err := accounts.Import(t.Context(), db, acme, values(end))
		require.ErrorIs(t, err, end)
		require.Equal(t, 1000, n)
	}
	list = append(slices.Clone(list), &account{ID: "x", Login: "l1"})
	n, err := accounts.Import(t.Context(), db, acme, values(nil))
	require.ErrorIs(t, err, store.ErrExists)
	require.Less(t, n, 1001)
	large := store.NewCollection(store.Schema[account]{Name: "large", ID: func(a *account) store.Key { return store.Text(a.ID) }})
	list = nil
	for i := range 20 {
		list = append(list, &account{ID: fmt.Sprint(i), Role: string(make([]byte, 20_000))}) // JSON makes 6 bytes of each
	}
	n, err = large.Import(t.Context(), db, acme, values(nil))
	require.NoError(t, err)
	require.Equal(t, 20, n)
	require.Empty(t, problems(t, db, nil, accounts, large))
}

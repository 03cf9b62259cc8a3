package dbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cloudopsec/opsec/store"
)

// host is a record as three programs know it: the first, a later one with a field more, and one that has renamed a
// field, and so has another version.
type (
	host struct {
		ID   string
		Used int
	}
	hostMore struct {
		ID   string
		Used int
		Seen int
	}
	hostNext struct {
		ID   string
		Uses int // was Used
		Seen int
	}
)

var (
	hosts     = store.NewCollection(store.Schema[host]{Name: "hosts", ID: func(h *host) store.Key { return store.Text(h.ID) }})
	hostsMore = store.NewCollection(store.Schema[hostMore]{Name: "hosts", ID: func(h *hostMore) store.Key { return store.Text(h.ID) }})
	hostsNext = store.NewCollection(store.Schema[hostNext]{
		Name: "hosts", ID: func(h *hostNext) store.Key { return store.Text(h.ID) },
		Upgrades: []store.Upgrade{usedToUses},
	})
)

func usedToUses(old json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(old, &fields); err != nil {
		return nil, err
	}
	fields["Uses"] = fields["Used"]
	delete(fields, "Used")
	return json.Marshal(fields)
}

// changeHost changes a record in a transaction.
func changeHost[T any](t *trial, db *store.DB, c *store.Collection[T], id string, how func(*T)) error {
	return db.Update(t.ctx, func(tx *store.Tx) error {
		h, err := c.Get(tx.Sub(acme), store.Text(id))
		if err != nil {
			return err
		}
		how(h)
		return c.Put(tx.Sub(acme), h)
	})
}

func versionChecks() []check {
	return []check{
		{"nodes of which one knows fewer fields write the same records, and lose none", func(t *trial) {
			older, newer := t.two()
			t.update(older, func(tx *store.Tx) error {
				return hosts.Insert(tx.Sub(acme), &host{ID: "0"}, &host{ID: "1"})
			})
			const callers, times = 8, 8
			t.together(callers, func(i int) (err error) {
				for n := 0; n < times && err == nil; n++ {
					id := fmt.Sprint(n % 2)
					if i%2 == 0 {
						err = changeHost(t, older, hosts, id, func(h *host) { h.Used++ })
					} else {
						err = changeHost(t, newer, hostsMore, id, func(h *hostMore) { h.Seen++ })
					}
				}
				return err
			})
			t.update(older, func(tx *store.Tx) error { return hosts.Put(tx.Sub(acme), &host{ID: "0", Used: -1}) }) // unread
			t.view(newer, func(tx *store.Tx) error {
				list, err := hostsMore.GetAll(tx.Sub(acme), store.Text("0"), store.Text("1"))
				const each = callers * times / 4
				if err == nil && (*list[0] != hostMore{"0", -1, each} || *list[1] != hostMore{"1", each, each}) {
					t.Errorf("%v and %v, want %d of each", *list[0], *list[1], each)
				}
				return err
			})
		}},
		{"a node of an older version is refused what a newer one has written, and nothing is lost", func(t *trial) {
			older, newer := t.two()
			const records, callers = 6, 6
			for i := range records {
				t.update(older, func(tx *store.Tx) error {
					return hostsMore.Insert(tx.Sub(acme), &hostMore{ID: fmt.Sprint(i), Seen: i})
				})
			}
			var used [records]atomic.Int32
			var taken [records]atomic.Bool // by the newer program
			t.together(callers, func(i int) error {
				for n := range records { // the newer program takes over one record after another
					id := fmt.Sprint(n)
					if i >= callers/2 {
						if err := changeHost(t, newer, hostsNext, id, func(h *hostNext) { h.Uses++ }); err != nil {
							return err
						}
						used[n].Add(1)
						taken[n].Store(true)
						continue
					}
					for refused := false; !refused; { // and the older one writes each until it may not any more
						late := taken[n].Load()
						err := changeHost(t, older, hosts, id, func(h *host) { h.Used++ })
						version, ok := errors.AsType[*store.VersionError](err)
						if ok && *version != (store.VersionError{Collection: "hosts", Version: 2, Known: 1}) || !ok && err != nil {
							return err
						}
						if late && !ok {
							return fmt.Errorf("host %d: the older program has written over the newer", n)
						}
						if refused = ok; !ok {
							used[n].Add(1)
						}
					}
				}
				return nil
			})
			for n := range records {
				t.is(older.Update(t.ctx, func(tx *store.Tx) error { // unread
					err := hosts.Put(tx.Sub(acme), &host{ID: fmt.Sprint(n)})
					if _, ok := errors.AsType[*store.VersionError](err); ok {
						return errRefused
					}
					return err
				}), errRefused)
			}
			t.view(newer, func(tx *store.Tx) error {
				for n := range records {
					h, err := hostsNext.Get(tx.Sub(acme), store.Text(fmt.Sprint(n)))
					if err != nil {
						return err
					}
					if want := (hostNext{fmt.Sprint(n), int(used[n].Load()), n}); *h != want {
						t.Errorf("%v, want %v", *h, want)
					}
				}
				return nil
			})
		}},
	}
}

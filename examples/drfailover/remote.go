package main

import (
	"context"
	"errors"
	"net/rpc"

	"github.com/cloudopsec/opsec/store"
)

// served is a store's engine for those who come over the network; remote is that engine to them. In earnest it is a cluster of its own, such
// as store/etcd.
type served struct{ store.Driver }

type Committed struct {
	Rev      store.Rev
	Conflict *store.ConflictError
}

func (s *served) Read(keys []string, items *[]store.Item) (err error) {
	*items, err = s.Driver.Get(context.Background(), keys...)
	return err
}

func (s *served) Page(r store.Range, items *[]store.Item) (err error) {
	*items, err = s.Driver.List(context.Background(), r)
	return err
}

func (s *served) Write(b store.Batch, c *Committed) (err error) {
	c.Rev, err = s.Driver.Commit(context.Background(), b)
	if errors.As(err, &c.Conflict) {
		return nil
	}
	return err
}

type remote struct{ *rpc.Client }

func (r remote) Get(_ context.Context, keys ...string) (items []store.Item, err error) {
	return items, r.Call("Store.Read", keys, &items)
}

func (r remote) List(_ context.Context, of store.Range) (items []store.Item, err error) {
	return items, r.Call("Store.Page", of, &items)
}

func (r remote) Commit(_ context.Context, b store.Batch) (store.Rev, error) {
	var c Committed
	if err := r.Call("Store.Write", b, &c); err != nil {
		return 0, errors.Join(store.ErrIndeterminate, err)
	}
	if c.Conflict != nil {
		return 0, c.Conflict
	}
	return c.Rev, nil
}

package treemirror

import (
	"errors"
	"os"
	"sync"
)

// durable syncs and closes files, some at a time: the system syncs many in the time of one.
type durable struct {
	slots chan struct{}
	under sync.WaitGroup
	mu    sync.Mutex
	err   error // the first
}

func newDurable() *durable { return &durable{slots: make(chan struct{}, 16)} }

// add takes the file over.
func (d *durable) add(f *os.File) {
	d.slots <- struct{}{}
	d.under.Go(func() {
		defer func() { <-d.slots }()
		err := errors.Join(f.Sync(), f.Close())
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.err == nil {
			d.err = err
		}
	})
}

// wait returns when all that was added is durable, or why it is not.
func (d *durable) wait() error {
	d.under.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

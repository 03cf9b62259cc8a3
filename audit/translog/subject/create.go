package subject

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// creation is a subject that is being made.
type creation struct {
	who     who
	subject entry.Subject
	handle  entry.Handle
	secret  []byte

	done chan struct{} // closed when key or err is there
	key  *key
	err  error
}

// enqueue puts a new subject in the queue, unless it stands there. The caller holds f.mu.
func (f *File) enqueue(w who, s entry.Subject) *creation {
	c := f.pending[w]
	if c == nil {
		c = &creation{who: w, subject: s, done: make(chan struct{})}
		f.pending[w] = c
		f.queue = append(f.queue, c)
	}
	return c
}

// wait returns when the subject has been made. Whoever waits first writes for all who stand in the queue by then.
func (f *File) wait(ctx context.Context, c *creation) (*key, error) {
	for {
		select {
		case <-c.done:
			return c.key, c.err
		default:
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("subject: %w", ctx.Err())
		case f.turn <- struct{}{}:
			func() {
				defer func() { <-f.turn }()
				f.write()
			}()
		}
	}
}

// write makes all subjects in the queue. The caller has the turn.
func (f *File) write() {
	f.mu.Lock()
	batch, first := f.queue, uint32(len(f.slots))
	f.queue = nil
	err := f.broken
	if f.closed {
		err = errClosed()
	}
	f.mu.Unlock()

	defer func() { // also when master panics
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range batch {
			if c.key == nil && c.err == nil {
				c.err = errors.New("subject: not made")
			}
			clear(c.secret)
			delete(f.pending, c.who)
			close(c.done)
		}
	}()
	var made []*creation
	var bytes []byte
	for _, c := range batch {
		if c.err = err; err == nil {
			bytes, c.err = f.wrap(bytes, c, first, first+uint32(len(made)))
		}
		if c.err == nil {
			made = append(made, c)
		}
	}
	if len(made) == 0 {
		return
	}
	err = f.put(bytes, place(first))
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range made {
		if c.err = err; err == nil {
			c.key = f.publish(c, first+uint32(i))
		}
	}
}

// wrap appends the slot of a new subject.
func (f *File) wrap(b []byte, c *creation, batch, at uint32) ([]byte, error) {
	c.secret = make([]byte, secretLen)
	rand.Read(c.secret)
	rand.Read(c.handle[:])
	plain := appendNames(append(make([]byte, 0, slotLen), c.secret...), c.subject, f.spare)
	plain = append(plain, make([]byte, max(0, secretLen+min(padTo, f.spare/2)-len(plain)))...)
	defer clear(plain)
	wrapped, err := f.master.Encrypt(plain, f.data(c.handle, c.who))
	if err != nil {
		return b, fmt.Errorf("subject: master key: %w", err)
	}
	if len(wrapped) > maxWrapped {
		return b, fmt.Errorf("subject: master key: %d bytes of ciphertext, want at most %d", len(wrapped), maxWrapped)
	}
	return appendSlot(b, batch, at, c.handle, c.who, wrapped), nil
}

// put writes new slots at the end. If they do not go in, the file is as long as before.
func (f *File) put(slots []byte, at int64) error {
	_, err := f.disk.WriteAt(slots, at)
	if err != nil {
		err = errors.Join(err, f.disk.Truncate(at))
	} else if err = f.disk.Sync(); err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.broken = err // what is on disk nobody knows any more
	}
	if err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	return nil
}

// publish makes a new key known. The caller holds f.mu.
func (f *File) publish(c *creation, at uint32) *key {
	f.add(slot{handle: c.handle, who: c.who, state: stateLive})
	k := newKey(f, at, c.handle, c.secret)
	f.keep(k, &c.subject)
	return k
}

// add takes up the slot after the last one. The caller holds f.mu.
func (f *File) add(s slot) {
	at := uint32(len(f.slots))
	if (s.who.account != tag{}) {
		s.accounts = f.accounts[s.who.account]
		f.accounts[s.who.account] = at + 1
	}
	if (s.who.person != tag{}) {
		s.persons = f.persons[s.who.person]
		f.persons[s.who.person] = at + 1
	}
	if (s.handle != entry.Handle{}) {
		f.handles[s.handle] = at
	}
	f.slots = append(f.slots, s)
}

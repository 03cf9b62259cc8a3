package subject

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// Subject implements entry.Keys. Callers that meet share one write. When ctx ends while a subject is being made, it may
// still be.
func (f *File) Subject(ctx context.Context, s entry.Subject) (entry.Handle, entry.Key, error) {
	f.mu.RLock()
	k := f.known[s]
	f.mu.RUnlock()
	if k == nil {
		var err error
		if k, err = f.lookUp(ctx, s); err != nil {
			return entry.Handle{}, nil, err
		}
	}
	return k.handle, k, nil
}

// lookUp finds the subject's key, or has it made.
func (f *File) lookUp(ctx context.Context, s entry.Subject) (*key, error) {
	if s.Tenant == "" {
		return nil, fmt.Errorf("subject: no tenant: %w", opsec.ErrInvalid)
	}
	s.Tenant = opsec.TenantID(strings.Clone(string(s.Tenant))) // the names may be parts of something large
	s.Account, s.Person = strings.Clone(s.Account), strings.Clone(s.Person)
	w := f.whoIs(s)
	for {
		f.mu.Lock()
		i, found := f.find(w)
		if !found {
			c := f.enqueue(w, s)
			f.mu.Unlock()
			return f.wait(ctx, c)
		}
		f.mu.Unlock()
		k, err := f.unwrap(i, &s)
		if errors.Is(err, entry.ErrErased) {
			continue // just now
		}
		return k, err
	}
}

// find returns the slot of a subject. The caller holds f.mu.
func (f *File) find(w who) (slot uint32, found bool) {
	for i := range f.chain(w) {
		if f.slots[i].who == w {
			return i, true
		}
	}
	return 0, false
}

// chain yields the slots that are not erased of an account, or of all accounts of a person when w has none. The caller
// holds f.mu.
func (f *File) chain(w who) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		byAccount := w.account != tag{}
		n := f.persons[w.person]
		if byAccount {
			n = f.accounts[w.account]
		}
		for n != 0 {
			s := &f.slots[n-1]
			if s.state == stateLive && !yield(n-1) {
				return
			}
			if n = s.persons; byAccount {
				n = s.accounts
			}
		}
	}
}

// whoIs returns the tags of a subject.
func (f *File) whoIs(s entry.Subject) (w who) {
	tenant := append(binary.AppendUvarint(nil, uint64(len(s.Tenant))), s.Tenant...)
	tenant = slices.Clip(tenant)
	switch {
	case s.Account != "":
		w.account = f.tags.sum('a', append(tenant, s.Account...))
	case s.Person == "":
		w.account = f.tags.sum('t', tenant)
	}
	if s.Person != "" {
		w.person = f.tags.sum('p', append(tenant, s.Person...))
	}
	return w
}

// Key implements entry.Keys.
func (f *File) Key(_ context.Context, h entry.Handle) (entry.Key, error) {
	f.mu.RLock()
	i, found := f.handles[h]
	k := f.open[i]
	closed := f.closed
	f.mu.RUnlock()
	switch {
	case closed:
		return nil, errClosed()
	case !found:
		return nil, fmt.Errorf("subject: key of %s: %w", h, opsec.ErrNotFound)
	case k != nil:
		return k, nil
	}
	k, err := f.unwrap(i, nil)
	if err != nil {
		return nil, err // not a nil *key in an interface
	}
	return k, nil
}

// unwrap returns the key in a slot, and keeps it at hand: that of the subject s, if s is known.
func (f *File) unwrap(i uint32, s *entry.Subject) (*key, error) {
	handle, secret, _, err := f.read(i)
	if err != nil {
		return nil, err
	}
	k := newKey(f, i, handle, secret)
	clear(secret)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(i); err != nil {
		return nil, err // erased meanwhile
	}
	f.keep(k, s)
	return k, nil
}

// keep keeps a key at hand. The caller holds f.mu, and has seen that the key is not erased.
func (f *File) keep(k *key, s *entry.Subject) {
	makeRoom(f.open, f.cache)
	f.open[k.slot] = k
	if s != nil {
		makeRoom(f.known, f.cache)
		f.known[*s] = k
	}
}

// makeRoom drops one of m when it is full.
func makeRoom[K comparable](m map[K]*key, bound int) {
	if len(m) < bound {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}

// usable returns nil for a key that may be used.
func (f *File) usable(i uint32) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.check(i)
}

// check is usable for a caller who holds f.mu.
func (f *File) check(i uint32) error {
	switch s := &f.slots[i]; {
	case f.closed:
		return errClosed()
	case s.state == stateErased:
		return fmt.Errorf("subject: key of %s: %w", s.handle, entry.ErrErased)
	case s.state != stateLive:
		return fmt.Errorf("subject: key of %s: %w", s.handle, ErrDamaged)
	}
	return nil
}

// Find implements entry.Keys. The subjects made last come first.
func (f *File) Find(_ context.Context, s entry.Subject) ([]entry.Handle, error) {
	if s.Tenant == "" {
		return nil, fmt.Errorf("subject: no tenant: %w", opsec.ErrInvalid)
	}
	w := f.whoIs(s)
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return nil, errClosed()
	}
	var found []uint32
	for i := range f.chain(w) {
		if (w.person == tag{}) || f.slots[i].who.person == w.person {
			found = append(found, i)
		}
	}
	if w.account == (tag{}) {
		for _, i := range found {
			if n, ok := f.unnamed(f.slots[i].who); ok {
				found = append(found, n)
			}
		}
		slices.SortFunc(found, func(i, j uint32) int { return cmp.Compare(j, i) })
	}
	var list []entry.Handle
	for _, i := range found {
		list = append(list, f.slots[i].handle)
	}
	return list, nil
}

// unnamed returns the slot of what was said of a person's account without naming a person, unless somebody else has the
// account too. The caller holds f.mu.
func (f *File) unnamed(w who) (slot uint32, found bool) {
	for i := range f.chain(who{account: w.account}) {
		switch f.slots[i].who.person {
		case tag{}:
			slot, found = i, true
		case w.person:
		default:
			return 0, false
		}
	}
	return slot, found
}

// Erase implements entry.Keys: it overwrites keys in their place with zeros. Two fsyncs make it durable, the first of
// which is the point of no return. After an error the keys cannot be used any more in this process, nor can anything be
// written; when the file is opened again, each of them is either erased or there.
func (f *File) Erase(ctx context.Context, handles ...entry.Handle) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("subject: %w", ctx.Err())
	case f.turn <- struct{}{}:
	}
	defer func() { <-f.turn }()
	slots, err := f.condemn(handles)
	if err != nil || len(slots) == 0 {
		return err
	}
	if err := f.overwrite(slots); err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.broken = err
		return fmt.Errorf("subject: erasing: %w", err)
	}
	return nil
}

// condemn makes keys unusable, all or none, and returns their slots.
func (f *File) condemn(handles []entry.Handle) ([]uint32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errClosed()
	}
	if f.broken != nil {
		return nil, fmt.Errorf("subject: broken: %w", f.broken)
	}
	var slots []uint32
	for _, h := range handles {
		i, found := f.handles[h]
		if !found {
			return nil, fmt.Errorf("subject: key of %s: %w", h, opsec.ErrNotFound)
		}
		slots = append(slots, i)
	}
	for _, i := range slots {
		f.slots[i].state = stateErased
		delete(f.open, i)
	}
	maps.DeleteFunc(f.known, func(_ entry.Subject, k *key) bool { return f.slots[k.slot].state == stateErased })
	return slots, nil
}

// overwrite destroys what is in slots. A single byte cannot be half written, and a slot whose first byte says that it
// is erased is erased to the end when the file is opened.
func (f *File) overwrite(slots []uint32) error {
	for _, i := range slots {
		if _, err := f.disk.WriteAt([]byte{stateErased}, place(i)); err != nil {
			return err
		}
	}
	if err := f.disk.Sync(); err != nil {
		return err
	}
	var zeros [slotLen - bodyAt]byte
	for _, i := range slots {
		if _, err := f.disk.WriteAt(zeros[:], place(i)+bodyAt); err != nil {
			return err
		}
	}
	return f.disk.Sync()
}

func errClosed() error { return fmt.Errorf("subject: %w", os.ErrClosed) }

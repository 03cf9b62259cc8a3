package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
)

// record is the document of a key.
type record struct {
	Key     keymgmt.Key     `json:"key"`
	Events  []keymgmt.Event `json:"events"`
	Wrapped []byte          `json:"wrapped,omitempty"`
	Backups int             `json:"backups,omitempty"` // generations of backup that were before it, and do not hold it
	// Beats of the nodes that there were after its destruction was scheduled; nil as long as they have not been taken.
	Beats map[string]beat `json:"beats"`
}

// came reports whether there has ever been material.
func (r *record) came() bool { return r.Key.Imported || r.Events[0].Verb == keymgmt.Generate }

func setName(id keymgmt.SetID) string           { return "set/" + id.ID }
func keyName(ref keymgmt.Ref) string            { return fmt.Sprintf("key/%s/%08x", ref.Set.ID, ref.Key) }
func usageName(ref keymgmt.Ref) string          { return fmt.Sprintf("usage/%s/%08x", ref.Set.ID, ref.Key) }
func tombName(ref keymgmt.Ref) string           { return fmt.Sprintf("tombstone/%s/%08x", ref.Set.ID, ref.Key) }
func backupName(id keymgmt.SetID, n int) string { return fmt.Sprintf("backup/%s/%08x", id.ID, n) }

// parse reads a document, and reports whether there is one.
func parse(data []byte, v any, name string) (bool, error) {
	if data == nil {
		return false, nil
	}
	if err := decode(data, v, keymgmt.MaxDocument); err != nil {
		return false, fmt.Errorf("lifecycle: document %s: %w", name, err)
	}
	return true, nil
}

func parseSet(id keymgmt.SetID, data []byte) (s keymgmt.Keyset, err error) {
	there, err := parse(data, &s, setName(id))
	switch {
	case err != nil:
	case !there:
		err = fmt.Errorf("lifecycle: keyset %s: %w", id, opsec.ErrNotFound)
	case s.SetID != id:
		err = invalid("document %s is of another keyset", setName(id))
	case s.Keys < 0 || s.Backups < 0:
		err = invalid("document %s: %d keys, %d backups", setName(id), s.Keys, s.Backups)
	default:
		err = s.Roles.Validate() // who has two roles has the one that a map happens to yield
	}
	return s, err
}

// remembered is the keyset that was read last, whose document is likely to be read again. What it refers to is shared by those who
// read it, and so never changed, nor handed out.
type remembered struct {
	mu   sync.Mutex
	data []byte
	set  keymgmt.Keyset
}

func (m *Manager) parseSet(id keymgmt.SetID, data []byte) (keymgmt.Keyset, error) {
	m.last.mu.Lock()
	defer m.last.mu.Unlock()
	if data != nil && bytes.Equal(data, m.last.data) && m.last.set.SetID == id {
		return m.last.set, nil
	}
	s, err := parseSet(id, data)
	if err == nil {
		m.last.data, m.last.set = bytes.Clone(data), s
	}
	return s, err
}

func (m *Manager) remember(data []byte, s keymgmt.Keyset) {
	m.last.mu.Lock()
	defer m.last.mu.Unlock()
	m.last.data, m.last.set = bytes.Clone(data), s
}

// parseKey reads the record of a key, and refuses one that its events could not have made.
func parseKey(ref keymgmt.Ref, data []byte) (*record, error) {
	r := new(record)
	there, err := parse(data, r, keyName(ref))
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("lifecycle: key %s: %w", ref, opsec.ErrNotFound)
	}
	return r, r.verify(ref)
}

func (r *record) verify(ref keymgmt.Ref) error {
	k, err := keymgmt.Replay(ref, r.Events)
	if err != nil {
		return err
	}
	if !k.Equal(r.Key) {
		return invalid("key %s: its record is not what its events make", ref)
	}
	return nil
}

// step is one run of an update: what it has read, and what it is to write.
type step struct {
	m     *Manager
	read  keymgmt.Read
	by    By
	order Order
	now   time.Time

	set   keymgmt.Keyset
	keys  map[uint32]*record // those that have changed
	put   keymgmt.Changes    // beside keyset and keys
	spent *approval.Case     // the consent that it uses up
	event *opsec.Event
}

// guard lets body take a step that the Authorizer permits, and records the attempt when it, or body, refuses.
func (m *Manager) guard(ctx context.Context, by By, o Order, body func() error) error {
	if err := errors.Join(by.validate(o.Verb), o.validate()); err != nil {
		return err
	}
	err := m.o.Authorizer.Authorize(ctx, by.Actor, o.action(), o.Resource())
	if err != nil {
		err = fmt.Errorf("lifecycle: %s of %s: %w", o.Verb, o.Set, err)
	} else {
		err = body()
	}
	if !errors.Is(err, opsec.ErrDenied) {
		return err
	}
	e := event(by, o, m.o.Now())
	e.Outcome, e.Attrs = opsec.Denied, append(e.Attrs, opsec.Attr{Key: "refused", Value: err.Error(), Mark: opsec.Tenant})
	if unrecorded := m.note(ctx, o.Set.Tenant, e); unrecorded != nil {
		err = errors.Join(err, fmt.Errorf("lifecycle: the attempt is not recorded: %w", unrecorded))
	}
	return err
}

// note records an event alone.
func (m *Manager) note(ctx context.Context, tenant opsec.TenantID, e *opsec.Event) error {
	return m.repo.Update(ctx, tenant, func(keymgmt.Read) (keymgmt.Changes, error) { return keymgmt.Changes{Events: []*opsec.Event{e}}, nil })
}

// commit loads the keyset of an order, checks role and consent, lets fn decide, and writes all that has changed with the
// event, in one update.
func (m *Manager) commit(ctx context.Context, by By, o Order, fn func(*step) error) (s *step, err error) {
	err = m.repo.Update(ctx, o.Set.Tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		s = &step{m: m, read: read, by: by, order: o, now: instant(m.o.Now()), keys: map[uint32]*record{}}
		s.event = event(by, o, s.now)
		if err := s.open(); err != nil {
			return keymgmt.Changes{}, err
		}
		if err := fn(s); err != nil {
			return keymgmt.Changes{}, err
		}
		return s.changes()
	})
	return s, err
}

// look is commit without anything written: to find out, before something is done outside, whether it would be refused.
func (m *Manager) look(ctx context.Context, by By, o Order, fn func(*step) error) error {
	_, err := m.commit(ctx, by, o, func(s *step) error {
		if err := fn(s); err != nil {
			return err
		}
		return errLooked
	})
	if errors.Is(err, errLooked) {
		return nil
	}
	return err
}

var errLooked = errors.New("lifecycle: looked")

// take is guard and commit.
func (m *Manager) take(ctx context.Context, by By, o Order, fn func(*step) error) (s *step, err error) {
	err = m.guard(ctx, by, o, func() error {
		s, err = m.commit(ctx, by, o, fn)
		return err
	})
	return s, err
}

func (s *step) open() error {
	docs, err := s.read(setName(s.order.Set))
	if err != nil {
		return err
	}
	if s.order.fresh != nil {
		if docs[0] != nil {
			return fmt.Errorf("lifecycle: keyset %s: %w", s.order.Set, keymgmt.ErrExists)
		}
		s.set = *s.order.fresh
	} else if s.set, err = s.m.parseSet(s.order.Set, docs[0]); err != nil {
		return err
	}
	if err := may(s.set.Roles, s.by.Actor, s.order.Verb); err != nil {
		return err
	}
	return s.consent()
}

// key returns the record of a key, as this step has made it.
func (s *step) key(id uint32) (*record, error) {
	if r := s.keys[id]; r != nil {
		return r, nil
	}
	ref := keymgmt.Ref{Set: s.order.Set, Key: id}
	docs, err := s.read(keyName(ref), tombName(ref))
	if err != nil {
		return nil, err
	}
	r, err := parseKey(ref, docs[0])
	if err == nil {
		err = gone(docs[1] != nil && !r.Key.State.Final() && r.Key.State != keymgmt.DestroyFailed, ref)
	}
	return r, err
}

// take lets an event happen to a key.
func (r *record) take(e keymgmt.Event, now time.Time) error {
	key, _, err := keymgmt.Apply(r.Key, e, now)
	if err != nil {
		return err
	}
	e.Time = key.Changed
	r.Key, r.Events = key, append(r.Events, e)
	return nil
}

// apply is take, by who takes the step. A key that protects no more is no primary; one that comes to protect is, and the one
// that was is deactivated in the same commit: there is never more than one.
func (s *step) apply(r *record, e keymgmt.Event) error {
	e.By, e.Reason = keymgmt.Person(s.by.Actor), s.by.Reason
	if s.spent != nil {
		e.Approval = s.spent.Request.ID
	}
	protected := protects(r.Key)
	if err := r.take(e, s.now); err != nil {
		return err
	}
	key := r.Key
	s.keys[key.Ref.Key] = r
	if key.State != keymgmt.DestroyScheduled && key.State != keymgmt.DestroyFailed {
		r.Beats = nil
	}
	switch primary := s.set.Primary; {
	case protects(key) == protected:
	case protected:
		if primary == key.Ref.Key {
			s.set.Primary = 0
		}
	case primary == 0:
		s.set.Primary = key.Ref.Key
	case e.Verb == keymgmt.Activate || e.Verb == keymgmt.Link:
		old, err := s.key(primary)
		if err != nil {
			return err
		}
		if err := s.apply(old, keymgmt.Event{Verb: keymgmt.Deactivate}); err != nil {
			return err
		}
		s.set.Primary = key.Ref.Key
	default: // resumed, or its destruction cancelled, and another has taken over meanwhile
		return s.apply(r, keymgmt.Event{Verb: keymgmt.Deactivate})
	}
	return nil
}

func protects(k keymgmt.Key) bool { return k.State.Allows(keymgmt.Protect) }

// add makes the record of a new key.
func (s *step) add(id uint32, e keymgmt.Event, wrapped []byte) (*record, error) {
	ref := keymgmt.Ref{Set: s.order.Set, Key: id}
	docs, err := s.read(keyName(ref), tombName(ref))
	if err != nil {
		return nil, err
	}
	if docs[0] != nil || docs[1] != nil {
		return nil, fmt.Errorf("lifecycle: key %s: %w", ref, keymgmt.ErrExists)
	}
	if err := s.set.Policy.Permits(e.Algorithm, s.set.Purpose); err != nil {
		return nil, err
	}
	r := &record{Key: keymgmt.Key{Ref: ref}, Wrapped: wrapped, Backups: s.set.Backups}
	e.Previous = s.set.Latest
	if err := s.apply(r, e); err != nil {
		return nil, err
	}
	s.set.Latest = id
	s.set.Keys++
	return r, nil
}

// changes are what the step writes.
func (s *step) changes() (keymgmt.Changes, error) {
	s.set.Generation++
	out := s.put
	if err := add(&out, setName(s.set.SetID), s.set); err != nil {
		return out, err
	}
	if s.order.Key != 0 || s.order.Verb == keymgmt.Rotate || s.order.Verb == keymgmt.Generate { // nothing in it is a caller's
		s.m.remember(out.Put[len(out.Put)-1].Data, s.set)
	}
	for id, r := range maps.All(s.keys) {
		if err := add(&out, keyName(keymgmt.Ref{Set: s.set.SetID, Key: id}), r); err != nil {
			return out, err
		}
	}
	out.Events = append(out.Events, s.event)
	return out, nil
}

func add(c *keymgmt.Changes, name string, v any) error {
	b, err := json.Marshal(v)
	c.Put = append(c.Put, keymgmt.Document{Name: name, Data: b})
	return err
}

func (s *step) attr(key string, value any) {
	s.event.Attrs = append(s.event.Attrs, opsec.Attr{Key: key, Value: fmt.Sprint(value), Mark: opsec.Tenant})
}

func event(by By, o Order, now time.Time) *opsec.Event {
	e := opsec.NewEvent(o.action(), now)
	e.Tenant, e.Class, e.Actor, e.Resource, e.Reason = o.Set.Tenant, opsec.Critical, by.Actor, o.Resource(), by.Reason
	e.Outcome = opsec.Success
	if by.Approval != "" {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "approval", Value: string(by.Approval), Mark: opsec.Tenant})
	}
	return e
}

// end records how an effect outside has ended whose intent is the event of a step.
func (m *Manager) end(ctx context.Context, intent *opsec.Event, failure error, attrs ...opsec.Attr) error {
	e := *intent
	e.ID, e.Intent, e.Began, e.Time = opsec.NewID(), intent.ID, intent.Time, instant(m.o.Now())
	if e.Time.Before(e.Began) {
		e.Time = e.Began
	}
	e.Outcome, e.Attrs = opsec.OutcomeOf(failure), append(append([]opsec.Attr(nil), intent.Attrs...), attrs...)
	return m.note(ctx, e.Tenant, &e)
}

package credential

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Record is what is kept of one account's password. The zero Record is that of an account that has none.
type Record struct {
	Present    Hash      `json:"present,omitzero"`
	History    []Hash    `json:"history,omitempty"` // those before, the last one first
	Changed    time.Time `json:"changed,omitzero"`  // when the present password was set
	MustChange bool      `json:"must_change,omitempty"`
	Until      time.Time `json:"until,omitzero"`      // of one that was issued: no longer
	Version    uint64    `json:"version,omitempty"`   // one more with every hash
	Passwords  uint64    `json:"passwords,omitempty"` // one more with every password
	Reset      *Reset    `json:"reset,omitempty"`     // the one that is outstanding
	Asked      []int64   `json:"asked,omitempty"`     // when resets were begun, in Unix seconds, as far as the policy looks back
	Reminded   time.Time `json:"reminded,omitzero"`   // of the update cycle, since the password was set
	Owed       *Owed     `json:"owed,omitempty"`      // what a change has still to do
}

// Hash is one hash of a password.
type Hash struct {
	Text string `json:"text,omitempty"`
	Raw  bool   `json:"raw,omitempty"` // over the bytes as they are typed, as another system had it
}

// Reset is a reset under way.
type Reset struct {
	Digest  []byte    `json:"digest"` // SHA-256 of the token
	Expires time.Time `json:"expires"`
}

// Owed is what is done outside the store, when a password is another one.
type Owed struct {
	Sessions string `json:"sessions,omitempty"` // end them, for this reason
	Locks    bool   `json:"locks,omitempty"`    // clear them
}

// Format implements [fmt.Formatter]: nothing of the hashes, under every verb.
func (r Record) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "password, version %d, changed %s", r.Version, r.Changed.Format(time.RFC3339))
}

// LogValue implements [slog.LogValuer] by Format.
func (r Record) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// Format implements [fmt.Formatter]: nothing of it, under every verb.
func (Hash) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[hash]") }

// LogValue implements [slog.LogValuer] by Format.
func (h Hash) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(h)) }

func (r Record) clone() Record {
	r.History, r.Asked = slices.Clone(r.History), slices.Clone(r.Asked)
	if r.Reset != nil {
		r.Reset = &Reset{slices.Clone(r.Reset.Digest), r.Reset.Expires}
	}
	if r.Owed != nil {
		r.Owed = new(*r.Owed)
	}
	return r
}

// Records keeps a [Record] for each account.
type Records interface {
	// Update calls fn with the record of an account, the zero Record when there is none, and keeps what it returns together with
	// its events, or neither. Nothing has changed in between. An error of fn is returned and nothing kept; so is
	// [ErrUnchanged], which Update returns too. Fn may be called several times.
	Update(ctx context.Context, tenant opsec.TenantID, account string, fn func(Record) (Record, []*opsec.Event, error)) error
}

// Memory is [Records] in the memory of this process: for tests and scripts. It hands events to its recorder before it keeps what
// they record.
type Memory struct {
	recorder opsec.Recorder

	mu   sync.Mutex
	kept map[memoryKey]Record
}

type memoryKey struct {
	tenant  opsec.TenantID
	account string
}

// NewMemory returns an empty Memory. A nil recorder records nothing: for tests.
func NewMemory(r opsec.Recorder) *Memory {
	return &Memory{recorder: r, kept: map[memoryKey]Record{}}
}

// Update implements [Records].
func (m *Memory) Update(ctx context.Context, tenant opsec.TenantID, account string, fn func(Record) (Record, []*opsec.Event, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := memoryKey{tenant, account}
	r, events, err := fn(m.kept[key].clone())
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			return err
		}
		if m.recorder != nil {
			if _, err := m.recorder.Record(ctx, e); err != nil {
				return err
			}
		}
	}
	m.kept[key] = r.clone()
	return nil
}

// StoredOptions is the wiring of [Stored].
type StoredOptions struct {
	// Changed is called in the transaction in which an account gets another hash, such as to append it to the outbox of package
	// replica. Its error undoes the change. A record with Until is of a password that was issued: not for others to log in by.
	Changed func(s *store.Sub, account string, r Record) error
}

type shelved struct {
	db      *store.DB
	changed func(s *store.Sub, account string, r Record) error
}

// document is a record of the store.
type document struct {
	Account string `json:"account"`
	Record  Record `json:"record"`
}

var documents = store.NewCollection(store.Schema[document]{
	Name: "identity/passwords",
	ID:   func(d *document) store.Key { return store.Text(d.Account) },
})

// Stored returns [Records] in db, which should be sealed: it keeps hashes, and a seal binds each to its account. Names of accounts
// are keys, readable also in a sealed store; use ids.
func Stored(db *store.DB, o *StoredOptions) Records {
	s := &shelved{db: db}
	if o != nil {
		s.changed = o.Changed
	}
	return s
}

// Parts returns the collections that [Stored] keeps, for [store.DB.Check].
func Parts() []store.Part { return []store.Part{documents} }

// Update implements [Records].
func (s *shelved) Update(ctx context.Context, tenant opsec.TenantID, account string, fn func(Record) (Record, []*opsec.Event, error)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(tenant)
		found, err := documents.GetAll(sub, store.Text(account))
		if err != nil {
			return err
		}
		var before Record
		if found[0] != nil {
			before = found[0].Record
		}
		r, events, err := fn(before.clone())
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := tx.Emit(e); err != nil {
				return err
			}
		}
		if err := documents.Put(sub, &document{account, r}); err != nil {
			return err
		}
		if s.changed == nil || r.Version == before.Version {
			return nil
		}
		return s.changed(sub, account, r.clone())
	})
}

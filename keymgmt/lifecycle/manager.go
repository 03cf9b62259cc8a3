package lifecycle

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Options is the wiring of a [Manager].
type Options struct {
	Now        func() time.Time // nil is time.Now
	Authorizer opsec.Authorizer // has a say in every step, beside the roles of the keyset, but not in decisions about a case; [opsec.CallerAuthorized] permits all

	Keys   approval.Verifier                   // checks the signatures of those who consent
	Groups func(opsec.Actor) ([]string, error) // roles beside those of the keyset that a quorum may ask for; may be nil

	Escrow       keymgmt.Custodian // what backups are wrapped with; nil for no backups
	EscrowHandle string            // its key-encryption key; "" is "escrow"

	Receipts   keymgmt.Receipts     // makes evidence of destructions; nil for none
	Tombstones []keymgmt.Tombstones // are asked beside the repository's own
	Copies     []keymgmt.Copies     // know of copies of keys beside the repository's own
	Dependents []keymgmt.Dependents // know what depends on a key beside the backups

	InsecureUnsealed bool // takes a repository that does not say that it is sealed
}

// Manager leads keys through their lives. Every step is authorised, by the roles of the keyset, by the Authorizer and by the
// quorum that the policy asks for, and recorded, as are attempts that are refused. A step that fails has changed nothing. Of
// what it knows, another Manager over the same repository knows all, but for how long a node has been silent. All methods may
// be called by many goroutines.
type Manager struct {
	repo      keymgmt.Repository
	material  keymgmt.Material
	custodian keymgmt.Custodian
	o         Options

	last remembered

	mu     sync.Mutex
	sights map[string]sight
}

// New returns a Manager. The repository must be [keymgmt.Sealed], and there must be an Authorizer; otherwise the error wraps
// [opsec.ErrInvalid].
func New(repo keymgmt.Repository, material keymgmt.Material, custodian keymgmt.Custodian, o *Options) (*Manager, error) {
	if repo == nil || material == nil || custodian == nil || o == nil || o.Authorizer == nil {
		return nil, invalid("repository, material, custodian, options, authorizer: one is nil")
	}
	if s, ok := repo.(keymgmt.Sealed); !o.InsecureUnsealed && (!ok || !s.Sealed()) {
		return nil, invalid("repository: is not sealed")
	}
	m := &Manager{repo: repo, material: material, custodian: custodian, o: *o, sights: map[string]sight{}}
	if m.o.Now == nil {
		m.o.Now = time.Now
	}
	if m.o.EscrowHandle == "" {
		m.o.EscrowHandle = "escrow"
	}
	return m, nil
}

// documents reads some documents as they are at one point in time.
func (m *Manager) documents(ctx context.Context, tenant opsec.TenantID, names ...string) (list [][]byte, err error) {
	err = m.repo.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		list, err = read(names...)
		return keymgmt.Changes{}, err
	})
	return list, err
}

// Keyset returns a keyset, or an error that wraps [opsec.ErrNotFound].
func (m *Manager) Keyset(ctx context.Context, id keymgmt.SetID) (keymgmt.Keyset, error) {
	if err := id.Validate(); err != nil {
		return keymgmt.Keyset{}, err
	}
	docs, err := m.documents(ctx, id.Tenant, setName(id))
	if err != nil {
		return keymgmt.Keyset{}, err
	}
	return parseSet(id, docs[0])
}

func (m *Manager) record(ctx context.Context, ref keymgmt.Ref) (*record, error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	docs, err := m.documents(ctx, ref.Set.Tenant, keyName(ref))
	if err != nil {
		return nil, err
	}
	return parseKey(ref, docs[0])
}

// Key returns a key, or an error that wraps [opsec.ErrNotFound].
func (m *Manager) Key(ctx context.Context, ref keymgmt.Ref) (keymgmt.Key, error) {
	r, err := m.record(ctx, ref)
	if err != nil {
		return keymgmt.Key{}, err
	}
	return r.Key, nil
}

// History returns what has happened to a key, in order.
func (m *Manager) History(ctx context.Context, ref keymgmt.Ref) ([]keymgmt.Event, error) {
	r, err := m.record(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.Events, nil
}

// Keys yields the keys of a keyset, the newest first, one read each.
func (m *Manager) Keys(ctx context.Context, id keymgmt.SetID) iter.Seq2[keymgmt.Key, error] {
	return func(yield func(keymgmt.Key, error) bool) {
		for r, err := range m.records(ctx, id) {
			if err != nil {
				yield(keymgmt.Key{}, err)
				return
			}
			if !yield(r.Key, nil) {
				return
			}
		}
	}
}

// records yields the records of a keyset, the newest first. A chain that is longer than the keyset says is refused, so that
// one which has been bent into a circle ends.
func (m *Manager) records(ctx context.Context, id keymgmt.SetID) iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		s, err := m.Keyset(ctx, id)
		if err != nil {
			yield(nil, err)
			return
		}
		for n, key := 0, s.Latest; key != 0; n++ {
			if n >= s.Keys {
				yield(nil, invalid("keyset %s: more than its %d keys follow each other", id, s.Keys))
				return
			}
			r, err := m.record(ctx, keymgmt.Ref{Set: id, Key: key})
			if err != nil {
				yield(nil, fmt.Errorf("lifecycle: keyset %s: key %d of %d: %w", id, s.Keys-n, s.Keys, err))
				return
			}
			if !yield(r, nil) {
				return
			}
			key = r.Key.Previous
		}
	}
}

// List yields the keysets of a tenant with ids above after, in order. The repository must be a [keymgmt.Lister].
func (m *Manager) List(ctx context.Context, tenant opsec.TenantID, after string) iter.Seq2[keymgmt.Keyset, error] {
	return func(yield func(keymgmt.Keyset, error) bool) {
		lister, ok := m.repo.(keymgmt.Lister)
		if !ok {
			yield(keymgmt.Keyset{}, invalid("repository: cannot list"))
			return
		}
		for d, err := range lister.List(ctx, tenant, "set/", "set/"+after) {
			s := keymgmt.Keyset{}
			if err == nil {
				s, err = parseSet(keymgmt.SetID{Tenant: tenant, ID: strings.TrimPrefix(d.Name, "set/")}, d.Data)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

package keymgmt

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// The actions of the events of a [Manager]: "keymgmt." and the verb. What is refused has the same action, and the outcome
// Denied. They belong to the tenant of the keyset; the last three, to the provider.
const (
	ActionCreate        = "keymgmt." + string(Create)
	ActionUpdate        = "keymgmt." + string(Update)
	ActionGrant         = "keymgmt." + string(Grant)
	ActionRetire        = "keymgmt." + string(Retire)
	ActionGenerate      = "keymgmt." + string(Generate)
	ActionRotate        = "keymgmt." + string(Rotate)
	ActionExpect        = "keymgmt." + string(Expect)
	ActionImport        = "keymgmt." + string(Import)
	ActionLink          = "keymgmt." + string(Link)
	ActionActivate      = "keymgmt." + string(Activate)
	ActionSuspend       = "keymgmt." + string(Suspend)
	ActionResume        = "keymgmt." + string(Resume)
	ActionDeactivate    = "keymgmt." + string(Deactivate)
	ActionChangePeriods = "keymgmt." + string(ChangePeriods)
	ActionCompromise    = "keymgmt." + string(Compromise)
	ActionCount         = "keymgmt." + string(Count)
	ActionSchedule      = "keymgmt." + string(Schedule)
	ActionCancel        = "keymgmt." + string(Cancel)
	ActionDestroy       = "keymgmt." + string(Destroy)
	ActionForceDestroy  = "keymgmt." + string(ForceDestroy)
	ActionUnlink        = "keymgmt." + string(Unlink)
	ActionFail          = "keymgmt." + string(Fail) // a check after a destruction has failed
	ActionBackUp        = "keymgmt." + string(BackUp)
	ActionRecover       = "keymgmt." + string(Recover)
	ActionExport        = "keymgmt." + string(Reveal)
	ActionJoin          = "keymgmt.join"
	ActionLeave         = "keymgmt.leave"
	ActionFence         = "keymgmt.fence" // a node has been silent for longer than its fence
)

// By is who takes a step, and why.
type By struct {
	Actor    opsec.Actor // its Person must be known: roles are those of persons
	Reason   string      // at most [MaxReason] bytes; compromise, export and a destruction by force need one
	Approval opsec.ID    // the case that permits it, where the policy asks for one: see [Manager.Propose]
}

func (b By) validate(v Verb) error {
	switch {
	case Person(b.Actor) == "" || !text(Person(b.Actor), maxBy):
		return invalid("by: actor: want a tenant and a person, %d bytes at most", maxBy)
	case !text(b.Reason, MaxReason):
		return invalid("by: reason: want text of at most %d bytes without control characters", MaxReason)
	case b.Reason == "" && (v == Compromise || v == Reveal || v == ForceDestroy):
		return invalid("by: reason: %s needs one", v)
	case b.Approval != "" && b.Approval.Validate() != nil:
		return invalid("by: approval: not an id")
	}
	return nil
}

// Order is a step as people consent to it: what is approved is what will be done. What does not belong to the verb is zero.
type Order struct {
	Verb         Verb              `json:"verb"`
	Set          SetID             `json:"set"`
	Key          uint32            `json:"key,omitempty"`          // 0 for a step of the keyset
	Algorithm    Algorithm         `json:"algorithm,omitempty"`    // expect, link, update
	Policy       *Policy           `json:"policy,omitempty"`       // update
	Labels       map[string]string `json:"labels,omitempty"`       // update
	Roles        Roles             `json:"roles,omitempty"`        // grant
	Since        time.Time         `json:"since,omitzero"`         // compromise
	ProtectUntil time.Time         `json:"protect_until,omitzero"` // change-periods
	ProcessUntil time.Time         `json:"process_until,omitzero"` //
	Census       *Census           `json:"census,omitempty"`       // count
	Digest       string            `json:"digest,omitempty"`       // recover: of the bundle

	fresh *Keyset // that does not exist yet: what is created or recovered
}

func (o Order) action() string { return "keymgmt." + string(o.Verb) }

// Resource returns what events and approvals call what the order is about: a key ([Ref.Resource]), or the tenant, "keyset"
// and the id of the keyset.
func (o Order) Resource() opsec.Resource {
	if o.Key != 0 {
		return Ref{o.Set, o.Key}.Resource()
	}
	return opsec.Resource{Tenant: o.Set.Tenant, Type: "keyset", ID: o.Set.ID}
}

func (o Order) validate() error {
	if !o.Verb.known() {
		return invalid("order: verb: one of %d bytes that is none", len(o.Verb))
	}
	return o.Set.Validate()
}

// Options is the wiring of a [Manager].
type Options struct {
	Now        func() time.Time // nil is time.Now
	Authorizer opsec.Authorizer // has a say in every step, beside the roles of the keyset; [opsec.CallerAuthorized] permits all

	Keys   approval.Verifier                   // checks the signatures of those who consent
	Groups func(opsec.Actor) ([]string, error) // roles beside those of the keyset that a quorum may ask for; may be nil

	Escrow       Custodian // what backups are wrapped with; nil for no backups
	EscrowHandle string    // its key-encryption key; "" is "escrow"

	Receipts   Receipts     // makes evidence of destructions; nil for none
	Tombstones []Tombstones // are asked beside the repository's own
	Copies     []Copies     // know of copies of keys beside the repository's own
	Dependents []Dependents // know what depends on a key beside the backups

	InsecureUnsealed bool // takes a repository that does not say that it is sealed
}

// Manager leads keys through their lives. Every step is authorised, by the roles of the keyset, by the Authorizer and by the
// quorum that the policy asks for, and recorded, as are attempts that are refused. A step that fails has changed nothing. Of
// what it knows, another Manager over the same repository knows all, but for how long a node has been silent. All methods may
// be called by many goroutines.
type Manager struct {
	repo      Repository
	material  Material
	custodian Custodian
	o         Options

	mu     sync.Mutex
	sights map[string]sight
}

// New returns a Manager. The repository must be [Sealed], and there must be an Authorizer; otherwise the error wraps
// [opsec.ErrInvalid].
func New(repo Repository, material Material, custodian Custodian, o *Options) (*Manager, error) {
	if repo == nil || material == nil || custodian == nil || o == nil || o.Authorizer == nil {
		return nil, invalid("repository, material, custodian, options, authorizer: one is nil")
	}
	if s, ok := repo.(Sealed); !o.InsecureUnsealed && (!ok || !s.Sealed()) {
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
	err = m.repo.Update(ctx, tenant, func(read Read) (Changes, error) {
		list, err = read(names...)
		return Changes{}, err
	})
	return list, err
}

// Keyset returns a keyset, or an error that wraps [opsec.ErrNotFound].
func (m *Manager) Keyset(ctx context.Context, id SetID) (Keyset, error) {
	if err := id.Validate(); err != nil {
		return Keyset{}, err
	}
	docs, err := m.documents(ctx, id.Tenant, setName(id))
	if err != nil {
		return Keyset{}, err
	}
	return parseSet(id, docs[0])
}

func (m *Manager) record(ctx context.Context, ref Ref) (*record, error) {
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
func (m *Manager) Key(ctx context.Context, ref Ref) (Key, error) {
	r, err := m.record(ctx, ref)
	if err != nil {
		return Key{}, err
	}
	return r.Key, nil
}

// History returns what has happened to a key, in order.
func (m *Manager) History(ctx context.Context, ref Ref) ([]Event, error) {
	r, err := m.record(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.Events, nil
}

// Keys yields the keys of a keyset, the newest first, one read each.
func (m *Manager) Keys(ctx context.Context, id SetID) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for r, err := range m.records(ctx, id) {
			if err != nil {
				yield(Key{}, err)
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
func (m *Manager) records(ctx context.Context, id SetID) iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		s, err := m.Keyset(ctx, id)
		if err != nil {
			yield(nil, err)
			return
		}
		for n, key := 0, s.Latest; key != 0; n++ {
			if n == s.Keys {
				yield(nil, invalid("keyset %s: more than its %d keys follow each other", id, s.Keys))
				return
			}
			r, err := m.record(ctx, Ref{id, key})
			if err != nil {
				yield(nil, fmt.Errorf("keymgmt: keyset %s: key %d of %d: %w", id, s.Keys-n, s.Keys, err))
				return
			}
			if !yield(r, nil) {
				return
			}
			key = r.Key.Previous
		}
	}
}

// List yields the keysets of a tenant with ids above after, in order. The repository must be a [Lister].
func (m *Manager) List(ctx context.Context, tenant opsec.TenantID, after string) iter.Seq2[Keyset, error] {
	return func(yield func(Keyset, error) bool) {
		lister, ok := m.repo.(Lister)
		if !ok {
			yield(Keyset{}, invalid("repository: cannot list"))
			return
		}
		for d, err := range lister.List(ctx, tenant, "set/", "set/"+after) {
			s := Keyset{}
			if err == nil {
				s, err = parseSet(SetID{tenant, strings.TrimPrefix(d.Name, "set/")}, d.Data)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

package keymgmt

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// By is who takes a step, and why.
type By struct {
	Actor    opsec.Actor // its Person must be known: roles are those of persons
	Reason   string      // at most [MaxReason] bytes
	Approval opsec.ID    // the case that permits it, where the policy asks for one: see [Manager.Propose]
}

// Order is a step as people consent to it: what is approved is what will be done. What does not belong to the verb is zero.
type Order struct {
	Verb         Verb              `json:"verb"`
	Set          SetID             `json:"set"`
	Key          uint32            `json:"key,omitempty"`       // 0 for a step of the keyset
	Algorithm    Algorithm         `json:"algorithm,omitempty"` // expect, link, update
	Policy       *Policy           `json:"policy,omitempty"`    // update
	Labels       map[string]string `json:"labels,omitempty"`    // update
	Roles        Roles             `json:"roles,omitempty"`     // grant
	Since        time.Time         `json:"since,omitzero"`      // compromise
	ProtectUntil time.Time         `json:"protect_until,omitzero"`
	ProcessUntil time.Time         `json:"process_until,omitzero"` // change-periods
	Census       *Census           `json:"census,omitempty"`       // count
	Digest       string            `json:"digest,omitempty"`       // of what is recovered
}

// Options is the wiring of a [Manager].
type Options struct {
	Now        func() time.Time // nil is time.Now
	Authorizer opsec.Authorizer // has a say in every step, beside the roles of the keyset; [opsec.CallerAuthorized] permits all

	Keys   approval.Verifier                   // of the signatures of those who consent
	Groups func(opsec.Actor) ([]string, error) // roles beside those of the keyset that a quorum may ask for; may be nil

	Escrow       Custodian // what backups are wrapped with; nil for none
	EscrowHandle string    // its key-encryption key; "" is "escrow"

	Receipts   Receipts     // evidence of destructions; nil for none
	Tombstones []Tombstones // that are asked beside the repository's own
	Copies     []Copies
	Dependents []Dependents

	InsecureUnsealed bool // takes a repository that does not say that it is sealed
}

// Dependents lists what depends on a key and has to be looked at when it is compromised: data keys, derived keys, objects.
type Dependents interface {
	Dependents(ctx context.Context, ref Ref) iter.Seq2[Dependent, error]
}

// Dependent is one of them.
type Dependent struct {
	Kind string `json:"kind"` // such as "backup", "data-key", "derived-key"
	Name string `json:"name"`
}

// Task is a step that is due.
type Task struct {
	Verb Verb      `json:"verb"`
	Ref  Ref       `json:"ref"` // without Key when it is the keyset's
	At   time.Time `json:"at"`  // since when; in the future for a warning
	Why  string    `json:"why"`
}

// Manager leads keys through their lives. Every step is authorised, by the roles of the keyset, by the Authorizer and by the
// quorum that the policy asks for, and recorded, as are attempts that are refused. It keeps nothing in memory that a second
// Manager over the same repository needs to know. All methods may be called by many goroutines.
type Manager struct {
	repo      Repository
	material  Material
	custodian Custodian
	o         Options
}

var (
	_ Source     = (*Manager)(nil)
	_ Membership = (*Manager)(nil)
)

var errUnfinished = errors.New("keymgmt: not yet written")

// New returns a Manager. The repository must be [Sealed], and there must be an Authorizer; otherwise the error wraps
// [opsec.ErrInvalid].
func New(repo Repository, material Material, custodian Custodian, o *Options) (*Manager, error) {
	return nil, errUnfinished
}

// Create makes a keyset without keys. The caller fills in SetID, Purpose, Algorithm, Policy, Roles, Labels, and Custodian, the
// handle of a key-encryption key that is shared with other keysets (without "/"); "" gives it one of its own. No role is needed.
func (m *Manager) Create(ctx context.Context, by By, s Keyset) (Keyset, error) {
	return s, errUnfinished
}

// Update changes the policy, the algorithm of the next key, and the labels: those of policy, algorithm and labels that are
// not zero. (Order: Verb Update.)
func (m *Manager) Update(ctx context.Context, by By, id SetID, policy *Policy, a Algorithm, labels map[string]string) (Keyset, error) {
	return Keyset{}, errUnfinished
}

// Grant replaces the roles. Nobody changes his own.
func (m *Manager) Grant(ctx context.Context, by By, id SetID, roles Roles) (Keyset, error) {
	return Keyset{}, errUnfinished
}

// Retire destroys the key-encryption key of a keyset that has its own, when all of its keys are destroyed.
func (m *Manager) Retire(ctx context.Context, by By, id SetID) (Evidence, error) {
	return Evidence{}, errUnfinished
}

// Generate makes a key in state PreActivation.
func (m *Manager) Generate(ctx context.Context, by By, id SetID) (Key, error) {
	return Key{}, errUnfinished
}

// Rotate makes a key, activates it and makes it the primary; the one that was becomes Deactivated. All in one commit.
func (m *Manager) Rotate(ctx context.Context, by By, id SetID) (Key, error) {
	return Key{}, errUnfinished
}

// Expect prepares the import of a key of this id and algorithm; Import brings its material.
func (m *Manager) Expect(ctx context.Context, by By, ref Ref, a Algorithm) (Key, error) {
	return Key{}, errUnfinished
}

// Import brings the material of a key that was expected.
func (m *Manager) Import(ctx context.Context, by By, ref Ref, material []byte) (Key, error) {
	return Key{}, errUnfinished
}

// Link makes a key whose material is with a third party, and makes it the primary.
func (m *Manager) Link(ctx context.Context, by By, ref Ref, a Algorithm) (Key, error) {
	return Key{}, errUnfinished
}

// Activate makes a key the primary; the one that was becomes Deactivated.
func (m *Manager) Activate(ctx context.Context, by By, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// Suspend shuts a key until Resume.
func (m *Manager) Suspend(ctx context.Context, by By, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// Resume leads a key back to where it was suspended.
func (m *Manager) Resume(ctx context.Context, by By, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// Deactivate lets a key process only.
func (m *Manager) Deactivate(ctx context.Context, by By, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// ChangePeriods sets the ends of a key's periods.
func (m *Manager) ChangePeriods(ctx context.Context, by By, ref Ref, protectUntil, processUntil time.Time) (Key, error) {
	return Key{}, errUnfinished
}

// Compromise marks a key as compromised since then. See [Manager.Tainted].
func (m *Manager) Compromise(ctx context.Context, by By, ref Ref, since time.Time) (Key, error) {
	return Key{}, errUnfinished
}

// Tainted yields what depends on a key: backups, and what Options.Dependents knows of.
func (m *Manager) Tainted(ctx context.Context, ref Ref) iter.Seq2[Dependent, error] {
	return func(yield func(Dependent, error) bool) { yield(Dependent{}, errUnfinished) }
}

// Count notes a census. It needs the role of an operator: who destroys does not count.
func (m *Manager) Count(ctx context.Context, by By, ref Ref, c Census) (Key, error) {
	return Key{}, errUnfinished
}

// Schedule begins the waiting time before a destruction. From now on nobody uses the key.
func (m *Manager) Schedule(ctx context.Context, by By, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// Cancel leads a key back to where it was before Schedule.
func (m *Manager) Cancel(ctx context.Context, by By, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// Destroy destroys a key that was scheduled. It returns a [*PendingError] as long as nodes may hold the key: call again.
// When it was interrupted, it goes on; of a key that is destroyed it returns what is known.
func (m *Manager) Destroy(ctx context.Context, by By, ref Ref) (Destruction, error) {
	return Destruction{}, errUnfinished
}

// ForceDestroy is Destroy without a census.
func (m *Manager) ForceDestroy(ctx context.Context, by By, ref Ref) (Destruction, error) {
	return Destruction{}, errUnfinished
}

// Unlink is Destroy of a key whose material is with a third party, which keeps it.
func (m *Manager) Unlink(ctx context.Context, by By, ref Ref) (Destruction, error) {
	return Destruction{}, errUnfinished
}

// BackUp returns a bundle of all keys of a keyset, their material wrapped by the escrow custodian.
func (m *Manager) BackUp(ctx context.Context, by By, id SetID) ([]byte, error) {
	return nil, errUnfinished
}

// Recover brings back a keyset that does not exist, from a bundle. No key comes back that a tombstone names, and none
// protects any more: nobody knows how much it has protected since. Rotate afterwards.
func (m *Manager) Recover(ctx context.Context, by By, bundle []byte) (Keyset, error) {
	return Keyset{}, errUnfinished
}

// Export returns the material of a key, in the clear. It needs the role of a custodian.
func (m *Manager) Export(ctx context.Context, by By, ref Ref) ([]byte, error) {
	return nil, errUnfinished
}

// Propose asks for the consent that the policy wants for an order. Its case is named in [By].Approval when it is carried out.
func (m *Manager) Propose(ctx context.Context, by By, o Order) (approval.Case, error) {
	return approval.Case{}, errUnfinished
}

// ProposeRecovery is Propose of a [Manager.Recover] from this bundle.
func (m *Manager) ProposeRecovery(ctx context.Context, by By, bundle []byte) (approval.Case, error) {
	return approval.Case{}, errUnfinished
}

// Decide takes a decision about a case. What the decider signs is [approval.Case.Message].
func (m *Manager) Decide(ctx context.Context, tenant opsec.TenantID, id opsec.ID, d approval.Decision) (approval.Case, error) {
	return approval.Case{}, errUnfinished
}

// Withdraw takes a proposal back.
func (m *Manager) Withdraw(ctx context.Context, by By, tenant opsec.TenantID, id opsec.ID) (approval.Case, error) {
	return approval.Case{}, errUnfinished
}

// Case returns a case and what it is about.
func (m *Manager) Case(ctx context.Context, tenant opsec.TenantID, id opsec.ID) (approval.Case, Order, error) {
	return approval.Case{}, Order{}, errUnfinished
}

// Keyset returns a keyset.
func (m *Manager) Keyset(ctx context.Context, id SetID) (Keyset, error) {
	return Keyset{}, errUnfinished
}

// Key returns a key.
func (m *Manager) Key(ctx context.Context, ref Ref) (Key, error) {
	return Key{}, errUnfinished
}

// Keys yields the keys of a keyset, the newest first.
func (m *Manager) Keys(ctx context.Context, id SetID) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) { yield(Key{}, errUnfinished) }
}

// History returns what has happened to a key.
func (m *Manager) History(ctx context.Context, ref Ref) ([]Event, error) {
	return nil, errUnfinished
}

// List yields the keysets of a tenant with ids above after, in order. The repository must be a [Lister].
func (m *Manager) List(ctx context.Context, tenant opsec.TenantID, after string) iter.Seq2[Keyset, error] {
	return func(yield func(Keyset, error) bool) { yield(Keyset{}, errUnfinished) }
}

// Due yields what is due, or soon will be (Policy.Warn), in a keyset.
func (m *Manager) Due(ctx context.Context, id SetID) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) { yield(Task{}, errUnfinished) }
}

// Tend rotates a keyset if that is due, and returns what it did; a zero Task for nothing.
func (m *Manager) Tend(ctx context.Context, by By, id SetID) (Task, error) {
	return Task{}, errUnfinished
}

// Sweep tends all keysets of a tenant. It yields what it did, and errors of single keysets, and goes on.
func (m *Manager) Sweep(ctx context.Context, by By, tenant opsec.TenantID) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) { yield(Task{}, errUnfinished) }
}

// Snapshot implements [Source].
func (m *Manager) Snapshot(ctx context.Context, id SetID) (Snapshot, error) {
	return Snapshot{}, errUnfinished
}

// Held implements [Source].
func (m *Manager) Held(ctx context.Context, ref Ref) (Held, error) { return Held{}, errUnfinished }

// Watch implements [Source].
func (m *Manager) Watch(ctx context.Context, id SetID) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) { yield(struct{}{}, errUnfinished) }
}

// Lease implements [Source].
func (m *Manager) Lease(ctx context.Context, ref Ref, ask Amount) (Amount, error) {
	return Amount{}, errUnfinished
}

// Join implements [Membership].
func (m *Manager) Join(ctx context.Context, node string, fence time.Duration) error {
	return errUnfinished
}

// Beat implements [Membership]. A node that is not known, because it has been silent for longer than its fence, gets
// [opsec.ErrNotFound]: it forgets all keys, and joins again.
func (m *Manager) Beat(ctx context.Context, node string) error { return errUnfinished }

// Leave implements [Membership].
func (m *Manager) Leave(ctx context.Context, node string) error { return errUnfinished }

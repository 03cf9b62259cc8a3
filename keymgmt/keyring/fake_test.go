package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

var (
	start   = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	invoice = keymgmt.SetID{Tenant: "acme", ID: "invoices"}
	server  = opsec.Actor{Tenant: "acme", Account: "billing", Person: "billing-service", Kind: opsec.Service}
	errDown = errors.New("down")
)

// fake is a source and a membership as a manager is one, without its rules: tests set what they like.
type fake struct {
	mu        sync.Mutex
	custodian *custodian
	sets      map[keymgmt.SetID]*keymgmt.Keyset
	keys      map[keymgmt.Ref]keymgmt.Held
	left      map[keymgmt.Ref]keymgmt.Amount
	changed   chan struct{} // closed at each change
	down      bool
	watches   bool

	fences    map[string]time.Duration
	beats     map[string]int
	beatsDown bool
	joinsDown bool
	snapshots int
	helds     int
	leases    int
	pause     func(context.Context) // in Held
}

func newFake(t testing.TB) *fake {
	f := &fake{
		custodian: newCustodian(t), sets: map[keymgmt.SetID]*keymgmt.Keyset{}, keys: map[keymgmt.Ref]keymgmt.Held{},
		left: map[keymgmt.Ref]keymgmt.Amount{}, changed: make(chan struct{}), watches: true,
		fences: map[string]time.Duration{}, beats: map[string]int{},
	}
	f.create(invoice, keymgmt.DataEncryption, "AES256_GCM")
	f.rotate(t, invoice)
	return f
}

func (f *fake) lock() func() {
	f.mu.Lock()
	return func() {
		close(f.changed)
		f.changed = make(chan struct{})
		f.mu.Unlock()
	}
}

func (f *fake) create(id keymgmt.SetID, p keymgmt.Purpose, a keymgmt.Algorithm) {
	defer f.lock()()
	f.sets[id] = &keymgmt.Keyset{
		SetID: id, Purpose: p, Algorithm: a, Policy: keymgmt.Preset(p), Custodian: "root", Generation: 1, Created: start,
		Roles: keymgmt.Roles{keymgmt.Operator: {keymgmt.Person(server)}},
	}
}

// rotate makes the next key, active, and deactivates the one before.
func (f *fake) rotate(t testing.TB, id keymgmt.SetID) uint32 {
	f.mu.Lock()
	set := f.sets[id]
	ref := keymgmt.Ref{Set: id, Key: set.Latest + 1}
	m, err := material.New(set.Algorithm, ref.Key)
	f.mu.Unlock()
	require.NoError(t, err)
	f.put(t, ref, m)
	if set.Primary != 0 {
		f.state(keymgmt.Ref{Set: id, Key: set.Primary}, keymgmt.Deactivated)
	}
	f.change(id, func(set *keymgmt.Keyset) { set.Primary, set.Latest = ref.Key, ref.Key })
	return ref.Key
}

func (f *fake) put(t testing.TB, ref keymgmt.Ref, m []byte) {
	wrapped, err := f.custodian.Wrap(t.Context(), "root", m, keymgmt.MaterialContext(ref).Bytes())
	require.NoError(t, err)
	a, _, err := material.Examine(m)
	require.NoError(t, err)
	defer f.lock()()
	set := f.sets[ref.Set]
	f.keys[ref] = keymgmt.Held{Wrapped: wrapped, Key: keymgmt.Key{
		Ref: ref, Previous: set.Latest, State: keymgmt.Active, Algorithm: a, Created: start, Activated: start,
		ProtectUntil: start.Add(set.Policy.OriginatorUsage), ProcessUntil: start.Add(set.Policy.RecipientUsage),
	}}
	f.left[ref] = keymgmt.Amount{Messages: set.Policy.Messages, Bytes: set.Policy.Bytes}
	set.Generation++
}

func (f *fake) change(id keymgmt.SetID, fn func(*keymgmt.Keyset)) {
	defer f.lock()()
	fn(f.sets[id])
	f.sets[id].Generation++
}

func (f *fake) state(ref keymgmt.Ref, s keymgmt.State) {
	f.key(ref, func(k *keymgmt.Held) { k.State = s })
}

func (f *fake) key(ref keymgmt.Ref, fn func(*keymgmt.Held)) {
	defer f.lock()()
	k := f.keys[ref]
	fn(&k)
	f.keys[ref] = k
	f.sets[ref.Set].Generation++
}

// set changes what the fake does, without telling anybody.
func (f *fake) set(fn func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(f)
}

// get reads what it has counted.
func get[T any](f *fake, fn func(f *fake) T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fn(f)
}

func (f *fake) Snapshot(_ context.Context, id keymgmt.SetID) (keymgmt.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshots++
	set := f.sets[id]
	switch {
	case f.down:
		return keymgmt.Snapshot{}, errDown
	case set == nil:
		return keymgmt.Snapshot{}, fmt.Errorf("keyset: %w", opsec.ErrNotFound)
	case set.Primary == 0:
		return keymgmt.Snapshot{Keyset: *set}, nil
	}
	return keymgmt.Snapshot{Keyset: *set, Key: f.held(keymgmt.Ref{Set: id, Key: set.Primary})}, nil
}

func (f *fake) held(ref keymgmt.Ref) keymgmt.Held {
	k := f.keys[ref]
	if !k.State.Allows(keymgmt.Process) {
		k.Wrapped = nil
	}
	return k
}

func (f *fake) Held(ctx context.Context, ref keymgmt.Ref) (keymgmt.Held, error) {
	f.mu.Lock()
	f.helds++
	down, pause := f.down, f.pause
	_, ok := f.keys[ref]
	k := f.held(ref)
	f.mu.Unlock()
	if pause != nil {
		pause(ctx)
	}
	switch {
	case down:
		return keymgmt.Held{}, errDown
	case !ok:
		return keymgmt.Held{}, fmt.Errorf("key: %w", opsec.ErrNotFound)
	}
	return k, nil
}

func (f *fake) Watch(ctx context.Context, _ keymgmt.SetID) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		for f.watching() {
			f.mu.Lock()
			changed := f.changed
			f.mu.Unlock()
			if !yield(struct{}{}, nil) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (f *fake) watching() bool { return get(f, func(f *fake) bool { return f.watches }) }

func (f *fake) Lease(_ context.Context, ref keymgmt.Ref, ask keymgmt.Amount) (keymgmt.Amount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leases++
	if f.down {
		return keymgmt.Amount{}, errDown
	}
	left := f.left[ref]
	got := keymgmt.Amount{Messages: min(left.Messages, ask.Messages), Bytes: min(left.Bytes, ask.Bytes)}
	if got.Messages == 0 || got.Bytes == 0 {
		return keymgmt.Amount{}, &keymgmt.ExhaustedError{Ref: ref}
	}
	f.left[ref] = keymgmt.Amount{Messages: left.Messages - got.Messages, Bytes: left.Bytes - got.Bytes}
	return got, nil
}

func (f *fake) Join(_ context.Context, node string, fence time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down || f.joinsDown {
		return errDown
	}
	f.fences[node] = fence
	return nil
}

func (f *fake) Beat(_ context.Context, node string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down || f.beatsDown {
		return errDown
	}
	if _, ok := f.fences[node]; !ok {
		return fmt.Errorf("node: %w", opsec.ErrNotFound)
	}
	f.beats[node]++
	return nil
}

func (f *fake) Leave(_ context.Context, node string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.fences, node)
	return nil
}

// custodian wraps with a Tink AEAD, of an algorithm that runs in FIPS 140-only mode.
type custodian struct {
	aead tink.AEAD

	mu      sync.Mutex
	down    bool
	unwraps int
}

func newCustodian(t testing.TB) *custodian {
	h, err := keyset.NewHandle(aead.AES256CTRHMACSHA256KeyTemplate())
	require.NoError(t, err)
	a, err := aead.New(h)
	require.NoError(t, err)
	return &custodian{aead: a}
}

func (c *custodian) Generate(context.Context, string) error { return nil }

func (c *custodian) Wrap(_ context.Context, _ string, material, associatedData []byte) ([]byte, error) {
	return c.aead.Encrypt(material, associatedData)
}

func (c *custodian) Unwrap(_ context.Context, _ string, wrapped, associatedData []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unwraps++
	if c.down {
		return nil, keymgmt.ErrUnavailable
	}
	m, err := c.aead.Decrypt(wrapped, associatedData)
	if err != nil {
		return nil, keymgmt.ErrUnwrap
	}
	return m, nil
}

func (c *custodian) Destroy(context.Context, string) (keymgmt.Evidence, error) {
	return keymgmt.Evidence{}, nil
}

func (c *custodian) set(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// clock is a time that tests set. Without one, time.Now, which a synctest bubble controls.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// node joins under a clock that stands at start.
func node(t testing.TB, f *fake, change func(*keyring.Options)) (*keyring.Node, *clock) {
	c := &clock{t: start}
	o := &keyring.Options{Node: "one", Actor: server, Now: c.now}
	if change != nil {
		change(o)
	}
	n, err := keyring.Join(t.Context(), f, f.custodian, o)
	require.NoError(t, err)
	return n, c
}

func ring(t testing.TB, n *keyring.Node, id keymgmt.SetID) *keyring.Ring {
	r, err := n.Ring(t.Context(), id)
	require.NoError(t, err)
	return r
}

func label(t testing.TB, namesAndValues ...string) keymgmt.Context {
	c, err := keymgmt.NewContext(namesAndValues...)
	require.NoError(t, err)
	return c
}

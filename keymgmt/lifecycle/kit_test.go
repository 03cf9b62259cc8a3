package lifecycle_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

var (
	bg    = context.Background()
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	setID = keymgmt.SetID{Tenant: "acme", ID: "volumes"}
)

// material is JSON: package keyring has the real one.
type material struct{}

type fakeKey struct {
	Algorithm keymgmt.Algorithm
	ID        uint32
	Secret    []byte
}

func (material) New(a keymgmt.Algorithm, id uint32) ([]byte, error) {
	k := fakeKey{a, id, make([]byte, 16)}
	rand.Read(k.Secret)
	return json.Marshal(k)
}

func (material) Examine(b []byte) (keymgmt.Algorithm, uint32, error) {
	var k fakeKey
	if json.Unmarshal(b, &k) != nil {
		return "", 0, opsec.ErrInvalid
	}
	return k.Algorithm, k.ID, nil
}

// custodian is AES-GCM with keys in a map. It fails when it is told to.
type custodian struct {
	mu   sync.Mutex
	keys map[string]cipher.AEAD
	fail error
	left []string
}

func newCustodian() *custodian { return &custodian{keys: map[string]cipher.AEAD{}} }

func (c *custodian) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

func (c *custodian) key(handle string) (cipher.AEAD, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[handle] == nil && c.fail == nil {
		return nil, opsec.ErrNotFound
	}
	return c.keys[handle], c.fail
}

func (c *custodian) Generate(_ context.Context, handle string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[handle] == nil {
		key := make([]byte, 32)
		rand.Read(key)
		block, _ := aes.NewCipher(key)
		c.keys[handle], _ = cipher.NewGCMWithRandomNonce(block)
	}
	return c.fail
}

func (c *custodian) Wrap(_ context.Context, handle string, m, ad []byte) ([]byte, error) {
	k, err := c.key(handle)
	if err != nil {
		return nil, err
	}
	return k.Seal(nil, nil, m, ad), nil
}

func (c *custodian) Unwrap(_ context.Context, handle string, w, ad []byte) ([]byte, error) {
	k, err := c.key(handle)
	if err != nil {
		return nil, err
	}
	m, err := k.Open(nil, nil, w, ad)
	if err != nil {
		return nil, keymgmt.ErrUnwrap
	}
	return m, nil
}

func (c *custodian) Destroy(_ context.Context, handle string) (keymgmt.Evidence, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := keymgmt.Evidence{Custodian: "test", Handle: handle, Method: "forgotten", Time: noon, Left: c.left}
	if c.fail == nil && c.keys[handle] != nil {
		e.Copies = []string{"map"}
		delete(c.keys, handle)
	}
	return e, c.fail
}

// recorder remembers, unless it is to fail.
type recorder struct {
	mu     sync.Mutex
	events []opsec.Event
	fail   error
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := e.Validate(); err != nil || r.fail != nil {
		return opsec.Receipt{}, errors.Join(err, r.fail)
	}
	r.events = append(r.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

func (r *recorder) actions(outcome opsec.Outcome) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Outcome == outcome {
			list = append(list, e.Action)
		}
	}
	return list
}

func (r *recorder) last() opsec.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[len(r.events)-1]
}

// house is a manager and what it works with.
type house struct {
	*lifecycle.Manager
	repo      keymgmt.Repository
	recorder  *recorder
	custodian *custodian
	escrow    *custodian
	now       time.Time
	options   lifecycle.Options
}

func (h *house) clock() time.Time          { return h.now }
func (h *house) pass(d time.Duration)      { h.now = h.now.Add(d) }
func (h *house) fresh(t testing.TB) *house { return h.over(t, keymgmt.NewMemory(h.recorder)) }
func (h *house) over(t testing.TB, repo keymgmt.Repository) *house {
	other := *h
	other.repo = repo
	other.options.Now = other.clock
	var err error
	other.Manager, err = lifecycle.New(repo, material{}, h.custodian, &other.options)
	require.NoError(t, err)
	return &other
}

func open(t testing.TB, change ...func(*lifecycle.Options)) *house {
	h := &house{recorder: new(recorder), custodian: newCustodian(), escrow: newCustodian(), now: noon}
	h.options = lifecycle.Options{
		Authorizer: opsec.CallerAuthorized{}, Escrow: h.escrow,
		Keys: approval.Keys{publicKey("ann"), publicKey("ben"), publicKey("cas"), publicKey("dee"), publicKey("guy")},
	}
	for _, c := range change {
		c(&h.options)
	}
	n := h.fresh(t)
	n.options.Now = n.clock
	return n
}

// person is somebody of acme.
func person(name string) opsec.Actor {
	return opsec.Actor{Tenant: "acme", Account: name + "@acme.example", Person: name, Kind: opsec.Human}
}

func by(name string) lifecycle.By { return lifecycle.By{Actor: person(name), Reason: "ticket 4711"} }

var (
	admin    = by("ann")
	keeper   = by("cas")
	operator = by("oli")
)

func privateKey(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func publicKey(name string) approval.Key {
	return approval.Key{Tenant: "acme", Person: name, Public: privateKey(name).Public().(ed25519.PublicKey)}
}

func roles() keymgmt.Roles {
	return keymgmt.Roles{
		keymgmt.Administrator: {"acme/ann", "acme/ben"}, keymgmt.CustodianRole: {"acme/cas", "acme/dee"},
		keymgmt.Operator: {"acme/oli"}, keymgmt.Auditor: {"acme/udo"},
	}
}

func policy() keymgmt.Policy {
	return keymgmt.Policy{
		Name: "test", OriginatorUsage: 48 * time.Hour, RecipientUsage: 240 * time.Hour, RotateEvery: 24 * time.Hour, Warn: time.Hour,
		Messages: 1000, Bytes: 100_000, Block: 10, Strength: 128, DestroyWait: 72 * time.Hour,
	}
}

func set(id keymgmt.SetID) keymgmt.Keyset {
	return keymgmt.Keyset{
		SetID: id, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy(), Roles: roles(), Custodian: "shared",
	}
}

func (h *house) create(t testing.TB, change ...func(*keymgmt.Keyset)) keymgmt.Keyset {
	s := set(setID)
	for _, c := range change {
		c(&s)
	}
	s, err := h.Create(bg, admin, s)
	require.NoError(t, err)
	return s
}

func (h *house) rotate(t testing.TB) keymgmt.Key {
	t.Helper()
	k, err := h.Rotate(bg, admin, setID)
	require.NoError(t, err)
	return k
}

func (h *house) key(t testing.TB, ref keymgmt.Ref) keymgmt.Key {
	t.Helper()
	k, err := h.Key(bg, ref)
	require.NoError(t, err)
	return k
}

func (h *house) primary(t testing.TB) uint32 {
	t.Helper()
	s, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	return s.Primary
}

// protecting lists the keys that protect.
func (h *house) protecting(t testing.TB) (list []uint32) {
	for k, err := range h.Keys(bg, setID) {
		require.NoError(t, err)
		if k.State.Allows(keymgmt.Protect) {
			list = append(list, k.Ref.Key)
		}
	}
	return list
}

// retired makes a key that has been deactivated and counted, and whose destruction is due.
func (h *house) doomed(t testing.TB) keymgmt.Ref {
	t.Helper()
	k := h.rotate(t)
	h.rotate(t)
	h.pass(time.Hour)
	_, err := h.Count(bg, operator, k.Ref, keymgmt.Census{Time: h.now, Of: 7, Digest: "sha256:0"})
	require.NoError(t, err)
	_, err = h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	return k.Ref
}

func refOf(key uint32) keymgmt.Ref { return keymgmt.Ref{Set: setID, Key: key} }

// quorum asks for two administrators or custodians, beside who proposes.
func quorum(p *keymgmt.Policy, verbs ...keymgmt.Verb) {
	p.Quorum = map[keymgmt.Verb]approval.Policy{}
	for _, v := range verbs {
		p.Quorum[v] = approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Any: []approval.Rule{
			{Role: "administrator"}, {Role: "custodian"},
		}}}}}
	}
}

// approve signs and decides.
func (h *house) approve(t testing.TB, c approval.Case, who opsec.Actor) error {
	d := approval.Decision{Verb: approval.Approve, By: who, Reason: "checked", SignedAt: h.now}
	d.Signature = ed25519.Sign(privateKey(who.Person), c.Message(d))
	_, err := h.Decide(bg, "acme", c.Request.ID, d)
	return err
}

// failing is a repository whose n-th update fails: before it, or after it, as when an answer is lost.
type failing struct {
	keymgmt.Repository
	before, after int // counted down; 0 fails
}

var errLost = errors.New("connection lost")

func (f *failing) Sealed() bool { return true }

func (f *failing) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	if f.before--; f.before == 0 {
		return errLost
	}
	err := f.Repository.Update(ctx, tenant, fn)
	if f.after--; f.after == 0 && err == nil {
		return errLost
	}
	return err
}

func contains(t testing.TB, list []string, want ...string) {
	t.Helper()
	for _, w := range want {
		require.True(t, slices.Contains(list, w), "%s in %v", w, list)
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

// keysStop encrypts a file of the directory under a tenant's key, gives the tenant another key, and destroys the first one,
// which it may only when nothing is left on it.
func keysStop(ctx context.Context, t *tour) {
	name, text := largest(t.dir)
	k := openKeys(ctx, t)
	first, err := k.manager.Rotate(ctx, k.admin, k.set)
	check(err)
	ring, err := k.node.Ring(ctx, k.set)
	check(err)
	env, err := envelope.New(envelope.Keyring(ring), envelope.Limits{}, nil)
	check(err)
	c, err := keymgmt.NewContext("tenant", "acme", "path", name)
	check(err)
	old, err := env.Seal(ctx, nil, text, c)
	check(err)
	t.say("   %s is encrypted under key %d, which protects until %s", name, first.Key, first.ProtectUntil.Format(time.DateOnly))

	_, err = k.manager.Rotate(ctx, k.admin, k.set)
	check(err)
	check(k.node.Refresh(ctx))
	refused := k.destroy(ctx, first.Ref, old)
	_, err = k.manager.Cancel(ctx, k.admin, first.Ref)
	check(err)
	check(k.node.Refresh(ctx))
	moved, err := env.Rewrap(ctx, nil, old, c)
	check(err)
	check(k.destroy(ctx, first.Ref, moved))
	check(k.node.Refresh(ctx))
	opened, err := env.Open(ctx, nil, moved, c)
	check(err)
	_, gone := env.Open(ctx, nil, old, c)
	t.say("   destroying key 1 before the file is under key 2: %v\n   and after; the file opens: %v; an old copy of it: %v", refused, bytes.Equal(opened, text), gone)

	docs, err := k.ledger.Receipts(ctx, first.Ref)
	check(err)
	_, signed := erasure.Verify(docs[0], k.trust)
	docs[0][len(docs[0])/2] ^= 1
	_, forged := erasure.Verify(docs[0], k.trust)
	t.say("   the receipt verifies: %s; with one bit of it changed: %v", okOr(signed), forged)
	t.result["keys"] = map[string]any{
		"file": name, "refused": refused.Error(), "opens": bytes.Equal(opened, text), "gone": gone.Error(), "receipt": signed == nil, "forged": forged.Error(),
	}
}

// keys is a keyset of a tenant, who leads it through its life, a node that uses it, and who keeps the receipts.
type keys struct {
	now         time.Time // waiting is done by moving it
	set         keymgmt.SetID
	policy      keymgmt.Policy
	admin, uses lifecycle.By
	manager     *lifecycle.Manager
	node        *keyring.Node
	ledger      *erasure.Ledger
	trust       erasure.Trust
}

func openKeys(ctx context.Context, t *tour) *keys {
	service := opsec.Actor{Tenant: opsec.Provider, Account: "node", Person: "node", Kind: opsec.Service}
	k := &keys{
		now: time.Now(), set: keymgmt.SetID{Tenant: "acme", ID: "files"}, policy: keymgmt.Preset(keymgmt.KeyWrapping),
		admin: lifecycle.By{Actor: t.actor, Reason: "tour"}, uses: lifecycle.By{Actor: service},
	}
	k.policy.Quorum = nil // the visitor is alone; examples/keylifecycle has two who sign
	clock := func() time.Time { return k.now }

	root, err := custody.NewRoot(new(custody.Memory), &custody.RootOptions{Now: clock})
	check(err)
	check(root.Create(ctx, custody.NewRootKey()))
	repo := keymgmt.NewMemory(t.trail)
	public, private, err := ed25519.GenerateKey(nil)
	check(err)
	k.trust = erasure.Trust{"tour": erasure.Ed25519Public(public)}
	k.ledger, err = erasure.New(repo, erasure.Options{
		Signer: erasure.Ed25519(private), KeyID: "tour", Trust: k.trust, Authorizer: opsec.CallerAuthorized{}, Now: clock,
	})
	check(err)
	k.manager, err = lifecycle.New(repo, keyring.Material{}, root, &lifecycle.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}, Receipts: k.ledger})
	check(err)
	_, err = k.manager.Create(ctx, k.admin, keymgmt.Keyset{
		SetID: k.set, Purpose: keymgmt.KeyWrapping, Algorithm: "AES256_GCM", Policy: k.policy,
		Roles: keymgmt.Roles{keymgmt.Administrator: {keymgmt.Person(t.actor)}, keymgmt.Operator: {keymgmt.Person(service)}},
	})
	check(err)
	k.node, err = keyring.Join(ctx, k.manager, root, &keyring.Options{Node: "tour", Actor: service, Now: clock})
	check(err)
	return k
}

// destroy counts what is left on a key, in the one object that there is, waits as long as the policy asks, and destroys it.
func (k *keys) destroy(ctx context.Context, ref keymgmt.Ref, object []byte) error {
	k.now = k.now.Add(time.Hour) // no node can protect under it any more
	part, err := rewrap.Count(ctx, "files", only(object), rewrap.Envelope{}, func() time.Time { return k.now })
	check(err)
	census, err := rewrap.Report{Set: k.set, Parts: []rewrap.Part{part}}.Census(ref.Key, "files")
	check(err)
	_, err = k.manager.Count(ctx, k.uses, ref, census)
	check(err)
	_, err = k.manager.Schedule(ctx, k.admin, ref)
	check(err)
	k.now = k.now.Add(k.policy.DestroyWait)
	for {
		_, err := k.manager.Destroy(ctx, k.admin, ref)
		if _, waits := errors.AsType[*lifecycle.PendingError](err); !waits {
			return err
		}
		check(k.node.Refresh(ctx)) // the node looks, lets go of the key, and says so
	}
}

// only is a place with one object.
type only []byte

// Objects implements [rewrap.Lister].
func (o only) Objects(_ context.Context, after string) iter.Seq2[rewrap.Object, error] {
	return func(yield func(rewrap.Object, error) bool) {
		if after == "" {
			yield(rewrap.Object{ID: "file", Wrapped: o}, nil)
		}
	}
}

// largest returns the largest file of a directory.
func largest(dir string) (name string, text []byte) {
	size := int64(-1)
	check(fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > size {
			name, size = path, info.Size()
		}
		return nil
	}))
	if size < 0 {
		return "nothing", nil
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	check(err)
	return name, text
}

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
	now := time.Now()
	clock := func() time.Time { return now }
	name, text := largest(t.dir)
	public, private, err := ed25519.GenerateKey(nil)
	check(err)
	trust := erasure.Trust{"tour": erasure.Ed25519Public(public)}
	root, err := custody.NewRoot(new(custody.Memory), &custody.RootOptions{Now: clock})
	check(err)
	check(root.Create(ctx, custody.NewRootKey()))
	repo := keymgmt.NewMemory(t.trail)
	ledger, err := erasure.New(repo, erasure.Options{Signer: erasure.Ed25519(private), KeyID: "tour", Trust: trust, Authorizer: opsec.CallerAuthorized{}, Now: clock})
	check(err)
	manager, err := lifecycle.New(repo, keyring.Material{}, root, &lifecycle.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}, Receipts: ledger})
	check(err)
	admin, node := lifecycle.By{Actor: t.actor, Reason: "tour"}, lifecycle.By{Actor: opsec.Actor{Tenant: opsec.Provider, Account: "node", Person: "node", Kind: opsec.Service}}
	policy, set := keymgmt.Preset(keymgmt.KeyWrapping), keymgmt.SetID{Tenant: "acme", ID: "files"}
	policy.Quorum = nil // the visitor is alone; examples/keylifecycle has two who sign
	_, err = manager.Create(ctx, admin, keymgmt.Keyset{SetID: set, Purpose: keymgmt.KeyWrapping, Algorithm: "AES256_GCM", Policy: policy, Roles: keymgmt.Roles{
		keymgmt.Administrator: {keymgmt.Person(t.actor)}, keymgmt.Operator: {keymgmt.Person(node.Actor)},
	}})
	check(err)
	first, err := manager.Rotate(ctx, admin, set)
	check(err)
	holder, err := keyring.Join(ctx, manager, root, &keyring.Options{Node: "tour", Actor: node.Actor, Now: clock})
	check(err)
	ring, err := holder.Ring(ctx, set)
	check(err)
	env, err := envelope.New(envelope.Keyring(ring), envelope.Limits{}, nil)
	check(err)
	c, err := keymgmt.NewContext("tenant", "acme", "path", name)
	check(err)
	old, err := env.Seal(ctx, nil, text, c)
	check(err)
	t.say("   %s is encrypted under key %d, which protects until %s", name, first.Key, first.ProtectUntil.Format(time.DateOnly))

	_, err = manager.Rotate(ctx, admin, set)
	check(err)
	check(holder.Refresh(ctx))
	destroy := func(object []byte) error {
		now = now.Add(time.Hour) // no node can protect under it any more
		part, err := rewrap.Count(ctx, "files", only(object), rewrap.Envelope{}, clock)
		check(err)
		census, err := rewrap.Report{Set: set, Parts: []rewrap.Part{part}}.Census(first.Key, "files")
		check(err)
		_, err = manager.Count(ctx, node, first.Ref, census)
		check(err)
		_, err = manager.Schedule(ctx, admin, first.Ref)
		check(err)
		now = now.Add(policy.DestroyWait)
		for {
			_, err := manager.Destroy(ctx, admin, first.Ref)
			if _, waits := errors.AsType[*lifecycle.PendingError](err); !waits {
				return err
			}
			check(holder.Refresh(ctx)) // the node looks, lets go of the key, and says so
		}
	}
	refused := destroy(old)
	_, err = manager.Cancel(ctx, admin, first.Ref)
	check(err)
	check(holder.Refresh(ctx))
	moved, err := env.Rewrap(ctx, nil, old, c)
	check(err)
	check(errors.Join(destroy(moved), holder.Refresh(ctx)))
	opened, err := env.Open(ctx, nil, moved, c)
	check(err)
	_, gone := env.Open(ctx, nil, old, c)
	docs, err := ledger.Receipts(ctx, first.Ref)
	check(err)
	_, signed := erasure.Verify(docs[0], trust)
	docs[0][len(docs[0])/2] ^= 1
	_, forged := erasure.Verify(docs[0], trust)
	t.say("   destroying key 1 before the file is under key 2: %v\n   and after; the file opens: %v; an old copy of it: %v", refused, bytes.Equal(opened, text), gone)
	t.say("   the receipt verifies: %s; with one bit of it changed: %v", okOr(signed), forged)
	t.result["keys"] = map[string]any{
		"file": name, "refused": refused.Error(), "opens": bytes.Equal(opened, text), "gone": gone.Error(), "receipt": signed == nil, "forged": forged.Error(),
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

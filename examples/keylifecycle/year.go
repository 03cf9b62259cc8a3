package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

const day = 24 * time.Hour

var acme = keymgmt.SetID{Tenant: "acme", ID: "volumes"}

// year is the story. Each chapter leaves the provider as the next one finds it.
func (p *provider) year(ctx context.Context, src string, say func(string, ...any)) error {
	v := volume{dir: filepath.Join(p.dir, "volume")}
	p.say = say
	var bundle []byte
	var old copied
	for _, chapter := range []func() error{
		func() error { return p.begin(ctx) },
		func() error { return p.fill(ctx, &v, src) },
		func() (err error) { old, err = v.copy(); return err },
		func() (err error) { bundle, err = p.rotate(ctx, v); return err },
		func() error { return p.lose(ctx, &v, bundle) },
		func() error { return p.destroyFirst(ctx, v, old) },
		func() error { return p.leave(ctx, v) },
	} {
		if err := errors.Join(chapter(), p.deliver(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the root key, deals it to three custodians, and makes the tenant's keyset.
func (p *provider) begin(ctx context.Context) error {
	key := custody.NewRootKey()
	defer clear(key)
	var err error
	if p.roster, err = p.deal(ctx, key, "anna", "boris", "chen"); err != nil {
		return err
	}
	if err := errors.Join(p.root.Create(ctx, key), p.root.Generate(ctx, storeHandle), p.openStore(ctx, "keys.db")); err != nil {
		return err
	}
	p.say("the root key is dealt to anna, boris and chen; two of them open it, and nobody has it")
	policy := keymgmt.Preset(keymgmt.KeyWrapping)
	policy.OriginatorUsage, policy.RotateEvery = 365*day, 180*day
	_, err = p.manager.Create(ctx, by("ada", "acme has signed"), keymgmt.Keyset{
		SetID: acme, Purpose: keymgmt.KeyWrapping, Algorithm: "AES256_GCM", Policy: policy, Roles: roles,
	})
	if err != nil {
		return err
	}
	first, err := p.manager.Rotate(ctx, by("ada", "first key"), acme)
	if err != nil {
		return err
	}
	p.say("acme's keyset has key %d, which protects until %s and opens until %s", first.Key, first.ProtectUntil.Format(time.DateOnly), first.ProcessUntil.Format(time.DateOnly))
	_, err = p.manager.Rotate(ctx, by("anna", "out of turn"), acme)
	return p.refused("a custodian who wants to rotate it", err)
}

// fill encrypts the files, each with a data key of its own.
func (p *provider) fill(ctx context.Context, v *volume, src string) (err error) {
	ring, err := p.node.Ring(ctx, acme)
	if err != nil {
		return err
	}
	if v.env, err = envelope.New(envelope.Keyring(ring), envelope.Limits{}, nil); err != nil {
		return err
	}
	n, err := v.take(ctx, src)
	p.say("%d files of %s are encrypted", n, src)
	return err
}

// rotate backs the keyset up, waits until the next key is due, and moves the files to it.
func (p *provider) rotate(ctx context.Context, v volume) (bundle []byte, err error) {
	p.wait(30 * day)
	if bundle, err = p.manager.BackUp(ctx, by("anna", "monthly"), acme); err != nil {
		return nil, err
	}
	p.say("a backup of the keyset is with the escrow, %d bytes", len(bundle))
	p.wait(151 * day)
	task, err := p.manager.Tend(ctx, by("ada", "timetable"), acme)
	if err != nil {
		return nil, err
	}
	p.say("%s: %s", task.Verb, task.Why)
	if err := errors.Join(p.node.Refresh(ctx), v.rewrap(ctx)); err != nil {
		return nil, err
	}
	bundle, err = p.manager.BackUp(ctx, by("anna", "monthly"), acme)
	p.say("the data keys of all files are under key 2 now; the files themselves were not touched. Another backup")
	return bundle, err
}

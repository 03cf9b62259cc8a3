package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// lose lets chen leave with a share, the plane stop, and the disk with the store break.
func (p *provider) lose(ctx context.Context, v *volume, bundle []byte) error {
	p.wait(20 * day)
	if err := errors.Join(p.node.Close(ctx), p.deliver(ctx), p.db.Close(), os.Remove(filepath.Join(p.dir, "keys.db"))); err != nil {
		return err
	}
	p.root.Seal()
	p.say("chen is gone with a share; the control plane stops; its disk is lost")
	err := p.unseal(ctx, "anna")
	if err := p.refused("anna alone, who wants to unseal the custodian", err); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return p.unseal(ctx, "anna", "boris") },
		func() error { return p.renew(ctx, []string{"anna", "boris"}, "anna", "boris", "dora") },
		func() error { return p.openStore(ctx, "keys-2.db") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	p.say("anna and boris unseal it, and deal the root key anew: to dora in chen's place. His share fits no other")
	consent, err := p.manager.ProposeRecovery(ctx, by("anna", "disk lost"), bundle)
	if err != nil {
		return err
	}
	if err := p.consent(ctx, consent, "adil"); err != nil {
		return err
	}
	order := by("anna", "disk lost")
	order.Approval = consent.Request.ID
	set, err := p.manager.Recover(ctx, order, bundle)
	if err != nil {
		return err
	}
	if _, err := p.manager.Rotate(ctx, by("ada", "recovered"), acme); err != nil {
		return err
	}
	p.say("the keyset and its %d keys are recovered from the backup, and a key 3 protects from now on", set.Keys)
	ring, err := p.node.Ring(ctx, acme)
	if err != nil {
		return err
	}
	if v.env, err = envelope.New(envelope.Keyring(ring), envelope.Limits{}, nil); err != nil {
		return err
	}
	names, err := regular(v.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := v.give(ctx, name, new(bytes.Buffer)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	p.say("all %d files open", len(names))
	return v.rewrap(ctx)
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

// destroyFirst ends the life of key 1, on which nothing is left.
func (p *provider) destroyFirst(ctx context.Context, v volume, old copied) error {
	receipt, err := p.destroy(ctx, v, keymgmt.Ref{Set: acme, Key: 1})
	if err != nil {
		return err
	}
	p.say("key 1 is destroyed; the receipt verifies: %s", valid(receipt, p.trust))
	receipt[len(receipt)/2] ^= 1
	p.say("with one bit of it changed: %s", valid(receipt, p.trust))
	c, err := v.context(old.name)
	if err != nil {
		return err
	}
	_, err = v.env.Decrypt(ctx, bytes.NewReader(old.content), c, nil)
	return p.refused("an old copy of a file, whose data key is under key 1", err)
}

// leave deletes what a tenant has, and gives its volume to another only when that is shown.
func (p *provider) leave(ctx context.Context, v volume) error {
	p.wait(30 * day)
	place := opsec.Resource{Tenant: acme.Tenant, Type: "volume", ID: "vol-7"}
	all := erasure.Declaration{Resource: place, AlwaysEncrypted: true}
	if err := errors.Join(os.RemoveAll(v.dir), os.Mkdir(v.dir, 0o700)); err != nil {
		return err
	}
	if _, err := p.manager.Deactivate(ctx, by("ada", "acme leaves"), keymgmt.Ref{Set: acme, Key: 3}); err != nil {
		return err
	}
	for key := range uint32(3) {
		ref := keymgmt.Ref{Set: acme, Key: key + 1}
		all.Keys = append(all.Keys, ref)
		if _, err := p.destroy(ctx, v, ref); err != nil {
			return err
		}
	}
	_, err := p.ledger.Certify(ctx, who("ada"), all)
	if err := p.refused("a certificate that acme's data is gone", err); err != nil {
		return err
	}
	gone, err := p.escrow.Destroy(ctx, "escrow")
	if err != nil {
		return err
	}
	for _, ref := range all.Keys {
		if err := p.attest(ctx, ref, gone); err != nil {
			return err
		}
	}
	certificate, err := p.ledger.Certify(ctx, who("ada"), all)
	if err != nil {
		return err
	}
	if _, err = p.ledger.Release(ctx, who("ada"), place, "globex"); err != nil {
		return err
	}
	p.say("the escrow's key is destroyed too, so that no backup opens: the certificate is issued (%s), and globex gets the volume", valid(certificate, p.trust))
	return os.WriteFile(filepath.Join(p.dir, "certificate.json"), certificate, 0o600)
}

// attest notes that the backups which a receipt calls left open nothing any more.
func (p *provider) attest(ctx context.Context, ref keymgmt.Ref, gone keymgmt.Evidence) error {
	docs, err := p.ledger.Receipts(ctx, ref)
	if err != nil {
		return err
	}
	receipt, err := erasure.Verify(docs[0], p.trust)
	if err != nil {
		return err
	}
	for _, c := range receipt.Left() {
		c.Fate, c.How, c.Time = keymgmt.Void, gone.Method+" of the escrow's key", p.now
		if _, err := p.ledger.Attest(ctx, who("ada"), erasure.Attestation{Key: ref, Copy: c, Reason: "escrow destroyed"}); err != nil {
			return err
		}
	}
	return nil
}

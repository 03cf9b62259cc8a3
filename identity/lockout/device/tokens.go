package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// The actions of events, and of what an Authorizer is asked.
const (
	ActionIssue     = "device.issue"      // a device got its first token
	ActionRevoke    = "device.revoke"     // one device was revoked
	ActionRevokeAll = "device.revoke-all" // all devices of an account were
)

// Options wires [Tokens].
type Options struct {
	Now        func() time.Time // default: time.Now
	Authorizer opsec.Authorizer // required: who may revoke
	Recorder   opsec.Recorder   // told of issues and revocations; default: nobody
}

// Tokens issues and checks device tokens. It is safe for use by several goroutines.
type Tokens struct {
	keys     ring
	p        Policy
	register Revocations
	o        Options
}

// New returns the tokens under these keys. Register says what is revoked; it is [Memory], or a provider's own. What is missing or
// out of bounds wraps [opsec.ErrInvalid].
func New(keys []Key, p Policy, register Revocations, o *Options) (*Tokens, error) {
	r, err := newRing(keys)
	if err == nil {
		err = p.Validate()
	}
	switch {
	case err != nil:
		return nil, err
	case register == nil:
		return nil, invalid("no register of revocations")
	case o == nil || o.Authorizer == nil:
		return nil, invalid("no Authorizer; a caller that has decided passes opsec.CallerAuthorized")
	}
	t := &Tokens{keys: r, p: p.withDefaults(), register: register, o: *o}
	if t.o.Now == nil {
		t.o.Now = time.Now
	}
	return t, nil
}

// Issue returns the token of a device that has none: after a success, and not before. It is 87 letters, digits, '-' and '_'.
func (t *Tokens) Issue(ctx context.Context, who Owner) (string, Device, error) {
	if err := who.validate(); err != nil {
		return "", Device{}, err
	}
	n := token{device: newDevice()}
	mark, err := t.register.Look(ctx, who, n.id())
	if err != nil {
		return "", Device{}, fmt.Errorf("device: revocations: %w", err)
	}
	n.epoch = mark.Epoch
	text, d, err := t.sign(who, n)
	if err != nil {
		return "", Device{}, err
	}
	actor := opsec.Actor{Tenant: who.Tenant, Account: who.Account}
	if err := t.record(ctx, ActionIssue, actor, who, d.ID, "", nil); err != nil {
		return "", Device{}, err
	}
	return text, d, nil
}

// Renew returns what the device shall hold after a success: the same token while it counts and is young, a younger one of the same
// device when it counts and is old ([Policy].Renew), and that of a new device when it does not count.
func (t *Tokens) Renew(ctx context.Context, who Owner, text string) (string, Device, error) {
	d, err := t.Check(ctx, who, text)
	switch {
	case errors.Is(err, opsec.ErrDenied):
		return t.Issue(ctx, who)
	case err != nil:
		return "", Device{}, err
	}
	old, _, _ := parse(text)
	now := t.o.Now()
	if signer, ok := t.keys.signer(now); ok && now.Sub(d.Issued) < t.p.Renew && signer.ID == old.key {
		return text, d, nil
	}
	return t.sign(who, old) // of the epoch that Check has seen: a revocation meanwhile ends the new token too
}

// sign makes a token of the device and the epoch of n, by the newest key, as of now.
func (t *Tokens) sign(who Owner, n token) (string, Device, error) {
	now := t.o.Now()
	key, ok := t.keys.signer(now)
	if !ok {
		return "", Device{}, invalid("no key signs at %v", now.UTC().Format(time.RFC3339))
	}
	n.key, n.issued = key.ID, now.Unix()
	return n.sign(who, key), t.device(n, key), nil
}

// device says how long a token counts: no longer than its key.
func (t *Tokens) device(n token, key Key) Device {
	d := Device{ID: n.id(), Issued: time.Unix(n.issued, 0).UTC()}
	d.Expires = d.Issued.Add(t.p.Lifetime)
	if !key.Until.IsZero() && key.Until.Before(d.Expires) {
		d.Expires = key.Until.UTC()
	}
	return d
}

// Check returns the device that holds this token of this account, or one of [ErrForeign], [ErrExpired] and [ErrRevoked], which
// wrap [opsec.ErrDenied]. Any other error is the register's, and the token does not count either.
func (t *Tokens) Check(ctx context.Context, who Owner, text string) (Device, error) {
	n, mac, ok := parse(text)
	if !ok || who.validate() != nil {
		return Device{}, ErrForeign
	}
	now := t.o.Now()
	key, ok := t.keys.verifier(n.key, now)
	if !ok || !n.valid(who, key, mac) {
		return Device{}, ErrForeign
	}
	d := t.device(n, key)
	if !now.Before(d.Expires) || d.Issued.After(now.Add(t.p.Skew)) {
		return Device{}, ErrExpired
	}
	mark, err := t.register.Look(ctx, who, d.ID)
	if err != nil {
		return Device{}, fmt.Errorf("device: revocations: %w", err)
	}
	if mark.Revoked || mark.Epoch != n.epoch {
		return Device{}, ErrRevoked
	}
	return d, nil
}

// Revoke ends the tokens of one device of an account, named by [Device].ID. It is done for good when Revoke returns nil, and when
// only the recorder has failed. The actor must be permitted [ActionRevoke] on the resource of type "account".
func (t *Tokens) Revoke(ctx context.Context, by opsec.Actor, who Owner, device, reason string) error {
	if !validID(device) {
		return invalid("device identifier of %d bytes, want %d hexadecimal digits", len(device), 2*idBytes)
	}
	return t.revoke(ctx, ActionRevoke, by, who, device, reason, func() error {
		return t.register.Revoke(ctx, who, device, t.o.Now().Add(maxLifetime+maxSkew)) // whatever the policy becomes
	})
}

// RevokeAll ends the tokens of all devices of an account, by a new epoch. See [Tokens.Revoke].
func (t *Tokens) RevokeAll(ctx context.Context, by opsec.Actor, who Owner, reason string) error {
	return t.revoke(ctx, ActionRevokeAll, by, who, "", reason, func() error { return t.register.RevokeAll(ctx, who) })
}

func (t *Tokens) revoke(ctx context.Context, action string, by opsec.Actor, who Owner, device, reason string, do func() error) error {
	if err := who.validate(); err != nil {
		return err
	}
	err := t.o.Authorizer.Authorize(ctx, by, action, who.resource())
	if err == nil {
		err = do()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", action, err)
	}
	return errors.Join(err, t.record(ctx, action, by, who, device, reason, err))
}

func (o Owner) resource() opsec.Resource {
	return opsec.Resource{Tenant: o.Tenant, Type: "account", ID: o.Account}
}

func (t *Tokens) record(ctx context.Context, action string, by opsec.Actor, who Owner, device, reason string, why error) error {
	if t.o.Recorder == nil {
		return nil
	}
	e := opsec.NewEvent(action, t.o.Now().UTC())
	e.Tenant, e.Outcome, e.Actor, e.Resource, e.Reason = who.Tenant, opsec.OutcomeOf(why), by, who.resource(), reason
	if device != "" {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "device", Value: device, Mark: opsec.Personal})
	}
	if _, err := t.o.Recorder.Record(ctx, e); err != nil {
		return fmt.Errorf("device: %s is not recorded: %w", action, err)
	}
	return nil
}

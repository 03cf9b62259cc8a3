package translog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// ErrHeld says that a legal hold forbids what was asked: it comes with [opsec.ErrDenied].
var ErrHeld = errors.New("translog: under legal hold")

// Erase destroys the keys of a person's accounts, or of one account. What the log says about them is then gone from the
// directory and from every copy of it; every proof still verifies. The tombstone, [ActionErase], names handles alone. It
// returns the handles that were erased, none when nothing was known of s.
//
// The authorizer is asked for ActionErase on the resource {s.Tenant, "subject", person or account}. A hold on the tenant
// is [ErrHeld]. An error after the keys are gone says so; asking again is safe.
func (l *Log) Erase(ctx context.Context, who opsec.Actor, s entry.Subject, reason string) ([]entry.Handle, error) {
	if s.Account == "" && s.Person == "" {
		return nil, invalid("erase: neither account nor person; see EraseTenant")
	}
	return l.erase(ctx, who, s, opsec.Resource{Tenant: s.Tenant, Type: "subject", ID: cmp.Or(s.Person, s.Account)}, reason)
}

// EraseTenant destroys the key of a tenant: of all that its events say and no person's key seals. What comes from it
// later is under another tag. It is Erase otherwise, and the resource asked for is {Provider, "tenant", tenant}.
func (l *Log) EraseTenant(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, reason string) ([]entry.Handle, error) {
	what := opsec.Resource{Tenant: opsec.Provider, Type: "tenant", ID: string(tenant)}
	return l.erase(ctx, who, entry.Subject{Tenant: tenant}, what, reason)
}

func (l *Log) erase(ctx context.Context, who opsec.Actor, s entry.Subject, asked opsec.Resource, reason string) ([]entry.Handle, error) {
	authErr := l.opts.Authorizer.Authorize(ctx, who, ActionErase, asked)
	l.holds.mu.Lock()
	defer l.holds.mu.Unlock() // no hold comes between the question and the deed
	if authErr == nil && l.holds.on(s.Tenant) {
		authErr = fmt.Errorf("%w: %w", ErrHeld, opsec.ErrDenied)
	}
	handles, err := l.opts.Keys.Find(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	texts := make([]string, len(handles))
	for i, h := range handles {
		texts[i] = h.String()
	}
	// The name of whom is erased must not stand in what remains.
	e := l.event(ActionErase, who, opsec.Resource{Tenant: asked.Tenant, Type: asked.Type})
	e.Reason = reason
	for i := 0; i < len(texts); i += erasedPerAttr {
		e.Attrs = append(e.Attrs, opsec.Attr{
			Key: attrSubject, Mark: opsec.Tenant, Value: strings.Join(texts[i:min(i+erasedPerAttr, len(texts))], " "),
		})
	}
	if len(e.Attrs) > opsec.MaxAttrs {
		return nil, invalid("%d subjects at once", len(handles))
	}
	if authErr != nil {
		e.Outcome, e.Attrs = opsec.OutcomeOf(authErr), nil // whose accounts they are is not told
		if !errors.Is(authErr, ErrHeld) {
			authErr = fmt.Errorf("translog: %w", authErr)
		}
		_, err := l.Append(ctx, e)
		return nil, errors.Join(authErr, err)
	}
	if len(handles) == 0 {
		return nil, nil
	}
	op, err := opsec.Begin(ctx, l, e)
	if err != nil {
		return nil, err
	}
	err = l.opts.Keys.Erase(ctx, handles...)
	if endErr := op.End(ctx, opsec.OutcomeOf(err)); endErr != nil {
		err = errors.Join(err, fmt.Errorf("translog: the end of the erasure is not on record: %w", endErr))
	}
	return handles, err
}

// erasedPerAttr is how many handles stand in one attribute.
const erasedPerAttr = 200

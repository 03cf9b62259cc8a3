package lifecycle

import (
	"context"

	"github.com/cloudopsec/opsec/keymgmt"
)

// used is the document of what has been leased of a key: never less than what it has protected.
type used struct{ keymgmt.Amount }

// left returns what a policy leaves for a key whose algorithm it permits, and so bears as much.
func (u used) left(p keymgmt.Policy) keymgmt.Amount {
	return keymgmt.Amount{Messages: p.Messages - min(p.Messages, u.Messages), Bytes: p.Bytes - min(p.Bytes, u.Bytes)}
}

// Lease implements [keymgmt.Source]. What is leased counts as used, whether it is or not. Leases are not recorded as events: they are
// many, and the document has their sum.
func (m *Manager) Lease(ctx context.Context, ref keymgmt.Ref, ask keymgmt.Amount) (got keymgmt.Amount, err error) {
	if err := ref.Validate(); err != nil {
		return got, err
	}
	if ask.Messages == 0 {
		return got, invalid("lease: messages is 0, want at least 1")
	}
	err = m.repo.Update(ctx, ref.Set.Tenant, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		docs, err := read(setName(ref.Set), keyName(ref), usageName(ref))
		if err != nil {
			return out, err
		}
		set, err := m.parseSet(ref.Set, docs[0])
		if err != nil {
			return out, err
		}
		r, err := parseKey(ref, docs[1])
		if err != nil {
			return out, err
		}
		var u used
		if _, err := parse(docs[2], &u, usageName(ref)); err != nil {
			return out, err
		}
		op := protecting(set.Purpose)
		if err := keymgmt.NewPermit(set, r.Key, keymgmt.Operator, nil).Check(op, m.o.Now().UnixNano()); err != nil {
			return out, err
		}
		rest := u.left(set.Policy)
		got = keymgmt.Amount{Messages: min(ask.Messages, rest.Messages), Bytes: min(ask.Bytes, rest.Bytes)}
		if got.Messages == 0 || got.Bytes == 0 && ask.Bytes > 0 {
			return out, &keymgmt.ExhaustedError{Ref: ref}
		}
		u.Messages += got.Messages
		u.Bytes += got.Bytes
		return out, add(&out, usageName(ref), u)
	})
	if err != nil {
		return keymgmt.Amount{}, err
	}
	return got, nil
}

// protecting returns the operation that uses a key up.
func protecting(p keymgmt.Purpose) keymgmt.Op {
	for _, o := range []keymgmt.Op{keymgmt.Protect, keymgmt.Wrap, keymgmt.Sign, keymgmt.Derive} {
		if p.Allows(o) {
			return o
		}
	}
	return 0
}

// usage returns what has been leased of a key.
func (m *Manager) usage(ctx context.Context, ref keymgmt.Ref) (u used, err error) {
	docs, err := m.documents(ctx, ref.Set.Tenant, usageName(ref))
	if err == nil {
		_, err = parse(docs[0], &u, usageName(ref))
	}
	return u, err
}

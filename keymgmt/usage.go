package keymgmt

import "context"

// used is the document of what has been leased of a key: never less than what it has protected.
type used struct{ Amount }

// left returns what a policy, and the algorithm, leave for a key.
func (u used) left(p Policy, a Algorithm) Amount {
	most := a.Limits()
	return Amount{
		Messages: min(p.Messages, most.Messages) - min(p.Messages, most.Messages, u.Messages),
		Bytes:    min(p.Bytes, most.Bytes) - min(p.Bytes, most.Bytes, u.Bytes),
	}
}

// Lease implements [Source]. What is leased counts as used, whether it is or not. Leases are not recorded as events: they are
// many, and the document has their sum.
func (m *Manager) Lease(ctx context.Context, ref Ref, ask Amount) (got Amount, err error) {
	if err := ref.Validate(); err != nil {
		return got, err
	}
	if ask.Messages == 0 {
		return got, invalid("lease: messages is 0, want at least 1")
	}
	err = m.repo.Update(ctx, ref.Set.Tenant, func(read Read) (out Changes, err error) {
		docs, err := read(setName(ref.Set), keyName(ref), usageName(ref))
		if err != nil {
			return out, err
		}
		set, err := parseSet(ref.Set, docs[0])
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
		op := set.Purpose.protects()
		if err := NewPermit(set, r.Key, Operator, nil).Check(op, unixNano(m.o.Now())); err != nil {
			return out, err
		}
		rest := u.left(set.Policy, r.Key.Algorithm)
		got = Amount{min(ask.Messages, rest.Messages), min(ask.Bytes, rest.Bytes)}
		if got.Messages == 0 || got.Bytes == 0 && ask.Bytes > 0 {
			return out, &ExhaustedError{Ref: ref}
		}
		u.Messages += got.Messages
		u.Bytes += got.Bytes
		return out, out.add(usageName(ref), u)
	})
	if err != nil {
		return Amount{}, err
	}
	return got, nil
}

// protects returns the operation that uses a key up.
func (p Purpose) protects() Op {
	for o := Op(1); o < operations; o++ {
		if o.Protects() && p.Allows(o) {
			return o
		}
	}
	return Protect
}

// usage returns what has been leased of a key.
func (m *Manager) usage(ctx context.Context, ref Ref) (u used, err error) {
	docs, err := m.documents(ctx, ref.Set.Tenant, usageName(ref))
	if err == nil {
		_, err = parse(docs[0], &u, usageName(ref))
	}
	return u, err
}

package store

import "slices"

// ValidateKeys returns [ErrTooLarge] or an error wrapping [opsec.ErrInvalid] unless keys are what a Get may ask for.
// Drivers call this and its two sisters first.
func ValidateKeys(keys ...string) error {
	if len(keys) > MaxGet {
		return tooLarge("%d keys in a Get, at most %d", len(keys), MaxGet)
	}
	for _, k := range keys {
		if err := validateKey(k); err != nil {
			return err
		}
	}
	return nil
}

func validateKey(k string) error {
	switch {
	case k == "":
		return invalid("empty key")
	case len(k) > MaxKey:
		return tooLarge("a key of %d bytes, at most %d", len(k), MaxKey)
	}
	return nil
}

// Validate returns an error unless r may be listed. A range whose End is not above its Start is valid, and empty.
func (r Range) Validate() error {
	switch {
	case r.Limit < 1 || r.Limit > MaxPage:
		return invalid("range: limit %d, want 1 to %d", r.Limit, MaxPage)
	case len(r.Start) > MaxKey+1 || len(r.End) > MaxKey+1: // one more, for what is just behind the longest key
		return tooLarge("range: a bound of more than %d bytes", MaxKey+1)
	}
	return nil
}

// Validate returns [ErrTooLarge] or an error wrapping [opsec.ErrInvalid] when b is over the limits or names a key twice.
func (b *Batch) Validate() error {
	if len(b.Ops) > MaxOps || len(b.Checks) > MaxChecks {
		return tooLarge("a commit of %d ops and %d checks, at most %d and %d",
			len(b.Ops), len(b.Checks), MaxOps, MaxChecks)
	}
	size := 0
	for i := range b.Checks {
		if err := validateKey(b.Checks[i].Key); err != nil {
			return err
		}
		size += len(b.Checks[i].Key)
	}
	for i := range b.Ops {
		op := &b.Ops[i]
		if err := validateKey(op.Key); err != nil {
			return err
		}
		if len(op.Value) > MaxValue {
			return tooLarge("a value of %d bytes, at most %d", len(op.Value), MaxValue)
		}
		if op.Delete && len(op.Value) > 0 {
			return invalid("batch: ops[%d] deletes and has a value", i)
		}
		size += len(op.Key) + len(op.Value)
	}
	if size > MaxBatch {
		return tooLarge("a commit of %d bytes, at most %d", size, MaxBatch)
	}
	if twice(b.Ops, func(op *Op) string { return op.Key }) || twice(b.Checks, func(c *Check) string { return c.Key }) {
		return invalid("batch: a key stands twice among the ops, or among the checks")
	}
	return nil
}

// twice reports whether two elements have one key.
func twice[T any](list []T, key func(*T) string) bool {
	keys := make([]string, len(list))
	for i := range list {
		keys[i] = key(&list[i])
	}
	slices.Sort(keys) // as a DB sends them they are in order
	return len(slices.Compact(keys)) < len(list)
}

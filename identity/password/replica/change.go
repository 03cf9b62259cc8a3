package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/store"
)

var (
	// ErrOlder says that a target has a later version already.
	ErrOlder = errors.New("replica: older than what is there")
	// ErrUnreadable says that a target cannot read a hash of this form.
	ErrUnreadable = errors.New("replica: form not read there")
	// ErrForked says that a target has another hash under the same version: passwords were changed at two places.
	ErrForked = errors.New("replica: another hash of the same version")
)

// Change is another hash of an account's password. Who appends it fills in the first five fields.
type Change struct {
	Account string    `json:"account"`          // 1 to 256 bytes of UTF-8
	Version uint64    `json:"version"`          // from 1, higher with every hash of the account
	Hash    string    `json:"hash,omitempty"`   // as package hash makes it; empty for an account that has no password any more, or sealed
	Raw     bool      `json:"raw,omitempty"`    // over the bytes as they are typed
	Changed time.Time `json:"changed,omitzero"` // when the password was set

	Scheme  hash.Scheme `json:"scheme,omitempty"`  // of the hash, also where it is sealed
	Peppers []string    `json:"peppers,omitempty"` // likewise
	Memory  int         `json:"memory,omitempty"`  // likewise; KiB
	Sealed  []byte      `json:"sealed,omitempty"`  // the hash, for whoever has the key
}

// Format implements [fmt.Formatter]: nothing of the hash, under every verb.
func (c Change) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "version %d of %q, %s", c.Version, c.Account, c.Scheme)
}

// LogValue implements [slog.LogValuer] by Format.
func (c Change) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// described returns c with what its hash says of itself. The error wraps [opsec.ErrInvalid]; it does not show the hash.
func (c Change) described() (Change, error) {
	if len(c.Account) < 1 || len(c.Account) > 256 || !utf8.ValidString(c.Account) || c.Version == 0 {
		return c, invalid("change: an account of %d bytes, version %d: want 1 to 256 of UTF-8, and from 1", len(c.Account), c.Version)
	}
	c.Scheme, c.Peppers, c.Memory, c.Sealed = "", nil, 0, nil
	if c.Hash == "" {
		return c, nil
	}
	form, err := hash.Parse(c.Hash)
	c.Scheme, c.Peppers, c.Memory = form.Scheme, form.Peppers, form.Memory
	return c, err
}

// bound is what the seal of a change binds: all else of it.
func (c Change) bound(tenant opsec.TenantID) []byte {
	c.Hash, c.Sealed = "", nil
	b, _ := json.Marshal(c) // texts, numbers, a time
	return fmt.Appendf(nil, "opsec/identity/password/replica/v1 %s %s", tenant, b)
}

func (c Change) seal(s store.Sealer, tenant opsec.TenantID) (Change, error) {
	if s == nil || c.Hash == "" {
		return c, nil
	}
	sealed, err := s.Encrypt([]byte(c.Hash), c.bound(tenant))
	c.Hash, c.Sealed = "", sealed
	return c, err
}

// Open returns the change with its hash in clear, for a target of your own. The error wraps [opsec.ErrInvalid] when it is not what was
// appended for this tenant; a sealer refuses a change that is not sealed. A hash of a form that only a later library knows is
// [ErrUnreadable].
func Open(s store.Sealer, tenant opsec.TenantID, c Change) (Change, error) {
	if s != nil && c.Scheme != "" {
		if c.Hash != "" {
			return c, invalid("change: not sealed")
		}
		b, err := s.Decrypt(c.Sealed, c.bound(tenant))
		if err != nil {
			return c, invalid("change: does not open")
		}
		c.Hash = string(b)
	}
	d, err := c.described()
	if errors.Is(err, hash.ErrForm) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if err == nil && (d.Scheme != c.Scheme || !slices.Equal(d.Peppers, c.Peppers) || d.Memory != c.Memory) {
		err = invalid("change: not the form that it says")
	}
	return d, err
}

// Reads says which hashes a target can verify. The zero value reads none.
type Reads struct {
	Schemes []hash.Scheme `json:"schemes"`
	Peppers []string      `json:"peppers,omitempty"` // whose keys it can use
	Memory  int           `json:"memory"`            // KiB that it has for one hash
	Raw     bool          `json:"raw,omitempty"`     // it can take secrets as they are typed
}

// Can returns an error that wraps [ErrUnreadable] and says why, unless the target can read the change.
func (r Reads) Can(c Change) error {
	switch {
	case c.Scheme == "": // no password any more
		return nil
	case !slices.Contains(r.Schemes, c.Scheme):
		return fmt.Errorf("%w: scheme %s", ErrUnreadable, c.Scheme)
	case c.Memory > r.Memory:
		return fmt.Errorf("%w: %d KiB, of %d", ErrUnreadable, c.Memory, r.Memory)
	case c.Raw && !r.Raw:
		return fmt.Errorf("%w: over bytes as they are typed", ErrUnreadable)
	}
	for _, p := range c.Peppers {
		if !slices.Contains(r.Peppers, p) {
			return fmt.Errorf("%w: pepper %s", ErrUnreadable, p)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("replica: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}

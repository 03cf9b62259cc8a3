package lockout

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// MaxName is how many bytes an account or a device may have.
const MaxName = 256

// Validate returns an error that wraps [opsec.ErrInvalid] unless k names a counter: a valid tenant, an account of 1 to [MaxName]
// bytes, a factor, one of the classes, and a device of 1 to [MaxName] bytes for [Trusted] alone.
func (k Key) Validate() error {
	if err := k.Tenant.Validate(); err != nil {
		return err
	}
	switch {
	case k.Account == "" || len(k.Account) > MaxName:
		return invalid("account of %d bytes: want 1 to %d", len(k.Account), MaxName)
	case !k.Factor.valid():
		return invalid("factor of %d bytes: want 1 to 32 lower-case letters, digits, '-'", len(k.Factor))
	case k.Class != Unknown && k.Class != Familiar && k.Class != Trusted:
		return invalid("class of %d bytes: not one of those that there are", len(k.Class))
	case (k.Class == Trusted) != (k.Device != "") || len(k.Device) > MaxName:
		return invalid("device of %d bytes: want 1 to %d of a trusted one, and none of another", len(k.Device), MaxName)
	}
	return nil
}

func (f Factor) valid() bool {
	for i := range len(f) {
		if c := f[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return f != "" && len(f) <= 32
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("lockout: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

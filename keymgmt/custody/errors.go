package custody

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// What the custodians here take, in bytes.
const (
	MaxHandle   = 512      // of a handle: UTF-8 without control characters, not empty
	MaxMaterial = 64 << 10 // of material, of associated data, and of what is kept in one blob
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("custody: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// unavailable says that something outside does not answer as it should.
func unavailable(what string, cause error) error {
	return fmt.Errorf("custody: %s: %w: %w", what, keymgmt.ErrUnavailable, cause)
}

func validHandle(handle string) error {
	if handle == "" || len(handle) > MaxHandle || !utf8.ValidString(handle) {
		return invalid("handle of %d bytes: want 1 to %d of UTF-8", len(handle), MaxHandle)
	}
	for _, r := range handle {
		if unicode.IsControl(r) {
			return invalid("handle: control character %U", r)
		}
	}
	return nil
}

func validMaterial(what string, b []byte) error {
	if len(b) == 0 || len(b) > MaxMaterial {
		return invalid("%s of %d bytes: want 1 to %d", what, len(b), MaxMaterial)
	}
	return nil
}

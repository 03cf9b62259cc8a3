package keyring

import (
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Material is the [keymgmt.Material] of Tink: a binary keyset of one key, enabled and primary, with Tink's prefix.
type Material struct{}

var _ = keyset.NewManager

// New implements [keymgmt.Material].
func (Material) New(a keymgmt.Algorithm, id uint32) ([]byte, error) { panic("not yet") }

// Examine implements [keymgmt.Material].
func (Material) Examine(material []byte) (keymgmt.Algorithm, uint32, error) { panic("not yet") }

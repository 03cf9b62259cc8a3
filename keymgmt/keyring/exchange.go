package keyring

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// maxPieces is how many keys a keyset may have that comes or goes.
const maxPieces = 1000

// Assemble makes one Tink keyset of materials that the manager's Export has given, for programs in any language that
// use Tink. Write it with [keyset.Handle.Write], encrypted. What a ring has sealed opens there with the same key, when
// [keymgmt.Context.Bytes] is the associated data.
func Assemble(primary uint32, materials ...[]byte) (*keyset.Handle, error) {
	if len(materials) > maxPieces {
		return nil, fmt.Errorf("keyring: %d keys to assemble, at most %d: %w", len(materials), maxPieces, opsec.ErrInvalid)
	}
	all := &tinkpb.Keyset{PrimaryKeyId: primary}
	seen := map[uint32]bool{}
	for i, m := range materials {
		_, id, err := Material{}.Examine(m)
		if err != nil {
			return nil, fmt.Errorf("keyring: material %d of those to assemble: %w", i, err)
		}
		if seen[id] {
			return nil, fmt.Errorf("keyring: key %08x is there twice: %w", id, opsec.ErrInvalid)
		}
		handle, err := parse(m)
		if err != nil {
			return nil, err
		}
		seen[id] = true
		all.Key = append(all.Key, insecurecleartextkeyset.KeysetMaterial(handle).GetKey()...)
	}
	if !seen[primary] {
		return nil, fmt.Errorf("keyring: the primary key %08x is not among those to assemble: %w", primary, opsec.ErrInvalid)
	}
	return handleOf(all)
}

// Piece is one key of a Tink keyset, to be expected and imported by a manager.
type Piece struct {
	Key       uint32
	Algorithm keymgmt.Algorithm
	Primary   bool
	Enabled   bool   // as it was in the keyset
	Material  []byte // in the clear; clear it after use
}

// Split takes a Tink keyset apart, in its order, for the manager's Expect and Import. Keys that Tink
// calls destroyed have no material, and are left out. A key that no template of those we know makes is refused, with
// all others: one without Tink's prefix, for instance, would leave ciphertexts that name no key.
func Split(handle *keyset.Handle) ([]Piece, error) {
	if handle == nil || handle.Len() > maxPieces {
		return nil, fmt.Errorf("keyring: want a keyset of at most %d keys: %w", maxPieces, opsec.ErrInvalid)
	}
	all := insecurecleartextkeyset.KeysetMaterial(handle)
	var pieces []Piece
	for _, k := range all.GetKey() {
		if k.GetStatus() == tinkpb.KeyStatusType_DESTROYED {
			continue
		}
		one := &tinkpb.Keyset{PrimaryKeyId: k.GetKeyId(), Key: []*tinkpb.Keyset_Key{{
			KeyData: k.GetKeyData(), Status: tinkpb.KeyStatusType_ENABLED, KeyId: k.GetKeyId(), OutputPrefixType: k.GetOutputPrefixType(),
		}}}
		m, err := cleartext(one)
		if err != nil {
			return nil, err
		}
		a, id, err := Material{}.Examine(m)
		if err != nil {
			return nil, fmt.Errorf("keyring: key %08x of the keyset: %w", k.GetKeyId(), err)
		}
		pieces = append(pieces, Piece{
			Key: id, Algorithm: a, Primary: id == all.GetPrimaryKeyId(), Enabled: k.GetStatus() == tinkpb.KeyStatusType_ENABLED, Material: m,
		})
	}
	return pieces, nil
}

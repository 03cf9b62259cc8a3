package keymgmt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

func TestNamesOfKeysetsAndKeysAreChecked(t *testing.T) {
	require.NoError(t, subject.Validate())
	require.NoError(t, keymgmt.SetID{Tenant: opsec.Provider, ID: strings.Repeat("a", keymgmt.MaxID)}.Validate())
	require.NoError(t, keymgmt.SetID{Tenant: "acme", ID: "a/b.c_d-9"}.Validate())
	for why, ref := range map[string]keymgmt.Ref{
		"key id":            {Set: subject.Set},
		"tenant":            {Set: keymgmt.SetID{ID: "a"}, Key: 1},
		"0 bytes":           {Set: keymgmt.SetID{Tenant: "acme"}, Key: 1},
		"129 bytes":         {Set: keymgmt.SetID{Tenant: "acme", ID: strings.Repeat("a", 129)}, Key: 1},
		"byte 0x41 at 1":    {Set: keymgmt.SetID{Tenant: "acme", ID: "aA"}, Key: 1},
		"byte 0x20 at 0":    {Set: keymgmt.SetID{Tenant: "acme", ID: " "}, Key: 1},
		"byte 0xc3 at 0":    {Set: keymgmt.SetID{Tenant: "acme", ID: "é"}, Key: 1},
		"byte 0x7b at 0":    {Set: keymgmt.SetID{Tenant: "acme", ID: "{"}, Key: 1},
		"byte 0x3a at 0: w": {Set: keymgmt.SetID{Tenant: "acme", ID: ":"}, Key: 1},
	} {
		err := ref.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, why)
		require.ErrorContains(t, err, why)
	}
}

func ExampleRef() {
	ref := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 42}
	fmt.Println(ref, ref.Set, ref.Validate())
	// Output: acme/disks/0000002a acme/disks <nil>
}

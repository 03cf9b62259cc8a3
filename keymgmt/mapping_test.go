package keymgmt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// statuses is what each dialect knows: the State enumeration of KMIP 2.1; KeyState of AWS KMS's API; CryptoKeyVersionState of
// Cloud KMS's; KeyStatusType of Tink's tink.proto.
var statuses = map[keymgmt.Dialect]string{
	keymgmt.KMIP: "Pre-Active|Active|Deactivated|Compromised|Destroyed|Destroyed Compromised",
	keymgmt.AWS:  "Creating|Enabled|Disabled|PendingDeletion|PendingImport|PendingReplicaDeletion|Unavailable|Updating",
	keymgmt.GCP: "PENDING_GENERATION|ENABLED|DISABLED|DESTROYED|DESTROY_SCHEDULED|PENDING_IMPORT|IMPORT_FAILED|" +
		"GENERATION_FAILED|PENDING_EXTERNAL_DESTRUCTION|EXTERNAL_DESTRUCTION_FAILED",
	keymgmt.Tink: "UNKNOWN_STATUS|ENABLED|DISABLED|DESTROYED",
}

func TestEachStateHasAStatusInEachDialect(t *testing.T) {
	for d, list := range statuses {
		for _, s := range allStates {
			status, lost := s.In(d)
			if d == keymgmt.AWS && s.Final() {
				require.Empty(t, status, "a deleted key has none")
				require.NotEmpty(t, lost)
				continue
			}
			require.Contains(t, strings.Split(list, "|"), status, "%s %s", d, s)
			back, lostBack, err := d.State(status)
			require.NoError(t, err)
			require.Equal(t, back == s && lostBack == "", lost == "", "%s %s: nothing is lost if it leads back", d, s)
			if d == keymgmt.Tink && s == keymgmt.Deactivated {
				continue // the exception that In tells
			}
			for _, o := range allOps {
				require.False(t, o != keymgmt.Export && back.Allows(o) && !s.Allows(o), "%s: %s must not become %s", d, s, status)
			}
		}
		for _, s := range []keymgmt.State{0, 12, 255} {
			status, lost := s.In(d)
			require.Empty(t, status)
			require.NotEmpty(t, lost)
		}
	}
	status, lost := keymgmt.Active.In("Vault")
	require.Empty(t, status)
	require.NotEmpty(t, lost)
}

func TestEachStatusHasAState(t *testing.T) {
	for d, list := range statuses {
		for _, status := range strings.Split(list, "|") {
			s, lost, err := d.State(status)
			require.NoError(t, err)
			require.Contains(t, allStates, s)
			back, lostBack := s.In(d)
			require.Equal(t, back == status && lostBack == "", lost == "", "%s %s: nothing is lost if it leads back", d, status)
		}
		for _, status := range []string{"", "enabled", "None", strings.Repeat("x", 1000)} {
			_, _, err := d.State(status)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Less(t, len(err.Error()), 200)
		}
	}
	_, _, err := keymgmt.Dialect("Vault").State("ENABLED")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestNoStatusOfAnotherManagerSaysThatAKeyMayBeUsedWhichItIsNot(t *testing.T) {
	usable := map[keymgmt.Dialect][]string{
		keymgmt.KMIP: {"Active", "Deactivated", "Compromised"}, keymgmt.AWS: {"Enabled"}, keymgmt.GCP: {"ENABLED"}, keymgmt.Tink: {"ENABLED"},
	}
	for d, list := range statuses {
		for _, status := range strings.Split(list, "|") {
			s, _, err := d.State(status)
			require.NoError(t, err)
			require.Equal(t, slices.Contains(usable[d], status), s.Allows(keymgmt.Process), "%s %s", d, status)
		}
	}
}

func ExampleState_In() {
	for _, d := range []keymgmt.Dialect{keymgmt.KMIP, keymgmt.AWS, keymgmt.GCP, keymgmt.Tink} {
		status, lost := keymgmt.Deactivated.In(d)
		fmt.Printf("%s: %s; lost: %q\n", d, status, lost)
	}
	// Output:
	// KMIP: Deactivated; lost: ""
	// AWS: Disabled; lost: "that it still processes"
	// GCP: DISABLED; lost: "that it still processes"
	// Tink: ENABLED; lost: "that it does not protect: it must not be the primary"
}

func ExampleDialect_State() {
	fmt.Println(keymgmt.GCP.State("PENDING_EXTERNAL_DESTRUCTION"))
	// Output: destroy-failed that the third party has not answered yet <nil>
}

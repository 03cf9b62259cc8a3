package keymgmt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// uses is what NIST SP 800-57 part 1, section 7 (read in revision 4), says of each state, and what operating adds, written down
// independently of the table: 7.1 nothing before activation; 7.2 both when active; 7.3 a suspended key protects nothing,
// and here processes nothing either, which the section leaves to the recipient's risk; 7.4 and 7.5 processing alone.
const uses = `
pre-activation:
active:                protect process wrap unwrap sign verify derive export
suspended:
deactivated:           process unwrap verify export
compromised:           process unwrap verify
destroyed:
destroyed-compromised:
importing:
destroy-scheduled:
destroy-failed:
external:              protect process wrap unwrap sign verify derive
`

func TestStatesAllowWhatTheStandardSays(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(uses), "\n")
	require.Len(t, lines, len(allStates))
	for _, line := range lines {
		name, list, _ := strings.Cut(line, ":")
		var s keymgmt.State
		require.NoError(t, s.UnmarshalText([]byte(name)))
		for _, o := range allOps {
			require.Equal(t, slices.Contains(strings.Fields(list), o.String()), s.Allows(o), "%s %s", s, o)
		}
		require.Equal(t, strings.HasPrefix(name, "destroyed"), s.Final(), name)
	}
}

func TestWhatIsNoStateOrOperationIsNotAllowed(t *testing.T) {
	for s := range 256 {
		for o := range 256 {
			if !slices.Contains(allStates, keymgmt.State(s)) || !slices.Contains(allOps, keymgmt.Op(o)) {
				require.False(t, keymgmt.State(s).Allows(keymgmt.Op(o)), "%d %d", s, o)
			}
		}
	}
	require.False(t, keymgmt.State(0).Final())
}

func TestStatesAndOperationsAreTextInJSON(t *testing.T) {
	type both struct {
		S keymgmt.State
		O keymgmt.Op
	}
	seen := map[string]bool{}
	for _, s := range append(allStates, 0) {
		for _, o := range append(allOps, 0) {
			text, err := json.Marshal(both{s, o})
			require.NoError(t, err)
			require.False(t, seen[string(text)], "%s twice", text)
			seen[string(text)] = true
			var read both
			require.NoError(t, json.Unmarshal(text, &read))
			require.Equal(t, both{s, o}, read)
		}
	}
	require.Equal(t, "none State(77) pre-activation Op(0) Op(99) derive",
		fmt.Sprint(keymgmt.State(0), " ", keymgmt.State(77), " ", keymgmt.PreActivation, " ", keymgmt.Op(0), " ", keymgmt.Op(99), " ", keymgmt.Derive))
	_, err := json.Marshal(keymgmt.State(77))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	s := keymgmt.Active
	require.ErrorIs(t, s.UnmarshalText([]byte("Active")), opsec.ErrInvalid)
	require.Equal(t, keymgmt.Active, s)
}

// moves is the life of a key, again independently: SP 800-57 part 1, section 7, with destruction in
// two steps, KMIP's Destroyed to Destroyed Compromised, and ours: a deactivated key can be suspended, a destruction can be
// cancelled or fail.
const moves = `
none:                  generate>pre-activation expect>importing link>external
pre-activation:        activate>active compromise>compromised schedule-destruction>destroy-scheduled
active:                suspend>suspended deactivate>deactivated compromise>compromised schedule-destruction>destroy-scheduled count>active change-periods>active
suspended:             resume>active deactivate>deactivated compromise>compromised schedule-destruction>destroy-scheduled count>suspended change-periods>suspended
deactivated:           suspend>suspended compromise>compromised schedule-destruction>destroy-scheduled count>deactivated change-periods>deactivated
compromised:           compromise>compromised schedule-destruction>destroy-scheduled count>compromised
destroyed:             compromise>destroyed-compromised fail-destruction>destroy-failed
destroyed-compromised: compromise>destroyed-compromised fail-destruction>destroy-failed
importing:             import>pre-activation schedule-destruction>destroy-scheduled
destroy-scheduled:     cancel-destruction>deactivated compromise>destroy-scheduled count>destroy-scheduled fail-destruction>destroy-failed destroy>destroyed force-destroy>destroyed
destroy-failed:        compromise>destroy-failed count>destroy-failed destroy>destroyed force-destroy>destroyed
external:              suspend>suspended deactivate>deactivated compromise>compromised schedule-destruction>destroy-scheduled count>external change-periods>external
`

func TestVerbsMoveAKeyWhereTheStandardSays(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(moves)) {
		name, list, _ := strings.Cut(line, ":")
		want := map[string]string{}
		for _, move := range strings.Fields(list) {
			verb, to, _ := strings.Cut(move, ">")
			want[verb] = to
		}
		k, at := keymgmt.Key{Ref: subject}, dawn
		if name != "none" {
			var s keymgmt.State
			require.NoError(t, s.UnmarshalText([]byte(name)))
			k, _ = live(t, courses[s]...)
			at = k.Changed.Add(2 * hour)
		}
		for _, v := range keyVerbs {
			e := happen(v, at)
			if v == keymgmt.Compromise && !k.Compromised.IsZero() {
				e.Since = k.Compromised.Add(-hour)
			}
			after, _, err := keymgmt.Apply(k, e, at)
			to, may := want[string(v)]
			switch {
			case may:
				require.NoError(t, err, "%s %s", name, v)
				require.Equal(t, to, after.State.String(), "%s %s", name, v)
			case v == keymgmt.Unlink && strings.HasPrefix(name, "destroy-"): // not external
				require.ErrorIs(t, err, opsec.ErrInvalid)
			default:
				var refused *keymgmt.StateError
				require.ErrorAs(t, err, &refused, "%s %s", name, v)
				require.Equal(t, keymgmt.StateError{Ref: subject, State: k.State, Verb: v}, *refused)
				require.ErrorIs(t, err, opsec.ErrDenied)
				require.Equal(t, k.State.Final(), errors.Is(err, keymgmt.ErrDestroyed))
				require.True(t, k.Equal(after), "%s %s changes nothing", name, v)
			}
		}
	}
}

// Example_states shows what can be done with a key of each state.
func Example_states() {
	for s := keymgmt.PreActivation; s <= keymgmt.External; s++ {
		line := fmt.Sprintf("%-21s", s)
		for o := keymgmt.Protect; o <= keymgmt.Export; o++ {
			if s.Allows(o) {
				line += " " + o.String()
			}
		}
		fmt.Println(strings.TrimSpace(line))
	}
	// Output:
	// pre-activation
	// active                protect process wrap unwrap sign verify derive export
	// suspended
	// deactivated           process unwrap verify export
	// compromised           process unwrap verify
	// destroyed
	// destroyed-compromised
	// importing
	// destroy-scheduled
	// destroy-failed
	// external              protect process wrap unwrap sign verify derive
}

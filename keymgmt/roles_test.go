package keymgmt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

func TestRolesAreOfPersonsAndNotOfAccounts(t *testing.T) {
	roles := keymgmt.Roles{keymgmt.Administrator: {"acme/alice"}, keymgmt.Operator: {"acme/bob", "@provider/carol"}}
	require.NoError(t, roles.Validate())
	for want, actors := range map[keymgmt.Role][]opsec.Actor{
		keymgmt.Administrator: {
			{Tenant: "acme", Person: "alice", Account: "alice"}, {Tenant: "acme", Person: "alice", Account: "alice-admin"},
		},
		keymgmt.Operator: {{Tenant: "acme", Person: "bob"}, {Tenant: opsec.Provider, Person: "carol"}},
		"": {
			{}, {Tenant: "acme"}, {Person: "alice"}, {Tenant: "acme", Account: "alice"}, {Tenant: "globex", Person: "alice"},
			{Tenant: "acme", Person: "carol"},
		},
	} {
		for _, a := range actors {
			require.Equal(t, want, roles.Of(a), "%+v", a)
		}
	}
}

func TestRolesOfOneKeysetAreDisjoint(t *testing.T) {
	all := []keymgmt.Role{keymgmt.Administrator, keymgmt.CustodianRole, keymgmt.Operator, keymgmt.Auditor}
	rapid.Check(t, func(t *rapid.T) {
		roles, many := keymgmt.Roles{keymgmt.Administrator: {"acme/root"}}, map[string]int{"acme/root": 1}
		for range rapid.IntRange(0, 6).Draw(t, "grants") {
			r, p := rapid.SampledFrom(all).Draw(t, "role"), "acme/"+rapid.StringMatching(`[abc]`).Draw(t, "person")
			roles[r] = append(roles[r], p)
			many[p]++
		}
		twice := false
		for _, n := range many {
			twice = twice || n > 1
		}
		require.Equal(t, twice, roles.Validate() != nil)
	})
}

func TestRolesRefuseWhoCannotBe(t *testing.T) {
	many := keymgmt.Roles{keymgmt.Administrator: {"acme/a"}}
	for i := range keymgmt.MaxPersons {
		many[keymgmt.Auditor] = append(many[keymgmt.Auditor], fmt.Sprint("acme/p", i))
	}
	for why, roles := range map[string]keymgmt.Roles{
		"0 administrators":      {keymgmt.Operator: {"acme/bob"}},
		"1 administrators of 2": many,
		"that is none":          {keymgmt.Administrator: {"acme/alice"}, "root": {"acme/bob"}},
		"administrator[1]":      {keymgmt.Administrator: {"acme/alice", "bob"}},
		"administrator[0]":      {keymgmt.Administrator: {"acme/" + strings.Repeat("x", 256)}},
		"operator[0]":           {keymgmt.Administrator: {"acme/alice"}, keymgmt.Operator: {"acme/<b>"}},
		"auditor[0]":            {keymgmt.Administrator: {"acme/alice"}, keymgmt.Auditor: {"acme/\n"}},
		"custodian[0]":          {keymgmt.Administrator: {"acme/alice"}, keymgmt.CustodianRole: {"/x"}},
	} {
		err := roles.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, why)
		require.ErrorContains(t, err, why)
	}
}

func TestResourceOfAKeyNamesIt(t *testing.T) {
	for _, ref := range []keymgmt.Ref{
		subject, {Set: keymgmt.SetID{Tenant: "acme", ID: "a/b/00000001"}, Key: 1<<32 - 1}, {Set: keymgmt.SetID{Tenant: opsec.Provider, ID: "x"}, Key: 1},
	} {
		back, is := keymgmt.RefOf(ref.Resource())
		require.True(t, is)
		require.Equal(t, ref, back)
	}
	for _, r := range []opsec.Resource{
		{}, {Tenant: "acme", Type: "keyset", ID: "disks/00000007"}, {Tenant: "acme", Type: "key", ID: "disks"},
		{Tenant: "acme", Type: "key", ID: "/00000007"}, {Tenant: "acme", Type: "key", ID: "disks/0000007"},
		{Tenant: "acme", Type: "key", ID: "disks/0000000G"}, {Tenant: "acme", Type: "key", ID: "disks/0000000A"},
		{Tenant: "acme", Type: "key", ID: "disks/+0000007"},
	} {
		_, is := keymgmt.RefOf(r)
		require.False(t, is, r)
	}
}

func ExampleRoles_Of() {
	roles := keymgmt.Roles{keymgmt.Administrator: {"acme/alice"}, keymgmt.Operator: {"acme/bob"}}
	fmt.Println(roles.Validate(), roles.Of(opsec.Actor{Tenant: "acme", Person: "bob", Account: "bob-7"}))
	roles[keymgmt.Operator] = append(roles[keymgmt.Operator], "acme/alice")
	fmt.Println(roles.Validate() != nil)
	// Output:
	// <nil> operator
	// true
}

func ExampleRefOf() {
	ref := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 7}
	fmt.Println(ref.Resource())
	fmt.Println(keymgmt.RefOf(ref.Resource()))
	// Output:
	// acme/key/disks/00000007
	// acme/disks/00000007 true
}

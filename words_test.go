package opsec_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
)

func TestTenantIDs(t *testing.T) {
	longest := opsec.TenantID(strings.Repeat("x", 128))
	for _, good := range []opsec.TenantID{opsec.Provider, "a", "0", "acme.eu_1-x", longest} {
		require.NoError(t, good.Validate(), good)
	}
	for _, bad := range []opsec.TenantID{
		"", ".a", "-a", "_a", "@acme", "@Provider", "a/b", "a b", "a\x00", "a\n", "ä", "\xff", "a@provider",
		longest + "x",
	} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid, "%q", bad)
	}
}

func TestDistinctFromNeedsTwoKnownPersons(t *testing.T) {
	main := opsec.Actor{Tenant: "acme", Account: "root", Person: "p-1"}
	sub := opsec.Actor{Tenant: "acme", Account: "root-billing", Person: "p-1", IP: netip.MustParseAddr("192.0.2.1")}
	other := opsec.Actor{Tenant: "acme", Account: "root", Person: "p-2"}
	namesake := opsec.Actor{Tenant: "globex", Account: "root", Person: "p-1"}
	nobody := opsec.Actor{Tenant: "acme", Account: "robot"}
	for _, test := range []struct {
		a, b opsec.Actor
		want bool
	}{
		{main, main, false}, {main, sub, false}, {main, other, true}, {main, namesake, true},
		{main, nobody, false}, {nobody, nobody, false},
	} {
		require.Equal(t, test.want, test.a.DistinctFrom(test.b), "%v, %v", test.a, test.b)
		require.Equal(t, test.want, test.b.DistinctFrom(test.a), "%v, %v", test.b, test.a)
	}
}

func TestIDsAreVersion7(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []opsec.ID
		for range 100 {
			id := opsec.NewID()
			require.NoError(t, id.Validate())
			require.Equal(t, byte('7'), id[14], "version of %s", id)
			require.Contains(t, "89ab", string(id[19]), "variant of %s", id)
			var ms int64
			_, err := fmt.Sscanf(string(id[:8]+id[9:13]), "%x", &ms)
			require.NoError(t, err)
			require.Equal(t, time.Now().UnixMilli(), ms)
			ids = append(ids, id)
			time.Sleep(time.Millisecond)
		}
		require.True(t, slices.IsSorted(ids), "ids of later milliseconds sort later")
	})
	seen := map[opsec.ID]bool{}
	for range 100_000 {
		seen[opsec.NewID()] = true
	}
	require.Len(t, seen, 100_000)
}

func TestIDForm(t *testing.T) {
	good := "019a5f2e-7b1c-7def-8123-456789abcdef"
	require.NoError(t, opsec.ID(good).Validate())
	for i := range good { // every place matters
		for _, c := range []string{"g", "A", "-", "0", "\n"} {
			id := good[:i] + c + good[i+1:]
			dash := i == 8 || i == 13 || i == 18 || i == 23
			want := dash && c == "-" || !dash && c == "0"
			require.Equal(t, want, opsec.ID(id).Validate() == nil, "%q", id)
		}
	}
	for _, bad := range []string{"", good[1:], good + "0", "{" + good + "}"} {
		require.ErrorIs(t, opsec.ID(bad).Validate(), opsec.ErrInvalid)
	}
}

func TestSensitivityOrder(t *testing.T) {
	order := []opsec.Sensitivity{opsec.Public, opsec.Tenant, opsec.Personal, opsec.Digest, opsec.Secret, "unheard-of"}
	for i, a := range order {
		for j, b := range order {
			require.Equal(t, i > j, a.Exceeds(b), "%s, %s", a, b)
		}
	}
	require.True(t, opsec.Sensitivity("").Exceeds(opsec.Tenant), "unmarked is personal")
	require.False(t, opsec.Sensitivity("").Exceeds(opsec.Personal))
	require.False(t, opsec.Personal.Exceeds(""))
}

func TestSeverityRank(t *testing.T) {
	for i, s := range []opsec.Severity{
		"", opsec.SeverityInfo, opsec.SeverityLow, opsec.SeverityMedium, opsec.SeverityHigh, opsec.SeverityCritical,
	} {
		require.Equal(t, i, s.Rank(), s)
	}
	require.Zero(t, opsec.Severity("CRITICAL").Rank())
}

func TestOutcomeOf(t *testing.T) {
	require.Equal(t, opsec.Success, opsec.OutcomeOf(nil))
	require.Equal(t, opsec.Denied, opsec.OutcomeOf(fmt.Errorf("x: %w", opsec.ErrDenied)))
	require.Equal(t, opsec.Failure, opsec.OutcomeOf(errors.New("x")))
}

func TestCallerAuthorizedPermits(t *testing.T) {
	var a opsec.Authorizer = opsec.CallerAuthorized{}
	require.NoError(t, a.Authorize(t.Context(), opsec.Actor{}, "keymgmt.rotate", opsec.Resource{Tenant: "acme"}))
	require.Equal(t, "acme/key/k-1", opsec.Resource{Tenant: "acme", Type: "key", ID: "k-1"}.String())
}

func ExampleActor_DistinctFrom() {
	requester := opsec.Actor{Tenant: "acme", Account: "j.doe", Person: "p-17"}
	approver := opsec.Actor{Tenant: "acme", Account: "j.doe-admin", Person: "p-17"} // the same person's sub-account
	fmt.Println(approver.DistinctFrom(requester))
	approver.Person = "p-23"
	fmt.Println(approver.DistinctFrom(requester))
	// Output:
	// false
	// true
}

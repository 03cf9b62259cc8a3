package accounts_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

func attrs(e *opsec.Event) map[string]string {
	all := map[string]string{}
	for _, a := range e.Attrs {
		all[a.Key] = a.Value
	}
	return all
}

func TestEventsSayWhatAFindingIsAbout(t *testing.T) {
	w := newWorld()
	w.disable("bob", ago(9*day))
	w.try("bob", ago(8*day), opsec.Failure, "192.0.2.1")
	found, _ := w.audit(t)
	e := found[0].Event(now)
	require.NoError(t, e.Validate())
	require.Equal(t, accounts.ActionFinding, e.Action)
	require.Equal(t, now, e.Time)
	require.Equal(t, opsec.Resource{Tenant: "acme", Type: "account", ID: "bob"}, e.Resource)
	require.Equal(t, map[string]string{
		"kind": "abandoned-attempt", "severity": "medium", "detail": found[0].Detail, "count": "1",
		"since": "2026-05-24T12:00:00Z", "evidence": "try:192.0.2.1",
	}, attrs(e))

	e = (&accounts.Finding{Tenant: "acme", Person: "p1"}).Event(now)
	require.Equal(t, opsec.Resource{Tenant: "acme", Type: "person", ID: "p1"}, e.Resource)
	e = (&accounts.Finding{Tenant: "acme", Origin: netip.MustParsePrefix("2001:db8::/64")}).Event(now)
	require.Equal(t, opsec.Resource{Tenant: "acme", Type: "origin", ID: "2001:db8::/64"}, e.Resource)
	require.Equal(t, "2001:db8::/64", attrs(e)["origin"])
}

// Whatever is found is an event that can be recorded: as much of it as fits.
func TestEventsStayWithinTheirBounds(t *testing.T) {
	long := strings.Repeat("ü", 6000)
	f := accounts.Finding{
		Tenant: "acme", Account: accounts.Key{Tenant: "acme", Main: long, Sub: long}, Detail: long, Count: 1, Since: now,
		Origin: netip.MustParsePrefix("192.0.2.1/32"),
	}
	for i := range 1024 {
		f.Permissions = append(f.Permissions, fmt.Sprintf("%01000d", i))
		f.Evidence = append(f.Evidence, fmt.Sprintf("%01000d", i))
	}
	e := f.Event(now)
	require.NoError(t, e.Validate())
	require.Equal(t, strings.Join(f.Evidence[:8], "\n"), attrs(e)["evidence"])
	require.Contains(t, long, e.Resource.ID)
}

func TestFindingsAsText(t *testing.T) {
	require.Equal(t, "high orphan acme/bob: its person left", accounts.Finding{
		Kind: accounts.Orphan, Severity: opsec.SeverityHigh, Tenant: "acme", Account: name("bob"), Person: "p1", Detail: "its person left",
	}.String())
	require.Equal(t, `medium duplicate-main acme, person "p1": two`, accounts.Finding{
		Kind: accounts.DuplicateMain, Severity: opsec.SeverityMedium, Tenant: "acme", Person: "p1", Detail: "two",
	}.String())
	require.Equal(t, "medium invented-attempt acme: three names", accounts.Finding{
		Kind: accounts.InventedAttempt, Severity: opsec.SeverityMedium, Tenant: "acme", Detail: "three names",
	}.String())
	require.Empty(t, accounts.Key{}.String())
}

package correlate_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
)

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// far is later than all events.
var far = start.AddDate(1, 0, 0)

func event(action string, at time.Time, account string) *opsec.Event {
	e := opsec.NewEvent(action, at)
	e.Tenant, e.Outcome = "acme", opsec.Success
	e.Actor = opsec.Actor{Tenant: "acme", Account: account, IP: netip.MustParseAddr("192.0.2.7"), Terminal: "pc"}
	return e
}

func login(at time.Time, account string, o opsec.Outcome) *opsec.Event {
	e := event("identity.login", at, account)
	e.Category, e.Outcome, e.System = opsec.Authentication, o, "console"
	return e
}

func logout(at time.Time, account string) *opsec.Event {
	e := login(at, account, opsec.Success)
	e.Action, e.Began = "identity.logout", at.Add(-time.Hour)
	return e
}

func grant(at time.Time, by, to string) *opsec.Event {
	e := event("accesscontrol.grant", at, by)
	e.Category, e.Granted = opsec.Authorization, []string{"volume.read"}
	e.Resource = opsec.Resource{Tenant: "acme", Type: "account", ID: to}
	return e
}

// run gives events to an engine in their order, with references "1", "2", ...
func run(t testing.TB, p correlate.Policy, events ...*opsec.Event) []correlate.Match {
	t.Helper()
	g, err := correlate.New(p)
	require.NoError(t, err)
	var found []correlate.Match
	for i, e := range events {
		require.NoError(t, e.Validate())
		found = append(found, g.Add(e, fmt.Sprint(i+1), far)...)
	}
	found = append(found, g.Flush()...)
	require.False(t, g.Status().Lost())
	require.EqualValues(t, len(events), g.Status().Events)
	require.EqualValues(t, len(found), g.Status().Matches)
	return found
}

func rulesOf(found []correlate.Match) []string {
	list := []string{}
	for _, m := range found {
		list = append(list, m.Rule)
	}
	return list
}

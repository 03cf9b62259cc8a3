package correlate_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
)

func presets() correlate.Policy { return correlate.Policy{Rules: correlate.Presets()} }

func failures(n int, account string) (list []*opsec.Event) {
	for i := range n {
		list = append(list, login(start.Add(time.Duration(i)*time.Second), account, opsec.Failure))
	}
	return list
}

// from moves events to a place.
func from(ip string, list ...*opsec.Event) []*opsec.Event {
	for _, e := range list {
		e.Actor.IP = netip.MustParseAddr(ip)
	}
	return list
}

func finding(at time.Time, kind accounts.Kind, account string) *opsec.Event {
	f := accounts.Finding{Kind: kind, Severity: opsec.SeverityMedium, Tenant: "acme", Account: accounts.Key{Tenant: "acme", Main: account}}
	return f.Event(at)
}

func bulk(at time.Time, kind dataaccess.Kind, account string) *opsec.Event {
	return dataaccess.Finding{
		Kind: kind, Severity: opsec.SeverityMedium, Tenant: opsec.Provider, Count: 1, Since: at, Until: at,
		Operator: dataaccess.Operator{Tenant: "acme", Account: account},
	}.Event(at)
}

func denied(n int, account string) (list []*opsec.Event) {
	for i := range n {
		e := event("storage.read", start.Add(time.Duration(i)*time.Second), account)
		e.Outcome, e.Resource = opsec.Denied, opsec.Resource{Tenant: "acme", Type: "volume", ID: fmt.Sprint(i)}
		list = append(list, e)
	}
	return list
}

func sprayed(n int) (list []*opsec.Event) {
	for i := range n {
		e := login(start.Add(time.Duration(i)*time.Second), fmt.Sprint("user", i), opsec.Failure)
		list = append(list, from(fmt.Sprintf("2001:db8::%x", i+1), e)...)
	}
	return list
}

func with(list []*opsec.Event, more ...*opsec.Event) []*opsec.Event { return append(list, more...) }

// Each preset has a planted case, and near misses that differ from it in one thing.
func TestEachPresetIsMetAndItsNearMissesAreNot(t *testing.T) {
	later := func(d time.Duration) time.Time { return start.Add(d) }
	m, day := time.Minute, 24*time.Hour
	gap := func(at time.Time) *opsec.Event {
		e := opsec.NewEvent("audit.gap", at)
		e.Outcome, e.Actor.Kind = opsec.Failure, opsec.System
		return e
	}
	erase := func(at time.Time, account string, o opsec.Outcome) *opsec.Event {
		e := event("translog.erase", at, account)
		e.Outcome = o
		return e
	}
	cancel := grant(later(3*m), "eve", "bob")
	cancel.Granted, cancel.Cancelled = nil, cancel.Granted
	refused := grant(later(m), "eve", "eve")
	refused.Outcome = opsec.Denied
	elsewhere := grant(later(m), "eve", "eve")
	elsewhere.Resource.Tenant = "globex"
	tests := map[string]struct {
		met    []*opsec.Event
		missed map[string][]*opsec.Event
	}{
		"guessed-then-raised": {
			with(failures(5, "eve"), login(later(m), "eve", opsec.Success), grant(later(2*m), "eve", "bob")),
			map[string][]*opsec.Event{
				"four guesses":      with(failures(4, "eve"), login(later(m), "eve", opsec.Success), grant(later(2*m), "eve", "bob")),
				"another account":   with(failures(5, "eve"), login(later(m), "bob", opsec.Success), grant(later(2*m), "bob", "joe")),
				"no log-in":         with(failures(5, "eve"), grant(later(2*m), "eve", "bob")),
				"a log-out":         with(failures(5, "eve"), logout(later(m), "eve"), grant(later(2*m), "eve", "bob")),
				"too late":          with(failures(5, "eve"), login(later(m), "eve", opsec.Success), grant(later(60*m+1), "eve", "bob")),
				"in another order":  with(failures(5, "eve"), grant(later(m), "eve", "bob"), login(later(2*m), "eve", opsec.Success)),
				"a permission lost": with(failures(5, "eve"), login(later(m), "eve", opsec.Success), cancel),
			},
		},
		"sprayed-then-in": {
			with(sprayed(10), from("2001:db8::77", login(later(m), "user3", opsec.Success))...),
			map[string][]*opsec.Event{
				"nine names":    with(sprayed(9), from("2001:db8::77", login(later(m), "user3", opsec.Success))...),
				"another place": with(sprayed(10), from("2001:db8:0:1::77", login(later(m), "user3", opsec.Success))...),
				"one name":      with(failures(50, "eve"), login(later(m), "eve", opsec.Success)),
			},
		},
		"dormant-then-bulk": {
			[]*opsec.Event{finding(start, accounts.Dormant, "eve"), login(later(day), "eve", opsec.Success), bulk(later(2*day), dataaccess.AbovePeers, "eve")},
			map[string][]*opsec.Event{
				"not dormant":     {finding(start, accounts.Unreviewed, "eve"), login(later(day), "eve", opsec.Success), bulk(later(2*day), dataaccess.AbovePeers, "eve")},
				"not much":        {finding(start, accounts.Dormant, "eve"), login(later(day), "eve", opsec.Success), bulk(later(2*day), dataaccess.OffHours, "eve")},
				"another account": {finding(start, accounts.Dormant, "eve"), login(later(day), "eve", opsec.Success), bulk(later(2*day), dataaccess.AbovePeers, "bob")},
				"no log-in":       {finding(start, accounts.Dormant, "eve"), login(later(day), "eve", opsec.Denied), bulk(later(2*day), dataaccess.AbovePeers, "eve")},
			},
		},
		"abandoned-then-in": {
			[]*opsec.Event{finding(start, accounts.AbandonedAttempt, "eve"), login(later(day), "eve", opsec.Success)},
			map[string][]*opsec.Event{
				"before":    {login(start.Add(-day), "eve", opsec.Success), finding(start, accounts.AbandonedAttempt, "eve")},
				"a failure": {finding(start, accounts.AbandonedAttempt, "eve"), login(later(day), "eve", opsec.Failure)},
				"too late":  {finding(start, accounts.AbandonedAttempt, "eve"), login(later(30*day+1), "eve", opsec.Success)},
			},
		},
		"granted-to-self": {
			[]*opsec.Event{grant(start, "eve", "eve")},
			map[string][]*opsec.Event{"to another": {grant(start, "eve", "bob")}, "refused": {refused}, "of another tenant": {elsewhere}},
		},
		"probed-then-raised": {
			with(denied(10, "eve"), grant(later(m), "ann", "eve")),
			map[string][]*opsec.Event{
				"nine":       with(denied(9, "eve"), grant(later(m), "ann", "eve")),
				"the same":   with(append(denied(9, "eve"), denied(9, "eve")...), grant(later(m), "ann", "eve")),
				"to another": with(denied(10, "eve"), grant(later(m), "ann", "bob")),
				"by him":     with(denied(10, "eve"), grant(later(m), "eve", "bob")),
			},
		},
		"raised-then-erased": {
			[]*opsec.Event{grant(start, "ann", "eve"), erase(later(m), "eve", opsec.Unknown)},
			map[string][]*opsec.Event{
				"another":   {grant(start, "ann", "eve"), erase(later(m), "ann", opsec.Success)},
				"refused":   {grant(start, "ann", "eve"), erase(later(m), "eve", opsec.Denied)},
				"afterward": {erase(start, "eve", opsec.Success), grant(later(m), "ann", "eve")},
			},
		},
		"raised-then-blind": {
			[]*opsec.Event{grant(start, "ann", "eve"), gap(later(15 * m))},
			map[string][]*opsec.Event{
				"much later": {grant(start, "ann", "eve"), gap(later(15*m + 1))},
				"before":     {gap(start), grant(later(m), "ann", "eve")},
			},
		},
	}
	for _, r := range correlate.Presets() {
		test, ok := tests[r.Name]
		require.True(t, ok, r.Name)
		delete(tests, r.Name)
		t.Run(r.Name, func(t *testing.T) {
			found := run(t, presets(), test.met...)
			require.Equal(t, []string{r.Name}, rulesOf(found))
			require.NoError(t, found[0].Event(far).Validate())
			require.NotEmpty(t, test.missed)
			for name, events := range test.missed {
				require.NotContains(t, rulesOf(run(t, presets(), events...)), r.Name, name)
			}
		})
	}
	require.Empty(t, tests)
}

func TestPresetsAreData(t *testing.T) {
	text, err := json.Marshal(presets())
	require.NoError(t, err)
	var back correlate.Policy
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, presets(), back)
}

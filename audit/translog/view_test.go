package translog_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
)

func TestQueriesFindExactlyWhatFits(t *testing.T) {
	k := newKit(t)
	l := k.open()
	type written struct {
		e     *opsec.Event
		index uint64
	}
	var all []written
	for n := range 400 {
		e := login(opsec.TenantID([]string{"acme", "globex"}[n%2]), fmt.Sprintf("account-%d", n%7), n)
		e.Outcome = []opsec.Outcome{opsec.Success, opsec.Failure, opsec.Denied}[n%3]
		if n%5 == 0 {
			e.Action, e.Category = "volume.delete", ""
			e.Resource = opsec.Resource{Tenant: e.Tenant, Type: "volume", ID: fmt.Sprintf("vol-%d", n%4)}
		}
		if n%11 == 0 {
			e.OnBehalfOf = &opsec.Actor{Tenant: e.Tenant, Account: "absent", Person: "p-absent"}
		}
		r, err := l.Append(t.Context(), e)
		require.NoError(t, err)
		all = append(all, written{e, r.Index})
	}
	settle(t, l)
	from := time.Date(2026, 11, 25, 8, 0, 10, 0, time.UTC)
	for name, c := range map[string]struct {
		q    translog.Query
		fits func(e *opsec.Event) bool
	}{
		"tenant":   {translog.Query{Tenant: "globex", Actions: []string{"console.login", "volume.delete"}}, func(e *opsec.Event) bool { return e.Tenant == "globex" }},
		"action":   {translog.Query{Actions: []string{"volume.delete"}}, func(e *opsec.Event) bool { return e.Action == "volume.delete" }},
		"outcome":  {translog.Query{Outcomes: []opsec.Outcome{opsec.Denied, opsec.Failure}}, func(e *opsec.Event) bool { return e.Outcome != opsec.Success }},
		"account":  {translog.Query{Tenant: "acme", Account: "account-3", Actions: []string{"console.login", "volume.delete"}}, func(e *opsec.Event) bool { return e.Tenant == "acme" && e.Actor.Account == "account-3" }},
		"person":   {translog.Query{Tenant: "acme", Person: "person-of-account-4", Actions: []string{"console.login", "volume.delete"}}, func(e *opsec.Event) bool { return e.Tenant == "acme" && e.Actor.Account == "account-4" }},
		"absent":   {translog.Query{Tenant: "acme", Account: "absent", Actions: []string{"console.login", "volume.delete"}}, func(e *opsec.Event) bool { return e.Tenant == "acme" && e.OnBehalfOf != nil }},
		"resource": {translog.Query{Tenant: "acme", Resource: opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-2"}}, func(e *opsec.Event) bool { return e.Tenant == "acme" && e.Resource.ID == "vol-2" }},
		"time":     {translog.Query{From: from, To: from.Add(time.Second), Actions: []string{"console.login"}}, func(e *opsec.Event) bool { return e.Time.Second() == 10 && e.Action == "console.login" }},
		"nobody":   {translog.Query{Tenant: "acme", Account: "nobody", Actions: []string{"console.login"}}, func(*opsec.Event) bool { return false }},
		"stranger": {translog.Query{Tenant: "umbrella", Actions: []string{"console.login"}}, func(*opsec.Event) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []uint64
			for _, w := range all {
				if c.fits(w.e) {
					want = append(want, w.index)
				}
			}
			full := translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal}
			for _, newest := range []bool{false, true} {
				q := c.q
				q.Newest = newest
				var got []uint64
				for _, e := range collect(t, l.View(reader, full), q) {
					got = append(got, e.Index)
				}
				if newest {
					slices.Reverse(got)
				}
				require.Equal(t, want, got)
			}
		})
	}
}

func TestPagesStayAsEventsCome(t *testing.T) {
	k := newKit(t)
	l := k.open()
	for n := range 95 {
		k.append(l, "acme", "eve", n)
	}
	settle(t, l)
	for _, newest := range []bool{false, true} {
		q := translog.Query{Tenant: "acme", Actions: []string{"console.login"}, Newest: newest}
		v := l.View(reader, translog.TenantProfile())
		var whole []uint64
		for _, e := range collect(t, v, q) {
			whole = append(whole, e.Index)
		}
		var got []uint64
		cursor, pages := "", 0
		for {
			page, err := v.Page(t.Context(), q, cursor, 10)
			require.NoError(t, err)
			for _, e := range page.Entries {
				got = append(got, e.Index)
			}
			pages++
			k.append(l, "acme", "eve", pages) // comes between
			settle(t, l)
			if cursor = page.Next; cursor == "" {
				break
			}
			other := q
			other.Account = "eve"
			_, err = v.Page(t.Context(), other, cursor, 10)
			require.ErrorIs(t, err, opsec.ErrInvalid, "a cursor belongs to its query")
		}
		require.Equal(t, whole, got)
		for _, bad := range []string{"x", "1-2", "-", "ffffffffff-0-AAAAAAAAAAAA"} {
			_, err := v.Page(t.Context(), q, bad, 10)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	}
}

// only lets one tenant's reader read, as a provider's authorizer would.
type only struct{ account string }

func (o only) Authorize(_ context.Context, who opsec.Actor, action string, what opsec.Resource) error {
	if who.Account != o.account || action != translog.ActionRead || what.Type != "log" || what.ID != origin {
		return fmt.Errorf("no: %w", opsec.ErrDenied)
	}
	return nil
}

func TestReadingIsControlledAndOnRecord(t *testing.T) {
	k := newKit(t)
	k.opts.Authorizer = only{"auditor"}
	l := k.open()
	k.append(l, "acme", "eve", 1)
	k.append(l, "globex", "eve", 2)
	settle(t, l)
	tenant := l.View(reader, translog.TenantProfile())
	require.Len(t, collect(t, tenant, translog.Query{Account: "eve", Actions: []string{"console.login"}}), 1)
	first := func(v *translog.View, q translog.Query) error {
		for _, err := range v.Query(t.Context(), q) {
			return err
		}
		return nil
	}
	require.ErrorIs(t, first(tenant, translog.Query{Tenant: "globex"}), opsec.ErrDenied, "another tenant's")
	other := reader
	other.Account = "intruder"
	require.ErrorIs(t, first(l.View(other, translog.TenantProfile()), translog.Query{}), opsec.ErrDenied)
	_, err := l.View(other, translog.TenantProfile()).Statement(t.Context(), "acme")
	require.ErrorIs(t, err, opsec.ErrDenied)
	settle(t, l)

	reads := collect(t, tenant, translog.Query{Actions: []string{translog.ActionRead}})
	require.Len(t, reads, 3)
	require.Equal(t, opsec.Success, reads[0].Event.Outcome)
	require.Equal(t, "auditor", reads[0].Event.Actor.Account)
	require.Contains(t, reads[0].Event.Attrs, opsec.Attr{Key: "account", Value: "eve", Mark: opsec.Personal})
	require.Equal(t, opsec.Denied, reads[1].Event.Outcome)
	require.Equal(t, "intruder", reads[1].Event.Actor.Account)
	aboutEve := collect(t, tenant, translog.Query{Account: "eve", Actions: []string{translog.ActionRead}})
	require.Len(t, aboutEve, 1, "who has asked after eve is found by her name")
	require.NoError(t, l.stop())
	k.sound()
}

func TestProfilesShowWhatTheyMay(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	k.append(l, "acme", "mallory", 2)
	k.append(l, "acme", "eve", 3)
	settle(t, l)
	q := translog.Query{Tenant: "acme", Actions: []string{"console.login"}}
	admin := collect(t, l.View(reader, translog.AdministratorProfile()), q)
	e := admin[0].Event
	require.Equal(t, "[personal]", e.Actor.Account)
	require.False(t, e.Actor.IP.IsValid())
	require.Equal(t, "console", e.System)
	require.Equal(t, []opsec.Attr{
		{Key: "method", Value: "password", Mark: opsec.Public},
		{Key: "realm", Value: "realm-of-acme", Mark: opsec.Tenant},
		{Key: "mail", Value: "[personal]", Mark: opsec.Personal},
	}, e.Attrs)
	require.Zero(t, admin[0].Actor)
	named := q
	named.Account = "eve"
	for _, err := range l.View(reader, translog.AuditorProfile()).Query(t.Context(), named) {
		require.ErrorIs(t, err, opsec.ErrDenied, "who may not see names may not ask for them")
	}
	audit := collect(t, l.View(reader, translog.AuditorProfile()), q)
	require.Equal(t, "[personal]", audit[0].Event.Actor.Account)
	require.Equal(t, audit[0].Actor, audit[2].Actor, "the same person")
	require.NotEqual(t, audit[0].Actor, audit[1].Actor)
	public := collect(t, l.View(reader, translog.Profile{Name: "public"}), translog.Query{Actions: []string{"console.login"}})
	require.Equal(t, "[tenant]", public[0].Event.System)
	require.Equal(t, "console.login", public[0].Event.Action)
}

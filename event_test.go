package opsec_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
)

// permit is a valid authorization event.
func permit() *opsec.Event {
	e := login()
	e.Action, e.Category = "accesscontrol.grant", opsec.Authorization
	e.System, e.Actor.Terminal = "", ""
	e.Granted, e.Cancelled = []string{"volume.read"}, []string{"volume.write"}
	return e
}

func TestEventRules(t *testing.T) {
	require.NoError(t, login().Validate())
	require.NoError(t, permit().Validate())
	plain := opsec.NewEvent("backup.verify", time.Now())
	plain.Outcome = opsec.Success
	require.NoError(t, plain.Validate())

	long := strings.Repeat("x", opsec.MaxValueLen+1)
	full := strings.Repeat("x", opsec.MaxValueLen)
	tests := []struct {
		name  string
		from  func() *opsec.Event
		spoil func(e *opsec.Event)
		says  string
	}{
		{"no id", login, func(e *opsec.Event) { e.ID = "" }, "id of 0 bytes"},
		{"upper-case id", login, func(e *opsec.Event) { e.ID = opsec.ID(strings.ToUpper(string(e.ID))) }, "UUID"},
		{"no tenant", login, func(e *opsec.Event) { e.Tenant = "" }, "tenant id"},
		{"forged provider", login, func(e *opsec.Event) { e.Tenant = "@other" }, "tenant id"},
		{"no time", login, func(e *opsec.Event) { e.Time = time.Time{} }, "time"},
		{"year 10000", login, func(e *opsec.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		{"year 0 in UTC", login, func(e *opsec.Event) {
			e.Began = time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
		}, "began"},
		{"ends before it began", login, func(e *opsec.Event) { e.Began = e.Time.Add(1) }, "began"},
		{"no action", login, func(e *opsec.Event) { e.Action = "" }, "action"},
		{"action with a newline", login, func(e *opsec.Event) { e.Action = "a.b\n" }, "action"},
		{"action with two dots", login, func(e *opsec.Event) { e.Action = "a..b" }, "action"},
		{"action that ends in a dot", login, func(e *opsec.Event) { e.Action = "a." }, "action"},
		{"action of 129 bytes", login, func(e *opsec.Event) { e.Action = strings.Repeat("a", 129) }, "action"},
		{"no class", login, func(e *opsec.Event) { e.Class = "" }, "class"},
		{"unknown class", login, func(e *opsec.Event) { e.Class = "urgent" }, "class"},
		{"unknown category", login, func(e *opsec.Event) { e.Category = "other" }, "category"},
		{"no outcome", login, func(e *opsec.Event) { e.Outcome = "" }, "outcome"},
		{"unknown outcome", login, func(e *opsec.Event) { e.Outcome = "maybe" }, "outcome"},

		{"authentication without account", login, func(e *opsec.Event) { e.Actor.Account = "" }, "actor.account"},
		{"authentication without IP", login, func(e *opsec.Event) { e.Actor.IP = netip.Addr{} }, "actor.ip"},
		{"authentication without system", login, func(e *opsec.Event) { e.System = "" }, "system"},
		{"authentication without terminal", login, func(e *opsec.Event) { e.Actor.Terminal = "" }, "actor.terminal"},
		{"authentication without result", login, func(e *opsec.Event) { e.Outcome = opsec.Pending }, "outcome"},

		{"authorization without operator", permit, func(e *opsec.Event) { e.Actor.Account = "" }, "actor.account"},
		{"authorization without IP", permit, func(e *opsec.Event) { e.Actor.IP = netip.Addr{} }, "actor.ip"},
		{"authorization of nothing", permit, func(e *opsec.Event) { e.Granted, e.Cancelled = nil, nil }, "granted"},

		{"65 attributes", login, func(e *opsec.Event) { e.Attrs = make([]opsec.Attr, 65) }, "attrs: 65"},
		{"65 permissions", permit, func(e *opsec.Event) { e.Granted = make([]string, 64) }, "granted and cancelled: 65"},
		{"attribute without key", login, func(e *opsec.Event) { e.Attrs[1].Key = "" }, "attrs[1]"},
		{"attribute with a long key", login, func(e *opsec.Event) { e.Attrs[1].Key = long[:129] }, "attrs[1]"},
		{"attribute with an unknown mark", login, func(e *opsec.Event) { e.Attrs[2].Mark = "hidden" }, "attrs[2]"},
		{"long reason", login, func(e *opsec.Event) { e.Reason = long }, "8193 bytes"},
		{"long actor", login, func(e *opsec.Event) { e.OnBehalfOf = &opsec.Actor{Person: long} }, "8193 bytes"},
		{"long zone", login, func(e *opsec.Event) { e.Actor.IP = e.Actor.IP.WithZone(long) }, "8193 bytes"},
		{"long permission", permit, func(e *opsec.Event) { e.Cancelled[0] = long }, "8193 bytes"},
		{"long intent", login, func(e *opsec.Event) { e.Intent = opsec.ID(long) }, "8193 bytes"},
		{"too much in all", permit, func(e *opsec.Event) {
			e.Granted = []string{full, full, full, full, full, full, full}
		}, "all text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := test.from()
			require.NoError(t, e.Validate())
			test.spoil(e)
			err := e.Validate()
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestRedactedMasksByMark(t *testing.T) {
	e := login()
	e.OnBehalfOf = &opsec.Actor{Account: "boss", IP: netip.MustParseAddr("192.0.2.1"), Kind: opsec.Human}
	e.Reason, e.Granted, e.Cancelled = "asked by phone", []string{"x.read"}, []string{"x.write"}
	e.Attrs = []opsec.Attr{
		{Key: "public", Value: "1", Mark: opsec.Public},
		{Key: "tenant", Value: "2", Mark: opsec.Tenant},
		{Key: "unmarked", Value: "3"},
		{Key: "digest", Value: "4", Mark: opsec.Digest},
		{Key: "secret", Value: "5", Mark: opsec.Secret},
		{Key: "unknown", Value: "6", Mark: "odd"},
		{Key: "empty", Mark: opsec.Personal},
	}
	before := string(e.AppendJSON(nil))

	values := func(e *opsec.Event) (list []string) {
		for _, a := range e.Attrs {
			list = append(list, a.Value)
		}
		return list
	}
	r := e.Redacted(opsec.Tenant)
	require.Equal(t, []string{"1", "2", "[personal]", "[digest]", "[secret]", "[odd]", ""}, values(r))
	require.Equal(t, opsec.Actor{
		Tenant: "acme", Kind: opsec.Human, Account: "[personal]", Person: "[personal]", Session: "[personal]",
		Terminal: "[personal]",
	}, r.Actor)
	require.Equal(t, &opsec.Actor{Kind: opsec.Human, Account: "[personal]"}, r.OnBehalfOf)
	require.Equal(t, "asked by phone", r.Reason)

	r = e.Redacted(opsec.Public)
	require.Equal(t, []string{"1", "[tenant]", "[personal]", "[digest]", "[secret]", "[odd]", ""}, values(r))
	require.Equal(t, []string{"[tenant]", "[tenant]", "[tenant]", "[tenant]", "[tenant]"},
		[]string{r.System, r.Reason, r.Resource.ID, r.Granted[0], r.Cancelled[0]})

	r = e.Redacted(opsec.Personal)
	require.Equal(t, e.Actor, r.Actor)
	require.Equal(t, []string{"1", "2", "3", "[digest]", "[secret]", "[odd]", ""}, values(r))
	require.Equal(t, before, string(e.AppendJSON(nil)), "the original is as it was")
}

func ExampleEvent_Validate() {
	e := opsec.NewEvent("authn.login", time.Now())
	e.Category, e.Outcome = opsec.Authentication, opsec.Success
	e.System = "console"
	e.Actor = opsec.Actor{Account: "j.doe", IP: netip.MustParseAddr("192.0.2.7")}
	fmt.Println(e.Validate())
	e.Actor.Terminal = "laptop-0412"
	fmt.Println(e.Validate())
	// Output:
	// opsec: event: actor.terminal: needed by 8.1.2: invalid
	// <nil>
}

package entry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

var everything = func(entry.Field) bool { return true }

// write returns an event's leaf, as the tenant's seventh, and its body.
func write(t require.TestingT, s *entry.Scribe, e *opsec.Event) (leaf, body []byte) {
	d, err := s.Draft(context.Background(), e)
	require.NoError(t, err)
	return d.AppendLeaf(nil, 7, tlog.RecordHash([]byte("before"))), d.Body
}

// read opens what write has written, and holds Open to its word about evidence.
func read(t require.TestingT, keys entry.Keys, leaf, body []byte, show func(entry.Field) bool) (*opsec.Event, []byte) {
	l, err := entry.Parse(leaf)
	require.NoError(t, err)
	b, err := entry.ParseBody(body)
	require.NoError(t, err)
	require.NoError(t, b.Verify(l.Body))
	e, evidence, err := entry.Open(context.Background(), keys, l, b, show)
	require.NoError(t, err)
	proven, err := entry.VerifyEvidence(leaf, evidence)
	require.NoError(t, err)
	require.Equal(t, e, proven, "the event is what its evidence proves")
	return e, evidence
}

// odd is text of all kinds, much of it not UTF-8.
func odd() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "x", "[erased]", `"\`, "\x00\x1f\x7f", "\u0085\u2028\u2029", "\ufffd", "\xff\xfe", "\xe2\x82", "é漢😀"}),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 80), func(b []byte) string { return string(b) }),
	)
}

func anyActor() *rapid.Generator[opsec.Actor] {
	return rapid.Custom(func(t *rapid.T) opsec.Actor {
		a := opsec.Actor{
			Tenant: opsec.TenantID(odd().Draw(t, "tenant")), Account: odd().Draw(t, "account"), Person: odd().Draw(t, "person"),
			Kind: opsec.ActorKind(odd().Draw(t, "kind")), Session: odd().Draw(t, "session"), Terminal: odd().Draw(t, "terminal"),
		}
		switch b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip"); rapid.IntRange(0, 3).Draw(t, "family") {
		case 1:
			a.IP = netip.AddrFrom4([4]byte(b))
		case 2:
			a.IP = netip.AddrFrom16([16]byte(b))
		case 3:
			a.IP = netip.AddrFrom16([16]byte(b)).WithZone(odd().Draw(t, "zone"))
		}
		return a
	})
}

// anyEvent is any event that Validate accepts, without secrets.
func anyEvent() *rapid.Generator[*opsec.Event] {
	return rapid.Custom(func(t *rapid.T) *opsec.Event {
		when := func(name string) time.Time {
			at := time.Unix(rapid.Int64Range(-62135596799, 253402300799).Draw(t, name), 0)
			return at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 10, 123456789, 500e6, 999999999}).Draw(t, "ns"))).UTC()
		}
		action := rapid.StringMatching(`[a-z0-9_-]{1,8}(\.[a-z0-9_-]{1,8}){0,3}`).Draw(t, "action")
		e := opsec.NewEvent(action, when("time"))
		e.Class = rapid.SampledFrom([]opsec.Class{opsec.Critical, opsec.Standard, opsec.BestEffort}).Draw(t, "class")
		e.Outcome = rapid.SampledFrom([]opsec.Outcome{
			opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown,
		}).Draw(t, "outcome")
		if rapid.Bool().Draw(t, "customer") {
			e.Tenant = opsec.TenantID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,20}`).Draw(t, "tenant"))
		}
		e.System, e.Reason, e.Intent = odd().Draw(t, "system"), odd().Draw(t, "reason"), opsec.ID(odd().Draw(t, "intent"))
		e.Actor = anyActor().Draw(t, "actor")
		if rapid.Bool().Draw(t, "for another") {
			other := anyActor().Draw(t, "other")
			e.OnBehalfOf = &other
		}
		e.Resource = opsec.Resource{
			Tenant: opsec.TenantID(odd().Draw(t, "owner")), Type: odd().Draw(t, "type"), ID: odd().Draw(t, "id"),
		}
		if began := when("began"); rapid.Bool().Draw(t, "ends") && !began.After(e.Time) {
			e.Began = began
		}
		if n := rapid.IntRange(0, 3).Draw(t, "granted"); n > 0 {
			e.Granted = rapid.SliceOfN(odd(), n, n).Draw(t, "granted")
		}
		if n := rapid.IntRange(0, 3).Draw(t, "cancelled"); n > 0 {
			e.Cancelled = rapid.SliceOfN(odd(), n, n).Draw(t, "cancelled")
		}
		for range rapid.IntRange(0, 8).Draw(t, "attrs") {
			e.Attrs = append(e.Attrs, opsec.Attr{
				Key:   rapid.OneOf(rapid.SampledFrom([]string{"k", "k", "\xff", "\n"}), rapid.StringN(1, 20, 128)).Draw(t, "key"),
				Value: odd().Draw(t, "value"),
				Mark: rapid.SampledFrom([]opsec.Sensitivity{
					"", opsec.Public, opsec.Public, opsec.Tenant, opsec.Personal, opsec.Digest,
				}).Draw(t, "mark"),
			})
		}
		for _, c := range []opsec.Category{opsec.Authentication, opsec.Authorization} {
			if e.Category = c; e.Validate() == nil && rapid.Bool().Draw(t, "categorised") {
				return e
			}
		}
		e.Category = ""
		require.NoError(t, e.Validate())
		return e
	})
}

func TestEventComesBackAsItWas(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys, SubjectOf: func(_ *opsec.Event, a opsec.Attr) (entry.Subject, bool) {
		return entry.Subject{Tenant: "acme", Person: a.Key}, len(a.Value)%2 == 0
	}}
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent().Draw(t, "event")
		before := fmt.Sprintf("%#v %#v", e, e.OnBehalfOf)
		leaf, body := write(t, s, e)
		back, _ := read(t, keys, leaf, body, everything)
		require.Equal(t, e, back)
		require.Equal(t, before, fmt.Sprintf("%#v %#v", e, e.OnBehalfOf), "the event is as it was")
	})
}

func TestLeafSaysWhatItSays(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e := attach()
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "zone", Value: "eu-1 \u2028", Mark: opsec.Public})
	d, err := (&entry.Scribe{Keys: keys}).Draft(t.Context(), e)
	require.NoError(t, err)
	acme, _, err := keys.Subject(t.Context(), entry.Subject{Tenant: "acme"})
	require.NoError(t, err)
	require.Equal(t, acme, d.Tenant)
	require.Equal(t, []any{e.Time, e.Class}, []any{d.Time, d.Class})

	prev := tlog.RecordHash(nil)
	leaf := string(d.AppendLeaf([]byte("> "), 12, prev))
	l, err := entry.Parse([]byte(leaf[2:]))
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	require.Equal(t, `> {"v":1,"id":"019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071","time":"2026-11-24T08:30:00.123456789Z",`+
		`"class":"standard","action":"volume.attach","outcome":"success","attrs":[["zone","eu-1 \u2028"]],`+
		`"body":"`+b64(l.Body[:])+`","tenant":"`+b64(acme[:])+`","seq":12,"prev":"`+b64(prev[:])+`"}`, leaf)
	require.Equal(t, e.ID, l.EventID())
	require.Equal(t, d.ID, l.ID)

	there := *e
	there.Time = e.Time.In(time.FixedZone("", 3600))
	d, err = (&entry.Scribe{Keys: keys}).Draft(t.Context(), &there)
	require.NoError(t, err)
	require.Equal(t, e.Time, d.Time, "in UTC")
	require.Contains(t, string(d.AppendLeaf(nil, 1, prev)), `"time":"2026-11-24T08:30:00.123456789Z"`)

	first := string(d.AppendLeaf(nil, 1, prev))
	require.True(t, strings.HasSuffix(first, `","seq":1}`), first)
}

// forms are the ways in which a value could stand in clear.
func forms(value string) [][]byte {
	list := [][]byte{[]byte(value), []byte(hex.EncodeToString([]byte(value))), []byte(strings.ToUpper(hex.EncodeToString([]byte(value))))}
	for shift := range 3 { // the digits of base64 depend on where the value begins
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			text := enc.EncodeToString(append(make([]byte, shift), value...))
			list = append(list, []byte(text[4:len(text)-4]))
		}
	}
	return list
}

// full is an event that has everything, all of it findable; those values are the ones that are nobody else's business.
func full() (e *opsec.Event, hidden []string) {
	n := 0
	next := func() string {
		n++
		v := fmt.Sprintf("value-%02d-of-the-event", n)
		hidden = append(hidden, v)
		return v
	}
	actor := func(ip string) opsec.Actor {
		a := netip.MustParseAddr(ip)
		raw := a.As16()
		hidden = append(hidden, ip, string(raw[:]))
		return opsec.Actor{
			Tenant: opsec.TenantID(next()), Account: next(), Person: next(), Kind: opsec.ActorKind(next()), Session: next(),
			IP: a, Terminal: next(),
		}
	}
	e = opsec.NewEvent("accesscontrol.grant", time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC))
	e.Tenant, e.Outcome, e.Category = opsec.TenantID(next()), opsec.Success, opsec.Authorization
	e.System, e.Reason, e.Intent = next(), next(), opsec.ID(next())
	e.Actor = actor("2001:db8:1234:5678:9abc:def0:1357:2468")
	other := actor("2001:db8:8765:4321:cba9:0fed:7531:8642")
	e.OnBehalfOf = &other
	e.Resource = opsec.Resource{Tenant: opsec.TenantID(next()), Type: next(), ID: next()}
	e.Granted, e.Cancelled = []string{next(), next()}, []string{next()}
	e.Began = e.Time.Add(-time.Hour)
	for _, mark := range []opsec.Sensitivity{"", opsec.Tenant, opsec.Personal, opsec.Digest, opsec.Secret} {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "key-" + string(mark), Value: next(), Mark: mark})
	}
	return e, hidden
}

func TestNothingSensitiveInClear(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e, hidden := full()
	key, err := audit.NewDigestKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	clear := e.AppendJSON(nil)
	found := 0
	for _, omit := range []bool{false, true} {
		leaf, body := write(t, &entry.Scribe{Keys: keys, OmitValues: omit, Digest: key.Digest}, e)
		_, evidence := read(t, keys, leaf, body, nil)
		for _, value := range hidden {
			for _, form := range forms(value) {
				for what, b := range map[string][]byte{"leaf": leaf, "body": body, "evidence": evidence} {
					require.False(t, bytes.Contains(b, form), "%s shows %q of %q", what, form, value)
				}
				if bytes.Contains(clear, form) {
					found++
				}
			}
		}
	}
	require.Greater(t, found, 2*25, "the search finds what is there")
}

func TestErasedSubject(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys}
	e, _ := full()
	leaf, body := write(t, s, e)
	b, err := entry.ParseBody(body)
	require.NoError(t, err)
	require.Len(t, b.Subjects(), 3)
	require.NoError(t, keys.Erase(t.Context(), b.Subjects()[1]))

	got, _ := read(t, keys, leaf, body, everything)
	want := *e
	want.Actor = opsec.Actor{
		Tenant: e.Actor.Tenant, Kind: e.Actor.Kind,
		Account: "[erased]", Person: "[erased]", Session: "[erased]", Terminal: "[erased]",
	}
	want.Attrs = []opsec.Attr{
		{Key: "key-", Value: "[erased]"},
		e.Attrs[1],
		{Key: "key-personal", Value: "[erased]", Mark: opsec.Personal},
		e.Attrs[3],
		{Key: "key-secret", Mark: opsec.Secret},
	}
	require.Equal(t, &want, got)

	require.NoError(t, keys.Erase(t.Context(), b.Subjects()...))
	got, _ = read(t, keys, leaf, body, everything)
	require.Equal(t, opsec.TenantID("[erased]"), got.Tenant)
	require.Equal(t, opsec.Resource{ID: "[erased]"}, got.Resource)
	require.Equal(t, []string{"[erased]"}, got.Granted)
	require.Zero(t, got.Began)
	require.Zero(t, got.OnBehalfOf.IP)
	require.Equal(t, e.Action, got.Action)

	leaf, body = write(t, s, e)
	got, _ = read(t, keys, leaf, body, everything)
	require.Equal(t, e.Actor, got.Actor, "who comes again has a new key")
}

func TestValuesThatAreNotKept(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e := attach()
	leaf, body := write(t, &entry.Scribe{Keys: keys, OmitValues: true}, e)
	got, _ := read(t, keys, leaf, body, everything)
	require.Equal(t, "[omitted]", got.Reason)
	require.Equal(t, opsec.Actor{Account: "[omitted]", Person: "[omitted]", Session: "[omitted]", Terminal: "[omitted]"}, got.Actor)
}

func TestWhatIsNotShownReadsAsItsMark(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	e, _ := full()
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "anybody", Value: "may", Mark: opsec.Public}, opsec.Attr{Key: "not\xff", Value: "json", Mark: opsec.Public})
	leaf, body := write(t, &entry.Scribe{Keys: keys}, e)

	var asked []entry.Field
	got, _ := read(t, keys, leaf, body, func(f entry.Field) bool {
		asked = append(asked, f)
		return !f.Mark.Exceeds(opsec.Tenant)
	})
	want := e.Redacted(opsec.Tenant)
	want.Attrs[4].Value = "[secret]" // nothing of it is kept, which is not shown either
	require.Equal(t, want, got)

	b, err := entry.ParseBody(body)
	require.NoError(t, err)
	who := b.Subjects()
	require.Equal(t, []entry.Field{
		{entry.GroupTenant, who[0], "tenant", opsec.Tenant},
		{entry.GroupTenant, who[0], "system", opsec.Tenant},
		{entry.GroupTenant, who[0], "resource", opsec.Tenant},
		{entry.GroupTenant, who[0], "granted", opsec.Tenant},
		{entry.GroupTenant, who[0], "cancelled", opsec.Tenant},
		{entry.GroupTenant, who[0], "began", opsec.Tenant},
		{entry.GroupTenant, who[0], "intent", opsec.Tenant},
		{entry.GroupTenant, who[0], "reason", opsec.Tenant},
		{entry.GroupTenant, who[0], "attrs.key-tenant", opsec.Tenant},
		{entry.GroupTenant, who[0], "attrs.key-digest", opsec.Digest},
		{entry.GroupTenant, who[0], "attrs.key-secret", opsec.Secret},
		{entry.GroupTenant, who[0], "attrs.not\xff", opsec.Public},
		{entry.GroupActor, who[1], "actor.account", opsec.Personal},
		{entry.GroupActor, who[1], "actor.person", opsec.Personal},
		{entry.GroupActor, who[1], "actor.session", opsec.Personal},
		{entry.GroupActor, who[1], "actor.ip", opsec.Personal},
		{entry.GroupActor, who[1], "actor.terminal", opsec.Personal},
		{entry.GroupActor, who[1], "attrs.key-", ""},
		{entry.GroupActor, who[1], "attrs.key-personal", opsec.Personal},
		{entry.GroupOnBehalf, who[2], "on_behalf_of.account", opsec.Personal},
		{entry.GroupOnBehalf, who[2], "on_behalf_of.person", opsec.Personal},
		{entry.GroupOnBehalf, who[2], "on_behalf_of.session", opsec.Personal},
		{entry.GroupOnBehalf, who[2], "on_behalf_of.ip", opsec.Personal},
		{entry.GroupOnBehalf, who[2], "on_behalf_of.terminal", opsec.Personal},
	}, asked)

	got, _ = read(t, keys, leaf, body, func(f entry.Field) bool { return f.Name != "actor.ip" })
	unknown := *e
	unknown.Attrs = append([]opsec.Attr(nil), e.Attrs...)
	unknown.Attrs[4].Value = ""
	unknown.Actor.IP = netip.Addr{}
	require.Equal(t, &unknown, got, "all but the address")
}

func TestSecrets(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	key, err := audit.NewDigestKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	e := attach()
	e.Attrs = []opsec.Attr{{Key: "password", Value: "hunter2", Mark: opsec.Secret}, {Key: "none", Mark: opsec.Secret}}
	for name, test := range map[string]struct {
		digest func(opsec.TenantID, string) string
		want   opsec.Attr
	}{
		"dropped":  {nil, opsec.Attr{Key: "password", Mark: opsec.Secret}},
		"digested": {key.Digest, opsec.Attr{Key: "password", Value: key.Digest("acme", "hunter2"), Mark: opsec.Digest}},
	} {
		t.Run(name, func(t *testing.T) {
			leaf, body := write(t, &entry.Scribe{Keys: keys, Digest: test.digest}, e)
			got, _ := read(t, keys, leaf, body, everything)
			require.Equal(t, []opsec.Attr{test.want, {Key: "none", Mark: opsec.Secret}}, got.Attrs)
		})
	}
}

func TestWhoseAnAttributeIs(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	mary := entry.Subject{Tenant: "acme", Account: "mary"}
	subjects := map[string]entry.Subject{
		"tenant": {Tenant: "acme"}, "john": {Tenant: "acme", Account: "j.doe", Person: "p-00017"},
		"boss": {Tenant: "acme", Account: "boss"}, "mary": mary, "mary again": mary,
	}
	e := attach()
	e.OnBehalfOf = &opsec.Actor{Account: "boss"}
	e.Attrs = nil
	for _, key := range []string{"mary", "tenant", "john", "boss", "mary again", "nobody"} {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: "of " + key})
	}
	s := &entry.Scribe{Keys: keys, SubjectOf: func(_ *opsec.Event, a opsec.Attr) (entry.Subject, bool) {
		who, ok := subjects[a.Key]
		return who, ok
	}}
	leaf, body := write(t, s, e)
	groups := map[string]entry.Group{}
	got, _ := read(t, keys, leaf, body, func(f entry.Field) bool {
		if key, ok := strings.CutPrefix(f.Name, "attrs."); ok {
			groups[key] = f.Group
		}
		return true
	})
	require.Equal(t, e, got)
	require.Equal(t, map[string]entry.Group{
		"mary": entry.GroupAbout, "mary again": entry.GroupAbout, "tenant": entry.GroupTenant, "john": entry.GroupActor,
		"nobody": entry.GroupActor, "boss": entry.GroupOnBehalf,
	}, groups)

	b, err := entry.ParseBody(body)
	require.NoError(t, err)
	hers, _, err := keys.Subject(t.Context(), mary)
	require.NoError(t, err)
	require.Contains(t, b.Terms(), entry.Term{Kind: entry.TermAbout, Tag: hers})
	require.NoError(t, keys.Erase(t.Context(), hers))
	got, _ = read(t, keys, leaf, body, everything)
	require.Equal(t, "[erased]", got.Attrs[0].Value)
	require.Equal(t, "[erased]", got.Attrs[4].Value)
	require.Equal(t, "of john", got.Attrs[2].Value)
}

func TestTermsFindAnEvent(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys}
	e := attach()
	e.OnBehalfOf, e.Intent = &opsec.Actor{Tenant: "globex", Person: "p-1"}, "the-intent"
	d, err := s.Draft(t.Context(), e)
	require.NoError(t, err)
	b, err := entry.ParseBody(d.Body)
	require.NoError(t, err)

	find := func(s entry.Subject) entry.Handle {
		list, err := keys.Find(t.Context(), s)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	_, acme, err := keys.Subject(t.Context(), entry.Subject{Tenant: "acme"})
	require.NoError(t, err)
	require.Equal(t, []entry.Term{
		{entry.TermActor, find(entry.Subject{Tenant: "acme", Account: "j.doe"})},
		{entry.TermOnBehalf, find(entry.Subject{Tenant: "globex", Person: "p-1"})},
		entry.ResourceTerm(acme, e.Resource),
		entry.IntentTerm(acme, "the-intent"),
	}, d.Terms())
	require.Equal(t, d.Terms(), b.Terms())
	require.NotEqual(t, entry.ResourceTerm(acme, opsec.Resource{Type: "ab", ID: "c"}),
		entry.ResourceTerm(acme, opsec.Resource{Type: "a", ID: "bc"}))

	e = opsec.NewEvent("authn.login", time.Now())
	e.Outcome, e.Actor.IP = opsec.Denied, netip.MustParseAddr("192.0.2.1")
	d, err = s.Draft(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, []entry.Term{
		{entry.TermActor, find(entry.Subject{Tenant: opsec.Provider, Account: entry.Anonymous})},
	}, d.Terms())
}

func TestTheLargestEvents(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	many := func(n int, value string, mark opsec.Sensitivity) *opsec.Event {
		e := attach()
		e.Attrs = nil
		for i := range n {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: fmt.Sprint("k", i), Value: value, Mark: mark})
		}
		return e
	}
	for name, e := range map[string]*opsec.Event{
		"public":             many(6, strings.Repeat("x", opsec.MaxValueLen), opsec.Public),
		"public and escaped": many(6, strings.Repeat("\x1b", opsec.MaxValueLen), opsec.Public),
		"many public":        many(64, strings.Repeat("x", 850), opsec.Public),
		"personal":           many(6, strings.Repeat("x", opsec.MaxValueLen), opsec.Personal),
		"many for tenant":    many(64, strings.Repeat("x", 850), opsec.Tenant),
	} {
		t.Run(name, func(t *testing.T) {
			leaf, body := write(t, &entry.Scribe{Keys: keys}, e)
			require.LessOrEqual(t, len(leaf), entry.MaxLeaf)
			require.LessOrEqual(t, len(body), entry.MaxBody)
			got, _ := read(t, keys, leaf, body, everything)
			require.Equal(t, e, got)
		})
	}

	e := many(64, strings.Repeat("x", opsec.MaxValueLen), opsec.Personal)
	_, err := (&entry.Scribe{Keys: keys}).Draft(t.Context(), e)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// fake is Keys whose answers a test decides.
type fake struct {
	entry.Keys
	wrap func(entry.Key) entry.Key
	err  error
}

func (f fake) Subject(ctx context.Context, s entry.Subject) (entry.Handle, entry.Key, error) {
	h, k, err := f.Keys.Subject(ctx, s)
	return h, f.wrap(k), errors.Join(err, f.err)
}

type wide struct{ entry.Key }

func (w wide) Encrypt(plain, data []byte) ([]byte, error) { return make([]byte, entry.MaxBody), nil }

type late struct {
	entry.Key
	left *int
}

func (l late) Encrypt(plain, data []byte) ([]byte, error) {
	if *l.left--; *l.left >= 0 {
		return nil, fmt.Errorf("just now: %w", entry.ErrErased)
	}
	return l.Key.Encrypt(plain, data)
}

func TestDraftRefuses(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	_, err := (&entry.Scribe{Keys: keys}).Draft(t.Context(), &opsec.Event{})
	require.ErrorIs(t, err, opsec.ErrInvalid)

	s := &entry.Scribe{Keys: fake{keys, func(k entry.Key) entry.Key { return wide{k} }, nil}}
	_, err = s.Draft(t.Context(), attach())
	require.ErrorIs(t, err, opsec.ErrInvalid, "a body that does not fit")

	down := errors.New("down")
	s = &entry.Scribe{Keys: fake{keys, func(k entry.Key) entry.Key { return k }, down}}
	_, err = s.Draft(t.Context(), attach())
	require.ErrorIs(t, err, down)
}

func TestErasureDuringADraft(t *testing.T) {
	keys := subject.Memory()
	defer keys.Close()
	left := 3
	s := &entry.Scribe{Keys: fake{keys, func(k entry.Key) entry.Key { return late{k, &left} }, nil}}
	leaf, body := write(t, s, attach())
	got, _ := read(t, keys, leaf, body, everything)
	require.Equal(t, attach(), got)

	left = 1000
	_, err := s.Draft(t.Context(), attach())
	require.ErrorIs(t, err, entry.ErrErased, "not for ever")
}

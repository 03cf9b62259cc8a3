package export_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/export"
)

// seal makes a record as a log would have it: here the evidence is the event, and the leaf its digest.
func seal(e *opsec.Event, index uint64) *export.Record {
	evidence := e.AppendJSON(nil)
	digest := sha256.Sum256(evidence)
	r := &export.Record{
		Event: e, Index: index, Leaf: fmt.Appendf(nil, `{"body":"%x"}`, digest), Evidence: evidence,
		Size: index + 1, Root: sha256.Sum256(digest[:]),
	}
	r.LeafHash = tlog.RecordHash(r.Leaf)
	return r
}

// open proves the event of such a leaf.
func open(leaf, evidence []byte) (*opsec.Event, error) {
	if want := fmt.Appendf(nil, `{"body":"%x"}`, sha256.Sum256(evidence)); !bytes.Equal(leaf, want) {
		return nil, fmt.Errorf("not the evidence of this leaf: %w", opsec.ErrInvalid)
	}
	e := new(opsec.Event)
	return e, json.Unmarshal(evidence, e)
}

func exporter(t testing.TB, change ...func(*export.Policy)) *export.Exporter {
	t.Helper()
	p := export.Policy{Origin: "log.example.org/audit"}
	for _, c := range change {
		c(&p)
	}
	x, err := export.New(p)
	require.NoError(t, err)
	return x
}

func write(t testing.TB, x *export.Exporter, form export.Form, r *export.Record) []byte {
	t.Helper()
	line, err := x.Append(nil, form, r)
	require.NoError(t, err)
	return line
}

// read returns the one line of text.
func read(text []byte) (export.Line, error) {
	var line export.Line
	err := fmt.Errorf("no line")
	n := 0
	for line, err = range export.Read(bytes.NewReader(text)) {
		if n++; n > 1 {
			return line, fmt.Errorf("several lines")
		}
	}
	return line, err
}

var forms = []export.Form{export.JSON, export.OCSF, export.Syslog}

// login is the event of the examples.
func login() *opsec.Event {
	e := opsec.NewEvent("authn.login", time.Date(2026, 11, 25, 3, 4, 5, 123456789, time.UTC))
	e.ID, e.Tenant = "0192d3c4-0000-7000-8000-000000000001", "acme"
	e.Category, e.Outcome, e.System = opsec.Authentication, opsec.Success, "console"
	e.Actor = opsec.Actor{
		Tenant: "acme", Account: "j.doe", Person: "p-17", Kind: opsec.Human, Session: "s-1",
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop-3",
	}
	return e
}

// actions are those that the default rules know, and those of [reviews].
func actions() []string {
	return []string{
		"authn.login", "authn.logout", "role.assign", "audit.gap", "audit.file_replaced", "audit.file_repaired",
		"audit.opened", "backup.verify", "backup.build", "approval.request", "approval.approve", "approval.reject",
		"approval.retract", "approval.withdraw", "approval.expire", "approval.use", "identity.register",
		"identity.enable", "identity.disable", "identity.delete", "identity.lock", "identity.unlock", "volume.create",
		"volume.read", "volume.list", "volume.update", "volume.delete", "keymgmt.destroy", "volume.resize",
		"patch.update_found", "patch.handled", "review.assign", "review.change", "review.close",
	}
}

// corpus is events of all kinds that rules tell apart, with and without what an event may have.
func corpus() []*opsec.Event {
	var list []*opsec.Event
	r := rand.New(rand.NewPCG(1, 2))
	for i, action := range actions() {
		for j, outcome := range []opsec.Outcome{opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown} {
			bare := opsec.NewEvent(action, time.Date(2026, 11, 25, 3, i, j, 0, time.UTC))
			bare.Outcome = outcome
			bare.Actor.Kind = opsec.System

			full := login()
			full.ID, full.Action, full.Outcome, full.Category = opsec.NewID(), action, outcome, ""
			full.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "v-1"}
			full.Began, full.Intent, full.Reason = full.Time.Add(-time.Hour), opsec.NewID(), "asked for"
			full.OnBehalfOf = &opsec.Actor{Tenant: "other", Account: "x"}
			full.Granted, full.Cancelled = []string{"volume.read", "volume.write"}, []string{"volume.delete"}
			full.Attrs = []opsec.Attr{{Key: "k", Value: "v", Mark: opsec.Public}, {Key: "s", Value: "never", Mark: opsec.Secret}}

			list = append(list, bare, full)
			for range 16 { // each part there or not, by chance, the same in every run
				e := *full
				there := func(kept ...func()) {
					for _, without := range kept {
						if r.IntN(2) == 0 {
							without()
						}
					}
				}
				there(
					func() { e.Actor.Tenant = "" }, func() { e.Actor.Account = "" }, func() { e.Actor.Person = "" },
					func() { e.Actor.Session = "" }, func() { e.Actor.IP = netip.Addr{} }, func() { e.Actor.Terminal = "" },
					func() { e.System = "" }, func() { e.Resource.Tenant = "" }, func() { e.Resource.Type = "" },
					func() { e.Resource.ID = "" }, func() { e.Granted = nil }, func() { e.Cancelled = nil },
					func() { e.Began = time.Time{} }, func() { e.Intent = "" }, func() { e.Reason = "" },
					func() { e.Category = opsec.Authentication }, func() { e.Category = opsec.Authorization },
				)
				e.Actor.Kind = []opsec.ActorKind{opsec.Human, opsec.Service, opsec.System, ""}[r.IntN(4)]
				list = append(list, &e, e.Redacted(opsec.Public))
			}
		}
	}
	return list
}

// reviews are rules of a user, for the classes and activities that the default leaves out.
func reviews(p *export.Policy) {
	p.Mapping = export.Mapping{
		{Action: "patch.update_found", Class: export.DetectionFinding, Activity: 2, Severity: opsec.SeverityCritical},
		{Action: "patch.*", Class: export.DetectionFinding, Activity: 3},
		{Action: "review.assign", Class: export.AuthorizeSession, Activity: 2},
		{Action: "review.close", Class: export.ComplianceFinding, Activity: 99},
		{Action: "review.*", Class: export.AccountChange, Activity: 99},
	}
}

func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "\"]\\=", "\n<13>1 - - - - - - forged", "\x00\x1b[2J\x7f\u009b\u2028",
			"\xff\xfe", "\U0001f600\ufffd", "Zoë", "{\"a\":1}", "[personal]", "a b"}),
		rapid.String(),
	)
}

func anyActor() *rapid.Generator[opsec.Actor] {
	return rapid.Custom(func(t *rapid.T) opsec.Actor {
		a := opsec.Actor{
			Tenant: opsec.TenantID(anyText().Draw(t, "tenant")), Account: anyText().Draw(t, "account"),
			Person: anyText().Draw(t, "person"), Session: anyText().Draw(t, "session"),
			Kind:     rapid.SampledFrom([]opsec.ActorKind{"", opsec.Human, opsec.Service, opsec.System}).Draw(t, "kind"),
			Terminal: anyText().Draw(t, "terminal"),
		}
		switch b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip"); rapid.IntRange(0, 3).Draw(t, "family") {
		case 1:
			a.IP = netip.AddrFrom4([4]byte(b))
		case 2:
			a.IP = netip.AddrFrom16([16]byte(b))
		case 3:
			a.IP = netip.AddrFrom16([16]byte(b)).WithZone(rapid.StringMatching(`[a-z0-9]{1,60}`).Draw(t, "zone"))
		}
		return a
	})
}

func anyEvent() *rapid.Generator[*opsec.Event] {
	when := func(t *rapid.T, name string) time.Time {
		sec := rapid.Int64Range(-62135596799, 253402300799).Draw(t, name) // years 1 to 9999
		return time.Unix(sec, rapid.Int64Range(0, 999_999_999).Draw(t, name)).UTC()
	}
	action := rapid.OneOf(rapid.StringMatching(`[a-z]{1,20}(\.[a-z_]{1,20}){0,3}`), rapid.SampledFrom(actions()))
	return rapid.Custom(func(t *rapid.T) *opsec.Event {
		e := opsec.NewEvent(action.Draw(t, "action"), when(t, "time"))
		e.Tenant = opsec.TenantID(rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "tenant"))
		e.Category = rapid.SampledFrom([]opsec.Category{"", opsec.Authentication, opsec.Authorization}).Draw(t, "category")
		e.Outcome = rapid.SampledFrom([]opsec.Outcome{
			opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown}).Draw(t, "outcome")
		e.System, e.Reason = anyText().Draw(t, "system"), anyText().Draw(t, "reason")
		e.Actor = anyActor().Draw(t, "actor")
		if rapid.Bool().Draw(t, "for another") {
			other := anyActor().Draw(t, "other")
			e.OnBehalfOf, e.Began = &other, when(t, "began")
		}
		e.Resource.Type, e.Resource.ID = anyText().Draw(t, "type"), anyText().Draw(t, "id")
		e.Resource.Tenant = opsec.TenantID(anyText().Draw(t, "owner"))
		e.Granted = rapid.SliceOfN(anyText(), 0, 2).Draw(t, "granted")
		e.Cancelled = rapid.SliceOfN(anyText(), 0, 2).Draw(t, "cancelled")
		for i := range rapid.IntRange(0, 2).Draw(t, "attrs") {
			e.Attrs = append(e.Attrs, opsec.Attr{
				Key: fmt.Sprint("k", i), Value: anyText().Draw(t, "value"),
				Mark: rapid.SampledFrom([]opsec.Sensitivity{"", opsec.Public, opsec.Digest, opsec.Secret}).Draw(t, "mark"),
			})
		}
		if rapid.IntRange(0, 4).Draw(t, "redact") == 0 {
			return e.Redacted(opsec.Public)
		}
		return e
	})
}

package opsec_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cloudopsec/opsec"
)

// login is a realistic authentication event with three attributes.
func login() *opsec.Event {
	e := opsec.NewEvent("authn.login", time.Date(2026, 11, 24, 8, 30, 0, 123456789, time.UTC))
	e.Tenant, e.Category, e.Outcome = "acme", opsec.Authentication, opsec.Success
	e.System = "console.eu-1.example.net"
	e.Actor = opsec.Actor{
		Tenant: "acme", Account: "j.doe@acme.example", Person: "p-00017", Kind: opsec.Human,
		Session: "s-7f3a9c", IP: netip.MustParseAddr("2001:db8::17"), Terminal: "laptop-0412 (Firefox 140)",
	}
	e.Resource = opsec.Resource{Tenant: "acme", Type: "console", ID: "main"}
	e.Attrs = []opsec.Attr{
		{Key: "method", Value: "webauthn", Mark: opsec.Tenant},
		{Key: "user_agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		{Key: "assertion", Value: "pQECAyYgASFYIA", Mark: opsec.Secret},
	}
	return e
}

// BenchmarkEventEncode is what every recorded event pays: Validate and AppendJSON into a buffer used again.
func BenchmarkEventEncode(b *testing.B) {
	e := login()
	buf := e.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Validate(); err != nil {
			b.Fatal(err)
		}
		buf = e.AppendJSON(buf[:0])
	}
}

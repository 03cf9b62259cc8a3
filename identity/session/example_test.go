package session_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

// proven stands for the Proof of a gate.
type proven struct {
	tenant  opsec.TenantID
	account string
	factor  string
	at      time.Time
}

func (p proven) Tenant() opsec.TenantID { return p.tenant }
func (p proven) Account() string        { return p.account }
func (p proven) Factor() string         { return p.factor }
func (p proven) At() time.Time          { return p.at }

func Example() {
	ctx := context.Background()
	policy, err := session.Preset("nist-aal2")
	if err != nil {
		panic(err)
	}
	m, err := session.New(session.NewMemory(nil), policy, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		panic(err)
	}
	eve := opsec.Actor{Tenant: "acme", Account: "eve", Person: "p-7", Kind: opsec.Human,
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop"}
	password := proven{"acme", "eve", "password", m.Now()}
	code := proven{"acme", "eve", "otp", m.Now()}

	_, _, err = m.Create(ctx, session.Request{User: eve, System: "console"}, password)
	fmt.Println(err)
	s, token, err := m.Create(ctx, session.Request{User: eve, System: "console"}, password, code)
	fmt.Println(s.System, token, err)

	_, billing, err := m.Join(ctx, token, session.Use{}, "billing", true)
	fmt.Println(err)
	_, err = m.Validate(ctx, billing, session.Use{Application: "billing"})
	fmt.Println(err)

	notice, err := m.End(ctx, token, session.Use{})
	fmt.Println(notice.Applications, err)
	_, err = m.Validate(ctx, token, session.Use{})
	fmt.Println(err)
	// Output:
	// session: proof missing, not of this account, or too old: denied
	// console [token] <nil>
	// <nil>
	// <nil>
	// [billing] <nil>
	// session: no session has this token: denied
}

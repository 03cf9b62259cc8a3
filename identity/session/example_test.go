package session_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
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

// managed returns a manager for the examples.
func managed(p session.Policy) *session.Manager {
	m, err := session.New(session.NewMemory(nil), p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		panic(err)
	}
	return m
}

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
	// session: proof missing, not of this account, or too old: denied: 1 factors, want 2
	// console [token] <nil>
	// <nil>
	// <nil>
	// [billing] <nil>
	// session: no session has this token: denied
}

func ExampleManager_Raise() {
	policy := session.Policy{Maximum: 8 * time.Hour, Idle: time.Hour, Fresh: 5 * time.Minute, Factors: 1, Concurrent: 3}
	m, ctx := managed(policy), context.Background()
	s, token, err := m.Create(ctx, request("eve"), proven{"acme", "eve", "password", m.Now()})
	fmt.Println(s.Fresh(m.Now(), 10*time.Minute, "otp"), err)

	s, raised, err := m.Raise(ctx, token, session.Use{}, proven{"acme", "eve", "otp", m.Now()})
	fmt.Println(s.Fresh(m.Now(), 10*time.Minute, "otp"), err)
	_, err = m.Validate(ctx, token, session.Use{}) // the token from before
	fmt.Println(err)
	_, err = m.Validate(ctx, raised, session.Use{})
	fmt.Println(err)
	// Output:
	// false <nil>
	// true <nil>
	// session: no session has this token: denied
	// <nil>
}

func ExampleManager_RevokeAll() {
	policy := session.Policy{Maximum: 8 * time.Hour, Idle: time.Hour, Fresh: 5 * time.Minute, Factors: 1, Concurrent: 3}
	m, ctx := managed(policy), context.Background()
	before := proven{"acme", "eve", "password", m.Now()}
	_, token, err := m.Create(ctx, request("eve"), before)
	fmt.Println(err)

	fmt.Println(m.RevokeAll(ctx, "acme", "eve", admin, "laptop stolen"))
	_, err = m.Validate(ctx, token, session.Use{})
	fmt.Println(err)
	_, _, err = m.Create(ctx, request("eve"), before) // a log-in that had begun before
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// session: has ended: revoked
	// session: proof missing, not of this account, or too old: denied: proof 1 is older than a revocation
}

func ExampleManager_Notices() {
	policy := session.Policy{Maximum: 8 * time.Hour, Idle: time.Hour, Fresh: 5 * time.Minute, Factors: 1, Concurrent: 3}
	m, ctx := managed(policy), context.Background()
	_, token, err := m.Create(ctx, request("eve"), proven{"acme", "eve", "password", m.Now()})
	fmt.Println(err)
	_, _, err = m.Join(ctx, token, session.Use{}, "billing", true)
	fmt.Println(err)
	fmt.Println(m.RevokeAll(ctx, "acme", "eve", admin, "left"))

	for n, err := range m.Notices(ctx, "acme") {
		if err != nil {
			panic(err)
		}
		fmt.Println("tell", n.Applications, "that", n.Account, "is gone:", n.Why)
		fmt.Println(m.Told(ctx, n))
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// tell [billing] that eve is gone: revoked
	// <nil>
}

func ExampleSession_NextDeadline() {
	policy, err := session.Preset("nist-aal2")
	if err != nil {
		panic(err)
	}
	s := session.Session{Began: noon, Seen: noon.Add(3 * time.Hour)}
	fmt.Println(s.NextDeadline(&policy).Sub(noon), s.At(&policy, noon.Add(4*time.Hour)))
	// Output: 4h0m0s idle
}

func ExampleKeyThumbprint() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	p, err := session.KeyThumbprint(key)
	if err != nil {
		panic(err)
	}
	text, err := p.MarshalText()
	fmt.Println(string(text), err)
	// Output: 9ZP03Nu8GrXPAUkbKNxHOKBzxPX83SShgFkRNK-f2lw <nil>
}

func ExamplePolicy() {
	var p session.Policy
	err := json.Unmarshal([]byte(`{"maximum": "8h", "idle": "30m", "cache": "15s", "fresh": "5m", "factors": 1, "concurrent": 3}`), &p)
	fmt.Println(p.Idle, err)
	err = json.Unmarshal([]byte(`{"maximum": "8h", "fresh": "5m", "factors": 1, "concurrent": 3}`), &p)
	fmt.Println(err)
	// Output:
	// 30m0s <nil>
	// session: policy: idle is 0s, want more than 0, at most maximum, 8h0m0s: invalid
}

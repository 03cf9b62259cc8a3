package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/login"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/identity/session"
)

// register stands for the accounts and the stored hashes of a control plane.
type register struct {
	pool   *hash.Pool
	hashes map[string]string
}

func (r register) Find(_ context.Context, _ opsec.TenantID, name string) (login.Account, error) {
	if name != "ada" {
		return login.Account{}, opsec.ErrNotFound
	}
	return login.Account{ID: "a-1", Person: "p-1", Kind: opsec.Human}, nil
}

func (r register) Verify(ctx context.Context, _ opsec.TenantID, account string, _ lockout.Factor, secret []byte) (login.Answer, error) {
	found, err := r.pool.Verify(ctx, secret, r.hashes[account])
	return login.Answer{Match: found.Match, Hidden: found.Hidden}, err
}

func (r register) Decoy(ctx context.Context, _ lockout.Factor, secret []byte) error {
	return r.pool.Dummy(ctx, secret)
}

func Example() {
	ctx := context.Background()
	pool, err := hash.New(hash.OWASP, nil)
	check(err)
	stored, err := pool.Hash(ctx, []byte("correct horse"))
	check(err)
	accounts := register{pool, map[string]string{"a-1": stored}}

	policy, err := lockout.Preset(lockout.PresetRecommendation)
	check(err)
	gate, err := lockout.New(lockout.NewMemory(1000, nil), policy, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	check(err)
	desk, err := login.New(accounts, accounts, gate, &login.Options{Recorder: new(audittest.Recorder)})
	check(err)
	limits, err := session.Preset("nist-aal1")
	check(err)
	sessions, err := session.New(session.NewMemory(nil), limits, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	check(err)

	for _, typed := range [][2]string{{"ada", "battery staple"}, {"adam", "correct horse"}, {"ada", "correct horse"}} {
		visit, err := desk.Enter(ctx, login.Attempt{
			Tenant: "acme", Name: typed[0], Factor: lockout.Password, Secret: []byte(typed[1]), System: "console",
			From: opsec.Actor{IP: netip.MustParseAddr("192.0.2.7"), Terminal: "kiosk"},
		})
		if err != nil {
			var refusal *login.Refusal
			errors.As(err, &refusal)
			fmt.Printf("page: %v\nrecord: %v\n", err, refusal.Reason())
			continue
		}
		s, token, err := sessions.Create(ctx, visit.Request(), visit.Proofs()...)
		fmt.Println(s.User.Account, s.System, token, err)
	}
	// Output:
	// page: login: the name or the secret is wrong, or the account may not log in now: denied
	// record: login: wrong secret
	// page: login: the name or the secret is wrong, or the account may not log in now: denied
	// record: login: no such account
	// a-1 console [token] <nil>
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

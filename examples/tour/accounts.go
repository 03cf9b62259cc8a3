package main

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

// accountsStop audits the accounts of this machine, and sign-ins that might have been tried on it.
func accountsStop(_ context.Context, t *tour) {
	now := time.Now()
	register := t.machine()
	register = append(register, accounts.Account{
		Key: accounts.ParseAccount(t.actor.Tenant, t.actor.Account), State: accounts.Active, Person: t.actor.Person,
		Approved: now.AddDate(-1, 0, 0), Reviewed: now.AddDate(0, -1, 0), LastUsed: now, Ref: "whoami",
	})
	slices.SortFunc(register, func(a, b accounts.Account) int { return a.Compare(b.Key) })

	var tried []accounts.SignIn
	for i, name := range []string{register[0].Main, "admin1", "administrator", "oracle", "hunter2!", "test"} { // one is a password, by mistake
		tried = append(tried, accounts.SignIn{
			Key: accounts.ParseAccount(t.actor.Tenant, name), Time: now.Add(time.Duration(i-10) * time.Second), Outcome: "failure",
			IP: netip.MustParseAddr("203.0.113.9"), Ref: "sshd",
		})
	}
	slices.SortStableFunc(tried, func(a, b accounts.SignIn) int { return a.Compare(b.Key) })
	key := make([]byte, 32) // names that nobody has are kept as digests under it, and forgotten with it
	rand.Read(key)
	var summary accounts.Summary
	found := map[accounts.Kind]string{}
	for f, err := range (accounts.Policy{}).Audit(accounts.Sources{
		Accounts: script.Rows(register), SignIns: script.Rows(tried), Since: now.Add(-time.Hour), Key: key, Summary: &summary,
	}, now) {
		check(err)
		found[f.Kind] = f.Detail
	}
	t.say("   %d accounts: %v", len(register), summary.Findings)
	t.say("   %s", found[accounts.InventedAttempt])
	t.say("   not tested, and so not passed: %d kinds, such as %s: %s", len(summary.NotTested), summary.NotTested[0].Kind, summary.NotTested[0].Why)
	t.result["accounts"] = summary
}

package claims_test

import (
	"context"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/examples/internal/claims"
	"github.com/cloudopsec/opsec/keymgmt/statement"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/claim"
)

func TestRoomsStateWhatAnAgreementClaims(t *testing.T) {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april := march.AddDate(0, 1, 0)
	text, err := os.ReadFile("../../../sla/testdata/iaas.yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)

	keys := claims.Keys{Statement: statement.Statement{Tenant: "acme", Time: april.Add(-time.Hour), Entries: []statement.Entry{
		{Data: "volumes", Where: statement.Storage, At: "eu-1", Algorithm: "AES256_GCM", Strength: 256},
	}}, Words: map[string]string{"volumes": "volumes and their backups"}}
	keys.Statement.Entries[0].Set.Tenant = "acme"
	seen := plan.Observed{Tenant: "acme", Source: "vm-1", At: april, Since: march.AddDate(-2, 0, 0), Points: []plan.ObservedPoint{{ID: "p1", Taken: march, Copies: []plan.ObservedCopy{
		{Target: "a", Site: plan.OnSite, Durable: march.Add(time.Minute)}, {Target: "b", Site: plan.OnSite, Durable: march.Add(time.Minute)},
	}}}, Tests: []plan.ObservedTest{{ID: "t1", Point: "p1", At: march.AddDate(0, 0, 3), Took: time.Hour, Passed: true}}}
	backups := claims.Backups{Sources: func(context.Context, time.Time) iter.Seq2[plan.Observed, error] {
		return func(yield func(plan.Observed, error) bool) { yield(seen, nil) }
	}}
	gone := claims.Erasures{Receipts: func(context.Context) iter.Seq2[[]byte, error] { return func(func([]byte, error) bool) {} },
		Ordered: map[opsec.Resource]time.Time{{Tenant: "acme", Type: "volume", ID: "7"}: march.AddDate(0, 0, -20)}}
	held, proofs := claims.Audits([]programme.Audit{{ID: "2026-1", Stage: programme.Closed, Plan: programme.Plan{Customers: []opsec.TenantID{"acme"}, Scope: independence.Scope{Systems: []string{"*"}},
		Procedures: []programme.Procedure{{ID: "mfa", Requirements: []string{"7.2.2.4-4"}}}},
		Results: []programme.Result{{Procedure: "mfa", Item: "x", Status: programme.Passed, Time: march.AddDate(0, 0, 8)}},
		History: []programme.Entry{{Time: march.AddDate(0, 0, 9), Action: programme.ActionIssue}}}}, claims.Wording{Tenant: "acme", Scope: map[string]string{"*": "the whole cloud computing system"},
		Measures: map[string]string{"7.2.2.4-4": "clause.measures.authentication"}})
	r, err := claim.Check(t.Context(), a, claim.Sources{Encryption: keys, Backups: backups, Deletions: gone, Audits: claim.List[claim.Audit](held),
		Proofs: claim.List[claim.Proof](proofs)}, march, april, april)
	require.NoError(t, err)
	got := map[string]string{}
	for _, p := range r.Promises {
		if p.Looked > 0 {
			got[p.Path] = string(p.Verdict)
		}
	}
	require.Equal(t, map[string]string{
		"clause.data.encryption[0]": "met", "clause.data.backup.rpo": "breach", "clause.data.backup.rto": "met", "clause.data.backup.retention": "met",
		"clause.data.backup.onSite": "met", "clause.data.backup.offSite": "breach", "clause.data.backup.testEvery": "met",
		"clause.data.compliance[1].keepMost": "met", "clause.data.deletion": "breach", "clause.audit.every": "met", "clause.audit.visible": "met",
		"clause.measures.authentication": "met",
	}, got)
}

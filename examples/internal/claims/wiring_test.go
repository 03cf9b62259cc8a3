package claims_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/examples/internal/claims"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
	"github.com/cloudopsec/opsec/keymgmt/statement"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/claim"
)

var march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// day is a moment of March, or before.
func day(n int) time.Time { return march.AddDate(0, 0, n) }

// all reads a source.
func all[T any](t *testing.T, s claim.Source[T], from time.Time) (list []T, err error) {
	t.Helper()
	for x, err := range s.Statements(t.Context(), from, day(31)) {
		if err != nil {
			return list, err
		}
		list = append(list, x)
	}
	return list, nil
}

func TestKeysAreOfTheTenantAndOfTheTimeThatTheStatementNames(t *testing.T) {
	s := statement.Statement{Tenant: "acme", Time: day(9), Entries: []statement.Entry{
		{Data: "a", Where: statement.Storage, At: "eu-1", Algorithm: "AES256_GCM", Set: keymgmt.SetID{Tenant: "acme", ID: "k"}},
		{Data: "b", Where: statement.Backup, At: "eu-1", Algorithm: "AES256_GCM", Set: keymgmt.SetID{Tenant: opsec.Provider, ID: "k"}},
		{Data: "c", Where: statement.Transit, At: "api", Algorithm: "TLS_AES_128_GCM_SHA256", Protocol: "TLS 1.3", Seen: day(8)},
		{Data: "d", Where: statement.Transit, At: "queue", Algorithm: "AES256_GCM", Set: keymgmt.SetID{Tenant: opsec.Provider, ID: "k"}},
		{Data: "e", Where: statement.Transit, At: "old"},
	}}
	got, err := all(t, claims.Keys{Statement: s, Words: map[string]string{"a": "volumes"}}, march)
	require.NoError(t, err)
	require.Equal(t, []claim.Use{
		{Tenant: "acme", Data: "volumes", Phase: sla.AtRest, At: "eu-1", Algorithm: "AES256_GCM", KeyOwner: "customer", Seen: day(9), Evidence: s.Digest()},
		{Tenant: "acme", Data: "b", Phase: sla.AtRest, At: "eu-1", Algorithm: "AES256_GCM", KeyOwner: "provider", Seen: day(9), Evidence: s.Digest()},
		{Tenant: "acme", Data: "c", Phase: sla.InMotion, At: "api", Algorithm: "TLS 1.3", KeyOwner: "provider", Seen: day(8), Evidence: s.Digest()},
		{Tenant: "acme", Data: "d", Phase: sla.InMotion, At: "queue", Algorithm: "AES256_GCM", KeyOwner: "provider", Seen: day(9), Evidence: s.Digest()},
		{Tenant: "acme", Data: "e", Phase: sla.InMotion, At: "old", KeyOwner: "provider", Seen: day(9), Evidence: s.Digest()},
	}, got)
}

// A point is there while all of its chain is, at one target.
func TestAPointWithoutItsChainIsNone(t *testing.T) {
	copied := func(target string, from int) plan.ObservedCopy {
		return plan.ObservedCopy{Target: target, Site: map[string]plan.Site{"a": plan.OnSite, "b": plan.OffSite}[target], Durable: day(from)}
	}
	broken := copied("b", 2)
	broken.Broken = true
	o := plan.Observed{Tenant: "acme", Source: "vm", At: day(20), Points: []plan.ObservedPoint{
		{ID: "full", Taken: day(1), Deleted: day(9), Copies: []plan.ObservedCopy{copied("a", 5), copied("b", 1)}},
		{ID: "one", Taken: day(2), Parents: []string{"full"}, Copies: []plan.ObservedCopy{copied("a", 2), broken}},
		{ID: "two", Taken: day(3), Parents: []string{"one"}, Copies: []plan.ObservedCopy{copied("a", 3), copied("b", 3)}}, // at b its parent is broken
		{ID: "three", Taken: day(4), Deleted: day(6), Parents: []string{"two"}, Copies: []plan.ObservedCopy{copied("a", 4)}},
		{ID: "late", Taken: day(10), Parents: []string{"full"}, Copies: []plan.ObservedCopy{copied("a", 10)}}, // its parent is gone
		{ID: "orphan", Taken: day(10), Parents: []string{"lost"}, Copies: []plan.ObservedCopy{copied("a", 10)}},
		{ID: "loop", Taken: day(10), Parents: []string{"pool"}, Copies: []plan.ObservedCopy{copied("a", 10)}},
		{ID: "pool", Taken: day(10), Parents: []string{"loop"}, Copies: []plan.ObservedCopy{copied("a", 10)}},
		{ID: "from it", Taken: day(10), Parents: []string{"loop"}, Copies: []plan.ObservedCopy{copied("a", 10)}},
		{ID: "brief", Taken: day(7), Deleted: day(8), Copies: []plan.ObservedCopy{copied("a", 8)}}, // never there
		{ID: "to come", Taken: day(21), Copies: []plan.ObservedCopy{copied("a", 22)}},
		{ID: "coming", Taken: day(19), Deleted: day(25), Copies: []plan.ObservedCopy{copied("a", 19), copied("b", 21)}},
	}, Tests: []plan.ObservedTest{{ID: "t", At: day(3), Took: time.Hour, Passed: true}, {ID: "later", At: day(21)}}}
	sources := claims.Backups{Sources: func(context.Context, time.Time) iter.Seq2[plan.Observed, error] {
		return func(yield func(plan.Observed, error) bool) { yield(o, nil) }
	}, Began: map[string]time.Time{"vm": day(1)}, Ceased: map[string]time.Time{"vm": day(18), "other": day(2)}}
	got, err := all(t, sources, march)
	require.NoError(t, err)
	require.Len(t, got, 1)
	b := got[0]
	require.Equal(t, []string{"acme", "vm"}, []string{b.Tenant, b.Source})
	require.Equal(t, []time.Time{day(1), day(18), day(20)}, []time.Time{b.Since, b.Until, b.Seen})
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", b.Evidence)
	require.Equal(t, []claim.Restore{{ID: "t", Ended: day(3), Took: time.Hour, Passed: true}}, b.Restores)
	require.Equal(t, []claim.Point{
		{ID: "full", Taken: day(1), Copies: []claim.Copy{{Durable: day(5), Gone: day(9)}, {OffSite: true, Durable: day(1), Gone: day(9)}}},
		{ID: "one", Taken: day(2), Copies: []claim.Copy{{Durable: day(5), Gone: day(9)}}},
		{ID: "two", Taken: day(3), Copies: []claim.Copy{{Durable: day(5), Gone: day(9)}}},
		{ID: "three", Taken: day(4), Copies: []claim.Copy{{Durable: day(5), Gone: day(6)}}},
		{ID: "late", Taken: day(10)}, {ID: "orphan", Taken: day(10)}, {ID: "loop", Taken: day(10)}, {ID: "pool", Taken: day(10)}, {ID: "from it", Taken: day(10)}, {ID: "brief", Taken: day(7)},
		{ID: "coming", Taken: day(19), Copies: []claim.Copy{{Durable: day(19)}}},
	}, b.Points)

	slices.Reverse(o.Points) // what is asked first does not matter
	turned, err := all(t, sources, march)
	require.NoError(t, err)
	slices.Reverse(turned[0].Points)
	require.Equal(t, b.Points, turned[0].Points)

	o.Since = march
	_, err = all(t, sources, march)
	require.NoError(t, err)
	o.Since = march.Add(1)
	_, err = all(t, sources, march)
	require.ErrorIs(t, err, opsec.ErrInvalid, "what went before is not in it")
}

// docs is a [keymgmt.Repository] in memory.
type docs map[string][]byte

func (d docs) Update(_ context.Context, _ opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	c, err := fn(func(names ...string) (list [][]byte, err error) {
		for _, name := range names {
			list = append(list, d[name])
		}
		return list, nil
	})
	for _, p := range c.Put {
		d[p.Name] = bytes.Clone(p.Data)
	}
	return err
}

func TestAnOrderIsAnsweredByWhatCameAfterIt(t *testing.T) {
	ctx, now := t.Context(), day(0)
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	trust := erasure.Trust{"one": erasure.Ed25519Public(private.Public().(ed25519.PublicKey))}
	ledger, err := erasure.New(docs{}, erasure.Options{Signer: erasure.Ed25519(private), KeyID: "one", Trust: trust,
		Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return now }})
	require.NoError(t, err)
	carol := opsec.Actor{Tenant: opsec.Provider, Account: "carol", Person: "carol", Kind: opsec.Human}
	volume := func(id string) opsec.Resource { return opsec.Resource{Tenant: "acme", Type: "volume", ID: id} }
	digests := map[string]string{}
	certify := func(id string, at, key int) {
		now = day(at)
		ref := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "volumes/" + id}, Key: uint32(key)}
		_, err := ledger.Issue(ctx, keymgmt.Destruction{
			Key: keymgmt.Key{Ref: ref, State: keymgmt.Destroyed, Algorithm: "AES256_GCM", Created: now.AddDate(0, -2, 0), Deactivated: now.AddDate(0, -1, 0),
				Destroyed: now, Census: &keymgmt.Census{Time: now.Add(-time.Hour), Of: 5, Digest: "sha256:00"}, Steps: 6},
			Purpose: keymgmt.DataEncryption, Method: "wrapped material removed", By: "alice", Reason: "end of life",
			Approval: opsec.NewID(), Approved: approval.Digest("sha256:11"), Approvers: []string{"bob", "carol"}, Event: opsec.NewID(),
			Copies: []keymgmt.Copy{{Kind: keymgmt.InRecord, Name: "key/" + ref.Set.ID, Fate: keymgmt.Erased, Time: now}},
			Checks: []keymgmt.Check{{What: "the record gives no material", Passed: true, Time: now}},
		})
		require.NoError(t, err)
		doc, err := ledger.Certify(ctx, carol, erasure.Declaration{Resource: volume(id), Keys: []keymgmt.Ref{ref}, AlwaysEncrypted: true})
		require.NoError(t, err)
		r, err := erasure.Verify(doc, trust)
		require.NoError(t, err)
		digests[fmt.Sprint(id, at)] = r.Digest()
	}
	release := func(id string, at int) {
		now = day(at)
		_, err := ledger.Release(ctx, carol, volume(id), "to globex")
		require.NoError(t, err)
	}
	certify("a", 1, 1)
	release("a", 2)
	certify("b", 3, 1)
	certify("a", 5, 2)
	release("a", 6)
	certify("a", 8, 3)
	release("b", 9)

	e := claims.Erasures{Receipts: func(ctx context.Context) iter.Seq2[[]byte, error] { return ledger.All(ctx, "acme") }, Trust: trust}
	head, err := ledger.Head(ctx, "acme")
	require.NoError(t, err)
	for _, c := range []struct {
		id              string
		ordered         int
		deleted, reused int // 0: not
	}{
		{"a", 1, 1, 2}, {"a", 2, 5, 2}, {"a", 3, 5, 6}, {"a", 6, 8, 6}, {"a", 7, 8, 0}, {"a", 9, 0, 0}, {"b", 3, 3, 9}, {"b", 4, 0, 9}, {"c", 1, 0, 0},
	} {
		e.Ordered = map[opsec.Resource]time.Time{volume(c.id): day(c.ordered)}
		got, err := all(t, e, march)
		require.NoError(t, err)
		want := claim.Deletion{Tenant: "acme", Resource: volume(c.id).String(), Ordered: day(c.ordered), Evidence: head.Digest}
		if c.deleted > 0 {
			digest := digests[fmt.Sprint(c.id, c.deleted)]
			want.Deleted, want.Method, want.Certificate, want.Evidence = day(c.deleted), "crypto-erase", digest, digest
		}
		if c.reused > 0 {
			want.Reused = day(c.reused)
		}
		require.Equal(t, []claim.Deletion{want}, got, "%+v", c)
	}

	// A chain from which the release was taken, or in which a byte is another, says nothing.
	var chain [][]byte
	for doc, err := range ledger.All(ctx, "acme") {
		require.NoError(t, err)
		chain = append(chain, doc)
	}
	forged := slices.Clone(chain)
	forged[3] = bytes.Clone(forged[3])
	forged[3][len(forged[3])/2] ^= 1
	for name, chain := range map[string][][]byte{"taken out": slices.Delete(slices.Clone(chain), 2, 3), "forged": forged} {
		e.Receipts = func(context.Context) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for _, doc := range chain {
					if !yield(doc, nil) {
						return
					}
				}
			}
		}
		got, err := all(t, e, march)
		require.Error(t, err, name)
		require.Empty(t, got)
	}
}

func TestAuditsOfOthersAreNotTheTenants(t *testing.T) {
	audit := func(id string, stage programme.Stage, change func(*programme.Audit)) programme.Audit {
		a := programme.Audit{ID: id, Stage: stage, Plan: programme.Plan{Customers: []opsec.TenantID{"acme"}, Scope: independence.Scope{Systems: []string{"hypervisor/*"}},
			Procedures: []programme.Procedure{{ID: "mfa", Requirements: []string{"7.2.2.4-4", "other"}}}},
			Results: []programme.Result{{Procedure: "mfa", Item: "x", Status: programme.Passed, Time: day(3)}},
			History: []programme.Entry{{Time: day(2), Action: programme.ActionFreeze}, {Time: day(4), Action: programme.ActionIssue}}}
		if change != nil {
			change(&a)
		}
		return a
	}
	result := func(r programme.Result) func(*programme.Audit) {
		return func(a *programme.Audit) { a.Results[0] = r }
	}
	w := claims.Wording{Tenant: "acme", Scope: map[string]string{"hypervisor/*": "platform"}, Measures: map[string]string{"7.2.2.4-4": "clause.measures.authentication"}}
	for _, c := range []struct {
		name   string
		audit  programme.Audit
		held   string
		proofs string
	}{
		{"reported", audit("1", programme.Reported, nil), "1 [platform] true", "true"},
		{"closed", audit("1", programme.Closed, nil), "1 [platform] true", "true"},
		{"in fieldwork", audit("1", programme.Fieldwork, nil), "", ""},
		{"cancelled", audit("1", programme.Cancelled, nil), "", ""},
		{"shown to another", audit("1", programme.Closed, func(a *programme.Audit) { a.Plan.Customers = []opsec.TenantID{"globex"} }), "1 [platform] false", "true"},
		{"of another", audit("1", programme.Closed, func(a *programme.Audit) { a.Plan.Scope.Tenants = []opsec.TenantID{"globex"} }), "", ""},
		{"of both", audit("1", programme.Closed, func(a *programme.Audit) { a.Plan.Scope.Tenants = []opsec.TenantID{"globex", "acme"} }), "1 [platform] true", "true"},
		{"of other systems", audit("1", programme.Closed, func(a *programme.Audit) { a.Plan.Scope.Systems = []string{"canteen"} }), "", "true"},
		{"failed", audit("1", programme.Closed, result(programme.Result{Procedure: "mfa", Status: programme.Failed, Time: day(3)})), "1 [platform] true", "false"},
		{"of its own", audit("1", programme.Closed, result(programme.Result{Procedure: "mfa", Tenant: "acme", Status: programme.Failed, Time: day(3)})), "1 [platform] true", "false"},
		{"of another's item", audit("1", programme.Closed, result(programme.Result{Procedure: "mfa", Tenant: "globex", Status: programme.Passed, Time: day(3)})), "1 [platform] true", ""},
		{"not tested", audit("1", programme.Closed, result(programme.Result{Procedure: "mfa", Status: programme.NotTested, Time: day(3)})), "1 [platform] true", ""},
	} {
		held, proofs := claims.Audits([]programme.Audit{c.audit}, w)
		var got, proven string
		for _, h := range held {
			got += fmt.Sprint(h.ID, " ", h.Scope, " ", !h.Published.IsZero())
			require.Equal(t, day(4), h.Closed)
			require.Equal(t, c.audit.Digest(), h.Evidence)
		}
		for _, p := range proofs {
			proven += fmt.Sprint(p.Passed)
			require.Equal(t, claim.Proof{Measure: "clause.measures.authentication", At: day(3), Passed: p.Passed, Evidence: c.audit.Digest()}, p)
		}
		require.Equal(t, []string{c.held, c.proofs}, []string{got, proven}, c.name)
	}
}

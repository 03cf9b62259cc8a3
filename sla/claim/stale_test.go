package claim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/claim"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// noon is in the middle of the period.
var noon = at(10, 12, 0)

// seenAt has the backups seen at a moment, and leaves out what came later.
func seenAt(b *claim.Backup, seen time.Time) {
	b.Seen = seen
	b.Points = slices.DeleteFunc(b.Points, func(p claim.Point) bool { return p.Taken.After(seen) })
	for i := range b.Points {
		for j := range b.Points[i].Copies {
			c := &b.Points[i].Copies[j]
			if c.Durable.After(seen) {
				c.Durable = time.Time{}
			}
			if c.Gone.After(seen) {
				c.Gone = time.Time{}
			}
		}
	}
	b.Restores = slices.DeleteFunc(b.Restores, func(r claim.Restore) bool { return r.Ended.After(seen) })
}

// backed lists the promises about backups of the sample.
func backed(rest string) (list []string) {
	for _, p := range []string{"rpo", "rto", "retention", "onSite", "offSite", "testEvery"} {
		list = append(list, "data.backup."+p+" "+rest)
	}
	return append(list, "data.compliance[1].keepMost "+rest)
}

// What is stale, missing or contradictory is never met, and what is merely not known is no breach.
func TestNothingButAStatementOfThePeriodIsMet(t *testing.T) {
	twin := func(w *world) (a, b *claim.Certificate) {
		w.certs = append(w.certs, w.certs[0])
		return &w.certs[0], &w.certs[1]
	}
	for name, c := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"backups seen at noon":    {func(w *world) { seenAt(&w.backups[0], noon) }, backed("undecided stale")},
		"backups seen at the end": {func(w *world) { seenAt(&w.backups[0], until) }, nil},
		"a moment before the end": {func(w *world) { seenAt(&w.backups[0], until.Add(-time.Millisecond)) }, backed("undecided stale")},
		"seen before the period": {func(w *world) {
			w.backups[0].Since, w.backups[0].Restores[0].Ended = at(9, 0, 0), at(9, 1, 0)
			seenAt(&w.backups[0], at(9, 12, 0))
		}, backed("undecided stale")},
		"one of two sources stale": {func(w *world) {
			w.backups = append(w.backups, claim.Backup{Source: "x", Since: at(9, 0, 0), Seen: at(9, 1, 0), Evidence: "x"})
		}, backed("undecided stale")},
		"breach and stale": {func(w *world) {
			seenAt(&w.backups[0], noon)
			w.backups[0].Points = w.backups[0].Points[:2]
		}, append([]string{"data.backup.rpo breach exposed stale"}, backed("undecided stale")[1:]...)},
		"kept for too long, and seen before the period": {func(w *world) {
			w.backups = append(w.backups, claim.Backup{Source: "x", Since: at(1, 0, 0).AddDate(-2, 0, 0), Seen: from.Add(-1), Evidence: "x",
				Points: []claim.Point{{ID: "1", Taken: at(1, 0, 0).AddDate(-2, 0, 0), Copies: []claim.Copy{{Durable: at(8, 0, 0)}}}}})
		}, backed("undecided stale")},
		"ceased, and not seen since": {func(w *world) {
			w.backups = append(w.backups, claim.Backup{Source: "x", Since: at(8, 0, 0), Until: at(9, 0, 0), Seen: at(9, 0, 0), Evidence: "x",
				Points: []claim.Point{{ID: "1", Taken: at(8, 0, 0), Copies: []claim.Copy{{Durable: at(8, 0, 0)}}}}})
		}, backed("undecided stale")},
		"no source of the period": {func(w *world) {
			w.backups = []claim.Backup{{Source: "later", Since: until, Seen: until, Evidence: "x"}, {Source: "old", Until: from, Seen: until, Evidence: "x"}}
		}, backed("undecided unstated")},
		"points that were never copied": {func(w *world) {
			for i := range w.backups[0].Points {
				w.backups[0].Points[i].Copies = nil
			}
		}, []string{"data.backup.rpo breach exposed", "data.backup.retention undecided unstated", "data.backup.onSite undecided unstated",
			"data.backup.offSite undecided unstated", "data.compliance[1].keepMost undecided unstated"}},
		"points to come": {func(w *world) {
			b := &w.backups[0]
			b.Points, b.Since = b.Points[:1], until.Add(-10*time.Minute)
			b.Points[0].Taken = until
			for i := range b.Points[0].Copies {
				b.Points[0].Copies[i].Durable = until
			}
		}, []string{"data.backup.retention undecided unstated", "data.backup.onSite undecided unstated", "data.backup.offSite undecided unstated",
			"data.compliance[1].keepMost undecided unstated"}},
		"a restore of old": {func(w *world) {
			w.backups[0].Restores[0].Ended = from.Add(-2160*time.Hour - 1)
		}, []string{"data.backup.rto undecided stale"}},
		"a restore that is just not": {func(w *world) { w.backups[0].Restores[0].Ended = from.Add(-2160 * time.Hour) }, nil},

		"certificate seen at noon":         {func(w *world) { w.certs[0].Seen = noon }, []string{"certification.held[0] undecided stale"}},
		"certificate seen before it holds": {func(w *world) { w.certs[0].Seen = w.certs[0].From.Add(-1) }, []string{"certification.held[0] undecided stale"}},
		"certificate withdrawn, says one": {func(w *world) {
			_, b := twin(w)
			b.Withdrawn = noon
		}, []string{"certification.held[0] breach lapsed"}},
		"certificate withdrawn, says the other": {func(w *world) {
			a, b := twin(w)
			a.Withdrawn, b.Withdrawn = noon, until.AddDate(0, 1, 0)
		}, []string{"certification.held[0] breach lapsed"}},
		"certificate seen again": {func(w *world) {
			a, _ := twin(w)
			a.Seen = noon
		}, nil},

		"document seen at noon":         {func(w *world) { w.documents[2].Seen = noon }, []string{"documents.list[2] undecided stale"}},
		"document seen earlier":         {func(w *world) { w.documents[2].Seen = at(9, 0, 0) }, []string{"documents.list[2] undecided stale"}},
		"document seen again":           {func(w *world) { d := w.documents[2]; d.Seen = noon; w.documents = append(w.documents, d) }, nil},
		"document gone, say one":        {func(w *world) { d := w.documents[2]; d.Until = noon; w.documents = append(w.documents, d) }, []string{"documents.list[2] breach early unavailable"}},
		"document gone, says the other": {func(w *world) { w.documents = append(w.documents, w.documents[2]); w.documents[2].Until = noon }, []string{"documents.list[2] breach early unavailable"}},
		"another gone": {func(w *world) {
			d := w.documents[2]
			d.From, d.Until = at(1, 1, 0).Add(-26280*time.Hour), at(1, 1, 0)
			w.documents = append(w.documents, d)
		}, nil},

		"use seen long ago, and again":   {func(w *world) { u := w.uses[0]; u.Seen = from.AddDate(-1, 0, 0); w.uses = append(w.uses, u) }, nil},
		"in clear long ago":              {func(w *world) { u := w.uses[0]; u.Seen, u.Algorithm = from.Add(-1), ""; w.uses = append(w.uses, u) }, nil},
		"another place seen long ago":    {func(w *world) { u := w.uses[0]; u.Seen, u.At = from.Add(-1), "eu-2"; w.uses = append(w.uses, u) }, []string{"data.encryption[0] undecided stale"}},
		"the same place, of other data":  {func(w *world) { w.uses[1].At = w.uses[0].At; w.uses[0].Seen = from.Add(-1) }, []string{"data.encryption[0] undecided stale"}},
		"deleted by a method of another": {func(w *world) { w.deletions[0].Method = "crypto-erase 2" }, []string{"data.deletion breach method"}},

		"an audit of something else":   {func(w *world) { w.audits[0].Scope = []string{"canteen"} }, []string{"audit.every undecided unstated", "audit.visible undecided unstated"}},
		"nothing to delete":            {func(w *world) { w.deletions = nil }, []string{"data.deletion undecided unstated"}},
		"nothing to patch":             {func(w *world) { w.patches = w.patches[:0] }, []string{"measures.patches.within undecided unstated", "measures.patches.interval undecided unstated"}},
		"patches that are not applied": {func(w *world) { w.patches = w.patches[1:] }, []string{"measures.patches.interval undecided unstated"}},
		"somebody has looked": {func(w *world) {
			w.deletions = nil
			w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.deletion", At: noon, Passed: true, Evidence: "x"})
		}, nil},
		"somebody has looked, and it is not so": {func(w *world) {
			w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.deletion", At: noon, Evidence: "x"})
		}, []string{"data.deletion breach failed"}},
		"the last look before failed": {func(w *world) {
			drop(w, "clause.data.access")
			for _, day := range []int{7, 8} {
				w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.access", At: at(day, 0, 0), Passed: day == 7, Evidence: "x"})
			}
		}, []string{"data.access undecided stale"}},
		"the last looks before differ": {func(w *world) {
			drop(w, "clause.data.access")
			for _, passed := range []bool{true, false} {
				w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.access", At: at(8, 0, 0), Passed: passed, Evidence: "x"})
			}
		}, []string{"data.access undecided stale"}},
	} {
		w := good()
		c.change(w)
		r := check(t, w)
		require.Equal(t, c.want, odd(r), name)
		for _, p := range r.Promises {
			require.False(t, p.Verdict == ratio.Met && p.Looked == 0, name)
			for _, f := range p.Findings {
				if f.Rule == claim.Stale {
					require.NotEmpty(t, f.Evidence, name)
				}
			}
		}
	}
}

func TestRestoresAreNotSeldomBecauseNobodyLooks(t *testing.T) {
	a, w := agreement(t, "iaas"), good()
	a.Clause.Data.Backup.TestEvery = metric.Duration(12 * time.Hour)
	w.backups[0].Restores[0].Ended = at(10, 3, 0)
	w.backups[0].Restores = append(w.backups[0].Restores, claim.Restore{ID: "r0", Ended: at(9, 20, 0), Passed: true})
	for seen, want := range map[time.Time]string{at(10, 15, 0): "undecided stale", at(10, 15, 1): "breach seldom stale", until: "breach seldom"} {
		seenAt(&w.backups[0], seen)
		w.backups[0].Seen = seen
		r, err := claim.Check(context.Background(), a, w.sources(), from, until, until)
		require.NoError(t, err)
		require.Contains(t, odd(r), "data.backup.testEvery "+want)
	}
}

func TestTheLawOutlivesTheSource(t *testing.T) {
	a, w := agreement(t, "iaas"), good()
	least := metric.Duration(48 * time.Hour)
	a.Clause.Data.Compliance[0].KeepLeast = &least
	w.backups = append(w.backups, claim.Backup{Source: "x", Since: at(9, 0, 0), Until: noon, Seen: until, Evidence: "x", Points: []claim.Point{
		{ID: "1", Taken: at(9, 0, 0), Copies: []claim.Copy{{Durable: at(9, 0, 0), Gone: noon}, {Durable: at(9, 0, 0), Gone: noon}, {OffSite: true, Durable: at(9, 0, 0), Gone: noon}}},
	}})
	r, err := claim.Check(context.Background(), a, w.sources(), from, until, until)
	require.NoError(t, err)
	require.Equal(t, []string{"data.backup.rpo breach exposed", "data.compliance[0].keepLeast breach early"}, odd(r), "the contract lets it go with its source")
}

func TestWhereNoCopyIsPromisedNoneIsMissed(t *testing.T) {
	a, w := agreement(t, "iaas"), good()
	a.Clause.Data.Backup.OnSite = 0
	r, err := claim.Check(context.Background(), a, w.sources(), from, until, until)
	require.NoError(t, err)
	require.Empty(t, odd(r))
	require.False(t, slices.ContainsFunc(r.Promises, func(p claim.Promise) bool { return p.Path == "clause.data.backup.onSite" }))
}

func TestStatementsOfOthersAreRefused(t *testing.T) {
	a, ctx := agreement(t, "iaas"), context.Background()
	for _, tenant := range []string{"acme", "globex", "Acme", "Nimbus Cloud GmbH"} {
		for what, change := range map[string]func(*world){
			"encryption[1]": func(w *world) { w.uses[1].Tenant = tenant },
			"backups[0]":    func(w *world) { w.backups[0].Tenant = tenant },
			"deletions[0]":  func(w *world) { w.deletions[0].Tenant = tenant },
		} {
			w := good()
			change(w)
			r, err := claim.Check(ctx, a, w.sources(), from, until, until)
			if tenant == "acme" {
				require.NoError(t, err)
				require.Empty(t, odd(r))
				continue
			}
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, "claim: "+what+": tenant: ")
			require.Nil(t, r)
		}
	}
}

func TestWhatCannotBeKnownIsRefused(t *testing.T) {
	a, ctx := agreement(t, "iaas"), context.Background()
	long, digits := strings.Repeat("x", 1001), strings.Repeat("7", 1<<20)
	for want, change := range map[string]func(*world){
		"backups[0]: seen: ":                   func(w *world) { w.backups[0].Seen = time.Time{} },
		"backups[0]: since: after it was seen": func(w *world) { w.backups[0].Since = w.backups[0].Seen.Add(1) },
		"backups[0]: until: after it was seen": func(w *world) { w.backups[0].Until = w.backups[0].Seen.Add(1) },
		"backups[0]: points[143]: taken: after ": func(w *world) {
			seen := w.backups[0].Points[143].Taken.Add(-1)
			seenAt(&w.backups[0], seen)
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "next", Taken: seen.Add(1)})
		},
		"backups[0]: points[2]: durable: after ": func(w *world) { w.backups[0].Points[2].Copies[1].Durable = w.backups[0].Seen.Add(1) },
		"backups[0]: points[2]: gone: after ":    func(w *world) { w.backups[0].Points[2].Copies[1].Gone = w.backups[0].Seen.Add(1) },
		"backups[0]: points[3]: id: ":            func(w *world) { w.backups[0].Points[3].ID = w.backups[0].Points[0].ID },
		"backups[0]: restores[0]: ended: after ": func(w *world) { w.backups[0].Restores[0].Ended = w.backups[0].Seen.Add(1) },
		"backups[0]: restores[0]: a text":        func(w *world) { w.backups[0].Restores[0].Evidence = long },
		"certificates[0]: seen: ":                func(w *world) { w.certs[0].Seen = time.Time{} },
		"certificates[0]: from: ":                func(w *world) { w.certs[0].From = time.Time{} },
		"documents[1]: seen: ":                   func(w *world) { w.documents[1].Seen = time.Time{} },
		"documents[1]: from: ":                   func(w *world) { w.documents[1].From = time.Time{} },
		"documents[1]: a text":                   func(w *world) { w.documents[1].Format = long },
		"encryption[0]: a text":                  func(w *world) { w.uses[0].Algorithm = digits },
		"encryption[0]: a text ":                 func(w *world) { w.uses[0].At = long },
		"encryption[0]: a text of":               func(w *world) { w.uses[0].KeyOwner = long },
		"encryption[0]: a text of ":              func(w *world) { w.uses[0].Phase = sla.Phase(long) },
		"patches[0]: a text":                     func(w *world) { w.patches[0].System = long },
		"patches[0]: a text ":                    func(w *world) { w.patches[0].Scope = long },
		"deletions[0]: a text":                   func(w *world) { w.deletions[0].Method = digits },
		"deletions[0]: a text ":                  func(w *world) { w.deletions[0].Certificate = long },
		"audits[0]: a text":                      func(w *world) { w.audits[0].Scope = []string{"platform", long} },
	} {
		w := good()
		change(w)
		_, err := claim.Check(ctx, a, w.sources(), from, until, until)
		require.ErrorIs(t, err, opsec.ErrInvalid, want)
		require.ErrorContains(t, err, "claim: "+want)
		require.Less(t, len(err.Error()), 400)
	}
}

package claim_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
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

// at is a moment of March, in UTC.
func at(day, hour, minute int) time.Time {
	return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC)
}

// The period of most tests is a day.
var from, until = at(10, 0, 0), at(11, 0, 0)

func agreement(t testing.TB, name string) *sla.Agreement {
	t.Helper()
	text, err := os.ReadFile("../testdata/" + name + ".yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)
	require.NoError(t, a.Validate())
	return a
}

// world is what everybody states.
type world struct {
	uses      []claim.Use
	backups   []claim.Backup
	patches   []claim.Patch
	deletions []claim.Deletion
	audits    []claim.Audit
	certs     []claim.Certificate
	documents []claim.Document
	proofs    []claim.Proof
}

func (w *world) sources() claim.Sources {
	return claim.Sources{
		Encryption: claim.List[claim.Use](w.uses), Backups: claim.List[claim.Backup](w.backups), Patches: claim.List[claim.Patch](w.patches),
		Deletions: claim.List[claim.Deletion](w.deletions), Audits: claim.List[claim.Audit](w.audits),
		Certificates: claim.List[claim.Certificate](w.certs), Documents: claim.List[claim.Document](w.documents), Proofs: claim.List[claim.Proof](w.proofs),
	}
}

// good returns statements by which all promises of the IaaS sample are met on the day.
func good() *world {
	w := &world{
		uses: []claim.Use{
			{Data: "volumes and their backups", Phase: sla.AtRest, At: "eu-1", Algorithm: "AES256_GCM", KeyOwner: "customer", Seen: at(10, 3, 0), Evidence: "sha256:e1"},
			{Data: "API and replication traffic", Phase: sla.InMotion, At: "api", Algorithm: "TLS 1.3", KeyOwner: "provider", Seen: at(10, 4, 0), Evidence: "sha256:e2"},
		},
		patches: []claim.Patch{
			{ID: "HV-1", System: "host-1", Scope: "virtualization", Released: at(1, 0, 0), Applied: at(10, 2, 0), Evidence: "sha256:p1"},
			{ID: "HV-2", System: "host-1", Scope: "virtualization", Released: at(10, 1, 0), Evidence: "sha256:p2"},
		},
		deletions: []claim.Deletion{
			{Resource: "vol-7", Ordered: at(9, 0, 0), Deleted: at(10, 5, 0), Method: "Crypto-Erase", Reused: at(10, 6, 0), Certificate: "sha256:c1", Evidence: "sha256:d1"},
		},
		audits: []claim.Audit{{ID: "2026-1", By: "internal", Scope: []string{"the whole cloud computing system"}, Closed: at(10, 9, 0), Published: at(10, 10, 0), Evidence: "sha256:a1"}},
		certs: []claim.Certificate{{
			Name: "ISO/IEC 27001", From: time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2027, 9, 30, 0, 0, 0, 0, time.UTC), Seen: until, Evidence: "sha256:i1",
		}},
	}
	b := claim.Backup{Source: "vm-1", Since: from, Seen: at(25, 0, 0), Evidence: "sha256:b1", Restores: []claim.Restore{
		{ID: "r1", Ended: at(10, 12, 0), Took: 4 * time.Hour, Passed: true, Evidence: "sha256:r1"},
	}}
	for p := from; p.Before(until); p = p.Add(10 * time.Minute) {
		b.Points = append(b.Points, claim.Point{ID: p.Format("1504"), Taken: p, Copies: []claim.Copy{
			{Durable: p.Add(time.Minute)}, {Durable: p.Add(2 * time.Minute)}, {OffSite: true, Durable: p.Add(15 * time.Minute)},
		}})
	}
	w.backups = []claim.Backup{b}
	for _, name := range []string{"this agreement", "monthly report", "security measures", "audit summaries"} {
		w.documents = append(w.documents, claim.Document{Name: name, Format: "html", From: at(1, 0, 0), Seen: until, Evidence: "sha256:" + name})
	}
	for _, m := range []string{
		"data.physical", "data.medium", "data.access", "data.operations", "measures.virtualization", "measures.isolation", "measures.privileged",
		"measures.authentication", "measures.traffic", "measures.malware", "certification.training",
	} {
		w.proofs = append(w.proofs, claim.Proof{Measure: "clause." + m, At: at(10, 0, 0), Passed: true, Evidence: "sha256:" + m},
			claim.Proof{Measure: "clause." + m, At: at(9, 0, 0), Passed: true, Evidence: "sha256:" + m})
	}
	return w
}

func check(t testing.TB, w *world) *claim.Report {
	t.Helper()
	r, err := claim.Check(context.Background(), agreement(t, "iaas"), w.sources(), from, until, until)
	require.NoError(t, err)
	return r
}

// odd lists what is not met, with the rules.
func odd(r *claim.Report) (list []string) {
	for _, p := range r.Promises {
		if p.Verdict == ratio.Met && len(p.Findings) == 0 {
			continue
		}
		one := strings.TrimPrefix(p.Path, "clause.") + " " + string(p.Verdict)
		var rules []string
		for _, f := range p.Findings {
			rules = append(rules, string(f.Rule))
		}
		slices.Sort(rules)
		list = append(list, strings.TrimSpace(one+" "+strings.Join(slices.Compact(rules), " ")))
	}
	return list
}

func TestAllIsMetWhenEverybodyStatesSo(t *testing.T) {
	r := check(t, good())
	require.Empty(t, odd(r))
	require.Empty(t, r.Unclaimed)
	require.Equal(t, ratio.Met, r.Verdict())
	var paths []string
	for _, p := range r.Promises {
		paths = append(paths, strings.TrimPrefix(p.Path, "clause."))
		require.Positive(t, p.Looked, p.Path)
	}
	require.Equal(t, []string{
		"data.physical", "data.medium", "data.encryption[0]", "data.encryption[1]", "data.access", "data.deletion",
		"data.backup.rpo", "data.backup.rto", "data.backup.retention", "data.backup.onSite", "data.backup.offSite", "data.backup.testEvery",
		"data.compliance[1].keepMost", "data.operations",
		"measures.virtualization", "measures.isolation", "measures.privileged", "measures.authentication", "measures.traffic", "measures.malware",
		"measures.patches.within", "measures.patches.interval", "audit.every", "audit.visible",
		"certification.held[0]", "certification.training",
		"documents.list[0]", "documents.list[1]", "documents.list[2]", "documents.list[3]",
	}, paths)
	a := agreement(t, "iaas")
	digest, err := a.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, r.Digest)
	require.Equal(t, a.ID, r.Agreement)
	require.Equal(t, [2]int64{from.UnixMilli(), until.UnixMilli()}, [2]int64{r.Span.Start, r.Span.End})
}

func TestNobodysStatementIsNoStatement(t *testing.T) {
	for _, s := range []claim.Sources{{}, (&world{}).sources()} {
		r, err := claim.Check(context.Background(), agreement(t, "iaas"), s, from, until, until)
		require.NoError(t, err)
		for _, p := range r.Promises {
			if s.Encryption != nil && (strings.HasPrefix(p.Path, "clause.documents") || p.Path == "clause.measures.malware") {
				require.Equal(t, ratio.Breach, p.Verdict, "somebody keeps a list, and it is empty")
				continue
			}
			require.Equal(t, ratio.Undecided, p.Verdict, p.Path)
			require.Equal(t, claim.Unstated, p.Findings[0].Rule)
			require.Equal(t, opsec.SeverityLow, p.Findings[0].Severity)
		}
	}
}

func TestWhatIsNotAsPromisedIsFound(t *testing.T) {
	point := func(w *world, i int) *claim.Point { return &w.backups[0].Points[i] }
	for want, change := range map[string]func(*world){
		"data.encryption[0] breach in-clear":     func(w *world) { w.uses[0].Algorithm = "" },
		"data.encryption[0] breach algorithm":    func(w *world) { w.uses[0].Algorithm = "AES128_GCM" },
		"data.encryption[0] breach key-owner":    func(w *world) { w.uses[0].KeyOwner = "provider" },
		"data.encryption[0] undecided unstated":  func(w *world) { w.uses[0].KeyOwner = "" },
		"data.encryption[1] undecided unstated ": func(w *world) { w.uses[1].KeyOwner = "" }, // the provider's is promised
		"data.encryption[1] undecided stale":     func(w *world) { w.uses[1].Seen = from.Add(-1) },
		"data.encryption[1] undecided unstated":  func(w *world) { w.uses[1].Seen = until },
		"data.encryption[1] breach algorithm":    func(w *world) { w.uses[1].Algorithm = "TLS 1.2" },
		"data.encryption[0] breach in-clear ": func(w *world) {
			w.uses = append(w.uses, claim.Use{Data: "volumes and their backups", Phase: sla.AtRest, At: "old", Seen: from, Evidence: "x"})
		},

		"data.deletion breach late":   func(w *world) { w.deletions[0].Ordered = at(10, 5, 0).Add(-720*time.Hour - 1) },
		"data.deletion breach method": func(w *world) { w.deletions[0].Method = "overwrite" },
		"data.deletion breach reused": func(w *world) { w.deletions[0].Reused = at(10, 4, 0) },
		"data.deletion breach late reused": func(w *world) {
			w.deletions[0].Ordered, w.deletions[0].Deleted = until.Add(-720*time.Hour-1), time.Time{}
		},
		"data.deletion breach uncertified": func(w *world) { w.deletions[0].Certificate = "" },

		"data.backup.rpo breach exposed": func(w *world) { // 19:00 to 19:21: the point at 19:00 is 15 minutes old at 19:15, and the next is durable at 19:21
			b := &w.backups[0]
			b.Points = slices.DeleteFunc(b.Points, func(p claim.Point) bool { return p.ID == "1910" })
		},
		"data.backup.rpo breach exposed ": func(w *world) { w.backups[0].Since = time.Time{} }, // none at midnight
		"data.backup.rto breach slow":     func(w *world) { w.backups[0].Restores[0].Took++ },
		"data.backup.rto breach failed":   func(w *world) { w.backups[0].Restores[0].Passed = false },
		"data.backup.rto undecided unstated": func(w *world) {
			w.backups[0].Restores[0].Ended = until
			w.backups[0].Restores = append(w.backups[0].Restores, claim.Restore{ID: "r0", Ended: at(9, 0, 0)}) // failed
		},
		"data.backup.rto undecided unstated ": func(w *world) {
			w.backups[0].Restores[0].Ended, w.backups[0].Restores[0].Passed = from.Add(-1), false
		},
		"data.backup.rto undecided unstated  ": func(w *world) {
			w.backups[0].Restores[0].Ended, w.backups[0].Restores[0].Took = from.Add(-1), 5*time.Hour
		},
		"data.backup.retention breach early": func(w *world) {
			for i := range point(w, 3).Copies {
				point(w, 3).Copies[i].Gone = at(10, 20, 0)
			}
		},
		"data.backup.onSite breach few-copies":   func(w *world) { point(w, 5).Copies[0].Gone = at(10, 20, 0) },
		"data.backup.offSite breach few-copies":  func(w *world) { point(w, 5).Copies[2].Durable = time.Time{} },
		"data.backup.offSite breach few-copies ": func(w *world) { c := &point(w, 5).Copies[2]; c.Durable = c.Durable.Add(time.Millisecond) },
		"data.compliance[1].keepMost breach kept-long": func(w *world) {
			old := from.Add(-8760*time.Hour - 1)
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
				{Durable: old}, {Durable: old}, {OffSite: true, Durable: old},
			}})
		},
		"data.compliance[1].keepMost breach kept-long ": func(w *world) {
			old := from.Add(-8760 * time.Hour)
			gone := from.Add(1)
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
				{Durable: old, Gone: gone}, {Durable: old, Gone: gone}, {OffSite: true, Durable: old, Gone: gone},
			}})
		},

		"measures.patches.within breach late":  func(w *world) { w.patches[0].Released = at(10, 2, 0).Add(-336*time.Hour - 1) },
		"measures.patches.within breach late ": func(w *world) { w.patches[1].Released = until.Add(-336*time.Hour - 1) },

		"data.access breach failed":              func(w *world) { failed(w, "clause.data.access") },
		"measures.malware breach failed seldom":  func(w *world) { failed(w, "clause.measures.malware") },
		"measures.traffic undecided unstated":    func(w *world) { drop(w, "clause.measures.traffic") },
		"measures.malware breach seldom":         func(w *world) { drop(w, "clause.measures.malware") },
		"audit.visible undecided hidden":         func(w *world) { w.audits[0].Published = until.Add(1) },
		"audit.visible undecided hidden ":        func(w *world) { w.audits[0].Published = time.Time{} },
		"audit.visible undecided unstated":       func(w *world) { w.audits[0].Closed = from.Add(-1) },
		"certification.held[0] breach lapsed":    func(w *world) { w.certs[0].Until = until.Add(-time.Millisecond) },
		"certification.held[0] breach lapsed ":   func(w *world) { w.certs[0].From = from.Add(time.Millisecond) },
		"certification.held[0] breach lapsed   ": func(w *world) { w.certs[0].Until, w.certs[0].Withdrawn = at(10, 12, 0), until },
		"data.access undecided unstated": func(w *world) {
			drop(w, "clause.data.access")
			w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.access", At: at(1, 0, 0).Add(-time.Hour - 1), Passed: true, Evidence: "x"})
		},
		"data.backup.rto undecided unstated   ": func(w *world) { // at the same time, one of them too long
			r := w.backups[0].Restores[0]
			r.Ended = from.Add(-1)
			bad := r
			bad.ID, bad.Took = "r2", 5*time.Hour
			w.backups[0].Restores = []claim.Restore{r, bad}
		},
		"certification.held[0] breach lapsed  ":      func(w *world) { w.certs[0].Withdrawn = at(10, 12, 0) },
		"certification.held[0] undecided unstated":   func(w *world) { w.certs[0].Name = "ISO 9001" },
		"documents.list[2] breach unavailable":       func(w *world) { w.documents[2].Name = "security measure" },
		"documents.list[2] breach unavailable ":      func(w *world) { w.documents[2].From = until },
		"documents.list[2] breach format":            func(w *world) { w.documents[2].Format = "pdf" },
		"documents.list[2] breach early unavailable": func(w *world) { w.documents[2].Until = at(10, 3, 0) },
		"certification.training breach failed":       func(w *world) { failed(w, "clause.certification.training") },
		"data.physical breach failed":                func(w *world) { failed(w, "clause.data.physical") },
	} {
		w := good()
		change(w)
		r := check(t, w)
		require.Equal(t, []string{strings.TrimSpace(want)}, odd(r))
		require.NotEqual(t, ratio.Met, r.Verdict())
		for _, p := range r.Promises {
			require.Equal(t, len(p.Findings), p.Broken)
			for _, f := range p.Findings {
				require.NotEmpty(t, f.Text)
				if !slices.Contains([]claim.Rule{claim.Unstated, claim.Seldom, claim.Unavailable}, f.Rule) {
					require.NotEmpty(t, f.Evidence, "%s: %s", p.Path, f.Rule)
				}
			}
		}
	}
}

func failed(w *world, path string) {
	for i := range w.proofs {
		if p := &w.proofs[i]; p.Measure == path && p.At.Equal(at(10, 0, 0)) {
			p.Passed = false
		}
	}
}

func drop(w *world, path string) {
	w.proofs = slices.DeleteFunc(w.proofs, func(p claim.Proof) bool { return p.Measure == path })
}

// Exactly in time, and what has nothing to do with the promise, changes nothing.
func TestWhatIsAsPromisedIsNotFound(t *testing.T) {
	for name, change := range map[string]func(*world){
		"stronger algorithm":         func(w *world) { w.uses[0].Algorithm = "aes-512-gcm" },
		"deleted in the last moment": func(w *world) { w.deletions[0].Ordered = at(10, 5, 0).Add(-720 * time.Hour) },
		"not deleted, and not due": func(w *world) {
			w.deletions[0] = claim.Deletion{Resource: "v", Ordered: until.Add(-720 * time.Hour), Evidence: "x"}
		},
		"ordered later": func(w *world) {
			w.deletions = append(w.deletions, claim.Deletion{Resource: "v", Ordered: until, Evidence: "x"})
		},
		"reused in the moment": func(w *world) { w.deletions[0].Reused = w.deletions[0].Deleted },
		"of another period": func(w *world) {
			w.deletions = append(w.deletions, claim.Deletion{Resource: "v", Ordered: at(1, 0, 0), Deleted: from.Add(-1), Method: "x", Evidence: "x"})
		},
		"patched in the last moment": func(w *world) { w.patches[0].Released = at(10, 2, 0).Add(-336 * time.Hour) },
		"due at the end":             func(w *world) { w.patches[1].Released = until.Add(-336 * time.Hour) },
		"not in the scope": func(w *world) {
			w.patches = append(w.patches, claim.Patch{ID: "x", Scope: "guest-os", Released: at(1, 0, 0).AddDate(-1, 0, 0), Evidence: "x"})
		},
		"late in another period": func(w *world) {
			w.patches = append(w.patches, claim.Patch{ID: "x", Released: at(1, 0, 0).AddDate(-1, 0, 0), Applied: from.Add(-1), Evidence: "x"})
		},
		"released later":     func(w *world) { w.patches = append(w.patches, claim.Patch{ID: "x", Released: until, Evidence: "x"}) },
		"before its release": func(w *world) { w.patches[0].Released = at(10, 3, 0) },
		"restored before":    func(w *world) { w.backups[0].Restores[0].Ended = from.Add(-1) },
		"source that came": func(w *world) {
			w.backups = append(w.backups, claim.Backup{Source: "new", Since: until.Add(-15 * time.Minute), Seen: until, Evidence: "x"})
		},
		"source that went": func(w *world) {
			w.backups = append(w.backups, claim.Backup{Source: "old", Until: from, Seen: until, Evidence: "x"})
		},
		"source yet to come": func(w *world) {
			w.backups = append(w.backups, claim.Backup{Source: "later", Since: until, Seen: until, Evidence: "x"})
		},
		"copies of the point": func(w *world) {
			w.backups[0].Points[3].Copies = append(w.backups[0].Points[3].Copies, claim.Copy{Durable: at(10, 4, 0), Gone: at(10, 5, 0)})
		},
		"source that went with its backups": func(w *world) {
			gone := at(10, 20, 0)
			b := &w.backups[0]
			b.Until = gone
			b.Points = slices.DeleteFunc(b.Points, func(p claim.Point) bool { return !p.Taken.Before(gone) })
			for i := range b.Points {
				for j := range b.Points[i].Copies {
					b.Points[i].Copies[j].Gone = gone
				}
			}
			last := &b.Points[len(b.Points)-1]
			last.Copies = last.Copies[:2]
		},
		"kept as long as allowed": func(w *world) {
			old := until.Add(-8760 * time.Hour)
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
				{Durable: old}, {Durable: old}, {OffSite: true, Durable: old},
			}})
		},
		"deleted in the last moment that is allowed": func(w *world) {
			old, gone := from.Add(-8760*time.Hour), from
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
				{Durable: old, Gone: gone}, {Durable: old, Gone: gone}, {OffSite: true, Durable: old, Gone: gone},
			}})
		},
		"deleted early in another period": func(w *world) {
			old, gone := from.Add(-time.Hour), from.Add(-1)
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
				{Durable: old, Gone: gone}, {Durable: old, Gone: gone}, {OffSite: true, Durable: old, Gone: gone},
			}})
		},
		"deleted when it may": func(w *world) {
			old, gone := from.Add(-2160*time.Hour), from
			w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
				{Durable: old, Gone: gone}, {Durable: old, Gone: gone}, {OffSite: true, Durable: old, Gone: gone},
			}})
		},
		"proof that failed before": func(w *world) {
			w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.access", At: from.Add(-1), Evidence: "x"})
		},
		"proof that will fail": func(w *world) {
			w.proofs = append(w.proofs, claim.Proof{Measure: "clause.data.access", At: until, Evidence: "x"})
		},
		"audit that will come": func(w *world) {
			w.audits = append(w.audits, claim.Audit{ID: "x", By: "internal", Scope: []string{"x"}, Closed: until, Evidence: "x"})
		},
		"renewed without a gap": func(w *world) {
			w.certs[0].Until = at(10, 12, 0)
			w.certs = append(w.certs, claim.Certificate{Name: w.certs[0].Name, From: at(10, 12, 0), Until: until, Seen: until, Evidence: "x"})
		},
		"withdrawn after its end":     func(w *world) { w.certs[0].Until, w.certs[0].Withdrawn = until, until.Add(1) },
		"document that came":          func(w *world) { w.documents[2].From = at(10, 20, 0) },
		"document in one more format": func(w *world) { d := w.documents[2]; d.Format = "pdf"; w.documents = append(w.documents, d) },
		"document in another version": func(w *world) {
			d := w.documents[2]
			w.documents[2].From, w.documents[2].Until = at(10, 3, 0).Add(-26280*time.Hour), at(10, 3, 0)
			d.From = at(10, 3, 0)
			w.documents = append(w.documents, d)
		},
	} {
		w := good()
		change(w)
		require.Empty(t, odd(check(t, w)), name)
	}
}

func TestUnclaimedStatementsAreNoted(t *testing.T) {
	w := good()
	w.uses = append(w.uses, claim.Use{Data: "logs", Phase: sla.AtRest, At: "eu-1", Algorithm: "AES256_GCM", Seen: from, Evidence: "x"})
	w.uses = append(w.uses, w.uses[len(w.uses)-1])
	w.proofs = append(w.proofs, claim.Proof{Measure: "clause.measures.trafic", At: from, Passed: true, Evidence: "y"})
	r := check(t, w)
	require.Empty(t, odd(r))
	require.Equal(t, []claim.Finding{
		{Rule: claim.Unclaimed, Severity: opsec.SeverityInfo, Subject: "clause.measures.trafic", At: from, Text: "no promise has this path", Evidence: "y"},
		{Rule: claim.Unclaimed, Severity: opsec.SeverityInfo, Subject: "eu-1", At: from, Text: "logs, at-rest: nothing is promised of it", Evidence: "x"},
	}, r.Unclaimed)
}

func TestChoicesOfAlgorithms(t *testing.T) {
	a := agreement(t, "iaas")
	e := &a.Clause.Data.Encryption
	*e = append(*e, sla.Encryption{Data: "volumes and their backups", Phase: sla.AtRest, Algorithm: "XChaCha20-Poly1305", KeyOwner: "provider"},
		sla.Encryption{Data: "memory of machines", Phase: sla.InUse, Algorithm: "AES-128-XTS", KeyOwner: "provider"})
	w := good()
	w.uses = append(w.uses, claim.Use{Data: "volumes and their backups", Phase: sla.AtRest, At: "a", Algorithm: "xchacha20poly1305", KeyOwner: "provider", Seen: from, Evidence: "x"},
		claim.Use{Data: "memory of machines", Phase: sla.InUse, At: "b", Seen: from, Evidence: "x"})
	r, err := claim.Check(context.Background(), a, w.sources(), from, until, until)
	require.NoError(t, err)
	require.Empty(t, odd(r), "one of the choices; and where words are a choice, clear is one")
	w.uses[2].KeyOwner = "customer" // promised of the other algorithm
	r, err = claim.Check(context.Background(), a, w.sources(), from, until, until)
	require.NoError(t, err)
	require.Equal(t, []string{"data.encryption[0] breach key-owner"}, odd(r))
	w.uses[2].Algorithm = "DES"
	r, err = claim.Check(context.Background(), a, w.sources(), from, until, until)
	require.NoError(t, err)
	require.Equal(t, []string{"data.encryption[0] breach algorithm"}, odd(r))
	require.Equal(t, "DES, promised is AES-256-GCM or XChaCha20-Poly1305", r.Promises[2].Findings[0].Text)
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		promised, used string
		want           bool
	}{
		{"AES-256-GCM", "AES256_GCM", true}, {"AES-128-GCM", "aes 256 gcm", true}, {"AES-256-GCM", "AES-128-GCM", false},
		{"AES-256-GCM", "AES-256-CBC", false}, {"AES-256-GCM", "", false}, {"", "", false}, {"TLS 1.2", "TLS1.3", true},
		{"TLS 1.3", "TLS 1.2", false}, {"TLS 1.2", "TLS 1.10", true}, {"TLS 1.3", "TLS 0.9", false}, {"TLS 1.3", "TLS 2.0", true},
		{"TLS 1.3", "SSL 3.0", false}, {"TLS 1.3", "TLS 1", false}, {"RSA-2048", "RSA-4096", true}, {"AES-9-GCM", "AES-010-GCM", true},
		{"AES-256-GCM", "AES-99999999999999999999999999-GCM", true}, {"AES-256-GCM", "AES-٢٥٦-GCM", false}, {"crypto-erase", "Crypto Erase", true},
		{"overwrite", "crypto-erase", false}, {"AES-256-GCM", "AES-0128-GCM", false}, {"AES-0256-GCM", "AES-256-GCM", true}, {"TLS 1.0", "TLS 1.00", true},
	} {
		require.Equal(t, c.want, claim.Covers(c.promised, c.used), "%q %q", c.promised, c.used)
	}
}

func TestWhatCannotBeJudgedIsRefused(t *testing.T) {
	a, ctx := agreement(t, "iaas"), context.Background()
	for name, call := range map[string]func() error{
		"no agreement": func() error { _, err := claim.Check(ctx, nil, claim.Sources{}, from, until, until); return err },
		"invalid agreement": func() error {
			_, err := claim.Check(ctx, &sla.Agreement{}, claim.Sources{}, from, until, until)
			return err
		},
		"reversed period": func() error { _, err := claim.Check(ctx, a, claim.Sources{}, until, from, until); return err },
		"not begun":       func() error { _, err := claim.Check(ctx, a, claim.Sources{}, from, until, from); return err },
		"before it held": func() error {
			_, err := claim.Check(ctx, a, claim.Sources{}, at(1, 0, 0).AddDate(0, -1, 0), at(1, 0, 0).Add(-time.Hour), until)
			return err
		},
		"after it held": func() error {
			_, err := claim.Check(ctx, a, claim.Sources{}, a.Expires, a.Expires.Add(1e12), a.Expires.Add(1e12))
			return err
		},
		"no beginning": func() error { _, err := claim.Check(ctx, a, claim.Sources{}, time.Time{}, until, until); return err },
	} {
		require.ErrorIs(t, call(), opsec.ErrInvalid, name)
	}
	for want, change := range map[string]func(*world){
		"encryption[1]: want evidence":            func(w *world) { w.uses[1].Evidence = "" },
		"encryption[0]: want evidence":            func(w *world) { w.uses[0].Data = "" },
		"encryption[0]: want evidence,":           func(w *world) { w.uses[0].Evidence = strings.Repeat("x", 1001) },
		"encryption[0]: seen: ":                   func(w *world) { w.uses[0].Seen = time.Time{} },
		"backups[0]: want evidence":               func(w *world) { w.backups[0].Evidence = "" },
		"backups[0]: until: before it began":      func(w *world) { w.backups[0].Until = from.Add(-1) },
		"backups[0]: since: ":                     func(w *world) { w.backups[0].Since = from.AddDate(-200, 0, 0) },
		"backups[0]: points[2]: want evidence":    func(w *world) { w.backups[0].Points[2].ID = "" },
		"backups[0]: points[2]: taken: ":          func(w *world) { w.backups[0].Points[2].Taken = time.Time{} },
		"backups[0]: points[2]: durable: before":  func(w *world) { w.backups[0].Points[2].Copies[1].Durable = from },
		"backups[0]: points[2]: gone: before":     func(w *world) { w.backups[0].Points[2].Copies[1].Gone = from },
		"backups[0]: points[2]: gone: want a":     func(w *world) { w.backups[0].Points[2].Copies[1].Gone = from.AddDate(9000, 0, 0) },
		"backups[0]: restores[0]: took: negative": func(w *world) { w.backups[0].Restores[0].Took = -1 },
		"backups[0]: restores[0]: ended: ":        func(w *world) { w.backups[0].Restores[0].Ended = time.Time{} },
		"patches[0]: released: ":                  func(w *world) { w.patches[0].Released = time.Time{} },
		"deletions[0]: deleted: before":           func(w *world) { w.deletions[0].Ordered = until },
		"audits[0]: by: ":                         func(w *world) { w.audits[0].By = "both" },
		"audits[0]: scope: ":                      func(w *world) { w.audits[0].Scope = nil },
		"audits[0]: closed: ":                     func(w *world) { w.audits[0].Closed = time.Time{} },
		"certificates[0]: until: not after":       func(w *world) { w.certs[0].Until = w.certs[0].From },
		"documents[1]: until: before":             func(w *world) { w.documents[1].Until = w.documents[1].From.Add(-1) },
		"proofs[0]: want evidence":                func(w *world) { w.proofs[0].Measure = "" },
	} {
		w := good()
		change(w)
		_, err := claim.Check(ctx, a, w.sources(), from, until, until)
		require.ErrorIs(t, err, opsec.ErrInvalid, want)
		require.ErrorContains(t, err, "claim: "+want)
	}
}

// broken is a source that fails.
type broken[T any] struct{ err error }

func (b broken[T]) Statements(context.Context, time.Time, time.Time) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, b.err)
	}
}

func TestErrorsOfSourcesAreReturned(t *testing.T) {
	a, gone := agreement(t, "iaas"), errors.New("gone")
	for _, s := range []claim.Sources{
		{Encryption: broken[claim.Use]{gone}}, {Backups: broken[claim.Backup]{gone}}, {Patches: broken[claim.Patch]{gone}},
		{Deletions: broken[claim.Deletion]{gone}}, {Audits: broken[claim.Audit]{gone}}, {Certificates: broken[claim.Certificate]{gone}},
		{Documents: broken[claim.Document]{gone}}, {Proofs: broken[claim.Proof]{gone}},
	} {
		_, err := claim.Check(context.Background(), a, s, from, until, until)
		require.ErrorIs(t, err, gone)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	_, err := claim.Check(ctx, a, good().sources(), from, until, until)
	require.ErrorIs(t, err, gone)
}

func TestAPromiseIsNotMetBeforeThePeriodEnds(t *testing.T) {
	r, err := claim.Check(context.Background(), agreement(t, "iaas"), good().sources(), from, until, until.Add(-time.Millisecond))
	require.NoError(t, err)
	for _, p := range r.Promises {
		require.Equal(t, ratio.Undecided, p.Verdict)
		require.Empty(t, p.Findings)
	}
	require.Equal(t, ratio.Undecided, r.Verdict())
	require.Equal(t, ratio.Undecided, (&claim.Report{}).Verdict())
}

func TestADocumentMayComeLater(t *testing.T) {
	w := good()
	w.documents[2].From = at(10, 20, 0)
	noon, err := claim.Check(context.Background(), agreement(t, "iaas"), w.sources(), from, until, at(10, 12, 0))
	require.NoError(t, err)
	p := noon.Promises[len(noon.Promises)-2]
	require.Equal(t, "clause.documents.list[2]", p.Path)
	require.Equal(t, ratio.Undecided, p.Verdict)
	require.Equal(t, claim.Unstated, p.Findings[0].Rule)
}

func TestAuditsComeOfEachKindAndOfEachScope(t *testing.T) {
	a := agreement(t, "iaas")
	a.Clause.Audit.Every = metric.Duration(5 * 24 * time.Hour)
	a.Clause.Audit.Scope = []string{"platform", "operations"}
	w := good()
	seldom := func(audits ...claim.Audit) (subjects []string) {
		w.audits = audits
		r, err := claim.Check(context.Background(), a, w.sources(), from, until, until)
		require.NoError(t, err)
		for _, p := range r.Promises {
			for _, f := range p.Findings {
				if p.Path == "clause.audit.every" {
					subjects = append(subjects, f.Subject+f.At.Format(" 02 15:04"))
				}
			}
		}
		return subjects
	}
	audit := func(by string, day int, scope ...string) claim.Audit {
		return claim.Audit{ID: by, By: by, Closed: at(day, 0, 0), Published: at(day, 0, 0), Scope: scope, Evidence: "x"}
	}
	require.Equal(t, []string{"internal audits of operations 28 23:00", "internal audits of platform 28 23:00",
		"third-party audits of operations 28 23:00", "third-party audits of platform 28 23:00"}, seldom(), "since it came into force")
	require.Equal(t, []string{"third-party audits of operations 28 23:00", "third-party audits of platform 28 23:00"}, seldom(audit("internal", 6, "operations", "platform")))
	require.Equal(t, []string{"internal audits of operations 28 23:00", "third-party audits of operations 05 00:00"},
		seldom(audit("internal", 6, "platform"), audit("third-party", 6, "platform"), audit("third-party", 5, "operations"), audit("third-party", 11, "operations")),
		"what comes after the period does not count, also not as the last")
	a.Clause.Audit.By = "internal"
	require.Empty(t, seldom(audit("internal", 6, "platform", "operations")))
}

func TestOnlyTheTimeInForceIsJudged(t *testing.T) {
	a := agreement(t, "iaas")
	a.Effective, a.Expires = at(10, 6, 0), at(10, 12, 0)
	r, err := claim.Check(context.Background(), a, good().sources(), from, until, until)
	require.NoError(t, err)
	require.Equal(t, [2]int64{at(10, 6, 0).UnixMilli(), at(10, 12, 0).UnixMilli()}, [2]int64{r.Span.Start, r.Span.End})
}

func TestTheLawOfRetention(t *testing.T) {
	a := agreement(t, "iaas")
	least := metric.Duration(3000 * time.Hour)
	a.Clause.Data.Compliance[0].KeepLeast = &least
	w := good()
	old, gone := from.Add(-2999*time.Hour), from
	w.backups[0].Points = append(w.backups[0].Points, claim.Point{ID: "old", Taken: old, Copies: []claim.Copy{
		{Durable: old, Gone: gone}, {Durable: old, Gone: gone}, {OffSite: true, Durable: old, Gone: gone},
	}})
	r, err := claim.Check(context.Background(), a, w.sources(), from, until, until)
	require.NoError(t, err)
	require.Equal(t, []string{"data.compliance[0].keepLeast breach early"}, odd(r))
	require.Equal(t, "vm-1: old", r.Promises[12].Findings[0].Subject)
	require.Equal(t, "kept for 2999h0m0s, promised is 3000h0m0s", r.Promises[12].Findings[0].Text)
}

func TestFindingsAreCapped(t *testing.T) {
	w := good()
	for i := range 2 * claim.MaxFindings {
		w.patches = append(w.patches, claim.Patch{ID: fmt.Sprintf("late-%03d", i), Released: from.AddDate(-1, 0, i), Evidence: "x"})
	}
	r := check(t, w)
	for _, p := range r.Promises {
		if p.Path == "clause.measures.patches.within" {
			require.Equal(t, 2*claim.MaxFindings, p.Broken)
			require.Len(t, p.Findings, claim.MaxFindings)
			require.Equal(t, "late-000", p.Findings[0].Subject)
		}
	}
}

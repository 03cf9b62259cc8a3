package claim_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/claim"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// drawWorld draws statements, many of which break something. All times are whole minutes.
func drawWorld(t *rapid.T) *world {
	w := good()
	w.backups[0].Points = nil
	minute := func(name string) time.Time {
		return from.Add(time.Duration(rapid.IntRange(-2000, 1500).Draw(t, name)) * time.Minute)
	}
	maybe := func(name string) time.Time {
		if rapid.Bool().Draw(t, name+" is") {
			return minute(name)
		}
		return time.Time{}
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "points") {
		p := claim.Point{ID: fmt.Sprint(i), Taken: minute("taken")}
		for range rapid.IntRange(0, 4).Draw(t, "copies") {
			c := claim.Copy{OffSite: rapid.Bool().Draw(t, "off"), Durable: p.Taken.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "lag")) * time.Minute)}
			if rapid.Bool().Draw(t, "went") {
				c.Gone = p.Taken.Add(time.Duration(rapid.IntRange(31, 2000).Draw(t, "gone")) * time.Minute)
			}
			p.Copies = append(p.Copies, c)
		}
		w.backups[0].Points = append(w.backups[0].Points, p)
	}
	if rapid.Bool().Draw(t, "old") {
		w.backups[0].Since = time.Time{}
	}
	w.backups[0].Restores = nil
	for i := range rapid.IntRange(0, 3).Draw(t, "restores") {
		w.backups[0].Restores = append(w.backups[0].Restores, claim.Restore{ID: fmt.Sprint(i), Ended: minute("ended"),
			Took: time.Duration(rapid.IntRange(0, 300).Draw(t, "took")) * time.Minute, Passed: rapid.Bool().Draw(t, "passed")})
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "patches") {
		w.patches = append(w.patches, claim.Patch{ID: fmt.Sprint(i), Released: minute("released").Add(-336 * time.Hour), Applied: maybe("applied"), Evidence: "x"})
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "deletions") {
		d := claim.Deletion{Resource: fmt.Sprint(i), Ordered: minute("ordered").Add(-720 * time.Hour), Deleted: maybe("deleted"), Reused: maybe("reused"), Method: "crypto-erase", Evidence: "x"}
		if !d.Deleted.IsZero() && d.Deleted.Before(d.Ordered) {
			d.Deleted = d.Ordered
		}
		w.deletions = append(w.deletions, d)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "uses") {
		w.uses = append(w.uses, claim.Use{Data: "volumes and their backups", Phase: sla.AtRest, At: fmt.Sprint(i), Seen: minute("seen"), KeyOwner: "customer", Evidence: fmt.Sprint(i),
			Algorithm: rapid.SampledFrom([]string{"", "AES-128-GCM", "AES-256-GCM"}).Draw(t, "algorithm")})
	}
	w.proofs = slices.DeleteFunc(w.proofs, func(claim.Proof) bool { return rapid.IntRange(0, 9).Draw(t, "dropped") == 0 })
	for range rapid.IntRange(0, 4).Draw(t, "proofs") {
		w.proofs = append(w.proofs, claim.Proof{Measure: rapid.SampledFrom([]string{"clause.measures.malware", "clause.data.access", "x"}).Draw(t, "measure"),
			At: minute("looked"), Passed: rapid.Bool().Draw(t, "passed"), Evidence: "x"})
	}
	w.certs[0].Until = minute("expires").Add(2000 * time.Minute)
	for i := range rapid.IntRange(0, 3).Draw(t, "documents") {
		from := minute("from")
		w.documents = append(w.documents, claim.Document{Name: "audit summaries", Format: rapid.SampledFrom([]string{"html", "pdf"}).Draw(t, "format"),
			From: from, Until: from.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "until")) * time.Minute), Seen: minute("seen"), Evidence: fmt.Sprint(i)})
	}
	return w
}

func look(t *rapid.T, a *sla.Agreement, w *world, asOf time.Time) *claim.Report {
	r, err := claim.Check(context.Background(), a, w.sources(), from, until, asOf)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func turn[T any](t *rapid.T, list []T) []T { return rapid.Permutation(list).Draw(t, "order") }

func TestTheOrderOfStatementsDoesNotMatter(t *testing.T) {
	a := agreement(t, "iaas")
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		one := look(t, a, w, until)
		twice := rapid.Bool().Draw(t, "twice")
		b := w.backups[0]
		b.Points, b.Restores = turn(t, b.Points), turn(t, b.Restores)
		for i := range b.Points {
			b.Points[i].Copies = turn(t, b.Points[i].Copies)
		}
		o := &world{turn(t, w.uses), []claim.Backup{b}, turn(t, w.patches), turn(t, w.deletions), turn(t, w.audits), turn(t, w.certs), turn(t, w.documents), turn(t, w.proofs)}
		if twice { // what is stated twice is one thing, too
			o = &world{append(o.uses, w.uses...), append(o.backups, w.backups...), append(o.patches, w.patches...), append(o.deletions, w.deletions...),
				append(o.audits, w.audits...), append(o.certs, w.certs...), append(o.documents, w.documents...), append(o.proofs, w.proofs...)}
		}
		two := look(t, a, o, until)
		if twice {
			for i := range two.Promises {
				two.Promises[i].Looked = one.Promises[i].Looked
			}
		}
		require.Equal(t, one, two)
	})
}

// What is broken stays broken when more becomes known, and what is met was not broken before.
func TestABreachStaysOne(t *testing.T) {
	a := agreement(t, "iaas")
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		early := look(t, a, w, from.Add(time.Duration(rapid.IntRange(1, 1440).Draw(t, "early"))*time.Minute))
		late := look(t, a, w, until)
		for i, p := range early.Promises {
			if p.Verdict == ratio.Breach && late.Promises[i].Verdict != ratio.Breach {
				t.Fatalf("%s: %v, and then %v", p.Path, p, late.Promises[i])
			}
		}
	})
}

// Who has looked earlier knows less, and nothing else: what is met or broken by what was seen then is so by all that was.
func TestWhoLooksEarlierOnlyKnowsLess(t *testing.T) {
	a := agreement(t, "iaas")
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		b := &w.backups[0]
		most := metric.Duration(rapid.IntRange(1, 4000).Draw(t, "most")) * metric.Duration(time.Minute)
		a.Clause.Data.Compliance[1].KeepMost, a.Clause.Data.Backup.Retention = &most, most
		a.Clause.Data.Backup.TestEvery = metric.Duration(rapid.IntRange(1, 4000).Draw(t, "every")) * metric.Duration(time.Minute)
		if rapid.Bool().Draw(t, "ceased") {
			b.Until = from.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "until")) * time.Minute)
		}
		full := look(t, a, w, until)
		seen := from.Add(time.Duration(rapid.IntRange(-500, 1500).Draw(t, "looked")) * time.Minute)
		if b.Since.After(seen) {
			seen = b.Since
		}
		seenAt(b, seen)
		if b.Until.After(seen) {
			b.Until = time.Time{}
		}
		for i := range w.certs {
			w.certs[i].Seen = seen
		}
		for i := range w.documents {
			if d := &w.documents[i]; d.Seen.After(seen) {
				d.Seen = seen
			}
		}
		for i, p := range look(t, a, w, until).Promises {
			if p.Verdict != ratio.Undecided && p.Verdict != full.Promises[i].Verdict {
				t.Fatalf("%s by %s: %v, and by all %v", p.Path, seen, p, full.Promises[i])
			}
		}
	})
}

// The same of backups, minute by minute.
func TestBackupsBesideAWalkByMinutes(t *testing.T) {
	a := agreement(t, "iaas")
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		b := w.backups[0]
		exposed, few := false, [2]map[string]bool{{}, {}}
		there := func(c claim.Copy, at time.Time) bool {
			return !at.Before(c.Durable) && (c.Gone.IsZero() || at.Before(c.Gone))
		}
		for at := from; at.Before(until); at = at.Add(time.Minute) {
			newest := b.Since
			for _, p := range b.Points {
				sides := [2]int{}
				for _, c := range p.Copies {
					if there(c, at) {
						side := 0
						if c.OffSite {
							side = 1
						}
						sides[side]++
						if p.Taken.After(newest) {
							newest = p.Taken
						}
					}
				}
				if sides[0]+sides[1] > 0 && !at.Before(p.Taken.Add(15*time.Minute)) {
					few[0][p.ID] = few[0][p.ID] || sides[0] < 2
					few[1][p.ID] = few[1][p.ID] || sides[1] < 1
				}
			}
			// within the minute that begins now the age grows by a minute: just before its end it is less than a minute more
			exposed = exposed || newest.IsZero() || at.Sub(newest) >= 15*time.Minute
		}
		got := map[string][]string{}
		for _, p := range look(t, a, w, until).Promises {
			got[p.Path] = []string{}
			for _, f := range p.Findings {
				got[p.Path] = append(got[p.Path], f.Subject)
			}
		}
		if (len(got["clause.data.backup.rpo"]) > 0) != exposed {
			t.Fatal(exposed, got)
		}
		for side, path := range []string{"clause.data.backup.onSite", "clause.data.backup.offSite"} {
			for _, p := range b.Points {
				if few[side][p.ID] != slices.Contains(got[path], "vm-1: "+p.ID) {
					t.Fatal(path, p, got[path])
				}
			}
		}
	})
}

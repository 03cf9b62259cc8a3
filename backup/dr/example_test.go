package dr_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func Example() {
	ctx, now := context.Background(), noon
	db, err := store.New(memory.New(), nil) // in earnest store/postgres or store/bolt
	if err != nil {
		panic(err)
	}
	policy := dr.Policy{Want: dr.Synchronous, OnLoss: dr.Ask, Patience: dr.Duration(10 * time.Second), Stale: dr.Duration(5 * time.Second)}
	mirror, err := dr.NewMirror(dr.Stored(db), "orders", policy, &dr.Options{
		Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return now },
	})
	if err != nil {
		panic(err)
	}
	look := func(s dr.Status) {
		now = s.At
		verdict, err := mirror.Observe(ctx, bot, s)
		fmt.Println(verdict.Writes, err)
		for _, n := range verdict.Notices {
			fmt.Println(" ", n.Action, "since", n.Reason)
		}
	}
	look(dr.Status{At: at(0), Newest: at(0), Safe: at(0), Connected: true, Synchronous: true})
	look(dr.Status{At: at(1), Newest: at(0), Safe: at(0)})
	look(dr.Status{At: at(11), Newest: at(0), Safe: at(0)})
	// Output:
	// both-sites <nil>
	//   dr.resyncing since a new mirror
	//   dr.synchronous since the other site is what the policy wants
	// hold <nil>
	// hold <nil>
	//   dr.asked since the other site is not connected
}

func ExampleMeter() {
	m, err := dr.NewMeter(10*time.Second, 30*time.Second)
	if err != nil {
		panic(err)
	}
	for i, behind := range []int{0, 2, 14, 3, 0} { // seconds, every ten seconds
		if err := m.Add(dr.Status{At: at(10 * i), Newest: at(10 * i), Safe: at(10*i - behind)}); err != nil {
			panic(err)
		}
	}
	half, _ := m.Quantile(1, 2)
	fmt.Println("half of the time at most", half.Truncate(100*time.Millisecond), "and", time.Duration(m.Worst), "at worst")
	for _, b := range m.Breaches {
		fmt.Println("breach from", b.From.Format(time.TimeOnly), "to", b.To.Format(time.TimeOnly))
	}
	// Output:
	// half of the time at most 3s and 14s at worst
	// breach from 12:00:16 to 12:00:30
}

func ExampleCompare() {
	original := dr.Statement{Site: "east", Taken: noon, AtRest: dr.Encryption{Algorithm: "AES-256-GCM", Strength: 256, Custody: 2},
		InTransit: dr.Encryption{Algorithm: "TLS 1.3", Strength: 128, Custody: 1}, Patched: noon,
		Access: dr.Grade{Digest: "a1"}, Baseline: dr.Grade{Digest: "b1"}}
	recovery := original
	recovery.Site, recovery.Patched = "west", noon.AddDate(0, -2, 0)
	parity, err := dr.Compare(original, recovery, time.Hour)
	fmt.Println(parity.Same, err)
	for _, d := range parity.Differences {
		fmt.Println(d.Severity, d.Aspect, d.Relation, d.Recovery)
	}
	// Output:
	// false <nil>
	// high patched weaker 2026-01-02T12:00:00Z
}

func ExampleDrillPolicy_Assess() {
	p := dr.DrillPolicy{Every: dr.Duration(90 * 24 * time.Hour), RTO: dr.Duration(time.Hour)}
	report, err := p.Assess([]dr.Drill{{ID: "spring", At: noon.AddDate(0, 0, -100), Took: dr.Duration(90 * time.Minute), Outcome: opsec.Success}}, noon)
	fmt.Println(report.Overdue, err)
	for _, f := range report.Findings {
		fmt.Println(f.Rule, f.Subject, f.Text)
	}
	// Output:
	// true <nil>
	// drill-overdue  a drill was due at 2026-02-20T12:00:00Z
	// drill-rto spring it took 1h30m0s; the objective is 1h0m0s
}

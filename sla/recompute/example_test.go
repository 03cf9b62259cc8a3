package recompute_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// sampleAgreement is that of the sample: storage is promised for 99.9 % of a month.
func sampleAgreement() *sla.Agreement {
	text, err := os.ReadFile("../../examples/slareport/iaas.yaml")
	if err != nil {
		panic(err)
	}
	a, err := sla.Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

func state(seq uint64, resource, from, to string, s meter.State) meter.Evidence {
	return meter.Evidence{Source: "probe-1", Seq: seq, Resource: resource, State: s, Span: timeline.Span{Start: at(from).UnixMilli(), End: at(to).UnixMilli()}}
}

// sampleMeter has a month of a machine and of the storage, which was away for two hours.
func sampleMeter() *meter.Meter {
	m := meter.New()
	for _, e := range []meter.Evidence{
		state(1, "vm-1", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", meter.Up),
		state(1, "storage", "2026-03-01T00:00:00+01:00", "2026-03-09T10:00:00+01:00", meter.Up),
		state(2, "storage", "2026-03-09T10:00:00+01:00", "2026-03-09T12:00:00+01:00", meter.Down),
		state(3, "storage", "2026-03-09T12:00:00+01:00", "2026-04-01T00:00:00+02:00", meter.Up),
	} {
		if err := m.Add(e); err != nil {
			panic(err)
		}
	}
	return m
}

func show(r *recompute.Report) {
	for _, s := range r.Services {
		for _, o := range s.Objectives {
			fmt.Printf("%s: %s %%, wanted %s: %s\n", o.ID, o.Figure.Availability.High.Percent(4), o.Target, o.Figure.Verdict)
		}
		for _, c := range s.Totals {
			fmt.Printf("%s owes %s, %s\n", c.Service, c.Credit.Low, c.Amount[0])
		}
	}
}

func ExampleCompute() {
	r, err := recompute.Compute(context.Background(), recompute.Input{
		Agreement: sampleAgreement(), Period: "2026-03", AsOf: at("2026-04-01T00:00:00+02:00"),
		States: sampleMeter(), Fees: map[string]string{"storage": "300.00 EUR"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	show(r)
	// Output:
	// compute-region: 100.0000 %, wanted 99.95%: met
	// compute-instance: 100.0000 %, wanted 99.5%: met
	// storage-region: 99.7308 %, wanted 99.9%: breach
	// storage owes 10%, 30.00 EUR
}

// A customer makes the provider's report again, from the same evidence but for a piece.
func ExampleDiff() {
	in := recompute.Input{Agreement: sampleAgreement(), Period: "2026-03", AsOf: at("2026-04-01T00:00:00+02:00"), States: sampleMeter()}
	theirs, err := recompute.Compute(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := theirs.JSON() // what they have sent
	if err != nil {
		fmt.Println(err)
		return
	}
	if theirs, err = recompute.Read(text); err != nil {
		fmt.Println(err)
		return
	}

	own, err := recompute.Compute(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	differences, err := recompute.Diff(theirs, own)
	fmt.Println(len(differences), "differences", err)

	m := sampleMeter()
	err = m.Add(state(4, "storage", "2026-03-20T10:00:00+01:00", "2026-03-20T11:00:00+01:00", meter.Down))
	if err != nil {
		fmt.Println(err)
		return
	}
	in.States = m
	if own, err = recompute.Compute(context.Background(), in); err != nil {
		fmt.Println(err)
		return
	}
	differences, err = recompute.Diff(theirs, own)
	fmt.Println(len(differences), "differences", err)
	for _, d := range differences {
		if strings.HasSuffix(d.Path, "counted.bad") {
			fmt.Printf("%s: theirs %s, ours %s\n", d.Path, d.A, d.B)
		}
	}
	// Output:
	// 0 differences <nil>
	// 12 differences <nil>
	// services[1].objectives[0].tally.counted.bad: theirs 7200000, ours 10800000
}

// Evidence that comes after a period was sealed changes nothing, until the report is restated: the new report cites the old.
func ExampleCompute_restated() {
	m := sampleMeter()
	march, err := metric.Window{Calendar: "month", Zone: "Europe/Berlin"}.Period("2026-03")
	if err != nil {
		fmt.Println(err)
		return
	}
	seal, err := m.Seal(march)
	if err != nil {
		fmt.Println(err)
		return
	}
	in := recompute.Input{Agreement: sampleAgreement(), Period: "2026-03", AsOf: time.UnixMilli(march.End), States: m,
		Fees: map[string]string{"compute": "360.00 EUR", "storage": "300.00 EUR"}}
	first, err := recompute.Compute(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("made of what was sealed:", first.Evidence.States == seal.Digest)

	err = m.Add(state(2, "vm-1", "2026-03-20T10:00:00+01:00", "2026-03-20T16:00:00+01:00", meter.Down)) // a log that was found in May
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := recompute.Compute(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	differences, err := recompute.Diff(first, again)
	fmt.Println("kept aside:", len(differences), "differences", err)

	const why = "the log of probe-1 was found"
	seals, err := m.Restate(march, seal.Digest, why)
	if err != nil {
		fmt.Println(err)
		return
	}
	if in.Supersedes, err = first.Digest(); err != nil {
		fmt.Println(err)
		return
	}
	in.Why = why
	second, err := recompute.Compute(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	digest, err := first.Digest()
	fmt.Println("cites the first:", second.Supersedes == digest, err)
	fmt.Println("made of what was restated:", second.Evidence.States == seals[0].Digest)
	show(second)
	// Output:
	// made of what was sealed: true
	// kept aside: 0 differences <nil>
	// cites the first: true <nil>
	// made of what was restated: true
	// compute-region: 99.1924 %, wanted 99.95%: breach
	// compute-instance: 99.1924 %, wanted 99.5%: breach
	// compute owes 10%, 36.00 EUR
	// storage-region: 99.7308 %, wanted 99.9%: breach
	// storage owes 10%, 30.00 EUR
}

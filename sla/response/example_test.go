package response_test

import (
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/response"
)

// A hotline of 5x8: a fault of Friday afternoon that was accepted on Monday took an hour.
func Example() {
	target := response.Target{
		ID: "acceptance", Measure: response.Acceptance, Mean: response.Duration(30 * time.Minute), Each: response.Duration(time.Hour),
		Hours: &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))},
	}
	if err := target.Validate(); err != nil {
		log.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		log.Fatal(err)
	}
	friday := time.Date(2026, 3, 27, 16, 30, 0, 0, berlin)
	monday := time.Date(2026, 3, 30, 9, 30, 0, 0, berlin)
	incidents := []response.Incident{
		{ID: "F-1", Occurred: friday, Reported: friday, Accepted: monday},
		{ID: "F-2", Occurred: monday, Reported: monday}, // nobody has accepted it
	}
	from, to := time.Date(2026, 3, 1, 0, 0, 0, 0, berlin), time.Date(2026, 4, 1, 0, 0, 0, 0, berlin)
	s, err := response.Summarize(target, incidents, from, to, to)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Incidents, "incidents,", s.Open, "open;", s.Within, "in time,", s.Late, "late")
	fmt.Println("mean at least", time.Duration(s.Mean.Low)*time.Millisecond, s.Verdict)
	// Output:
	// 2 incidents, 1 open; 1 in time, 1 late
	// mean at least 8h15m0s breach
}

func ExampleClock_Due() {
	clock, err := response.NewClock(response.Target{
		ID: "repair", Measure: response.Troubleshooting, Each: response.Duration(4 * time.Hour),
		Hours: &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))},
	})
	if err != nil {
		log.Fatal(err)
	}
	friday := time.Date(2026, 3, 27, 15, 0, 0, 0, time.UTC) // 16:00 there
	i := response.Incident{ID: "F-1", Occurred: friday, Reported: friday, Accepted: friday}
	due, err := clock.Due(i)
	if err != nil {
		log.Fatal(err)
	}
	took, open, _ := clock.Took(i, friday.AddDate(0, 0, 3))
	fmt.Println("due", due.UTC().Format(time.RFC3339))
	fmt.Println("after three days:", took, open)
	// Output:
	// due 2026-03-30T10:00:00Z
	// after three days: 9h0m0s true
}

func ExampleClock_Summarize() {
	clock, err := response.NewClock(response.Target{
		ID: "recovery", Measure: response.Recovery, Each: response.Duration(4 * time.Hour), Share: "90%",
	})
	if err != nil {
		log.Fatal(err)
	}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var incidents []response.Incident
	for n := range 10 {
		i := response.Incident{ID: fmt.Sprint("F-", n), Occurred: from.AddDate(0, 0, n)}
		i.Restored = i.Occurred.Add(time.Duration(n) * 30 * time.Minute)
		incidents = append(incidents, i)
	}
	s, err := clock.Summarize(incidents, from, from.AddDate(0, 1, 0), from.AddDate(0, 1, 0))
	if err != nil {
		log.Fatal(err)
	}
	p90 := time.Duration(s.Quantiles["p90"].High) * time.Millisecond
	fmt.Println(s.Within, "of", s.Incidents, "in time; 90 % within", p90, s.Verdict)
	// Output: 9 of 10 in time; 90 % within 4h0m0s met
}

func ExampleReliable() {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	failure := func(id string, day, hours int) response.Incident {
		at := from.AddDate(0, 0, day)
		return response.Incident{ID: id, Occurred: at, Restored: at.Add(time.Duration(hours) * time.Hour)}
	}
	r, err := response.Reliable([]response.Incident{failure("F-1", 3, 2), failure("F-2", 20, 4)}, from, from.AddDate(0, 0, 30), from.AddDate(0, 1, 0))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Failures, "failures; one in", time.Duration(r.MTBF.Low)*time.Millisecond)
	// Output: 2 failures; one in 357h0m0s
}

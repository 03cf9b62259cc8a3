package calendar_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec/calendar"
)

func Example() {
	var policy calendar.Policy
	err := json.Unmarshal([]byte(`{
		"zone": "Europe/Berlin",
		"hours": ["Mon-Fri 09:00-17:00"],
		"holidays": [
			{"name": "Christmas Eve", "on": "12-24", "open": ["09:00-12:00"]},
			{"name": "Christmas", "on": "12-25", "days": 2}
		]}`), &policy)
	if err != nil {
		log.Fatal(err)
	}
	cal, err := calendar.New(policy)
	if err != nil {
		log.Fatal(err)
	}
	reported := time.Date(2026, 12, 23, 15, 0, 0, 0, cal.Location())
	due, err := cal.Add(reported, 8*time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("due", due.Format(time.RFC3339))
	fmt.Println("spent by noon of the 24th:", cal.Between(reported, time.Date(2026, 12, 24, 12, 0, 0, 0, cal.Location())))
	// Output:
	// due 2026-12-28T12:00:00+01:00
	// spent by noon of the 24th: 5h0m0s
}

func ExampleCalendar_Intervals() {
	night, err := calendar.ParseShift("Sat 22:00-06:00")
	if err != nil {
		log.Fatal(err)
	}
	cal, err := calendar.New(calendar.Policy{Zone: "Europe/Berlin", Hours: []calendar.Shift{night}})
	if err != nil {
		log.Fatal(err)
	}
	from := time.Date(2026, 10, 24, 0, 0, 0, 0, cal.Location())
	for iv := range cal.Intervals(from, from.AddDate(0, 0, 2)) { // the night in which summer time ends
		fmt.Println(iv.Start.Format(time.RFC3339), iv.End.Format(time.RFC3339), iv.End.Sub(iv.Start))
	}
	// Output:
	// 2026-10-24T22:00:00+02:00 2026-10-25T06:00:00+01:00 9h0m0s
}

func ExampleSchedule_Earliest() {
	var windows []calendar.Window
	err := json.Unmarshal([]byte(`[
		{"name": "patch Sunday", "kind": "maintenance", "zone": "America/New_York",
		 "start": "2026-01-04T02:00", "end": "2026-01-04T06:00", "rule": "FREQ=WEEKLY;BYDAY=SU"},
		{"name": "Black Friday", "kind": "freeze", "zone": "America/New_York",
		 "start": "2026-11-26T00:00", "end": "2026-12-01T00:00", "rule": "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"}
	]`), &windows)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := calendar.NewSchedule(windows)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	err = plan.Check(now, 2*time.Hour)
	var refused *calendar.RefusedError
	if errors.As(err, &refused) {
		fmt.Println("not now:", refused.Freezes[0].Name)
	}
	slot, err := plan.Earliest(now, 2*time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("but at", slot.Start, "in", slot.Within[0].Name)
	// Output:
	// not now: Black Friday
	// but at 2026-12-06 07:00:00 +0000 UTC in patch Sunday
}

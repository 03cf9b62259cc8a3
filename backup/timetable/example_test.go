package timetable_test

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/backup/timetable"
)

func ExampleArrange() {
	p := &timetable.Problem{
		Start: evening, Slot: hour, Slots: 6,
		Links: []timetable.Link{{ID: "wan", Rate: 100, Traffic: []int64{70, 50, 20, 10, 10, 40}}}, // bytes a second
		Jobs: []timetable.Job{
			{ID: "mail", Bytes: 2 * 3600 * 30, Rate: 30, Links: []string{"wan"}}, // two hours
			{ID: "orders", Bytes: 3600 * 40, Rate: 40, Links: []string{"wan"}},
			{ID: "archive", Bytes: 3600 * 90, Rate: 90, Links: []string{"wan"}, Divisible: true},
		},
	}
	table, err := timetable.Arrange(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range table.Runs {
		fmt.Println(r.Job, r.From.Format("15h"), "to", r.Until.Format("15h"))
	}
	fmt.Println("peak", table.Peak, "and not less than", table.PeakBound)
	fmt.Println(table.Check(p))
	// Output:
	// archive 19h to 00h
	// orders 20h to 21h
	// mail 21h to 23h
	// peak 70.0 % and not less than 70.0 %
	// <nil>
}

func ExampleNightly() {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, w := range timetable.Nightly(monday, 2, 22*time.Hour, 6*time.Hour) {
		fmt.Println(w.From.Format(time.DateTime), w.Until.Format(time.DateTime))
	}
	// Output:
	// 2026-03-02 22:00:00 2026-03-03 06:00:00
	// 2026-03-03 22:00:00 2026-03-04 06:00:00
}

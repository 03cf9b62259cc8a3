package retention_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/backup/retention"
)

// nights are backups of seven nights, full ones on Sunday, Wednesday and Saturday; the first was found whole.
func nights() (list []retention.Point) {
	for i := range 7 {
		when := time.Date(2026, 3, 1+i, 2, 0, 0, 0, time.UTC)
		p := retention.Point{ID: when.Format("Mon"), Claimed: when, Received: when, Replicated: true}
		if i%3 != 0 {
			p.Parents = []string{list[i-1].ID}
		}
		list = append(list, p)
	}
	list[0].Verified = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	return list
}

func ExamplePlan() {
	policy, err := retention.ParsePolicy(strings.NewReader(`{"semantics": "calendar", "zone": "UTC", "daily": 2}`))
	if err != nil {
		panic(err)
	}
	result, err := retention.Plan(nights(), policy, time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	result.WriteText(os.Stdout)
	// Output:
	// keep 2026-03-07T02:00:00Z Sat: daily 1; the newest of its group
	// keep 2026-03-06T02:00:00Z Fri: daily 2
	// keep 2026-03-05T02:00:00Z Thu: needed by Fri
	// keep 2026-03-04T02:00:00Z Wed: needed by Thu
	// drop 2026-03-03T02:00:00Z Tue: no rule keeps it; the next that stays is Wed
	// drop 2026-03-02T02:00:00Z Mon: no rule keeps it; the next that stays is Wed
	// keep 2026-03-01T02:00:00Z Sun: the newest of its group that was found whole
	// 5 kept, 2 dropped, 0 findings
}

func ExampleShortened() {
	old := retention.Policy{Semantics: retention.Copies, Zone: "UTC", Last: 7}
	shorter := old
	shorter.Last = 1
	lost, err := retention.Shortened(old, shorter, nights(), time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC))
	fmt.Println(lost, err, shorter.AtLeast(&old))
	// Output: [Fri Thu Wed Tue Mon] <nil> false
}

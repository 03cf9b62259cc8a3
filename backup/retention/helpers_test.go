package retention_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/retention"
)

var now = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// at is a time in Vienna.
func at(t require.TestingT, text string) time.Time {
	vienna, err := time.LoadLocation("Europe/Vienna")
	require.NoError(t, err)
	when, err := time.ParseInLocation("2006-01-02 15:04", text, vienna)
	require.NoError(t, err)
	return when
}

// good is a point that no guard has anything against.
func good(id string, when time.Time) retention.Point {
	return retention.Point{ID: id, Claimed: when, Received: when, Replicated: true}
}

// series are good points, named by their times.
func series(t require.TestingT, times ...string) (list []retention.Point) {
	for _, text := range times {
		list = append(list, good(text, at(t, text)))
	}
	return list
}

func plan(t require.TestingT, points []retention.Point, p retention.Policy) retention.Result {
	r, err := retention.Plan(points, p, now)
	require.NoError(t, err)
	return r
}

// kept returns what stays, sorted.
func kept(r retention.Result) []string {
	return chosen(r, func(d retention.Decision) bool { return d.Keep })
}

// ruled returns what the rules keep, without the guards.
func ruled(r retention.Result) []string {
	return chosen(r, func(d retention.Decision) bool { return d.ByRule() })
}

func chosen(r retention.Result, take func(retention.Decision) bool) []string {
	ids := []string{}
	for _, d := range r.Decisions {
		if take(d) {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func decision(t require.TestingT, r retention.Result, id string) retention.Decision {
	for _, d := range r.Decisions {
		if d.ID == id {
			return d
		}
	}
	require.Fail(t, "no decision", id)
	return retention.Decision{}
}

// drawPoints draws histories with chains, liars, holds and locks, in two groups.
func drawPoints(t *rapid.T) (list []retention.Point) {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	for i := range n {
		when := now.Add(-time.Duration(rapid.IntRange(0, 3*365*24*2).Draw(t, "half hours")) * 30 * time.Minute)
		if rapid.Bool().Draw(t, "recent") {
			when = now.Add(-time.Duration(rapid.IntRange(0, 96).Draw(t, "hours")) * time.Hour)
		}
		p := good(fmt.Sprintf("p%02d", i), when)
		p.Group = rapid.SampledFrom([]string{"", "b"}).Draw(t, "group")
		switch rapid.IntRange(0, 12).Draw(t, "kind") {
		case 0:
			p.Hold = "case 7"
		case 1:
			p.Locked = now.Add(time.Hour)
		case 2:
			p.Replicated = false
		case 3:
			p.Claimed = now.AddDate(rapid.IntRange(-20, 20).Draw(t, "lie"), 0, 1)
		case 4:
			p.Received = time.Time{}
		case 5, 6:
			p.Verified = now
		}
		p.Tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 0, 2, rapid.ID[string]).Draw(t, "tags")
		for range rapid.IntRange(0, 2).Draw(t, "parents") {
			if i > 0 {
				p.Parents = append(p.Parents, fmt.Sprintf("p%02d", rapid.IntRange(0, n).Draw(t, "parent"))) // loops and missing ones too
			}
		}
		list = append(list, p)
	}
	return list
}

func drawPolicy(t *rapid.T, semantics ...retention.Semantics) retention.Policy {
	p := retention.Policy{Semantics: rapid.SampledFrom(semantics).Draw(t, "semantics"), Zone: "Europe/Vienna"}
	least := 0
	if p.Semantics == retention.Restic || p.Semantics == retention.Borg {
		least = retention.All
	}
	count := func(name string) int { return rapid.IntRange(least, 5).Draw(t, name) }
	if p.Semantics == retention.Copies {
		p.Last = rapid.IntRange(1, 9).Draw(t, "last")
		return p
	}
	if p.Semantics == retention.Borg {
		p.Secondly, p.Minutely = count("secondly"), count("minutely")
	} else {
		p.Last = count("last")
	}
	p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly = count("hourly"), count("daily"), count("weekly"), count("monthly"), count("yearly")
	if p.Semantics == retention.Restic || p.Semantics == retention.Borg {
		p.Within = retention.Span{Days: rapid.IntRange(0, 3).Draw(t, "within")}
	}
	if p.Semantics == retention.Restic {
		p.WithinWeekly = retention.Span{Months: rapid.IntRange(0, 3).Draw(t, "within weekly")}
		if rapid.Bool().Draw(t, "tagged") {
			p.Tags = [][]string{{"x", "y"}}
		}
	}
	p.SkipReceived = rapid.Bool().Draw(t, "skip received")
	if p.Validate() != nil { // it keeps nothing
		p.Daily = 1
	}
	return p
}

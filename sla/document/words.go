package document

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

func plain(s string) htmlreport.Text { return htmlreport.Plain(s) }

func code(s string) htmlreport.Text {
	if s == "" {
		return nil
	}
	return htmlreport.Code(s)
}

func fact(label, value string) htmlreport.Fact {
	return htmlreport.Fact{Label: label, Value: plain(value)}
}

// facts leaves out those that say nothing.
func facts(list ...htmlreport.Fact) (out htmlreport.Facts) {
	for _, f := range list {
		for _, s := range f.Value {
			if s.Text != "" {
				out = append(out, f)
				break
			}
		}
	}
	return out
}

// telling leaves out blocks that have nothing to show.
func telling(list ...htmlreport.Block) (out []htmlreport.Block) {
	for _, b := range list {
		switch b := b.(type) {
		case htmlreport.Facts:
			if len(b) == 0 {
				continue
			}
		case htmlreport.Table:
			if len(b.Rows) == 0 {
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

// brief says that the texts of a column are so short that they need not be divided between lines, which makes others of ids.
func brief(rows [][]htmlreport.Text, column int) bool {
	return !slices.ContainsFunc(rows, func(row []htmlreport.Text) bool {
		n := 0
		for _, s := range row[column] {
			n += utf8.RuneCountInString(s.Text)
		}
		return n > 20
	})
}

// kept keeps the texts of columns in one line where all of them are brief.
func kept(t htmlreport.Table, columns ...int) htmlreport.Table {
	for _, i := range columns {
		t.Columns[i].Short = brief(t.Rows, i)
	}
	return t
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", grouped(uint64(n)), thing)
}

// grouped writes a number with its digits in groups of three.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// length writes milliseconds by their three largest units: what is less is left off, so it is never more than it was.
func length(ms uint64) string { return units(ms, 3) }

func units(ms uint64, most int) string {
	list := []struct {
		ms   uint64
		name string
	}{{86_400_000, "d"}, {3_600_000, "h"}, {60_000, "min"}, {1000, "s"}, {1, "ms"}}
	var parts []string
	for i := 0; i < len(list) && most > 0; i++ {
		n := ms / list[i].ms
		ms %= list[i].ms
		if n > 0 {
			parts = append(parts, grouped(n)+nbsp+list[i].name)
		}
		if len(parts) > 0 {
			most--
		}
	}
	if len(parts) == 0 {
		return "0" + nbsp + "s"
	}
	return strings.Join(parts, " ")
}

// lasts writes a duration that was agreed: exactly.
func lasts(d metric.Duration) string {
	v := time.Duration(d)
	if v < 0 || v%time.Millisecond != 0 {
		return v.String()
	}
	return units(uint64(v.Milliseconds()), 5)
}

func lastsOrNot(d metric.Duration) string {
	if d == 0 {
		return ""
	}
	return lasts(d)
}

// decimals is how many decimals a figure is shown with beside a target: two more than the target has, and four at least.
func decimals(target ratio.Ratio) int {
	_, digits, _ := strings.Cut(strings.TrimSuffix(target.String(), "%"), ".")
	if strings.Contains(target.String(), "/") {
		return 12
	}
	return min(max(4, len(digits)+2), 12)
}

// percent writes a target.
func percent(r ratio.Ratio) string { return strings.Replace(r.String(), "%", nbsp+"%", 1) }

// figure writes the bounds of a figure, rounded down.
func figure(g ratio.Range, target ratio.Ratio) string {
	n := decimals(target)
	low, high := g.Low.Percent(n), g.High.Percent(n)
	if low == high {
		return low + nbsp + "%"
	}
	return low + " to " + high + nbsp + "%"
}

// amount writes a part of a tally in the units of its objective.
func amount(o metric.Objective, n uint64) string {
	switch o.Method {
	case metric.Time:
		return length(n)
	case metric.Slices:
		return grouped(n) + nbsp + "×" + nbsp + lasts(o.Slice)
	case metric.MeanRate:
		hundredths := n % metric.SliceUnits * 100 / metric.SliceUnits // rounded down
		return fmt.Sprintf("%s.%02d"+nbsp+"×"+nbsp+"%s", grouped(n/metric.SliceUnits), hundredths, lasts(o.Slice))
	}
	return grouped(n) + nbsp + "requests"
}

// nbsp keeps a number and its unit on one line.
const nbsp = "\u00a0"

// clock writes times of one zone.
type clock struct{ *time.Location }

func (c clock) time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(c.Location).Format("2006-01-02" + nbsp + "15:04")
}

// between writes a stretch of time: the date once where it is one.
func (c clock) between(from, until time.Time) string {
	if from.IsZero() || until.IsZero() {
		return strings.TrimSpace(c.time(from) + " to " + c.time(until))
	}
	a, b := from.In(c.Location), until.In(c.Location)
	if a.Format(time.DateOnly) == b.Format(time.DateOnly) {
		return c.time(from) + " to" + nbsp + b.Format("15:04")
	}
	return c.time(from) + " to " + c.time(until)
}

func (c clock) day(ms int64) string { return time.UnixMilli(ms).In(c.Location).Format(time.DateOnly) }

func newClock(zone string) (clock, error) {
	loc, err := time.LoadLocation(cmp.Or(zone, "UTC"))
	if err != nil || zone == "Local" {
		return clock{}, invalid("zone %.60q is not known", zone)
	}
	return clock{loc}, nil
}

// verdict writes a verdict as a mark.
func verdict(v ratio.Verdict) htmlreport.Text {
	switch v {
	case ratio.Met:
		return htmlreport.Mark(htmlreport.Good, "met")
	case ratio.Breach:
		return htmlreport.Mark(htmlreport.Bad, "breach")
	}
	return htmlreport.Mark(htmlreport.Unknown, "undecided")
}

func severity(s opsec.Severity) htmlreport.Text {
	if s == "" {
		return nil
	}
	tone := htmlreport.Calm
	switch s {
	case opsec.SeverityCritical, opsec.SeverityHigh:
		tone = htmlreport.Bad
	case opsec.SeverityMedium:
		tone = htmlreport.Warn
	case opsec.SeverityLow:
		tone = htmlreport.Mild
	}
	return htmlreport.Mark(tone, string(s))
}

func party(p opsec.Party) string {
	switch p {
	case opsec.CSP:
		return "provider"
	case opsec.CSC:
		return "customer"
	case opsec.Both:
		return "both"
	}
	return string(p)
}

var layers = map[responsibility.Layer]string{
	responsibility.Facility: "Facility", responsibility.Hardware: "Hardware", responsibility.Network: "Network of the cloud",
	responsibility.Virtualization: "Virtualization", responsibility.GuestOS: "Guest operating systems",
	responsibility.Middleware: "Middleware", responsibility.Application: "Applications", responsibility.Content: "Content: the data",
	responsibility.Identity: "Identities and passwords", responsibility.Terminal: "Terminals",
}

var measures = map[response.Measure]string{
	response.Acceptance: "Acceptance, from the report", response.Troubleshooting: "Troubleshooting, from acceptance",
	response.Recovery: "Recovery, from occurrence", response.Notification: "Notification, from occurrence",
}

// promised writes what a target promises.
func promised(t response.Target) string {
	var parts []string
	if t.Mean > 0 {
		parts = append(parts, "mean "+lasts(t.Mean))
	}
	if t.Each > 0 {
		share := "each"
		if t.Share != "" {
			share = strings.Replace(t.Share, "%", nbsp+"%", 1)
		}
		parts = append(parts, share+" within "+lasts(t.Each))
	}
	return strings.Join(parts, ", ")
}

// method says how an objective is reckoned.
func method(o metric.Objective) string {
	s := map[metric.Method]string{
		metric.Time: "usable time of all time", metric.Slices: "good slices of all slices",
		metric.Requests: "good requests of all requests", metric.MeanRate: "mean of the rates of good requests of slices",
	}[o.Method]
	if s == "" {
		s = string(o.Method)
	}
	add := func(when bool, format string, args ...any) {
		if when {
			s += ", " + fmt.Sprintf(format, args...)
		}
	}
	add(o.Slice > 0, "slices of %s", lasts(o.Slice))
	add(o.Good.Cmp(ratio.Ratio{}) > 0, "good from %s of requests on", percent(o.Good))
	add(o.Run > 1, "bad ones count in runs of %d or more", o.Run)
	add(o.Partial == metric.PartialGood, "bad only when all of it is")
	add(o.Least > 0, "empty with fewer than %d requests", o.Least)
	add(o.Empty != "", "empty ones are %s", map[metric.Empty]string{
		metric.EmptyUnknown: "unknown", metric.EmptyGood: "good", metric.EmptySkip: "left out"}[o.Empty])
	add(o.Degraded == metric.DegradedUp, "degraded counts as up")
	return s
}

func window(w metric.Window) string {
	if w.Calendar == "" {
		return "the last " + lasts(w.Rolling)
	}
	return "calendar " + w.Calendar + ", " + cmp.Or(w.Zone, "UTC")
}

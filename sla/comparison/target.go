package comparison

import (
	"fmt"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
)

// pledge is one of the promises of a target: of the mean, or of each.
type pledge struct {
	*response.Target
	mean  bool
	bound metric.Duration
	share ratio.Ratio // of those that keep the bound
	clock *clock
}

// pledges takes targets apart. Those without hours of their own run on the clock.
func pledges(list []response.Target, on *clock) (out []pledge) {
	for i := range list {
		t := &list[i]
		c := on
		if t.Hours != nil {
			c = newClock(t.Hours)
		}
		if t.Mean > 0 {
			out = append(out, pledge{t, true, t.Mean, ratio.One(), c})
		}
		if t.Each > 0 {
			share := ratio.One()
			if t.Share != "" {
				share, _ = ratio.Parse(t.Share) // one that cannot be read promises nothing
			}
			if share.Num() > 0 {
				out = append(out, pledge{t, false, t.Each, share, c})
			}
		}
	}
	return out
}

// targets compares what is promised of times to respond.
func targets(path, clause string, a, b []response.Target, onA, onB *clock) []Difference {
	k := &kind[pledge]{
		path:    path,
		clause:  clause,
		id:      func(p *pledge) string { return "id=" + p.ID },
		key:     func(p *pledge) string { return string(p.Measure) },
		alike:   func(a, b *pledge) bool { return a.mean == b.mean && (a.Severity == b.Severity || a.ID == b.ID) },
		compare: comparePledges,
		implies: impliesPledge,
		show:    showPledge,
		came:    "a target more",
		went:    "no target promises it",
	}
	return k.differences(pledges(a, onA), pledges(b, onB))
}

func comparePledges(t *terms, a, b *pledge) {
	if a.mean != b.mean {
		t.rel = 0
		return
	}
	rel := relation(0)
	if reaches(b, a) {
		rel |= atLeast
	}
	if reaches(a, b) {
		rel |= atMost
	}
	if t.differ(rel) {
		why := "incidents of another severity"
		if rel != 0 {
			why = gained(rel, "it covers all severities", "it covers one severity alone")
		}
		t.write("severity", severity(a), severity(b), rel, why)
	}
	if a.mean {
		t.short("mean", a.bound, b.bound)
	} else {
		t.short("each", a.bound, b.bound)
		t.share("share", a.share, b.share)
	}
	t.hours("hours", a.clock, b.clock)
}

// reaches reports whether a pledge covers the incidents of another: what each of all severities keeps each of one does,
// but the mean of all says nothing of the mean of some, nor a share of all of a share of some.
func reaches(a, b *pledge) bool {
	return a.Severity == b.Severity || a.Severity == "" && !a.mean && a.share.Cmp(ratio.One()) >= 0
}

// impliesPledge: where each is within a time, so is the mean.
func impliesPledge(strong, weak *pledge) bool {
	return weak.mean && !strong.mean && strong.share.Cmp(ratio.One()) >= 0 &&
		(strong.Severity == "" || strong.Severity == weak.Severity) &&
		strong.bound <= weak.bound && strong.clock.covers(weak.clock)
}

func severity(p *pledge) string {
	if p.Severity == "" {
		return "all"
	}
	return string(p.Severity)
}

func showPledge(p *pledge) string {
	s := "each "
	if p.mean {
		s = "mean "
	} else if p.share.Cmp(ratio.One()) < 0 {
		s = p.share.String() + " "
	}
	return fmt.Sprintf("%s of severity %s: %swithin %s, %s", p.Measure, severity(p), s, text(p.bound), p.clock.text)
}

// emergencyClock is that of the hotline, on which targets without hours of their own run.
func emergencyClock(p calendar.Policy) *clock {
	if p.Zone == "" && len(p.Hours) == 0 {
		return newClock(nil)
	}
	return newClock(&p)
}

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/report"
	"github.com/cloudopsec/opsec/backup/retention"
)

// retain decides which of the points that are there stay: of each level so many as the strategy asks for, and as many more as the best
// choice keeps to reach back far enough.
func retain(p plan.Problem, s plan.Solution, o plan.Observed) (*report.Retention, error) {
	var results []retention.Result
	var words []string
	for _, level := range []plan.Level{plan.Files, plan.Image} {
		points := present(o, level)
		if len(points) == 0 {
			continue
		}
		last := copies(p.Strategy, s.Best, level)
		policy := retention.Policy{Semantics: retention.Copies, Zone: "UTC", Last: last, Tolerance: retention.Duration(48 * time.Hour)}
		result, err := retention.Plan(points, policy, o.At)
		if err != nil {
			return nil, err
		}
		results, words = append(results, result), append(words, fmt.Sprintf("%d of %s", last, level))
	}
	return report.Retained("the newest "+strings.Join(words, ", "), results...), nil
}

// copies returns how many points of a level are kept.
func copies(s plan.Strategy, best *plan.Choice, level plan.Level) int {
	n := s.Points
	if best == nil {
		return n
	}
	for _, w := range best.Ways {
		for _, st := range w.Streams {
			if st.Level == level {
				n = max(n, st.Points)
			}
		}
	}
	return n
}

// present returns the points of a level that are there, as package retention looks at them.
func present(o plan.Observed, level plan.Level) (list []retention.Point) {
	for _, p := range o.Points {
		if p.Level != level || !p.Deleted.IsZero() && !p.Deleted.After(o.At) {
			continue
		}
		r := retention.Point{ID: p.ID, Group: string(level), Claimed: p.Taken, Parents: p.Parents, Replicated: true}
		for _, c := range p.Copies {
			if c.Durable.IsZero() {
				r.Replicated = false
				continue
			}
			if r.Received.IsZero() || c.Durable.Before(r.Received) {
				r.Received = c.Durable
			}
			if c.Verified.After(r.Verified) && !c.Broken {
				r.Verified = c.Verified
			}
		}
		list = append(list, r)
	}
	return list
}

package dr

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Drill is a failover that was practised, or a real one that is counted as practice.
type Drill struct {
	ID      string        `json:"id"`
	At      time.Time     `json:"at"`               // when the failover was ordered
	Took    Duration      `json:"took"`             // until the service ran at the other site: the measured recovery time
	Lost    Duration      `json:"lost"`             // the span of acknowledged writes that were missing there; 0: none
	Outcome opsec.Outcome `json:"outcome"`          // Success: the service ran at the other site
	Back    bool          `json:"back"`             // the way back was practised too
	By      opsec.Actor   `json:"by"`               // who led it
	Report  string        `json:"report,omitempty"` // where the evidence is
}

// DrillPolicy says how often failover is practised and what it has to show.
type DrillPolicy struct {
	Every  Duration `json:"every"`           // between two drills that succeed; more than 0
	RTO    Duration `json:"rto"`             // recovery time objective; more than 0
	RPO    Duration `json:"rpo"`             // recovery point objective; 0: nothing acknowledged may be lost
	Back   bool     `json:"back,omitempty"`  // a drill includes the way back
	Warned Duration `json:"warn,omitempty"`  // a finding this long before the next drill is due
	Recent int      `json:"recent,omitzero"` // how many of the newest drills are judged; 0: the newest one
}

// DrillReport is what the drills have shown.
type DrillReport struct {
	Next     time.Time `json:"next,omitzero"` // when the next one is due; zero: at once, since none has succeeded
	Overdue  bool      `json:"overdue"`
	Judged   int       `json:"judged"`            // how many of the newest were judged
	Failed   int       `json:"failed"`            // of these
	Slowest  Duration  `json:"slowest,omitempty"` // recovery time, of those that succeeded
	Largest  Duration  `json:"largest,omitempty"` // loss, of those that succeeded
	Findings []Finding `json:"findings,omitempty"`
}

// Finding is something that is not as it should be.
type Finding struct {
	Rule     string         `json:"rule"` // "drill-overdue", "parity-weaker", ...
	Subject  string         `json:"subject"`
	Severity opsec.Severity `json:"severity"`
	Text     string         `json:"text"`
}

// Assess judges drills, in any order, at a time. Drills after now are not counted. An error wraps [opsec.ErrInvalid].
func (p DrillPolicy) Assess(drills []Drill, now time.Time) (DrillReport, error) {
	if p.Every <= 0 || p.RTO <= 0 || p.RPO < 0 || p.Warned < 0 || p.Recent < 0 {
		return DrillReport{}, invalid("drill policy: every %v, rto %v, rpo %v, warn %v, recent %d: want every and rto more than 0, no other below",
			time.Duration(p.Every), time.Duration(p.RTO), time.Duration(p.RPO), time.Duration(p.Warned), p.Recent)
	}
	var past []Drill
	for _, d := range drills {
		switch {
		case d.ID == "" || d.At.IsZero() || d.Took < 0 || d.Lost < 0:
			return DrillReport{}, invalid("drill %q: want an id, a time, and no negative spans", d.ID)
		case !d.At.After(now):
			past = append(past, d)
		}
	}
	slices.SortStableFunc(past, func(a, b Drill) int { return b.At.Compare(a.At) })
	var r DrillReport
	add := func(rule, subject string, s opsec.Severity, format string, args ...any) {
		r.Findings = append(r.Findings, Finding{rule, subject, s, fmt.Sprintf(format, args...)})
	}
	for _, d := range past {
		if d.Outcome == opsec.Success && (d.Back || !p.Back) {
			r.Next = d.At.Add(time.Duration(p.Every))
			break
		}
	}
	switch {
	case r.Next.IsZero():
		r.Overdue = true
		add("drill-overdue", "", opsec.SeverityHigh, "no drill has succeeded yet")
	case now.After(r.Next):
		r.Overdue = true
		add("drill-overdue", "", opsec.SeverityHigh, "a drill was due at %s", r.Next.Format(time.RFC3339))
	case p.Warned > 0 && !now.Add(time.Duration(p.Warned)).Before(r.Next):
		add("drill-due", "", opsec.SeverityLow, "a drill is due at %s", r.Next.Format(time.RFC3339))
	}
	for _, d := range past[:min(len(past), max(p.Recent, 1))] {
		r.Judged++
		if d.Outcome != opsec.Success {
			r.Failed++
			add("drill-failed", d.ID, opsec.SeverityHigh, "its outcome is %q", d.Outcome)
			continue
		}
		r.Slowest, r.Largest = max(r.Slowest, d.Took), max(r.Largest, d.Lost)
		if d.Took > p.RTO {
			add("drill-rto", d.ID, opsec.SeverityHigh, "it took %v; the objective is %v", time.Duration(d.Took), time.Duration(p.RTO))
		}
		if d.Lost > p.RPO {
			add("drill-rpo", d.ID, opsec.SeverityHigh, "%v were lost; the objective is %v", time.Duration(d.Lost), time.Duration(p.RPO))
		}
		if p.Back && !d.Back {
			add("drill-one-way", d.ID, opsec.SeverityMedium, "the way back was not practised")
		}
	}
	return r, nil
}

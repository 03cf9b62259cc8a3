package retention

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("retention: %w: "+format, append([]any{opsec.ErrInvalid}, args...)...)
}

// Rule is what keeps a point.
type Rule string

// The rules of a [Policy].
const (
	RuleLast          Rule = "last"
	RuleSecondly      Rule = "secondly"
	RuleMinutely      Rule = "minutely"
	RuleHourly        Rule = "hourly"
	RuleDaily         Rule = "daily"
	RuleWeekly        Rule = "weekly"
	RuleMonthly       Rule = "monthly"
	RuleYearly        Rule = "yearly"
	RuleWithin        Rule = "within"
	RuleWithinHourly  Rule = "within_hourly"
	RuleWithinDaily   Rule = "within_daily"
	RuleWithinWeekly  Rule = "within_weekly"
	RuleWithinMonthly Rule = "within_monthly"
	RuleWithinYearly  Rule = "within_yearly"
	RuleTags          Rule = "tags"
)

// The guards, which keep points whatever the rules say.
const (
	GuardNewest      Rule = "newest"      // of its group; Detail is of which of them, when not of all
	GuardVerified    Rule = "verified"    // the newest of its group that was found whole; Detail likewise
	GuardHold        Rule = "hold"        // Detail is why
	GuardLock        Rule = "lock"        // the store would refuse; Detail is until when
	GuardReplication Rule = "replication" // it is not yet wherever it should be
	GuardAge         Rule = "age"         // it was received for less than [Policy].MinimumAge; Detail is until when
	GuardClock       Rule = "clock"       // there is no time to judge it by
	GuardChain       Rule = "chain"       // Detail is a kept point that needs it
)

var guards = map[Rule]string{
	GuardNewest: "the newest of its group", GuardVerified: "the newest of its group that was found whole", GuardHold: "on hold for",
	GuardLock: "locked in the store until", GuardReplication: "not yet replicated", GuardAge: "too young to go until",
	GuardClock: "no time to judge it by", GuardChain: "needed by",
}

// Guard says whether the rule is a guard, which no policy asks for.
func (r Rule) Guard() bool { return guards[r] != "" }

// Reason is why a point is kept.
type Reason struct {
	Rule   Rule   `json:"rule"`
	Nth    int    `json:"nth,omitempty"`    // which of the rule's count it is, from 1
	Oldest bool   `json:"oldest,omitempty"` // kept as the oldest that the rule looks at, since the count was not used up
	Detail string `json:"detail,omitempty"` // see the guards
}

// String returns the reason in words.
func (r Reason) String() string {
	words := guards[r.Rule]
	if words == "" {
		words = string(r.Rule)
	}
	if r.Nth > 0 {
		words += fmt.Sprintf(" %d", r.Nth)
	}
	if r.Oldest {
		words += ", as the oldest"
	}
	if r.Detail != "" {
		words += " " + r.Detail
	}
	return words
}

// Decision is what becomes of a point.
type Decision struct {
	ID      string    `json:"id"`
	Group   string    `json:"group,omitempty"`
	Time    time.Time `json:"time"` // by which it was judged
	Keep    bool      `json:"keep"`
	Reasons []Reason  `json:"reasons,omitempty"` // why it is kept; none when it is not
	Instead string    `json:"instead,omitempty"` // of one that goes: the point of its group that is kept and is newer, but no more than any other; none whose time is not known
}

// ByRule says whether a rule of the policy keeps it, and not only guards.
func (d *Decision) ByRule() bool {
	for _, r := range d.Reasons {
		if !r.Rule.Guard() {
			return true
		}
	}
	return false
}

// Explain returns the decision in words, on one line; identifiers are quoted where they have what a terminal would obey.
func (d *Decision) Explain() string {
	if !d.Keep {
		return "no rule keeps it; the next that stays is " + shown(d.Instead)
	}
	words := make([]string, len(d.Reasons))
	for i, r := range d.Reasons {
		r.Detail = shown(r.Detail)
		words[i] = r.String()
	}
	return strings.Join(words, "; ")
}

// shown is s, quoted when it is not plain.
func shown(s string) string {
	if q := fmt.Sprintf("%q", s); q != `"`+s+`"` {
		return q
	}
	return s
}

// The rules of findings.
const (
	FindingClock      = "clock"          // the claimed time is further from the received one than the policy tolerates
	FindingFuture     = "future"         // the time to judge it by has not come yet
	FindingUnreceived = "unreceived"     // when it was received is not known
	FindingParent     = "missing_parent" // it needs a point that is not in the list
	FindingLoop       = "loop"           // it needs itself
	FindingUnverified = "unverified"     // no point of the group was ever found whole; ID is empty
)

// Finding is what somebody should look into. None of them lets a point go.
type Finding struct {
	Rule     string         `json:"rule"`
	Severity opsec.Severity `json:"severity"`
	Group    string         `json:"group,omitempty"`
	ID       string         `json:"id,omitempty"`
	Text     string         `json:"text"`
}

// Result is what a policy makes of points.
type Result struct {
	At        time.Time  `json:"at"`
	Decisions []Decision `json:"decisions"` // of every point, in the order of the groups' names, the newest first
	Findings  []Finding  `json:"findings"`
}

// Dropped returns the points that go, in the order of the decisions.
func (r *Result) Dropped() (ids []string) {
	for i := range r.Decisions {
		if !r.Decisions[i].Keep {
			ids = append(ids, r.Decisions[i].ID)
		}
	}
	return ids
}

// WriteText writes the decisions, one a line with its reasons, the findings and the sum.
func (r *Result) WriteText(w io.Writer) error {
	kept := 0
	for i := range r.Decisions {
		d := &r.Decisions[i]
		verb := "drop"
		if d.Keep {
			verb = "keep"
			kept++
		}
		group := shown(d.Group)
		if group != "" {
			group += " "
		}
		if _, err := fmt.Fprintf(w, "%s %s %s%s: %s\n", verb, d.Time.Format(time.RFC3339), group, shown(d.ID), d.Explain()); err != nil {
			return err
		}
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s: %s\n", f.Severity, f.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d kept, %d dropped, %d findings\n", kept, len(r.Decisions)-kept, len(r.Findings))
	return err
}

package retention

import (
	"io"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/internal/strictyaml"
)

// Semantics says what the counts of a policy mean. Tools that share the words do not share the meaning.
type Semantics string

// The semantics. In all of them a rule keeps the newest point of a period.
const (
	// Restic is that of restic forget since 0.16: each rule counts the periods that have a point, from the newest on, whether another rule
	// has kept that point or not; a rule whose count is not used up keeps the oldest point too, which restic before 0.16 does not, nor has
	// it All: a point with no reason but those that are [Reason].Oldest is one that it lets go. Within is from the newest point that is
	// not in the future. Restic has the periods of each snapshot begin in the zone that its host was in; here all are of one.
	Restic Semantics = "restic"
	// Borg is that of borg prune 1.2: a rule counts only points that no finer rule keeps, and keeps the oldest when its count is not used
	// up; Within is from now, with months of 31 days and years of 365.
	Borg Semantics = "borg"
	// Proxmox is that of Proxmox Backup Server: the rules are used in turn, each counts only periods in which no rule before it has kept a
	// point.
	Proxmox Semantics = "proxmox"
	// Calendar counts the periods of the calendar, empty ones too, back from the newest point: the last seven days are seven days, and a
	// machine which was off loses nothing. It is near to what Kopia does, which goes as far back from the newest point too, but to the
	// hour of it: seven days may then touch eight of the calendar, of which seven that have a point are kept.
	Calendar Semantics = "calendar"
	// Copies is the Recommendation's: so many copies, the newest. Last is the only rule.
	Copies Semantics = "copies"
)

// All, as a count, keeps a point of every period. Restic and Borg have it.
const All = -1

const maxCount = 1_000_000

// Duration is a [time.Duration] whose JSON is a text such as "36h" or "15m".
type Duration = strictjson.Duration

// Policy says what is kept. It is data. The zero policy is not valid: it would keep nothing.
//
// A count is of periods that keep their newest point; 0 is no such rule. Which rules a semantics has: all have Last (but a policy of Borg, which has
// Secondly and Minutely instead), Hourly, Daily, Weekly (weeks of ISO 8601, Monday to Sunday, of the ISO year), Monthly and Yearly; Copies has Last
// alone. Within is of Restic and Borg, the others with Within in their names and Tags are of Restic.
type Policy struct {
	Semantics Semantics `json:"semantics"`
	Zone      string    `json:"zone"` // in which days, weeks, months and years begin: a name of the IANA database, such as "Europe/Vienna" or "UTC"

	Last     int `json:"last,omitempty"`
	Secondly int `json:"secondly,omitempty"`
	Minutely int `json:"minutely,omitempty"`
	Hourly   int `json:"hourly,omitempty"`
	Daily    int `json:"daily,omitempty"`
	Weekly   int `json:"weekly,omitempty"`
	Monthly  int `json:"monthly,omitempty"`
	Yearly   int `json:"yearly,omitempty"`

	Within        Span       `json:"within,omitzero"`
	WithinHourly  Span       `json:"within_hourly,omitzero"`
	WithinDaily   Span       `json:"within_daily,omitzero"`
	WithinWeekly  Span       `json:"within_weekly,omitzero"`
	WithinMonthly Span       `json:"within_monthly,omitzero"`
	WithinYearly  Span       `json:"within_yearly,omitzero"`
	Tags          [][]string `json:"tags,omitempty"` // keep points that have all tags of one of these lists

	// Tolerance is how far the time that a host claims may be from the time when its point was received, either way, before the point is
	// judged by the latter. A backup that runs for hours is that much off in honesty. Zero is the strictest: none at all.
	Tolerance Duration `json:"tolerance,omitempty"`
	// MinimumAge keeps whatever has been received for less than this.
	MinimumAge Duration `json:"minimum_age,omitempty"`
	// SkipReplication lets points go that are not yet wherever they should be.
	SkipReplication bool `json:"skip_replication,omitempty"`
	// SkipReceived judges points whose Received is not known by what their host claims. Otherwise they stay.
	SkipReceived bool `json:"skip_received,omitempty"`
}

// ParsePolicy reads a policy as YAML or JSON of up to 64 KiB, and validates it. Fields that are not known or stand twice, anchors and tags are refused.
func ParsePolicy(r io.Reader) (p Policy, err error) {
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && len(text) > most {
		err = invalid("policy: more than %d bytes", most)
	}
	if err != nil {
		return Policy{}, err
	}
	if err := strictyaml.Decode(text, 6, &p); err != nil {
		return Policy{}, invalid("policy: %v", err)
	}
	if err := p.Validate(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// rule is one of a policy's counts.
type rule struct {
	name   Rule
	count  int
	within Span
	period func(m moment) int64 // nil: each point is its own
}

// counts returns the rules that count, the finest first.
func (p *Policy) counts() []rule {
	return []rule{
		{RuleLast, p.Last, Span{}, nil},
		{RuleSecondly, p.Secondly, Span{}, moment.second},
		{RuleMinutely, p.Minutely, Span{}, moment.minute},
		{RuleHourly, p.Hourly, p.WithinHourly, moment.hour},
		{RuleDaily, p.Daily, p.WithinDaily, moment.day},
		{RuleWeekly, p.Weekly, p.WithinWeekly, moment.week},
		{RuleMonthly, p.Monthly, p.WithinMonthly, moment.month},
		{RuleYearly, p.Yearly, p.WithinYearly, moment.year},
	}
}

// Validate returns an error wrapping opsec.ErrInvalid that names the first field which the semantics does not have, or that is out of
// bounds: counts up to a million, spans of 0 to 100,000 of each unit.
func (p *Policy) Validate() error {
	if !slices.Contains([]Semantics{Restic, Borg, Proxmox, Calendar, Copies}, p.Semantics) {
		return invalid("semantics %q: want restic, borg, proxmox, calendar or copies", p.Semantics)
	}
	if p.Zone == "" || p.Zone == "Local" {
		return invalid("zone: want a name such as Europe/Vienna, or UTC; which one this machine is in decides nothing")
	}
	if _, err := time.LoadLocation(p.Zone); err != nil {
		return invalid("zone %q: %v", p.Zone, err)
	}
	keeps := false
	for _, r := range p.counts() {
		switch {
		case r.count == 0:
		case r.count == All && p.Semantics != Restic && p.Semantics != Borg, r.count < All, r.count > maxCount:
			return invalid("%s: %d: want 0 to %d", r.name, r.count, maxCount)
		case p.Semantics == Copies && r.name != RuleLast,
			p.Semantics == Borg && r.name == RuleLast,
			p.Semantics != Borg && (r.name == RuleSecondly || r.name == RuleMinutely):
			return invalid("%s: semantics %s has no such rule", r.name, p.Semantics)
		}
		if r.within != (Span{}) && p.Semantics != Restic {
			return invalid("within_%s: semantics %s has no such rule", r.name, p.Semantics)
		}
		if err := r.within.validate(); err != nil {
			return err
		}
		keeps = keeps || r.count != 0 || r.within != (Span{})
	}
	if p.Within != (Span{}) && p.Semantics != Restic && p.Semantics != Borg {
		return invalid("within: semantics %s has no such rule", p.Semantics)
	}
	if len(p.Tags) > 0 && p.Semantics != Restic {
		return invalid("tags: semantics %s has no such rule", p.Semantics)
	}
	if len(p.Tags) > 100 {
		return invalid("tags: %d lists, want up to 100", len(p.Tags))
	}
	for i, list := range p.Tags {
		if len(list) == 0 || len(list) > 100 || slices.Contains(list, "") {
			return invalid("tags[%d]: want 1 to 100 tags that are not empty", i)
		}
	}
	if p.Tolerance < 0 || p.MinimumAge < 0 {
		return invalid("tolerance, minimum_age: negative")
	}
	if err := p.Within.validate(); err != nil {
		return err
	}
	if !keeps && p.Within == (Span{}) && len(p.Tags) == 0 {
		return invalid("policy: it keeps nothing")
	}
	return nil
}

// AtLeast says whether the policy keeps, of whatever points there will ever be, what old does: the same semantics and zone, the same
// tolerance, and no count, span, tag or guard that is less. False says that it may keep less; see [Shortened] for what that is today.
func (p *Policy) AtLeast(old *Policy) bool {
	if p.Semantics != old.Semantics || p.Zone != old.Zone || p.Tolerance != old.Tolerance ||
		p.MinimumAge < old.MinimumAge || p.SkipReplication && !old.SkipReplication || p.SkipReceived && !old.SkipReceived {
		return false
	}
	if (p.Semantics == Borg || p.Semantics == Proxmox) && p.SkipReceived != old.SkipReceived {
		return false // a point that is not judged any more covers its period no more, and another takes up a count for it
	}
	if p.Semantics == Proxmox && !slices.EqualFunc(p.counts(), old.counts(), func(a, b rule) bool { return a.count == b.count }) {
		return false // more of one rule moves what the next ones look at
	}
	before := old.counts()
	for i, r := range p.counts() {
		was := before[i]
		if r.count != All && (was.count == All || r.count < was.count) || !r.within.covers(was.within) {
			return false
		}
		if r.count == All && was.count > 0 && p.Semantics == Borg {
			return false // a count that is not used up keeps the oldest point, which All need not
		}
	}
	for _, list := range old.Tags {
		if !slices.ContainsFunc(p.Tags, func(have []string) bool { return subset(have, list) }) {
			return false
		}
	}
	return p.Within.covers(old.Within)
}

// covers says that no part of p is less than that of q.
func (p Span) covers(q Span) bool {
	return p.Years >= q.Years && p.Months >= q.Months && p.Days >= q.Days && p.Hours >= q.Hours
}

func subset(list, of []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(of, s) })
}

package competence

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Policy].
const (
	MaxDuties = 1024
	MaxNeeds  = 64 // of one duty
	MaxStages = 16 // of warning
	MaxHold   = 64 // standards that must be held
)

// Policy says what duties need, and how early to warn. It is data; as JSON it is read strictly. The zero Policy warns of
// nothing and is not valid.
type Policy struct {
	Duties map[string][]Need `json:"duties,omitempty"` // by duty, all that it needs
	Hold   []string          `json:"hold,omitempty"`   // names of standards of which a certificate must be in force
	Warn   []Days            `json:"warn"`             // before an end: the stages of warning, the longest first: 90, 30, 7
}

// UnmarshalJSON refuses what it does not know.
func (p *Policy) UnmarshalJSON(text []byte) error {
	type plain Policy
	return strictjson.Decode(text, (*plain)(p))
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	if len(p.Duties) > MaxDuties || len(p.Warn) == 0 || len(p.Warn) > MaxStages {
		return invalid("policy: %d duties, want up to %d; %d stages of warning, want 1 to %d",
			len(p.Duties), MaxDuties, len(p.Warn), MaxStages)
	}
	for i, w := range p.Warn {
		if w < 1 || w > maxDays || i > 0 && w >= p.Warn[i-1] {
			return invalid("policy: warn[%d]: want 1 to %d days, and fewer than before", i, maxDays)
		}
	}
	for i, name := range p.Hold {
		if i == MaxHold || !line(name, maxName) || slices.Contains(p.Hold[:i], name) {
			return invalid("policy: hold[%d]: want "+wantName+", none twice, up to %d", i, MaxHold)
		}
	}
	for _, duty := range slices.Sorted(maps.Keys(p.Duties)) {
		needs := p.Duties[duty]
		if !line(duty, maxName) || len(needs) == 0 || len(needs) > MaxNeeds {
			return invalid("policy: duties: want "+wantName+" and 1 to %d needs each", MaxNeeds)
		}
		for _, n := range needs {
			if err := n.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// stage returns the shortest stage of warning that has been reached before an end; none is 0.
func (p Policy) stage(end, at time.Time) Days {
	reached := Days(0)
	for _, w := range p.Warn {
		if !at.Before(end.Add(-w.duration())) {
			reached = w
		}
	}
	return reached
}

// Staff is somebody, and what they do.
type Staff struct {
	Person string   `json:"person"`
	Duties []string `json:"duties"`
}

// Trouble is what is wrong, or soon will be, with the competence of staff.
type Trouble string

// The troubles, each for one person, duty and need.
const (
	NeverTrained Trouble = "never trained" // no record of the subject
	Unqualified  Trouble = "unqualified"   // records of the subject, but none that meets the need, or not yet
	Expired      Trouble = "expired"       // the last that met the need is too old or has run out
	Revoked      Trouble = "revoked"       // the last that met the need was revoked
	Expiring     Trouble = "expiring"      // it is met, but not for long
	UnknownDuty  Trouble = "unknown duty"  // the policy does not know the duty: nobody is qualified for it
)

// Finding is one trouble.
type Finding struct {
	Person  string    `json:"person"`
	Duty    string    `json:"duty"`
	Need    Need      `json:"need,omitzero"`
	Trouble Trouble   `json:"trouble"`
	Record  string    `json:"record,omitempty"` // [Record.Ref] of the one it is about
	End     time.Time `json:"end,omitzero"`     // when it stopped counting, or will
	Stage   Days      `json:"stage,omitempty"`  // of the warning that has been reached: the shortest
}

// Examine returns all troubles of staff, by person, duty and need. What counts for a warning is the end of all records
// that follow each other without a gap: a renewal that is on record already ends the warning.
func (p Policy) Examine(staff []Staff, records []Record, at time.Time) ([]Finding, error) {
	var findings []Finding
	err := p.each(staff, records, func(person, duty string, n Need, known bool, mine []Record) {
		f := Finding{Person: person, Duty: duty, Need: n, Trouble: UnknownDuty}
		if known {
			f = p.judge(f, mine, at)
		}
		if f.Trouble != "" {
			findings = append(findings, f)
		}
	})
	return findings, err
}

// each calls fn for every person, duty and need, in this order.
func (p Policy) each(
	staff []Staff, records []Record, fn func(person, duty string, n Need, known bool, mine []Record),
) error {
	if err := p.Validate(); err != nil {
		return err
	}
	mine, err := byPerson(records)
	if err != nil {
		return err
	}
	duties := map[string][]string{}
	for i, s := range staff {
		if !line(s.Person, maxName) {
			return invalid("staff[%d]: person: want "+wantName, i)
		}
		duties[s.Person] = append(duties[s.Person], s.Duties...)
	}
	for _, person := range slices.Sorted(maps.Keys(duties)) {
		for _, duty := range slices.Compact(slices.Sorted(slices.Values(duties[person]))) {
			needs, known := p.Duties[duty]
			if !known {
				needs = []Need{{}}
			}
			for _, n := range needs {
				fn(person, duty, n, known, mine[person])
			}
		}
	}
	return nil
}

// judge completes a finding about one need; it has no trouble when there is none.
func (p Policy) judge(f Finding, mine []Record, at time.Time) Finding {
	f.Trouble = ""
	spans := f.Need.spans(mine)
	if now, ok := longest(spans, func(s span) bool { return s.holds(at) }); ok {
		last := chain(spans, now)
		if f.Stage = p.stage(last.end, at); f.Stage > 0 {
			f.Trouble, f.Record, f.End = Expiring, last.Ref(), last.end
		}
		return f
	}
	if last, ok := longest(spans, func(s span) bool { return !s.end.After(at) }); ok {
		f.Trouble, f.Record, f.End = Expired, last.Ref(), last.end
		if last.end.Equal(last.Revoked) {
			f.Trouble = Revoked
		}
		return f
	}
	f.Trouble = NeverTrained
	if slices.ContainsFunc(mine, func(r Record) bool { return r.Subject == f.Need.Subject }) {
		f.Trouble = Unqualified
	}
	return f
}

// chain returns the last of the spans that follow each other from one on, without a gap.
func chain(spans []span, from span) span {
	for {
		next, ok := longest(spans, func(s span) bool { return !s.Issued.After(from.end) && s.end.After(from.end) })
		if !ok {
			return from
		}
		from = next
	}
}

// NextFinding returns an instant after at until which Examine keeps saying what it says at that time, or zero when it
// will for ever. By then, something may have changed.
func (p Policy) NextFinding(staff []Staff, records []Record, at time.Time) (time.Time, error) {
	next := changes{after: at, warn: p.Warn}
	err := p.each(staff, records, func(_, _ string, n Need, known bool, mine []Record) {
		if !known {
			return
		}
		for _, s := range n.spans(mine) {
			next.add(s.Issued)
			next.end(s.end)
		}
	})
	return next.first, err
}

// changes finds the first of many instants after one.
type changes struct {
	after time.Time
	warn  []Days
	first time.Time
}

func (c *changes) add(t time.Time) {
	if t.After(c.after) {
		c.first = earlier(c.first, t)
	}
}

// end adds the end of something, and the stages of warning before it.
func (c *changes) end(t time.Time) {
	c.add(t)
	for _, w := range c.warn {
		c.add(t.Add(-w.duration()))
	}
}

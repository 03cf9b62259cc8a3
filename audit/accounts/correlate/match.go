package correlate

import (
	"slices"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// The actions of the events that tell of correlation.
const (
	ActionMatch = "correlate.match" // see [Match.Event]
	ActionLoss  = "correlate.loss"  // see [Status.Event]
)

// Match is a rule that events have met.
type Match struct {
	Rule     string         `json:"rule"`
	About    string         `json:"about,omitempty"`
	Severity opsec.Severity `json:"severity"`
	Tenant   opsec.TenantID `json:"tenant"` // whose records all of the events are; opsec.Provider if they differ
	By       []Value        `json:"by,omitempty"`
	From     time.Time      `json:"from"` // the first event
	To       time.Time      `json:"to"`   // the last
	Steps    []Evidence     `json:"steps"`
}

// Value is a field of the rule, as the last event has it: "tenant/name" where it is a tenant's, cut after 256 bytes.
type Value struct {
	Field Field  `json:"field"`
	Value string `json:"value"`
}

// Evidence is the references of the events of one step: the latest, if there are many.
type Evidence struct {
	Count   int      `json:"count"`
	Refs    []string `json:"refs"`
	Omitted int      `json:"omitted,omitempty"` // references that are not listed
}

func matchOf(r *Rule, by []Value, done *part, to time.Time) Match {
	m := Match{
		Rule: r.Name, About: r.About, Severity: r.Severity, Tenant: done.tenant, By: by,
		From: done.began, To: to,
	}
	for p := done; p != nil; p = p.before {
		m.Steps = append(m.Steps, p.evidence)
	}
	slices.Reverse(m.Steps)
	return m
}

// Event returns the match as an event, to be recorded. What it says about people is marked as personal.
func (m Match) Event(at time.Time) *opsec.Event {
	e := opsec.NewEvent(ActionMatch, at)
	e.Tenant, e.Outcome, e.Began, e.Reason = m.Tenant, opsec.Success, m.From, m.About
	e.Actor.Kind = opsec.System
	e.Resource = opsec.Resource{Tenant: opsec.Provider, Type: "rule", ID: m.Rule}
	e.Attrs = []opsec.Attr{{Key: "severity", Value: string(m.Severity), Mark: opsec.Tenant}}
	for _, v := range m.By {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "by." + string(v.Field), Value: v.Value, Mark: opsec.Personal})
	}
	for i, s := range m.Steps {
		for _, ref := range s.Refs {
			if len(e.Attrs) < opsec.MaxAttrs && len(ref) <= maxRef {
				e.Attrs = append(e.Attrs, opsec.Attr{Key: "step." + strconv.Itoa(i+1), Value: ref, Mark: opsec.Tenant})
			}
		}
	}
	return e
}

// maxRef keeps an event of many references within its bounds.
const maxRef = 512

// Event returns what was left out as an event, to be recorded, so that it is not taken for calm.
func (s Status) Event(at time.Time) *opsec.Event {
	e := opsec.NewEvent(ActionLoss, at)
	e.Outcome, e.Actor.Kind = opsec.Failure, opsec.System
	var evicted uint64
	for _, n := range s.Evicted {
		evicted += n
	}
	for _, c := range []struct {
		key string
		n   uint64
	}{{"events", s.Events}, {"late", s.Late}, {"ahead", s.Ahead}, {"evicted", evicted}} {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: c.key, Value: strconv.FormatUint(c.n, 10), Mark: opsec.Tenant})
	}
	return e
}
